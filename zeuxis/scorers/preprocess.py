"""Pictures as CLIP and SigLIP were trained to see them: antialiased bicubic resize, mean and deviation; on tensors.

Parity with Pillow's bicubic: within 4 grey levels of 255 on floats (which keep a gradient), 2 on uint8.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Preprocess:
    """`size` pixels; `crop`: shortest edge to `size`, then the middle (CLIP); else straight to a square (SigLIP)."""

    size: int
    mean: tuple[float, ...] = CLIP_MEAN
    deviation: tuple[float, ...] = CLIP_DEVIATION
    crop: bool = True

    def __call__(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` float in [0, 1], or uint8 -> `(N, 3, size, size)` float32, normalised."""
        x = resize(images, self.size, self.crop)
        x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
        mean, deviation = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (self.mean, self.deviation))
        return (x - mean) / deviation


def resize(images: Tensor, size: int, crop: bool) -> Tensor:
    """`(N, 3, H, W) -> (N, 3, size, size)`, the same type; bicubic with antialias, as Pillow has it."""
    height, width = images.shape[-2:]
    if crop:  # the shortest edge becomes `size`, the other is cut short as Pillow's users do
        short = min(height, width)
        to = (int(size * height / short), int(size * width / short))
    else:
        to = (size, size)
    if to != (height, width):
        images = F.interpolate(images, to, mode="bicubic", antialias=True, align_corners=False)
        images = images if images.dtype == torch.uint8 else images.clamp(0, 1)
    top, left = (to[0] - size) // 2, (to[1] - size) // 2
    return images[..., top : top + size, left : left + size]
