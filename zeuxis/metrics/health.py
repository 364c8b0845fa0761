"""Is a population still alive: near-duplicates, effective number of images, spread of scores, length of latents.

Images are compared as they look when small (32 pixels across, area-averaged): RMS distance of the pixels, as in
`zeuxis.metrics.diversity`. Two whose distance is under `SAME` are one picture to a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.metrics.diversity import vendi_of_squares

SIDE = 32  # pixels across of a descriptor
SAME = 0.05  # RMS of pixel values in [0, 1]
DIFFERENT = 0.11  # RMS from which two are worth showing side by side: 1 % of pairs of draws of one class are nearer
MOST = 1024  # images compared pair by pair: a first generation may have 100,000


@dataclass(frozen=True)
class Health:
    """One generation. `duplicates` counts near-duplicates of an image before, `effective` is the number of
    different images (Vendi score), `spread` the standard deviation of the scores that are numbers, `norm` the length
    of a latent in deviations of the prior over the square root of its genes: 1 is as long as a draw from the prior.
    """

    duplicates: int
    effective: float
    spread: float
    norm: float

    def to_dict(self) -> dict[str, float]:
        """By name."""
        return dict(vars(self))  # asdict copies deeply, a millisecond a generation


def descriptors(images: Tensor) -> Tensor:
    """`(N, 3, H, W)` in [0, 1] -> `(N, F)` float32, F at most 3 * 32 * 32; NaN becomes 0."""
    x = images.detach().float().nan_to_num(nan=0.0)
    if max(x.shape[-2:]) > SIDE:
        x = F.adaptive_avg_pool2d(x, SIDE)
    return x.flatten(1)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """RMS distances of descriptors `(N, F)`, `(M, F)` -> `(N, M)`."""
    found: Tensor = torch.cdist(a, b) / a.shape[1] ** 0.5
    return found


def near_duplicates(distance: Tensor) -> Tensor:
    """Distances `(N, N)` -> `(N,)` bool: whether an image looks like one before it."""
    found: Tensor = torch.tril(distance < SAME, diagonal=-1).any(dim=1)
    return found


def health(shown: Tensor, score: Tensor, u: Tensor) -> Health:
    """Of descriptors `(N, F)`, scores `(N,)` and latents `(N, D)` in deviations of the prior.

    Of more than MOST images, so many evenly spaced ones are compared with one another.
    """
    if len(shown) > MOST:
        shown = shown[torch.linspace(0, len(shown) - 1, MOST).long()]
    squares = _squares(shown)  # (N, N)
    known = score[score.isfinite()]
    return Health(
        duplicates=int((squares < SAME**2).tril(diagonal=-1).any(dim=1).sum()),
        effective=vendi_of_squares(squares),
        spread=float(known.std(correction=0)) if len(known) else 0.0,
        norm=float(u.norm(dim=1).mean() / u.shape[1] ** 0.5),
    )


def _squares(shown: Tensor) -> Tensor:
    """Mean squared differences of descriptors `(N, F)` in [0, 1] to one another `(N, N)`, to 1e-6, by one product."""
    centred = shown.clamp(0, 1)  # a broken picture may hold infinities
    centred -= centred.mean(dim=0)  # small squares lose less to rounding
    products = (centred @ centred.T).div_(shown.shape[1])
    squares = products.diagonal()
    found: Tensor = (squares[:, None] + squares).sub_(products, alpha=2).clamp_min_(0)
    return found


def excess(u: Tensor) -> Tensor:
    """How much longer than a draw of the prior latents `(N, D)`, in its deviations, are: max(0, |u| / sqrt(D) - 1)."""
    length: Tensor = u.norm(dim=1) / u.shape[1] ** 0.5
    return (length - 1).clamp_min(0)
