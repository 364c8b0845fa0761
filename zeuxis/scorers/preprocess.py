"""Pictures as CLIP, SigLIP and published classifiers were trained to see them: resize, crop, mean and deviation.

On tensors, so that a gradient flows. Parity with Pillow's filters, which the models' own programs use: within 4 grey
levels of 255 on floats, 2 on uint8. `zeuxis.scorers.preprocess_config` reads what a model's files say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput

CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
MODES = ("shortest", "longest", "squash", "none")  # of resizing


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes the input of a network of `size` x `size` pixels (0: of any), in this order.

    resize   "shortest" or "longest" edge to `to[0]`; "squash": straight to `to` = (height, width); "none"
    filter   Pillow's name of the interpolation: nearest, box, bilinear, hamming, bicubic, lanczos
    crop     the middle (height, width), None for all; what is missing is filled with `fill`, in [0, 1]
    rounds   the middle is found by rounding as torchvision does; transformers takes the lower number
    scale    pixels in [0, 1] are multiplied by it
    mean, deviation     per colour, after `scale`
    """

    size: int
    mean: tuple[float, ...] = CLIP_MEAN
    deviation: tuple[float, ...] = CLIP_DEVIATION
    resize: str = "shortest"
    to: tuple[int, int] = (0, 0)  # (0, 0): `size`
    filter: str = "bicubic"
    crop: tuple[int, int] | None = (0, 0)  # (0, 0): `size`
    rounds: bool = False
    fill: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        square = (self.size, self.size)
        object.__setattr__(self, "to", square if self.to == (0, 0) else self.to)
        object.__setattr__(self, "crop", square if self.crop == (0, 0) else self.crop)

    def __call__(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` float in [0, 1], or uint8 -> `(N, 3, size, size)` float32, normalised.

        BadInput for pictures that do not have the network's size in the end.
        """
        x = resampled(images, self.target(*images.shape[-2:]), self.filter)
        if self.crop is not None:
            x = cropped(x, self.crop, self.fill, self.rounds)
        if self.size and x.shape[-2:] != (self.size, self.size):
            got = f"{x.shape[-2]} x {x.shape[-1]}"
            raise BadInput(
                f"This network takes pictures of {self.size} x {self.size} pixels, and its configuration prepares "
                f"these of {images.shape[-2]} x {images.shape[-1]} as {got}. Give pictures of the size that it takes."
            )
        x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
        x = x if self.scale == 1 else x * self.scale
        mean, deviation = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (self.mean, self.deviation))
        return (x - mean) / deviation

    def target(self, height: int, width: int) -> tuple[int, int]:
        """What a picture of (height, width) is resized to."""
        if self.resize == "none":
            return height, width
        if self.resize == "squash":
            return self.to
        if self.resize == "longest":  # timm and OpenCLIP round both edges
            ratio = max(height / self.to[0], width / self.to[1])
            return max(1, round(height / ratio)), max(1, round(width / ratio))
        short = min(height, width)  # the other edge is cut short as Pillow's users do
        return int(self.to[0] * height / short), int(self.to[0] * width / short)


def resize(images: Tensor, size: int, crop: bool) -> Tensor:
    """`(N, 3, H, W) -> (N, 3, size, size)`, the same type; bicubic with antialias, as Pillow has it.

    `crop`: the shortest edge to `size`, then the middle (CLIP); else straight to a square (SigLIP).
    """
    how = Preprocess(size, resize="shortest" if crop else "squash")
    return cropped(resampled(images, how.target(*images.shape[-2:]), "bicubic"), (size, size))


def resampled(images: Tensor, to: tuple[int, int], filter: str) -> Tensor:
    """`(N, C, H, W) -> (N, C, *to)` in [0, 1], the same type, by one of Pillow's filters with its antialiasing."""
    if to == tuple(images.shape[-2:]):
        return images
    if filter == "nearest":
        rows, columns = (_nearest(size, n).to(images.device) for size, n in zip(images.shape[-2:], to, strict=True))
        return images[..., rows, :][..., columns]
    if filter in ("bicubic", "bilinear"):
        images = F.interpolate(images, to, mode=filter, antialias=True, align_corners=False)
        return images if images.dtype == torch.uint8 else images.clamp(0, 1)
    whole = images.dtype == torch.uint8
    x = images.float()
    for n, size in ((3, to[1]), (2, to[0])):  # Pillow goes along the rows first
        weights = _weights(x.shape[n], size, filter).to(x.device)
        x = x @ weights.T if n == 3 else weights @ x
        x = x.round().clamp(0, 255) if whole else x.clamp(0, 1)
    return x.to(images.dtype)


def cropped(images: Tensor, to: tuple[int, int], fill: float = 0.0, rounds: bool = False) -> Tensor:
    """The middle of `(N, C, H, W)`, filled up where it is smaller -> `(N, C, *to)`."""
    height, width = images.shape[-2:]
    down, right = max(to[0] - height, 0), max(to[1] - width, 0)
    if down or right:
        before = [n // 2 if rounds else math.ceil(n / 2) for n in (right, down)]
        value = round(fill * 255) if images.dtype == torch.uint8 else fill
        images = F.pad(images, (before[0], right - before[0], before[1], down - before[1]), value=value)
    left = [images.shape[-2] - to[0], images.shape[-1] - to[1]]
    top, start = (round(n / 2) if rounds else n // 2 for n in left)
    return images[..., top : top + to[0], start : start + to[1]]


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0


def _hamming(x: float) -> float:
    return _sinc(x) * (0.54 + 0.46 * math.cos(math.pi * x)) if abs(x) < 1 else 0.0


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


FILTERS: dict[str, tuple[Callable[[float], float], float]] = {  # the function and how far it reaches
    "lanczos": (_lanczos, 3.0), "hamming": (_hamming, 1.0), "box": (_box, 0.5)}  # fmt: skip


def _nearest(size: int, to: int) -> Tensor:
    """`(to,)`: which pixel of a row each new one copies; steps are added up as Pillow does, which decides at ties."""
    step = size / to
    place, found = step * 0.5, []
    for _ in range(to):
        found.append(min(int(place), size - 1))
        place += step
    return torch.tensor(found)


@lru_cache(maxsize=64)
def _weights(size: int, to: int, filter: str) -> Tensor:
    """`(to, size)`: how much each pixel of a row counts for each pixel of the resized one, as Pillow computes it."""
    function, reach = FILTERS[filter]
    step = size / to
    wide = max(step, 1.0)
    out = torch.zeros(to, size, dtype=torch.float64)
    for row in range(to):
        centre = (row + 0.5) * step
        low, high = max(int(centre - reach * wide + 0.5), 0), min(int(centre + reach * wide + 0.5), size)
        values = [function((k - centre + 0.5) / wide) for k in range(low, high)]
        out[row, low:high] = torch.tensor(values, dtype=torch.float64) / sum(values)
    return out.float()
