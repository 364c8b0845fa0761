"""Which search finds what, and when a judge that none of them hears stops agreeing: searches at the same images.

Every run may evaluate population x generations images. Draws of the prior (best-of-N) and zero-order search are in
every comparison, since a search that does not beat them is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property

from zeuxis.errors import BadInput
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.scorers.combine import parse_weighted
from zeuxis.studies import searches_answer
from zeuxis.studies.carry import Answer, Study, check_judge, check_named, check_once, run_of
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.questions import BASELINES, Searches
from zeuxis.studies.rows import SearchesLine


class SearchesStudy(Study):
    """See the module."""

    line = SearchesLine
    brand = "Zeuxis · searches at the same images"

    def __init__(self, settings: Searches) -> None:
        self.settings: Searches = settings

    @cached_property
    def searches(self) -> tuple[str, ...]:
        """Those asked for, and the baselines."""
        return tuple(dict.fromkeys((*self.settings.search, *BASELINES)))

    @property
    def budget(self) -> int:
        """Images of every run."""
        s = self.settings
        return s.budget or s.population * (s.generations or 1)

    def check(self) -> None:
        """Names, phrases, and that the judge does not guide."""
        s = self.settings
        check_named(s.generator)
        check_once(s.search, "--search")
        check_once(s.phrase, "--phrase")
        for search in self.searches:
            for phrase in s.phrase:
                check_config(s.run(search, phrase, s.seed, **self.more(search)))
        check_judge(make_judge(s.judge), [make_scorer(parse_weighted(name)[0]) for name in s.scorer])

    def more(self, search: str) -> dict[str, object]:
        """Fields of every run: the budget is its end; the plain score, unless a line says otherwise."""
        plain = {} if "augment=" in search else {"augment": 0}
        judge = {"judge": self.settings.judge, "view_every": self.settings.view_every, "judge_pictures": 0}
        return {**plain, **judge, "generations": self.budget, "budget": self.budget}

    def cells(self) -> list[Cell]:
        """(search, phrase, seed)."""
        s = self.settings
        return [(search, phrase, str(seed)) for seed in s.seeds for phrase in s.phrase for search in self.searches]

    def run(self, cell: Cell, folder: StudyFolder) -> RunFolder:
        """The finished run of a cell."""
        return run_of(self, folder, cell, cell[1], **self.more(cell[0]))

    def do(self, cell: Cell, folder: StudyFolder) -> tuple[Row, str]:
        """Search; the curves are those of its log."""
        history = [row for row in self.run(cell, folder).history() if row.images_so_far <= self.budget]
        if not history:
            raise BadInput(f"{cell[0]!r} draws more in its first generation than {self.budget} images. Give more.")
        looks = [row for row in history if row.judged is not None]
        columns: Row = {
            "images": [row.images_so_far for row in history],
            "best": _rounded(row.best_score for row in history),
            "mean": _rounded(row.mean for row in history),
            "generations": [row.generation for row in looks],
            "looks": [row.images_so_far for row in looks],
            "guide": _rounded(row.judged.guide for row in looks if row.judged),
            "judge": _rounded(row.judged.mean for row in looks if row.judged),
        }
        found = columns["best"][-1]
        return columns, "nothing scored" if found is None else f"best {found:.4f}"

    def answer(self, rows: Mapping[Cell, Row], folder: StudyFolder) -> Answer:
        """Tables, curves and grids."""
        return searches_answer.answer(self, rows, folder)


def _rounded(values: Iterable[float]) -> list[float | None]:
    return [round(float(v), 5) if math.isfinite(v) else None for v in values]
