"""Whether bred pictures of a class are like real ones, in features of a network that did not guide.

Inside: the share of bred pictures that lie in the ball of some real one, which reaches to its third neighbour
(precision of Kynkaanniemi et al. 2019, arXiv 1904.06991); its floor is the same of other real pictures. Distance:
sliced Wasserstein of the features, beside real against real. Different: effective number of the pixels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from zeuxis.evaluation.arrange import arrange
from zeuxis.evaluation.embedding import Embedded
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.measure import measure
from zeuxis.metrics.diversity import effective_number
from zeuxis.metrics.intervals import wilson
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.rng import stream

K, LEAST = 3, 100  # neighbours, and real pictures of a class
ACROSS = 32  # pixels at which pictures are told apart
DISTANCE = "mind"
NAMES = ("inside", "inside_low", "inside_high", "inside_real", "distance", "distance_low", "distance_high",
         "distance_floor", "floor_n")  # fmt: skip
Figures = dict[str, Any]


def realness(bred: Tensor, real: Tensor, space: FeatureSpace, seed: int = 0) -> Figures:
    """Of features `(N, D)` and `(M, D)`: inside, its interval and floor; distance, its interval and floor.

    Where there are too few pictures for a figure it is None, and `why` says so.
    """
    found: Figures = dict.fromkeys(NAMES)
    found |= {"n": len(bred), "real_n": len(real), "why": ""}
    if len(real) < LEAST:
        return found | {"why": f"{LEAST} real pictures are needed and there are {len(real)}"}
    order = torch.randperm(len(real), generator=stream(seed, "realness"))
    count = min(len(bred), len(real) // 2)
    held, rest = real[order[:count]], real[order[count:]]
    radius = radii(rest, K)
    share = float((inside(bred, rest, radius)[0] > 0).double().mean())
    low, high = wilson(share, len(bred))
    found |= {"inside": share, "inside_low": low, "inside_high": high, "floor_n": count}
    found["inside_real"] = float((inside(held, rest, radius)[0] > 0).double().mean())
    sets = arrange(_rows("bred", bred), _rows("real", real), None, space)
    (result,) = measure(sets, space, [DISTANCE])
    if result.value is None:
        return found | {"why": "no distance of fewer than 100 pictures"}
    low, high = result.interval or (math.nan, math.nan)
    return found | {
        "distance": result.value,
        "distance_low": low,
        "distance_high": high,
        "distance_floor": result.floor,
    }


def different(pixels: Tensor) -> float:
    """Effective number of pictures uint8 `(N, 3, H, W)`, compared at 32 pixels across as a run's log compares them."""
    images = pixels.float() / 255
    if images.shape[-1] > ACROSS:
        images = torch.nn.functional.interpolate(images, (ACROSS, ACROSS), mode="area")
    return effective_number(images)


def _rows(name: str, features: Tensor) -> Embedded:
    return Embedded(name, "", features, torch.arange(len(features)))
