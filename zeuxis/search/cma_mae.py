"""CMA-MAE: Fontaine and Nikolaidis, "Covariance matrix adaptation MAP-annealing", 2023, https://arxiv.org/abs/2205.10752

CMA-ME on a soft archive: each cell has a threshold t that a latent must pass, and that rises slowly, Eq. (1):
t <- (1 - learning_rate) t + learning_rate score. 1 is CMA-ME, 0 a plain evolution strategy; in between a search climbs
on where its cells are filled already. The elites are kept in an archive of their own.
"""

from __future__ import annotations

from typing import Any

import torch

from zeuxis.errors import BadInput
from zeuxis.search.base import CPU, Option, build, number
from zeuxis.search.cma_me import Settings, StrategySearch
from zeuxis.spaces import Space

AUTO = "auto"  # threshold_min: the lowest score of the first generation


class CmaMae(StrategySearch):
    """Ranked by score - threshold of the cell; parents are the better half. Thresholds begin at `threshold_min`."""

    ranker, selection, restart = "imp", "mu", "basic"

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        *,
        name: str = "cma-mae",
        learning_rate: float = 0.1,
        threshold_min: float | str = AUTO,
        sigma: float = 0.5,
        emitters: int = 4,
        strategy: str = "sep_cma_es",
        cells: int = 16,
        ranges: str = "",
        offset: float = 0.0,
    ) -> None:
        self.learning_rate = number("learning_rate", learning_rate, 0, 1)
        if isinstance(threshold_min, str) and threshold_min != AUTO:
            raise BadInput(f"Expected threshold_min to be a number or {AUTO}, got {threshold_min[:40]!r}.")
        if not isinstance(threshold_min, str):
            number("threshold_min", threshold_min, -1e9)
        self.threshold_min = threshold_min
        settings = Settings(sigma, emitters, strategy)
        super().__init__(space, population, device, name, settings, cells, ranges, offset)

    def _open(self, lowest: float) -> tuple[Any, Any]:
        start = lowest if isinstance(self.threshold_min, str) else self.threshold_min
        soft = self._grid_archive(learning_rate=self.learning_rate, threshold_min=start)
        return soft, self._grid_archive()


def cma_mae(space: Space, population: int = 64, device: torch.device = CPU, **options: Option) -> CmaMae:
    """`cma-mae`."""
    return build(CmaMae, "cma-mae", space, population, device, options)
