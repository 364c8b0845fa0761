"""How many different images are in a set: the Vendi score (Friedman and Dieng 2022, arXiv 2210.02410).

exp(entropy of the eigenvalues of K / N) with K_ij = exp(-d_ij^2 / (2 sigma^2)), d the root mean square difference of
the pixels. N copies give 1, N unlike images give N. sigma = 0.1 is set so that real CIFAR-10 images of one class count
almost one each (about 60 of 64) and a picture with slightly changed pixels (RMS under 0.05) hardly counts again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_finite

SIGMA = 0.1


def effective_number(images: Tensor, sigma: float = SIGMA) -> float:
    """(N, 3, H, W) in [0, 1] -> between 1 and N; 0 for no image."""
    if not len(images):
        return 0.0
    check_finite(images, "picture")
    flat = images.flatten(1).double()
    return vendi_score(torch.cdist(flat, flat) / flat.shape[1] ** 0.5, sigma)


def vendi_score(distance: Tensor, sigma: float = SIGMA) -> float:
    """The same of RMS distances (N, N)."""
    if distance.ndim != 2 or distance.shape[0] != distance.shape[1] or not len(distance):
        raise BadInput(f"Expected distances (N, N) of at least one picture, got the shape {tuple(distance.shape)}.")
    check_finite(distance.nan_to_num(nan=torch.nan, posinf=0, neginf=torch.nan), "distance")  # far apart is no fault
    return vendi_of_squares(distance.double() ** 2, sigma)


def vendi_of_squares(squares: Tensor, sigma: float = SIGMA) -> float:
    """The same of mean squared differences (N, N), which are not checked: finite, for at least one picture."""
    kernel = torch.exp(squares.double() / (-2 * sigma**2))
    values = torch.linalg.eigvalsh(kernel / len(kernel))
    values = values[values > 1e-12]
    return float(torch.exp(-(values * values.log()).sum()))
