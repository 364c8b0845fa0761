"""Scorers and judges by name. The tables hold strings: listing them imports nothing."""

from __future__ import annotations

from zeuxis.registry import Entry, Table

SCORERS = Table(
    "scorer",
    {
        "pocket": Entry("zeuxis.scorers.pocket:PocketScorer", "small dual encoder that ships inside the package"),
        "pocket-second": Entry(
            "zeuxis.scorers.pocket:SecondPocketScorer", "a second one: for ensembles, or as a check"
        ),
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

# What a folder of weights may hold, by its config: see zeuxis.scorers.choose.
FAMILIES = Table(
    "scorer family",
    {
        "clip": Entry("zeuxis.scorers.clip:ClipScorer", "CLIP as a transformers folder or an OpenCLIP checkpoint"),
        "siglip": Entry("zeuxis.scorers.siglip:SiglipScorer", "SigLIP and SigLIP2 as a transformers folder"),
    },
)
