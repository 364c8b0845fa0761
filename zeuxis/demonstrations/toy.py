"""Small things to train on, and how: points in the plane, pictures of 16 pixels, and one plain training loop.

A point (x, y) is a picture of 1x2 pixels (N, 1, 1, 2), so that objectives and penalties of the lab serve both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.data import read_images
from zeuxis.demonstrations.base import Settings
from zeuxis.lab.objectives import OBJECTIVES, Objective
from zeuxis.lab.penalties import PENALTIES
from zeuxis.nets.gan import dcgan
from zeuxis.rng import derive, stream

SPREAD, SIDE = 0.05, 16  # deviation of each mode of the points; pixels of the pictures
Real = Callable[[int, torch.Generator], Tensor]  # count, source of randomness -> pictures (N, C, H, W)


def ring(count: int, rng: torch.Generator, modes: int = 8) -> Tensor:
    """Normal modes on a circle of radius 1: (N, 1, 1, 2)."""
    return around(circle(modes), count, rng)


def circle(modes: int = 8) -> Tensor:
    """Their centres (K, 2)."""
    angle = torch.arange(modes) * 2 * math.pi / modes
    return torch.stack([angle.cos(), angle.sin()], 1)


def around(centres: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Points near centres (K, 2), each as often: (N, 1, 1, 2)."""
    points = centres[torch.randint(len(centres), (count,), generator=rng)]
    return (points + SPREAD * torch.randn(count, 2, generator=rng)).view(-1, 1, 1, 2)


def spiral(count: int, rng: torch.Generator) -> Tensor:
    """Two arms, a turn and a half each: (N, 1, 1, 2)."""
    along = torch.rand(count, generator=rng).sqrt()
    angle = 3 * math.pi * along + math.pi * torch.randint(2, (count,), generator=rng)
    points = torch.stack([angle.cos(), angle.sin()], 1) * along[:, None]
    return (1.1 * points + 0.02 * torch.randn(count, 2, generator=rng)).view(-1, 1, 1, 2)


def moons(count: int, rng: torch.Generator) -> Tensor:
    """Two half circles, one within the other: (N, 1, 1, 2)."""
    angle, upper = math.pi * torch.rand(count, generator=rng), torch.randint(2, (count,), generator=rng).bool()
    x = torch.where(upper, angle.cos() - 0.5, 0.5 - angle.cos())
    y = torch.where(upper, angle.sin() - 0.2, 0.2 - angle.sin())
    return (torch.stack([x, y], 1) + SPREAD * torch.randn(count, 2, generator=rng)).view(-1, 1, 1, 2)


def shapes(count: int, rng: torch.Generator) -> Tensor:
    """Grey discs and squares of any place, size and brightness, five numbers a picture: (N, 1, 16, 16) in [-1, 1]."""
    x, y, size, light, square = torch.rand(5, count, 1, 1, generator=rng)
    across = torch.arange(SIDE) + 0.5
    dx, dy = across - (4 + 8 * x), across[:, None] - (4 + 8 * y)
    distance = torch.where(square < 0.5, torch.maximum(dx.abs(), dy.abs()), (dx.square() + dy.square()).sqrt())
    inside = (2 + 3 * size - distance + 0.5).clamp(0, 1)  # edges fade over one pixel
    return torch.as_tensor((inside * (0.3 + 0.7 * light))[:, None] * 2 - 1)


def pictures(settings: Settings) -> tuple[Real, str]:
    """Digits of MNIST where there is a folder of data, else shapes; and what they are called."""
    if settings.data is None:
        return shapes, "discs and squares"
    digits = read_images("mnist", settings.data, "train")

    def draw(count: int, rng: torch.Generator) -> Tensor:
        images = digits.batch(torch.randint(len(digits), (count,), generator=rng))
        return F.adaptive_avg_pool2d(images[:, :1], SIDE)

    return draw, "handwritten digits"


class Points(nn.Module):
    """Perceptron z (N, z_dim) -> points (N, 1, 1, 2)."""

    def __init__(self, z_dim: int, width: int) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.body = nn.Sequential(
            nn.Linear(z_dim, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2)
        )

    def forward(self, z: Tensor) -> Tensor:
        """(N, z_dim) -> (N, 1, 1, 2)."""
        return torch.as_tensor(self.body(z)).view(-1, 1, 1, 2)


class Surface(nn.Module):
    """Perceptron of points (N, 1, 1, 2) -> logits (N,)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
        )

    def forward(self, images: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, 1, 1, 2) -> (N,)."""
        return torch.as_tensor(self.body(images.flatten(1))).squeeze(1)


@dataclass
class Toy:
    """Two networks with their optimisers, trained by `run`; `losses` has a row (D, G) for each step."""

    generator: nn.Module
    discriminator: nn.Module
    z_dim: int
    seed: int = 0
    objective: str = "non-saturating"
    r1: float = 0.0
    lr: tuple[float, float] = (1e-3, 1e-3)  # of the generator and of the discriminator
    betas: tuple[float, float] = (0.5, 0.99)
    batch: int = 128
    losses: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.of: Objective = OBJECTIVES[self.objective]()
        nets = (self.generator, self.discriminator)
        self.adams = [
            torch.optim.Adam(net.parameters(), lr=lr, betas=self.betas) for net, lr in zip(nets, self.lr, strict=True)
        ]

    def z(self, count: int, rng: torch.Generator) -> Tensor:
        """Latents (N, z_dim)."""
        return torch.randn(count, self.z_dim, generator=rng)

    @torch.no_grad()
    def draw(self, count: int) -> Tensor:
        """Pictures (N, C, H, W), always of the same latents."""
        return torch.as_tensor(self.generator(self.z(count, stream(self.seed, "look"))))

    def discriminate(self, real: Tensor, rng: torch.Generator) -> float:
        """One update of the discriminator."""
        fake = self.generator(self.z(len(real), rng)).detach()
        on_real = self.discriminator(real)
        loss = self.of.discriminator(on_real, self.discriminator(fake))
        none = torch.zeros(len(real), 0, dtype=torch.long)
        total = loss if not self.r1 else loss + self.r1 * PENALTIES["r1"](
            self.discriminator, real, fake, none, none, on_real, rng
        )  # fmt: skip
        self.adams[1].zero_grad()
        total.backward()
        self.adams[1].step()
        return float(loss.detach())

    def run(self, real: Real, steps: int, k: int = 1, look: Callable[[int], None] | None = None) -> Toy:
        """`steps` of the generator, `k` of the discriminator before each; `look(step)` after each."""
        for step in range(steps):
            rng = stream(self.seed, "step", len(self.losses))
            d_loss = [self.discriminate(real(self.batch, rng), rng) for _ in range(k)][-1]
            loss = self.of.generator(self.discriminator(self.generator(self.z(self.batch, rng))))
            self.adams[0].zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.adams[0].step()
            self.losses.append((d_loss, float(loss.detach())))
            if look:
                look(step)
        return self


def on_points(settings: Settings, z_dim: int = 8, width: int = 64, **options: object) -> Toy:
    """Fresh perceptrons for points."""
    torch.manual_seed(derive(settings.seed, "weights"))
    return Toy(Points(z_dim, width), Surface(width), z_dim, settings.seed, **options)  # type: ignore[arg-type]


def on_pictures(settings: Settings, z_dim: int = 16, **options: object) -> Toy:
    """Fresh networks for grey pictures of 16 pixels: a narrow DCGAN."""
    torch.manual_seed(derive(settings.seed, "weights"))
    generator = dcgan.Generator(SIDE, channels=1, z_dim=z_dim, width=12)
    discriminator = dcgan.Discriminator(SIDE, channels=1, width=12)
    plain: dict[str, object] = {"lr": (1e-3, 5e-4), "batch": 64}
    return Toy(generator, discriminator, z_dim, settings.seed, **plain | options)  # type: ignore[arg-type]


def found_modes(points: Tensor, centres: Tensor) -> tuple[int, float]:
    """How many centres have a fair share of the points near them (a quarter of it at least, within 4 deviations), and
    the share of points that lie near any: `(N, 1, 1, 2)`, `(K, 2)`.
    """
    distance, nearest = torch.cdist(points.flatten(1), centres).min(1)
    near = distance < 4 * SPREAD
    counts = torch.bincount(nearest[near], minlength=len(centres))
    return int((counts >= len(points) / len(centres) / 4).sum()), float(near.double().mean())
