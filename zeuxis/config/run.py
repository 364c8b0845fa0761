"""RunConfig: one search for one prompt with one seed, and how its flags are spelled and read; TrainConfig: a recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeuxis.config.messages import in_words
from zeuxis.config.sections import (
    SECTIONS,
    ComputeSection,
    GeneratorSection,
    Name,
    Precision,
    PromptSection,
    ScoreSection,
    SearchSection,
    StopSection,
    Values,
)
from zeuxis.errors import BadInput
from zeuxis.registry import nearest

FLAGS = {
    "image_prompt": "--image",
    "options": "--option",
    "classes": "--class",
    "measures": "--measure",
    "generator_options": "--generator-option",
}
GENERATOR_OPTIONS = ("truncation", "truncation_cutoff", "exact_truncation", "space", "classes", "ban")
TOLD = ("seed", "generations", "augment")  # fields whose default means something else than their absence
SAID = {("on_collapse", "stir"): "perturb", ("judge", "none"): None}  # an older name, and what a file has for null
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})", re.IGNORECASE)


def _check_field(field: str, section: str) -> None:
    """ValueError for a field that its section does not have, with the place that it belongs to or the nearest."""
    own = SECTIONS[section].model_fields
    if field in own:
        return
    home = next((name for name, kind in SECTIONS.items() if field in kind.model_fields), None)
    near = nearest(field, list(own), 1)
    hint = f"It belongs in [{home}]." if home else f"Did you mean {near[0]}?" if near else f"It has {', '.join(own)}."
    raise ValueError(f"The section [{section}] has no {field[:40]!r}. {hint}")


class RunConfig(ComputeSection, StopSection, SearchSection, ScoreSection, GeneratorSection, PromptSection):
    """One search for one prompt with one seed. Written to `run.json` as it stands.

    Every field has a name of its own, so that a flag, a keyword and an entry of a file are the same word; the sections
    group them. A configuration can be read flat or as a table for each section (`sections`).
    """

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        """The fields out of the tables of the sections, and old names of values."""
        if not isinstance(given, dict):
            return given
        flat: dict[str, Any] = {}
        for name, value in given.items():
            if isinstance(value, dict) and name not in SECTIONS and name not in cls.model_fields:
                near = nearest(name, list(SECTIONS), 1)
                hint = f"Did you mean [{near[0]}]?" if near else f"There are {', '.join(SECTIONS)}."
                raise ValueError(f"There is no section [{name[:40]}]. {hint}")
            table = value if isinstance(value, dict) and name in SECTIONS else {name: value}
            for field in table if table is value else ():
                _check_field(field, name)
            flat |= table
        return {k: SAID.get((k, v), v) if isinstance(v, str) else v for k, v in flat.items()}

    def given(self) -> dict[str, Any]:
        """The fields that were set, as they are: `make_config` of them is the same configuration."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def sections(self) -> dict[str, dict[str, Any]]:
        """Section -> its fields, for files; fields at their default are left out, but for those that were set and
        mean something else than their absence: without a seed a new one is drawn, and "auto" may choose generations and
        views.
        """
        plain = self.model_dump(mode="json", exclude_defaults=True)
        plain |= {name: getattr(self, name) for name in TOLD if name in self.model_fields_set}
        found = {name: {f: plain[f] for f in kind.model_fields if f in plain} for name, kind in SECTIONS.items()}
        return {name: fields for name, fields in found.items() if fields}

    def generator_arguments(self) -> dict[str, Any]:
        """What the generator's constructor is given: those options that are not left to it."""
        fields = {name: getattr(self, name) for name in GENERATOR_OPTIONS}
        return {
            name: value for name, value in fields.items() if value not in (None, False, ())
        } | self.generator_options


def make_config(**fields: Any) -> RunConfig:
    """A RunConfig; BadInput in one sentence per field that is wrong, by the name of its flag."""
    if isinstance(fields.get("scorer"), str):
        fields["scorer"] = (fields["scorer"],)
    try:
        return RunConfig(**fields)
    except ValidationError as error:
        raise BadInput(in_words(error, tuple(RunConfig.model_fields), flag)) from error


def flag(name: str) -> str:
    """The flag of a field of RunConfig, e.g. `view_every` -> `--view-every`."""
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def parse_options(pairs: Sequence[str]) -> dict[str, int | float | str]:
    """["F=0.5", "strategy=rand/1/bin"] -> {"F": 0.5, "strategy": "rand/1/bin"}. BadInput without a "="."""
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise BadInput(
                f"Expected an option of the search as key=value, e.g. --option tournament=3, got {pair[:80]!r}."
            )
        if key.strip() in options:
            raise BadInput(f"Expected each option once, got {key.strip()[:80]!r} twice. Leave one out.")
        options[key.strip()] = _value(value.strip())
    return options


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_range(text: str) -> tuple[float, float]:
    """ "0.2..0.8" -> (0.2, 0.8). BadInput for anything else, or where low is not below high."""
    found = _RANGE.fullmatch(text.strip())
    low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not low < high:
        raise BadInput(f"Expected a range LOW..HIGH with LOW below HIGH, e.g. 0.2..0.8, got {text[:40]!r}.")
    return low, high


class TrainConfig(BaseModel):
    """What a recipe file holds. Lengths are counted in images, never in steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Name = Field(description="see zeuxis.lab.tasks: adversarial, classifier, contrastive, distil")
    data: Name = Field("cifar10", description="reader: cifar10, products, folder, ... (zeuxis.data)")
    about: Name = ""
    seed: int = Field(0, ge=0, lt=2**63)
    images: int = Field(gt=0, le=10**13, description="images shown in total")
    batch: int = Field(64, ge=1, le=65_536)
    precision: Precision = "auto"
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the weight average per step; 0 switches it off")
    ema_half_life: int | None = Field(None, gt=0, le=10**13, description="of the average, in images, in place of ema")
    ema_ramp: float = Field(
        0.05, gt=0, le=1e9, description="the half-life is at most so much of the images shown so far"
    )
    checkpoint_every: int = Field(50_000, gt=0, le=10**13, description="images between checkpoints")
    report_every: int = Field(10_000, gt=0, le=10**13, description="images between lines of the log")
    stop_on_collapse: int = Field(
        0, ge=0, le=10**6, description="evaluations in a row with signs of collapse that end the training; 0 for never"
    )
    options: Values = Field(default_factory=dict, description="options of the task, by name")
