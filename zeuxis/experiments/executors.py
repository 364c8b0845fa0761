"""Executors: where the calls of an experiment are carried out. All give the same values; only time differs.

| name | where |
|---|---|
| local | in this process, one call after another |
| processes | in workers of this machine; one that dies is replaced |
| ray | in a Ray cluster: one on this machine, or that of RAY_ADDRESS |

`spread` keeps a window of calls in an executor and hands the replies on; which calls are made again is its caller's
matter, so retries are the same everywhere.
"""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from zeuxis.errors import MissingExtra
from zeuxis.experiments.worker import Setup
from zeuxis.registry import Entry, Table

PATIENCE = 0.2  # seconds that `wait` waits at most, so that a wish to stop is heard


@dataclass(frozen=True)
class Needs:
    """What a call takes of a machine: CPUs, a part of a GPU, bytes of memory. Only Ray keeps account of it."""

    cpus: int = 1
    gpus: float = 0.0
    memory: int | None = None


@dataclass(frozen=True)
class Call:
    """`function(*arguments)` under a name; both must be picklable, unless they are for the local executor."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    needs: Needs = Needs()


@dataclass(frozen=True)
class Reply:
    """The end of a call: its `value`, its `error`, or how the process `died` that had it."""

    call: Call
    value: Any = None
    error: Exception | None = None
    died: str = ""


class Executor(Protocol):
    """Takes calls and gives replies, in any order."""

    window: int  # calls at a time that leave no worker idle

    def submit(self, call: Call) -> None:
        """Take a call. It may begin at once, or with `wait`."""
        ...

    def wait(self) -> list[Reply]:
        """Replies that are there, after waiting for a moment; perhaps none."""
        ...

    def close(self, grace: float = 0.0) -> None:
        """End the workers. Calls under way are asked to save their state, and have `grace` seconds for it."""
        ...


class LocalExecutor:
    """In this process. What kills a call kills the driver too."""

    window = 1

    def __init__(self, workers: int, setup: Setup) -> None:
        self._calls: deque[Call] = deque()

    def submit(self, call: Call) -> None:
        """Take a call; `wait` makes it."""
        self._calls.append(call)

    def wait(self) -> list[Reply]:
        """The reply to the oldest call."""
        if not self._calls:
            return []
        call = self._calls.popleft()
        try:
            return [Reply(call, call.function(*call.arguments))]
        except Exception as error:
            return [Reply(call, error=error)]

    def close(self, grace: float = 0.0) -> None:
        """Has no workers."""


EXECUTORS = Table(
    "executor",
    {
        "local": Entry(LocalExecutor, "in this process, one job after another"),
        "processes": Entry("zeuxis.experiments.processes:ProcessExecutor", "in worker processes of this machine"),
        "ray": Entry("zeuxis.experiments.ray_executor:RayExecutor", "in a Ray cluster (needs the extra `scale`)"),
    },
)


def check_executor(name: str) -> str:
    """The name. UnknownName; MissingExtra where its package is not there, before anything is written."""
    if EXECUTORS.check(name) == "ray" and importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "scale", "The executor ray")
    return name


class Open:
    """An executor within `with`; its workers are ended with it, after `grace` seconds where an exception ends it.

    `early` is one that was opened before.
    """

    def __init__(
        self, name: str, workers: int, setup: Setup, grace: float = 0.0, early: Executor | None = None
    ) -> None:
        self.executor: Executor = early or EXECUTORS[name](workers, setup)
        self.grace = grace

    def __enter__(self) -> Executor:
        return self.executor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.executor.close(self.grace if error is not None else 0.0)


def spread(
    executor: Executor,
    calls: Iterable[Call],
    again: Callable[[Reply], bool] = lambda reply: False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Reply]:
    """The replies to all calls as they come; calls are taken from their source as there is room for them.

    `again` says whether the call of a reply is to be made once more, before all others. KeyboardInterrupt once `stop`.
    """
    rest, back, out = iter(calls), deque[Call](), 0
    while True:
        if stop():
            raise KeyboardInterrupt
        while out < executor.window and (call := back.popleft() if back else next(rest, None)) is not None:
            executor.submit(call)
            out += 1
        if not out:
            return
        for reply in executor.wait():
            out -= 1
            if again(reply):
                back.append(reply.call)
            else:
                yield reply
