"""BigGAN-deep: Brock, Donahue and Simonyan, "Large scale GAN training for high fidelity natural image synthesis"
(2019), https://arxiv.org/abs/1809.11096 , appendix B, tables 7 to 9

Every block sees z and a shared class embedding (skip-z), by conditional batch norm; bottleneck blocks drop or add
channels so that the shortcut is the identity; self-attention, spectral norm in both networks (section 3), orthogonal
first weights. Orthogonal regularisation (Eq. 3) is asked for by the recipe. The generator is the one that published
files are read into; the discriminator, which was never published as a file, is its mirror with a projection on the
labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.biggan import BigGANDeep
from zeuxis.nets.biggan_layers import Attention, Conv
from zeuxis.nets.gan.base import Condition, LatentGenerator, check_size
from zeuxis.nets.gan.styles import one_hot
from zeuxis.nets.layers import bounded, normalise_spectrum

# From 4 pixels up, the width before and after each doubling, in multiples of `width`; 128 pixels on as in the paper.
STAGES: dict[int, tuple[tuple[int, int], ...]] = {
    16: ((4, 4),) * 2,
    32: ((4, 4),) * 3,
    64: ((16, 16), (16, 8), (8, 4), (4, 2)),
    128: ((16, 16), (16, 8), (8, 4), (4, 2), (2, 1)),
    256: ((16, 16), (16, 8), (8, 8), (8, 4), (4, 2), (2, 1)),
    512: ((16, 16), (16, 8), (8, 8), (8, 4), (4, 2), (2, 1), (1, 1)),
}
NOWHERE = 64  # a row that no network has: no attention


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def layers_of(resolution: int) -> list[list[int]]:
    """The rows [upsample, in, out] of the generator: two blocks at each resolution."""
    return [row for a, b in STAGES[resolution] for row in ([0, a, a], [1, a, b])]


def check_truncation(truncation: float, n_stats: int) -> float:
    """A truncation that `n_stats` sets of statistics have. BadInput for another."""
    if not isinstance(truncation, int | float) or not 1 / (n_stats - 1) <= truncation <= 1:
        raise BadInput(f"Expected truncation from {1 / (n_stats - 1):g} to 1, got {repr(truncation)[:40]}.")
    return truncation


def _attended(resolution: int, attention: int | None) -> int:
    """The pixels that self-attention looks at: those asked for, else 64, or half of a smaller picture; 0 for none."""
    size = min(64, resolution // 2) if attention is None else attention
    if size not in (0, *(8 * 2**k for k in range(len(STAGES[resolution])))) or isinstance(size, bool):
        raise BadInput(f"Expected attention at 0 (none), 8, 16, ... {resolution} pixels, got {repr(size)[:40]}.")
    return size


def _orthogonal(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(module.weight)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]


class Generator(LatentGenerator, BigGANDeep):
    """z (N, z_dim) and labels or embeddings -> images (N, channels, R, R) in [-1, 1].

    Outside of training z is multiplied by `truncation` and the batch norms take the statistics of all training latents.
    """

    published = "biggan-deep"  # the family of published files that it may start from

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, z_dim: int = 128,
        embed_dim: int = 128, width: int = 128, attention: int | None = None, truncation: float = 1.0,
        n_stats: int = 51, normalised: bool = True,
    ) -> None:  # fmt: skip
        known = check_size(resolution, classes, least=16, most=512, channels=channels, width=width)
        rows, seen = layers_of(resolution), _attended(resolution, attention)
        place = 2 * (seen.bit_length() - 3) if seen else NOWHERE  # before the row that goes on from that size
        if seen and rows[min(place, len(rows) - 1)][1] * width < 8:
            raise BadInput(f"Expected a width of 8 channels or more where the attention is, got width {width}.")
        bounded("n_stats", n_stats, 2, 1001)
        check_truncation(truncation, n_stats)
        super().__init__(
            z_dim, embed_dim, width, max(1, sum(known)), rows, place, n_stats=n_stats, img_channels=channels
        )
        self.resolution, self.classes, self.embed_dim, self.truncation = resolution, known, embed_dim, truncation
        _orthogonal(self)
        if normalised:
            normalise_spectrum(self.generator)

    def embed(self, y: Tensor) -> Tensor:
        """Labels (N, L) -> (N, embed_dim): the sum of one learned vector for each."""
        embedded: Tensor = self.embeddings(one_hot(y, self.classes))
        return embedded

    def truncate(self, truncation: float) -> None:
        """Draw at another truncation than the one it was made with. BadInput for one without statistics."""
        self.truncation = check_truncation(truncation, self.n_stats)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, embed_dim) -> (N, channels, R, R)."""
        embedding = self.condition(z, y)
        if embedding is None:
            embedding = self.embeddings(z.new_ones(len(z), 1))
        if not self.training:
            self.set_truncation(self.truncation, exact=True)
            z = z * self.truncation
        return BigGANDeep.forward(self, z, embedding)


class Down(nn.Module):
    """Bottleneck block of four pre-activated convolutions: (N, cin, H, W) -> (N, cout, H / 2, W / 2), or the same size.

    The shortcut keeps its channels and adds what is missing by a 1x1 convolution: figure 16 of the paper.
    """

    def __init__(self, cin: int, cout: int, *, down: bool) -> None:
        super().__init__()
        middle = max(1, cout // 4)
        self.convs = nn.ModuleList(
            Conv(a, b, size)
            for a, b, size in ((cin, middle, 1), (middle, middle, 3), (middle, middle, 3), (middle, cout, 1))
        )
        self.more = Conv(cin, cout - cin, 1) if cout > cin else None
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H', W')."""
        h, short = x, F.avg_pool2d(x, 2) if self.down else x
        for conv in self.convs[:-1]:
            h = conv(F.relu(h))
        h = F.relu(h)
        h = self.convs[-1](F.avg_pool2d(h, 2) if self.down else h)
        return torch.add(h, short if self.more is None else torch.cat([short, self.more(short)], dim=1))


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,), spectrally normalised."""

    def __init__(
        self, resolution: int, classes: Sequence[int] = (), *, channels: int = 3, width: int = 128,
        attention: int | None = None, normalised: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes = check_size(resolution, classes, least=16, most=512, channels=channels, width=width)
        stages, seen, size = STAGES[resolution][::-1], _attended(resolution, attention), resolution
        blocks: list[nn.Module] = [Conv(channels, stages[0][1] * width, 3)]
        for wide, narrow in stages:
            if size == seen == resolution:
                blocks.append(self._attention(narrow * width))
            blocks += [Down(narrow * width, wide * width, down=True), Down(wide * width, wide * width, down=False)]
            size //= 2
            if size == seen:
                blocks.append(self._attention(wide * width))
        self.blocks = nn.Sequential(*blocks)
        last = stages[-1][0] * width
        self.real = nn.Linear(last, 1)
        self.labels = Condition(self.classes, last)
        _orthogonal(self)
        if normalised:
            normalise_spectrum(self)

    @staticmethod
    def _attention(width: int) -> Attention:
        if width < 8:
            raise BadInput(f"Expected 8 channels or more where the attention is, got {width}. Choose a larger width.")
        return Attention(width)

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        images = images.to(self.real.weight.dtype).contiguous(memory_format=torch.channels_last)
        h = F.relu(self.blocks(images)).sum((2, 3))  # (N, C)
        logits: Tensor = self.real(h).squeeze(1)
        return logits if y is None or not self.classes else logits + (self.labels(y) * h).sum(1)
