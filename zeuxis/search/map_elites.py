"""MAP-Elites: Mouret and Clune, "Illuminating search spaces by mapping elites", 2015, https://arxiv.org/abs/1504.04909

A child is a mutated elite, drawn uniformly from the filled cells, and takes its cell if it scores higher than the elite
there. With `operator=iso-line` it also moves along the line to a second elite: Vassiliades and Mouret, "Discovering the
elite hypervolume by leveraging interspecies correlation", 2018, https://arxiv.org/abs/1804.03906
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from zeuxis.search.base import CPU
from zeuxis.search.options import Member, option
from zeuxis.search.ribs import ArchiveOptions, RibsSearch
from zeuxis.spaces import Space


@dataclass(frozen=True)
class MapElitesOptions(ArchiveOptions):
    """Those of MAP-Elites."""

    operator: str = option("gaussian", "how an elite is mutated", choices=("gaussian", "iso-line"))
    sigma: float = option(0.35, "deviation of a step, in deviations of the prior", low=0, high=100)
    line_sigma: float = option(
        0.3,
        "iso-line only: of the step towards a second elite, in distances between the two",
        low=0,
        high=100,
        only=("operator", "iso-line"),
    )


class MapElites(RibsSearch):
    """gaussian: x' = x_i + sigma s z. iso-line, Eq. (1): x' = x_i + sigma s z + line_sigma (x_j - x_i) u.

    z is N(0, I), u is N(0, 1), s the deviation of the prior per gene.
    """

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: MapElitesOptions = MapElitesOptions(),
        name: str = "map-elites",
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.operator, self.sigma, self.line_sigma = options.operator, options.sigma, options.line_sigma

    def _emitters(self) -> list[Any]:
        shared = {"x0": [0.0] * self.space.dim, "batch_size": self.population, "seed": self._rng}
        if self.operator == "gaussian":
            return [self.emitters_module.GaussianEmitter(self._archive, sigma=self.sigma, **shared)]
        sigmas = {"iso_sigma": self.sigma, "line_sigma": self.line_sigma}
        return [self.emitters_module.IsoLineEmitter(self._archive, **sigmas, **shared)]


map_elites = Member(MapElites, MapElitesOptions, "map-elites")
