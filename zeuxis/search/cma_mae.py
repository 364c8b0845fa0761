"""CMA-MAE: Fontaine and Nikolaidis, "Covariance matrix adaptation MAP-annealing", 2023, https://arxiv.org/abs/2205.10752

CMA-ME on a soft archive: each cell has a threshold t that a latent must pass, and that rises slowly, Eq. (1):
t <- (1 - learning_rate) t + learning_rate score. 1 is CMA-ME, 0 a plain evolution strategy; in between a search climbs
on where its cells are filled already. The elites are kept in an archive of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zeuxis.search.base import CPU
from zeuxis.search.cma_me import StrategyOptions, StrategySearch
from zeuxis.search.grid_archive import GridArchive
from zeuxis.search.options import Member, option, same_but
from zeuxis.spaces import Space

AUTO = "auto"  # threshold_min: the lowest score of the first generation


@dataclass(frozen=True)
class CmaMaeOptions(StrategyOptions):
    """Those of CMA-MAE."""

    learning_rate: float = option(0.1, "how fast the threshold of a cell rises; 1 is CMA-ME", low=0, high=1)
    threshold_min: float | str = option(
        AUTO, "where thresholds begin; auto: at the lowest score of the first generation", choices=(AUTO,), kind=float
    )
    emitters: int = same_but(StrategyOptions, "emitters", 4)


class CmaMae(StrategySearch):
    """Ranked by score - threshold of the cell; parents are the better half. Thresholds begin at `threshold_min`."""

    by_status, half = False, True

    def __init__(
        self,
        space: Space,
        population: int = 64,
        device: torch.device = CPU,
        options: CmaMaeOptions = CmaMaeOptions(),
        name: str = "cma-mae",
    ) -> None:
        super().__init__(space, population, device, options, name)
        self.learning_rate, self.threshold_min = options.learning_rate, options.threshold_min

    def _open(self, lowest: float) -> tuple[GridArchive, GridArchive]:
        start = lowest if isinstance(self.threshold_min, str) else self.threshold_min
        return self._grid_archive((self.learning_rate, start)), self._grid_archive()


cma_mae = Member(CmaMae, CmaMaeOptions, "cma-mae")
