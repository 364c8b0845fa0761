"""Measures: what pictures may differ in, as numbers that a quality-diversity archive has for axes.

Words: "young|old" is cos(image, old) - cos(image, young) under the first scorer of the run, each phrase averaged over
sentence templates as in a prompt; so it rises from the first phrase to the second. The others, for RGB in [0, 1]:

    brightness   mean luma Y' = 0.2126 R + 0.7152 G + 0.0722 B, ITU-R BT.709                              [0, 1]
    saturation   sum(max - min) / sum(max) over all pixels: HSV saturation weighted by value              [0, 1]
    hue          mean of R - B: the mean hue vector along the axis from azure (cool, < 0) to orange (warm, > 0). A mean
                 of angles would tear at red, where they wrap around                                     [-1, 1]
    realism      the output of the generator's discriminator, higher is more real                     no fixed range
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import parse_range
from zeuxis.errors import BadInput
from zeuxis.registry import unknown
from zeuxis.scorers.base import Phrase, Prompt, Scorer
from zeuxis.scorers.prompts import clean
from zeuxis.scorers.realism import HasRealism

LUMA = (0.2126, 0.7152, 0.0722)
NAMES = ("brightness", "saturation", "hue", "realism")
AXES = {"hue": "hue (cool to warm)"}
_ENDS_IN_RANGE = re.compile(r":\s*[^:|]*\d\.\.[^:|]*$")


@dataclass(frozen=True)
class Measure:
    """`name` is one of NAMES, or "" for the phrases `low` and `high`. `range` is what the user asked for, or None."""

    name: str
    low: str = ""
    high: str = ""
    range: tuple[float, float] | None = None

    @property
    def axis(self) -> str:
        """What to write along an axis."""
        return AXES.get(self.name, self.name) or f"{self.low} → {self.high}"


def parse_measure(text: str) -> Measure:
    """ "young|old", "brightness" or either with a range, "brightness:0.2..0.8". BadInput or UnknownName else."""
    said, bounds = clean(text), None
    if _ENDS_IN_RANGE.search(said):
        said, _, numbers = said.rpartition(":")
        bounds = parse_range(numbers)
    words = [part.strip() for part in said.split("|")]
    if len(words) == 1:
        if words[0] not in NAMES:
            raise unknown("measure", words[0], [*NAMES, "'one phrase|its opposite'"])
        return Measure(words[0], range=bounds)
    if len(words) != 2 or not all(words) or words[0].lower() == words[1].lower():
        raise BadInput(f"Expected two different phrases as 'young|old' in a measure, got {said[:80]!r}.")
    return Measure("", words[0], words[1], bounds)


class Measures:
    """Images `(N, 3, H, W)` -> `(N, M)` float32, after `prepare`. BadInput for realism without a discriminator."""

    def __init__(
        self, measures: Sequence[Measure], generator: object, scorer: Scorer, *, templates: bool, strict: bool
    ) -> None:
        self.measures = tuple(measures)
        self._generator, self._scorer = generator, scorer
        self._templates, self._strict = templates, strict
        self._columns: list[Callable[[Tensor], Tensor]] = []
        self.notes: list[str] = []  # sentences about what the scorer cannot read in the words
        if any(measure.name == "realism" for measure in measures) and not isinstance(generator, HasRealism):
            name = getattr(generator, "name", type(generator).__name__)
            raise BadInput(f"Expected a generator with a discriminator for --measure realism, got {name!r}.")

    def prepare(self) -> None:
        """Read the words. BadInput where the scorer can read none of them."""
        self.notes.clear()
        self._columns = [self._column(measure) for measure in self.measures]

    def __call__(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> `(N, M)` float32; NaN where an image or a network says NaN."""
        with torch.no_grad():
            return torch.stack([column(images).float() for column in self._columns], dim=1)

    def _column(self, measure: Measure) -> Callable[[Tensor], Tensor]:
        generator = self._generator
        if measure.name == "realism" and isinstance(generator, HasRealism):
            return generator.realism
        if measure.name:
            return {"brightness": brightness, "saturation": saturation, "hue": hue}[measure.name]
        both = (Phrase(measure.high), Phrase(measure.low, -1.0))  # Eq. (2) of phrases.py: cos with high - cos with low
        prepared: Any = self._scorer.prepare(Prompt(both, self._templates, self._strict))
        self.notes += getattr(prepared, "notes", ())
        return lambda images: self._scorer.score(images, prepared)


def brightness(images: Tensor) -> Tensor:
    """Mean luma, `(N, 3, H, W) -> (N,)` in [0, 1]."""
    return (images.mean(dim=(2, 3)) * torch.tensor(LUMA, device=images.device)).sum(dim=1)


def saturation(images: Tensor) -> Tensor:
    """HSV saturation weighted by value, `(N, 3, H, W) -> (N,)` in [0, 1]; black has none."""
    value = images.amax(dim=1)  # (N, H, W)
    chroma = value - images.amin(dim=1)
    return chroma.sum(dim=(1, 2)) / value.sum(dim=(1, 2)).clamp_min(1e-6)


def hue(images: Tensor) -> Tensor:
    """Warm (up to 1) against cool (down to -1), `(N, 3, H, W) -> (N,)`; grey is 0."""
    colour = images.mean(dim=(2, 3))  # (N, 3)
    return colour[:, 0] - colour[:, 2]
