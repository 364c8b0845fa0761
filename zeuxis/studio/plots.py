"""The folders of plots below the runs, each an experiment of runs (zeuxis.experiments), and who carries them out."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from zeuxis.errors import BadInput, RunDamaged, RunError, ZeuxisError
from zeuxis.experiments.driver import Settings, check_jobs, run_experiment
from zeuxis.experiments.kinds import run_config
from zeuxis.experiments.results import JobFolder, Result, Results
from zeuxis.prompts.auto import settled_lengths
from zeuxis.prompts.series import slug
from zeuxis.run.paths import numbered_folder
from zeuxis.storage.checksummed import checksummed_json, damaged, verified_json
from zeuxis.storage.files import atomic_write
from zeuxis.studio.plot import FILE, Cell, Plot, Spec, check, read_plot

NAME = "plot.json"
GONE = "There is no such plot any more."
MOST_FOLDERS = 20_000
KEPT = 8  # plots whose results are held in memory


@dataclass
class Plots:
    """The plots below a folder of runs, and the one that is carried out. `executor` is one of zeuxis.experiments."""

    runs: Path
    executor: str = "processes"
    running: str = ""  # the folder's name
    started: float = 0.0
    notes: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _keys: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, tuple[str, Plot, dict[str, Result]]] = field(default_factory=dict)

    def new(self, plot: Plot) -> Plot:
        """A folder for a plot, with its files. BadInput, before anything is written, for one that cannot be."""
        check(plot)
        marks = check_jobs(plot.jobs, {}, True)  # its user has typed it on the page
        folder = numbered_folder(self.runs / f"{time.strftime('%Y%m%d-%H%M%S')}-plot-{slug(plot.title)}")
        made = Plot(plot.spec, plot.axes, folder)
        Results(folder).open(made.plan, marks)
        atomic_write(folder / NAME, checksummed_json({"format": 1, "spec": plot.spec.model_dump(mode="json")}))
        atomic_write(folder / FILE, made.toml().encode())
        return made

    def names(self) -> list[str]:
        """The folders of plots, newest first."""
        try:
            found = sorted((p for p in self.runs.iterdir() if not p.name.startswith(".")), reverse=True)
        except OSError:
            return []
        return [p.name for p in found[:MOST_FOLDERS] if not p.is_symlink() and (p / NAME).is_file()]

    def one(self, name: str) -> Plot:
        """A plot by its folder's name. BadInput for none such, RunDamaged where its files do not fit together."""
        folder = self._folder(name)
        try:
            spec = Spec.model_validate(verified_json(folder / NAME)["spec"])
            found = read_plot(spec, folder)
        except (KeyError, ValidationError, BadInput) as error:
            raise damaged(folder / NAME, "it holds no plot that this version wrote") from error
        if Results(folder).plan() != found.plan:
            raise damaged(folder / NAME, "it is not the plot of the experiment beside it")
        return found

    def known(self, name: str) -> tuple[Plot, dict[str, Result]]:
        """A plot and its results; read again only when they have changed."""
        folder = self._folder(name)
        with contextlib.suppress(OSError):
            facts = [(folder / file).stat() for file in (NAME, "results.jsonl") if (folder / file).exists()]
            stamp = repr([(one.st_mtime_ns, one.st_size) for one in facts])
            kept = self._kept.get(name)
            if kept is None or kept[0] != stamp:
                plot = self.one(name)
                self._kept = dict([*self._kept.items()][-KEPT:]) | {name: (stamp, plot, plot.results())}
            return self._kept[name][1:]
        raise BadInput(GONE)

    def key(self, name: str) -> str:
        """What the addresses of its pictures have in place of a name."""
        return hashlib.sha256(name.encode()).hexdigest()[:12]

    def by_key(self, key: str) -> tuple[Plot, dict[str, Result]]:
        """The same as `known`. BadInput for none such."""
        if key not in self._keys:
            self._keys = {self.key(name): name for name in self.names()}
        if key not in self._keys:
            raise BadInput(GONE)
        return self.known(self._keys[key])

    def _folder(self, name: str) -> Path:
        """The folder of a plot. BadInput for none, for a path and for a link."""
        folder = self.runs / name
        if name == folder.name and not name.startswith("."):
            with contextlib.suppress(OSError, ValueError):  # a name that no file can have
                if not folder.is_symlink() and (folder / NAME).is_file():
                    return folder
        raise BadInput(GONE)

    def carry_out(self, plot: Plot, closing: Callable[[], bool] = lambda: False) -> tuple[str, str]:
        """Every run that is not done yet, those that have failed once more; how it ended (done, stopped or failed) and
        why.
        """
        if plot.folder is None:
            raise BadInput("The plot has not been started.")
        self._stop.clear()
        self.running, self.started = plot.name, time.monotonic()
        try:
            done = run_experiment(
                plot.plan,
                plot.folder,
                Settings(self.executor, retry_failed=True, command=plot.command()),
                say=self.notes.append,
                stop=lambda: self._stop.is_set() or closing(),
            )
        except KeyboardInterrupt:
            return "stopped", "Stopped; what is done is kept."
        finally:
            self.running = ""
        if done.failed:
            job, result = done.failed[0]
            return "failed", f"{len(done.failed)} of {plot.count} runs failed, the first {job.title}: {result.reason}"
        return "done", f"All {plot.count} runs are done."

    def stop(self) -> None:
        """End what is carried out, its runs' state saved."""
        self._stop.set()


def progress(plot: Plot, results: Mapping[str, Result]) -> float:
    """The share of the plot's work that is done, 0 to 1: runs that have ended, and generations of those under way."""
    done = 0.0
    for job in plot.jobs:
        if job.key in results:
            done += 1
        elif plot.folder is not None and JobFolder(plot.folder, job.key).work.is_dir():
            with contextlib.suppress(ZeuxisError):  # carrying it out says what is wrong
                wanted = max(1, settled_lengths(run_config(job.config)).generations)
                done += min(0.95, plot.work(job).generations / (wanted + 1))
    return done / max(1, plot.count)


def picture(plot: Plot, cell: Cell, results: Mapping[str, Result]) -> bytes | None:
    """The best picture of a cell as the PNG of its run, of the seed with the highest score; None before one is done."""
    best = cell.best(results)
    if best is None:
        return None
    try:
        folder = plot.work(best[0])
        return folder.picture(folder.best_image)
    except (RunError, RunDamaged, BadInput):
        return None
