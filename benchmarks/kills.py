"""SIGKILL commands at random moments and at chosen calls, give the same command again, compare with an unbroken one.

    python benchmarks/kills.py [--kills 500] [--command generate ...] [--seed 0] [--figures]

Each of generate, resume, compare, train, bank, models pull, metrics, evaluate, experiment, generate --prompts, studio,
project and show --report gets its share of the kills. Half of them come after a random time, half in place of one of
the calls that change the file system, a third of those in the middle of a write. A command that was killed is given
again, and killed again, until it ends; then logs, checkpoints, pictures and results must be those of a command that
nothing disturbed, bit for bit. `--figures` draws figures and pages too, which is slow.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import commands as table

MOST = 6  # kills in a row before the command may come to its end


@dataclass
class Tally:
    """What was done to a command."""

    kills: int = 0
    in_calls: int = 0  # of the kills
    ends: int = 0  # results that were compared
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def die(event: str = "", path: object = "") -> None:
    """SIGKILL, now."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_the_next_write(event: str, path: object) -> None:
    """SIGKILL when half of the next file is written."""
    from zeuxis.storage import files

    def half(handle: int, data: bytes | memoryview) -> int:
        os.write(handle, data[: len(data) // 2])
        die()
        return 0

    files.calls.write = half


def kill_again_and_again(
    command: table.Command, stock: table.Stock, work: Path, least: int, seed: int, quick: bool = True,
    tell: Callable[[str], object] = lambda line: None, most: int = MOST,
) -> Tally:  # fmt: skip
    """At least `least` kills of one command, `most` of them in a row; `tell` hears of each failure."""
    dice, tally, began = random.Random(f"{seed} {command.name}"), Tally(), time.monotonic()
    said, place = work / f"{command.name}.err", work / command.name
    calls, longest = table.undisturbed(command, stock, place, said, quick)
    wanted = command.result(place)
    while tally.kills < least:
        table.fresh(command, stock, place)
        story: list[str] = []
        for _ in range(most):
            if not _killed_once(command, stock, place, said, dice, calls, longest, quick, story):
                break
            tally.kills += 1
            tally.in_calls += "call" in story[-1]
        child = table.start(command, stock, place, said, quick=quick)
        code = child.wait()
        tally.ends += 1
        wrong = f"exit code {code}: {child.output[-400:]}" if code else different(command, place, wanted)
        if wrong:
            tally.failures.append(f"{command.name}, seed {seed}, {' then '.join(story) or 'no kill'}: {wrong}")
            tell(tally.failures[-1])
    tally.seconds = time.monotonic() - began
    return tally


def _killed_once(
    command: table.Command, stock: table.Stock, place: Path, said: Path, dice: random.Random, calls: int,
    longest: float, quick: bool, story: list[str],
) -> bool:  # fmt: skip
    """Give the command and kill it; False where it came to its end before."""
    if dice.random() < 0.5:
        seconds = dice.uniform(0, longest)
        story.append(f"after {seconds:.3f} s")
        child = table.start(command, stock, place, said, quick=quick)
        until = time.monotonic() + seconds
        while time.monotonic() < until and child.poll() is None:
            time.sleep(0.002)
        return child.kill()
    number, fault = dice.randrange(1, calls + 1), die if dice.random() < 2 / 3 else die_in_the_next_write
    story.append(f"in call {number} ({fault.__name__})")
    before = table.at_call(number, fault)
    return table.start(command, stock, place, said, before=before, quick=quick).wait() == -signal.SIGKILL


def different(command: table.Command, place: Path, wanted: table.Result) -> str:
    """What in the results is not as it should be; "" where nothing is."""
    found = command.result(place)
    return ", ".join(sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each command; the exit code is 1 where a result was another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--command", action="append", choices=table.RESUMABLE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figures", action="store_true")
    given = parser.parse_args(arguments)
    table.preload()
    names = given.command or table.RESUMABLE
    kills = ends = failures = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        stock = table.Stock(Path(work) / "stock")
        for at, name in enumerate(names):
            share = given.kills * (at + 1) // len(names) - given.kills * at // len(names)
            tally = kill_again_and_again(
                *(table.by_name(name), stock, Path(work), share, given.seed, not given.figures), print
            )
            kills, ends, failures = kills + tally.kills, ends + tally.ends, failures + len(tally.failures)
            print(
                f"{name:<9}{tally.kills:5d} kills ({tally.in_calls} in a call), {tally.ends:4d} results compared, "
                f"{len(tally.failures)} not the same, {tally.seconds:.0f} s",
                flush=True,
            )
        stock.close()
    print(
        f"seed {given.seed}: {kills} kills, {ends} results, {failures} not the same, {time.monotonic() - began:.0f} s"
    )
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
