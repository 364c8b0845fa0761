"""Classification accuracy score with a linear head on frozen features: train on samples only, test on real pictures.

Ravuri and Vinyals 2019 (arXiv 1905.10887) train a whole ResNet on the samples; here only a linear classifier of
features is fitted, by least squares with a ridge, so values compare with one another and not with theirs. It is named
"linear" everywhere for that. A class that the generator lost has a low share of its own, whatever the total says.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.agreement import Agreement, class_agreement
from zeuxis.metrics.moments import PIECE, Moments
from zeuxis.metrics.rows import check_labels, check_rows

RIDGE = 1e-2  # added to the variances, which are 1


class LinearHead:
    """Least squares from standardised features to one-hot classes, in closed form, float64, in pieces."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int) -> None:
        """Fitted to `(N, D)` and `(N,)`. BadInput for fewer than two classes among the rows."""
        check_rows({"training": features}, 2, "for two classes")
        check_labels(labels, len(features), classes)
        if len(torch.unique(labels)) < 2:
            raise BadInput(f"Expected training rows of at least two classes, got {len(features)} rows of one.")
        moments = Moments().add(features)
        self.mean, self.scale = moments.mean, moments.covariance.diagonal().sqrt().clamp(min=1e-6)
        self.bias = torch.bincount(labels, minlength=classes).double() / len(labels)
        across = torch.zeros(features.shape[1], classes, dtype=torch.float64)
        for x, y in zip(torch.split(features, PIECE), torch.split(labels, PIECE), strict=True):
            across += self._standard(x).T @ (F.one_hot(y, classes) - self.bias)
        correlation = moments.covariance / torch.outer(self.scale, self.scale)
        correlation.diagonal().add_(RIDGE)
        self.weight = torch.linalg.solve(correlation, across / (len(features) - 1))

    def __call__(self, features: Tensor) -> Tensor:
        """`(N, D)` -> scores `(N, K)` float64, the highest of which is the class."""
        check_rows({"test": features, "training": self.mean[None]})
        return torch.cat([self._standard(x) @ self.weight + self.bias for x in torch.split(features, PIECE)])

    def _standard(self, features: Tensor) -> Tensor:
        return (features.double() - self.mean) / self.scale


def accuracy_score(train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, classes: int) -> Agreement:
    """Trained on `(N, D)`, `(N,)` (the samples), tested on `(M, D)`, `(M,)` (real pictures); per class as well."""
    check_rows({"training": train, "test": test})
    return class_agreement(LinearHead(train, train_labels, classes)(test), test_labels)
