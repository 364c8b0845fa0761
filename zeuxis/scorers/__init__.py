"""Scorers and judges by name. The tables hold strings: listing them imports nothing."""

from __future__ import annotations

from zeuxis.registry import Entry, Table

SCORERS = Table(
    "scorer",
    {
        "pocket": Entry("zeuxis.scorers.pocket:PocketScorer", "small dual encoder that ships inside the package"),
        "toy": Entry("zeuxis.scorers.toy:ToyScorer", "reads colour words; needs no weights"),
    },
)

JUDGES = Table(
    "judge",
    {
        "pocket": Entry("zeuxis.scorers.classifier:PocketJudge", "small classifier that ships inside the package"),
        "toy": Entry("zeuxis.scorers.toy:ToyJudge", "names the colour it sees; needs no weights"),
    },
)
