"""The same phrases over several generators, guided alike: what a specialist draws better, and what it cannot draw."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zeuxis.evaluation.realness import different
from zeuxis.experiments.records import Record
from zeuxis.metrics.intervals import of_runs
from zeuxis.pictures.grid import grid_png
from zeuxis.report.evaluation import Section, Shown, TableView, counted, png
from zeuxis.report.html import embed
from zeuxis.report.search_figures import Interval, means_png
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.scorers.combine import parse_weighted
from zeuxis.studies.breed import population
from zeuxis.studies.carry import Answer, Study, check_judge, check_once, in_a_row, run_of
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.questions import Generators
from zeuxis.studies.rows import GeneratorsLine

SHOWN, WIDTH = 8, 720
FIGURES = ("best", "mean", "judge", "recognised", "different")  # of a run
BOUNDS = {"recognised": (0.0, 1.0), "different": (1.0, math.inf)}


class GeneratorsStudy(Study):
    """See the module."""

    line = GeneratorsLine
    brand = "Zeuxis · the same phrases over several generators"

    def __init__(self, settings: Generators) -> None:
        self.settings: Generators = settings

    def check(self) -> None:
        """Names, phrases, and that the judge does not guide."""
        s = self.settings
        check_once(s.generator, "--generator")
        check_once(s.phrase, "--phrase")
        for name in s.generator:
            for phrase in s.phrase:
                check_config(s.run(s.search, phrase, s.seed, generator=name, judge=s.judge))
        check_judge(make_judge(s.judge), [make_scorer(parse_weighted(name)[0]) for name in s.scorer])

    def cells(self) -> list[Cell]:
        """(generator, phrase, seed)."""
        s = self.settings
        return [(name, phrase, str(seed)) for seed in s.seeds for phrase in s.phrase for name in s.generator]

    def run(self, cell: Cell, folder: StudyFolder) -> RunFolder:
        """The finished run of a cell."""
        s = self.settings
        return run_of(self, folder, cell, cell[1], search=s.search, generator=cell[0], judge=s.judge)

    def do(self, cell: Cell, folder: StudyFolder) -> tuple[Row, str]:
        """Breed; the figures are those of the run's summary."""
        run = self.run(cell, folder)
        summary, (pixels, scores) = run.summary(), population(run)
        known = [score for score in scores if score is not None]
        seen = summary["judge"]["population"] if summary["judge"] is not None else []
        judged = [one["score"] for one in seen if one["score"] is not None]
        row: Row = {"best": summary["best"]["score"], "mean": _mean(known), "judge": _mean(judged)}
        hits = [one["score"] >= one["confidence"] for one in seen if one["score"] is not None]
        row |= {"recognised": _mean(hits), "different": round(different(pixels), 3), "images": summary["images"]}
        return row, f"best {row['best']:.4f}, judge {'–' if row['judge'] is None else format(row['judge'], '.3f')}"

    def answer(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> Answer:
        """A table for all phrases together and one for each, a figure, and the best pictures side by side."""
        s = self.settings
        whole = self._table("All phrases", rows, None)
        each = [self._table(phrase, rows, phrase) for phrase in s.phrase]
        data = {
            what: {n: [_estimate(_of(rows, n, phrase, what), what) for phrase in s.phrase] for n in s.generator}
            for what in ("best", "judge")
        }
        figures = {"best.png": means_png(s.phrase, data["best"], "best score"),
                   "judge.png": means_png(s.phrase, data["judge"], f"mean of the judge {s.judge}")}  # fmt: skip
        abouts = {"best.png": "Best score of each phrase and generator", "judge.png": "The judge's mean"}
        sections = [Section("All phrases", (_words(s),), (whole,),
                            tuple(png(d, abouts[n], f"{abouts[n]}; lines are 95 % intervals over seeds.")
                                  for n, d in figures.items()))]  # fmt: skip
        for phrase, table in zip(s.phrase, each, strict=True):
            sections.append(Section(phrase, (), (table,), pictures=tuple(self._grids(phrase, folder))))
        title = f"{counted(len(s.phrase), 'phrase')} over {counted(len(s.generator), 'generator')}"
        lead = tuple(f"{row[0]}: best score {row[2]}, judge {row[4]}." for row in whole.rows)
        made = (("phrases", " · ".join(s.phrase)), ("search", s.search), ("judge", s.judge))
        records = {"generators": list(_records(rows)), "means": list(self._spans(rows))}
        numbers = in_a_row([self._means(rows, name) for name in s.generator], ("generator",), FIGURES)
        return Answer(title, lead, (whole, *each), records, tuple(sections), figures, made, numbers)

    def _means(self, rows: Mapping[Cell, Row], name: str) -> Record:
        """Of all runs of one generator."""
        return {"generator": name} | {what: _mean(_of(rows, name, None, what)) for what in FIGURES}

    def _spans(self, rows: Mapping[Cell, Row]) -> Iterator[Record]:
        """Mean and 95 % interval of each figure, for each generator and phrase; phrase "" is all of them."""
        for name in self.settings.generator:
            for phrase in (None, *self.settings.phrase):
                for what in FIGURES:
                    values = _of(rows, name, phrase, what)
                    mean, low, high = _estimate(values, what) or (None, None, None)
                    record: Record = {"generator": name, "phrase": phrase or "", "figure": what, "runs": len(values)}
                    yield record | {"mean": mean, "low": low, "high": high}

    def _table(self, title: str, rows: Mapping[Cell, Row], phrase: str | None) -> TableView:
        lines = []
        for name in self.settings.generator:
            values = {what: _of(rows, name, phrase, what) for what in FIGURES}
            digits = {"best": ".4f", "mean": ".4f", "judge": ".3f", "recognised": ".1%", "different": ".1f"}
            cells = [_told(_estimate(values[what], what), digits[what]) for what in FIGURES]
            lines.append((name, str(len(values["best"])), *cells))
        columns = ("generator", "runs", "best score", "mean score", "judge", "recognised", "different pictures")
        return TableView(title, columns, tuple(lines), "", "means.csv")

    def _grids(self, phrase: str, folder: StudyFolder) -> Iterator[Shown]:
        for name in self.settings.generator:
            pixels, scores = population(self.run((name, phrase, str(self.settings.seed)), folder))
            labels = ["" if score is None else f"{score:.3f}" for score in scores[:SHOWN]]
            data = grid_png(pixels[:SHOWN].permute(0, 2, 3, 1).numpy(), labels, SHOWN // 2)
            yield Shown(embed(data, 1, WIDTH), f"{name}: {phrase}", f"{name}: the best of seed {self.settings.seed}")


def _of(rows: Mapping[Cell, Row], name: str, phrase: str | None, what: str) -> list[float]:
    chosen = [row for cell, row in rows.items() if cell[0] == name and phrase in (None, cell[1])]
    return [row[what] for row in chosen if row[what] is not None]


def _estimate(values: Sequence[float], what: str) -> Interval | None:
    """The mean with its 95 % interval over runs, that value thrice for one run; None without values."""
    if not values:
        return None
    mean = sum(values) / len(values)
    return (mean, *(of_runs(values, within=BOUNDS.get(what)) or (mean, mean)))


def _told(found: Interval | None, digits: str) -> str:
    if found is None or found[1] == found[2] == found[0]:  # of one run, or of runs that are all alike
        return "–" if found is None else f"{found[0]:{digits}}"
    return f"{found[0]:{digits}} ({found[1]:{digits}} to {found[2]:{digits}})"


def _mean(values: Sequence[Any]) -> float | None:
    known = [float(v) for v in values if math.isfinite(v)]
    return round(sum(known) / len(known), 5) if known else None


def _words(s: Generators) -> str:
    return (
        f"All are guided by {' + '.join(s.scorer)} alike, so their scores can be compared; the judge {s.judge} guides "
        "none. Recognised: the judge's first guess is what the phrase names; a dash: it has no word for that. "
        "Intervals are of 95 %, over runs."
    )


def _records(rows: Mapping[Cell, Row]) -> Iterator[Record]:
    for cell, row in rows.items():
        yield {"generator": cell[0], "phrase": cell[1], "seed": int(cell[2]), **row}
