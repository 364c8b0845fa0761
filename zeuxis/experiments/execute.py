"""Carrying a comparison of searches out, cell by cell, by any executor: workers share nothing but the design."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import RunError
from zeuxis.experiments.cell import Bench, bench, evaluator_names
from zeuxis.experiments.design import Cell, Design, fields
from zeuxis.experiments.executors import Call, Open, Reply, check_executor, spread
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.worker import Setup
from zeuxis.plugins import trusted
from zeuxis.run import check_config
from zeuxis.search import idle_options
from zeuxis.storage.lock import RunLock

ATTEMPTS = 3  # times that a cell is begun whose worker dies
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
    executor: str | None = None,
) -> Design:
    """Run every cell of the design that `folder` does not hold yet; returns the design with its precision settled.

    May be broken off at any moment: what is done is on disk, and the same call goes on. RunLocked while another process
    works in the folder. `executor`: see `zeuxis.experiments.executors`; by the number of workers if None.
    """
    executor = check_executor(executor or ("local" if workers <= 1 else "processes"))
    if not os.path.lexists(folder.path):  # nor an impossible name; what cannot work leaves no folder behind
        firsts = [(variant, design.phrases[0]) for variant in design.variants]
        for variant, phrase in firsts + [(design.variants[0], phrase) for phrase in design.phrases[1:]]:
            check_config(design.config(Cell(variant, phrase, design.first_seed, design.populations[0])))
    for variant in design.variants:
        own = fields(variant)
        for sentence in [] if own["search"] == "auto" else idle_options(own["search"], own.get("options", {})):
            folder.say(f"{variant}: {sentence}")
    design = folder.open(design, trust_paths)
    lock = RunLock(folder.path, "give another --out")
    try:
        return _carry_out(design, folder, workers, report, executor)
    finally:
        lock.release()


def _carry_out(design: Design, folder: ExperimentFolder, workers: int, report: Report | None, executor: str) -> Design:
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
    for count, (row, x) in enumerate(_rows(design, home, todo, workers, executor), start=len(cells) - len(todo) + 1):
        folder.append(row, torch.from_numpy(x))
        if report is not None:
            report(count, len(cells), row)
    return design


def _rows(design: Design, home: Bench | None, cells: Sequence[Cell], workers: int, executor: str) -> Iterator[Done]:
    """The rows of `cells` as they come; `home` is the bench of this process, there when there are cells.

    A cell whose worker dies is run again. RunError at the end for those that have died as often as they may.
    """
    if home is None:
        return
    text, names, lost, deaths = design.model_dump_json(), dict[str, Cell](), list[Cell](), Counter[str]()
    if executor == "local" or len(cells) <= 1:
        executor, work, first = "local", lambda cell: _plain(home.run(cell)), ()
    else:
        work, first = _work, (text,)  # type: ignore[assignment]  # what a worker can import

    def again(reply: Reply) -> bool:
        deaths[reply.call.name] += bool(reply.died)
        return bool(reply.died) and deaths[reply.call.name] < ATTEMPTS

    threads = None if executor == "local" else max(1, (os.cpu_count() or 1) // workers)
    with Open(executor, workers, Setup(threads, trusted(), str(Path.cwd()))) as place:
        names = {repr(cell): cell for cell in cells}
        calls = (Call(name, work, (*first, cell)) for name, cell in names.items())
        for reply in spread(place, calls, again):
            if reply.error is not None:
                raise reply.error
            if reply.died:
                lost.append(names[reply.call.name])
            else:
                yield reply.value
    if lost:
        raise RunError(
            f"The processes of {len(lost)} of {len(cells)} runs died {ATTEMPTS} times each, the first of them of "
            f"{lost[0].variant!r} on {lost[0].phrase!r}: perhaps for want of memory. What is done is kept; the same "
            "command tries them again."
        )


def _work(design_json: str, cell: Cell) -> Done:
    return _plain(bench(design_json).run(cell))


def _plain(found: tuple[Row, Tensor]) -> Done:
    row, x = found
    return row, x.numpy()  # a tensor would cross the border through shared memory
