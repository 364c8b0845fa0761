"""NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 6 (2002), https://doi.org/10.1109/4235.996017
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.search.base import CPU, Option, State, build, choice, tensor
from zeuxis.search.genetic import GeneticSearch
from zeuxis.search.pareto import crowded_order, front_of, knee, objectives, ranks
from zeuxis.spaces import Space
from zeuxis.types import Evaluation

PICKS = ("knee", "first", "second", "sum")


class Nsga2(GeneticSearch):
    """Every part of the score is an objective of its own, and the front between them is kept.

    Without two parts the score is the only objective, which leaves a genetic algorithm. Survivors are ordered by front,
    then by room around them. `best` is taken from the front as it is now, so its score may fall.

    pick   "knee", "first" or "second" (the best in that objective), "sum" (the best score); all others as in `ga`
    """

    _cuts_first = False  # its survivors are not those with the highest score

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        *,
        name: str = "nsga2",
        pick: str = "knee",
        tournament: int = 2,
        crossover: str = "uniform",
        crossover_prob: float = 1.0,
        crossover_gene_prob: float = 0.5,
        crossover_eta: float = 15.0,
        mutation: str = "gaussian",
        mutation_prob: float = 0.4,
        mutation_genes: float = 8.0,
        mutation_eta: float = 20.0,
        mutation_sigma: float = 0.85,
    ) -> None:
        super().__init__(
            *(space, population, device),
            name=name,
            tournament=tournament,
            crossover=crossover,
            crossover_prob=crossover_prob,
            crossover_gene_prob=crossover_gene_prob,
            crossover_eta=crossover_eta,
            mutation=mutation,
            mutation_prob=mutation_prob,
            mutation_genes=mutation_genes,
            mutation_eta=mutation_eta,
            mutation_sigma=mutation_sigma,
        )
        self.pick = choice("pick", pick, PICKS)
        self.population_objectives = torch.empty(0, 1, device=self.device)  # (N, M)
        self._told: Mapping[str, Tensor] = {}  # the parts of the evaluation that is being told

    def _fitness(self) -> Tensor:
        return -torch.arange(len(self.population_x), device=self.device).float()  # survivors lie fittest first

    def _learn_from(self, evaluation: Evaluation) -> None:
        self._told = evaluation.parts

    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        f = self._objectives(score)
        if self.generation:
            x, score = torch.cat([self.population_x, x]), torch.cat([self.population_score, score])
            f = torch.cat([self.population_objectives, f])
        seen = f.cpu()  # the only way to the host: sorting stops at the front that fills the population
        kept = crowded_order(seen, ranks(seen, self.population))[: self.population].to(self.device)
        self.population_objectives = f[kept]
        return x[kept], score[kept]

    def _objectives(self, score: Tensor) -> Tensor:
        shapes = {name: tuple(part.shape) for name, part in self._told.items()}
        wrong = {name: shape for name, shape in shapes.items() if shape != tuple(score.shape)}
        if wrong:
            raise BadInput(
                f"Expected every part of the score of shape {tuple(score.shape)}, got {wrong}. Fix the scorer."
            )
        f = objectives(self._told, score)
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

    def state_dict(self) -> State:
        """The state as of the last `tell`."""
        return super().state_dict() | {"population_objectives": self.population_objectives}

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        super().load_state_dict(state)
        self.population_objectives = tensor(state, "population_objectives", self.device)


def nsga2(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> Nsga2:
    """NSGA-II with the variation of `ga`. The original's is SBX and polynomial mutation: see docs/search.md."""
    return build(Nsga2, "nsga2", space, population, device, options)
