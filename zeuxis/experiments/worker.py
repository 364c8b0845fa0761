"""The process that works for an experiment: how it begins, answers calls, hears signals and ends with its driver.

Nothing here imports torch: a worker whose calls need none starts in a fraction of a second.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from zeuxis.errors import Missing, ZeuxisError
from zeuxis.plugins import trust

Answer = tuple[Any, Exception | None]  # the value, or the error in its place
Asked = Callable[[], bool]


@dataclass(frozen=True)
class Setup:
    """What a worker is told before its first call.

    `threads` of torch (None: each call sets its own), `trusted` the code that the user has named, `place` the current
    folder. A `gentle` worker hears SIGTERM as a wish: its call may save its state and end (`asked`). `function` is
    what it will be called for: its module is imported as the worker starts, when this is unpickled.
    """

    threads: int | None = None
    trusted: tuple[str, ...] = ()
    place: str = ""
    gentle: bool = False
    function: Callable[..., Any] | None = None


class _Stop:
    asked: Asked = staticmethod(lambda: False)


def asked() -> bool:
    """Whether the call under way should save its state and end."""
    return _Stop.asked()


def ask_by(question: Asked) -> None:
    """From now on `asked` is this question."""
    _Stop.asked = staticmethod(question)  # type: ignore[assignment]


def serve(pipe: Connection, setup: Setup) -> None:
    """Answer the calls (function, arguments) that come through `pipe`, until None or its end."""
    begin(setup)
    try:
        while (call := pipe.recv()) is not None:
            pipe.send(answer(*call))
            if setup.gentle and asked():  # whoever asked: a new process is there for the next call
                return
    except (EOFError, OSError):  # the driver is gone
        os._exit(0)


def begin(setup: Setup) -> None:
    """Settings of a process that has just started for calls."""
    threading.Thread(target=_follow, daemon=True).start()
    if setup.gentle:
        heard = threading.Event()
        ask_by(heard.is_set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the whole terminal: the driver hears it, and tells us
        signal.signal(signal.SIGTERM, lambda *_: heard.set())
    else:
        for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches all processes of a terminal; one of them speaks
            signal.signal(number, lambda *_: os._exit(0))
    settle(setup)


def settle(setup: Setup) -> None:
    """Threads, trusted code and current folder."""
    trust(setup.trusted)
    if setup.place and os.path.isdir(setup.place):  # noqa: PTH112
        os.chdir(setup.place)
    if setup.threads is not None:
        import torch

        torch.set_num_threads(setup.threads)


def answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Answer:
    """The value of a call, or its error in a form that can be sent."""
    try:
        return function(*arguments), None
    except Exception as error:
        return None, sendable(error)


def sendable(error: Exception) -> Exception:
    """`error` itself where another process can unpickle it, else the nearest of ours with the same sentence."""
    try:
        if str(pickle.loads(pickle.dumps(error))) == str(error):
            return error
    except Exception:
        pass
    if isinstance(error, ZeuxisError):
        return Missing(str(error)) if error.exit_code == Missing.exit_code else ZeuxisError(str(error))
    return RuntimeError(f"{type(error).__name__}: {error}"[:1000])


def _follow() -> None:
    """Ends this process when the one that started it has ended, by a kill for example."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)
