"""NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 6 (2002), https://doi.org/10.1109/4235.996017
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.search.base import CPU
from zeuxis.search.genetic import GeneticSearch, VariationOptions
from zeuxis.search.options import Member, option
from zeuxis.search.pareto import crowded_order, front_of, knee, objectives, ranks
from zeuxis.spaces import Space
from zeuxis.types import Evaluation


@dataclass(frozen=True)
class Nsga2Options(VariationOptions):
    """Those of NSGA-II."""

    pick: str = option(
        "knee",
        "which of the front is best: its knee, the first or second objective's best, or the best score (sum)",
        choices=("knee", "first", "second", "sum"),
    )


class Nsga2(GeneticSearch):
    """Every part of the score is an objective of its own, and the front between them is kept.

    Without two parts the score is the only objective, which leaves a genetic algorithm. Survivors are ordered by front,
    then by room around them. `best` is taken from the front as it is now, so its score may fall.
    """

    _state = ("population_objectives",)

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: Nsga2Options = Nsga2Options(),
        name: str = "nsga2",
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.pick = options.pick
        self.population_objectives = torch.empty(0, 1, device=self.device)  # (N, M)

    def _fitness(self) -> Tensor:
        return -torch.arange(len(self.population_x), device=self.device).float()  # survivors lie fittest first

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        f = self._objectives(evaluation.parts, score)
        if self.generation:
            x, score = torch.cat([self.population_x, x]), torch.cat([self.population_score, score])
            f = torch.cat([self.population_objectives, f])
        seen = f.cpu()  # the only way to the host: sorting stops at the front that fills the population
        kept = crowded_order(seen, ranks(seen, self.population))[: self.population].to(self.device)
        self.population_objectives = f[kept]
        return x[kept], score[kept]

    def _objectives(self, parts: Mapping[str, Tensor], score: Tensor) -> Tensor:
        """`(N, M)`; BadInput for parts of another shape, or more or fewer of them than before."""
        shapes = {name: tuple(part.shape) for name, part in parts.items()}
        wrong = {name: shape for name, shape in shapes.items() if shape != tuple(score.shape)}
        if wrong:
            raise BadInput(
                f"Expected every part of the score of shape {tuple(score.shape)}, got {wrong}. Fix the scorer."
            )
        f = objectives(parts, score)
        if self.generation and f.shape[1] != self.population_objectives.shape[1]:
            raise BadInput(
                f"Expected {self.population_objectives.shape[1]} objectives as in the generations before, got "
                f"{f.shape[1]}. Give the same parts of the score in every generation."
            )
        return f

    @property
    def front(self) -> Tensor:
        """`(K,)` rows of `population_x` that no other row dominates, from the best in the first objective on."""
        return front_of(self.population_objectives)

    @property
    def best(self) -> tuple[Tensor, float]:
        """The latent `(D,)` picked from the front and its score; with one objective the best ever told."""
        x, score = super().best
        front = self.front
        if self.population_objectives.shape[1] == 1 or not len(front):
            return x, score
        row = front[self._picked(self.population_objectives[front], self.population_score[front])]
        return self.population_x[row], float(self.population_score[row])

    def _picked(self, f: Tensor, score: Tensor) -> int:
        if self.pick == "knee":
            return knee(f)
        return int({"first": f[:, 0], "second": f[:, 1], "sum": score}[self.pick].argmax())


# NSGA-II with the variation of `ga`. The original's is SBX and polynomial mutation: see docs/search.md.
nsga2 = Member(Nsga2, Nsga2Options, "nsga2")
