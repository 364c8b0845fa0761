"""Time of ask + tell per generation, ours against pymoo's with the same operators, on one thread or on a GPU.

    python benchmarks/search_overhead.py
    python benchmarks/search_overhead.py --variables 2048 --population 256 --generations 50 --out overhead.json
    python benchmarks/search_overhead.py --device cuda
    python benchmarks/search_overhead.py --device cuda --variables 9216 --only ga-thesis de sep-cma-es

One process; the searches take turns generation by generation, so that a busy moment of the machine hits all alike.
pymoo is driven without our adapter. Times on a CPU are the thread's own, waiting excluded. With a GPU each search is
there twice, on it and on its host, by the clock, from an idle device until it is idle again; nothing may wait for the
device in between: torch raises where a search does. Only NSGA-II, the archives and CMA-ES's decomposition may, and
pymoo is left out. Writes a table, and with --out a JSON file: milliseconds (median, tenth and ninetieth percentile) and
each search's ratio to its counterpart.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pymoo
import torch
from pymoo.algorithms.soo.nonconvex.de import DE
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.config import Config
from pymoo.core.evaluator import Evaluator
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.problems.static import StaticProblem

from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation

Config.warnings["not_compiled"] = False
Step = Callable[[int], float]  # generation -> seconds of ask + tell
T = TypeVar("T")
Clock = Callable[[Callable[[], Any], bool], tuple[Any, float]]

AGAINST = {
    "ga": "pymoo GA, eta 15 and 20",
    "ga sbx": "pymoo GA, eta 15 and 20",
    "ga-thesis": "pymoo GA, thesis",
    "de": "pymoo DE best/1",
    "de-rand": "pymoo DE rand/1",
}

OTHERS = ("nsga2", "l-shade", "sep-cma-es", "cma-es", "lm-ma-es", "open-es", "adam", "hybrid")
ARCHIVES = ("map-elites", "cma-me", "cma-mae")
FAMILY: dict[str, tuple[str, dict[str, float | str]]] = {
    "random": ("random", {}),
    "ga": ("ga", {}),
    "ga sbx": ("ga", {"crossover": "sbx", "mutation": "polynomial", "mutation_genes": 1}),
    "ga-thesis": ("ga-thesis", {}),
    "de": ("de", {}),
    "de-rand": ("de-rand", {}),
    "cma-ga, finding": ("cma-ga", {"focus": 10**6}),
    "cma-ga, spreading": ("cma-ga", {"focus": 1}),
    **{name: (name, {}) for name in (*OTHERS, *ARCHIVES)},
}
CPU = torch.device("cpu")
WAITING = ("nsga2", "cma-es", *ARCHIVES)  # sorted or kept by the host, or a decomposition that it checks


def ours(space: Normal, population: int, device: torch.device, clock: Clock, member: str) -> Step:
    """`nsga2` gets two objectives that disagree, so that its front fills the population."""
    name, options = FAMILY[member]
    search = SEARCHES[name](space, population=population, device=device, **options)

    def step(generation: int) -> float:
        rng = stream(0, generation, "ask")
        batch, asked = clock(lambda: search.ask(rng), name in WAITING)
        near, far = (-(batch.x - place).square().sum(dim=1) for place in (0.0, 1.0))
        parts = {"near": near, "far": far} if name == "nsga2" else {}
        gradient = -2 * batch.x if batch.gradient else None
        evaluation = Evaluation(near, parts, batch.x[:, :2], gradient)
        return asked + clock(lambda: search.tell(batch, evaluation), name in WAITING)[1]

    return step


def on_thread(work: Callable[[], T], waits: bool = True) -> tuple[T, float]:
    """What `work` gives, and the processor time that this thread took for it."""
    begin = time.thread_time()
    found = work()
    return found, time.thread_time() - begin


def by_gpu(work: Callable[[], T], waits: bool) -> tuple[T, float]:
    """The same by the clock, until the GPU is done; RuntimeError where `work` waits for it without leave."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("default" if waits else "error")
    begin = time.perf_counter()
    try:
        found = work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.cuda.synchronize()
    return found, time.perf_counter() - begin


def theirs(space: Normal, algorithm: GA | DE) -> Step:
    bounds = {"xl": space.lower.double().numpy(), "xu": space.upper.double().numpy()}
    problem = Problem(n_var=space.dim, n_obj=1, **bounds)
    algorithm.setup(problem, seed=0, termination=NoTermination())

    def step(generation: int) -> float:
        asked, took = on_thread(algorithm.ask)
        cost = np.square(asked.get("X")).sum(axis=1, keepdims=True)

        def tell() -> None:
            Evaluator().eval(StaticProblem(problem, F=cost), asked)
            algorithm.tell(infills=asked)

        return took + on_thread(tell)[1]

    return step


def searches(variables: int, population: int, device: torch.device, members: Sequence[str]) -> dict[str, Step]:
    space = Normal(variables)
    if device.type == "cuda":
        new = partial(ours, space, population)
        here = {name: new(device, by_gpu, name) for name in members}
        return here | {f"{name}, host": new(CPU, by_gpu, name) for name in members}
    return {name: ours(space, population, CPU, on_thread, name) for name in members} | rivals(space, population)


def rivals(space: Normal, population: int) -> dict[str, Step]:
    """pymoo's, from the same start."""
    start = {"pop_size": population, "sampling": space.sample(population, stream(0)).double().numpy()}
    mild = {"crossover": SBX(prob=1.0, eta=15), "mutation": PM(prob=1.0, eta=20)}
    thesis = {"crossover": SBX(prob=1.0, eta=3), "mutation": PM(prob=1.0, prob_var=0.5, eta=3)}
    return {
        "pymoo GA, eta 15 and 20": theirs(space, GA(**start, **mild)),
        "pymoo GA, thesis": theirs(space, GA(**start, **thesis)),
        "pymoo DE best/1": theirs(space, DE(**start, variant="DE/best/1/bin", F=0.5, CR=0.7, prob_mut=0.0)),
        "pymoo DE rand/1": theirs(space, DE(**start, variant="DE/rand/1/bin", F=0.8, CR=0.9, prob_mut=0.0)),
    }


def measure(steps: dict[str, Step], generations: int, warm_up: int) -> dict[str, dict[str, float]]:
    times: dict[str, list[float]] = {name: [] for name in steps}
    for generation in range(generations + warm_up):
        for name, step in steps.items():
            times[name].append(1e3 * step(generation))
    rows = {}
    for name, taken in times.items():
        deciles = statistics.quantiles(taken[warm_up:], n=10)
        rows[name] = {"median_ms": statistics.median(taken[warm_up:]), "p10_ms": deciles[0], "p90_ms": deciles[-1]}
        rows[name]["mean_ms"] = statistics.mean(taken[warm_up:])  # with what is done only now and then
    for name, other in AGAINST.items():
        if {name, other} <= set(rows):
            rows[name]["times_faster"] = rows[other]["median_ms"] / rows[name]["median_ms"]
    return rows


def table(rows: dict[str, dict[str, float]]) -> str:
    lines = [f"{'search':26} {'median':>9} {'p10':>9} {'p90':>9} {'mean':>9}   times faster than"]
    for name, row in rows.items():
        versus = f"   {row['times_faster']:.1f}  {AGAINST[name]}" if "times_faster" in row else ""
        figures = "".join(f" {row[f'{figure}_ms']:6.2f} ms" for figure in ("median", "p10", "p90", "mean"))
        lines.append(f"{name:26}{figures}{versus}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variables", type=int, default=512)
    parser.add_argument("--population", type=int, default=64)
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--device", type=torch.device, default=CPU, help="cpu or cuda")
    parser.add_argument("--only", nargs="+", choices=FAMILY, default=list(FAMILY), metavar="SEARCH")
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.ones(6 * 2**20)  # 24 MiB once: malloc then keeps freed blocks, as it does in a process that holds a generator
    rows = measure(searches(args.variables, args.population, args.device, args.only), args.generations, warm_up=10)
    print(f"{args.variables} variables, population {args.population}, median of {args.generations} generations")
    print(table(rows))
    if args.out:
        versions = {"torch": torch.__version__, "pymoo": pymoo.__version__, "python": platform.python_version()}
        settings = {"variables": args.variables, "population": args.population, "generations": args.generations}
        gpu = torch.cuda.get_device_name(args.device) if args.device.type == "cuda" else None
        machine = {"threads": 1, "processor": platform.machine(), "gpu": gpu}
        record = {**settings, **machine, "versions": versions, "searches": rows}
        args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
