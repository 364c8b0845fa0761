"""What a run costs beside other programs: its processor time quiet, beside one busy loop per core, and with spinning.

    python benchmarks/busy.py [--rounds 3] [--generations 12] [--limit 600]

The settings take turns; medians of processor time (user and system) and of wall time. Threads that wait for one another
sleep (zeuxis/__init__.py), so that a busy machine makes a run wait but not compute more: the processor time beside busy
loops is to be at most 1.5 times the quiet one. OMP_WAIT_POLICY=ACTIVE shows what spinning would cost; a run that takes
longer than `--limit` seconds is ended and its time so far is told with a ">". A machine that does other work meanwhile
is not quiet: the load is told.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
MOST = 1.5
POLICIES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
SETTINGS = {"quiet": (False, ""), "busy": (True, ""), "busy, spinning": (True, "ACTIVE")}


class Taken(NamedTuple):
    """Seconds of one run."""

    processor: float
    wall: float
    ended: bool


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """`count` processes that do nothing but compute."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure(policy: str, generations: int, limit: float) -> Taken:
    """One run in a fresh process, with the environment of a user who has set nothing but `policy`."""
    env = {name: value for name, value in os.environ.items() if name not in POLICIES}
    env |= {"PYTHONPATH": str(ROOT)} | ({"OMP_WAIT_POLICY": policy} if policy else {})
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "generate",
            "a car",
            "--seed",
            "5",
            "--generations",
            str(generations),
            "--out",
            f"{folder}/run",
            "--quiet",
        ]
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "zeuxis", *words], cwd=folder, env=env, stdout=subprocess.DEVNULL
        )
        end = threading.Timer(limit, process.kill)
        end.start()
        _, status, usage = os.wait4(process.pid, 0)
        end.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode > 0:
        raise SystemExit(f"zeuxis {' '.join(words)} failed")
    return Taken(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, process.returncode == 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generations", type=int, default=12)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds after which a run is ended")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    print(f"load {os.getloadavg()[0]:.1f} on {cores} cores before, {options.rounds} rounds")
    found: dict[str, list[Taken]] = {name: [] for name in SETTINGS}
    for _ in range(options.rounds):
        for name, (loops, policy) in SETTINGS.items():
            with busy_loops(cores if loops else 0):
                found[name].append(measure(policy, options.generations, options.limit))
    quiet = statistics.median(taken.processor for taken in found["quiet"])
    print(f"{'':<16}{'processor s':>12}{'ratio':>8}{'wall s':>9}")
    for name, runs in found.items():
        processor, wall = (statistics.median(column) for column in (list(zip(*runs, strict=True))[:2]))
        more = "" if all(taken.ended for taken in runs) else ">"
        print(
            f"{name:<16}{more + format(processor, '.1f'):>12}{more + format(processor / quiet, '.2f'):>8}{wall:>9.1f}"
        )
    ratio = statistics.median(taken.processor for taken in found["busy"]) / quiet
    print(f"ratio {ratio:.2f}, at most {MOST}")
    sys.exit(0 if ratio <= MOST else 1)


if __name__ == "__main__":
    main()
