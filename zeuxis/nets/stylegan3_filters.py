"""The filters of StyleGAN3: zeros between pixels, low-pass, and every other pixel, along rows and columns.

A separable filter is a banded matrix (L, L') for the rows and one for the columns. On a CPU two products with them take
a third to a twentieth of the time of a convolution for each channel (Intel Xeon, one thread), above all transposed ones
in bfloat16, until the band is a small part of the matrix.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.nets.stylegan_layers import depthwise

WIDEST_UP, WIDEST_DOWN = 160, 128  # pixels: in float32 convolutions are faster beyond


def up_filtered(x: Tensor, f: Tensor, up: int, padding: tuple[int, int]) -> Tensor:
    """x (N, C, H, W) `up` times the size, filtered by f (k,) or (k, k), padded (cropped, if negative) before and after
    the filter.
    """
    if f.ndim == 1 and x.device.type == "cpu" and (x.dtype == torch.bfloat16 or max(x.shape[2:]) <= WIDEST_UP):
        return by_matrices(x, f * up, up, 1, padding)
    # A transposed convolution: the zeros between the pixels are never multiplied.
    channels, f, taps = x.shape[1], f.to(x.dtype), f.shape[0]
    before, after = padding[0] - taps + 1, padding[1] - taps + up
    if f.ndim == 2:
        x = F.conv_transpose2d(x, (f * up * up).expand(channels, 1, taps, taps), stride=up, groups=channels)
        return F.pad(x, (before, after, before, after))
    f = f * up
    x = F.conv_transpose2d(x, f.expand(channels, 1, 1, taps), stride=(1, up), groups=channels)
    x = F.pad(x, (before, after))
    x = F.conv_transpose2d(x, f[:, None].expand(channels, 1, taps, 1), stride=(up, 1), groups=channels)
    return F.pad(x, (0, 0, before, after))


def down_filtered(x: Tensor, f: Tensor, down: int) -> Tensor:
    """x (N, C, H, W) filtered by f (k,) or (k, k), then every `down`-th pixel."""
    if f.ndim == 1 and x.device.type == "cpu" and x.dtype == torch.float32 and max(x.shape[2:]) <= WIDEST_DOWN:
        return by_matrices(x, f, 1, down, (0, 0))
    return depthwise(x, f, stride=down)


def by_matrices(x: Tensor, f: Tensor, up: int, down: int, padding: tuple[int, int]) -> Tensor:
    """x (N, C, H, W) with up - 1 zeros after each pixel, padded, filtered by f (k,), every `down`-th pixel of it.

    Each picture has products of its own, so that it does not depend on its neighbours.
    """
    n, c, h, w = x.shape
    rows, columns = (_matrix(f, size, up, down, padding).to(x.dtype).expand(n, -1, -1) for size in (h, w))
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        across = columns.mT[:, None].expand(-1, h, -1, -1).flatten(0, 1)  # (N H, W', W)
        y = torch.bmm(across, x.permute(0, 2, 3, 1).flatten(0, 1)).view(n, h, -1)
        return torch.bmm(rows.mT, y).view(n, rows.shape[2], -1, c).permute(0, 3, 1, 2)
    y = torch.bmm(x.reshape(n, c * h, w), columns).view(n * c, h, -1)
    return torch.bmm(rows.mT[:, None].expand(-1, c, -1, -1).flatten(0, 1), y).view(n, c, rows.shape[2], -1)


def _matrix(f: Tensor, length: int, up: int, down: int, padding: tuple[int, int]) -> Tensor:
    """(length, length'): what `f` (k,) makes of a row of pixels."""
    return F.pad(f, (0, 1))[_places(length, len(f), up, down, padding).to(f.device)]


@lru_cache(512)
def _places(length: int, taps: int, up: int, down: int, padding: tuple[int, int]) -> Tensor:
    """(length, length'): which tap of the filter takes a pixel to a place; `taps` for none."""
    pixel = torch.arange(length)[:, None]
    place = torch.arange((padding[0] + length * up + padding[1] - taps) // down + 1)
    tap = place * down + taps - 1 - padding[0] - pixel * up
    return torch.where((tap >= 0) & (tap < taps), tap, taps)
