"""Diversity control: near-duplicates lose their score; random immigrants or noise when the images become one picture.

Wraps any search. Random immigrants: Grefenstette, "Genetic algorithms for changing environments" (PPSN 1992).
Clearing: Petrowski, "A clearing procedure as a niching method for genetic algorithms" (1996), here in image space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.diversity import vendi_score
from zeuxis.metrics.health import SAME, distances
from zeuxis.rng import sent
from zeuxis.search.base import PopulationSearch, Search, State, nested, tensor, unnested
from zeuxis.types import Batch, Evaluation

INNER = "inner."  # before the names of the wrapped search's own state
IMMIGRANTS = 0.25  # of a generation, at a restart
PERTURB = 0.5  # deviations of the prior


class DiversityControl:
    """`inner` with its diversity kept up. Needs `evaluation.descriptors` `(N, F)`, what the images look like.

    `unique`: of two images that look alike only the fitter keeps its score. `collapse`: "nothing"; "restart", a quarter
    of the next generation are random immigrants (draws of the prior) and as many of the worst survivors lose their
    place; "perturb", noise of half the prior's deviation on the whole next generation. It is a collapse when the
    effective number of different images of a generation is under `below` times its size.
    """

    def __init__(
        self, inner: PopulationSearch, *, unique: bool = False, collapse: str = "nothing", below: float = 0.25
    ) -> None:
        self.inner, self.unique, self.collapse, self.below = inner, unique, collapse, below
        self.name, self.population, self.space = inner.name, inner.population, inner.space
        self.shown = torch.empty(0, 0)  # (M, F), how the survivors look
        self.collapsed = False  # whether the next generation is to be helped
        self.start = inner.start
        self._asked: Batch | None = None

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.inner.batch

    @property
    def population_x(self) -> Tensor:
        """The survivors `(M, D)`."""
        return self.inner.population_x

    @property
    def population_score(self) -> Tensor:
        """Their scores `(M,)`."""
        return self.inner.population_score

    @property
    def best(self) -> tuple[Tensor, float]:
        """The best latent `(D,)` and its score so far."""
        return self.inner.best

    def ask(self, rng: torch.Generator) -> Batch:
        """The inner search's generation, helped where the last one had collapsed."""
        if self._asked is None:
            self.inner.start = self.start
            batch = self.inner.ask(rng)
            help_it = self.collapsed and not batch.gradient
            self._asked = Batch(self._helped(batch.x, rng), batch.gradient) if help_it else batch
        return self._asked

    def _helped(self, x: Tensor, rng: torch.Generator) -> Tensor:
        if self.collapse == "restart":
            count = max(1, int(IMMIGRANTS * len(x)))
            return torch.cat([sent(self.space.sample(count, rng), x.device), x[count:]])
        spread = sent(self.space.prior_std, x.device)
        return self.space.clip(x + PERTURB * spread * sent(torch.randn(x.shape, generator=rng), x.device))

    def tell(self, batch: Batch, evaluation: Evaluation) -> None:
        """Clear near-duplicates, pass the rest on, and see whether the images have become one."""
        if evaluation.descriptors is None:
            raise BadInput("Expected descriptors of the images beside their scores. Run it through a Problem.")
        shown = evaluation.descriptors.detach().cpu().float()  # (N, F)
        score = evaluation.score.detach().cpu()
        if self.unique:
            score = self._cleared(shown, score)
        if self.collapsed and self.collapse == "restart":
            self._lose(self.population_score.argsort(stable=True)[: int(IMMIGRANTS * len(self.population_score))])
        before = torch.cat([self.population_x.cpu(), batch.x.cpu()])
        looks = torch.cat([self.shown.reshape(-1, shown.shape[1]), shown])
        self.inner.tell(batch, replace(evaluation, score=score.to(evaluation.score)))
        self.shown = looks[_rows_of(self.population_x.cpu(), before)]
        if self.collapse != "nothing":
            self.collapsed = vendi_score(distances(shown, shown)) < self.below * len(shown)
        self._asked = None

    def _cleared(self, shown: Tensor, score: Tensor) -> Tensor:
        """Scores `(N,)` with -inf for each image that has a fitter near-duplicate in the batch or among the survivors.

        A survivor with a fitter near-duplicate in the batch loses its score instead.
        """
        old = self.population_score.cpu()
        everyone, value = torch.cat([self.shown.reshape(-1, shown.shape[1]), shown]), torch.cat([old, score])
        value = value.nan_to_num(nan=-torch.inf)
        order = value.argsort(descending=True, stable=True)
        alike = torch.tril(distances(everyone[order], everyone[order]) < SAME, diagonal=-1)
        keeps = torch.ones(len(order), dtype=torch.bool)
        for row in range(1, len(order)):  # greedy: what was itself cleared clears nothing
            keeps[row] = not bool((alike[row] & keeps).any())
        lost = torch.zeros_like(keeps)
        lost[order] = ~keeps
        self._lose(lost[: len(old)].nonzero().flatten())
        return torch.where(lost[len(old) :], -torch.inf, score)

    def _lose(self, rows: Tensor) -> None:
        """These survivors lose their score."""
        rows = rows.to(self.population_x.device)
        if len(rows):
            worthless = torch.full((len(rows),), -torch.inf, device=self.population_score.device)
            self.inner.adopt(rows, self.population_x[rows], worthless)

    def state_dict(self) -> State:
        """The inner state, and how the survivors look."""
        mine: State = {"shown": self.shown, "collapsed": int(self.collapsed)}
        return mine | nested(INNER, self.inner.state_dict())

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        self.inner.load_state_dict(unnested(INNER, state))
        self.shown, self.collapsed = tensor(state, "shown", torch.device("cpu")), bool(state.get("collapsed"))
        self._asked = None


def unwrapped(search: Search) -> Search:
    """The search without the diversity control around it: a front or an archive is its own."""
    return search.inner if isinstance(search, DiversityControl) else search


def _rows_of(x: Tensor, among: Tensor) -> Tensor:
    """For each row of `x` `(M, D)` the number of the equal row of `among` `(P, D)`; of several the last."""
    probe = torch.cos(torch.arange(x.shape[1], dtype=torch.float64) + 1)  # equal rows have equal products
    same = (x.double() @ probe)[:, None] == (among.double() @ probe)[None]
    return (same * torch.arange(1, len(among) + 1)).argmax(dim=1)
