"""RunConfig and TrainConfig: the one source of what CLI flags, files and studio forms are made from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeuxis.errors import BadInput

Start = Literal["auto", "prior", "labels", "bank", "sweep"]
Precision = Literal["auto", "fp32", "bf16"]

FLAGS = {
    "image_prompt": "--image",
    "options": "--option",
    "classes": "--class",
    "measures": "--measure",
    "generator_options": "--generator-option",
}
TOP = 16  # pictures in top/ of a run: the best that differ from one another
MOST_WRONG = 5  # sentences on wrong fields in one message
MOST_PHRASES, LONG, SHORT = 256, 40_000, 4096  # phrases of a prompt; letters of one; of a name or a path
MOST_NAMED = 10_000  # classes, and other lists of names
MOST_IMAGES = 10**9  # of a run: 30 years at one a second
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "a text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table of names and values",
}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})", re.IGNORECASE)

GENERATOR_OPTIONS = ("truncation", "truncation_cutoff", "exact_truncation", "space", "classes", "ban")


Phrase = Annotated[str, Field(max_length=LONG)]
# A name in a configuration: on one line, so that none can pass for another line on a terminal.
Name = Annotated[str, Field(max_length=SHORT, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
Names = Annotated[tuple[Name, ...], Field(max_length=MOST_NAMED)]
Values = Annotated[dict[Phrase, Any], Field(max_length=1000)]


class Section(BaseModel):
    """A part of a configuration: a table of a file, a group of flags, a part of a form."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PromptSection(Section):
    """What is to be seen."""

    prompt: tuple[Phrase, ...] = Field((), max_length=MOST_PHRASES, description="phrases; 'words:1.5' gives a weight")
    negative: tuple[Phrase, ...] = Field(
        (), max_length=MOST_PHRASES, description="phrases to move away from; 'words:0.5' gives a weight"
    )
    image_prompt: tuple[Name, ...] = Field(
        (), max_length=MOST_PHRASES, description="image files used as prompts; 'file.png:0.5' gives a weight"
    )
    templates: bool = Field(True, description="average each phrase over a set of sentence templates")
    strict: bool = Field(False, description="refuse phrases that the scorer would have to cut")


class GeneratorSection(Section):
    """What draws the pictures."""

    generator: Name = Field(
        "auto",
        description="a name of `zeuxis list generators` or `zeuxis models list`, a file, or a Hub id; auto: the one of "
        "the package whose labels are nearest to the phrase",
    )
    classes: Names = Field((), description="the only classes to breed from, by name or number")
    ban: Names = Field((), description="classes never to breed from, by name or number")
    truncation: float | None = Field(None, ge=-4, le=4, description="StyleGAN's psi, or BigGAN's truncation in (0, 1]")
    space: Name | None = Field(None, description="what is bred: z, w or w+ of a StyleGAN; embedding or mix of a BigGAN")
    truncation_cutoff: int | None = Field(
        None, ge=0, le=1000, description="StyleGAN: truncate only this many first layers"
    )
    exact_truncation: bool = Field(
        False, description="BigGAN: interpolate its statistics correctly, unlike the original"
    )
    generator_options: Values = Field(
        default_factory=dict, description="other options of the generator, as key=value; each family has its own"
    )


class ScoreSection(Section):
    """What a picture is worth, and who judges it without being heard."""

    scorer: tuple[Name, ...] = Field(
        ("auto",),
        max_length=100,
        description="auto: the generator's own; a name of `zeuxis list scorers` or `zeuxis models list`, a folder or "
        "Hub id; 'name:0.5' weighs it",
    )
    judge: Name | None = Field(
        "auto",
        description="a classifier or scorer that the search is never told; auto: the generator's own, none: no judge",
    )
    augment: int = Field(
        2, ge=0, le=64, description="augmented views per image in the score beside the plain one; 0 for none"
    )
    realism: float = Field(
        0.0, ge=-1e9, le=1e9, allow_inf_nan=False, description="weight of the discriminator's opinion in the score"
    )
    norm_prior: float = Field(
        0.0, ge=0, le=1e9, description="weight of the penalty for latents longer than the prior's"
    )
    drift: float = Field(
        0.0, ge=0, le=1e9, description="weight of the penalty for pictures unlike those that the generator draws itself"
    )
    standardise: bool = Field(
        False,
        description="count each scorer in its standard deviations over pictures of the prior for this prompt, so that "
        "weights mean the same in every mixture",
    )
    disagreement: float = Field(
        0.0,
        ge=0,
        le=1e9,
        description="two scorers or more: count a gain as far as they agree, their standardised mean less so many of "
        "their standard deviations",
    )
    measures: tuple[Name, ...] = Field(
        (),
        max_length=16,
        description="axes of an archive: 'young|old', brightness, saturation, hue or realism, twice for the searches "
        "that keep one; 'brightness:0.2..0.8' sets its range",
    )
    view_every: int = Field(
        10, ge=1, le=MOST_IMAGES, description="generations between image grids and evaluations by the judge"
    )


class SearchSection(Section):
    """How latents are bred."""

    search: Name = Field(
        "auto",
        description="a name of `zeuxis list searches`, or module:factory, code of your own; auto: what suits the "
        "generator, samples or cma-ga",
    )
    population: int = Field(64, ge=1, le=4096, description="images per generation")
    options: Values = Field(
        default_factory=dict, description="options of the search, as key=value; see `zeuxis list searches`"
    )
    start: Start = Field(
        "auto",
        description="auto: as suits the generator; prior; labels: those nearest to the phrase; bank: the best of the "
        "generator's start bank; sweep: one picture of each class",
    )
    start_from: Names = Field(
        (), description="PNGs of a run or of `zeuxis project` to breed around, or saved styles (.pt, .npz, .npy)"
    )
    warm: Name | None = Field(
        None, description="file of `zeuxis bank warm`: half of the first generation is what it expects for the prompt"
    )
    start_images: int | None = Field(
        None, ge=1, le=100_000, description="draws of the prior in the first generation, the best of which are kept"
    )
    unique: bool = Field(False, description="of two pictures that look alike only the fitter keeps its score")
    on_collapse: Literal["nothing", "restart", "perturb"] = Field(
        "nothing", description="when the pictures become alike: restart the worst, or perturb the next generation"
    )
    collapse_below: float = Field(
        0.25, gt=0, le=1, description="effective number of pictures, as a part of the generation, that is a collapse"
    )


class StopSection(Section):
    """When the run ends."""

    generations: int = Field(160, ge=0, le=MOST_IMAGES, description="0 scores the initial population and stops")
    budget: int | None = Field(None, ge=1, le=MOST_IMAGES, description="stop after this many images")
    target: float | None = Field(None, allow_inf_nan=False, description="stop at this score")
    patience: int | None = Field(
        None, ge=1, le=MOST_IMAGES, description="stop after this many generations without a better score"
    )
    stop_on_exploitation: int | None = Field(
        None,
        ge=1,
        le=MOST_IMAGES,
        description="stop when for so many evaluations the judge stays below its best while the score rises",
    )
    stop_on_disagreement: int | None = Field(
        None,
        ge=1,
        le=MOST_IMAGES,
        description="the same without the judge: by a scorer of weight 0, which guides nothing; the generators of the "
        "package have one",
    )


class ComputeSection(Section):
    """What it runs on."""

    seed: int = Field(0, ge=0, lt=2**63, description="the same seed gives the same run")
    device: Name = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    precision: Precision = Field("auto", description="auto passes the bf16 gate first")
    micro_batch: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="images rendered at once, fixed and padded; default: 16, or as the search asks",
    )


SECTIONS: dict[str, type[Section]] = {
    "prompt": PromptSection,
    "generator": GeneratorSection,
    "score": ScoreSection,
    "search": SearchSection,
    "stop": StopSection,
    "compute": ComputeSection,
}
SAID = {("on_collapse", "stir"): "perturb", ("judge", "none"): None}  # an older name, and what a file has for null


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
            table = value if isinstance(value, dict) and name in SECTIONS else {name: value}
            strange = [f for f in table if table is value and f not in SECTIONS[name].model_fields]
            if strange:
                known = ", ".join(SECTIONS[name].model_fields)
                raise ValueError(f"the section {name} has no field {strange[0][:40]!r}, only {known}")
            flat |= table
        return {k: SAID.get((k, v), v) if isinstance(v, str) else v for k, v in flat.items()}

    def given(self) -> dict[str, Any]:
        """The fields that were set, as they are: `make_config` of them is the same configuration."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def sections(self) -> dict[str, dict[str, Any]]:
        """Section -> its fields, for files; fields at their default are left out, but for those that were set and
        mean something else than their absence: without a seed a new one is drawn, and "auto" may choose generations.
        """
        plain = self.model_dump(mode="json", exclude_defaults=True)
        plain |= {name: getattr(self, name) for name in ("seed", "generations") if name in self.model_fields_set}
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


def in_words(error: ValidationError, known: Sequence[str], spelled: Callable[[str], str] = str) -> str:
    """What is wrong with fields, a sentence each: what was expected, what came, and for an unknown one the nearest."""
    said = [_in_words(wrong, known, spelled) for wrong in error.errors()]
    return " ".join(said[:MOST_WRONG]) + (f" And {len(said) - MOST_WRONG} more." if len(said) > MOST_WRONG else "")


def _in_words(wrong: Mapping[str, Any], known: Sequence[str], spelled: Callable[[str], str]) -> str:
    place, context = [str(part) for part in wrong["loc"]] or [""], wrong.get("ctx", {})
    name, got = ".".join([spelled(place[0]), *place[1:]]), f"got {wrong['input']!r:.80}"
    if wrong["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1].lower(), known, n=2, cutoff=0.5)
        more = "" if spelled is str else " `zeuxis generate --help` lists all."
        hint = f" Did you mean {' or '.join(map(spelled, near))}?" if near else more
        return f"There is no {'.'.join(place)!r}, got {wrong['input']!r:.40}.{hint}"
    if wrong["type"] == "missing":
        return f"{name} is missing."
    if wrong["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        near = difflib.get_close_matches(str(wrong["input"]).lower(), choices, n=1, cutoff=0.5)
        return f"Expected {name} to be one of {', '.join(choices)}, {got}." + (
            f" Did you mean {near[0]}?" if near else ""
        )
    for bound, words in BOUNDS.items():
        if bound in context:
            limit = f"{context[bound]:,}" if context[bound] > 10**5 else f"{context[bound]:g}"
            return f"Expected {name} to be {words} {limit}, {got}."
    if "max_length" in context:
        what = "letters" if wrong["type"] == "string_too_long" else "entries"
        return f"Expected {name} to have at most {context['max_length']:,} {what}, {got}."
    if wrong["type"] == "string_pattern_mismatch":
        return f"Expected {name} to be on one line without control characters, {got}."
    if wrong["type"] == "too_short":
        return f"Expected {name} at least {context['min_length']} time(s), {got}."
    wanted = next((words for part, words in TYPES.items() if wrong["type"].startswith(part)), None)
    return f"Expected {name} to be {wanted}, {got}." if wanted else f"{name}: {wrong['msg']}, {got}."


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


def parse_options(pairs: Sequence[str]) -> dict[str, int | float | str]:
    """["F=0.5", "strategy=rand/1/bin"] -> {"F": 0.5, "strategy": "rand/1/bin"}. BadInput without a "="."""
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise BadInput(
                f"Expected an option of the search as key=value, e.g. --option tournament=3, got {pair[:80]!r}."
            )
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
