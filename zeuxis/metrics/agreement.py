"""Class agreement: the share of pictures that a classifier takes for the class they were made for.

With a classifier of real pictures this is GAN-test of Shmelkov, Schmid and Alahari 2018 (arXiv 1807.09499): high also
where a class is always the same picture, so it stands beside recall and coverage.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.intervals import wilson
from zeuxis.metrics.rows import check_labels, check_rows


class Agreement(NamedTuple):
    """`share` of all pictures, its Wilson `interval`, and `by_class` `(K,)`, NaN for a class without a picture."""

    share: float
    interval: tuple[float, float]
    by_class: Tensor


def class_agreement(scores: Tensor, labels: Tensor, *, top: int = 1) -> Agreement:
    """Of logits or probabilities `(N, K)` and the classes asked for `(N,)`: those among the `top` highest."""
    check_rows({"score": scores})
    check_labels(labels, len(scores), scores.shape[1])
    if not 1 <= top <= scores.shape[1]:
        raise BadInput(f"Expected a number of classes from 1 to {scores.shape[1]}, got {top}.")
    right = (scores.topk(top, dim=1).indices == labels[:, None]).any(1)
    share = float(right.double().mean())
    return Agreement(share, wilson(share, len(right)), shares_by_class(right, labels, scores.shape[1]))


def confusion(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Counts `(K, K)` int64: row = class asked for, column = class seen; of `(N,)` and `(N,)`."""
    check_labels(labels, len(predicted), classes)
    check_labels(predicted, len(labels), classes)
    return torch.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def shares_by_class(right: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Share of True among the rows of each class: `(N,)` bool, `(N,)` -> `(K,)` float64."""
    counts = torch.bincount(labels, minlength=classes).double()
    return torch.bincount(labels, weights=right.double(), minlength=classes) / counts  # 0 / 0 is NaN
