"""Remedies against scorer over-optimisation side by side, against best-of-N at equal images, by what did not guide.

    python benchmarks/over_optimisation.py --data DATA --out FOLDER [--phrases 6] [--seeds 1] [--images 1280]
    python benchmarks/over_optimisation.py --out FOLDER --report

For each phrase of both generators, seed and configuration (CONFIGURATIONS): of the final population of 64 the mean of
MobileNet v1 as judge, the Frechet distance of its MobileNet v1 features to real training pictures of the class beside
its floor (as many real test pictures against the same), the share inside their manifold (k = 3, Kynkaanniemi et al.
2019) beside that of real test pictures, and the effective number. `stop` is the default run as --stop-on-disagreement
3 would have left it: no run of its own, and fewer images. A finished row is not made again; rows of one phrase are
made together, and their real pictures are read once.

The report has means over phrases, and the difference to best-of-N on the same phrase and seed, with 95 % bootstrap
intervals over whole phrases.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manifold
import numpy as np
import torch
from torch import Tensor

from zeuxis.config import RunConfig, make_config
from zeuxis.data import read_images
from zeuxis.evaluation.feature_spaces import FeatureSpace, open_features
from zeuxis.experiments.analysis import estimate
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.health import descriptors, health
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.run import Session, prepare_run
from zeuxis.run.stopping import disagreement, from_config

FULL = 3584  # images of a default run, in which the GA takes over after 120 generations of sep-CMA-ES
POPULATION = 64
REAL = {"train": 1000, "test": 256}  # pictures of a class, at most
LOOKS = 3  # evaluations after which the rule stops
EVERY = 5  # generations between them
GUIDES = {"pocket": "pocket", "pocket-products": "pocket-64"}
SECOND, HELD_OUT = "pocket-second", {"pocket": "pocket-second", "pocket-products": "pocket"}
BASELINE = "best of N"
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    BASELINE: {"search": "samples"},
    "default": {},
    "stop": {},
    "two, standardised": {"second": True, "standardise": True},
    "two, disagreement": {"second": True, "disagreement": 1.0},
    "drift": {"drift": 0.1},
}
FIGURES = {  # key: title, whether the difference to best-of-N is of interest
    "judge": ("judge, population", True),
    "judge_best": ("judge, chosen", True),
    "inside": ("inside", True),
    "real_inside": ("real test inside", False),
    "frechet": ("Frechet", True),
    "floor": ("floor", False),
    "effective": ("different of 64", True),
    "score": ("guide, best", False),
    "images": ("images", False),
}


@dataclass
class Reference:
    """Real pictures of a class in features: of the training set `(N, E)` with radii `(N,)`, and of the test set."""

    train: Tensor
    radius: Tensor
    test: Tensor
    inside: float
    floor: float


def main() -> None:
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in _lines(args.out)]
    if args.report:
        return report(rows)
    torch.set_num_threads(1)
    space, done = open_features("mobilenet-v1"), {(r["phrase"], r["configuration"], r["seed"]) for r in rows}
    for seed in range(args.seeds):
        for phrase, data, label in manifold.PHRASES[: 2 * args.phrases]:
            missing = [name for name in CONFIGURATIONS if (phrase, name, seed) not in done]
            real = reference(label, data, args.data, space) if missing else None
            for name in missing:
                if name == "stop" and "default" in missing:
                    continue  # made with it
                for row in one(phrase, data, name, seed, args.images, real, space):
                    with (args.out / "rows.jsonl").open("a") as file:
                        file.write(json.dumps(row) + "\n")
                    print(json.dumps(row), flush=True)
    report([json.loads(line) for line in _lines(args.out)])
    return None


def reference(label: str, data: str, place: Path, space: FeatureSpace) -> Reference:
    """The real pictures whose label has this word in its name."""
    found = {}
    for split, most in REAL.items():
        images = read_images(data, place, split, resolution=None if data == "cifar10" else 64)
        labels, names = images.label(0)
        of = torch.tensor([k for k, name in enumerate(names) if label in name.lower()])
        rows = torch.isin(labels, of).nonzero().flatten()[:most]
        found[split] = manifold.features(space, images.pixels[rows].permute(0, 3, 1, 2))
    train, test = found["train"], found["test"]
    radius = radii(train, manifold.K)
    return Reference(train, radius, test, share(test, train, radius), frechet_distance(train, test[:POPULATION]))


def share(features: Tensor, centres: Tensor, radius: Tensor) -> float:
    return float((inside(features, centres, radius)[0] > 0).float().mean())


def settings(phrase: str, data: str, name: str, seed: int, images: int) -> RunConfig:
    """The run of a row, at so many images: generations of both parts of cma-ga in the proportion of a full run."""
    generator = "pocket" if data == "cifar10" else "pocket-products"
    fields = dict(CONFIGURATIONS[name])
    scorers = (GUIDES[generator], SECOND) if fields.pop("second", False) else (GUIDES[generator],)
    if name == "default":
        fields |= {"stop_on_disagreement": LOOKS}
        scorers = (*scorers, f"{HELD_OUT[generator]}:0")
    if fields.setdefault("search", "cma-ga") == "cma-ga":
        part = (images - POPULATION) / (FULL - POPULATION)
        fields["options"] = {"focus": round(120 * part), "spread": round(40 * part) + 1}
    shared = {"generator": generator, "judge": "mobilenet-v1", "view_every": EVERY, "seed": 100 + seed}
    limits = {"population": POPULATION, "generations": 10**6, "budget": images}
    return make_config(prompt=(phrase,), scorer=scorers, **shared, **limits, **fields)


def one(
    phrase: str, data: str, name: str, seed: int, images: int, real: Reference | None, space: FeatureSpace
) -> list[dict[str, Any]]:
    """The row of a configuration; of the default run that of the stopping rule as well."""
    assert real is not None
    config = settings(phrase, data, name if name != "stop" else "default", seed, images)
    session = Session(prepare_run(config))
    session._judge = lambda event: None  # type: ignore[method-assign]  # it judges the end only
    session._rule = from_config(config.model_copy(update={"stop_on_disagreement": None}))  # the run goes on
    rule = disagreement(LOOKS)
    started, stopped, spent = time.process_time(), None, 0
    for event in session:
        spent = event.images_so_far
        if stopped is None and "stop" in CONFIGURATIONS and rule(event):
            stopped = (spent, session.search.population_x.clone(), session.search.population_score.clone())
    seconds = time.process_time() - started
    end = (spent, session.search.population_x, session.search.population_score)
    states = {name: end} if name != "default" else {"default": end, "stop": stopped or end}
    shared = {"phrase": phrase, "data": data, "seed": seed, "budget": images}
    found = []
    for what, (count, x, score) in states.items():
        row = shared | {"configuration": what, "images": count, "stopped": what == "stop" and stopped is not None}
        found.append(row | figures(session, x, score, real, space) | {"cpu_seconds": round(seconds, 1)})
    return [row for row in found if name != "stop" or row["configuration"] == "stop"]


def figures(session: Session, x: Tensor, score: Tensor, real: Reference, space: FeatureSpace) -> dict[str, float]:
    """Of a population, seen by networks that did not guide it."""
    order = score.argsort(descending=True)
    x, score, problem = x[order], score[order].cpu(), session.problem
    pictures = problem.render(x, 0)
    judged = problem.judge_images(pictures, score, 0)
    assert judged is not None
    seen = manifold.features(space, (pictures * 255).round().to(torch.uint8))
    told = health(descriptors(pictures), score, problem._deviations(x.cpu()))
    plain = {
        "score": float(score[0]), "judge": float(judged.score.mean()), "judge_best": float(judged.score[0]),
        "inside": share(seen, real.train, real.radius), "real_inside": real.inside,
        "frechet": frechet_distance(real.train, seen), "floor": real.floor, "effective": told.effective,
    }  # fmt: skip
    return {key: round(value, 4) for key, value in plain.items()}


def report(rows: list[dict[str, Any]]) -> None:
    """Tables of what is done for all configurations of a phrase and seed."""
    for data in ("cifar10", "products"):
        by = {(r["phrase"], r["seed"], r["configuration"]): r for r in rows if r["data"] == data}
        pairs = sorted({(p, s) for p, s, _ in by if all((p, s, name) in by for name in CONFIGURATIONS)})
        if not pairs:
            continue
        print(f"\n{data}: {len({p for p, _ in pairs})} phrases, {len({s for _, s in pairs})} seeds")
        print(f"| configuration | {' | '.join(title for title, _ in FIGURES.values())} |")
        print("|---" * (1 + len(FIGURES)) + "|")
        for name in CONFIGURATIONS:
            cells = [_cell(by, pairs, name, key, versus) for key, (_, versus) in FIGURES.items()]
            print(f"| {name} | {' | '.join(cells)} |")
        fired = [by[(*pair, "stop")]["stopped"] for pair in pairs]
        print(f"the rule stopped {sum(fired)} of {len(fired)} runs")


def _cell(by: dict[Any, Any], pairs: list[tuple[str, int]], name: str, key: str, versus: bool) -> str:
    values = [by[(*pair, name)][key] for pair in pairs]
    digits = 0 if key == "images" else 1 if key in ("frechet", "floor", "effective") else 3
    said = f"{np.mean(values):.{digits}f}"
    if versus and name != BASELINE:
        less = [value - by[(*pair, BASELINE)][key] for pair, value in zip(pairs, values, strict=True)]
        said += f"; {estimate(less, [phrase for phrase, _ in pairs], _mean):+.{digits}f}"
    return said


_mean: Callable[[Any], float] = lambda x: float(np.mean(x))  # noqa: E731


def _lines(out: Path) -> list[str]:
    path = out / "rows.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--phrases", type=int, default=6, help="of each generator, at most 6")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=FULL, help="of a run")
    parser.add_argument("--report", action="store_true", help="only print the tables of what is there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
