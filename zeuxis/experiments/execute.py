"""Carrying an experiment out: in this process, or in several that share nothing but the design."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.experiments.cell import Bench, bench, evaluator_names
from zeuxis.experiments.design import Cell, Design
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.plugins import trust, trusted
from zeuxis.storage.lock import RunLock

Row = dict[str, Any]
Done = tuple[Row, np.ndarray[Any, np.dtype[np.float32]]]  # a cell's row and its latents
Report = Callable[[int, int, Row], object]  # cells done, cells in all, the newest


def carry_out(
    design: Design,
    folder: ExperimentFolder,
    workers: int = 1,
    report: Report | None = None,
    *,
    trust_paths: bool = False,
) -> Design:
    """Run every cell of the design that `folder` does not hold yet; returns the design with its precision settled.

    May be broken off at any moment: what is done is on disk, and the same call goes on. RunLocked while another process
    works in the folder.
    """
    design = folder.open(design, trust_paths)
    lock = RunLock(folder.path, "give another --out")
    try:
        return _carry_out(design, folder, workers, report)
    finally:
        lock.release()


def _carry_out(design: Design, folder: ExperimentFolder, workers: int, report: Report | None) -> Design:
    cells, done = list(design.cells()), folder.rows()
    names = evaluator_names(design)
    wanted = {cell: row for cell, row in done.items() if cell in cells}
    done = folder.whole(wanted, names)
    todo = [cell for cell in cells if cell not in done]
    home: Bench | None = None
    if todo:
        home = Bench(design)
        home.check()  # an option that cannot work is to be found now, not after an hour
    if design.precision == "auto":
        home = home or Bench(design)
        design = home.design = design.model_copy(update={"precision": home.precision()})
    folder.write_design(design)
    priors = folder.priors()
    missing = [phrase for phrase in design.phrases if not set(names) <= set(priors.get(phrase, {}))]
    if missing:
        home = home or Bench(design)
        folder.write_priors(priors | {phrase: home.prior(phrase) for phrase in missing})
    for cell in cells:
        if cell in done and not set(names) <= set(done[cell]):  # a measure was added since
            home = home or Bench(design)
            folder.append(done[cell] | home.evaluate(cell, folder.latents(cell)))
    for count, (row, x) in enumerate(_rows(design, home, todo, workers), start=len(cells) - len(todo) + 1):
        folder.append(row, torch.from_numpy(x))
        if report is not None:
            report(count, len(cells), row)
    return design


def _rows(design: Design, home: Bench | None, cells: Sequence[Cell], workers: int) -> Iterator[Done]:
    """The rows of `cells` as they come; `home` is the bench of this process, there when there are cells."""
    if home is None:
        return
    if workers <= 1 or len(cells) <= 1:
        yield from (_plain(home.run(cell)) for cell in cells)
        return
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(threads, trusted()))
    text, waiting, rest = design.model_dump_json(), set[Future[Done]](), iter(cells)
    try:
        for cell in itertools.islice(rest, 2 * workers):
            waiting.add(pool.submit(_work, text, cell))
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                for cell in itertools.islice(rest, 1):
                    waiting.add(pool.submit(_work, text, cell))
                yield future.result()
    except BaseException:  # Ctrl-C: what the workers are at now is lost in any case
        for worker in list((getattr(pool, "_processes", None) or {}).values()):
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(threads: int, named: Sequence[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches all processes of a terminal; one of them speaks
        signal.signal(number, lambda *_: os._exit(0))
    threading.Thread(target=_follow, daemon=True).start()
    torch.set_num_threads(threads)
    trust(named)


def _follow() -> None:
    """Ends this process when the one that started it has ended, by a kill for example."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _work(design_json: str, cell: Cell) -> Done:
    return _plain(bench(design_json).run(cell))


def _plain(found: tuple[Row, Tensor]) -> Done:
    row, x = found
    return row, x.numpy()  # a tensor would cross the border through shared memory
