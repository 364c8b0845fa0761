"""What the GAN architectures share: conditions of several labels, the latent space, minibatch deviation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.compute.split import over_the_batch
from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded

SENTENCE = 384  # numbers of a vector of the package's text tower


def check_size(
    resolution: int, classes: Sequence[int], least: int = 8, most: int = 256, *, channels: int = 3, **sizes: int
) -> tuple[int, ...]:
    """`classes` as a tuple; BadInput unless `resolution` is a power of two in [least, most] and all numbers are sane.

    `sizes` are other options by name, each a whole number from 1 on.
    """
    whole = isinstance(resolution, int) and not isinstance(resolution, bool)
    if not whole or not least <= resolution <= most or resolution & (resolution - 1):
        raise BadInput(f"Expected a resolution that is a power of two from {least} to {most}, got {resolution!r}.")
    return check_numbers(classes, channels, **sizes)


def check_numbers(classes: Sequence[int], channels: int, **sizes: int) -> tuple[int, ...]:
    """`classes` as a tuple; BadInput unless all numbers are sane. For networks of any resolution."""
    if not all(isinstance(count, int) and 1 <= count <= 100_000 for count in classes) or len(classes) > 8:
        raise BadInput(f"Expected up to 8 kinds of labels of 1 to 100,000 names each, got {list(classes)[:9]}.")
    if channels not in (1, 3):
        raise BadInput(f"Expected 1 channel (grey) or 3 (colours), got {repr(channels)[:40]}.")
    for name, size in sizes.items():
        bounded(name, size, 1, 2**16)
    return tuple(classes)


class Classified(NamedTuple):
    """What a discriminator that also classifies says, asked with `classify=True`.

    logits   (N,), real or generated
    classes  logits (N, K) of each kind of label
    y        the labels (N, L) that the pictures have, or should have
    """

    logits: Tensor
    classes: tuple[Tensor, ...]
    y: Tensor

    def float(self) -> Classified:
        """The same in float32."""
        return Classified(self.logits.float(), tuple(x.float() for x in self.classes), self.y)

    def class_loss(self) -> Tensor:
        """-log P(c | x), the mean over pictures, summed over kinds of labels: scalar."""
        losses = [F.cross_entropy(x, self.y[:, kind]) for kind, x in enumerate(self.classes)]
        return sum(losses, self.logits.new_zeros(()))


class Condition(nn.Module):
    """Labels of several kinds `(N, L)` int64 -> `(N, dim)`: the sum of one learned vector per label.

    The first kind (class, type) starts with deviation 1, the others (term, colour) with `fine`, so that what shares its
    first label lies together and a point between two rows is a mixture.
    """

    def __init__(self, classes: Sequence[int], dim: int, fine: float = 0.5) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, dim) for count in classes)
        for place, table in enumerate(self.tables):
            nn.init.normal_(table.weight, std=fine if place else 1.0)  # type: ignore[arg-type]

    def forward(self, y: Tensor) -> Tensor:
        """(N, L) -> (N, dim)."""
        out: Tensor = sum(table(y[:, place]) for place, table in enumerate(self.tables))  # type: ignore[assignment]
        return out


class Texts(nn.Module):
    """A fixed vector for each name of each kind of label: (N, L) -> (N, dim), their sum.

    Random until `read` is given those of texts. They are buffers: nothing trains them, and model files hold them.
    """

    def __init__(self, classes: Sequence[int], dim: int, sentence: int = SENTENCE) -> None:
        super().__init__()
        self.count = len(classes)
        for kind, count in enumerate(classes):
            self.register_buffer(f"table{kind}", torch.randn(count, dim))
        self.register_buffer("mean", torch.zeros(sentence))
        self.register_buffer("axes", torch.zeros(sentence, dim))

    def read(self, vectors: Tensor, mean: Tensor, axes: Tensor) -> None:
        """(K, dim): those of the first kind of label; and how they came of sentence vectors, as for `of`."""
        for name, value in (("table0", vectors), ("mean", mean), ("axes", axes)):
            self.get_buffer(name).copy_(value)

    @property
    def reads(self) -> bool:
        """Whether it was given vectors of texts, so that `of` knows those of others."""
        return bool(self.get_buffer("axes").any())

    def of(self, sentences: Tensor) -> Tensor:
        """Sentence vectors (N, S) of any texts -> (N, dim): (s - mean) axes, as those of the captions were made."""
        projected: Tensor = (sentences - self.get_buffer("mean")) @ self.get_buffer("axes")
        return projected

    def forward(self, y: Tensor) -> Tensor:
        """(N, L) -> (N, dim)."""
        vectors: list[Tensor] = [self.get_buffer(f"table{kind}")[y[:, kind]] for kind in range(self.count)]
        return torch.stack(vectors).sum(0)


class LatentGenerator(nn.Module):
    """A generator of z (N, z_dim) and a condition: labels (N, L) int64, or embeddings (N, embed_dim) float32."""

    resolution: int
    z_dim: int
    embed_dim: int
    classes: tuple[int, ...]
    labels: nn.Module  # a Condition, where `embed` is this one

    def embed(self, y: Tensor) -> Tensor:
        """Labels (N, L) -> (N, embed_dim), by the Condition `labels`."""
        embedded: Tensor = self.labels(y)
        return embedded

    def joined(self, z: Tensor, y: Tensor | None) -> Tensor:
        """z with the embedding of `y` behind it: (N, z_dim + embed_dim); z alone without labels."""
        condition = self.condition(z, y)
        return z if condition is None else torch.cat([z, condition], dim=1)

    def condition(self, z: Tensor, y: Tensor | None) -> Tensor | None:
        """The embedding (N, embed_dim) of `y`, whichever of the two it is; None for a generator without labels."""
        if not self.classes:
            return None
        if y is None:
            raise BadInput(f"This generator needs {len(self.classes)} labels for each of the {len(z)} latents.")
        return y if y.is_floating_point() else self.embed(y)


def mix_styles(generator: Any, z: Tensor, y: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Mixing regularisation (Karras et al. 2019, arXiv 1812.04948, section 3.1): fakes (N, C, R, R).

    With probability `share` the layers of a picture from a random one on have the style of a second latent. The
    generator has `map(z, y) -> w (N, w_dim)`, `layer_sizes()` with one entry a style, `synthesise(ws (N, L, w_dim))`.
    """
    count, layers = len(z), len(generator.layer_sizes())
    other = torch.randn(z.shape, generator=rng).to(z.device)
    cut = torch.randint(1, max(layers, 2), (count,), generator=rng)
    cut = torch.where(torch.rand(count, generator=rng) < share, cut, layers)
    second = (torch.arange(layers) >= cut[:, None]).to(z.device)  # (N, L)
    one, two = generator.map(z, y), generator.map(other, y)
    ws = torch.where(second[:, :, None], two[:, None], one[:, None])
    return torch.as_tensor(generator.synthesise(ws))


def by_domain(nets: nn.ModuleList, x: Tensor, share: Tensor) -> Tensor:
    """The network of each row's domain on that row: (N, C, H, W), shares (N, K) -> (N, C', H', W') float32.

    A row of several domains gets the sum of their networks' outputs, each times its share.
    """
    out: Tensor | None = None
    for k, net in enumerate(nets):
        rows = share[:, k].nonzero().flatten()
        if not len(rows):
            continue
        part = share[rows, k][:, None, None, None] * net(x[rows]).float()
        out = part.new_zeros(len(x), *part.shape[1:]) if out is None else out
        out = out.index_add(0, rows, part)
    assert out is not None  # every row has a domain
    return out


@over_the_batch
def minibatch_deviation(x: Tensor, group: int = 8) -> Tensor:
    """One more channel: the mean deviation over groups of pictures (Karras et al. 2018, arXiv 1710.10196, section 3).

    (N, C, H, W) -> (N, C + 1, H, W); N is cut into groups of `group`, or the largest divisor of N below it.
    """
    count, channels, height, width = x.shape
    group = next(g for g in range(min(group, count), 0, -1) if count % g == 0)
    spread = x.float().reshape(group, -1, channels, height, width)
    spread = (spread.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))  # (N / group,)
    plane = spread.to(x.dtype).repeat(group)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([x, plane], dim=1)
