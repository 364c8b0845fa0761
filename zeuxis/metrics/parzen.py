"""Parzen-window log-likelihood (Parzen 1962; of GANs in Goodfellow et al. 2014, Table 1).

A Gaussian of width sigma about each generated row is the model; the mean log-density of held-out rows is its figure.
Theis, van den Oord and Bethge 2016 (arXiv 1511.01844, section 3) show why not to rank image generators by it: it may
prefer copies of cluster centres to real pictures, and is far from the true value even with many samples. For students.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows

BLOCK = 1024


def parzen_log_likelihood(test: Tensor, samples: Tensor, sigma: float) -> Tensor:
    """log p(x) of each of `test` `(N, D)` under windows about `samples` `(M, D)`: `(N,)` float64, in nats."""
    check_rows({"test": test, "sample": samples})
    if not (sigma > 0 and math.isfinite(sigma)):
        raise BadInput(f"Expected a width above 0, got {sigma}.")
    centres, found = samples.double(), []
    scale = math.log(len(samples)) + test.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    for part in torch.split(test, BLOCK):
        squared = torch.cdist(part.double(), centres).square()
        found.append(torch.logsumexp(-squared / (2 * sigma**2), 1) - scale)
    return torch.cat(found)


def best_width(validation: Tensor, samples: Tensor, widths: Sequence[float]) -> float:
    """The width with the highest mean log-likelihood of `validation` `(N, D)`, as the paper chooses it."""
    if not widths:
        raise BadInput("Expected at least one width to choose from, got none.")
    return max(widths, key=lambda sigma: float(parzen_log_likelihood(validation, samples, sigma).mean()))
