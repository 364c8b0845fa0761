"""Pictures enlarged for people. Files that carry a latent keep their own resolution; what is looked at is larger."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from PIL import Image

from zeuxis.errors import BadInput

MOST = 4096  # pixels across

FILTERS = {"lanczos": Image.Resampling.LANCZOS, "nearest": Image.Resampling.NEAREST}


@dataclass(frozen=True)
class Enlarge:
    """Each picture at least `across` pixels wide, by a whole factor; 1 leaves all as they are. BadInput."""

    across: int
    filter: str = "lanczos"

    def __post_init__(self) -> None:
        whole = isinstance(self.across, int) and not isinstance(self.across, bool)
        if not whole or self.across < 1 or self.filter not in FILTERS:
            raise BadInput(
                f"Expected a number of pixels across and a filter ({', '.join(FILTERS)}), got {self.across!r} and "
                f"{self.filter!r}."
            )


SHOWN = Enlarge(256)  # what tools show where nothing else is asked for


def parse_enlarge(text: str) -> Enlarge:
    """ "256" or "nearest:256" as `--enlarge` takes it. BadInput for anything else."""
    found = re.fullmatch(rf"(?:({'|'.join(FILTERS)}):)?(\d{{1,4}})", text.strip())
    if not found or not 1 <= int(found[2]) <= MOST:
        raise BadInput(
            f"Expected --enlarge with the pixels across, 1 to {MOST}, such as 256 or nearest:256, got {text[:40]!r}."
        )
    return Enlarge(int(found[2]), found[1] or "lanczos")


def enlarged(pixels: np.ndarray, to: Enlarge) -> np.ndarray:
    """Pictures `(N, H, W, 3)` uint8, or one `(H, W, 3)`, with `to.across` pixels across or more."""
    if pixels.ndim == 3:
        one: np.ndarray = enlarged(pixels[None], to)[0]
        return one
    factor = math.ceil(to.across / pixels.shape[2])
    if factor <= 1:
        return pixels
    if to.filter == "nearest":
        return pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    return resized(pixels, factor * pixels.shape[2], FILTERS[to.filter])


def resized(pixels: np.ndarray, width: int, by: Image.Resampling) -> np.ndarray:
    """`(N, H, W, 3)` uint8 with `width` pixels across, whatever the factor."""
    size = (width, max(1, round(width * pixels.shape[1] / pixels.shape[2])))
    return np.stack([np.asarray(Image.fromarray(picture).resize(size, by)) for picture in pixels])
