"""QD score and coverage of the quality-diversity searches on the pocket models, and of `ga` binned in the same archive.

    python benchmarks/quality_diversity.py
    python benchmarks/quality_diversity.py --prompt "a ship on the sea" --measure "day|night" --out ship.json

Every search renders population * (generations + 1) images; the ranges of the archive come once from 256 further images
of the prior and are the same for all. Figures: median (lowest to highest) over the seeds. Runs that the file holds
already are not done again.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from zeuxis.compute.micro_batches import MICRO_BATCH
from zeuxis.config import RunConfig
from zeuxis.run import run
from zeuxis.run.prepare import load_models, prepare_run
from zeuxis.run.record import Decisions
from zeuxis.search.archive import Grid, HasArchive, fill

CELLS = 16
VARIANTS = {
    "map-elites": ("map-elites", {}),
    "map-elites, iso-line": ("map-elites", {"operator": "iso-line"}),
    "cma-me": ("cma-me", {}),
    "cma-mae": ("cma-mae", {}),
    "ga": ("ga", {}),
}


def configure(variant: str, seed: int, arguments: argparse.Namespace) -> RunConfig:
    search, options = VARIANTS[variant]
    cells = {} if search == "ga" else {"cells": CELLS}
    asked = {"prompt": (arguments.prompt,), "measures": ("brightness", arguments.measure)}
    shared = {**asked, "judge": None, "precision": "fp32", "device": "cpu"}
    sizes = {"population": arguments.population, "generations": arguments.generations}
    return RunConfig(**shared, **sizes, search=search, options=options | cells, seed=seed)


def one(config: RunConfig, loaded, ranges) -> dict:
    prepared = prepare_run(config, loaded, decisions=Decisions([(0, MICRO_BATCH)], ranges=ranges))
    search, started = prepared.new_search(), time.perf_counter()
    events = list(run(prepared.problem, search, seed=config.seed, generations=config.generations))
    seconds = time.perf_counter() - started
    told = [(event.batch.x, event.evaluation.score, event.evaluation.measures) for event in events]
    archive = fill(Grid(CELLS, ranges), *(torch.cat(rows) for rows in zip(*told, strict=True)))
    if isinstance(search, HasArchive):  # pyribs and our own binning agree to the bit
        assert torch.equal(search.elites().x, archive.x)
    figures = {"qd_score": archive.qd_score, "coverage": archive.coverage, "best": events[-1].best_score}
    figures |= {"mean": float(archive.score.mean()), "filled": len(archive.score), "seconds": round(seconds, 1)}
    return figures | {"images": events[-1].images_so_far}


def table(rows: list[dict]) -> str:
    lines = ["| search | QD score | coverage | mean of the elites | best score |", "|---|---|---|---|---|"]
    for variant in VARIANTS:
        found = [row for row in rows if row["variant"] == variant]
        if found:
            cells = [_spread([row[key] for row in found], digits) for key, digits in FIGURES.items()]
            lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


FIGURES = {"qd_score": 1, "coverage": 3, "mean": 3, "best": 3}


def _spread(values: list[float], digits: int) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompt", default="a photo of a cat")
    parser.add_argument("--measure", default="white cat|black cat", help="beside brightness")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--population", type=int, default=36)
    parser.add_argument("--generations", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/quality_diversity.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = {"population": arguments.population, "generations": arguments.generations}
    config = configure("ga", 0, arguments)
    loaded = load_models(config)
    problem = prepare_run(config, loaded).problem
    problem.choose_ranges()
    ranges = problem.decisions.ranges
    asked = {"prompt": config.prompt[0], "measures": config.measures}
    setting = {**asked, "cells": CELLS, "ranges": ranges, "offset": 0.0, **sizes}
    setting = json.loads(json.dumps(setting))
    known = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    rows = known["runs"] if known.get("setting") == setting else []
    for seed in arguments.seeds:
        for variant in arguments.variants:
            if not any(row["variant"] == variant and row["seed"] == seed for row in rows):
                rows.append(
                    {"variant": variant, "seed": seed} | one(configure(variant, seed, arguments), loaded, ranges)
                )
                print(rows[-1], flush=True)
                arguments.out.write_text(json.dumps({"setting": setting, "runs": rows}, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
