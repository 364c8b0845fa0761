"""Nearest training images, to see whether a generator copies."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.metrics.rows import check_rows


def nearest(queries: Tensor, training: Tensor, block: int = 5000) -> tuple[Tensor, Tensor]:
    """For rows (N, F) the nearest of (M, F): distance per entry (root mean square) and row number, each (N,)."""
    check_rows({"query": queries, "training": training})
    best = torch.full((len(queries),), torch.inf)
    where = torch.zeros(len(queries), dtype=torch.int64)
    for start in range(0, len(training), block):
        distance = torch.cdist(queries, training[start : start + block])
        value, index = distance.min(1)
        closer = value < best
        best = torch.where(closer, value, best)
        where = torch.where(closer, index + start, where)
    return best / queries.shape[1] ** 0.5, where
