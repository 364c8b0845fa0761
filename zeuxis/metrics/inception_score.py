"""Inception Score (Salimans et al. 2016, arXiv 1606.03498): exp E_x KL(p(y|x) || p(y)); higher is better."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows

SEED = 2020  # torch-fidelity's, so that the same logits give the same number


def inception_score(logits: Tensor, *, splits: int = 10, shuffle: bool = True, seed: int = SEED) -> tuple[float, float]:
    """Mean and standard deviation over `splits` parts of logits `(N, K)` (without bias), in float64."""
    count = len(logits)
    if splits < 1:
        raise BadInput(f"Expected at least 1 split, got {splits}.")
    check_rows({"logit": logits}, splits, f"for {splits} split{'s' * (splits > 1)}")
    order = np.arange(count)
    if shuffle:  # pictures may be sorted by class
        order = np.random.RandomState(seed).permutation(count)  # frozen stream
    found = []
    for i in range(splits):
        rows = logits[torch.from_numpy(order[i * count // splits : (i + 1) * count // splits])].double()
        log_p = rows.log_softmax(1)
        log_mean = torch.logsumexp(log_p, 0) - np.log(len(rows))  # of p, not of log p
        found.append(float((log_p.exp() * (log_p - log_mean)).sum(1).mean().exp()))
    return float(np.mean(found)), float(np.std(found))
