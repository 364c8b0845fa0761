"""A forked process that carries out a command of `command_table.py`; for `kills.py` and `resources.py`.

The commands run with their working folder and their cache in a `place` of their own; what they read lies in a `Stock`
beside it, so that the place may be a full or a read-only disk.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from command_stock import DATA, PIXEL, ROOT, Stock
from command_studies import STUDIES, breed_by_hand
from command_table import COMMANDS as SINGLE
from command_table import ONE_FILE, Command, Result, files_of
from command_table import RESUMABLE as SINGLE_RESUMABLE

COMMANDS = [*SINGLE, *STUDIES]
MORE = ("similarity", "searches", "fooling", "experiment", "prompts", "studio", "project", "show")
RESUMABLE = (*SINGLE_RESUMABLE, *MORE)
__all__ = ["COMMANDS", "ONE_FILE", "RESUMABLE", "ROOT", "Command", "Result", "Stock", "by_name", "files_of"]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CALLS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.utime", "os.chmod")


def by_name(name: str) -> Command:
    """The command of this name in the table."""
    return next(command for command in COMMANDS if command.name == name)


def small_world(stock: Stock, quick: bool) -> None:
    """In a child: many checkpoints, short chunks of banks, a catalogue with the stock's server; `quick`: no figures."""
    from zeuxis.hub import catalogue
    from zeuxis.run import store
    from zeuxis.scorers import bank
    from zeuxis.studio import server

    store.CHECKPOINT_EVERY, bank.CHUNK = 3, 8
    file = catalogue.File("network.pkl", stock.url, len(DATA), hashlib.sha256(DATA).hexdigest())
    catalogue.MODELS["tiny"] = catalogue.Model("tiny", "generator", "a tiny one", "MIT", files=(file,))
    server.serve = breed_by_hand
    if quick:
        from zeuxis.experiments import analysis, cell, jobs_page, page
        from zeuxis.lab import curves
        from zeuxis.report import html
        from zeuxis.studies import fooling_answer, generators, leakage, searches_answer, similarity

        curves.draw = lambda folder: None
        analysis.ROUNDS, cell.PRIOR = 50, 16
        page.curves_png = page.reversed_png = jobs_page.means_png = lambda *given, **more: PIXEL
        html.write_report = lambda folder: (folder.path / "report.html").write_text(" " * 2000)
        for module in (searches_answer, similarity, leakage, generators, fooling_answer):
            for name in [name for name in vars(module) if name.endswith("_png") and name != "grid_png"]:
                setattr(module, name, lambda *given, **more: PIXEL)


@dataclass
class Child:
    """A forked process that carries out a command; standard output and error lie in files."""

    pid: int
    said: Path
    code: int | None = None

    def wait(self, seconds: float = 120.0) -> int:
        """The exit code, below 0 for a signal; killed after `seconds`, which is -100."""
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                self.kill()
                self.code = -100
                break
            time.sleep(0.002)
        assert self.code is not None
        return self.code

    def poll(self) -> int | None:
        """The exit code once it has ended."""
        if self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def kill(self) -> bool:
        """SIGKILL. False where it had ended before."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code == -signal.SIGKILL

    @property
    def output(self) -> str:
        """What it said to standard error."""
        return self.said.read_text(encoding="utf-8", errors="replace")


def preload() -> None:
    """Import all that the commands import, once, before the first fork."""
    import matplotlib.figure
    import torch._dynamo  # an optimiser's first step asks for it

    import zeuxis.cli.main as main
    from zeuxis.cli.running import carry_out
    from zeuxis.evaluation import compare, report
    from zeuxis.experiments import execute, page
    from zeuxis.hub import convert, download
    from zeuxis.lab import train
    from zeuxis.report import animation, html, top
    from zeuxis.scorers import pocket
    from zeuxis.studies import carry
    from zeuxis.studies.questions import STUDIES as QUESTIONS
    from zeuxis.studio import state
    from zeuxis.tools import arithmetic, interpolation, mixing, project, replay, sheets

    with contextlib.suppress(ImportError):  # without them no parquet is written; a second in every child
        importlib.import_module("pyarrow.parquet"), importlib.import_module("pandas")
    for name in QUESTIONS:
        QUESTIONS[name]
    for name in main.COMMANDS:
        main.COMMANDS[name]
    used = (matplotlib.figure, compare, report, carry_out, execute, page, convert, download, train, animation, html)
    assert all((*used, top, pocket, arithmetic, interpolation, mixing, replay, sheets, carry, state, project))
    for name in html.PAGES.list_templates():
        html.PAGES.get_template(name)
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # else a child copies every page that its collector looks at


def start(
    command: Command, stock: Stock, place: Path, said: Path, *, before: Callable[[], object] = lambda: None,
    quick: bool = False,
) -> Child:  # fmt: skip
    """Fork a process in `place` that does `before()`, then the command. Its standard error goes to `said`."""
    said.write_bytes(b"")  # before the fork: a child may be killed before it does anything
    pid = os.fork()
    if pid:
        return Child(pid, said)
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, 256)
        streams = [
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644) for path in (said.with_suffix(".out"), said)
        ]
        os.dup2(streams[0], 1), os.dup2(streams[1], 2)
        os.closerange(3, 256)
        sys.stdout, sys.stderr = (open(n, "w", buffering=1, closefd=False) for n in (1, 2))  # noqa: SIM115
        os.chdir(place)
        os.environ |= {"ZEUXIS_CACHE": str(place / "cache"), "ZEUXIS_RETRY_SECONDS": "0.0005", "OMP_NUM_THREADS": "1"}
        for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            os.environ.pop(name, None)
        small_world(stock, quick)
        sys.argv = ["zeuxis", *command.words(stock)]
        from zeuxis.cli.main import main

        before()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as Python itself does
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
            sys.stderr.flush()
    finally:
        os._exit(code)


def fresh(command: Command, stock: Stock, place: Path) -> Path:
    """An empty place with what the command goes on from."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    command.prepare(stock, place)
    return place


def at_call(number: int, fault: Callable[[str, object], object]) -> Callable[[], None]:
    """To be done in the child: `fault(event, path)` in place of its `number`th call that changes the file system.

    Python's audit events are heard, so that the calls of every library that opens files in Python count.
    """
    count = [0]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event not in CALLS or (event == "open" and not writes(arguments)):
            return
        count[0] += 1
        if count[0] == number:
            fault(event, arguments[0])

    return lambda: sys.addaudithook(hear)


def writes(arguments: tuple[object, ...]) -> bool:
    path, _, flags = arguments
    return isinstance(flags, int) and bool(flags & WRITES) and not str(path).startswith("/dev/")


def undisturbed(command: Command, stock: Stock, place: Path, said: Path, quick: bool) -> tuple[int, float]:
    """How many calls that change the file system the command makes when nothing disturbs it, and its seconds."""
    counter = said.with_suffix(".count")
    count = [0]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in CALLS and (event != "open" or writes(arguments)):
            count[0] += 1

    def before() -> None:
        handle = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        sys.addaudithook(hear)
        plain = os._exit

        def leave(code: int) -> None:
            os.write(handle, str(count[0]).encode())
            plain(code)

        os._exit = leave

    fresh(command, stock, place)
    started = time.monotonic()
    child = start(command, stock, place, said, before=before, quick=quick)
    assert child.wait() == 0, child.output
    return int(counter.read_text()), time.monotonic() - started
