"""Work that must not slow the loop: a thread with a short queue, whose errors come back to the caller."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from zeuxis.errors import RunError

Job = Callable[[], object]


class Background:
    """Jobs run one after another in a thread of their own. The next call raises the first error, once.

    After an error no job is run any more: the rest would only fail again, or leave gaps.
    """

    def __init__(self, name: str, waiting: int) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(maxsize=waiting)
        self._error: BaseException | None = None
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job, *, droppable: bool = False) -> bool:
        """Queue a job, waiting for room. A droppable one is left out (False) when there is no room."""
        self._raise()
        if not self._thread.is_alive():
            raise RunError("The session is closed, nothing more can be written. Call `finish` inside its `with` block.")
        try:
            self._jobs.put(job, block=not droppable)
        except queue.Full:
            return False
        return True

    def flush(self) -> None:
        """Returns when all that was submitted is done."""
        self._jobs.join()
        self._raise()

    def close(self) -> None:
        """Finishes what was submitted and ends the thread."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()
        self._raise()

    def _work(self) -> None:
        ended = False
        while not ended:
            job = self._jobs.get()
            try:
                if job is None:
                    ended = True
                elif not self._failed:
                    job()
            except BaseException as error:
                self._error, self._failed = error, True
            finally:
                self._jobs.task_done()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
