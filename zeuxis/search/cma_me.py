"""CMA-ME: Fontaine, Togelius, Nikolaidis and Hoover, "Covariance matrix adaptation for the rapid illumination of
behavior space", 2020, https://arxiv.org/abs/1912.02400

Evolution strategies that are ranked by improvement of the archive: new cells first, then by how far an elite is
outdone. Each starts at an elite, and again at another one when a generation of it improves nothing.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from zeuxis.search.base import CPU
from zeuxis.search.grid_archive import NOT_ADDED, Array, GridArchive
from zeuxis.search.options import Member, option
from zeuxis.search.ribs import ArchiveOptions, RibsSearch
from zeuxis.spaces import Space

STRATEGIES = {
    "sep_cma_es": "SeparableCMAEvolutionStrategy",
    "lm_ma_es": "LMMAEvolutionStrategy",
    "cma_es": "CMAEvolutionStrategy",
}


@dataclass(frozen=True)
class StrategyOptions(ArchiveOptions):
    """Those of the evolution strategies that fill an archive."""

    sigma: float = option(0.5, "first step size of a strategy, in deviations of the prior", low=1e-6, high=100)
    emitters: int = option(1, "strategies that divide the generation among them", low=1, high=1000)
    strategy: str = option("sep_cma_es", "which one they are", choices=tuple(STRATEGIES))


class Emitter:
    """An evolution strategy of pyribs that starts at an elite, as its EvolutionStrategyEmitter, less the checks.

    `by_status`: new cells rank first, then improved ones, then the rest, and the strategy starts anew where none
    entered the archive; else only the improvement counts. `half`: the better half are parents, else all that entered.
    """

    def __init__(self, archive: GridArchive, strategy: Any, *, by_status: bool, half: bool) -> None:
        self.archive, self.strategy, self.by_status, self.half = archive, strategy, by_status, half
        self.batch_size = int(strategy.batch_size)
        self._start()

    def ask(self) -> Array:
        """`(batch_size, D)`, in deviations of the prior."""
        found: Array = self.strategy.ask()
        return found

    def tell(self, status: Array, value: Array) -> None:
        """Learn from what became of the latents asked `(batch_size,)` and from their improvement."""
        added = int((status > NOT_ADDED).sum())
        if self.by_status:
            order, ranked = np.lexsort((value, status))[::-1], np.stack((status, value), axis=-1)
        else:
            order, ranked = np.argsort(value)[::-1], value
        self.strategy.tell(order, ranked, self.batch_size // 2 if self.half else added)
        if self.strategy.check_stop(ranked[order]) or (self.by_status and not added):
            self._start()

    def _start(self) -> None:
        self.strategy.reset(self.archive.sample_elites(1)["solution"][0])


def _quick(kind: Any) -> Any:
    """pyribs' sep-CMA-ES, whose check takes the largest variance by Python's `max`, one element after the other."""

    class Quick(kind):  # type: ignore[misc]
        def check_stop(self, ranking_values: Array) -> bool:
            cov = self.cov
            if cov.condition_number > 1e14 or self.sigma * np.sqrt(cov.eigenvalues.max()) < 1e-11:
                return True
            ends = ranking_values[0] - ranking_values[-1]
            return len(ranking_values) >= 2 and bool(np.linalg.norm(ends) < 1e-12)

    return Quick


class StrategySearch(RibsSearch):
    """What CMA-ME and CMA-MAE share: `emitters` evolution strategies that divide the generation among them."""

    by_status: bool
    half: bool

    def __init__(
        self, space: Space, population: int, device: torch.device, options: StrategyOptions, name: str
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.sigma, self.strategy = options.sigma, options.strategy
        self.count = min(options.emitters, self.population)  # each asks for one latent at least

    def _emitters(self) -> list[Any]:
        share, rest = divmod(self.population, self.count)
        return [self._emitter(share + (k < rest)) for k in range(self.count)]

    def _emitter(self, batch_size: int) -> Emitter:
        assert self._archive is not None
        half = self.half and batch_size > 1  # half of one latent is none
        return Emitter(self._archive, self._new_strategy(batch_size), by_status=self.by_status, half=half)

    def _new_strategy(self, batch_size: int) -> Any:
        """Draws from our generator. No bounds: pyribs would draw again until all genes are inside, perhaps for ever."""
        kind = getattr(importlib.import_module("ribs.emitters.opt"), STRATEGIES[self.strategy])
        if self.strategy == "sep_cma_es":
            kind = _quick(kind)
        return kind(sigma0=self.sigma, solution_dim=self.space.dim, batch_size=batch_size, seed=self._rng)

    def _learn(self, status: Array, value: Array) -> None:
        start = 0
        for emitter in self._running:
            rows = slice(start, start + emitter.batch_size)
            emitter.tell(status[rows], value[rows])
            start = rows.stop


class CmaMe(StrategySearch):
    """Ranked by new cells, then by improvement; parents are all that entered the archive."""

    by_status, half = True, False

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: StrategyOptions = StrategyOptions(),
        name: str = "cma-me",
    ) -> None:
        super().__init__(space, population, device, options, name)


cma_me = Member(CmaMe, StrategyOptions, "cma-me")
