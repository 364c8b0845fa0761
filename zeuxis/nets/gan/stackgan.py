"""StackGAN: Zhang et al., "StackGAN: text to photo-realistic image synthesis with stacked generative adversarial
networks" (2017), https://arxiv.org/abs/1612.03242

The condition is the embedding of a text. It becomes a normal distribution whose draws c are what the layers are told:
conditioning augmentation, with the divergence of Eq. 2 as a penalty. Stage I draws a small picture of z and c (Eqs. 3,
4); stage II sees that picture, not z, and a c of its own, and draws it again `ratio` times as large (Eqs. 5, 6). The
discriminator is told the text and is also shown real pictures with the text of another one, as false (matching-aware,
Reed et al. 2016, https://arxiv.org/abs/1605.05396; the recipes' option `mismatched`).

Both stages are one network here: up to the share `switch` of the training stage I is trained, from then on stage II,
with stage I as it is. Widths and kernels are those of the authors' code; there R is 256, ratio 4, width 96 and 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import LatentGenerator, Texts, check_size
from zeuxis.nets.gan.dcgan import initialise
from zeuxis.nets.layers import bounded, dtype_of


def pair() -> tuple[type[Generator], type[Discriminator]]:
    """Generator and discriminator."""
    return Generator, Discriminator


def _check(resolution: int, classes: Sequence[int], ratio: int, switch: float, **sizes: int) -> tuple[int, ...]:
    if ratio not in (2, 4):
        raise BadInput(f"Expected a ratio of 2 or 4 between the stages, got {repr(ratio)[:40]}.")
    checked = check_size(resolution, classes, 8 * ratio, **sizes)
    if not checked:
        raise BadInput("StackGAN needs a condition: set texts = true for data with captions, or give data with labels.")
    if isinstance(switch, bool) or not isinstance(switch, int | float) or not 0 < switch < 1:
        raise BadInput(f"Expected the switch to stage II between 0 and 1, got {repr(switch)[:40]}.")
    return checked


class Augmentation(nn.Module):
    """Conditioning augmentation, section 3.2: texts (N, E) -> conditions (N, C)."""

    def __init__(self, text_dim: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(text_dim, 2 * size)

    def distribution(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (N, C) each."""
        mean, log_variance = F.leaky_relu(self.linear(text.to(self.linear.weight.dtype)), 0.2).float().chunk(2, dim=1)
        return mean, log_variance

    def forward(self, text: Tensor) -> Tensor:
        """mean + deviation * noise (N, C) while it is trained, else the mean."""
        mean, log_variance = self.distribution(text)
        return mean + (log_variance / 2).exp() * torch.randn_like(mean) if self.training else mean

    def divergence(self, text: Tensor) -> Tensor:
        """Eq. 2: D_KL(N(mean, variance) || N(0, 1)) over the number of dimensions, (N, E) -> (N,)."""
        mean, log_variance = self.distribution(text)
        return (mean.square() + log_variance.exp() - 1 - log_variance).mean(1) / 2


def _up(cin: int, cout: int) -> list[nn.Module]:
    """(N, cin, H, W) -> (N, cout, 2H, 2W)."""
    doubled = nn.Upsample(scale_factor=2.0, mode="nearest")
    return [doubled, nn.Conv2d(cin, cout, 3, 1, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]


class First(nn.Module):
    """Stage I: z (N, z_dim), text (N, E) -> (N, channels, R, R). `width` channels at R."""

    def __init__(self, resolution: int, channels: int, z_dim: int, text_dim: int, condition: int, width: int) -> None:
        super().__init__()
        self.augment = Augmentation(text_dim, condition)
        steps = int(math.log2(resolution)) - 2
        self.first = width * 2**steps
        linear = nn.Linear(z_dim + condition, 16 * self.first, bias=False)
        self.start = nn.Sequential(linear, nn.BatchNorm1d(16 * self.first), nn.ReLU())
        ups = [_up(self.first // 2**k, self.first // 2 ** (k + 1)) for k in range(steps)]
        self.body = nn.Sequential(
            *(layer for up in ups for layer in up), nn.Conv2d(width, channels, 3, 1, 1), nn.Tanh()
        )

    def forward(self, z: Tensor, text: Tensor) -> Tensor:
        """(N, z_dim), (N, E) -> (N, channels, R, R)."""
        h = self.start(torch.cat([z, self.augment(text)], dim=1).to(dtype_of(self.start)))
        images: Tensor = self.body(h.view(-1, self.first, 4, 4))
        return images


class Block(nn.Module):
    """Two convolutions beside the identity: (N, width, H, W) -> (N, width, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2)]
        self.body = nn.Sequential(convs[0], nn.BatchNorm2d(width), nn.ReLU(), convs[1], nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, width, H, W)."""
        return F.relu(x + self.body(x))


class Second(nn.Module):
    """Stage II: pictures (N, channels, r, r), text (N, E) -> (N, channels, ratio r, ratio r). `width` channels at r."""

    def __init__(self, ratio: int, channels: int, text_dim: int, condition: int, width: int, blocks: int) -> None:
        super().__init__()
        self.augment = Augmentation(text_dim, condition)
        encode: list[nn.Module] = [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.ReLU()]
        for cin in (width, 2 * width):
            encode += [nn.Conv2d(cin, 2 * cin, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * cin), nn.ReLU()]
        self.encode = nn.Sequential(*encode)
        inner = 4 * width
        joint = nn.Conv2d(inner + condition, inner, 3, 1, 1, bias=False)
        self.joint = nn.Sequential(joint, nn.BatchNorm2d(inner), nn.ReLU(), *(Block(inner) for _ in range(blocks)))
        steps = int(math.log2(4 * ratio))
        ups = [_up(inner // 2**k, inner // 2 ** (k + 1)) for k in range(steps)]
        last = nn.Conv2d(inner // 2**steps, channels, 3, 1, 1)
        self.body = nn.Sequential(*(layer for up in ups for layer in up), last, nn.Tanh())

    def forward(self, small: Tensor, text: Tensor) -> Tensor:
        """(N, channels, r, r), (N, E) -> (N, channels, ratio r, ratio r)."""
        h = self.encode(small.to(dtype_of(self.encode)))
        c = self.augment(text).to(h.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])
        images: Tensor = self.body(self.joint(torch.cat([h, c], dim=1)))
        return images


class Generator(LatentGenerator):
    """z (N, z_dim) and labels or embeddings of texts (N, text_dim) -> images (N, channels, R, R) in [-1, 1].

    `width` channels of stage I at R / ratio, `second_width` of stage II at R / ratio. Before the switch the picture is
    stage I's, each pixel `ratio` times as wide and high.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, z_dim: int = 100, text_dim: int = 64,
        condition: int = 32, width: int = 32, second_width: int = 32, blocks: int = 2, ratio: int = 2,
        switch: float = 0.5, progress: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"z_dim": z_dim, "text_dim": text_dim, "condition": condition, "width": width}
        self.classes = _check(resolution, classes, ratio, switch, channels=channels, **sizes)
        bounded("blocks", blocks, 0, 64)
        if bounded("second_width", second_width, 1, 2**14) % ratio:
            raise BadInput(f"Expected a second_width that the ratio {ratio} divides, got {second_width}.")
        self.resolution, self.z_dim, self.embed_dim, self.ratio = resolution, z_dim, text_dim, ratio
        self.labels, self.switch, self.progress = Texts(self.classes, text_dim), switch, progress
        self.first = First(resolution // ratio, channels, z_dim, text_dim, condition, width)
        self.second = Second(ratio, channels, text_dim, condition, second_width, blocks)
        initialise(self)

    def set_progress(self, progress: float) -> None:
        """The share of the training that is done: below `switch` stage I draws and is trained."""
        self.progress = progress

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, z_dim), labels (N, L) or embeddings (N, text_dim) -> (N, channels, R, R)."""
        text = self.condition(z, y)
        assert text is not None  # it has labels
        if self.progress < self.switch:
            return F.interpolate(self.first(z, text), scale_factor=self.ratio, mode="nearest")
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):  # stage I stays as it is
            small = self.first(z, text)
        images: Tensor = self.second(small, text)
        return images

    def divergence(self, y: Tensor) -> Tensor:
        """Eq. 2 of the stage that is being trained: labels (N, L) -> (N,)."""
        stage = self.first if self.progress < self.switch else self.second
        return stage.augment.divergence(self.embed(y))


class Judge(nn.Module):
    """The discriminator of one stage: (N, channels, R, R), text (N, E) -> (N,). `width` channels at R / 2."""

    def __init__(self, resolution: int, channels: int, text_dim: int, condition: int, width: int) -> None:
        super().__init__()
        self.text = nn.Linear(text_dim, condition)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        size, most = width, 8 * width
        for _ in range(int(math.log2(resolution)) - 3):  # to 4x4 pixels
            layers += [nn.Conv2d(size, 2 * size, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * size), nn.LeakyReLU(0.2)]
            size *= 2
        while size > most:
            layers += [nn.Conv2d(size, size // 2, 3, 1, 1, bias=False), nn.BatchNorm2d(size // 2), nn.LeakyReLU(0.2)]
            size //= 2
        self.body = nn.Sequential(*layers)
        joint = nn.Conv2d(size + condition, size, 3, 1, 1, bias=False)
        self.head = nn.Sequential(joint, nn.BatchNorm2d(size), nn.LeakyReLU(0.2), nn.Conv2d(size, 1, 4))

    def forward(self, images: Tensor, text: Tensor) -> Tensor:
        """(N, channels, R, R), (N, E) -> (N,)."""
        h = self.body(images.to(dtype_of(self.body)))
        c = F.leaky_relu(self.text(text.to(dtype_of(self.text))), 0.2)
        c = c.to(h.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])
        logits: Tensor = self.head(torch.cat([h, c], dim=1))
        return logits.flatten()


class Discriminator(nn.Module):
    """Images (N, channels, R, R) in [-1, 1] and labels (N, L) -> logits (N,); before the switch of their means over
    `ratio` x `ratio` pixels. Without labels the text is 0.
    """

    def __init__(
        self, resolution: int, classes: Sequence[int], *, channels: int = 3, text_dim: int = 64, condition: int = 32,
        width: int = 32, ratio: int = 2, switch: float = 0.5, progress: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {"text_dim": text_dim, "condition": condition, "width": width}
        self.classes = _check(resolution, classes, ratio, switch, channels=channels, **sizes)
        self.text_dim, self.ratio, self.switch, self.progress = text_dim, ratio, switch, progress
        self.labels = Texts(self.classes, text_dim)
        self.first = Judge(resolution // ratio, channels, text_dim, condition, width)
        self.second = Judge(resolution, channels, text_dim, condition, width)
        initialise(self)

    def set_progress(self, progress: float) -> None:
        """The share of the training that is done."""
        self.progress = progress

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, channels, R, R), (N, L) -> (N,)."""
        text = images.new_zeros(len(images), self.text_dim) if y is None else self.labels(y)
        if self.progress < self.switch:
            small: Tensor = self.first(F.avg_pool2d(images, self.ratio), text)
            return small
        whole: Tensor = self.second(images, text)
        return whole
