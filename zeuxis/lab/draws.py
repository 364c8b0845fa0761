"""What an adversarial step draws: rows of the data, latents with labels, real pictures, augmentations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zeuxis.data import ImageSet
from zeuxis.lab.adversarial_options import Options
from zeuxis.lab.augment import ADAPTIVE, diff_augment
from zeuxis.lab.tasks.base import Lab


class Draws:
    """Random batches, each from the generator that it is given. `y` are the labels (M, L) of the pictures `train`."""

    def __init__(
        self, lab: Lab, opt: Options, train: ImageSet, y: Tensor, z_dim: int,
        adaptive: Callable[[Tensor, torch.Generator], Tensor] | None,
    ) -> None:  # fmt: skip
        self.lab, self.flip, self.train, self.y, self.z_dim, self.adaptive = lab, opt.flip, train, y, z_dim, adaptive
        self.policy = tuple(name for name in opt.augmentation if name != ADAPTIVE)
        self.weight = row_weights(y, opt.balance)

    def rows(self, rng: torch.Generator, count: int) -> Tensor:
        """Rows of the training set (count,)."""
        if self.weight is None:
            return torch.randint(0, len(self.train), (count,), generator=rng)
        return torch.multinomial(self.weight, count, replacement=True, generator=rng)

    def latents(self, rng: torch.Generator, count: int, *, pairs: bool = False) -> tuple[Tensor, Tensor]:
        """z (N, z_dim) and labels (N, L). With `pairs` the second half repeats the labels of the first."""
        rows = self.rows(rng, count)
        z, y = torch.randn(count, self.z_dim, generator=rng), self.y[rows]
        if pairs:
            half = count // 2
            y = torch.cat([y[:half], y[:half], y[2 * half :]])
        return z.to(self.lab.device), y.to(self.lab.device)

    def real(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch of real pictures (N, C, R, R), half of them mirrored where the recipe says so, and labels (N, L)."""
        rows = self.rows(rng, self.lab.config.batch)
        real = self.train.batch(rows).to(self.lab.device, memory_format=torch.channels_last)
        if self.flip:
            mirrored = torch.rand(len(rows), 1, 1, 1, generator=rng) < 0.5
            real = torch.where(mirrored.to(real.device), real.flip(3), real)
        return real, self.y[rows].to(self.lab.device)

    def augmented(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Pictures as the discriminator is shown them; gradients flow."""
        images = diff_augment(images, rng, self.policy)
        return self.adaptive(images, rng) if self.adaptive else images


def row_weights(y: Tensor, balance: float) -> Tensor | None:
    """How often each row is shown (N,): its combination's count to the power of -`balance`; None for as it is."""
    if not balance or not y.shape[1]:
        return None
    _, place, counts = torch.unique(y, dim=0, return_inverse=True, return_counts=True)
    weights: Tensor = counts.double()[place].pow(-balance)
    return weights
