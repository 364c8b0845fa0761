"""What a study is told: flags of `zeuxis evaluate`, entries of evaluation.json, words of a command line."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeuxis.config import MOST_IMAGES, Name, Phrase, Precision, RunConfig, in_words, make_config
from zeuxis.errors import BadInput
from zeuxis.experiments.design import fields as search_fields
from zeuxis.hub.cache import file_sha256
from zeuxis.plugins import trust
from zeuxis.prompts.series import escaped

MOST_RUNS = 100_000
Words = Annotated[tuple[Name, ...], Field(max_length=1000)]
Phrases = Annotated[tuple[Phrase, ...], Field(max_length=10_000)]


class Settings(BaseModel):
    """What all studies share. A search is `thesis`, `default`, or a line such as "ga augment=4", as in `compare`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: ClassVar[str]
    lists: ClassVar[tuple[str, ...]] = ()  # fields that may name a text file, whose content is a setting too
    free: ClassVar[tuple[str, ...]] = ("repetitions",)  # of which a study that is there may be asked for more or fewer

    generator: Name = Field("pocket", description="as for `zeuxis generate`")
    scorer: Words = Field(
        ("auto",), min_length=1, description="what guides; auto: as suits the generator; several times"
    )
    population: int = Field(64, ge=1, le=4096, description="pictures of a run")
    repetitions: int = Field(8, ge=1, le=10_000, description="runs with seeds of their own")
    seed: int = Field(0, ge=0, lt=2**62, description="the first of the seeds")
    generations: int | None = Field(
        None, ge=0, le=MOST_IMAGES, description="of every run; default: the search's own, 500 of thesis, 160 of cma-ga"
    )
    budget: int | None = Field(None, ge=1, le=MOST_IMAGES, description="every run ends after this many images")
    precision: Precision = Field("auto", description="auto, fp32 or bf16")
    device: Name = Field("auto", description="auto, cpu, cuda, cuda:1, mps")

    @model_validator(mode="before")
    @classmethod
    def _with_names(cls, given: Any) -> Any:
        """What suits the generator by its name, so that a study is the same with the name and without."""
        from zeuxis.prompts.members import AUTO, suited  # loads torch

        generator = given.get("generator", cls.model_fields["generator"].default)
        if not isinstance(generator, str):
            if given.get("scorer") in (AUTO, (AUTO,), [AUTO]):
                raise ValueError("expected one scorer for all generators, got auto")
            return given
        names = [name for name in ("scorer", "judge") if name in cls.model_fields and generator != AUTO]
        return suited(given, generator, *names)

    @property
    def key(self) -> str:
        """By which files of a study are told from those of another: all settings but those that are free to change."""
        fixed = self.model_dump(mode="json", exclude=set(self.free))
        return hashlib.sha256(json.dumps([self.kind, fixed], sort_keys=True).encode()).hexdigest()[:16]

    @property
    def contents(self) -> dict[str, str]:
        """sha256 of the text files that `lists` name."""
        files = {name: Path(getattr(self, name)) for name in self.lists}
        return {name: file_sha256(path) for name, path in files.items() if path.is_file()}

    @property
    def seeds(self) -> list[int]:
        """One for each repetition."""
        return list(range(self.seed, self.seed + self.repetitions))

    def run(self, search: str, phrase: str, seed: int, **more: Any) -> RunConfig:
        """The configuration of one run."""
        shared = {"generator": self.generator, "scorer": self.scorer, "precision": self.precision}
        lengths = {"generations": self.generations, "budget": self.budget}
        given = {name: value for name, value in lengths.items() if value is not None}
        fixed = {"prompt": (phrase,), "seed": seed, "population": self.population, "device": self.device}
        return make_config(**{**shared, **search_fields(search), **given, **fixed, **more})

    def command(self, out: str | Path) -> str:
        """The `zeuxis evaluate ...` that carries out this very study."""
        words = ["zeuxis", "evaluate", self.kind]
        usual = type(self).model_validate({"generator": self.generator})  # with the scorer that suits it
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value != (field.default if name == "generator" else getattr(usual, name)):
                for one in value if isinstance(value, tuple) else (value,):
                    words += _pair(f"--{name.replace('_', '-')}", escaped(one) if name == "phrase" else str(one))
        return shlex.join([*words, *_pair("--out", str(out))])

    @classmethod
    def made(cls, given: Mapping[str, Any]) -> Self:
        """From flags or keywords; BadInput in one sentence for what is wrong. What they name may be imported."""
        fields = {name: value for name, value in given.items() if value not in (None, [], ())}
        trust(
            *(str(one) for value in fields.values() for one in (value if isinstance(value, list | tuple) else [value]))
        )
        return cls.read(fields, lambda name: f"--{name.replace('_', '-')}")

    @classmethod
    def read(cls, given: Mapping[str, Any], spelled: Callable[[str], str]) -> Self:
        """From a file: nothing that it names may be imported for that. A text stands for a list of one."""
        lists = {name for name, field in cls.model_fields.items() if isinstance(field.default, tuple)}
        fields = {name: (v,) if name in lists and isinstance(v, str) else v for name, v in given.items()}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise BadInput(in_words(error, tuple(cls.model_fields), spelled)) from error


def _pair(flag: str, value: str) -> list[str]:
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]
