"""Cosine similarity of images to weighted phrases: the formula every dual-encoder scorer shares.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
https://arxiv.org/abs/2103.00020 (section 2.3: the cosine of an image and a text embedding).

    cos(a, b) = a . b / (|a| |b|)                                                                  Eq. (1)
    s(x) = sum over w_p > 0 of w_p / W cos(e_x, e_p)  -  sum over w_p < 0 of |w_p| cos(e_x, e_p)    Eq. (2)

with W the sum of the positive weights. One positive phrase of any weight therefore scores plain Eq. (1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.errors import BadInput


def unit(x: Tensor) -> Tensor:
    """Rows of length 1: `(..., E) -> (..., E)` float32. A zero row stays zero; NaN and inf become NaN.

    Each row is first divided by its largest entry, so neither 1e-30 nor 1e30 upsets the length.
    """
    x = x.float()
    largest = x.detach().abs().amax(dim=-1, keepdim=True)
    x = x / torch.where(largest == 0, 1.0, largest)
    # The largest entry is now 1, so a length under 1 can only be the 0 of a zero row.
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.clamp_min(1.0)


def cosines(image_embeddings: Tensor, phrases: Tensor) -> Tensor:
    """Eq. (1) for all pairs: `(N, E), (P, E) -> (N, P)` float32 in [-1, 1].

    Written as products and sums: a matrix product would follow the device's reduced precision
    (TF32, autocast), and its rounding would depend on N.
    """
    images, targets = unit(image_embeddings), unit(phrases)
    return torch.stack([(images * target).sum(dim=-1) for target in targets], dim=-1)


def normalised(weights: Tensor) -> Tensor:
    """Weights of Eq. (2): the positive ones sum to 1, the negative ones stay as they are. `(P,) -> (P,)`."""
    weights = weights.float()
    total = weights.clamp_min(0).sum()
    return torch.where(weights > 0, weights / torch.where(total > 0, total, 1.0), weights)


def similarity(image_embeddings: Tensor, phrases: Tensor, weights: Tensor) -> Tensor:
    """Eq. (2): `image_embeddings (N, E)`, `phrases (P, E)`, `weights (P,)` -> score `(N,)` float32.

    The gradient flows to the embeddings. A NaN embedding gives NaN for its own image only, a zero
    embedding gives 0. BadInput for shapes that do not fit and for weights that are not finite.
    """
    _check(image_embeddings, phrases, weights)
    parts = cosines(image_embeddings, phrases)
    return (parts * normalised(weights.to(parts.device))).sum(dim=-1)


def _check(image_embeddings: Tensor, phrases: Tensor, weights: Tensor) -> None:
    shapes = (tuple(image_embeddings.shape), tuple(phrases.shape), tuple(weights.shape))
    images, targets, count = shapes
    if len(images) != 2 or len(targets) != 2 or images[1] != targets[1] or count != targets[:1] or not count[0]:
        raise BadInput(
            f"Expected image embeddings (N, E), phrases (P, E) and weights (P,) with P >= 1, got {shapes}. "
            "Embed images and phrases with the same scorer, and give one weight per phrase."
        )
    if not bool(torch.isfinite(weights).all()):
        raise BadInput(f"Expected finite weights, got {weights.tolist()}. Correct the weight after ':' in the prompt.")
