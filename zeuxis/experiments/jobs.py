"""Jobs: what an experiment file asks for, each a configuration with a name of its own. No torch is needed.

    [[jobs]]
    name = "colours"
    kind = "run"
    config = { prompt = "a red disc", generator = "toy", scorer = "toy", judge = "toy" }
    grid = { search = ["ga", "cma-ga"], population = [8, 16] }
    seeds = 5

A group is one job for each point of its grid and each seed; `key`, a hash of kind, configuration and threads, is what a
job is known by. Order of jobs: group by group, seed by seed, the grid's last name fastest.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from zeuxis.config import Name, in_words
from zeuxis.errors import BadInput, unreadable
from zeuxis.experiments.executors import Needs
from zeuxis.experiments.kinds import KINDS, own_recipe
from zeuxis.storage.reading import MOST_DEPTH, bounded, read_bounded

LARGEST = 4 * 2**20  # bytes of an experiment file
MOST_JOBS = 100_000
DIGITS = 16  # hex digits of a key
Values = dict[str, Any]
Word = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\W_][\w .+-]*$")]


@dataclass(frozen=True)
class Job:
    """One job: hashable by its `key`, carried out in a folder, worth a small table of numbers.

    `varied` are the values of the grid that tell it from others of its group.
    """

    kind: str
    config: Mapping[str, Any]
    threads: int = 1
    group: str = ""
    varied: Mapping[str, Any] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> str:
        """16 hex digits of kind, configuration, threads and what is written in a recipe of the user's own: all that the
        result depends on but data and networks, which are known by their places.
        """
        told = json.dumps({"kind": self.kind, "config": self.config, "threads": self.threads}, sort_keys=True)
        told += own_recipe(self.config) if self.kind == "train" else ""
        return hashlib.sha256(told.encode()).hexdigest()[:DIGITS]

    @property
    def title(self) -> str:
        """For people: the group with what varies, "colours seed=1"."""
        return " ".join([self.group, *(f"{name}={value}" for name, value in self.varied.items())])[:200]


class Group(BaseModel):
    """A table `[[jobs]]`: a grid of jobs of one kind. Threads count as a part of what a job is: sums of floating-point
    numbers depend on them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Word
    kind: Name
    config: Values = Field(default_factory=dict)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict, max_length=32)
    seeds: int | None = Field(None, ge=1, le=MOST_JOBS, description="grid over config.seed, from first_seed on")
    first_seed: int = Field(0, ge=0, lt=2**62)
    threads: int = Field(1, ge=1, le=1024)
    gpus: float = Field(0.0, ge=0, le=64, description="a part of one, or whole ones")
    memory: int | None = Field(None, ge=2**20, description="bytes; for executors that keep account of memory")

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        return KINDS.check(kind)

    @model_validator(mode="after")
    def _fits(self) -> Group:
        if self.gpus > 1 and self.gpus % 1:
            raise ValueError(f"expected gpus to be a part of one or a whole number, got {self.gpus:g}")
        if self.seeds is not None and "seed" in {*self.grid, *self.config}:
            raise ValueError("expected seeds or a seed, got both")
        return self

    def count(self) -> int:
        """Jobs of the group."""
        found = self.seeds or 1
        for values in self.grid.values():
            found *= len(values)
        return found

    def jobs(self) -> Iterator[Job]:
        """Its jobs, in order."""
        nested, whole = any("." in name for name in self.grid), json.dumps(self.config)
        seeds = [{"seed": self.first_seed + k} for k in range(self.seeds)] if self.seeds else [{}]
        for seed in seeds:
            for values in itertools.product(*self.grid.values()):
                varied = dict(zip(self.grid, values, strict=True)) | seed
                config = json.loads(whole) if nested else dict(self.config)
                for name, value in varied.items():
                    _put(config, name.split("."), value)
                needs = Needs(self.threads, self.gpus, self.memory)
                yield Job(self.kind, config, self.threads, self.name, varied, needs)


class Plan(BaseModel):
    """An experiment file. `attempts`: how often a job is begun whose process dies or cannot read or write."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Word = "experiment"
    about: Name = ""
    attempts: int = Field(3, ge=1, le=100)
    jobs: tuple[Group, ...] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _countable(self) -> Plan:
        if (count := sum(group.count() for group in self.jobs)) > MOST_JOBS:
            raise ValueError(f"expected at most {MOST_JOBS:,} jobs, got {count:,}")
        names = [group.name for group in self.jobs]
        if len(set(names)) < len(names):
            raise ValueError(f"expected every group to have a name of its own, got {', '.join(names)[:200]}")
        return self

    def all_jobs(self) -> list[Job]:
        """Every job, in order. BadInput for two that are the same."""
        found = [job for group in self.jobs for job in group.jobs()]
        known: dict[str, Job] = {}
        for job in found:
            if (other := known.setdefault(job.key, job)) is not job:
                raise BadInput(f"Expected every job once, but {job.title!r} is the same as {other.title!r}.")
        return found


def read_plan(path: str | Path) -> Plan:
    """The experiment in a TOML file. BadInput, one sentence, for what is none."""
    data = read_bounded(path, LARGEST, "experiment in TOML")
    try:
        content = bounded(tomllib.loads(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:  # UnicodeError and TOMLDecodeError are ValueErrors
        said = unreadable(error)
        raise BadInput(f"Expected an experiment in TOML at {path}, but it cannot be read: {said}.") from error
    return make_plan(content, str(path))


def make_plan(content: Mapping[str, Any], source: str = "the experiment") -> Plan:
    """A Plan of a file's content. BadInput, by the name of `source`."""
    try:
        json.dumps(content, allow_nan=False)
        return Plan.model_validate(content)
    except ValidationError as error:
        known = (*Plan.model_fields, *Group.model_fields)
        raise BadInput(f"{source}: {in_words(error, known)}") from error
    except (TypeError, ValueError) as error:
        raise BadInput(f"{source}: expected numbers, texts, lists and tables only, got a date or no number.") from error


def _put(config: Values, place: list[str], value: Any) -> None:
    """`value` at a dotted place of nested tables."""
    if len(place) > MOST_DEPTH // 2:
        raise BadInput(f"Expected at most {MOST_DEPTH // 2} tables within one another, got {len(place)} in the grid.")
    for name in place[:-1]:
        config = config.setdefault(name, {})
        if not isinstance(config, dict):
            raise BadInput(f"Expected a table at {'.'.join(place[:-1])!r} of the configuration, for the grid's values.")
    config[place[-1]] = value
