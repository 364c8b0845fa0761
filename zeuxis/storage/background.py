"""Work that must not slow the loop: a thread with a short queue, whose errors come back to the caller.

An interrupt may come at any moment of the thread that hands work over. `queue.Queue` can lose the wake-up of the other
side then, and both wait for ever; `queue.SimpleQueue` is one step each way, and nothing here depends on two of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from zeuxis.errors import RunError

Job = Callable[[], object]
LOOK = 0.05  # seconds after which one that waits looks again, should an interrupt have taken its word


class Background:
    """Jobs run one after another in a thread of their own. The next call raises the first error, once.

    At most `waiting` jobs wait. After an error no job is run any more: the rest would only fail again, or leave gaps.
    """

    def __init__(self, name: str, waiting: int) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[None] = queue.SimpleQueue()  # a word that a job was taken, for one that waits
        self._waiting = waiting
        self._error: BaseException | None = None
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job, *, droppable: bool = False) -> bool:
        """Queue a job, waiting for room. A droppable one is left out (False) when there is no room."""
        self._raise()
        if not self._thread.is_alive():
            raise RunError("The session is closed, nothing more can be written. Call `finish` inside its `with` block.")
        while self._jobs.qsize() >= self._waiting:
            if droppable:
                return False
            self._hear(self._taken)
        self._jobs.put(job)
        return True

    def flush(self) -> None:
        """Returns when all that was submitted is done."""
        done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._jobs.put(_Mark(done))
        while self._thread.is_alive() and not self._hear(done):
            pass
        self._raise()

    def close(self) -> None:
        """Finishes what was submitted and ends the thread."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._raise()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._taken.empty():
                self._taken.put(None)
            try:
                if isinstance(job, _Mark) or not self._failed:
                    job()
            except BaseException as error:
                self._error, self._failed = error, True

    def _hear(self, words: queue.SimpleQueue[None]) -> bool:
        """Wait for a word, a while."""
        try:
            words.get(timeout=LOOK)
        except queue.Empty:
            return False
        return True

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class _Mark:
    """A job that says that all before it are done."""

    def __init__(self, done: queue.SimpleQueue[None]) -> None:
        self._done = done

    def __call__(self) -> None:
        self._done.put(None)
