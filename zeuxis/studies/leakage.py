"""How far a colour word spreads beyond its object: "a yellow car in the city" with yellow houses.

The same phrase is bred with and without the word, seed by seed. The share of pixels of that colour rises inside of the
object, as it should, and outside, as it should not: the leak is the rise outside over the rise inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from zeuxis.errors import BadInput
from zeuxis.evaluation.hue_share import regions, shares
from zeuxis.experiments.records import Record
from zeuxis.lab.attributes import COLOURS, colour_map
from zeuxis.metrics.intervals import of_runs, ratio_of_runs
from zeuxis.pictures.grid import grid_png
from zeuxis.prompts.auto import settle
from zeuxis.report.evaluation import Section, Shown, TableView, counted, png
from zeuxis.report.html import embed
from zeuxis.report.search_figures import Interval, pairs_png
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.studies.breed import population
from zeuxis.studies.carry import Answer, Study, check_once, in_a_row, run_of
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.questions import Leakage
from zeuxis.studies.rows import LeakageLine

SHOWN, WIDTH = 8, 720
WITH, WITHOUT = "with", "without"
WHERE = ("inside", "outside")  # of the object
Rise = dict[str, Any]


class LeakageStudy(Study):
    """See the module."""

    line = LeakageLine
    brand = "Zeuxis · where a colour word goes"

    def __init__(self, settings: Leakage) -> None:
        self.settings: Leakage = settings

    def check(self) -> None:
        """Names, and that each phrase has one colour word."""
        s = self.settings
        check_once(s.search, "--search")
        check_once(s.phrase, "--phrase")
        for phrase in s.phrase:
            for search in s.search:
                for said in (phrase, without_colour(phrase)[0]):
                    check_config(s.run(search, said, s.seed, judge=None))

    def cells(self) -> list[Cell]:
        """(search, phrase, with or without the word, seed)."""
        s = self.settings
        return [(search, phrase, how, str(seed)) for seed in s.seeds for search in s.search for phrase in s.phrase
                for how in (WITH, WITHOUT)]  # fmt: skip

    def run(self, cell: Cell, folder: StudyFolder) -> RunFolder:
        """The finished run of a cell."""
        if cell[2] == WITH:
            return run_of(self, folder, cell, cell[1], judge=None)
        whole = settle(self.settings.run(cell[0], cell[1], int(cell[-1]), judge=None))[0]
        alike = {"generator": whole.generator, "scorer": whole.scorer}  # whatever the phrase alone would choose
        return run_of(self, folder, cell, without_colour(cell[1])[0], judge=None, **alike)

    def do(self, cell: Cell, folder: StudyFolder) -> tuple[Row, str]:
        """Breed, and count pixels of the colour inside and outside of the object."""
        pixels, _ = population(self.run(cell, folder))
        colour = COLOURS.index(without_colour(cell[1])[1])
        found = regions(pixels)
        inner, outer = shares(colour_map(pixels.permute(0, 2, 3, 1)), colour, found)
        row = {"inside": _list(inner), "outside": _list(outer), "flat": found.flat.tolist()}
        return row, f"inside {float(inner.mean()):.0%}, outside {float(outer.mean()):.0%}"

    def answer(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> Answer:
        """A table, a figure, and the pictures of the first seed."""
        s = self.settings
        found = {(search, phrase): rise(rows, search, phrase) for search in s.search for phrase in s.phrase}
        table = TableView("", ("phrase", "search", "inside: without, with", "rise inside", "outside: without, with",
                               "rise outside", "leak", "flat grounds"),
                          tuple(_line(key, of) for key, of in found.items()), "", "leakage.csv")  # fmt: skip
        drawn = pairs_png({f"{phrase}, {search}": (_points(of, "inside"), _points(of, "outside"))
                           for (search, phrase), of in found.items()},
                          ("inside of the object", "outside"), "rise of the colour's share with the word")  # fmt: skip
        about = "Rise of the share of pixels of the colour when its word is said; lines are 95 % intervals over seeds."
        sections = (Section("The rise inside and outside", (_words(),), (table,), (png(drawn, about, about),)),
                    Section("With the word and without", ("The best of the first seed.",),
                            pictures=tuple(self._grids(folder))))  # fmt: skip
        lead = tuple(_said(key, of) for key, of in found.items())
        title = f"{counted(len(s.phrase), 'phrase')}: does the colour stay on its object?"
        records = {"leakage": [_record(key, of) for key, of in found.items()], "pictures": list(_pictures(rows))}
        made = (("phrases", " · ".join(s.phrase)), ("searches", " · ".join(s.search)))
        numbers = in_a_row(records["leakage"], ("search", "phrase"), ("leak", *(f"{w}_rise" for w in WHERE), "flat"))
        return Answer(title, lead, (table,), records, sections, {"leakage.png": drawn}, made, numbers)

    def _grids(self, folder: StudyFolder) -> list[Shown]:
        s, shown = self.settings, []
        for search in s.search:
            for phrase in s.phrase:
                for how in (WITH, WITHOUT):
                    pixels, _ = population(self.run((search, phrase, how, str(s.seed)), folder))
                    said = phrase if how == WITH else without_colour(phrase)[0]
                    some = pixels[:SHOWN].permute(0, 2, 3, 1).numpy()
                    data = grid_png(some, [""] * len(some), SHOWN // 2)
                    shown.append(Shown(embed(data, 1, WIDTH), f"{said}, {search}", f"{said}, {search}"))
        return shown


def without_colour(phrase: str) -> tuple[str, str]:
    """ "a yellow car" -> "a car" and "yellow". BadInput for a phrase without a colour word, or with two."""
    words = phrase.split()
    said = [k for k, word in enumerate(words) if word.strip(",.;").lower() in COLOURS]
    if len(said) != 1:
        raise BadInput(
            f"Expected a phrase with one colour word ({', '.join(COLOURS)}), got {len(said)} in {phrase[:80]!r}."
        )
    rest = words[: said[0]] + words[said[0] + 1 :]
    if not any(word not in ("a", "an", "the") for word in rest):
        raise BadInput(f"Expected something that has the colour, e.g. 'a red shoe', got {phrase[:80]!r}.")
    k = said[0] - 1
    if k >= 0 and rest[k : k + 1] and rest[k].lower() in ("a", "an") and len(rest) > k + 1:
        rest[k] = "an" if rest[k + 1][0].lower() in "aeiou" else "a"
    return " ".join(rest), words[said[0]].strip(",.;").lower()


def rise(rows: Mapping[Cell, Row], search: str, phrase: str) -> Rise:
    """Shares with and without the word, their differences seed by seed with 95 % intervals, and the leak.

    The leak is the rise outside over the rise inside; None where the colour does not rise inside.
    """
    own = {cell[2:]: row for cell, row in rows.items() if cell[:2] == (search, phrase)}
    seeds = sorted({seed for _, seed in own}, key=int)
    found: Rise = {"seeds": len(seeds), "flat": _mean([float(f) for row in own.values() for f in row["flat"]])}
    rises: list[list[float]] = []
    for where in WHERE:
        said, plain = ([_mean(own[how, seed][where]) for seed in seeds] for how in (WITH, WITHOUT))
        rises.append([a - b for a, b in zip(said, plain, strict=True)])
        mean = _mean(rises[-1])
        low, high = of_runs(rises[-1], within=(-1.0, 1.0)) or (mean, mean)
        found |= {f"{where}_with": _mean(said), f"{where}_without": _mean(plain)}
        found |= {f"{where}_rise": mean, f"{where}_low": low, f"{where}_high": high}
    rose = found["inside_rise"] > 0.01
    span = ratio_of_runs(rises[1], rises[0]) if rose else None
    found |= {"leak": found["outside_rise"] / found["inside_rise"] if rose else None}
    return found | dict(zip(("leak_low", "leak_high"), span or (None, None), strict=True))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _list(values: torch.Tensor) -> list[float]:
    return [round(v, 5) for v in values.tolist()]


def _points(of: Rise, where: str) -> Interval:
    return of[f"{where}_rise"], of[f"{where}_low"], of[f"{where}_high"]


def _line(key: tuple[str, str], of: Rise) -> tuple[str, ...]:
    cells = [key[1], key[0]]
    for where in WHERE:
        cells += [f"{of[f'{where}_without']:.1%}, {of[f'{where}_with']:.1%}"]
        cells += [f"{of[f'{where}_rise']:+.1%} ({of[f'{where}_low']:+.1%} to {of[f'{where}_high']:+.1%})"]
    return (*cells, "–" if of["leak"] is None else _leak(of), f"{of['flat']:.0%}")


def _leak(of: Rise) -> str:
    """The ratio, with its interval over seeds where there are three or more."""
    span = "" if of["leak_low"] is None else f" ({of['leak_low']:.2f} to {of['leak_high']:.2f})"
    return f"{of['leak']:.2f}{span}"


def _said(key: tuple[str, str], of: Rise) -> str:
    leak = "no rise inside to compare with" if of["leak"] is None else f"leak {_leak(of)}"
    return (
        f"{key[1]}, {key[0]}: the colour's share rises by {of['inside_rise']:+.1%} inside of the object and by "
        f"{of['outside_rise']:+.1%} outside; {leak}."
    )


def _words() -> str:
    return (
        "Leak: rise outside over rise inside; 0: the colour stays on its object, 1: it spreads everywhere alike. Flat "
        "grounds: pictures whose ground has one colour, in which the object is what differs from it; in the others the "
        "object is taken to be the middle half and the outside to be the border. Colours are named by hue, lightness "
        "and chroma."
    )


def _record(key: tuple[str, str], of: Rise) -> Record:
    return {"search": key[0], "phrase": key[1], **of}


def _pictures(rows: Mapping[Cell, Row]) -> list[Record]:
    return [{"search": c[0], "phrase": c[1], "word": c[2], "seed": int(c[3]), "rank": k, "inside": i, "outside": o,
             "flat_ground": f} for c, row in rows.items()
            for k, (i, o, f) in enumerate(zip(row["inside"], row["outside"], row["flat"], strict=True))]  # fmt: skip
