"""From a picture to a latent: projection into a generator's space by gradient descent (GAN inversion).

Zhu et al., "Generative visual manipulation on the natural image manifold" (2016), https://arxiv.org/abs/1609.03552
(the problem); Karras et al., "Analyzing and improving the image quality of StyleGAN" (2020), appendix D (schedule,
noise added to styles at first); Abdal, Qin and Wonka, "Image2StyleGAN" (2019), https://arxiv.org/abs/1904.03189 (W+).
The distance is LPIPS' Eq. 1 with all weights 1 (Zhang et al. 2018, https://arxiv.org/abs/1801.03924) on MobileNet v2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.compute.micro_batches import over_micro_batches
from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.nets.mobilenet import load_pocket
from zeuxis.nets.picture_features import resized
from zeuxis.pictures.enlarge import SHOWN, Enlarge
from zeuxis.pictures.grid import grid, picture_png
from zeuxis.pictures.reading import middle, read_rgb
from zeuxis.pictures.writing import FORMATS, encoded
from zeuxis.rng import sent, stream
from zeuxis.spaces import ClassMix, Space, SparseMix, Whitened, parts
from zeuxis.storage.places import check_file_place, check_folder_place, check_no_input
from zeuxis.tools.sheets import MICRO_BATCH, draw, info_of, save

SMALLEST, LARGEST = 96, 224  # pixels a side of what MobileNet sees
STRIDES = (2, 4, 8, 16, 32)  # of its feature maps
PIXELS, PRIOR = 5.0, 0.1  # weights of the mean squared difference of pixels, and of the penalty on the latent's norm
RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # Adam's rate in deviations of the prior; parts of the way
NOISE, NOISY = 0.05, 0.75  # deviation of the noise on styles at first; until which part of the way there is some
TOLD_EVERY = 20  # steps


class Likeness:
    """How far pictures are from one target: 0 for the same, about 1 for another picture altogether.

    The mean over five feature maps of the squared distance between their unit vectors, place by place, plus PIXELS
    times the mean squared difference of the pixels. Differentiable with respect to the pictures.
    """

    def __init__(self, target: Tensor) -> None:
        """`target` `(3, R, R)` in [0, 1], on the device to compute on."""
        self.net = load_pocket("v2").to(target.device)
        self.size = min(LARGEST, max(SMALLEST, target.shape[-1]))
        self.target = target[None]
        with torch.no_grad():
            self.maps = self._maps(self.target)

    def parts(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`(N, 3, R, R)` in [0, 1] -> perceptual distance and mean squared difference of the pixels, each `(N,)`."""
        maps = zip(self._maps(images), self.maps, strict=True)
        seen = torch.stack([(own - other).square().sum(dim=1).mean(dim=(1, 2)) for own, other in maps]).mean(dim=0)
        return seen, (images - self.target).square().mean(dim=(1, 2, 3))

    def __call__(self, images: Tensor) -> Tensor:
        """`(N, 3, R, R) -> (N,)`."""
        seen, pixels = self.parts(images)
        return seen + PIXELS * pixels

    def _maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps with a unit vector in each place."""
        x = resized(images.float(), self.size) * 2 - 1
        return [torch.nn.functional.normalize(h.float(), dim=1, eps=1e-6) for h in self.net.taps(x, STRIDES)]


@dataclass(frozen=True)
class Projection:
    """`latent` `(D,)` and its distance; `best_draw` the smallest of `draws` random latents, `drawn` that latent.

    `seen` is the perceptual part of the distance, `rms` the root mean square of the pixels' difference in [0, 1],
    `norm` the latent's length over that of a draw from the prior.
    """

    latent: Tensor
    distance: float
    seen: float
    rms: float
    norm: float
    best_draw: float
    drawn: Tensor
    draws: int

    def in_words(self) -> str:
        """One line."""
        return (
            f"distance {self.distance:.4f} (perceptual {self.seen:.4f}, pixels {self.rms:.4f} rms; the best of "
            f"{self.draws} random draws has {self.best_draw:.4f}), latent's norm {self.norm:.2f} of the prior's"
        )


def find(
    target: Tensor,
    generator: Generator,
    *,
    steps: int = 200,
    starts: int = 4,
    draws: int = 256,
    seed: int = 0,
    heard: Callable[[int, float], object] = lambda step, distance: None,
) -> Projection:
    """The latent whose picture is nearest to `target` `(3, R, R)` in [0, 1], R the generator's resolution.

    The best `starts` of `draws` random latents climb side by side with Adam; the best latent of all steps is kept, so
    the result is never worse than the best draw. `heard` is told the step and the smallest distance every 20 steps.
    """
    if steps < 0 or not 1 <= starts <= draws:
        raise BadInput(f"Expected steps >= 0 and 1 <= starts <= draws, got {steps}, {starts} and {draws}.")
    device, space = generator.device, generator.space
    likeness = Likeness(target.to(device))
    x = space.clip(sent(space.sample(draws, stream(seed, "project")), device))
    with torch.no_grad():
        pieces = over_micro_batches(lambda piece: likeness(generator.render(piece)), x, MICRO_BATCH)
    order = torch.cat([d[:count] for d, count in pieces]).sort(stable=True)
    drawn = x[order.indices[0]]
    best_x, best = x[order.indices[:starts]], order.values[:starts]  # (K, D), (K,)
    mean, spread = sent(space.prior_mean, device), sent(space.prior_std.clamp_min(1e-6), device)
    u = (best_x - mean) / spread  # (K, D), in deviations of the prior
    adam = torch.optim.Adam([u])
    for step in range(steps + 1):
        x = mean + u * spread
        noisy = space.clip(x + _noise(space, step / max(1, steps), x, stream(seed, "noise", step)))
        distance, slope = _slope(noisy, generator, likeness)
        better = distance < best
        best_x, best = torch.where(better[:, None], noisy, best_x), torch.where(better, distance, best)
        if step % TOLD_EVERY == 0:
            heard(step, float(best.min()))
        u.grad, adam.param_groups[0]["lr"] = slope.nan_to_num() * spread, RATE * _ramp(step / max(1, steps))
        adam.step()
        u.copy_((space.clip(mean + u * spread) - mean) / spread)
    return _found(best_x[int(best.argmin())], generator, likeness, drawn, draws)


def _found(x: Tensor, generator: Generator, likeness: Likeness, drawn: Tensor, draws: int) -> Projection:
    """The better of both latents, each measured on the picture as it is saved: in whole steps of 0..255."""
    pair = torch.stack([x, drawn])
    pictures = torch.from_numpy(draw(generator, pair)).permute(0, 3, 1, 2).float().to(generator.device) / 255
    with torch.no_grad():
        told = [(float(seen), float(pixels)) for seen, pixels in zip(*likeness.parts(pictures), strict=True)]
    distances = [seen + PIXELS * pixels for seen, pixels in told]
    best = distances.index(min(distances))
    seen, pixels = told[best]
    norm = float(norms(generator.space, pair[best : best + 1]).mean())
    latent, first = pair.detach().cpu()[[best, 1]]
    return Projection(latent, distances[best], seen, math.sqrt(pixels), norm, distances[1], first, draws)


def _slope(x: Tensor, generator: Generator, likeness: Likeness) -> tuple[Tensor, Tensor]:
    """Distances `(K,)`, and the gradient `(K, D)` of distance and prior term. BadInput where there is none."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        distance = likeness(generator.render(x))
        loss = distance.sum() + PRIOR * (norms(generator.space, x) - 1).square().mean(dim=1).sum()
        if not distance.requires_grad:
            raise BadInput(
                f"Generator {generator.name!r} passes no gradient back to its latents, so no picture can be projected. "
                "Use another one, or another of its spaces."
            )
        return distance.detach(), torch.autograd.grad(loss, x)[0]


def norms(space: Space, x: Tensor) -> Tensor:
    """`(N, D) -> (N, B)`: for each block of normal genes, each style on its own, its length over that of the prior.

    Genes that stand for classes have no such norm: their space keeps them near the labels. 1 where there is no other.
    """
    mean, deviation = sent(space.prior_mean, x.device), sent(space.prior_std.clamp_min(1e-6), x.device)
    u, found, first = (x - mean) / deviation, [], 0
    for part in parts(space):
        block = u[:, first : first + part.dim]
        first += part.dim
        if not isinstance(part, ClassMix | SparseMix):
            rows = part.layers if isinstance(part, Whitened) else 1
            block = block.reshape(len(x), rows, -1)
            found.append(block.norm(dim=2) / math.sqrt(block.shape[2]))
    return torch.cat(found, dim=1) if found else torch.ones(len(x), 1, device=x.device)


def _noise(space: Space, way: float, x: Tensor, rng: torch.Generator) -> Tensor:
    """Noise on styles that fades out, so that the descent does not settle in the first hollow; none elsewhere.

    The noise inputs of a StyleGAN stay as they are stored: a picture has to follow from its latent alone.
    """
    if not isinstance(space, Whitened) or way >= NOISY:
        return torch.zeros_like(x)
    return sent(torch.randn(x.shape, generator=rng), x.device) * (NOISE * (1 - way / NOISY) ** 2)


def _ramp(way: float) -> float:
    """The learning rate over the way: up linearly, down by a cosine (Karras et al. 2020, appendix D)."""
    down = min(1.0, (1 - way) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, way / RAMP_UP)


@dataclass(frozen=True)
class Places:
    """Where the picture with its latent lies, and beside it the same next to its target."""

    picture: Path
    beside: Path


def places(out: Path, photo: Path) -> Places:
    """`out` is a PNG, or a folder for both. BadInput or RunUnwritable for what cannot be written, or is the photo."""
    if out.suffix.lower() == ".png":
        found = Places(out, out.with_name(f"{out.stem}-beside.png"))
        _check(found, photo)
        return found
    if out.suffix.lower() in FORMATS:
        raise BadInput(f"Expected a folder or a .png for --out, got {out.name[-60:]!r}: only a PNG keeps the latent.")
    check_folder_place(out)
    found = Places(out / "projected.png", out / "beside.png")
    _check(found, photo)
    return found


def _check(found: Places, photo: Path) -> None:
    for path in (found.picture, found.beside):
        check_file_place(path, "--out")
    check_no_input((found.picture, found.beside), [photo])


def project(
    photo: Path,
    generator: Generator,
    out: Path,
    *,
    options: dict[str, Any] | None = None,
    seed: int = 0,
    enlarge: Enlarge = SHOWN,
    **how: Any,
) -> tuple[Projection, list[Path]]:
    """Project the middle of a picture file; `how` is for `find`. Returns the projection and the files written.

    The PNG has the metadata of any picture of a run: `replay` draws it again, `generate --start-from` breeds around it.
    """
    where = places(out, photo)
    target = read_target(photo, *getattr(generator, "img_size", (generator.resolution,)))
    found = find(torch.from_numpy(target).permute(2, 0, 1).float() / 255, generator, seed=seed, **how)
    pixels = draw(generator, torch.stack([found.latent, found.drawn]))
    info = info_of(generator, found.latent, seed, options or {}, f"projection of {photo.name}")
    shown = np.stack([target, pixels[0], pixels[1]])
    labels = ["the picture", f"found: {found.distance:.4f}", f"best draw: {found.best_draw:.4f}"]
    beside = encoded(grid(shown, labels, 3, enlarge), where.beside)
    return found, [save(where.picture, picture_png(pixels[0], info)), save(where.beside, beside)]


def read_target(photo: Path, height: int, width: int = 0) -> np.ndarray:
    """The middle of a picture file at a generator's size: `(H, W, 3)` uint8, a square unless a width is given.

    BadInput for no picture.
    """
    return middle(read_rgb(photo), height, width or height)
