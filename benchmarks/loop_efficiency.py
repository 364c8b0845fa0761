"""Loop efficiency: our generations per second, everything written down, over those of the bare networks.

    python benchmarks/loop_efficiency.py --generator pocket --scorer pocket --judge pocket
    python benchmarks/loop_efficiency.py --generator toy --scorer toy --judge toy --population 16 64 --out loop.json
    python benchmarks/loop_efficiency.py --generator random:biggan-128 --population 16 --rounds 3 --generations 5

`random:NAME` is a network of published size with random weights (random_weights.py). Bare is: render and score a
fixed population in the same micro-batches, as many at a time and in the same type, scores copied to the host, nothing
else. Ours is a session
with its default log, checkpoint, grid and judge's view. One process, blocks of generations in turns bare, ours, ours,
bare; the figure is the median over the rounds of bare time / our time. Each block of ours ends when all of it is on
disk. Wall time counts; processor time (all threads) is there to see what a busy machine hides. `overhead_ms` is what
one generation of ours takes longer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from random_weights import PREFIX, random_file
from torch import Tensor

from zeuxis.compute.device import choose_device, machine, software
from zeuxis.compute.micro_batches import at_once, over_micro_batches
from zeuxis.config import RunConfig
from zeuxis.rng import stream
from zeuxis.run import Session, open_session

Block = Callable[[], object]
Figures = dict[str, float | int | list[float]]


def bare(session: Session, population: int, generations: int) -> Block:
    """The forward passes alone, on the session's own networks."""
    problem = session.problem
    generator, scorer, size = problem.generator, problem.scorer, problem.decisions.micro_batch_at(0)
    x = generator.space.sample(population, stream(0, "bare")).to(generator.device)
    prepared = scorer.prepare(problem.prompt)
    scorer.generation(stream(0, "bare"))  # for augmented scores
    threads = at_once(generator.device, generator.resolution)

    def work(piece: Tensor) -> Tensor:
        return scorer.score(generator.render(piece), prepared)

    def block() -> list[Tensor]:
        taken = []
        with torch.no_grad():
            for _ in range(generations):
                pieces = over_micro_batches(work, x, size, threads)
                taken.append(torch.cat([score[:count] for score, count in pieces]).cpu())
        return taken

    return block


def ours(session: Session, generations: int) -> Block:
    """As many generations of the session, written down to the last picture."""

    def block() -> None:
        for _ in islice(session, generations):
            pass
        session.flush()

    return block


def timed(block: Block) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    block()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(config: RunConfig, rounds: int, generations: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder, open_session(config, Path(folder) / "run") as session:
        a, b = bare(session, config.population, generations), ours(session, generations)
        a(), b()  # warm-up: first touch, choice of kernels, queues
        turns = []
        for _ in range(rounds):
            first, second, third, last = timed(a), timed(b), timed(b), timed(a)
            turns.append([(first[k] + last[k], second[k] + third[k]) for k in (0, 1)])
    wall = [bare_s / ours_s for (bare_s, ours_s), _ in turns]
    cpu = [bare_s / ours_s for _, (bare_s, ours_s) in turns]
    bare_ms, ours_ms = (statistics.median(t[0][k] for t in turns) / (2 * generations) * 1e3 for k in (0, 1))
    return {
        "population": config.population,
        "efficiency": statistics.median(wall),
        "efficiency_rounds": wall,
        "efficiency_cpu": statistics.median(cpu),
        "bare_ms": bare_ms,
        "ours_ms": ours_ms,
        "overhead_ms": statistics.median((t[0][1] - t[0][0]) / (2 * generations) * 1e3 for t in turns),
        "overhead_cpu_ms": statistics.median((t[1][1] - t[1][0]) / (2 * generations) * 1e3 for t in turns),
    }


def table(rows: list[Figures]) -> str:
    head = f"{'population':>10} {'efficiency':>11} {'(min..max)':>14} {'on cpu':>7}"
    lines = [f"{head} {'bare':>10} {'ours':>10} {'overhead cpu':>13}"]
    for row in rows:
        taken = row["efficiency_rounds"]
        assert isinstance(taken, list)
        spread = f"{min(taken):.3f}..{max(taken):.3f}"
        lines.append(
            f"{row['population']:>10} {row['efficiency']:>11.3f} {spread:>14} {row['efficiency_cpu']:>7.3f}"
            f" {row['bare_ms']:>7.1f} ms {row['ours_ms']:>7.1f} ms {row['overhead_cpu_ms']:>10.2f} ms"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="pocket")
    parser.add_argument("--scorer", nargs="+", default=["pocket"])
    parser.add_argument("--judge", default="pocket")
    parser.add_argument("--search", default="ga")
    parser.add_argument("--prompt", default="a red truck")
    parser.add_argument("--population", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "auto"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--generations", type=int, default=10, help="per block")
    parser.add_argument("--view-every", type=int, help="generations between grids and views; default: one per block")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    fields = {
        "prompt": (args.prompt,),
        "generator": args.generator,
        "scorer": tuple(args.scorer),
        "judge": None if args.judge == "none" else args.judge,
    }
    most = 1 + args.generations * (2 * args.rounds + 1)
    fields |= {"search": args.search, "precision": args.precision, "generations": most}
    fields["view_every"] = args.view_every or args.generations
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if args.generator.startswith(PREFIX):
            fields["generator"] = str(random_file(args.generator.removeprefix(PREFIX), Path(folder)))
        for population in args.population:
            rows.append(measure(RunConfig(**fields, population=population), args.rounds, args.generations))
    names = f"{args.generator}, {' + '.join(args.scorer)}, judge {args.judge}, {args.search}, {args.precision}"
    print(f"{names}, {args.threads} thread(s), load {os.getloadavg()[0]:.1f}")
    print(table(rows))
    if args.out:
        where = {"software": software(), "machine": machine(choose_device("auto")), "load": os.getloadavg()}
        args.out.write_text(json.dumps({"models": names, **where, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
