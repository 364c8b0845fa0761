"""Image sets to another size or number of channels, and the checks that every set has to pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from zeuxis.data.base import MOST_BYTES, ImageSet
from zeuxis.errors import BadInput

PIECE = 512  # pictures resampled at once: in float32 they need four times their bytes


def converted(images: ImageSet, resolution: int | None, channels: int | None) -> ImageSet:
    """`images` at `resolution` pixels a side with `channels` channels; None keeps what is there."""
    pixels = images.pixels
    if channels == 1 and images.channels == 3:
        pixels = to_grey(pixels)
    if resolution is not None and resolution != images.resolution:
        room_for(len(pixels), resolution, channels or images.channels)
        pixels = resample(pixels, resolution)
    if channels == 3 and images.channels == 1:
        pixels = pixels.expand(-1, -1, -1, 3).contiguous()
    images.pixels = pixels
    return images


def resample(pixels: Tensor, size: int) -> Tensor:
    """uint8 (N, H, W, C) -> (N, size, size, C), bicubic with antialiasing."""
    out = torch.empty(len(pixels), size, size, pixels.shape[3], dtype=torch.uint8)
    for start in range(0, len(pixels), PIECE):
        x = pixels[start : start + PIECE].permute(0, 3, 1, 2).contiguous().float()
        x = interpolate(x, (size, size), mode="bicubic", antialias=True, align_corners=False)
        out[start : start + PIECE] = x.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return out


def to_grey(pixels: Tensor) -> Tensor:
    """uint8 RGB (N, H, W, 3) -> grey (N, H, W, 1), the weights of ITU-R 601."""
    out = torch.empty(*pixels.shape[:3], 1, dtype=torch.uint8)
    weights = torch.tensor([0.299, 0.587, 0.114])
    for start in range(0, len(pixels), PIECE):
        grey = (pixels[start : start + PIECE].float() * weights).sum(3, keepdim=True)
        out[start : start + PIECE] = grey.round().clamp(0, 255).to(torch.uint8)
    return out


def room_for(count: int, size: int, channels: int) -> None:
    """BadInput when that many pictures are more than one set may hold. To be asked before they are allocated."""
    if not 0 < count * size * size * channels <= MOST_BYTES:
        raise BadInput(
            f"Expected 1 byte to {MOST_BYTES // 2**30} GB of pixels, got {count:,} pictures of {size} x {size} x "
            f"{channels}. Give fewer or smaller pictures."
        )


def numbered(
    values: Mapping[str, np.ndarray], words: Mapping[str, Sequence[str]], count: int, where: str
) -> tuple[dict[str, Tensor], dict[str, tuple[str, ...]]]:
    """Labels and their words, checked: integers, one for each of `count` pictures, each below the number of words."""
    labels, names = {}, {}
    for name, numbers in values.items():
        names[name] = tuple(str(word) for word in words[name])
        if numbers.shape != (count,) or numbers.dtype.kind not in "iu":
            raise BadInput(
                f"Expected one whole number for each of the {count:,} pictures as {name} in {where}, got "
                f"{numbers.dtype} {numbers.shape}. The file is not whole, or another one."
            )
        if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(names[name]):
            raise BadInput(
                f"Expected {name} numbers from 0 to {len(names[name]) - 1} in {where}, got {numbers.min()} to "
                f"{numbers.max()}. The file is damaged, or another one."
            )
        labels[name] = torch.from_numpy(numbers.astype(np.int64))
    return labels, names
