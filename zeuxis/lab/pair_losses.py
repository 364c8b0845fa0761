"""Losses of N pictures and P phrases of which several may be true of one picture, and mixup of both sides."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_infonce(logits: Tensor, fits: Tensor) -> Tensor:
    """Symmetric InfoNCE with shared targets (UniCL, Yang et al. 2022, arXiv 2204.03610, Eq. 3): (N, P), (N, P) -> ().

    Phrase i < N is of picture i; the others are foils and stand in the sum over phrases only.
    """
    to_text, to_image = infonce_parts(logits, fits)
    return (to_text + to_image) / 2


def infonce_parts(logits: Tensor, fits: Tensor) -> tuple[Tensor, Tensor]:
    """The two halves of it, before their mean: from pictures to phrases, from phrases to pictures."""
    down = fits[:, : len(fits)]
    to_text = -(fits / fits.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    to_image = -(down / down.sum(0) * logits[:, : len(fits)].log_softmax(0)).sum(0).mean()
    return to_text, to_image


def pairwise_sigmoid(logits: Tensor, fits: Tensor) -> Tensor:
    """Sigmoid loss (SigLIP, Zhai et al. 2023, arXiv 2303.15343, Eq. 1), a sum over phrases: (N, P), (N, P) -> ()."""
    return F.binary_cross_entropy_with_logits(logits, fits, reduction="sum") / len(fits)


def mixed(x: Tensor, s: Tensor, fits: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latent mixup (FuseMix, Vouitsis et al. 2024, arXiv 2312.10144): one share for both sides of a random pairing.

    Features (N, D), sentence vectors (P, S), truth (N, P) -> (N, D), (N, S), (N, N): foils are left out. Truth is mixed
    like the vectors, first over pictures, then over phrases.
    """
    count = len(x)
    share = float(0.5 + 0.5 * torch.rand((), generator=rng))  # of the first of each pair
    order = torch.randperm(count, generator=rng)
    s, fits = s[:count], fits[:, :count]
    rows = share * fits + (1 - share) * fits[order]
    return (
        share * x + (1 - share) * x[order],
        share * s + (1 - share) * s[order],
        share * rows + (1 - share) * rows[:, order],
    )
