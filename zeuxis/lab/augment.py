"""Augmentation: of training batches (flip and shift), and differentiable for discriminators.

DiffAugment (Zhao et al. 2020, arXiv 2006.10738): the same random, differentiable change on real and generated images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from zeuxis.registry import unknown


def flip_and_shift(x: Tensor, rng: torch.Generator, pad: int = 2, flip: bool = True) -> Tensor:
    """Mirror half of the batch and shift each image by up to `pad` pixels (reflected): (B, C, H, W) -> same."""
    return _shifted(x, *_places(len(x), x.shape[-1], rng, pad, flip), pad)


def mirrored(images: Tensor, which: Tensor) -> Tensor:
    """The pictures (B, C, H, W), those of `which` (B, 1, 1, 1) mirrored."""
    return torch.where(which.to(images.device), images.flip(3), images)


def _places(count: int, size: int, rng: torch.Generator, pad: int, flip: bool) -> tuple[Tensor, Tensor]:
    """Which rows (B, H) and columns (B, W) of the padded pictures are seen."""
    top, left = torch.randint(0, 2 * pad + 1, (2, count, 1), generator=rng)
    rows, columns = top + torch.arange(size), left + torch.arange(size)
    if flip:
        other = torch.rand(count, 1, generator=rng) < 0.5
        columns = torch.where(other, columns.flip(1), columns)
    return rows, columns


def _shifted(x: Tensor, rows: Tensor, columns: Tensor, pad: int) -> Tensor:
    padded = torch.nn.functional.pad(x, (pad,) * 4, mode="reflect").permute(0, 2, 3, 1)  # (B, H', W', C)
    index = torch.arange(len(x), device=x.device)[:, None, None]
    rows, columns = rows.to(x.device), columns.to(x.device)
    return padded[index, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


ADAPTIVE = "adaptive"  # zeuxis.lab.adaptive_augment: it has a state, so the engine keeps it
Numbers = tuple[Tensor, ...]


def check_augmentation(names: tuple[str, ...]) -> None:
    """BadInput for a name of no augmentation."""
    for name in names:
        if name not in (*_POLICIES, ADAPTIVE):
            raise unknown("augmentation", name, [*_POLICIES, ADAPTIVE])


def diff_augment(x: Tensor, rng: torch.Generator, policy: tuple[str, ...]) -> Tensor:
    """Apply `policy` (of "colour", "translation", "cutout") to images (B, 3, H, W) in [-1, 1]; gradients flow."""
    check_augmentation(policy)
    return augmented(x, policy, augmentation_numbers(len(x), x.shape[-1], rng, policy))


def augmentation_numbers(count: int, size: int, rng: torch.Generator, policy: tuple[str, ...]) -> list[Numbers]:
    """What `policy` draws for `count` pictures of `size` pixels a side: for each of its names some tensors (B, ...)."""
    return [_POLICIES[name][0](count, size, rng) for name in policy]


def augmented(x: Tensor, policy: tuple[str, ...], numbers: Sequence[Numbers]) -> Tensor:
    """Images (B, C, H, W) changed as `numbers` say, which were drawn for as many of that size."""
    for name, drawn in zip(policy, numbers, strict=True):
        x = _POLICIES[name][1](x, *drawn)
    return x


def _three_uniform(count: int, size: int, rng: torch.Generator) -> Numbers:
    return tuple(torch.rand(count, 1, 1, 1, generator=rng) for _ in range(3))


def _colour(x: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Brightness +-0.25 (of a range of 2), saturation 0.5..1.5, contrast 0.75..1.25."""
    brightness, saturation, contrast = (n.to(x.device, x.dtype) for n in (brightness, saturation, contrast))
    x = x + (brightness - 0.5) * 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (0.5 + saturation)
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * (0.75 + 0.5 * contrast)


def _translation_numbers(count: int, size: int, rng: torch.Generator) -> Numbers:
    return _places(count, size, rng, size // 8, False)


def _translation(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return _shifted(x, rows, columns, x.shape[-1] // 8)


def _cutout_numbers(count: int, size: int, rng: torch.Generator) -> Numbers:
    """True in a square of a quarter of the side: (B, 1, H, W)."""
    half = size // 8
    centre = torch.randint(0, size, (2, count, 1), generator=rng)
    near = (torch.arange(size) - centre).abs() < half  # (2, B, size)
    return ((near[0][:, :, None] & near[1][:, None, :])[:, None],)


def _cutout(x: Tensor, hole: Tensor) -> Tensor:
    """A grey square."""
    return x * (~hole).to(x.device, x.dtype)


_POLICIES: dict[str, tuple[Callable[[int, int, torch.Generator], Numbers], Callable[..., Tensor]]] = {
    "colour": (_three_uniform, _colour),
    "translation": (_translation_numbers, _translation),
    "cutout": (_cutout_numbers, _cutout),
}  # what is drawn, on the CPU, and what is made of it where the pictures are
