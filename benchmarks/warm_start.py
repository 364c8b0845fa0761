"""Images that a warm start saves at equal score: cma-ga from the prior, from a bank's best and from a trained network.

    python benchmarks/warm_start.py --out FOLDER [--generator pocket] [--scorer pocket] [--seeds 2] [--images 400]

Needs `zeuxis bank build GENERATOR` before. The network is trained on the bank with the twenty phrases of the
measurement left out of its own (of the same labels there are others). For each phrase and seed the plain score's best
so far over images: the ratio of the images that a start needs to those of the cold one, to the cold one's best after
100, 200 and all images; a start that never gets there counts with all images. Geometric means with 95 % bootstrap
intervals over whole phrases. A finished row is not made again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zeuxis.config import make_config
from zeuxis.experiments.analysis import estimate
from zeuxis.experiments.phrases import TWENTY
from zeuxis.generators.choose import make_generator
from zeuxis.run import Session, prepare_run
from zeuxis.run.prepare import load_models
from zeuxis.scorers.bank import embedding_scorer, open_bank
from zeuxis.scorers.choose import make_scorer
from zeuxis.scorers.warm import fit, phrases_of

CPU = torch.device("cpu")


def main() -> None:
    args = _arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    file, path = args.out / "warm.safetensors", args.out / "rows.jsonl"
    if not file.exists():
        generator, scorer = make_generator(args.generator, CPU), embedding_scorer(make_scorer(args.scorer, CPU))
        phrases = [text for text in phrases_of(generator.space) if text not in TWENTY]
        fit(generator, scorer, {}, open_bank(generator, scorer, {}), file, phrases=phrases)
    starts = {"cold": {"start": "prior"}, "bank": {"start": "bank"}, "warm": {"start": "prior", "warm": str(file)}}
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done, loaded = {(row["start"], row["phrase"], row["seed"]) for row in rows}, None
    for seed in range(args.seeds):
        for phrase in TWENTY:
            for name, fields in starts.items():
                if (name, phrase, seed) in done:
                    continue
                shared = {"generator": args.generator, "scorer": (args.scorer,), "judge": None, "augment": 0}
                limits = {"search": "cma-ga", "generations": 10**6, "budget": args.images, "seed": seed}
                config = make_config(prompt=(phrase,), precision="fp32", **shared, **limits, **fields)
                loaded = loaded or load_models(config)
                curve = [(event.images_so_far, event.best_score) for event in Session(prepare_run(config, loaded))]
                rows.append({"start": name, "phrase": phrase, "seed": seed, "curve": curve})
                with path.open("a") as out:
                    out.write(json.dumps(rows[-1]) + "\n")
    report(rows, args.images)


def report(rows: list[dict[str, Any]], images: int) -> None:
    by = {(row["start"], row["phrase"], row["seed"]): row["curve"] for row in rows}
    pairs = [(phrase, seed) for start, phrase, seed in by if start == "warm"]
    print(f"{len({phrase for phrase, _ in pairs})} phrases, {len(pairs)} pairs")
    for start in ("bank", "warm"):
        for at in (100, 200, images):
            ratios, reached = [], 0
            for pair in pairs:
                cold = by[("cold", *pair)]
                target = max(score for count, score in cold if count <= at)
                found = to(target, by[(start, *pair)])
                reached += found is not None
                ratios.append(np.log((found or by[(start, *pair)][-1][0]) / to(target, cold)))
            ratio = estimate(ratios, [phrase for phrase, _ in pairs], lambda x: float(np.exp(np.mean(x))))
            print(f"{start}, score of cold after {at}: images x {ratio:.2f}; reached in {reached} of {len(pairs)}")
        for title, place in (("first generation", 0), ("end", -1)):
            less = [by[(start, *pair)][place][1] - by[("cold", *pair)][place][1] for pair in pairs]
            said = estimate(less, [phrase for phrase, _ in pairs], lambda x: float(np.mean(x)))
            print(f"{start}, best score minus cold's, {title}: {said:+.3f}")


def to(target: float, curve: list[tuple[int, float]]) -> int | None:
    """Images after which a curve is at the target."""
    return next((count for count, score in curve if score >= target), None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generator", default="pocket")
    parser.add_argument("--scorer", default="pocket")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=400)
    return parser.parse_args()


if __name__ == "__main__":
    main()
