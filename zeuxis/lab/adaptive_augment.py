"""Adaptive discriminator augmentation: Karras et al., "Training generative adversarial networks with limited data"
(2020), https://arxiv.org/abs/2006.06676

Each transformation is applied to each picture with probability p, alike to real and generated ones. As long as p is
below 0.8 the distribution of the augmented pictures still says which the pictures were, so none of it leaks into the
generator (section 2.2). p follows r = E[sign(D(real))], Eq. 1: above the target D knows its pictures by heart and p
rises, below it falls. The transformations and their ranges are those of appendix B.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.lab.augment import Numbers

# Low-pass filter of the wavelet sym6, twelve taps that sum to sqrt(2) (Daubechies 1992; appendix B of the paper)
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
    0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
    0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
PHASE = -0.5  # of the centre of SYM6, tap 5 of 0 to 11, in half pixels
MARGIN = 6
LUMA = (1 / math.sqrt(3),) * 3  # the grey axis of RGB


class Adaptive:
    """The pipeline and its probability p in [0, 1], adapted every `every` steps so that 0 becomes 1 in `length` images.

    `geometry`, `colour` and `cutout` weigh p for their groups. With `fixed` p stays as the caller sets it.
    """

    def __init__(
        self, *, target: float = 0.6, length: int = 500_000, every: int = 4, geometry: float = 1.0, colour: float = 1.0,
        cutout: float = 0.0, p: float = 0.0, fixed: bool = False,
    ) -> None:  # fmt: skip
        self.target, self.length, self.every, self.p, self.fixed = target, length, every, p, fixed
        self.geometry, self.colour, self.cutout = geometry, colour, cutout
        self.signs, self.steps, self.images, self.r = 0.0, 0, 0, 0.0

    def __call__(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """Images (N, C, R, R) in [-1, 1] -> the same shape; gradients flow. Draws the same numbers whatever p is."""
        return self.changed(x, *self.numbers(len(x), x.shape[-1], rng))

    def numbers(self, count: int, size: int, rng: torch.Generator) -> Numbers:
        """For `count` pictures of `size` pixels a side: moves (N, 3, 3), colours (N, 4, 4), holes (N, 1, R, R)."""
        moves = geometry(count, size, self.p * self.geometry, rng)
        return moves, colour(count, self.p * self.colour, rng), hole(count, size, self.p * self.cutout, rng)

    def changed(self, x: Tensor, moves: Tensor, colours: Tensor, holes: Tensor) -> Tensor:
        """Images (N, C, R, R) -> the same shape, changed as the numbers say."""
        x = warp(x, moves) if self.geometry else x
        x = recolour(x, colours) if self.colour else x
        return x if self.cutout == 0 else x * holes.to(x.device, x.dtype)

    def after_step(self, figures: dict[str, Any]) -> dict[str, float]:
        """`sign`: mean sign of D(real) in this step, `images`: how many were shown. p and r for the log."""
        self.signs, self.steps = self.signs + float(figures["sign"]), self.steps + 1
        self.images += int(figures["images"])
        if self.steps == self.every:
            self.r = self.signs / self.steps
            if not self.fixed:
                step = self.images / self.length
                self.p = min(max(self.p + math.copysign(step, self.r - self.target), 0.0), 1.0)
            self.signs, self.steps, self.images = 0.0, 0, 0
        return {"augmentation": self.p, "sign": self.r}

    def state(self) -> dict[str, Any]:
        """p and the sums since its last change, JSON-able."""
        return {"p": self.p, "r": self.r, "signs": self.signs, "steps": self.steps, "images": self.images}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.p, self.r, self.signs = (float(state.get(name, 0.0)) for name in ("p", "r", "signs"))
        self.steps, self.images = (int(state.get(name, 0)) for name in ("steps", "images"))


class _Draw:
    """Numbers for `count` pictures; each transformation with its own chance."""

    def __init__(self, count: int, rng: torch.Generator) -> None:
        self.count, self.rng = count, rng

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """(N,) in [low, high)."""
        return low + (high - low) * torch.rand(self.count, generator=self.rng)

    def normal(self, deviation: float) -> Tensor:
        """(N,)."""
        return torch.randn(self.count, generator=self.rng) * deviation

    def where(self, p: float, value: Tensor, rest: float) -> Tensor:
        """`value` with probability p, else `rest`, which changes nothing."""
        return torch.where(self.uniform() < p, value, torch.full_like(value, rest))


def _matrix(rows: list[list[Tensor | float]], count: int) -> Tensor:
    """Numbers and (N,) -> (N, rows, columns)."""
    cells = [[torch.as_tensor(cell, dtype=torch.float32).expand(count) for cell in row] for row in rows]
    return torch.stack([torch.stack(row, 1) for row in cells], 1)


def geometry(count: int, size: int, p: float, rng: torch.Generator) -> Tensor:
    """Where each pixel of the result is taken from: (N, 3, 3), in pixels about the centre. Appendix B, geometric."""
    draw, one, nought = _Draw(count, rng), 1.0, 0.0

    def scale(sx: Tensor, sy: Tensor) -> Tensor:
        return _matrix([[1 / sx, nought, nought], [nought, 1 / sy, nought], [nought, nought, one]], count)

    def rotate(angle: Tensor) -> Tensor:
        c, s = torch.cos(angle), torch.sin(angle)
        return _matrix([[c, s, nought], [-s, c, nought], [nought, nought, one]], count)

    def shift(dx: Tensor, dy: Tensor) -> Tensor:
        return _matrix([[one, nought, -dx], [nought, one, -dy], [nought, nought, one]], count)

    flip = draw.where(p, (draw.uniform() < 0.5).float() * -2 + 1, 1.0)
    g = scale(flip, torch.ones(count))
    g = g @ _right_angles(draw.where(p, (draw.uniform() * 4).floor(), 0.0))
    chosen, dx, dy = draw.uniform() < p, draw.uniform(-0.125, 0.125), draw.uniform(-0.125, 0.125)
    g = g @ shift(*((d * size).round() * chosen for d in (dx, dy)))
    s = draw.where(p, torch.exp2(draw.normal(0.2)), 1.0)
    g = g @ scale(s, s)
    turn = 1 - math.sqrt(max(0.0, 1 - min(p, 1.0)))  # before or after the uneven scaling: together p
    g = g @ rotate(draw.where(turn, draw.uniform(-math.pi, math.pi), 0.0))
    s = draw.where(p, torch.exp2(draw.normal(0.2)), 1.0)
    g = g @ scale(s, 1 / s)
    g = g @ rotate(draw.where(turn, draw.uniform(-math.pi, math.pi), 0.0))
    chosen, dx, dy = draw.uniform() < p, draw.normal(0.125), draw.normal(0.125)
    return g @ shift(*(d * size * chosen for d in (dx, dy)))


def _right_angles(quarters: Tensor) -> Tensor:
    """Rotations by 0 to 3 right angles, exactly: (N,) -> (N, 3, 3)."""
    c, s = torch.tensor([1.0, 0.0, -1.0, 0.0])[quarters.long()], torch.tensor([0.0, 1.0, 0.0, -1.0])[quarters.long()]
    return _matrix([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]], len(quarters))


def warp(x: Tensor, moves: Tensor) -> Tensor:
    """Images (N, C, R, R) seen through `moves` (N, 3, 3), reflected beyond the edge, sampled at twice the resolution.

    A picture that does not move stays as it is, bit for bit, and costs nothing where `moves` is on the CPU. Where they
    are on a GPU all are computed: how many move is not known there, and a captured step has one size.
    """
    if moves.device.type != "cpu":
        still = (moves == torch.eye(3, device=moves.device)).flatten(1).all(1)[:, None, None, None]
        return torch.where(still, x, _warped(x.float(), moves).to(x.dtype))
    rows = (moves != torch.eye(3)).flatten(1).any(1).nonzero()[:, 0]  # on the CPU: no wait for a GPU
    if not len(rows):
        return x
    where = rows.to(x.device)
    return x.index_copy(0, where, _warped(x[where].float(), moves[rows].to(x.device)).to(x.dtype))


def _warped(x: Tensor, moves: Tensor) -> Tensor:
    """`warp` of pictures (n, C, R, R) float32 that all move."""
    size = x.shape[-1]
    part = F.pad(x, (size // 2,) * 4, mode="reflect")
    wide, fine = part.shape[-1], size + MARGIN  # the last filter looks MARGIN / 2 pixels beyond the edge
    part = _resampled(part, _up(wide, x.device))  # (n, C, 2 wide, 2 wide)
    line = torch.arange(2 * fine, device=x.device) + 0.5 - fine  # half pixels from the centre
    y, x_ = torch.meshgrid(line - PHASE, line - PHASE, indexing="ij")
    points = torch.stack([x_ / 2, y / 2, torch.ones_like(y)], 2).view(-1, 3)  # (4 fine^2, 3) pixels
    taken = ((points @ moves.transpose(1, 2))[..., :2] * 2 + PHASE) / wide  # (n, 4 fine^2, 2) in [-1, 1]
    grid = taken.view(-1, 2 * fine, 2 * fine, 2)
    part = F.grid_sample(part, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return _resampled(part, _down(size, x.device))


def _resampled(x: Tensor, matrix: Tensor) -> Tensor:
    """Along both axes: (N, C, H, H) by (K, H) -> (N, C, K, K)."""
    return matrix @ x @ matrix.T


@functools.cache
def _up(size: int, device: torch.device) -> Tensor:
    """Twice as many half pixels: zeros between the pixels, then the filter; (2 size, size)."""
    place = torch.arange(2 * size)[:, None] - 2 * torch.arange(size) + 5
    return (math.sqrt(2) * _tap(place)).to(device)


@functools.cache
def _down(size: int, device: torch.device) -> Tensor:
    """The mirrored filter, then every other half pixel, so that both change nothing: (size, 2 size + margins)."""
    place = torch.arange(2 * (size + MARGIN)) - 2 * torch.arange(size)[:, None] - (MARGIN - 5)
    return (_tap(place) / math.sqrt(2)).to(device)


def _tap(place: Tensor) -> Tensor:
    inside = (place >= 0) & (place < len(SYM6))
    return torch.where(inside, torch.tensor(SYM6)[place.clamp(0, len(SYM6) - 1)], torch.zeros(()))


def colour(count: int, p: float, rng: torch.Generator) -> Tensor:
    """Maps of (r, g, b, 1): (N, 4, 4). Brightness, contrast, luma flip, hue, saturation; appendix B, colour."""
    draw, eye = _Draw(count, rng), torch.eye(4)
    axis = torch.tensor([*LUMA, 0.0])
    grey, last = axis[:, None] * axis, torch.diag(torch.tensor([0.0, 0.0, 0.0, 1.0]))  # projections
    b = draw.where(p, draw.normal(0.2), 0.0)
    m = _matrix([[1.0, 0.0, 0.0, b], [0.0, 1.0, 0.0, b], [0.0, 0.0, 1.0, b], [0.0, 0.0, 0.0, 1.0]], count)
    s = draw.where(p, torch.exp2(draw.normal(0.5)), 1.0)
    m = _matrix([[s, 0.0, 0.0, 0.0], [0.0, s, 0.0, 0.0], [0.0, 0.0, s, 0.0], [0.0, 0.0, 0.0, 1.0]], count) @ m
    flip = draw.where(p, (draw.uniform() < 0.5).float(), 0.0)
    m = (eye - 2 * grey * flip[:, None, None]) @ m  # Householder reflection
    m = _about_grey(draw.where(p, draw.uniform(-math.pi, math.pi), 0.0)) @ m
    s = draw.where(p, torch.exp2(draw.normal(1.0)), 1.0)
    return (grey + last + (eye - last - grey) * s[:, None, None]) @ m


def _about_grey(angle: Tensor) -> Tensor:
    """Rotations about the grey axis: (N,) -> (N, 4, 4) (Rodrigues)."""
    c, s, v = torch.cos(angle), torch.sin(angle), LUMA[0]
    same, one, two = v * v * (1 - c) + c, v * v * (1 - c) - v * s, v * v * (1 - c) + v * s
    return _matrix(
        [[same, one, two, 0.0], [two, same, one, 0.0], [one, two, same, 0.0], [0.0, 0.0, 0.0, 1.0]], len(angle)
    )


def recolour(x: Tensor, maps: Tensor) -> Tensor:
    """Images (N, C, R, R) through `maps` (N, 4, 4) of their colours; grey ones by their effect on grey."""
    if maps.device.type != "cpu":  # as in `warp`
        still = (maps == torch.eye(4, device=maps.device)).flatten(1).all(1)[:, None, None, None]
        return torch.where(still, x, _recoloured(x.float(), maps).to(x.dtype))
    rows = (maps != torch.eye(4)).flatten(1).any(1).nonzero()[:, 0]
    if not len(rows):
        return x
    where = rows.to(x.device)
    return x.index_copy(0, where, _recoloured(x[where].float(), maps[rows].to(x.device)).to(x.dtype))


def _recoloured(x: Tensor, maps: Tensor) -> Tensor:
    """`recolour` of pictures (n, C, R, R) float32 that all change."""
    if x.shape[1] == 1:
        grey = maps[:, :3].mean(1, keepdim=True)  # (n, 1, 4)
        return x * grey[:, :, :3].sum(2)[:, :, None, None] + grey[:, :, 3, None, None]
    return torch.einsum("nij,njhw->nihw", maps[:, :3, :3], x) + maps[:, :3, 3, None, None]


def hole(count: int, size: int, p: float, rng: torch.Generator) -> Tensor:
    """0 in a square of half the side about a random point, 1 elsewhere: (N, 1, R, R)."""
    draw = _Draw(count, rng)
    half, place = draw.where(p, torch.full((count,), 0.25), 0.0), (torch.arange(size) + 0.5) / size
    column, row = ((place - draw.uniform()[:, None]).abs() >= half[:, None] for _ in range(2))  # (N, R)
    return (row[:, :, None] | column[:, None, :])[:, None].float()
