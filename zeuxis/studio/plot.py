"""A plot over options (X/Y/Z): what is asked for, and the experiment that answers it.

`zeuxis experiment FOLDER/experiment.toml --out FOLDER` goes on with the folder of one (zeuxis.studio.plots), and the
same file gives the same table anywhere.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.config import make_config
from zeuxis.configs import toml_value
from zeuxis.errors import BadInput
from zeuxis.experiments.jobs import Job, Plan, make_plan
from zeuxis.experiments.kinds import run_config
from zeuxis.experiments.results import JobFolder, Result, Results
from zeuxis.prompts.auto import settled_lengths
from zeuxis.prompts.series import slug
from zeuxis.report.commands import folder_command
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.storage.checksummed import damaged
from zeuxis.studio.axes import WORDS, Axis, ReadAxis, read_axis

FILE = "experiment.toml"
MOST_PHRASE = 4000  # letters of a phrase in which words are replaced, as much as the page's field takes
GROUP = "plot"
MOST_RUNS = 1000
MOST_LETTERS = 4_000_000  # of the prompts of all runs together
SAME = ("prompt", "seed", "population", "generations", "augment", "realism", "view_every", "budget")  # quickly checked


class Spec(BaseModel):
    """What is asked for: a run's fields, up to three axes, and how many seeds each cell has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Annotated[dict[str, Any], Field(max_length=100)]
    x: Axis
    y: Axis | None = None
    z: Axis | None = None
    seeds: int = Field(1, ge=1, le=100)


@dataclass(frozen=True)
class Cell:
    """A place of the grid and the jobs of it, one for each seed; places count from 0, blocks (z) first."""

    z: int
    y: int
    x: int
    jobs: tuple[Job, ...]

    def best(self, results: Mapping[str, Result]) -> tuple[Job, Result] | None:
        """The run with the highest score of its seeds; None before one has a score."""
        done = [(job, results[job.key]) for job in self.jobs if job.key in results]
        known = [one for one in done if isinstance(one[1].numbers.get("best"), int | float)]
        return max(known, key=lambda one: float(one[1].numbers["best"] or 0.0), default=None)


@dataclass(frozen=True)
class Plot:
    """A plot as it was understood, perhaps with the folder that answers it."""

    spec: Spec
    axes: tuple[ReadAxis | None, ReadAxis | None, ReadAxis | None]
    folder: Path | None = None

    @property
    def title(self) -> str:
        """The prompt in one line."""
        return " | ".join(self.spec.base.get("prompt", ())) or "(image prompt)"

    @property
    def name(self) -> str:
        """The folder's name; "" without one."""
        return "" if self.folder is None else self.folder.name

    @cached_property
    def plan(self) -> Plan:
        """The experiment. BadInput where it cannot be."""
        base = {name: value for name, value in self.spec.base.items() if value is not None}
        group: dict[str, Any] = {"name": GROUP, "kind": "run", "grid": self._grid()}
        if self.spec.seeds > 1:
            group |= {"seeds": self.spec.seeds, "first_seed": base.pop("seed", 0)}
        taken = [name for name in group["grid"] if name in base]
        group["config"] = {name: value for name, value in base.items() if name not in taken}
        return make_plan({"name": slug(self.title), "about": self._about(), "jobs": [group]}, "The plot")

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every place of the grid in order: blocks, rows, columns."""
        by_values: dict[str, list[Job]] = {}
        for job in self.jobs:
            by_values.setdefault(self._key(job.varied), []).append(job)
        x, y, z = (range(len(axis.values)) if axis else range(1) for axis in self.axes)
        places = itertools.product(z, y, x)
        return tuple(Cell(*at, tuple(by_values[self._key(self._values(at))])) for at in places)

    @property
    def count(self) -> int:
        """Runs in all."""
        return len(self.jobs)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Every run, in the order in which they are carried out."""
        return tuple(self.plan.all_jobs())

    @property
    def images(self) -> int:
        """Images of all runs, if none ends before its time."""
        configs = [settled_lengths(run_config(job.config)) for job in self.jobs]
        whole = [c.population * c.generations + (c.start_images or c.population) for c in configs]
        return sum(min(n, c.budget or n) for n, c in zip(whole, configs, strict=True))

    def toml(self) -> str:
        """The experiment as a file for `zeuxis experiment FILE`."""
        return plan_toml(self.plan)

    def command(self) -> str:
        """What goes on with it on the command line."""
        folder = self.folder or Path("FOLDER")
        return folder_command("experiment", folder / FILE, "--out", str(folder))

    def work(self, job: Job) -> RunFolder:
        """The run folder of a job. RunDamaged for a link."""
        if self.folder is None:
            raise BadInput("The plot has not been started.")
        work = JobFolder(self.folder, job.key).work
        if work.is_symlink():
            raise damaged(work, "it is a link, which is not followed")
        return RunFolder(work)

    def ended(self, results: Mapping[str, Result]) -> int:
        """How many of its runs have ended, well or not."""
        return sum(job.key in results for job in self.jobs)

    def results(self) -> dict[str, Result]:
        """Key of a job -> how it ended, as far as it has."""
        return {} if self.folder is None else Results(self.folder).index()

    def _grid(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for axis in (self.axes[2], self.axes[1], self.axes[0]):
            if axis is not None and axis.field != WORDS:
                found[axis.field] = list(axis.values)
        if any(axis is not None and axis.field == WORDS for axis in self.axes):
            ranges = [range(len(a.values)) if a and a.field == WORDS else range(1) for a in reversed(self.axes)]
            prompts = [self._prompt(places) for places in itertools.product(*ranges)]
            found["prompt"] = list({repr(prompt): prompt for prompt in prompts}.values())
        return found

    def _prompt(self, places: Sequence[int]) -> list[str]:
        """The prompt with the words at these places (z, y, x) of the axes."""
        prompt = [str(phrase) for phrase in self.spec.base.get("prompt", ())]
        for axis, place in zip(reversed(self.axes), places, strict=True):
            if axis is not None and axis.field == WORDS:
                prompt = [_replaced(phrase, axis.values[0], axis.values[place]) for phrase in prompt]
        return [" ".join(phrase.split()) for phrase in prompt]

    def _values(self, places: Sequence[int]) -> dict[str, Any]:
        """What varies at a place (z, y, x), as a job tells it."""
        found: dict[str, Any] = {}
        for axis, place in zip(reversed(self.axes), places, strict=True):
            if axis is not None and axis.field != WORDS:
                found[axis.field] = axis.values[place]
            elif axis is not None:
                found["prompt"] = self._prompt(places)
        return found

    def _key(self, varied: Mapping[str, Any]) -> str:
        """What varies from cell to cell: not the seeds of one cell."""
        of_cells = (pair for pair in varied.items() if self.spec.seeds == 1 or pair[0] != "seed")
        return repr(sorted((name, repr(value)) for name, value in of_cells))

    def _about(self) -> str:
        said = [f"{name}: {axis.title}" for name, axis in zip("XYZ", self.axes, strict=True) if axis is not None]
        return " ".join("; ".join(said).split())[:1000]


def make_plot(base: Mapping[str, Any], axes: Sequence[tuple[str, str]], seeds: int = 1) -> Plot:
    """A plot of one to three (field, values) over a run's fields. BadInput, one sentence, for what cannot be."""
    if not 1 <= len(axes) <= 3:
        raise BadInput(f"Expected one to three axes, got {len(axes)}. Fill in the one for X.")
    config = make_config(**base)
    fields = config.model_dump(mode="json", exclude_unset=True)
    given: list[Axis] = []
    for name, values in axes:
        try:
            given.append(Axis(field=name.strip().replace(" ", "_"), values=values))
        except ValidationError:
            said = f"Expected a field and its values for an axis, got {name[:60]!r}: {values[:60]!r}."
            raise BadInput(said) from None
    try:
        y, z = [*given[1:], None, None][:2]
        spec = Spec(base=fields, x=given[0], y=y, z=z, seeds=seeds)
    except ValidationError:
        raise BadInput(f"Expected 1 to 100 seeds a cell, got {seeds}.") from None
    return read_plot(spec)


def read_plot(spec: Spec, folder: Path | None = None) -> Plot:
    """A plot of what was asked for. BadInput for what cannot be."""
    config = make_config(**{name: value for name, value in spec.base.items() if value is not None})
    prompt = config.prompt
    if not prompt and not config.image_prompt:
        raise BadInput("Say what to look for, e.g. a red fire truck.")
    read = [None if axis is None else read_axis(axis, prompt) for axis in (spec.x, spec.y, spec.z)]
    fields = [axis.field for axis in read if axis is not None]
    twice = [name for name in fields if fields.count(name) > 1 and name != WORDS]
    if twice or {WORDS, "prompt"} <= set(fields):
        name = (twice or ["prompt"])[0]
        raise BadInput(f"Expected another field for each axis, got {name} twice.")
    if "seed" in fields and spec.seeds > 1:
        raise BadInput("Expected seeds as an axis or several seeds a cell, got both. Set the seeds a cell to 1.")
    count = spec.seeds
    for axis in read:
        count *= 1 if axis is None else len(axis.values)
    if count > MOST_RUNS:
        raise BadInput(f"Expected at most {MOST_RUNS:,} runs, got {count:,}. Take fewer values.")
    letters = count * sum(map(len, prompt))
    if letters > MOST_LETTERS:
        raise BadInput(
            f"Expected prompts of at most {MOST_LETTERS:,} letters in all runs, got {letters:,}. Shorten it."
        )
    found = Plot(spec, (read[0], read[1], read[2]), folder)
    assert found.cells
    return found


def _replaced(phrase: str, old: str, new: str) -> str:
    """A phrase with other words. BadInput where it would grow beyond all that a prompt can be."""
    if len(phrase) + phrase.count(old) * (len(new) - len(old)) > MOST_PHRASE:
        raise BadInput(f"Expected phrases of at most {MOST_PHRASE:,} letters with the words put in, got a longer one.")
    return phrase.replace(old, new)


def check(plot: Plot) -> None:
    """BadInput or UnknownName for runs that could not begin: names of searches, models and options among them."""
    seen: set[str] = set()
    for job in plot.jobs:
        key = repr(sorted((name, value) for name, value in job.config.items() if name not in SAME))
        if key not in seen:
            check_config(run_config(job.config))
            seen.add(key)


def plan_toml(plan: Plan) -> str:
    """An experiment of one or several groups as TOML that `read_plan` reads as this very plan."""
    whole = plan.model_dump(mode="json", exclude_unset=True)
    lines = [f"{name} = {toml_value(value)}" for name, value in whole.items() if name != "jobs"]
    for group in whole["jobs"]:
        lines += ["", "[[jobs]]", *(f"{name} = {toml_value(value)}" for name, value in group.items())]
    text = "\n".join([*lines, ""])
    assert make_plan(tomllib.loads(text)) == plan
    return text
