"""CLIP score of pictures with their captions (Hessel et al. 2021, arXiv 2104.08718, Eq. 1 without its factor 2.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_rows


def clip_scores(images: Tensor, texts: Tensor) -> Tensor:
    """100 max(cos, 0) of each picture with its own text: embeddings `(N, E)`, `(N, E)` -> `(N,)` float64, 0 to 100.

    The mean of these is the CLIP score as most programs print it. It rewards what the encoder was optimised for: of
    pictures that the same encoder guided it says nothing. BadInput for a row of zeros.
    """
    check_rows({"image": images, "text": texts})
    if len(images) != len(texts):
        raise BadInput(f"Expected one text for each of {len(images)} pictures, got {len(texts)}.")
    a, b = images.double(), texts.double()
    lengths = torch.stack([a.norm(dim=1), b.norm(dim=1)])
    if bool((lengths == 0).any()):
        raise BadInput("Expected embeddings with a direction, got a row of zeros. Check the encoder.")
    return 100 * ((a * b).sum(1) / lengths.prod(0)).clamp(min=0)
