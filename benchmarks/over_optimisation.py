"""Remedies against scorer over-optimisation side by side, against best-of-N at equal images, by what did not guide.

    python benchmarks/over_optimisation.py --data DATA --out FOLDER [--sets SET ...] [--phrases 20] [--seeds 3]
        [--images 3584] [--only NAME ...] [--minutes M]
    python benchmarks/over_optimisation.py --out FOLDER --report [--results FILE]

The same command goes on where it was: a finished row of FOLDER/rows.jsonl is not made again. For each seed, phrase
(phrases.py), set and configuration (CONFIGURATIONS): of the final population of 64 the mean of MobileNet v1 as judge,
the Frechet distance of its MobileNet v1 features to real pictures of the class beside its floor (as many other real
pictures against the same), the share inside their manifold (k = 3, Kynkaanniemi et al. 2019) beside that of these
other real pictures, and the effective number. The real pictures are of the training split; the others of the test
split, filled up from the training split to 64 where it has fewer. `default` is what `zeuxis
generate` does without further flags, with so many images: draws of the kinds that the phrase names; `stop` is the run
of cma-ga as --stop-on-disagreement 3 would have left it: no run of its own, and fewer images.

The report has means over phrases, and the difference to best-of-N on the same phrase and seed, with 95 % bootstrap
intervals over whole phrases; then what is asked of the default. --results writes all of it as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import manifold
import numpy as np
import torch
from phrases import PHRASES
from torch import Tensor

from zeuxis.config import RunConfig, make_config
from zeuxis.data import read_images
from zeuxis.evaluation.feature_spaces import FeatureSpace, open_features
from zeuxis.experiments.analysis import estimate
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.health import descriptors, health
from zeuxis.metrics.neighbours import inside, radii
from zeuxis.prompts.kinds import kinds_near
from zeuxis.prompts.members import MEMBERS
from zeuxis.rng import stream
from zeuxis.run import Session, prepare_run
from zeuxis.run.stopping import disagreement, from_config

FULL = 3584  # images of a run of cma-ga in which the GA takes over after 120 generations of sep-CMA-ES
POPULATION = 64
REAL = {"train": 1000, "test": 256}  # pictures of a class, at most
LOOKS = 3  # evaluations after which the rule stops
EVERY = 5  # generations between them
SECOND = "pocket-second"  # that guides beside the first


@dataclass(frozen=True)
class Set:
    """Who draws the phrases of a set of pictures, which scorer guides, and which one the rule stops by."""

    generator: str
    guide: str
    held_out: str


SETS = {
    "products": Set("pocket-products", "pocket-64", "pocket"),
    "cifar10": Set("pocket", "pocket", "pocket-second"),
    "tiny-imagenet": Set("pocket-things", "pocket-64", "pocket"),
}
BASELINE, BRED = "best of N", "cma-ga"
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    BASELINE: {"search": "samples"},
    "default": {"search": "auto"},
    BRED: {},
    "stop": {},
    "two, standardised": {"second": True, "standardise": True},
    "two, disagreement": {"second": True, "disagreement": 1.0},
    "drift": {"drift": 0.1},
    "best of N, truncated": {"search": "samples", "truncation": 0.6},
    "cma-ga, truncated": {"truncation": 0.6},
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
    if not args.report:
        measure(args)
    told = summary(read_rows(args.out))
    for data, of in told.items() if args.data else ():
        of["real different of 64"] = {p: variety(p, label, data, args.data) for p, label in PHRASES[data]}
    report(told)
    if args.results:
        args.results.write_text(json.dumps(told, indent=1) + "\n")


def measure(args: argparse.Namespace) -> None:
    """Every row that is missing; none is begun after --minutes."""
    torch.set_num_threads(1)
    space, begun = open_features("mobilenet-v1"), time.monotonic()
    done = {(row["phrase"], row["configuration"], row["seed"]) for row in read_rows(args.out)}
    asked = [(seed, n, data) for seed in range(args.seeds) for n in range(args.phrases) for data in args.sets]
    for seed, n, data in asked:
        phrase, label = PHRASES[data][n]
        missing = [name for name in args.only if (phrase, name, seed) not in done]
        real = reference(label, data, args.data, space) if missing else None
        for name in missing:
            if name == "stop" and BRED in missing:
                continue  # made with it
            if args.minutes and time.monotonic() - begun > 60 * args.minutes:
                return print("No row is begun any more: --minutes are over. The same command goes on.")
            for row in one(phrase, data, name, seed, args.images, real, space, "stop" in missing):
                with (args.out / "rows.jsonl").open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
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
    if (few := POPULATION - len(test)) > 0:
        train, test = train[:-few], torch.cat([test, train[-few:]])
    radius = radii(train, manifold.K)
    return Reference(train, radius, test, share(test, train, radius), frechet_distance(train, test[:POPULATION]))


def variety(phrase: str, label: str, data: str, place: Path) -> float | None:
    """The effective number of 64 real pictures of what a phrase asks for, of products in its colour; None for fewer."""
    images = read_images(data, place, "train", resolution=None if data == "cifar10" else 64)
    named = [[of[row].lower() for row in rows.tolist()] for rows, of in map(images.label, range(len(images.labels)))]
    if data == "products":
        known = MEMBERS[SETS[data].generator].vocabulary
        assert known is not None
        kinds = {kind.lower() for kind in kinds_near([phrase], known).kinds}
        found = [i for i, (kind, colour) in enumerate(zip(*named, strict=True)) if {kind, f"{colour} {kind}"} & kinds]
    else:
        found = [i for i, name in enumerate(named[0]) if label in name]
    if len(found) < POPULATION:
        return None
    chosen = torch.tensor(found)[torch.randperm(len(found), generator=stream(0, "variety"))[:POPULATION]]
    shown = descriptors(images.pixels[chosen].permute(0, 3, 1, 2) / 255)
    return round(health(shown, torch.zeros(POPULATION), torch.zeros(POPULATION, 1)).effective, 1)


def share(features: Tensor, centres: Tensor, radius: Tensor) -> float:
    return float((inside(features, centres, radius)[0] > 0).float().mean())


def settings(phrase: str, data: str, name: str, seed: int, images: int) -> RunConfig:
    """The run of a row, at so many images: generations of both parts of cma-ga in the proportion of a full run."""
    of, fields = SETS[data], dict(CONFIGURATIONS[name])
    scorers = (of.guide, SECOND) if fields.pop("second", False) else (of.guide,)
    if name == BRED:
        fields |= {"stop_on_disagreement": LOOKS}
        scorers = (*scorers, f"{of.held_out}:0")
    if fields.setdefault("search", BRED) == BRED:
        spread = round(40 * (images - POPULATION) / (FULL - POPULATION))
        focus = (images - POPULATION - POPULATION * spread) // 8  # the rest, in generations of 8
        fields["options"] = {"focus": focus, "spread": spread}
    shared = {"generator": of.generator, "judge": "mobilenet-v1", "view_every": EVERY, "seed": 100 + seed}
    limits = {"population": POPULATION, "generations": 10**6, "budget": images}
    return make_config(prompt=(phrase,), scorer=scorers, **shared, **limits, **fields)


def one(
    phrase: str, data: str, name: str, seed: int, images: int, real: Reference | None, space: FeatureSpace, stop: bool
) -> list[dict[str, Any]]:
    """The row of a configuration; of that of cma-ga also what the stopping rule would have left, if `stop`."""
    assert real is not None
    config = settings(phrase, data, name if name != "stop" else BRED, seed, images)
    session = Session(prepare_run(config))
    session._judge = lambda event: None  # type: ignore[method-assign]  # it judges the end only
    session._rule = from_config(config.model_copy(update={"stop_on_disagreement": None}))  # the run goes on
    rule = disagreement(LOOKS)
    started, stopped, spent = time.process_time(), None, 0
    for event in session:
        spent = event.images_so_far
        if stopped is None and rule(event):
            stopped = (spent, session.search.population_x.clone(), session.search.population_score.clone())
    seconds = time.process_time() - started
    end = (spent, session.search.population_x, session.search.population_score)
    states = {name: end} if name not in (BRED, "stop") else {BRED: end, "stop": stopped or end}
    shared = {"phrase": phrase, "data": data, "seed": seed, "budget": images}
    found = []
    for what, (count, x, score) in states.items():
        row = shared | {"configuration": what, "images": count, "stopped": what == "stop" and stopped is not None}
        found.append(row | figures(session, x, score, real, space) | {"cpu_seconds": round(seconds, 1)})
    wanted = {name} | ({"stop"} if stop else set())
    return [row for row in found if row["configuration"] in wanted]


def figures(session: Session, x: Tensor, score: Tensor, real: Reference, space: FeatureSpace) -> dict[str, Any]:
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
    return {key: round(value, 4) if _number(value) else None for key, value in plain.items()}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """By set: what is done for all its configurations of a phrase and seed, as means and differences to best-of-N."""
    found: dict[str, Any] = {}
    for data in SETS:
        by = {(r["phrase"], r["seed"], r["configuration"]): r for r in rows if r["data"] == data}
        names = [name for name in CONFIGURATIONS if any(key[2] == name for key in by)]
        pairs = sorted({(p, s) for p, s, _ in by if all((p, s, name) in by for name in names)})
        if pairs and BASELINE in names:
            table = {name: {key: _figure(by, pairs, name, key) for key in FIGURES} for name in names}
            fired = [by[(*pair, "stop")]["stopped"] for pair in pairs] if "stop" in names else []
            found[data] = {
                "phrases": sorted({p for p, _ in pairs}), "seeds": len({s for _, s in pairs}), "pairs": len(pairs),
                "budget": sorted({by[(*pair, BASELINE)]["budget"] for pair in pairs}), "configurations": table,
                "stopped": [sum(fired), len(fired)], "asked": {n: asked(by, pairs, n, table) for n in names},
                "rows": [_plain(by[(*pair, name)]) for pair in pairs for name in names],
            }  # fmt: skip
    return found


def _figure(by: dict[Any, Any], pairs: list[tuple[str, int]], name: str, key: str) -> dict[str, Any]:
    """Mean and interval, those of the difference to best-of-N, and of how many phrases: the judge has no class for all.

    A figure of no phrase is null.
    """
    known = [pair for pair in pairs if all(_number(by[(*pair, of)][key]) for of in (name, BASELINE))]
    phrases = [phrase for phrase, _ in known]
    if not known:
        return {"mean": None, "gain": None, "phrases": 0}
    values = [float(by[(*pair, name)][key]) for pair in known]
    less = [value - by[(*pair, BASELINE)][key] for pair, value in zip(known, values, strict=True)]
    both = {"mean": estimate(values, phrases, _mean), "gain": estimate(less, phrases, _mean)}
    said = {what: [round(e.value, 4), round(e.low, 4), round(e.high, 4)] for what, e in both.items()}
    return said | {"phrases": len(set(phrases))}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """NaN as null: JSON has none."""
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}


def _number(value: Any) -> bool:
    return value is not None and not math.isnan(value)


def asked(by: dict[Any, Any], pairs: list[tuple[str, int]], name: str, table: dict[str, Any]) -> dict[str, Any]:
    """What is asked of a search: in every class as many inside the manifold as of real pictures, less 0.05; a gain of
    the judge over best-of-N whose interval is above 0; half of the population different.
    """
    short = {}
    for phrase in sorted({phrase for phrase, _ in pairs}):
        rows = [by[(p, s, name)] for p, s in pairs if p == phrase]
        less = _mean([row["inside"] - row["real_inside"] for row in rows])
        if less < -0.05:
            short[phrase] = round(less, 3)
    return {
        "phrases short of the real share inside by more than 0.05": short,
        "judge gains": (table[name]["judge"]["gain"] or [0, 0, 0])[1] > 0,
        "half of the population differs": table[name]["effective"]["mean"][0] >= POPULATION / 2,
    }


def report(told: dict[str, Any]) -> None:
    """Tables of a summary."""
    for data, of in told.items():
        print(
            f"\n{data}: {len(of['phrases'])} phrases, {of['seeds']} seeds, {of['pairs']} pairs, {of['budget']} images"
        )
        print(f"| configuration | {' | '.join(title for title, _ in FIGURES.values())} |")
        print("|---" * (1 + len(FIGURES)) + "|")
        for name, figures in of["configurations"].items():
            cells = [_cell(figures[key], key, versus and name != BASELINE) for key, (_, versus) in FIGURES.items()]
            print(f"| {name} | {' | '.join(cells)} |")
        real = [value for value in of.get("real different of 64", {}).values() if value is not None]
        if real:
            print(f"real pictures of {len(real)} phrases: {_mean(real):.1f} different of 64")
        print(f"the rule stopped {of['stopped'][0]} of {of['stopped'][1]} runs")
        for name, answers in of["asked"].items():
            print(f"{name}: {json.dumps(answers)}")


def _cell(figure: dict[str, Any], key: str, versus: bool) -> str:
    if figure["mean"] is None:
        return "-"
    digits = 0 if key == "images" else 1 if key in ("frechet", "floor", "effective") else 3
    said = f"{figure['mean'][0]:.{digits}f}"
    return said + ("; {:+.{n}f} ({:+.{n}f} to {:+.{n}f})".format(*figure["gain"], n=digits) if versus else "")


_mean: Callable[[Any], float] = lambda x: float(np.mean(x))  # noqa: E731


def read_rows(out: Path) -> list[dict[str, Any]]:
    """The finished rows in a folder. A last line that was cut is made again."""
    path = out / "rows.jsonl"
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--phrases", type=int, default=20, help="of each set, at most 20")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=FULL, help="of a run")
    parser.add_argument(
        "--only", nargs="+", default=list(CONFIGURATIONS), choices=CONFIGURATIONS, help="configurations"
    )
    parser.add_argument("--minutes", type=float, default=0, help="after which no row is begun; 0: all")
    parser.add_argument("--report", action="store_true", help="only print the tables of what is there")
    parser.add_argument("--results", type=Path, help="write the summary and its rows there, as JSON")
    args = parser.parse_args()
    if not 1 <= args.phrases <= 20 or args.seeds < 1 or args.images < 2 * POPULATION:
        parser.error(f"expected 1 to 20 phrases, a seed and at least {2 * POPULATION} images")
    if not args.report and args.data is None:
        parser.error("expected --data, the folder of the pictures")
    return args


if __name__ == "__main__":
    main()
