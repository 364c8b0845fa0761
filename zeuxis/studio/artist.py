"""Draws what is bred by hand, scores it and says what it looks like: models loaded once, one thread at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.compute.device import choose_device
from zeuxis.compute.micro_batches import at_once, micro_batches, over_micro_batches
from zeuxis.config import RunConfig
from zeuxis.generators.base import Generator
from zeuxis.pictures.grid import picture_png, to_pixels
from zeuxis.pictures.writing import sheet_png
from zeuxis.prompts.auto import settle
from zeuxis.prompts.start import start_of
from zeuxis.rng import stream
from zeuxis.run import check_config
from zeuxis.run.prepare import Models, load_models
from zeuxis.scorers.combine import Combined, parse_weighted
from zeuxis.scorers.measures import brightness, hue, saturation
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.studio.genome import Variation, group_of_layers, is_latent
from zeuxis.studio.status import Frame
from zeuxis.tools.sheets import MICRO_BATCH, info_of

FIRST = 8  # pictures that a search shows before it has begun
MEASURED = ("light", "colour", "warm tones", "contrast", "weight at the centre")
TOLD = (  # in what words a taste is told, beside what is measured
    *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey"),
    *("on grass", "on water", "in the snow", "in the sky", "on a road", "at night", "seen from the side", "close up"),
)
SECONDS, LONGER = 1.0, 3.0  # that children, and suggestions, may take to draw


@dataclass(frozen=True)
class Looks:
    """N pictures `(N, H, W, 3)` uint8, their scores `(N,)`, and features `(N, F)` of what they look like.

    The last columns of the features are those of `MEASURED`, the others a unit vector that has words near it.
    """

    pixels: np.ndarray
    scores: Tensor
    features: Tensor


class Artist:
    """Draws genomes for one configuration: its generator, its scorers and its prompt."""

    def __init__(self, config: RunConfig, models: Models | None = None) -> None:
        self.config, self.notes = settle(config)
        self.prompt = check_config(self.config)
        models = models or load_models(self.config.model_copy(update={"judge": None}))
        self.generator: Generator = models.generator
        self.scorers = models.scorers
        self.weights = [parse_weighted(name)[1] for name in self.config.scorer]
        self.variation = Variation.of(self.generator)
        self.encoder = next((s for s in models.scorers if isinstance(s, PocketScorer)), None) or PocketScorer(
            choose_device(self.config.device)
        )
        self._scorer = Combined(self.scorers, self.weights)
        self._prepared = self._scorer.prepare(self.prompt)
        self._rows = group_of_layers(self.generator, self.variation.groups) if len(self.variation.groups) > 1 else []
        self._lock = threading.Lock()
        self._drawn, self._seconds = 0, 0.0

    @torch.no_grad()
    def look(self, genomes: Tensor) -> Looks:
        """Draw and score genomes `(N, G, D)`, in float32 and in micro-batches of one size, as `zeuxis replay` does."""
        begun = time.perf_counter()
        with self._lock:
            self.generator.set_precision(torch.float32)
            self._scorer.set_precision(torch.float32)
            images = self._draw(genomes.to(self.generator.device))
            scores, features = [], []
            for piece, count in micro_batches(images, MICRO_BATCH):
                scores.append(self._scorer.score(piece, self._prepared)[:count].cpu())
                features.append(self._features(piece)[:count].cpu())
            self._drawn, self._seconds = self._drawn + len(images), self._seconds + time.perf_counter() - begun
        return Looks(to_pixels(images), torch.cat(scores), torch.cat(features))

    def start(self, count: int) -> Tensor:
        """`(count, D)` at most: the first latents of a search of this configuration."""
        start, _ = start_of(self.config, self.generator, self.scorers, self.weights, self.prompt, {})
        if start is None:
            start = self.generator.space.sample(max(count, self.config.population), stream(self.config.seed, 0, "ask"))
        return start[:count].cpu()

    def first(self, count: int = FIRST) -> Frame:
        """The first pictures of the search of this configuration, before it has been begun."""
        x = self.start(count)
        looks = self.look(self.variation.of_latents(x))
        return Frame(0, looks.pixels, tuple(looks.scores.tolist()), x, ())

    def pace(self, size: int) -> tuple[int, int]:
        """Candidates for each of `size` places, and rounds of a suggestion, that can be drawn in `SECONDS` and `LONGER`
        at the speed of what was drawn so far.
        """
        speed = self._drawn / max(self._seconds, 1e-6)
        pool = min(6, max(2, int(SECONDS * speed / size)))
        return pool, min(4, max(2, int(LONGER * speed / (pool * size))))

    @cached_property
    def directions(self) -> tuple[Tensor, tuple[str, ...]]:
        """Directions `(K, F)` in the features with a name each, in which a taste is told."""
        words = self.encoder.embed_texts([f"a photo of something {word}" for word in TOLD]).cpu()
        words = torch.nn.functional.normalize(words - words.mean(dim=0), dim=1)
        count = len(MEASURED)
        measures = torch.cat([torch.zeros(count, words.shape[1]), torch.eye(count)], dim=1)
        told = torch.cat([words, torch.zeros(len(words), count)], dim=1)
        return torch.cat([measures, told]), (*MEASURED, *TOLD)

    def describe(self, genome: Tensor) -> str:
        """The labels that a genome mixes, "" where the generator has none."""
        return self.generator.describe(genome[0])

    def png(self, genome: Tensor, pixels: np.ndarray, seed: int, score: float) -> bytes:
        """A picture `(H, W, 3)` for keeping: with latent and models in it where it is drawn from one latent."""
        if not is_latent(genome):
            return sheet_png(pixels)
        options: dict[str, Any] = self.config.generator_arguments()
        info = info_of(self.generator, genome[0], seed, options, self.prompt.title)
        return picture_png(pixels, info)

    def _draw(self, genomes: Tensor) -> Tensor:
        threads = at_once(self.generator.device, self.generator.resolution)
        pieces = over_micro_batches(self._render, genomes, MICRO_BATCH, threads)
        return torch.cat([images[:count] for images, count in pieces])

    def _render(self, genomes: Tensor) -> Tensor:
        """`(N, G, D)` -> `(N, 3, H, W)`; each layer's style from the latent of its group."""
        if not self._rows or bool((genomes == genomes[:, :1]).all()):
            return self.generator.render(genomes[:, 0])
        source: Any = self.generator
        styles = [source.styles(genomes[:, row]) for row in range(genomes.shape[1])]  # G of (N, L, E)
        mixed = torch.stack([styles[row][:, layer] for layer, row in enumerate(self._rows)], dim=1)
        images: Tensor = source.draw(mixed)
        return images

    def _features(self, images: Tensor) -> Tensor:
        looks = self.encoder.embed_images(images)
        return torch.cat([looks, measured(images)], dim=1)


def measured(images: Tensor) -> Tensor:
    """`(N, 3, H, W)` in [0, 1] -> `(N, 5)`, the columns of `MEASURED`, each of the order of 1."""
    grey = images.mean(dim=1)  # (N, H, W)
    height, width = grey.shape[1:]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    middle = (x.square() + y.square() < 0.5).to(grey.device)
    edge = (grey - grey.flatten(1).median(dim=1).values[:, None, None]).abs()  # what stands out from the ground
    centred = edge[:, middle].mean(dim=1) - edge[:, ~middle].mean(dim=1)
    columns = (brightness(images), saturation(images), hue(images), grey.flatten(1).std(dim=1), 2 * centred)
    return torch.stack(columns, dim=1).float()
