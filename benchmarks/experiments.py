"""What the executors of `zeuxis experiment` cost, and what they survive.

    python benchmarks/experiments.py overhead --jobs 60 --seconds 1
    python benchmarks/experiments.py kills --jobs 60 --seconds 0.5
    python benchmarks/experiments.py resume --finished 10000

`overhead`: jobs that sleep, on two workers, against the ideal (work over workers) and against plain subprocesses that
sleep as long, started two at a time in the same run. Ray's start is told apart. `kills`: SIGKILL of every tenth job's
worker and of the driver once, a full disk once (a small tmpfs; needs root): the table must be the undisturbed one, byte
by byte. `resume`: seconds from the command to the first new job, with so many finished ones.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
WORKERS = 2
STEPS = 10
KILL = "ZEUXIS_BENCHMARK_KILL"  # every so many jobs kill their worker when they are first begun
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"}


def nap(folder: Path, seed: int, seconds: float, waste: int = 0) -> dict[str, float]:
    """Sleeps in steps that are kept in its folder, and goes on with them. `waste`: bytes that it writes."""
    state, total = folder / "state", 0.0
    lines = state.read_text().splitlines() if state.exists() else []
    first = not state.exists()
    every = int(os.environ.get(KILL, "0"))
    for step in range(len(lines), STEPS):
        time.sleep(seconds / STEPS)
        lines.append(repr(math.sin(seed * STEPS + step)))
        state.write_text("\n".join(lines))
        if first and every and seed % every == every - 1 and step == STEPS // 2:
            os.kill(os.getpid(), signal.SIGKILL)
    if waste:
        (folder / "waste").write_bytes(b"x" * waste)
    (folder / "began").write_text(repr(time.time()))
    for line in lines:
        total += float(line)
    return {"total": total, "steps": len(lines)}


def write_file(path: Path, jobs: int, seconds: float, waste: int = 0) -> Path:
    more = f", waste = {waste}" if waste else ""
    path.write_text(
        f'[[jobs]]\nname = "naps"\nkind = "evaluate"\nseeds = {jobs}\n'
        f'config = {{ evaluation = "experiments:nap", seconds = {seconds}{more} }}\n'
    )
    return path


def command(file: Path, out: Path, executor: str, *more: str) -> list[str]:
    words = ["experiment", str(file), "--out", str(out), "--executor", executor, "--workers", str(WORKERS)]
    return [sys.executable, "-m", "zeuxis", *words, "--evaluation", "experiments:nap", *more]


def run(words: list[str], **environment: str) -> tuple[int, float, str]:
    began = time.perf_counter()
    done = subprocess.run(words, env=ENVIRONMENT | environment, capture_output=True, text=True)
    return done.returncode, time.perf_counter() - began, done.stderr


def plain(jobs: int, seconds: float) -> float:
    """Seconds that bare subprocesses take for the same sleep, two at a time."""
    code, began = f"import time; time.sleep({seconds})", time.perf_counter()
    left = iter(range(jobs))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            subprocess.run([sys.executable, "-c", code], check=True)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def ray_start() -> float:
    code = (
        "import time; t = time.perf_counter()\n"
        "from zeuxis.experiments.ray_executor import RayExecutor\nfrom zeuxis.experiments.worker import Setup\n"
        f"e = RayExecutor({WORKERS}, Setup()); print(time.perf_counter() - t); e.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def overhead(args: argparse.Namespace, place: Path) -> None:
    ideal = args.jobs * args.seconds / WORKERS
    print(f"{args.jobs} jobs of {args.seconds:g} s on {WORKERS} workers; ideal {ideal:.1f} s")
    file = write_file(place / "naps.toml", args.jobs, args.seconds)
    rows: list[tuple[str, float, float]] = []
    tables = set()
    if "plain" in args.executors:
        rows.append(("plain subprocess", plain(args.jobs, args.seconds), 0.0))
    for executor in (name for name in args.executors if name != "plain"):
        start = ray_start() if executor == "ray" else 0.0
        code, wall, said = run(command(file, place / executor, executor))
        assert code == 0, said
        rows.append((executor, wall, start))
        tables.add((place / executor / "table.csv").read_bytes())
    print(f"{'executor':18} {'seconds':>8} {'start':>6} {'over ideal':>10} {'less its start':>14}")
    for name, wall, start in rows:
        print(f"{name:18} {wall:8.1f} {start:6.1f} {wall / ideal:10.3f} {(wall - start) / ideal:14.3f}")
    print(f"tables alike: {len(tables) <= 1}")


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path | None]:
    """A tmpfs of `size`; None where none may be mounted."""
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True
    ).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def kills(args: argparse.Namespace, place: Path) -> None:
    """Undisturbed, then with kills, then on a disk that is full for a while."""
    file = write_file(place / "naps.toml", args.jobs, args.seconds, waste=8192)
    code, _, said = run(command(file, place / "whole", "processes"))
    assert code == 0, said
    whole = (place / "whole" / "table.csv").read_bytes()
    for executor in (name for name in args.executors if name != "plain"):
        out = place / executor
        words = command(file, out, executor)
        driver = subprocess.Popen(words, env=ENVIRONMENT | {KILL: "10"}, stderr=subprocess.DEVNULL)
        index, half = out / "results.jsonl", args.jobs // 2
        while driver.poll() is None and not (index.exists() and index.read_bytes().count(b"\n") >= half):
            time.sleep(0.05)
        driver.kill()
        driver.wait()
        before = index.read_bytes().count(b"\n")
        code, _, said = run(words, **{KILL: "10"})
        print(*said.splitlines()[-1:] if code else (), sep="\n", end="")
        tries = sum(1 for _ in out.glob("jobs/*/tries.jsonl"))
        same = (out / "table.csv").read_bytes() == whole
        print(f"{executor}: driver killed at {before} of {args.jobs}, {tries} jobs lost a worker, exit {code}, "
              f"table bit-identical: {same}")  # fmt: skip
        with small_disk(place / f"{executor}-disk", "2m") as disk:
            if disk is None:
                print(f"{executor}: no tmpfs may be mounted, the full disk is left out")
                continue
            (disk / "filler").write_bytes(b"x" * (2**21 - 60 * 4096 - args.jobs * 4096))
            words = command(file, disk / "out", executor)
            code, _, said = run(words)
            done = (disk / "out" / "results.jsonl").read_bytes().count(b"\n")
            (disk / "filler").unlink()
            print(f"{executor}: full disk after {done} jobs, exit {code}: {said.strip().splitlines()[-1][-90:]}")
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            code, _, said = run(words)
            print(f"{executor}: after room was made exit {code}, table bit-identical: "
                  f"{(disk / 'out' / 'table.csv').read_bytes() == whole}")  # fmt: skip


def resume(args: argparse.Namespace, place: Path) -> None:
    from zeuxis.experiments.jobs import read_plan
    from zeuxis.experiments.results import Result, Results

    out = place / "out"
    plan = read_plan(write_file(place / "naps.toml", args.finished, 0.01))
    results = Results(out)
    results.open(plan, {})
    jobs = plan.all_jobs()
    for job in jobs:
        (out / "jobs" / job.key).mkdir()
    results.append(Result(job=job.key, status="done", numbers={"total": 1.0, "steps": 10}) for job in jobs)
    file = write_file(place / "more.toml", args.finished + 4, 0.01)
    for executor in (name for name in args.executors if name != "plain"):
        for key in {job.key for job in read_plan(file).all_jobs()} - {job.key for job in jobs}:
            shutil.rmtree(out / "jobs" / key, ignore_errors=True)
        (out / "results.jsonl").unlink()
        results.append(Result(job=job.key, status="done", numbers={"total": 1.0, "steps": 10}) for job in jobs)
        began = time.time()
        code, wall, said = run(command(file, out, executor))
        assert code == 0, said
        first = min(float(path.read_text()) for path in out.glob("jobs/*/work/began"))
        print(f"{executor}: {args.finished:,} finished, first new job ended {first - began:.2f} s after the command "
              f"(it takes 0.01 s), all in {wall:.2f} s")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overhead", "kills", "resume"))
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--executors", nargs="+", default=["plain", "processes", "ray"])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        {"overhead": overhead, "kills": kills, "resume": resume}[args.what](args, Path(place))


if __name__ == "__main__":
    main()
