"""Images a second, drawn and scored, by micro-batch and number type, on the best device there is.

    python benchmarks/micro_batches.py
    python benchmarks/micro_batches.py --generator random:stylegan2-1024 --size 4 16 32 --population 32

`random:NAME` is a network of published size with random weights (random_weights.py): speed needs no trained ones. Each
figure is the median of the generations timed, the first left out, with the pocket scorer beside the generator. `tf32`
is float32 as cuDNN rounds it unless told otherwise; the package does tell it (zeuxis/nets/layers.py).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from random_weights import PREFIX, random_file

from zeuxis.compute.device import choose_device
from zeuxis.compute.micro_batches import out_of_memory
from zeuxis.config import RunConfig, make_config
from zeuxis.rng import stream
from zeuxis.run.prepare import Models, load_models, prepare_run
from zeuxis.run.record import Decisions

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "tf32": torch.float32}


def images_per_second(
    config: RunConfig, models: Models, population: int, size: int, kind: str, generations: int
) -> float | None:
    """None where the device has too little memory for it."""
    problem = prepare_run(config, models, decisions=Decisions([(0, size)])).problem
    torch.backends.cudnn.allow_tf32 = kind == "tf32"
    problem.set_precision(TYPES[kind])
    x, taken = problem.generator.space.sample(population, stream(0, "bench")), []
    for _ in range(generations + 1):
        began = time.perf_counter()
        try:
            problem.scores(x)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            return None
        taken.append(time.perf_counter() - began)
        if problem.decisions.micro_batch_at(0) != size:  # halved, for want of memory
            return None
    return population / statistics.median(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="pocket")
    parser.add_argument("--population", type=int, default=64)
    parser.add_argument("--size", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--generations", type=int, default=5)
    args = parser.parse_args()
    device = choose_device("auto")
    kinds = list(TYPES) if device.type == "cuda" else ["fp32", "bf16"]
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} thread(s)"
    print(f"{args.generator}, population {args.population}, {device.type}, {where}")
    with tempfile.TemporaryDirectory() as folder:
        name = args.generator
        if name.startswith(PREFIX):
            name = str(random_file(name.removeprefix(PREFIX), Path(folder)))
        config = make_config(prompt=("a red truck",), generator=name, judge=None, augment=0)
        measured = partial(images_per_second, config, load_models(config), args.population)
        for kind in kinds:
            found = [measured(size, kind, args.generations) for size in args.size]
            rates = zip(args.size, found, strict=True)
            figures = [f"{size}: {rate:,.0f}" if rate else f"{size}: too little memory" for size, rate in rates]
            print(f"{kind:5} images a second by micro-batch   " + "   ".join(figures))


if __name__ == "__main__":
    main()
