"""The process itself: what signals do to it, and where its output goes when nobody reads it any more.

SIGTERM and SIGHUP are heard like Ctrl-C. A reader that leaves early (`zeuxis ... | head -1`, a terminal that is closed)
does not end the work: what would be printed goes nowhere, and the exit code is that of the work.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

from typer import Abort

SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
INTERRUPTED = 130  # 128 + SIGINT, as the shell says it
ABORTED = 1  # what the option parser makes of an interrupt
GONE = (errno.EPIPE, errno.EIO, errno.ENXIO, errno.EBADF)  # of a stream that nobody reads


class Interrupts:
    """Within `with`: while `gentle`, the first signal only sets `asked`; any other raises KeyboardInterrupt.

    Once the command is `over`, none does any more. `raised`: one was; compiled code may make another error of it.
    """

    over, raised = False, False

    def __init__(self) -> None:
        self.gentle = False
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # a hangup that is ignored (nohup) stays so
        heard = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._hear) for number in heard}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        gentle = self.gentle and not self.asked
        self.asked = True
        if not gentle:
            _hear(number, frame)


class Patient(io.RawIOBase):
    """A descriptor to write to. What nobody reads is dropped without an error; so is all after another error, and
    everything that cannot be written where there is `nowhere` to say so.
    """

    def __init__(self, number: int, nowhere: bool) -> None:
        self.number, self.dropping, self.nowhere = number, False, nowhere

    def write(self, data: Any) -> int | None:
        """How many bytes were taken. OSError once, where the disk behind the stream is full."""
        if self.dropping:
            return len(data)
        try:
            return os.write(self.number, data)
        except BlockingIOError:
            return len(data) if self.nowhere else None
        except OSError as error:
            self.dropping = True
            if error.errno not in GONE and not self.nowhere:
                raise
            return len(data)

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self.number

    def isatty(self) -> bool:
        """Of the descriptor."""
        return os.isatty(self.number)


def run_command(work: Callable[[], object]) -> None:
    """`work` with signals and streams as above, which ends in SystemExit. 130 after an interrupt, wherever it came.

    Python looks for signals at calls and at the ends of loops: none can come between the end of `work` and `over`.
    """
    Interrupts.over = Interrupts.raised = False
    code: Any = 0
    try:
        _prepare()
        work()
        Interrupts.over = True
    except KeyboardInterrupt:
        Interrupts.over = True
        code = _interrupted()
    except SystemExit as end:
        Interrupts.over = True
        code = _interrupted() if end.code in (ABORTED, INTERRUPTED) and _unsaid(end) else end.code
    for number in SIGNALS:  # one that comes while Python ends is no reason for a traceback
        signal.signal(number, lambda *_: os._exit(code if isinstance(code, int) else 0))
    sys.exit(code)


def _prepare() -> None:
    _open_streams()
    sys.unraisablehook = _again
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # one that is ignored (nohup) stays so
            signal.signal(number, _hear)


def _hear(number: int, frame: FrameType | None) -> None:
    if not Interrupts.over:
        Interrupts.raised = True
        raise KeyboardInterrupt


def _interrupted() -> int:
    for number in (*SIGNALS, getattr(signal, "SIGALRM", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)
    sys.stderr.write("\nInterrupted.\n")
    return INTERRUPTED


def _open_streams() -> None:
    """Descriptors 0 to 2 lead somewhere, or the next file to be opened would be taken for one of them."""
    if os.name != "posix":
        return
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = _patient(sys.stdout, 1), _patient(sys.stderr, 2)


def _patient(stream: TextIO | None, number: int) -> TextIO:
    """The stream over a `Patient` descriptor, written line by line."""
    if stream is not None:
        stream.flush()
    raw = io.BufferedWriter(Patient(number, nowhere=number == 2))
    encoding, errors = (getattr(stream, name, None) for name in ("encoding", "errors"))
    return io.TextIOWrapper(raw, encoding or "utf-8", errors or "replace", line_buffering=True)


def _unsaid(end: SystemExit) -> bool:
    """Whether the option parser made this of an interrupt, which it does without a word."""
    made_of = end.__context__
    return isinstance(made_of, Abort) or isinstance(getattr(made_of, "__cause__", None), KeyboardInterrupt)


def _again(lost: Any) -> None:
    """An interrupt that came where no exception can pass, inside a compiled library, comes once more a little later."""
    before, Interrupts.over = Interrupts.over, True  # one more would get lost here, and this one comes again
    if isinstance(lost.exc_value, KeyboardInterrupt) and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _hear)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
    else:
        sys.__unraisablehook__(lost)
    Interrupts.over = before
