"""What an adversarial step draws: rows of the data, latents with labels, real pictures, augmentations."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from zeuxis.data import ImageSet, to_signed
from zeuxis.lab.adaptive_augment import Adaptive
from zeuxis.lab.adversarial_options import Options
from zeuxis.lab.augment import ADAPTIVE, Numbers, augmentation_numbers, augmented, mirrored
from zeuxis.lab.tasks.base import Lab

RESIDENT = 4  # the training set is kept on a GPU if it takes no more than one part in so many of its memory


@dataclass
class Drawn:
    """The random numbers of one update, on the CPU; of a captured step, where the step finds them.

    rows, mirrored, y_real      of the real pictures: (N,), (N, 1, 1, 1), labels (N, L)
    z, y                        latents (N, z_dim) and labels (N, L); None for real pictures alone
    real, fake                  for each augmentation its numbers, as real and as generated pictures are changed
    """

    rows: Tensor
    mirrored: Tensor | None
    y_real: Tensor
    z: Tensor | None = None
    y: Tensor | None = None
    real: list[Numbers] = field(default_factory=list)
    fake: list[Numbers] = field(default_factory=list)

    def tensors(self) -> list[Tensor]:
        """All of them, always in the same order."""
        plain = [self.rows, self.mirrored, self.y_real, self.z, self.y]
        inner = [tensor for numbers in (*self.real, *self.fake) for tensor in numbers]
        return [tensor for tensor in (*plain, *inner) if tensor is not None]

    def to(self, device: torch.device) -> Drawn:
        """A copy on `device`."""
        plain = [t if t is None else t.to(device, copy=True) for t in (self.mirrored, self.z, self.y)]
        real, fake = ([tuple(t.to(device, copy=True) for t in ns) for ns in of] for of in (self.real, self.fake))
        rows, y_real = self.rows.to(device, copy=True), self.y_real.to(device, copy=True)
        return Drawn(rows, plain[0], y_real, plain[1], plain[2], real, fake)


class Draws:
    """Random batches, each from the generator that it is given. `y` are the labels (M, L) of the pictures `train`."""

    def __init__(
        self, lab: Lab, opt: Options, train: ImageSet, y: Tensor, z_dim: int, adaptive: Adaptive | None
    ) -> None:
        self.lab, self.flip, self.train, self.y, self.z_dim, self.adaptive = lab, opt.flip, train, y, z_dim, adaptive
        self.policy = tuple(name for name in opt.augmentation if name != ADAPTIVE)
        self.weight = row_weights(y, opt.balance)
        self.resident: Tensor | None = None  # the pixels on a GPU
        if lab.device.type == "cuda":
            memory = torch.cuda.get_device_properties(lab.device).total_memory
            self.resident = train.pixels.to(lab.device) if RESIDENT * train.pixels.numel() <= memory else None

    def rows(self, rng: torch.Generator, count: int) -> Tensor:
        """Rows of the training set (count,)."""
        if self.weight is None:
            return torch.randint(0, len(self.train), (count,), generator=rng)
        return torch.multinomial(self.weight, count, replacement=True, generator=rng)

    def latents(self, rng: torch.Generator, count: int, *, pairs: bool = False) -> tuple[Tensor, Tensor]:
        """z (N, z_dim) and labels (N, L) on the CPU. With `pairs` the second half repeats the labels of the first."""
        rows = self.rows(rng, count)
        z, y = torch.randn(count, self.z_dim, generator=rng), self.y[rows]
        if pairs:
            half = count // 2
            y = torch.cat([y[:half], y[:half], y[2 * half :]])
        return z, y

    def update(self, rng: torch.Generator, *, pairs: bool) -> Drawn:
        """What one update of the discriminator needs."""
        drawn, count = self._real(rng), self.lab.config.batch
        drawn.z, drawn.y = self.latents(rng, count, pairs=pairs)
        drawn.real, drawn.fake = self._changes(rng, count), self._changes(rng, count)
        return drawn

    def others(self, rng: torch.Generator) -> Drawn:
        """Real pictures alone."""
        drawn = self._real(rng)
        drawn.real = self._changes(rng, self.lab.config.batch)
        return drawn

    def _real(self, rng: torch.Generator) -> Drawn:
        rows = self.rows(rng, self.lab.config.batch)
        mirrored = torch.rand(len(rows), 1, 1, 1, generator=rng) < 0.5 if self.flip else None
        return Drawn(rows, mirrored, self.y[rows])

    def _changes(self, rng: torch.Generator, count: int) -> list[Numbers]:
        size = self.train.resolution
        numbers = augmentation_numbers(count, size, rng, self.policy)
        return [*numbers, self.adaptive.numbers(count, size, rng)] if self.adaptive else numbers

    def real(self, drawn: Drawn) -> Tensor:
        """The real pictures (N, C, R, R) on the lab's device, half of them mirrored where the recipe says so."""
        if self.resident is not None:
            real = to_signed(self.resident[drawn.rows.to(self.resident.device)])
        else:
            real = self.train.batch(drawn.rows)
        real = real.to(self.lab.device, memory_format=torch.channels_last)
        return real if drawn.mirrored is None else mirrored(real, drawn.mirrored)

    def augmented(self, images: Tensor, numbers: list[Numbers]) -> Tensor:
        """Pictures as the discriminator is shown them; gradients flow."""
        count = len(self.policy)
        images = augmented(images, self.policy, numbers[:count])
        return self.adaptive.changed(images, *numbers[count]) if self.adaptive else images


def row_weights(y: Tensor, balance: float) -> Tensor | None:
    """How often each row is shown (N,): its combination's count to the power of -`balance`; None for as it is."""
    if not balance or not y.shape[1]:
        return None
    _, place, counts = torch.unique(y, dim=0, return_inverse=True, return_counts=True)
    weights: Tensor = counts.double()[place].pow(-balance)
    return weights
