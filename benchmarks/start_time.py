"""How long a start takes: `--help`, `list`, `--version`, and `generate` until its first pictures are on disk.

    python benchmarks/start_time.py [--rounds 5] [--package FOLDER]

Medians of wall time and of processor time (user and system), which a busy machine changes less. The cases take turns.
The first round warms the file cache and does not count. `--package` names the folder of another zeuxis to compare with.
Limits: 0.3 s for --help and 3 s for the first pictures, on two cores that are idle.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
FIRST = "images/generation-000000.png"
CASES = {
    "--help": ["--help"],
    "--version": ["--version"],
    "list searches": ["list", "searches"],
    "generate --help": ["generate", "--help"],
    "first pictures, 'a car'": ["generate", "a car", "--seed", "5"],
    "first pictures, 'a red shoe'": ["generate", "a red shoe", "--seed", "5"],
}


def measure(words: list[str], package: Path, folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of one command; of `generate` until the first pictures are there."""
    env = os.environ | {"PYTHONPATH": str(package)}
    more = ["--out", str(folder / "run"), "--quiet"] if words[0] == "generate" and len(words) > 2 else []
    began, spent = time.perf_counter(), children()
    process = subprocess.Popen(
        [sys.executable, "-m", "zeuxis", *words, *more], cwd=folder, env=env, stdout=subprocess.DEVNULL
    )
    if not more:
        if process.wait():
            raise SystemExit(f"zeuxis {' '.join(words)} failed")
        return time.perf_counter() - began, children() - spent
    while not (folder / "run" / FIRST).exists():
        if process.poll() is not None:
            raise SystemExit(f"zeuxis {' '.join(words)} ended without pictures")
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    process.kill()
    process.wait()
    return seconds, (int(fields[11]) + int(fields[12])) / TICKS  # utime and stime, proc(5)


def children() -> float:
    """Processor seconds of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--package", type=Path, default=ROOT)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for turn in range(options.rounds + 1):
        for name, words in CASES.items():
            with tempfile.TemporaryDirectory() as folder:
                taken = measure(words, options.package.resolve(), Path(folder))
            if turn:
                found[name].append(taken)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {options.rounds} rounds")
    print(f"{'':<30}{'wall s':>8}{'cpu s':>8}")
    for name, times in found.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:<30}{wall:>8.2f}{cpu:>8.2f}")


if __name__ == "__main__":
    main()
