"""Penalties on the slope of a discriminator, by the name that recipes use, computed in float32 and without autocast.

Each is `penalty(D, real, fake, y_real, y_fake, on_real, rng) -> scalar`, times its weight in the loss of D; `on_real`
are the values of D on `real` that the loss was taken of. `every` n steps (lazy, Karras et al. 2020, appendix B) it is
n times as heavy; Adam's rate and moments, which the authors lower to match, stay as they are. It differentiates a
gradient, which a compiled network cannot: give the plain one. A penalty whose own gradient to the weights is zero
does nothing: tests hold each against that. The generator's are objects, `penalty(G, z, y, rng) -> scalar`, with
`check(G)` and a state for the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.biggan_layers import Norm
from zeuxis.nets.layers import ConditionalBatchNorm
from zeuxis.registry import Entry, Table

PENALTIES = Table(
    "penalty",
    {
        "r1": Entry("zeuxis.lab.penalties:r1", "slope at real pictures, Mescheder et al. 2018, arXiv 1801.04406"),
        "r2": Entry("zeuxis.lab.penalties:r2", "slope at generated pictures, the same"),
        "drift": Entry("zeuxis.lab.penalties:drift", "values near 0, Karras et al. 2018, arXiv 1710.10196, A.1"),
        "gradient": Entry("zeuxis.lab.penalties:gradient", "a slope of 1, Gulrajani et al. 2017, arXiv 1704.00028"),
    },
)

Network = Callable[..., Any]


def _squared_slope(discriminator: Network, images: Tensor, y: Tensor) -> Tensor:
    """|d D(x) / d x|^2 for each picture: (N, C, H, W), (N, L) -> (N,)."""
    images = images.detach().float().requires_grad_(True)
    with torch.autocast(images.device.type, enabled=False):
        logits: Tensor = discriminator(images, y)
        (slope,) = torch.autograd.grad(logits.float().sum(), images, create_graph=True)
    return slope.square().sum((1, 2, 3))


def r1(
    discriminator: Network,
    real: Tensor,
    fake: Tensor,
    y_real: Tensor,
    y_fake: Tensor,
    on_real: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """Eq. 9: half the mean squared slope at real pictures."""
    return _squared_slope(discriminator, real, y_real).mean() / 2


def r2(
    discriminator: Network,
    real: Tensor,
    fake: Tensor,
    y_real: Tensor,
    y_fake: Tensor,
    on_real: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """Eq. 10: half the mean squared slope at generated pictures."""
    return _squared_slope(discriminator, fake, y_fake).mean() / 2


def gradient(
    discriminator: Network,
    real: Tensor,
    fake: Tensor,
    y_real: Tensor,
    y_fake: Tensor,
    on_real: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """Eq. 3: mean (|slope| - 1)^2 at points drawn uniformly between a real and a generated picture, the real labels."""
    place = torch.rand(len(real), 1, 1, 1, generator=rng).to(real.device)
    between = torch.lerp(real.float(), fake.float(), place)
    return ((_squared_slope(discriminator, between, y_real) + 1e-12).sqrt() - 1).square().mean()


def drift(
    discriminator: Network,
    real: Tensor,
    fake: Tensor,
    y_real: Tensor,
    y_fake: Tensor,
    on_real: Tensor,
    rng: torch.Generator,
) -> Tensor:
    """The mean square of D on real pictures, so that a critic's values do not wander off; its weight is 1e-3."""
    return on_real.float().square().mean()


GENERATOR_PENALTIES = Table(
    "penalty of the generator",
    {
        "path-length": Entry("zeuxis.lab.penalties:PathLength", "even steps in w, Karras et al. 2020"),
        "orthogonal": Entry("zeuxis.lab.penalties:Orthogonal", "filters apart, Brock et al. 2019"),
        "conditioning": Entry("zeuxis.lab.penalties:Conditioning", "texts as normal distributions, Zhang et al. 2017"),
    },
)


class PathLength:
    """Karras et al. 2020 (arXiv 1912.04958), section 3.2: mean (|J_w^T n| - a)^2, n normal noise over the
    square root of the pixels, a a running mean.

    The generator has `map(z, y) -> w`, `layer_sizes()` and `synthesise(ws)`; the length of a path is the root of the
    mean over its layers. The running mean follows with `decay` each time the penalty is computed.
    """

    decay = 0.01

    def __init__(self) -> None:
        self.mean = 0.0

    @staticmethod
    def check(generator: nn.Module) -> None:
        """BadInput for a generator without styles."""
        check_styles(generator, "The penalty path-length")

    def __call__(self, generator: Any, z: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        """Latents (N, z_dim) and labels (N, L) -> scalar, with a gradient to the weights."""
        with torch.autocast(z.device.type, enabled=False):
            w = generator.map(z, y).float()
            ws = w[:, None].repeat(1, len(generator.layer_sizes()), 1)  # (N, L, w_dim)
            images = generator.synthesise(ws).float()
            noise = torch.randn(images.shape, generator=rng).to(images.device) / math.sqrt(images[0, 0].numel())
            (slope,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
        lengths = slope.square().sum(2).mean(1).sqrt()  # (N,)
        self.mean += self.decay * (float(lengths.detach().mean()) - self.mean)
        return torch.as_tensor((lengths - self.mean).square().mean())

    def state(self) -> dict[str, float]:
        """The running mean."""
        return {"mean": self.mean}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.mean = float(state.get("mean", 0.0))


class Orthogonal:
    """Brock et al. 2019 (arXiv 1809.11096), Eq. 3: the sum over weights W (out, in k k) of |W W^T * (1 - I)|^2.

    Embeddings of labels are left out, and what makes gains and biases of norms from a condition.
    """

    @staticmethod
    def check(generator: nn.Module) -> None:
        """Any generator has weights."""

    def __call__(self, generator: nn.Module, z: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        """-> scalar, with a gradient to the weights; the latents play no part."""
        kinds = nn.Embedding | Norm | ConditionalBatchNorm
        apart: list[nn.Module] = [m for m in generator.modules() if isinstance(m, kinds)]
        apart += [m for name in ("embeddings", "labels") if isinstance(m := getattr(generator, name, None), nn.Module)]
        left_out = {id(p) for m in apart for p in m.parameters()}
        weights = [p.flatten(1) for p in generator.parameters() if p.ndim in (2, 4) and id(p) not in left_out]
        grams = [w @ w.T for w in weights]
        return torch.stack([(gram - gram.diagonal().diag()).square().sum() for gram in grams]).sum()

    def state(self) -> dict[str, float]:
        """None."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


class Conditioning:
    """Zhang et al. 2017 (arXiv 1612.03242), Eq. 2: the mean divergence of the distributions that the generator makes of
    its conditions from N(0, 1), each over its number of dimensions; the authors' weight is 2.
    """

    @staticmethod
    def check(generator: nn.Module) -> None:
        """BadInput for a generator without conditioning augmentation."""
        if not hasattr(generator, "divergence"):
            raise BadInput('The penalty conditioning needs architecture = "stackgan". Choose it, or leave it out.')

    def __call__(self, generator: Any, z: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        """Labels (N, L) -> scalar, with a gradient to the weights; the latents play no part."""
        with torch.autocast(y.device.type, enabled=False):
            return torch.as_tensor(generator.divergence(y).mean())

    def state(self) -> dict[str, float]:
        """None."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to load."""


def check_styles(generator: nn.Module, what: str) -> None:
    """BadInput unless `generator` has the three methods of a generator with styles."""
    if not all(hasattr(generator, name) for name in ("map", "layer_sizes", "synthesise")):
        raise BadInput(f'{what} needs a generator with styles: choose architecture = "stylegan2", or leave it out.')
