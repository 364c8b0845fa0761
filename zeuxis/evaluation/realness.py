"""Whether bred pictures of a class are like real ones, in features of a network that did not guide.

Inside: the share of bred pictures that lie in the ball of some real one of their class, which reaches to its third
neighbour (precision of Kynkaanniemi et al. 2019, arXiv 1904.06991); its floor is the same of other real pictures.
Distance: sliced Wasserstein of the features, beside real against real. Different: effective number of the pixels. Of
all classes: means over classes, since a bred automobile beside a real truck is no automobile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zeuxis.evaluation.arrange import arrange
from zeuxis.evaluation.embedding import Embedded
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.measure import measure
from zeuxis.evaluation.recognition import accuracy
from zeuxis.metrics.diversity import effective_number
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.rng import stream

K, LEAST = 3, 100  # neighbours, and real pictures of a class
ACROSS = 32  # pixels at which pictures are told apart
DISTANCE = "mind"
NAMES = ("inside", "inside_low", "inside_high", "inside_real", "distance", "distance_low", "distance_high",
         "distance_floor", "floor_n")  # fmt: skip
Figures = dict[str, Any]


def realness(runs: Sequence[Tensor], real: Tensor, space: FeatureSpace, seed: int = 0) -> Figures:
    """Of features `(N, D)` of each run and `(M, D)`: inside, its interval and floor; distance, its interval and floor.

    Where there are too few pictures for a figure it is None, and `why` says so. `hits` is what inside is counted from.
    """
    found: Figures = dict.fromkeys(NAMES)
    bred = torch.cat(list(runs))
    found |= {"n": len(bred), "real_n": len(real), "why": "", "hits": []}
    if len(real) < LEAST:
        return found | {"why": f"{LEAST} real pictures are needed and there are {len(real)}"}
    order = torch.randperm(len(real), generator=stream(seed, "realness"))
    count = min(len(bred), len(real) // 2)
    held, rest = real[order[:count]], real[order[count:]]
    radius = radii(rest, K)
    hits = [(inside(run, rest, radius)[0] > 0).tolist() for run in runs]
    found |= {"hits": hits, "floor_n": count} | _share(hits)
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


def together(classes: Sequence[Figures]) -> Figures:
    """The figures of all classes: each is the mean of those of the classes that have it; `n` is their sum.

    The intervals of distances are combined as those of independent values are.
    """
    found: Figures = dict.fromkeys(NAMES) | {"n": sum(f["n"] for f in classes), "why": "mean of the classes"}
    inner = [f for f in classes if f.get("inside") is not None]
    if inner:
        found |= _share([run for f in inner for run in f["hits"]]) | {"inside": _mean(inner, "inside")}
        found |= {name: _mean(inner, name) for name in ("inside_real", "floor_n", "real_n")}
    far = [f for f in classes if f.get("distance") is not None]
    if far:
        half = math.hypot(*((f["distance_high"] - f["distance_low"]) / 2 for f in far)) / len(far)
        value = _mean(far, "distance")
        found |= {"distance": value, "distance_low": value - half, "distance_high": value + half}
        floors = [f for f in far if f["distance_floor"] is not None]
        found["distance_floor"] = _mean(floors, "distance_floor") if floors else None
    return found | {"different": _mean(classes, "different")}


def _share(hits: Sequence[Sequence[bool]]) -> Figures:
    """`inside` with its interval: over runs where there are several, never narrower than Wilson's over pictures."""
    found = accuracy(hits)
    assert found is not None  # there are pictures
    return {"inside": found.share, "inside_low": found.span[0], "inside_high": found.span[1]}


def _mean(classes: Sequence[Figures], name: str) -> float:
    return float(sum(f[name] for f in classes)) / len(classes)


def different(pixels: Tensor) -> float:
    """Effective number of pictures uint8 `(N, 3, H, W)`, compared at 32 pixels across as a run's log compares them."""
    images = pixels.float() / 255
    if images.shape[-1] > ACROSS:
        images = torch.nn.functional.interpolate(images, (ACROSS, ACROSS), mode="area")
    return effective_number(images)


def _rows(name: str, features: Tensor) -> Embedded:
    return Embedded(name, "", features, torch.arange(len(features)))
