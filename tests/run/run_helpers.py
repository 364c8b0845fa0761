"""What the tests of the run share: a toy configuration, a fingerprint of a run folder, and file calls that go wrong."""

import contextlib
import hashlib
import os
import signal
import sys
import threading
import traceback
from dataclasses import fields
from functools import partial
from pathlib import Path

from zeuxis import workflows
from zeuxis.config import RunConfig
from zeuxis.generators.toy import ToyGenerator
from zeuxis.run import open_session
from zeuxis.run.problem import Problem
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.toy import ToyJudge, ToyScorer
from zeuxis.storage import files
from zeuxis.workflows import Outputs

generate = partial(workflows.generate, outputs=Outputs(report=False, top=0))
resume = partial(workflows.resume, outputs=Outputs(report=False, top=0))

RED = Prompt((Phrase("a red disc on white"),))


def toy_config(**changes) -> RunConfig:
    """A run of 5 generations of 4 images on the toys."""
    toys = {
        "prompt": ("a red disc on white",),
        "generator": "toy",
        "scorer": ("toy",),
        "judge": "toy",
        "search": "ga",
        "augment": 0,
    }
    small = {"population": 4, "generations": 4, "view_every": 2, "micro_batch": 4, "precision": "fp32", "device": "cpu"}
    return RunConfig(**{**toys, **small, "seed": 7, **changes})


def toy_problem(**changes) -> Problem:
    """The red disc, scored by the toys."""
    settings = {"judge": ToyJudge(), "micro_batch": 16, "seed": 3, **changes}
    generator = settings.pop("generator", None) or ToyGenerator()
    scorers = settings.pop("scorers", [ToyScorer()])
    return Problem(generator, scorers, [1.0] * len(scorers), settings.pop("prompt", RED), **settings)


def run_to_the_end(config: RunConfig, folder: Path) -> list[int]:
    """Begin or go on, finish, and say which generations were done now."""
    with open_session(config, folder) as session:
        done = [event.generation for event in session]
        session.finish()
    return done


def fingerprint(folder: Path) -> dict[str, str]:
    """The bytes of everything a run promises to repeat: log, newest checkpoint, pictures, summary."""
    newest = max(folder.glob("checkpoint/*"))
    parts = [*folder.glob("log/*"), newest, *folder.glob("images/*"), folder / "summary.json"]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(parts)}


class FaultyCalls:
    """Counts the file calls, in all threads, and does `fault(name, arguments)` in place of call number `at`."""

    def __init__(self, monkeypatch, at=-1, fault=None) -> None:
        self.count = 0
        self.fault = fault
        self.at = at
        self._lock = threading.Lock()
        for field in fields(files.calls):
            monkeypatch.setattr(files.calls, field.name, self._watch(field.name, getattr(files.calls, field.name)))

    def _watch(self, name, call):
        def watched(*arguments):
            with self._lock:
                number, self.count = self.count, self.count + 1
            return self.fault(name, arguments) if number == self.at else call(*arguments)

        return watched


def die(name, arguments):
    """SIGKILL in the middle of a call; a write gets half of it done first."""
    if name == "write":
        os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def child(work):
    """A forked process that does `work()` and ends without any clean-up. Gives its process id; killed on leaving."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()  # else nobody learns why
            raise
        finally:
            sys.stderr.flush()
            os._exit(code)
    ended = []
    try:
        yield pid, ended
    finally:
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def outcome(work) -> int:
    """Fork, do `work()`, wait: 0 when it went through, -9 when it was killed, 1 when it raised."""
    with child(work) as (pid, ended):
        _, status = os.waitpid(pid, 0)
        ended.append(status)
    return os.waitstatus_to_exitcode(status)
