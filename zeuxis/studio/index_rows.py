"""What folders below the runs hold, as rows of the gallery's index: runs, breedings by hand, plots.

Of a run its last population, of a breeding what was favoured, of a plot the best picture of each of its runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zeuxis.errors import ZeuxisError
from zeuxis.report.verdict import Picture
from zeuxis.report.verdict import pictures as judged_pictures
from zeuxis.run.folder import RunFolder
from zeuxis.storage.reading import check_folder
from zeuxis.studio import journal, plots
from zeuxis.studio.plot_table import told
from zeuxis.studio.status import moment

MOST_RUNS = 20_000
PLOT = "plot"  # the state of a plot
Row = Sequence[Any]


def folders(runs: Path) -> Iterator[Path]:
    """Folders of runs, of breedings by hand and of plots, no links."""
    with contextlib.suppress(OSError):
        for path in sorted(runs.iterdir())[:MOST_RUNS]:
            if path.is_symlink() or path.name.startswith(".") or not is_name(path.name):
                continue
            if any((path / name).is_file() for name in ("run.json", journal.NAME, plots.NAME)):
                yield path


def stamp_of(path: Path) -> str:
    """Changes when a run is finished, goes on, or is drawn again, and when a breeding has kept another
    picture or a plot has done another run.
    """
    found = []
    for name in ("summary.json", "run.json", journal.KEPT, "results.jsonl"):
        with contextlib.suppress(OSError):
            facts = (path / name).stat()
            found.append(f"{facts.st_mtime_ns}.{facts.st_size}")
    return " ".join(found)


def title_of(path: Path) -> str:
    """A folder for people: what it was made for, and when it was begun; its name where that cannot be read."""
    try:
        bred = (path / journal.NAME).is_file()
        prompt = journal.summary(path)["prompt"] if bred else RunFolder(path).prompt
        begun = (path / (journal.NAME if bred else "run.json")).stat().st_mtime
    except (ZeuxisError, OSError):
        return path.name
    return f"{str(prompt)[:200] or '(image prompt)'}, {moment(begun)}"


def rows_of(path: Path) -> tuple[list[Row], str]:
    """The pictures of a folder as rows of the table, and the state of the run."""
    if (path / journal.NAME).is_file():
        rows, state = _bred(path), "bred"
    elif (path / plots.NAME).is_file():
        rows, state = _plotted(path), PLOT
    else:
        rows, state = _searched(path)
    return [tuple(map(_writable, row)) for row in rows], state


def _bred(path: Path) -> list[Row]:
    check_folder(path, (journal.KEPT,), (journal.NAME,))
    about = journal.summary(path)
    files = sorted((path / journal.KEPT).glob("[0-9]*.png"))
    made = (path / journal.NAME).stat().st_mtime
    facts = (about["prompt"], about["generator"], None, None, "", "bred by hand", made)
    return [(path.name, f"{journal.KEPT}/{file.name}", k, *facts) for k, file in enumerate(files)]


def _searched(path: Path) -> tuple[list[Row], str]:
    folder = RunFolder(path)
    config, prompt = folder.config, folder.prompt
    if not folder.summary_path.exists():
        return [], "unfinished"
    summary, made = folder.summary(), folder.summary_path.stat().st_mtime
    rows = [_row(folder, one, one.description, (config.generator, prompt, made)) for one in judged_pictures(summary)]
    return rows, "unfinished" if "can be resumed" in str(summary["reason"]) else "done"


def _plotted(path: Path) -> list[Row]:
    """A row for each run that is done, in the order of the cells; a run that cannot be read is left out."""
    plot, results = plots.Plots(path.parent).known(path.name)
    check_folder(path, ("jobs",))
    rows: list[Row] = []
    for cell in plot.cells:
        said = f"plot: {', '.join(told(plot, cell))}"
        for job in cell.jobs:
            if job.key in results and results[job.key].status == "done":
                with contextlib.suppress(ZeuxisError):
                    check_folder(path / "jobs", (job.key,))
                    folder = plot.work(job)
                    made = folder.summary_path.stat().st_mtime
                    best = judged_pictures(folder.summary())[0]
                    of = (folder.config.generator, folder.prompt, made)
                    file = folder.individual_path(best.rank).relative_to(path).as_posix()
                    row = _row(folder, best, said, of)
                    rows.append((path.name, file, len(rows), *row[3:]))
    return rows


def _row(folder: RunFolder, one: Picture, words: str, of: tuple[str, str, float]) -> Row:
    generator, prompt, made = of
    file = folder.individual_path(one.rank).relative_to(folder.path).as_posix()
    return (folder.path.name, file, one.rank, prompt, generator, one.score, one.judged, one.label, words, made)


def _writable(value: Any) -> Any:
    """A value that a table and a page can hold: texts may have letters that nothing can write, scores any size."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return None
    return value


def is_name(run: str) -> bool:
    """Whether it names one folder, in letters that can be written down."""
    try:
        return run not in ("", ".", "..") and "\0" not in run and Path(run).name == run and bool(run.encode())
    except UnicodeEncodeError:
        return False
