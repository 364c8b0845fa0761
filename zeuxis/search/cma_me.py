"""CMA-ME: Fontaine, Togelius, Nikolaidis and Hoover, "Covariance matrix adaptation for the rapid illumination of
behavior space", 2020, https://arxiv.org/abs/1912.02400

Evolution strategies that are ranked by improvement of the archive: new cells first, then by how far an elite is
outdone. Each starts at an elite, and again at another one when a generation of it improves nothing.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import torch

from zeuxis.search.base import CPU
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


class StrategySearch(RibsSearch):
    """What CMA-ME and CMA-MAE share: `emitters` evolution strategies that divide the generation among them."""

    ranker: str
    selection: str
    restart: str

    def __init__(
        self, space: Space, population: int, device: torch.device, options: StrategyOptions, name: str
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.sigma, self.strategy = options.sigma, options.strategy
        self.count = min(options.emitters, self.population)  # each asks for one latent at least

    def _emitters(self) -> list[Any]:
        share, rest = divmod(self.population, self.count)
        return [self._emitter(share + (k < rest)) for k in range(self.count)]

    def _emitter(self, batch_size: int) -> Any:
        return self.emitters_module.EvolutionStrategyEmitter(
            self._archive,
            x0=self._archive.sample_elites(1)["solution"][0],
            sigma0=self.sigma,
            ranker=self.ranker,
            es=self._new_strategy,
            selection_rule=self.selection if batch_size > 1 else "filter",  # half of one latent is none
            restart_rule=self.restart,
            batch_size=batch_size,
            seed=0,  # its rankers draw nothing
        )

    def _new_strategy(self, **settings: Any) -> Any:
        """Draws from our generator. No bounds: pyribs would draw again until all genes are inside, perhaps for ever."""
        kind = getattr(importlib.import_module("ribs.emitters.opt"), STRATEGIES[self.strategy])
        free = {name: value for name, value in settings.items() if not name.endswith("_bounds")}
        return kind(**free | {"seed": self._rng})


class CmaMe(StrategySearch):
    """Ranked by new cells, then by improvement; parents are all that entered the archive."""

    ranker, selection, restart = "2imp", "filter", "no_improvement"

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
