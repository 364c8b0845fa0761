"""Does a search spoil the pictures? Searches side by side, judged by networks and features that did not guide.

    python benchmarks/manifold.py --data DATA --out FOLDER [--only NAME ...] [--sets NAME ...] [--phrases N] [--seeds N]

For each phrase and configuration (CONFIGURATIONS; `samples` is best-of-N, the baseline) at equal images: of the final
population the share whose MobileNet v1 features lie inside the real manifold of the class (k = 3 nearest neighbours
among real training pictures, Kynkaanniemi et al. 2019), beside the share of real test pictures; the judge's mean
score and the share that it recognises; the effective number. FOLDER gets rows.jsonl and a sheet per phrase, a row for
each configuration. A finished row is not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from phrases import PHRASES as BY_SET
from PIL import Image
from torch import Tensor

from zeuxis.config import make_config
from zeuxis.data import read_images
from zeuxis.evaluation.feature_spaces import FeatureSpace, open_features
from zeuxis.metrics.health import descriptors, health
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.pictures.grid import to_pixels
from zeuxis.run import Session, prepare_run

K = 3
MOST = 4000  # real pictures of a class that span its manifold
SHOWN = 10
FEW = 6  # of each set
PHRASES = [  # phrase, data set, what is in the name of its label there; the sets in turn
    (phrase, data, label)
    for rows in zip(*([(p, data, n) for p, n in BY_SET[data][:FEW]] for data in ("cifar10", "products")), strict=True)
    for phrase, data, label in rows
]
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "samples": {"search": "samples", "generations": 55},
    "cma-ga": {},
    "ga": {"search": "ga", "generations": 55},
    "ga prior": {
        "search": "ga", "generations": 55, "options": {"mutation": "prior", "mutation_strength": 0.5},
    },
    "ga prior 0.3": {
        "search": "ga", "generations": 55, "options": {"mutation": "prior", "mutation_strength": 0.3},
    },
    "cma-ga prior": {"options": {"mutation": "prior", "mutation_strength": 0.6}},
    "zero-order": {"search": "zero-order", "generations": 55},
    "both": {"scorer": ("pocket", "pocket-64"), "standardise": True},
    "both, drift": {"scorer": ("pocket", "pocket-64"), "standardise": True, "drift": 1.0},
    "both, samples": {
        "scorer": ("pocket", "pocket-64"), "standardise": True, "search": "samples", "generations": 55,
    },
    "drift": {"drift": 0.1},
    "pocket-64": {"scorer": ("pocket-64",)},
    "pocket-64, samples": {"scorer": ("pocket-64",), "search": "samples", "generations": 55},
    "both, ga prior": {
        "scorer": ("pocket", "pocket-64"), "standardise": True, "search": "ga", "generations": 55,
        "options": {"mutation": "prior", "mutation_strength": 0.5},
    },
}  # fmt: skip


def main() -> None:
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    space = open_features("mobilenet-v1")
    done = {(row["phrase"], row["configuration"], row["seed"]) for row in _rows(args.out)}
    for phrase, data, label in [row for row in PHRASES if row[1] in args.sets][: args.phrases]:
        real = None
        for name in args.only or CONFIGURATIONS:
            for seed in range(args.seeds):
                if (phrase, name, seed) in done:
                    continue
                real = real or Manifold(label, data, args.data, space)
                row = _run(phrase, data, name, seed, real, args.out) | {"real_inside": round(real.share, 4)}
                with (args.out / "rows.jsonl").open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
        _sheet(phrase, args.out)


class Manifold:
    """The real pictures whose label has a word in its name, in features."""

    def __init__(self, label: str, data: str, place: Path, space: FeatureSpace) -> None:
        self.space = space
        train, test = (self._features(label, data, place, split) for split in ("train", "test"))
        self.centres, self.radius = train, radii(train, K)
        self.share = self.inside(test)

    def inside(self, features: Tensor) -> float:
        """The share of rows `(N, E)` within the radius of a real picture."""
        return float((inside(features, self.centres, self.radius)[0] > 0).float().mean())

    def _features(self, label: str, data: str, place: Path, split: str) -> Tensor:
        images = read_images(data, place, split, resolution=None if data == "cifar10" else 64)
        labels, names = images.label(0)
        of = [k for k, name in enumerate(names) if label in name.lower()]
        assert of, (label, names)
        rows = torch.isin(labels, torch.tensor(of)).nonzero().flatten()[:MOST]
        pixels = images.pixels[rows].permute(0, 3, 1, 2)
        return features(self.space, pixels)


def features(space: FeatureSpace, images: Tensor) -> Tensor:
    """Images `(N, 3, H, W)` -> `(N, E)`."""
    with torch.no_grad():
        return torch.cat([space.embed(piece) for piece in torch.split(images, 64)])


def _run(phrase: str, data: str, name: str, seed: int, real: Manifold, out: Path) -> dict[str, Any]:
    generator = "pocket" if data == "cifar10" else "pocket-products"
    fields = {"generator": generator, "judge": "mobilenet-v1", "view_every": 1000, **CONFIGURATIONS[name]}
    session = Session(prepare_run(make_config(prompt=(phrase,), seed=100 + seed, **fields)))
    started, images = time.process_time(), 0
    for event in session:
        images = event.images_so_far
    seconds = time.process_time() - started
    problem, search = session.problem, session.search
    order = search.population_score.argsort(descending=True)
    x, score = search.population_x[order], search.population_score[order]
    pictures = problem.render(x, 0)
    judged = problem.judge_images(pictures, score, 0)
    assert judged is not None
    seen = features(real.space, (pictures * 255).round().to(torch.uint8))
    told = health(descriptors(pictures), score, problem._deviations(x))
    _strip(pictures[:SHOWN], out / f"{_file(phrase)}-{_file(name)}-{seed}.png")
    return {
        "phrase": phrase, "configuration": name, "seed": seed, "images": images, "score": round(float(score.max()), 4),
        "mean": round(float(score.mean()), 4), "judge": round(float(judged.score.mean()), 4),
        "judge_best": round(float(judged.score[0]), 4), "confidence": round(float(judged.confidence.mean()), 4),
        "inside": round(real.inside(seen), 4), "inside_best": real.inside(seen[:1]),
        **{key: round(float(value), 3) for key, value in told.to_dict().items() if key in ("effective", "norm")},
        "cpu_seconds": round(seconds, 1),
    }  # fmt: skip


def _strip(images: Tensor, path: Path) -> None:
    pixels = torch.from_numpy(to_pixels(images))  # (N, H, W, 3)
    Image.fromarray(pixels.permute(1, 0, 2, 3).reshape(pixels.shape[1], -1, 3).numpy()).save(path)


def _sheet(phrase: str, out: Path) -> None:
    """A row for each configuration, seed 0, under one another, enlarged."""
    strips = [out / f"{_file(phrase)}-{_file(name)}-0.png" for name in CONFIGURATIONS]
    rows = [Image.open(strip).convert("RGB") for strip in strips if strip.exists()]
    if not rows:
        return
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)))
    for k, row in enumerate(rows):
        sheet.paste(row, (0, k * row.height))
    sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST).save(out / f"{_file(phrase)}.png")


def _file(phrase: str) -> str:
    return phrase.replace(" ", "_").replace(",", "")


def _rows(out: Path) -> Iterator[dict[str, Any]]:
    path = out / "rows.jsonl"
    yield from map(json.loads, path.read_text().splitlines() if path.exists() else [])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[], choices=CONFIGURATIONS)
    parser.add_argument("--phrases", type=int, default=len(PHRASES))
    parser.add_argument("--sets", nargs="*", default=["cifar10", "products"], choices=["cifar10", "products"])
    parser.add_argument("--seeds", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
