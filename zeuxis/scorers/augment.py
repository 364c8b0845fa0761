"""Augmented scoring: an image counts as a match only if it still is one when cropped, shifted and recoloured.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", 2020, https://arxiv.org/abs/2006.10738
(the transformations) and Spall, "Introduction to Stochastic Search and Optimization", 2003, section 14.4
(common random numbers: one draw for all candidates, so that it cancels when they are compared).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent
from zeuxis.scorers.base import Prompt, Scorer, checked_scores

MAX_VIEWS = 64
CROP = 0.7  # smallest side of the window, as a part of the image's side
ASPECT = 1.15  # largest stretch of one side against the other
SHIFT = 0.05  # how far the window may leave the image, as a part of its side
BRIGHTNESS = 0.1  # added, in units of [0, 1]
CONTRAST = 0.2  # relative
TINT = 0.05  # relative, each channel alone


@runtime_checkable
class HasGeneration(Protocol):
    """A scorer that wants to know when a generation begins, with that generation's random numbers."""

    def generation(self, rng: torch.Generator) -> None:
        """Called before the first score of a generation, with `stream(seed, generation, "augment")`."""
        ...


@dataclass(frozen=True)
class Views:
    """V ways of looking at any image; float32 on the CPU, in parts of the image, so any size can be viewed.

    `size` and `start` `(V, 2)` the window's height and width and its top left corner; `flip` `(V,)` left for
    right where 1; `gain` `(V, 3)` a factor per channel around mid-grey; `shift` `(V,)` added brightness.
    """

    size: Tensor
    start: Tensor
    flip: Tensor
    gain: Tensor
    shift: Tensor

    def __len__(self) -> int:
        return len(self.flip)


def draw(views: int, rng: torch.Generator) -> Views:
    """`views` random views, 0 to 64, from ten uniform numbers each. The same `rng` state gives the same views."""
    if not 0 <= views <= MAX_VIEWS:
        raise BadInput(f"Expected 0 to {MAX_VIEWS} augmented views, got {views}. Use 4 to 8; 0 switches them off.")
    u = torch.rand(views, 10, generator=rng)  # (V, 10) in [0, 1)
    side = CROP + (1 - CROP) * u[:, 0:1]
    stretch = ASPECT ** (u[:, 1:2] - 0.5)
    size = torch.cat([side * stretch, side / stretch], dim=1).clamp(max=1.0)  # (V, 2)
    start = u[:, 2:4] * (1 - size + 2 * SHIFT) - SHIFT
    contrast = 1 + CONTRAST * (2 * u[:, 5:6] - 1)
    tint = 1 + TINT * (2 * u[:, 7:10] - 1)
    return Views(size, start, (u[:, 4] < 0.5).float(), contrast * tint, BRIGHTNESS * (2 * u[:, 6] - 1))


def apply(images: Tensor, views: Views) -> Tensor:
    """Every view of every image: `(N, 3, H, W)` in [0, 1] -> `(V, N, 3, H, W)` in [0, 1]. The gradient flows."""
    if not len(views):
        return images.new_empty((0, *images.shape))
    return torch.stack([view(images, views, v) for v in range(len(views))])


def view(images: Tensor, views: Views, v: int) -> Tensor:
    """View number `v` of every image: `(N, 3, H, W) -> (N, 3, H, W)`.

    A window, a flip and a shift move along the axes only, so the view is R_y X R_x^T with two small
    interpolation matrices. That repeats bit for bit on every device; the backward pass of `grid_sample` does not.
    """
    height, width = images.shape[-2:]
    size, start = views.size[v].tolist(), views.start[v].tolist()
    rows = _window(height, start[0], size[0], flip=False)  # (H, H)
    columns = _window(width, start[1], size[1], flip=bool(views.flip[v]))  # (W, W)
    rows, columns, gain = (sent(t, images.device).to(images.dtype) for t in (rows, columns, views.gain[v]))
    gain, shift = gain[:, None, None], float(views.shift[v])
    return ((rows @ images @ columns.T - 0.5) * gain + (0.5 + shift)).clamp(0, 1)


def _window(side: int, start: float, size: float, *, flip: bool) -> Tensor:
    """Linear interpolation of `side` pixels at the `side` points of a window: `(side, side)`, rows sum to 1."""
    t = (torch.arange(side, dtype=torch.float32) + 0.5) / side  # pixel centres of the view, in (0, 1)
    p = (start + size * (1 - t if flip else t)) * side - 0.5  # the same points in pixels of the image
    p = p.clamp(0, side - 1)  # beyond the edge the edge goes on
    return (1 - (p[:, None] - torch.arange(side)[None, :]).abs()).clamp_min(0)


class Augmented:
    """A scorer whose score is the mean over the plain image and `views` augmented views of it.

    The views are drawn once per generation and shared by all its images. Costs `views` + 1 scores per image,
    and memory for one view at a time unless a gradient is asked for.
    """

    def __init__(self, scorer: Scorer, views: int) -> None:
        draw(views, torch.Generator())  # refuses a number out of range before any work is done
        self.scorer = scorer
        self.views = views
        self.name, self.sha256, self.device = scorer.name, scorer.sha256, scorer.device
        self.drawn: Views | None = None

    def generation(self, rng: torch.Generator) -> None:
        """Draw the views of a new generation."""
        self.drawn = draw(self.views, rng)

    def prepare(self, prompt: Prompt) -> Any:
        """The wrapped scorer's prepared prompt."""
        return self.scorer.prepare(prompt)

    def score(self, images: Tensor, prepared: Any) -> Tensor:
        """`(N, 3, H, W) -> (N,)` float32, the mean over V + 1 views. BadInput before the first `generation`."""
        if self.drawn is None:
            raise BadInput('Expected generation(rng) before score, with rng = stream(seed, generation, "augment").')
        total = checked_scores(self.scorer.score(images, prepared), len(images), self.name)
        for v in range(len(self.drawn)):
            total = total + self.scorer.score(view(images, self.drawn, v), prepared)
        return total / (1 + len(self.drawn))

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on."""
        self.scorer.set_precision(dtype)
