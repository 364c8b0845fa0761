"""MAP-Elites: Mouret and Clune, "Illuminating search spaces by mapping elites", 2015, https://arxiv.org/abs/1504.04909

A child is a mutated elite, drawn uniformly from the filled cells, and takes its cell if it scores higher than the elite
there. With `operator=iso-line` it also moves along the line to a second elite: Vassiliades and Mouret, "Discovering the
elite hypervolume by leveraging interspecies correlation", 2018, https://arxiv.org/abs/1804.03906
"""

from __future__ import annotations

from typing import Any

import torch

from zeuxis.search.base import CPU, Option, build, choice, number
from zeuxis.search.ribs import RibsSearch
from zeuxis.spaces import Space


class MapElites(RibsSearch):
    """gaussian: x' = x_i + sigma s z. iso-line, Eq. (1): x' = x_i + sigma s z + line_sigma (x_j - x_i) u.

    z is N(0, I), u is N(0, 1), s the deviation of the prior per gene.
    """

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        *,
        name: str = "map-elites",
        operator: str = "gaussian",
        sigma: float = 0.35,
        line_sigma: float = 0.3,
        cells: int = 16,
        ranges: str = "",
        offset: float = 0.0,
    ) -> None:
        self.operator = choice("operator", operator, ("gaussian", "iso-line"))
        self.sigma = number("sigma", sigma, 0, 100)
        self.line_sigma = number("line_sigma", line_sigma, 0, 100)
        super().__init__(space, population, device, name, cells, ranges, offset)

    def _emitters(self) -> list[Any]:
        shared = {"x0": [0.0] * self.space.dim, "batch_size": self.population, "seed": self._rng}
        if self.operator == "gaussian":
            return [self.emitters_module.GaussianEmitter(self._archive, sigma=self.sigma, **shared)]
        sigmas = {"iso_sigma": self.sigma, "line_sigma": self.line_sigma}
        return [self.emitters_module.IsoLineEmitter(self._archive, **sigmas, **shared)]


def map_elites(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> MapElites:
    """`map-elites`."""
    return build(MapElites, "map-elites", space, population, device, options)
