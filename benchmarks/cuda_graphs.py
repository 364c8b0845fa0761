"""What CUDA graphs and torch.compile would save on a GPU: render and score of one micro-batch, eager against both.

    python benchmarks/cuda_graphs.py --pairs pocket+pocket pocket-products+pocket-64
    python benchmarks/cuda_graphs.py --compile random:stylegan2-1024 random:biggan-512 --precision bf16 --out g.json

A pair is GENERATOR+SCORER; `random:NAME` is a network of published size with random weights (random_weights.py). All
forms run in one process, in turns; milliseconds are medians by the device's own clock, from an idle device until it is
idle. A graph holds the views of the generation in which it was captured, so it says what a graph can save, not what a
run saves today. `apart` is the largest difference to the eager scores, or pixels. The first call of a compiled network
is timed by itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from random_weights import PREFIX, random_file
from torch import Tensor

from zeuxis.compute.device import machine, software
from zeuxis.config import RunConfig
from zeuxis.rng import stream
from zeuxis.run import open_session

ROUNDS = 30
Work = Callable[[], Tensor]


def graphed(work: Work) -> tuple[Work, Tensor]:
    """`work` captured: a replay, and the tensor that each replay fills."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = work()

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay, out


def in_turns(forms: dict[str, Work], rounds: int = ROUNDS) -> dict[str, float]:
    """Median milliseconds of each form."""
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, work in forms.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start.record()
            work()
            end.record()
            torch.cuda.synchronize()
            taken[name].append(start.elapsed_time(end))
    return {name: statistics.median(times) for name, times in taken.items()}


def failing(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:160]}"


@torch.no_grad()
def pair(name: str, precision: str, sizes: list[int], folder: Path) -> list[dict[str, object]]:
    """Rows of one pair: eager and captured, generator alone and with the scorer."""
    generator, _, scorer = name.partition("+")
    config = RunConfig(
        prompt=("a red truck",), generator=generator, scorer=(scorer,), judge=None, precision=precision, generations=2
    )
    rows: list[dict[str, object]] = []
    with open_session(config, folder / f"run-{generator}") as session:
        problem = session.problem
        prepared = problem.scorer.prepare(problem.prompt)
        problem.scorer.generation(stream(0, "bare"))
        for size in sizes:
            x = problem.generator.space.sample(size, stream(0, "bare")).to(problem.generator.device)
            parts: dict[str, Work] = {
                "generator": lambda x=x: problem.generator.render(x),  # type: ignore[misc]
                "generator and scorer": lambda x=x: problem.scorer.score(problem.generator.render(x), prepared),  # type: ignore[misc]
            }
            for part, work in parts.items():
                row: dict[str, object] = {"networks": name, "part": part, "micro_batch": size}
                try:
                    replay, out = graphed(work)
                    replay()
                    row["apart"] = float((out - work()).abs().max())
                    row |= in_turns({"eager_ms": work, "graph_ms": replay})
                except Exception as error:  # what cannot be captured is a finding
                    row["not_captured"] = failing(error)
                    torch.cuda.synchronize()
                    row |= in_turns({"eager_ms": work})
                rows.append(row)
                print(row, flush=True)
    return rows


@torch.no_grad()
def compiled(name: str, precision: str, folder: Path, batch: int = 8) -> dict[str, object]:
    """One row: a generator of published size, eager and by torch.compile."""
    path = str(random_file(name.removeprefix(PREFIX), folder)) if name.startswith(PREFIX) else name
    config = RunConfig(prompt=("a red truck",), generator=path, judge=None, precision=precision, generations=2)
    with open_session(config, folder / f"run-{Path(path).stem}") as session:
        generator = session.problem.generator
        x = generator.space.sample(batch, stream(0, "bare")).to(generator.device)
        row: dict[str, object] = {"networks": name, "micro_batch": batch}
        generator.render(x)
        torch.cuda.synchronize()
        begin = time.perf_counter()
        fast = torch.compile(generator.render)
        try:
            other = fast(x)
            torch.cuda.synchronize()
            row["first_call_s"] = time.perf_counter() - begin
            row["apart"] = float((other - generator.render(x)).abs().max())
            row |= in_turns({"eager_ms": lambda: generator.render(x), "compiled_ms": lambda: fast(x)}, 10)
        except Exception as error:
            row["not_compiled"] = failing(error)
            row |= in_turns({"eager_ms": lambda: generator.render(x)}, 10)
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="*", default=[])
    parser.add_argument("--compile", nargs="*", default=[])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "auto"])
    parser.add_argument("--micro-batch", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("This measures a GPU, and torch sees none here.")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.pairs:
            rows += pair(name, args.precision, args.micro_batch, Path(folder))
        for name in args.compile:
            rows.append(compiled(name, args.precision, Path(folder)))
    if args.out:
        where = {"software": software(), "machine": machine(torch.device("cuda"))}
        args.out.write_text(json.dumps(where | {"precision": args.precision, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
