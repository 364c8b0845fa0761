"""Conditional GAN of perceptrons: Mirza and Osindero, "Conditional generative adversarial nets" (2014),
https://arxiv.org/abs/1411.1784

min_G max_D E log D(x | y) + E log(1 - D(G(z | y))), Eq. 2. Section 4.1, for MNIST: z and y have hidden layers of their
own, 200 and 1000 rectifiers, then one of 1200 together; in the discriminator picture and label have maxout layers of
240 units with 5 pieces and 50 with 5, then one of 240 with 4. A label is one of K, here by its row of a learned table,
which is a one-hot vector times a matrix; `one_hot` starts that table as the identity. The paper trains both networks
with dropout of 0.5; here the discriminator has it as an option, as without it knows 60,000 digits by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_numbers
from zeuxis.nets.gan.mlp_gan import Maxout
from zeuxis.nets.layers import bounded, checked_dropout, dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def _check(classes: Sequence[int]) -> None:
    if not classes:
        raise BadInput('A conditional GAN needs labels: give data with labels, or choose architecture = "mlp-gan".')


class Generator(LatentGenerator):
    """z (N, z_dim), labels or embeddings -> images (N, channels, R, R) in [-1, 1].

    `widths`: hidden units of z, of the label, of both together.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, z_dim: int = 100, embed_dim: int = 32,
        widths: Sequence[int] = (200, 1000, 1200), one_hot: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        of_z, of_y, both = _three(widths)
        bounded("a resolution", resolution, 8, 256)
        self.classes = check_numbers(classes, channels, z_dim=z_dim, embed_dim=embed_dim)
        _check(classes)
        self.resolution, self.z_dim, self.embed_dim, self.channels = resolution, z_dim, embed_dim, channels
        self.labels = Condition(self.classes, embed_dim)
        if one_hot:
            as_one_hot(self.labels)
        self.of_z, self.of_y = nn.Linear(z_dim, of_z), nn.Linear(embed_dim, of_y)
        self.both, self.pixels = nn.Linear(of_z + of_y, both), nn.Linear(both, channels * resolution**2)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        condition, dtype = self.condition(z, y), dtype_of(self.of_z)
        assert condition is not None  # it has labels
        h = torch.cat([F.relu(self.of_z(z.to(dtype))), F.relu(self.of_y(condition.to(dtype)))], dim=1)
        pixels = torch.tanh(self.pixels(F.relu(self.both(h))))
        return pixels.view(len(z), self.channels, self.resolution, self.resolution)


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,).

    `widths` and `pieces`: maxout units of the picture, of the label, of both together.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, embed_dim: int = 32,
        widths: Sequence[int] = (240, 50, 240), pieces: Sequence[int] = (5, 5, 4), one_hot: bool = False,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        (of_x, of_y, both), parts = _three(widths), _three(pieces)
        bounded("a resolution", resolution, 8, 256)
        self.classes = check_numbers(classes, channels, embed_dim=embed_dim)
        _check(classes)
        self.labels = Condition(self.classes, embed_dim)
        if one_hot:
            as_one_hot(self.labels)
        self.of_x = Maxout(channels * resolution**2, of_x, parts[0])
        self.of_y = Maxout(embed_dim, of_y, parts[1])
        self.both, self.real = Maxout(of_x + of_y, both, parts[2]), nn.Linear(both, 1)
        self.embed_dim, self.dropout = embed_dim, nn.Dropout(checked_dropout(dropout))

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,). Without labels their embedding is 0."""
        x = images.to(self.real.weight.dtype).flatten(1)
        known = x.new_zeros(len(x), self.embed_dim) if y is None else self.labels(y).to(x.dtype)
        h = self.dropout(torch.cat([self.of_x(x), self.of_y(known)], dim=1))
        logits: Tensor = self.real(self.dropout(self.both(h)))
        return logits.squeeze(1)


def _three(numbers: Sequence[int]) -> tuple[int, int, int]:
    if len(numbers) != 3 or not all(type(n) is int and 1 <= n <= 2**14 for n in numbers):
        raise BadInput(f"Expected three whole numbers from 1 to {2**14}, got {str(numbers)[:60]}.")
    return numbers[0], numbers[1], numbers[2]


@torch.no_grad()
def as_one_hot(labels: Condition) -> None:
    """Start the first table as the identity; BadInput where it has fewer columns than names."""
    table = labels.tables[0].weight
    assert isinstance(table, Tensor)
    if table.shape[1] < table.shape[0]:
        raise BadInput(f"Expected embed_dim of {table.shape[0]} at least for one_hot, got {table.shape[1]}.")
    table.copy_(torch.eye(*table.shape))
