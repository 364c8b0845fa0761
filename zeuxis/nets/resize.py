"""Bilinear resizing as TensorFlow 1 did it, which the published FID, KID and IS numbers rest on.

The source of pixel i is i * in / out: no half-pixel centres, no antialias (tf.image.resize_bilinear with
align_corners=False). PyTorch's modes differ by several grey levels; see Parmar et al. 2022, arXiv 2104.11222.
"""

from __future__ import annotations

import torch
from torch import Tensor


def resize_tf1(images: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) float32, any range -> (N, C, height, width). The same size comes back as it was."""
    return _along(_along(images, width, 3), height, 2)


def _along(x: Tensor, size: int, axis: int) -> Tensor:
    """Linear interpolation along one axis."""
    given = x.shape[axis]
    if given == size:
        return x
    # float32 throughout, as the original computed its places: half a grey level may hang on the last bit
    place = torch.arange(size, dtype=torch.float32) * torch.tensor(given / size, dtype=torch.float32)
    low = place.floor().long().clamp(max=given - 1)
    share = (place - low).to(x.device, x.dtype).view([-1 if d == axis else 1 for d in range(x.ndim)])
    low = low.to(x.device)
    below, above = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=given - 1))
    return below + (above - below) * share
