"""Augmentation: of training batches (flip and shift), and differentiable for discriminators.

DiffAugment (Zhao et al. 2020, arXiv 2006.10738): the same random, differentiable change on real and generated images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.registry import unknown


def flip_and_shift(x: Tensor, rng: torch.Generator, pad: int = 2, flip: bool = True) -> Tensor:
    """Mirror half of the batch and shift each image by up to `pad` pixels (reflected): (B, C, H, W) -> same."""
    count, size = len(x), x.shape[-1]
    padded = torch.nn.functional.pad(x, (pad,) * 4, mode="reflect").permute(0, 2, 3, 1)  # (B, H', W', C)
    top, left = torch.randint(0, 2 * pad + 1, (2, count, 1), generator=rng)
    rows, columns = top + torch.arange(size), left + torch.arange(size)  # (B, H), (B, W)
    if flip:
        mirrored = torch.rand(count, 1, generator=rng) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    index = torch.arange(count)[:, None, None]
    where = [t.to(x.device) for t in (index, rows[:, :, None], columns[:, None, :])]
    return padded[where[0], where[1], where[2]].permute(0, 3, 1, 2)


ADAPTIVE = "adaptive"  # zeuxis.lab.adaptive_augment: it has a state, so the engine keeps it


def check_augmentation(names: tuple[str, ...]) -> None:
    """BadInput for a name of no augmentation."""
    for name in names:
        if name not in (*_POLICIES, ADAPTIVE):
            raise unknown("augmentation", name, [*_POLICIES, ADAPTIVE])


def diff_augment(x: Tensor, rng: torch.Generator, policy: tuple[str, ...]) -> Tensor:
    """Apply `policy` (of "colour", "translation", "cutout") to images (B, 3, H, W) in [-1, 1]; gradients flow."""
    check_augmentation(policy)
    for name in policy:
        x = _POLICIES[name](x, rng)
    return x


def _uniform(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.rand(len(x), 1, 1, 1, generator=rng).to(x.device, x.dtype)


def _colour(x: Tensor, rng: torch.Generator) -> Tensor:
    """Brightness +-0.25 (of a range of 2), saturation 0.5..1.5, contrast 0.75..1.25."""
    x = x + (_uniform(x, rng) - 0.5) * 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (0.5 + _uniform(x, rng))
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * (0.75 + 0.5 * _uniform(x, rng))


def _translation(x: Tensor, rng: torch.Generator) -> Tensor:
    return flip_and_shift(x, rng, pad=x.shape[-1] // 8, flip=False)


def _cutout(x: Tensor, rng: torch.Generator) -> Tensor:
    """A grey square of a quarter of the side."""
    size = x.shape[-1]
    half = size // 8
    centre = torch.randint(0, size, (2, len(x), 1), generator=rng)
    near = (torch.arange(size) - centre).abs() < half  # (2, B, size)
    hole = (near[0][:, :, None] & near[1][:, None, :])[:, None]
    return x * (~hole).to(x.device, x.dtype)


_POLICIES = {"colour": _colour, "translation": _translation, "cutout": _cutout}
