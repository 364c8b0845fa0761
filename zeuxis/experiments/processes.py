"""The executor of one machine: worker processes that each make one call at a time, replaced when they die."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from zeuxis.experiments.executors import PATIENCE, Call, Reply
from zeuxis.experiments.worker import Setup, serve


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    call: Call | None = None


class ProcessExecutor:
    """`workers` spawned processes (a forked torch may hang), started when there is work for them."""

    def __init__(self, workers: int, setup: Setup) -> None:
        self.window = 2 * workers
        self._count, self._setup = workers, setup
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._waiting: deque[Call] = deque()
        self._dead: list[Reply] = []

    def start(self) -> None:
        """Start the workers now: they import while the caller still finds out what there is to do."""
        while len(self._workers) < self._count:
            self._start()

    def submit(self, call: Call) -> None:
        """Queue a call; a free worker gets it at once."""
        self._waiting.append(call)
        self._hand_out()

    def wait(self) -> list[Reply]:
        """What the workers have answered, and who has died."""
        self._hand_out()
        found, self._dead = self._dead, []
        ready = wait([worker.pipe for worker in self._workers], 0 if found else PATIENCE)
        for worker in [worker for worker in self._workers if worker.pipe in ready]:
            reply = self._reply(worker)
            found += [] if reply is None else [reply]
        self._hand_out()
        return found

    def close(self, grace: float = 0.0) -> None:
        """End all workers: idle ones by a word, others by SIGTERM and after `grace` seconds by SIGKILL."""
        until = time.monotonic() + grace
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(None)  # read after the call under way
            if worker.call is not None and grace:
                worker.process.terminate()
        for worker in self._workers:
            if worker.call is None or grace:
                worker.process.join(max(1.0, until - time.monotonic()))
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _hand_out(self) -> None:
        while self._waiting:
            free = next((worker for worker in self._workers if worker.call is None), None)
            if free is None and len(self._workers) < self._count:
                free = self._start()
            if free is None:
                return
            call = self._waiting.popleft()
            try:
                free.pipe.send((call.function, call.arguments))
                free.call = call
            except OSError:  # it died while it was idle: another one takes the call
                self._end(free)
                self._waiting.appendleft(call)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._setup))  # not a daemon: it may have children
        process.start()
        theirs.close()
        self._workers.append(worker := _Worker(process, ours))
        return worker

    def _reply(self, worker: _Worker) -> Reply | None:
        try:
            value, error = worker.pipe.recv()
        except (EOFError, OSError):
            call, how = worker.call, self._end(worker)
            return None if call is None else Reply(call, died=how)
        call, worker.call = worker.call, None
        assert call is not None
        return Reply(call, value, error)

    def _end(self, worker: _Worker) -> str:
        """Take a worker away that has died; says how."""
        worker.process.join(1.0)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        code = worker.process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
