"""The front between phrase and discriminator: NSGA-II against weighted sums with as many images, pocket models.

    python benchmarks/front.py
    python benchmarks/front.py --phrase "a red fire truck" --seeds 5 --out front.json

Hypervolume is the area of [0, 1] x [0, 1] (cosine, realism) that some picture reaches in both: of NSGA-II the final
front alone, of a weighted sum everything that it has seen on the way, which is more than a run keeps. Medians over the
seeds; with --out a JSON file with every run.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.run.loop import run
from zeuxis.run.prepare import Models, load_models, prepare_run
from zeuxis.search.pareto import HasFront, front_of

RUNS = {"nsga2": 1.0, "ga + 0.1 realism": 0.1, "ga + 0.3 realism": 0.3, "ga + 1 realism": 1.0, "ga": 1e-9}


def hypervolume(f: Tensor) -> float:
    """The area that points `(N, 2)` above 0 dominate, in units of the objectives."""
    front = f[front_of(f)].clamp_min(0.0)  # from the largest first objective on
    before = torch.cat([torch.zeros(1), front[:-1, 1]])
    return float((front[:, 0] * (front[:, 1] - before)).sum())


def one(name: str, phrase: str, seed: int, args: argparse.Namespace, models: Models) -> dict[str, Any]:
    config = RunConfig(
        prompt=(phrase,), judge=None, search=name.split()[0], realism=RUNS[name], seed=seed, population=args.population
    )
    prepared = prepare_run(config, models)
    problem, search = prepared.problem, prepared.new_search()
    seen = []
    for event in run(problem, search, seed=seed, generations=args.generations):
        text, realism = event.evaluation.parts.values()
        seen.append(torch.stack([text, realism / config.realism], dim=1))
    visited = torch.cat(seen)
    row = {"search": name, "phrase": phrase, "seed": seed, "images": len(visited), "visited": hypervolume(visited)}
    if isinstance(search, HasFront):
        front = search.population_objectives[search.front]
        pick = search.population_objectives[(search.population_x == search.best[0]).all(dim=1)][0]
    else:
        front = visited[front_of(visited)]
        pick = visited[(visited @ torch.tensor([1.0, config.realism])).argmax()]
    row |= {"hypervolume": hypervolume(front), "members": len(front)}
    row |= {"best_text": float(front[:, 0].max()), "best_realism": float(front[:, 1].max())}
    return row | {"pick": [round(v, 4) for v in pick.tolist()]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phrase", action="append", help="several times; default: a photo of a dog")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--population", type=int, default=64)
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--out", type=Path, help="also write every run to this JSON file")
    args = parser.parse_args()
    models = load_models(RunConfig(prompt=("a",), judge=None))
    rows = []
    print("search              hypervolume  members  best cosine  best realism  pick (cosine, realism)")
    for name in RUNS:
        phrases = args.phrase or ["a photo of a dog"]
        own = [one(name, phrase, seed, args, models) for phrase in phrases for seed in range(args.seeds)]
        rows += own
        middle = {key: statistics.median(row[key] for row in own) for key in ("hypervolume", "members")}
        best = [statistics.median(row[key] for row in own) for key in ("best_text", "best_realism")]
        pick = ", ".join(f"{statistics.median(row['pick'][k] for row in own):.3f}" for k in (0, 1))
        spread = f"{min(r['hypervolume'] for r in own):.3f} to {max(r['hypervolume'] for r in own):.3f}"
        figures = f"{middle['hypervolume']:.3f} ({spread})  {middle['members']:4.0f}  {best[0]:.3f}  {best[1]:.3f}"
        print(f"{name:18}  {figures}  {pick}", flush=True)
    if args.out:
        args.out.write_text(json.dumps({"arguments": vars(args) | {"out": None}, "runs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
