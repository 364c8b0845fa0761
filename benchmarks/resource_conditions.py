"""What `resources.py` takes away from a command: disks, quotas, limits, streams, signals, the clock."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import commands as table


@dataclass(frozen=True)
class Condition:
    """What is different for a command. `before(dice, calls)` is made in the child, `disk` is the state of its place.

    `signals` are sent at a random moment, one after the other. `random`: worth several rounds.
    """

    name: str
    before: Callable[[random.Random, int], Callable[[], object]] = lambda dice, calls: lambda: None
    disk: str = ""
    signals: tuple[int, ...] = ()
    random: bool = False


def failing(code: int) -> Callable[[random.Random, int], Callable[[], object]]:
    """From one of its calls on, everything that changes the file system fails with this error."""

    def before(dice: random.Random, calls: int) -> Callable[[], object]:
        at = dice.randrange(1, calls + 1)

        def hear(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal at
            if event in table.CALLS and (event != "open" or table.writes(arguments)) and event != "os.remove":
                at -= 1
                if at <= 0:
                    raise OSError(code, os.strerror(code), str(arguments[0]))

        return lambda: sys.addaudithook(hear)

    return before


def limit(kind: int, value: int) -> Callable[[random.Random, int], Callable[[], object]]:
    """A resource limit."""
    return lambda dice, calls: lambda: resource.setrlimit(kind, (value, value))


def little_memory(dice: random.Random, calls: int) -> Callable[[], object]:
    """Some megabytes more than it has at the beginning."""
    more = dice.choice((2, 8, 24, 64)) * 2**20

    def before() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * os.sysconf("SC_PAGE_SIZE") + more
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    return before


def stream(numbers: tuple[int, ...], how: str) -> Callable[[random.Random, int], Callable[[], object]]:
    """Standard output and error: "closed", a pipe "unread", or "full"."""

    def before() -> None:
        for number in numbers:
            if how == "closed":
                os.close(number)
                setattr(sys, {1: "stdout", 2: "stderr"}[number], None)
            elif how == "full":
                os.dup2(os.open("/dev/full", os.O_WRONLY), number)
            else:
                read, write = os.pipe()
                os.dup2(write, number)
                os.close(read), os.close(write)

    return lambda dice, calls: before


def clock(dice: random.Random, calls: int) -> Callable[[], object]:
    """A clock that goes back an hour whenever it is asked."""

    def before() -> None:
        plain, asked = time.time, iter(range(10**9))
        time.time = lambda: plain() - 3600 * next(asked)

    return before


CONDITIONS = [
    Condition("full", disk="full"),
    Condition("filling", disk="filling", random=True),
    Condition("read-only", disk="ro"),
    Condition("quota", failing(errno.EDQUOT), random=True),
    Condition("broken disk", failing(errno.EIO), random=True),
    Condition("file size", limit(resource.RLIMIT_FSIZE, 700)),
    Condition("24 files", limit(resource.RLIMIT_NOFILE, 24)),
    Condition("6 files", limit(resource.RLIMIT_NOFILE, 6)),
    Condition("memory", little_memory, random=True),
    Condition("stdout closed", stream((1,), "closed")),
    Condition("stdout unread", stream((1,), "unread")),
    Condition("stdout full", stream((1,), "full")),
    Condition("stderr unread", stream((2,), "unread")),
    Condition("both unread", stream((1, 2), "unread")),
    Condition("SIGTERM", signals=(signal.SIGTERM,), random=True),
    Condition("SIGHUP", signals=(signal.SIGHUP,), random=True),
    Condition("Ctrl-C", signals=(signal.SIGINT,), random=True),
    Condition("Ctrl-C twice", signals=(signal.SIGINT, signal.SIGINT), random=True),
    Condition("hangup and Ctrl-C", signals=(signal.SIGHUP, signal.SIGINT, signal.SIGTERM), random=True),
    Condition("clock", clock),
]
