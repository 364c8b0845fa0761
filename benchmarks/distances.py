"""Distances of every pocket generator to real pictures, in features of MobileNet v1, which guided and trained none.

Samples are drawn from the generator's prior without any search. Everything stands beside the same figure of real
pictures against real pictures at the same number: the floor that no generator can beat by merit.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from zeuxis.data import ImageSet, read_images
from zeuxis.generators import GENERATORS
from zeuxis.lab.adversarial_options import options_of
from zeuxis.lab.adversarial_setup import conditioned
from zeuxis.lab.curves import save_grid
from zeuxis.lab.recipe_files import load
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.diversity import effective_number
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.health import descriptors, distances
from zeuxis.metrics.kernel import kernel_distance
from zeuxis.metrics.precision_recall import precision_recall
from zeuxis.rng import stream
from zeuxis.scorers.imagenet_judge import MobileNetJudge

COUNT, GROUPS = 2000, 8
RECIPES = {
    "pocket": "vision-aided-cifar10",
    "pocket-products": "vision-aided-products",
    "pocket-things": "vision-aided-things",
}


def sets(name: str, path: Path) -> tuple[ImageSet, ImageSet]:
    """The training and test pictures of a pocket generator's recipe, of the kinds that it chooses."""
    recipe = load(RECIPES[name])
    train, test = (read_images(recipe.data, path, split) for split in ("train", "test"))
    return conditioned(train, test, options_of(recipe.options))


def unit(data: ImageSet, rows: Tensor) -> Tensor:
    """Rows of a data set as (B, 3, R, R) in [0, 1]."""
    return data.batch(rows) / 2 + 0.5


def figures(name: str, path: Path, pictures: Path | None = None) -> dict[str, object]:
    """One generator against its own training data; `pictures` is where a grid of samples goes."""
    generator, (train, test) = GENERATORS[name](), sets(name, path)
    order = torch.randperm(len(train), generator=stream(0, "distances"))
    one, two = unit(train, order[:COUNT]), unit(train, order[COUNT : 2 * COUNT])
    x = generator.space.sample(COUNT, stream(0, "distances", name))
    with torch.no_grad():
        drawn = torch.cat([generator.render(piece) for piece in torch.split(x, 100)])
    judge = MobileNetJudge()
    real, floor, fake = (judge.embed(images) for images in (one, two, drawn))
    found = {"n": COUNT, "samples": against(fake, real), "real": against(floor, real)}
    found["effective_of_64"] = {"samples": _effective(drawn), "real": _effective(two)}
    small = descriptors(unit(train, torch.arange(len(train))))
    near = distances(descriptors(drawn[:200]), small).amin(1)
    held = distances(descriptors(unit(test, torch.arange(200))), small).amin(1)
    found["nearest_training_rms"] = {
        "samples": [float(near.min()), float(near.median())],
        "test_pictures": [float(held.min()), float(held.median())],
    }
    if pictures is not None:
        save_grid(drawn[:160], pictures / f"samples-{name}.png", 16, 2)
    return found


def against(fake: Tensor, real: Tensor) -> dict[str, float]:
    """Every distance of features (N, 512) to real ones."""
    kid, deviation = kernel_distance(fake, real, subsets=50, size=1000)
    both, share = precision_recall(fake, real), density_coverage(fake, real)
    return {
        "frechet": frechet_distance(real, fake),
        "kernel": kid,
        "kernel_deviation": deviation,
        "precision": both.precision,
        "recall": both.recall,
        "density": share.density,
        "coverage": share.coverage,
    }


def _effective(images: Tensor) -> float:
    """Effective number of 64 pictures, the mean over GROUPS sets."""
    return sum(effective_number(images[64 * k : 64 * (k + 1)]) for k in range(GROUPS)) / GROUPS
