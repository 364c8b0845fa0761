"""Carries the queue out, one after another, in a thread of its own."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from queue import SimpleQueue

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.studio.live import Live, fault, new_place
from zeuxis.studio.plots import Plots
from zeuxis.studio.queue import Queue
from zeuxis.studio.queue_file import Item
from zeuxis.trust import check_code, check_files

PERIOD = 0.5  # seconds between looks at a search that was begun beside the queue


class Runner:
    """Begins the first waiting item whenever nothing else is under way. What it begins is in the queue's file before:
    after a kill the run goes on in its folder, and one that had ended is not made again.
    """

    def __init__(self, queue: Queue, live: Live, plots: Plots) -> None:
        self.queue, self.live, self.plots = queue, live, plots
        self.error = ""
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on."""
        if self._thread is None and self.queue.ours:
            self._thread = threading.Thread(target=self._work, name="zeuxis-queue", daemon=True)
            self._thread.start()

    def close(self, seconds: float = 60.0) -> None:
        """Begin nothing more; what runs is stopped with its state saved, and waits for the next studio."""
        self._closing.set()
        with self.queue.changed:
            self.queue.changed.notify_all()
        self.plots.stop()
        self.live.stop()
        if self._thread is not None:
            self._thread.join(seconds)
        self.queue.close()

    def stop(self, number: str) -> None:
        """End an item: one that waits is cancelled, one that runs keeps what it has."""
        item = self.queue.one(number)
        if item.state != "running":
            self.queue.cancel(number)
        elif item.kind == "plot":
            self.plots.stop()
        else:
            self.live.stop()

    def _work(self) -> None:
        while not self._closing.is_set():
            item = self.queue.next()
            if item is None or self.live.status.busy:
                with self.queue.changed:
                    self.queue.changed.wait(PERIOD)
                continue
            try:
                self._carry_out(item)
                self.error = ""
            except ZeuxisError as error:  # the queue's own file cannot be written
                self.error = f"The queue stands still: {error}"
                self._closing.wait(5.0)

    def _carry_out(self, item: Item) -> None:
        try:
            state, said = self._plot(item) if item.kind == "plot" else self._search(item)
        except ZeuxisError as error:
            state, said = "failed", str(error)
        except Exception as error:
            traceback.print_exc()
            state, said = "failed", fault(error)
        if state == "stopped" and self._closing.is_set():
            state, said = "waiting", "Goes on from where the studio ended."
        self.queue.change(item.id, state=state, said=said)

    def _search(self, item: Item) -> tuple[str, str]:
        config, folder = self._prepared(item)
        self.queue.change(item.id, state="running", folder=folder.name, said="")
        ended: SimpleQueue[tuple[str, str]] = SimpleQueue()
        try:
            self.live.begin(item.title, config, folder, lambda state, said: ended.put((state, said)))
        except BadInput as error:
            if not self.live.status.busy:
                raise
            return "waiting", str(error)  # somebody was quicker
        if self._closing.is_set():
            self.live.stop()
        return ended.get()

    def _prepared(self, item: Item) -> tuple[RunConfig, Path]:
        check_code(item.fields)
        check_files(item.fields, self.queue.path, said={}, allowed=item.own)
        config = make_config(**item.fields)
        if item.folder:
            return config, item.place(self.live.runs)
        return config, new_place(config, self.live.runs)

    def _plot(self, item: Item) -> tuple[str, str]:
        plot = self.plots.one(item.folder)
        self.queue.change(item.id, state="running", said="")
        return self.plots.carry_out(plot, self._closing.is_set)
