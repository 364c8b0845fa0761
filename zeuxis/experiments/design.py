"""What an experiment compares: variants x phrases x seeds x populations, all with the same images to spend."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeuxis.config import MOST_IMAGES, Precision, RunConfig, flag, in_words, make_config, parse_options
from zeuxis.configs import CLIP
from zeuxis.errors import BadInput
from zeuxis.experiments.phrases import TWENTY
from zeuxis.prompts.series import escaped

BASELINE = "ga-thesis"
MOST_CELLS = 1_000_000
LISTS = ("variants", "phrases", "populations")
GROWS = (*LISTS, "seeds", "held_out")  # what an experiment may be given more of
Line = Annotated[str, Field(max_length=10_000)]
FLAGS = {"variants": "--search", "phrases": "--phrase", "populations": "--population"}
FIXED = ("prompt", "seed", "population", "generations", "budget")  # what the grid sets, not a variant
SETUPS: dict[str, dict[str, Any]] = {  # searches by a word: with their own length and number of views
    "thesis": {"search": "ga-thesis", "augment": CLIP["augment"], "generations": CLIP["generations"]},
    "default": {"search": "auto"},  # what `zeuxis generate` does for the generator
}


class Design(BaseModel):
    """The whole of an experiment, as written to `design.json`. A variant is a line such as "ga augment=4 tournament=4".

    Every cell may spend population x generations images, the first generation and gradients (3 each) included. A
    variant with a stopping rule ("cma-ga patience=20", target, stop_on_exploitation) may end before that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    variants: tuple[Line, ...] = Field(min_length=1, max_length=1000)
    phrases: tuple[Line, ...] = Field(TWENTY, min_length=1, max_length=10_000)
    seeds: int = Field(5, ge=1, le=10_000)
    first_seed: int = Field(0, ge=0, lt=2**62)
    populations: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field((16, 64), min_length=1, max_length=100)
    generations: int = Field(200, ge=1, le=1_000_000, description="of the budget: population x generations images")
    baseline: str = BASELINE
    generator: str = "pocket"
    scorer: tuple[str, ...] = ("pocket",)
    judge: str | None = "pocket"
    held_out: tuple[str, ...] = Field((), description="scorers or classifiers that guide no search")
    precision: Precision = "auto"
    device: str = "auto"
    micro_batch: int | None = Field(None, ge=1, le=4096)

    @model_validator(mode="before")
    @classmethod
    def _with_names(cls, given: Any) -> Any:
        """Scorer and judge that suit the generator, unless others are named."""
        from zeuxis.prompts.members import suited  # loads torch

        return suited(given, cls.model_fields["generator"].default, "scorer", "judge")

    @model_validator(mode="after")
    def _countable(self) -> Design:
        count = len(self.variants) * len(self.phrases) * len(self.populations) * self.seeds
        if count > MOST_CELLS:
            raise ValueError(f"expected at most {MOST_CELLS:,} runs, got {count:,}")
        if (images := self.budget(max(self.populations))) > MOST_IMAGES:
            raise ValueError(f"expected at most {MOST_IMAGES:,} images for a run, got {images:,}")
        for variant in (*self.variants, self.baseline):
            if fields(variant).get("stop_on_exploitation") is not None and self.judge is None:
                raise BadInput(f"The variant {variant[:80]!r} needs a judge to stop by. Give --judge.")
        return self

    @property
    def key(self) -> str:
        """What the files of an experiment are told from those of another by: all that it cannot be given more of."""
        fixed = self.model_dump(mode="json", exclude={*GROWS, "precision"})
        return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]

    def command(self, out: str | Path) -> str:
        """The `zeuxis compare ...` that carries out this very experiment."""
        words = ["zeuxis", "compare"]
        usual = type(self).model_validate({"variants": self.variants, "generator": self.generator})  # what suits it
        for name, value in self:
            default = type(self).model_fields[name].default if name == "generator" else getattr(usual, name)
            if name == "micro_batch" or (value == default and name != "variants"):
                continue
            for one in value if isinstance(value, tuple) else (value,):
                said = "none" if one is None else escaped(one) if name == "phrases" else one
                words += [f"{FLAGS.get(name, flag(name))}={said}"]
        return shlex.join([*words, f"--out={out}"])

    def cells(self) -> Iterator[Cell]:
        """Every cell, seed by seed, so that an experiment broken off has the same seeds for all variants."""
        for population in self.populations:
            for seed in range(self.first_seed, self.first_seed + self.seeds):
                for variant in self.variants:
                    for phrase in self.phrases:
                        yield Cell(variant, phrase, seed, population)

    def budget(self, population: int) -> int:
        """Images that each cell of this population may spend."""
        return population * self.generations

    def config(self, cell: Cell) -> RunConfig:
        """The run of one cell."""
        shared = {name: getattr(self, name) for name in ("generator", "scorer", "precision", "device", "micro_batch")}
        grid = {"prompt": (cell.phrase,), "seed": cell.seed, "population": cell.population, "judge": None}
        limits = {"generations": self.budget(cell.population), "budget": self.budget(cell.population)}
        own = fields(cell.variant)
        chosen = own["search"] == "auto"  # by the generator, with views of its own
        if not chosen:
            shared["augment"] = 0  # unless the variant says so
        if own.get("stop_on_exploitation") is not None:
            grid["judge"] = self.judge  # it looks on, for this rule only; its rows come from `Bench.evaluate` as ever
        config = make_config(**{**shared, **own, **grid, **limits})
        if not chosen:
            return config
        from zeuxis.prompts.auto import settle  # loads torch

        return settle(config)[0]


@dataclass(frozen=True, order=True)
class Cell:
    """One run of an experiment."""

    variant: str
    phrase: str
    seed: int
    population: int


def fields(variant: str) -> dict[str, Any]:
    """ "ga augment=4 tournament=4" -> {"search": "ga", "augment": 4, "options": {"tournament": 4}}.

    Names of RunConfig are its fields, all others options of the search; "thesis" and "default" are words for searches
    with settings (SETUPS). BadInput for what cannot be read.
    """
    try:
        search, *pairs = shlex.split(variant) or [""]
    except ValueError as error:
        raise BadInput(f"Expected a variant such as 'ga augment=4', got {variant[:80]!r}: {error}.") from None
    if not search or "=" in search:
        raise BadInput(f"Expected a variant to begin with a search, e.g. 'ga augment=4', got {variant!r}.")
    given = parse_options(pairs)
    taken = sorted(set(given) & set(FIXED))
    if taken:
        raise BadInput(f"A variant cannot set {taken[0]}: the experiment gives every variant the same.")
    known: dict[str, Any] = {name: value for name, value in given.items() if name in RunConfig.model_fields}
    for name, value in known.items():
        if name in ("scorer", "measures", "classes", "ban"):
            known[name] = tuple(str(value).split("+"))
    options = {name: value for name, value in given.items() if name not in known}
    return {**SETUPS.get(search, {"search": search}), **known, **({"options": options} if options else {})}


def named_in(design: Design) -> dict[str, Any]:
    """Field -> all that the design and its variants say of it, for `zeuxis.trust`."""
    said: dict[str, list[Any]] = {}
    for settings in (design.model_dump(), *map(fields, (*design.variants, design.baseline))):
        for name, value in settings.items():
            said.setdefault(name, []).extend(value if isinstance(value, list | tuple) else [value])
    return said


def make_design(**given: Any) -> Design:
    """A Design; BadInput in one sentence for what is wrong. The baseline is always among the variants."""
    try:
        design = Design(**given)
    except ValidationError as error:
        spelled = {name: FLAGS.get(name, flag(name)) for name in Design.model_fields}
        raise BadInput(in_words(error, tuple(Design.model_fields), lambda name: spelled.get(name, name))) from error
    variants = dict.fromkeys((design.baseline, *design.variants))
    return design.model_copy(update={"variants": tuple(variants)})


def is_warm(variant: str) -> bool:
    """Whether a variant starts from a bank or from what a network has learnt of one: those images were paid for before,
    so it is told apart from the rest.
    """
    own = fields(variant)
    return own.get("start") == "bank" or own.get("warm") is not None
