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

from zeuxis.search.base import CPU, Option, build, choice, integer, number
from zeuxis.search.ribs import RibsSearch
from zeuxis.spaces import Space

STRATEGIES = {
    "sep_cma_es": "SeparableCMAEvolutionStrategy",
    "lm_ma_es": "LMMAEvolutionStrategy",
    "cma_es": "CMAEvolutionStrategy",
}


@dataclass(frozen=True)
class Settings:
    """Of an evolution strategy: its first step size in deviations of the prior, how many there are, and which one."""

    sigma: float
    emitters: int
    strategy: str


class StrategySearch(RibsSearch):
    """What CMA-ME and CMA-MAE share: `emitters` evolution strategies that divide the generation among them."""

    ranker: str
    selection: str
    restart: str

    def __init__(
        self,
        space: Space,
        population: int,
        device: torch.device,
        name: str,
        settings: Settings,
        cells: int,
        ranges: str,
        offset: float,
    ) -> None:
        self.sigma = number("sigma", settings.sigma, 1e-6, 100)
        self.count = min(integer("emitters", settings.emitters, 1, 1000), population)  # each asks for one at least
        self.strategy = choice("strategy", settings.strategy, tuple(STRATEGIES))
        super().__init__(space, population, device, name, cells, ranges, offset)

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
        *,
        name: str = "cma-me",
        sigma: float = 0.5,
        emitters: int = 1,
        strategy: str = "sep_cma_es",
        cells: int = 16,
        ranges: str = "",
        offset: float = 0.0,
    ) -> None:
        settings = Settings(sigma, emitters, strategy)
        super().__init__(space, population, device, name, settings, cells, ranges, offset)


def cma_me(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> CmaMe:
    """`cma-me`."""
    return build(CmaMe, "cma-me", space, population, device, options)
