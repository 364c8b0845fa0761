"""Between what values a score ranges for a phrase, where a search stops raising it, what pictures of each look like.

A cosine similarity has no scale of its own: 0.3 is much for one scorer and nothing for another. Here its range over
draws of the prior stands beside that of all pictures that a search evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from zeuxis.compute.device import choose_device
from zeuxis.errors import BadInput
from zeuxis.evaluation.curves import plateau
from zeuxis.experiments.records import Record
from zeuxis.generators.choose import make_generator
from zeuxis.pictures.grid import grid_png, score_label, to_pixels
from zeuxis.report.evaluation import Section, Shown, TableView, counted, png
from zeuxis.report.html import embed
from zeuxis.report.search_figures import best_png, scores_png
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.storage.checksummed import damaged
from zeuxis.studies.carry import Answer, Study, check_once, in_a_row, run_of
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.questions import Similarity
from zeuxis.studies.rows import SimilarityLine

SHOWN, ACROSS, WIDTH = 24, 12, 1060  # pictures sorted by score, in a row, pixels of the grid on the page
SHARES = (0, 5, 25, 50, 75, 95, 100)  # percentiles
REST = 0.01


class SimilarityStudy(Study):
    """See the module."""

    line = SimilarityLine
    brand = "Zeuxis · range and plateau of the score"

    def __init__(self, settings: Similarity) -> None:
        self.settings: Similarity = settings

    def check(self) -> None:
        """Names and phrases."""
        s = self.settings
        check_once(s.search, "--search")
        check_once(s.phrase, "--phrase")
        for search in s.search:
            for phrase in s.phrase:
                check_config(s.run(search, phrase, s.seed, judge=None))

    def cells(self) -> list[Cell]:
        """(search, phrase, seed)."""
        s = self.settings
        return [(search, phrase, str(seed)) for seed in s.seeds for search in s.search for phrase in s.phrase]

    def run(self, cell: Cell, folder: StudyFolder) -> RunFolder:
        """The finished run of a cell."""
        return run_of(self, folder, cell, cell[1], judge=None)

    def do(self, cell: Cell, folder: StudyFolder) -> tuple[Row, str]:
        """Search, and sort all pictures that were evaluated by their score."""
        images, best, scores = [], [], []
        for entry in self.run(cell, folder).entries():
            images.append(entry.images_so_far)
            best.append(round(entry.best_score, 5))
            scores.append(entry.evaluation.score.double().numpy())
        first, every = scores[0], np.concatenate(scores)
        if not all(np.isfinite(of).any() for of in (first, scores[-1])) or not np.isfinite(best).all():
            raise BadInput(f"No picture of {cell[1][:80]!r} could be scored in some generations. Try another phrase.")
        places = [(g, k) for g, of in enumerate(scores) for k in range(len(of))]
        order = [int(k) for k in np.argsort(every, kind="stable") if math.isfinite(every[k])]
        shown = [order[round(k * (len(order) - 1) / (SHOWN - 1))] for k in range(min(SHOWN, len(order)))]
        row: Row = {"images": images, "best": best, "plateau": plateau(images, best, REST)}
        row["prior"], row["all"], row["last"] = (_shares(of) for of in (first, every, scores[-1]))
        row["shown"] = [[*places[k], round(float(every[k]), 5)] for k in dict.fromkeys(shown)]
        samples = {"first generation": first, "all evaluated": every, "last generation": scores[-1]}
        row["samples"] = {name: _some(of) for name, of in samples.items()}
        return row, f"best {best[-1]:.4f}, plateau from {row['plateau']:,.0f} images on"

    def answer(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> Answer:
        """Tables, histograms, curves, and the sorted pictures of the first seed."""
        s = self.settings
        table = _table(rows)
        sections, figures = [Section("Range and plateau", (_words(),), (table,))], {}
        first = {cell: row for cell, row in rows.items() if cell[-1] == str(s.seed)}
        curves = {_name(cell): (row["images"], row["best"]) for cell, row in first.items()}
        figures["best.png"] = best_png(curves, {_name(cell): row["plateau"] for cell, row in first.items()})
        about = "Best score so far over images; the mark is where the plateau begins."
        sections.append(Section("Best score so far", (), (), (png(figures["best.png"], about, about),)))
        for number, (cell, row) in enumerate(first.items()):
            figures[f"scores-{number}.png"] = data = scores_png(row["samples"])
            about = f"How the scores of {_name(cell)} are spread"
            sorted_ = self._sorted(cell, row, folder)
            sections.append(Section(f"{cell[1]} ({cell[0]})", (), (), (png(data, about), sorted_)))
        title = f"{counted(len(s.phrase), 'phrase')}: what a score means"
        records = {"ranges": list(_ranges(rows)), "curves": list(_curves(rows))}
        made = (("phrases", " · ".join(s.phrase)), ("searches", " · ".join(s.search)))
        numbers = in_a_row(
            list(_ends(rows)), ("search", "phrase", "seed"), ("best", "plateau", "prior_median", "prior_highest")
        )
        return Answer(title, _lead(first), (table,), records, tuple(sections), figures, made, numbers)

    def _sorted(self, cell: Cell, row: Row, folder: StudyFolder) -> Shown:
        """Pictures evenly from the lowest score to the highest, drawn again from the log."""
        run = self.run(cell, folder)
        generator = make_generator(
            run.config.generator, choose_device(self.settings.device), **run.config.generator_arguments()
        )
        if any(g >= run.generations or k >= len(run.latents(g)) for g, k, _ in row["shown"]):
            raise damaged(folder.cells_path, f"it shows pictures that {run.path} has not")
        x = torch.stack([run.latents(g)[k] for g, k, _ in row["shown"]])
        with torch.no_grad():
            images = torch.cat([generator.render(piece.to(generator.device)).cpu() for piece in torch.split(x, 8)])
        data = grid_png(to_pixels(images), [score_label(score) for *_, score in row["shown"]], ACROSS)
        about = f"Pictures of {_name(cell)} from the lowest score to the highest, evenly by rank"
        return Shown(embed(data, 1, WIDTH), about, about)


def _shares(scores: Any) -> list[float]:
    known = scores[np.isfinite(scores)]
    return [round(float(v), 5) for v in np.percentile(known, SHARES)] if len(known) else [math.nan] * len(SHARES)


def _some(scores: Any, most: int = 2000) -> list[float]:
    """At most so many of them, evenly from the lowest to the highest: enough for a histogram."""
    known = np.sort(scores[np.isfinite(scores)])
    at = np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int)
    return [round(float(v), 4) for v in known[at]]


def _name(cell: Cell) -> str:
    return f"{cell[1]}, {cell[0]}"


def _table(rows: Mapping[Cell, Row]) -> TableView:
    lines = []
    for (search, phrase, seed), row in rows.items():
        prior, every = row["prior"], row["all"]
        lines.append((phrase, search, seed, f"{prior[0]:.3f} to {prior[-1]:.3f}", f"{prior[3]:.3f}",
                      f"{every[0]:.3f} to {every[-1]:.3f}", f"{row['last'][3]:.3f}", f"{row['best'][-1]:.4f}",
                      f"{row['plateau']:,.0f} of {row['images'][-1]:,}"))  # fmt: skip
    columns = ("phrase", "search", "seed", "first: range", "first: median", "all: range", "last generation: median",
               "best", "plateau from images on")  # fmt: skip
    return TableView("", columns, tuple(lines), "", "ranges.csv")


def _words() -> str:
    return (
        f"Plateau: from there on the best score rises by less than {REST:.0%} of its whole rise. First: the first "
        "generation; searches draw it from the whole prior, the default only the kinds that a phrase names, truncated."
    )


def _lead(rows: Mapping[Cell, Row]) -> tuple[str, ...]:
    return tuple(
        f"{_name(cell)}: the first generation scores {row['prior'][0]:.3f} to {row['prior'][-1]:.3f}, the best picture "
        f"{row['best'][-1]:.3f}; the plateau begins at {row['plateau']:,.0f} images."
        for cell, row in rows.items()
    )


def _ranges(rows: Mapping[Cell, Row]) -> Iterator[Record]:
    for cell, row in rows.items():
        for what in ("prior", "all", "last"):
            record: Record = {"search": cell[0], "phrase": cell[1], "seed": int(cell[2]), "pictures": what}
            yield record | {f"p{share}": value for share, value in zip(SHARES, row[what], strict=True)}


def _ends(rows: Mapping[Cell, Row]) -> Iterator[Record]:
    for cell, row in rows.items():
        record: Record = {"search": cell[0], "phrase": cell[1], "seed": cell[2], "best": row["best"][-1]}
        yield record | {
            "plateau": row["plateau"],
            "prior_median": row["prior"][SHARES.index(50)],
            "prior_highest": row["prior"][-1],
        }


def _curves(rows: Mapping[Cell, Row]) -> Iterator[Record]:
    for cell, row in rows.items():
        for images, best in zip(row["images"], row["best"], strict=True):
            yield {"search": cell[0], "phrase": cell[1], "seed": int(cell[2]), "images": images, "best_so_far": best}
