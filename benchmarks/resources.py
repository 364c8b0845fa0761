"""Take away from every command that writes what it needs, one thing after another, and see what it says.

    python benchmarks/resources.py [--command sample ...] [--condition full ...] [--rounds 3] [--seed 0] [--real]

A disk that is full from the beginning or becomes so, one that is read-only (both as small file systems in memory, which
need root), a quota, a limit on the size of a file, on open files and on memory, standard output and error that are
closed, are a pipe that nobody reads or are on a full disk, SIGTERM, SIGHUP, Ctrl-C once and twice, a clock that goes
back. After each the exit code is 0, 2, 3 or 130, no traceback was printed, a command that failed has said why, single
files are whole or not there, nothing unfinished lies beside them; and the same command again, with what was taken
given back, ends as one that nothing disturbed. `--real` adds new processes under `ulimit`, which takes minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import commands as table
from resource_conditions import CONDITIONS, Condition, little_memory

__all__ = ["CONDITIONS", "Condition", "little_memory"]

CODES = (0, 2, 3, 130)
TWICE = 2  # signals: the later ones end the cleaning up as well


class Trial:
    """One command, measured once undisturbed, then tried under conditions. `tell` hears of what is not as it should."""

    def __init__(self, command: table.Command, stock: table.Stock, work: Path, quick: bool = True) -> None:
        self.command, self.stock, self.quick = command, stock, quick
        self.place, self.said = work / command.name, work / f"{command.name}.err"
        self.calls, self.seconds = table.undisturbed(command, stock, self.place, self.said, quick)
        self.wanted = command.result(self.place)
        self.bytes = sum(path.stat().st_size for path in self.place.rglob("*") if path.is_file())

    def under(self, condition: Condition, dice: random.Random) -> tuple[int, str]:
        """The exit code and what is wrong ("" where nothing is)."""
        with self._disk(condition.disk, dice) as unwritten:
            child = table.start(
                self.command, self.stock, self.place, self.said, quick=self.quick,
                before=condition.before(dice, self.calls),
            )  # fmt: skip
            self._signal(child, condition.signals, dice)
            code = child.wait()
            wrong = self._wrong(code, child.output, condition)
            if unwritten is not None:
                unwritten()
            if not wrong and not (code == 0 and not condition.signals and self._as_wanted()):
                again = table.start(self.command, self.stock, self.place, self.said, quick=self.quick)
                if again.wait() != 0:
                    wrong = f"not to be taken up again: {again.output[-300:]}"
                elif not self._as_wanted():
                    wrong = f"taken up again, other results: {self._others()}"
        return code, wrong

    def _wrong(self, code: int, output: str, condition: Condition) -> str:
        if code in [-number for number in condition.signals] and not output:
            return ""  # before it had begun
        if code not in CODES:
            return f"exit code {code}: {output[-400:]}"
        if "Traceback" in output or "Exception ignored" in output:
            return f"traceback: {output[-600:]}"
        silent = "stderr" in condition.name or "both" in condition.name
        if code and not silent and not output.strip():
            return f"exit code {code} without a word"
        found = table.files_of("out*", "out*/*.png")(self.place)
        if self.command.name in table.ONE_FILE:
            half = [name for name, sha in found.items() if self.wanted.get(name) != sha]
            if half:
                return f"half-written: {half}"
        litter = [p.name for p in self.place.rglob(".*") if p.is_file() and "filler" not in p.name]
        if litter and code != 0 and self.command.name in table.ONE_FILE and len(condition.signals) < TWICE:
            return f"left behind: {litter}"
        return ""

    def _as_wanted(self) -> bool:
        try:
            return self.command.result(self.place) == self.wanted
        except (OSError, ValueError):
            return False

    def _others(self) -> str:
        found = self.command.result(self.place)
        return str(sorted(name for name in {*found, *self.wanted} if found.get(name) != self.wanted.get(name)))

    def _signal(self, child: table.Child, signals: Sequence[int], dice: random.Random) -> None:
        if signals:
            time.sleep(dice.uniform(0.03, max(0.1, self.seconds)))
        for number in signals:
            if child.poll() is None:
                os.kill(child.pid, number)
                time.sleep(dice.choice((0.0, 0.005, 0.05)))

    @contextlib.contextmanager
    def _disk(self, state: str, dice: random.Random) -> Iterator[Callable[[], None] | None]:
        """The place, fresh, on a disk in this state; what is yielded makes it a good one again."""
        if not state:
            table.fresh(self.command, self.stock, self.place)
            yield None
            return
        self.place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.place)], check=True)
        try:
            self.command.prepare(self.stock, self.place)
            remount = ["mount", "-o", "remount", str(self.place)]
            if state == "ro":
                subprocess.run([*remount[:2], "remount,ro", str(self.place)], check=True)
                yield lambda: subprocess.run([*remount[:2], "remount,rw", str(self.place)], check=True)
            else:
                left = 0 if state == "full" else dice.randrange(4096, max(8192, self.bytes))
                filler = self.place / ".filler"
                free = os.statvfs(self.place).f_bavail * os.statvfs(self.place).f_bsize
                with filler.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, max(4096, (free - left) // 4096 * 4096))
                yield filler.unlink
        finally:
            subprocess.run(["umount", "-l", str(self.place)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", "-l", place], check=True)
    return done.returncode == 0


REAL = {
    "ulimit -v 1 GB": "ulimit -v 1048576; exec {} {}",
    "ulimit -v 2 GB": "ulimit -v 2097152; exec {} {}",
    "ulimit -n 24": "ulimit -n 24; exec {} {}",
    "stdout closed": "exec {} {} >&-",
    "all closed": "exec {} {} <&- >&- 2>&-",
    "head": "{} {} | head -1; exit ${{PIPESTATUS[0]}}",
    "both to head": "{} {} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}",
}


def real(command: table.Command, stock: table.Stock, place: Path, how: str) -> tuple[int, str]:
    """A new process under a line of the shell: the exit code, and what is wrong."""
    import shlex

    runner = f"{shlex.quote(sys.executable)} -m zeuxis"
    line = REAL[how].format(runner, shlex.join(command.words(stock)))
    table.fresh(command, stock, place)
    env = os.environ | {"ZEUXIS_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(table.ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=place, env=env, capture_output=True, text=True, check=False)
    said = done.stderr + (done.stdout if "head" in how else "")
    if done.returncode not in CODES or "Traceback" in said or "Exception ignored" in said:
        return done.returncode, f"exit code {done.returncode}: {said[-500:]}"
    return done.returncode, ""


def main(arguments: Sequence[str] | None = None) -> int:
    """A line for each command and condition; the exit code is 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", action="append", choices=[command.name for command in table.COMMANDS])
    parser.add_argument("--condition", action="append", choices=[c.name for c in CONDITIONS])
    parser.add_argument("--rounds", type=int, default=3, help="of conditions that chance has a part in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", action="store_true")
    given = parser.parse_args(arguments)
    table.preload()
    wrongs, trials, began = 0, 0, time.monotonic()
    conditions = [c for c in CONDITIONS if not given.condition or c.name in given.condition]
    if not can_mount():
        print("no file system can be mounted here: full and read-only disks are left out")
        conditions = [c for c in conditions if not c.disk]
    with tempfile.TemporaryDirectory() as work:
        stock = table.Stock(Path(work) / "stock")
        for command in table.COMMANDS:
            if given.command and command.name not in given.command:
                continue
            trial, codes = Trial(command, stock, Path(work)), Counter[str]()
            for condition in conditions:
                dice = random.Random(f"{given.seed} {command.name} {condition.name}")
                for _ in range(given.rounds if condition.random else 1):
                    code, wrong = trial.under(condition, dice)
                    codes[str(code)] += 1
                    trials += 1
                    if wrong:
                        wrongs += 1
                        print(f"WRONG  {command.name}, {condition.name}: {wrong}", flush=True)
            for how in REAL if given.real and command.name not in ("pull", "bank") else ():
                code, wrong = real(command, stock, Path(work) / "real", how)
                codes[f"{how} {code}"] += 1
                trials += 1
                if wrong:
                    wrongs += 1
                    print(f"WRONG  {command.name}, {how}: {wrong}", flush=True)
            print(f"{command.name:<14}{dict(codes)}", flush=True)
        stock.close()
    print(f"seed {given.seed}: {trials} trials, {wrongs} not as they should be, {time.monotonic() - began:.0f} s")
    return int(wrongs > 0)


if __name__ == "__main__":
    sys.exit(main())
