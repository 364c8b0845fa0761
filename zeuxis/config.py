"""RunConfig and TrainConfig: the one source of what CLI flags, files and studio forms are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from zeuxis.errors import BadInput

Start = Literal["auto", "prior", "labels", "bank", "sweep"]
Precision = Literal["auto", "fp32", "bf16"]

GENERATOR_OPTIONS = ("truncation", "truncation_cutoff", "exact_truncation", "space", "classes", "ban")


class RunConfig(BaseModel):
    """One search for one prompt with one seed. Written to `run.json` as it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: tuple[str, ...] = Field((), description="phrases; 'words:1.5' gives a weight")
    negative: tuple[str, ...] = Field((), description="phrases to move away from; 'words:0.5' gives a weight")
    image_prompt: tuple[str, ...] = Field((), description="image files used as prompts; 'file.png:0.5' gives a weight")
    templates: bool = Field(True, description="average each phrase over a set of sentence templates")
    strict: bool = Field(False, description="refuse phrases that the scorer would have to cut")

    generator: str = Field(
        "auto",
        description="a name of `zeuxis list generators` or `zeuxis models list`, a file, or a Hub id; auto: the one of "
        "the package whose labels are nearest to the phrase",
    )
    truncation: float | None = Field(None, ge=-4, le=4, description="StyleGAN's psi, or BigGAN's truncation in (0, 1]")
    truncation_cutoff: int | None = Field(None, ge=0, description="StyleGAN: truncate only this many first layers")
    exact_truncation: bool = Field(
        False, description="BigGAN: interpolate its statistics correctly, unlike the original"
    )
    space: str | None = Field(None, description="what is bred: z, w or w+ of a StyleGAN; embedding or mix of a BigGAN")
    classes: tuple[str, ...] = Field((), description="the only classes to breed from, by name or number")
    ban: tuple[str, ...] = Field((), description="classes never to breed from, by name or number")
    scorer: tuple[str, ...] = Field(
        ("auto",),
        description="auto: the generator's own; a name of `zeuxis list scorers` or `zeuxis models list`, a folder or "
        "Hub id; 'name:0.5' weighs it",
    )
    judge: str | None = Field(
        "auto",
        description="a classifier or scorer that the search is never told; auto: the generator's own, none: no judge",
    )
    search: str = Field("cma-ga", description="see `zeuxis list searches`")
    options: dict[str, Any] = Field(default_factory=dict, description="options of the search, by name")
    measures: tuple[str, ...] = Field(
        (),
        description="axes of an archive: 'young|old', brightness, saturation, hue or realism, twice for the searches "
        "that keep one; 'brightness:0.2..0.8' sets its range",
    )

    start: Start = Field(
        "auto",
        description="auto: as suits the generator; prior; labels: those nearest to the phrase; bank: the best of the "
        "generator's start bank; sweep: one picture of each class",
    )
    start_images: int | None = Field(
        None, ge=1, le=100_000, description="draws of the prior in the first generation, the best of which are kept"
    )

    population: int = Field(64, ge=1, le=4096, description="images per generation")
    generations: int = Field(160, ge=0, description="0 scores the initial population and stops")
    budget: int | None = Field(None, ge=1, description="stop after this many images")
    target: float | None = Field(None, description="stop at this score")
    patience: int | None = Field(None, ge=1, description="stop after this many generations without a better score")
    view_every: int = Field(10, ge=1, description="generations between grids and judge's views")
    seed: int = Field(0, ge=0, lt=2**63, description="the same seed gives the same run")

    augment: int = Field(
        2, ge=0, le=64, description="augmented views per image in the score beside the plain one; 0 for none"
    )
    realism: float = Field(0.0, allow_inf_nan=False, description="weight of the discriminator's opinion in the score")
    norm_prior: float = Field(0.0, ge=0, description="weight of the penalty for latents longer than the prior's")
    unique: bool = Field(False, description="of two pictures that look alike only the fitter keeps its score")
    on_collapse: Literal["nothing", "restart", "stir"] = Field(
        "nothing", description="when the pictures become alike: restart the worst, or stir the next generation"
    )
    collapse_below: float = Field(
        0.25, gt=0, le=1, description="effective number of pictures, as a part of the generation, that is a collapse"
    )
    stop_on_exploitation: int | None = Field(
        None,
        ge=1,
        description="stop when for so many looks the judge stays below its best while the score rises",
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    precision: Precision = Field("auto", description="auto passes the bf16 gate first")
    micro_batch: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="images rendered at once, fixed and padded; default: 16, or as the search asks",
    )

    def generator_options(self) -> dict[str, Any]:
        """Those options of the generator that are not left to it."""
        fields = {name: getattr(self, name) for name in GENERATOR_OPTIONS}
        return {name: value for name, value in fields.items() if value not in (None, False, ())}


class TrainConfig(BaseModel):
    """What a recipe file holds. Lengths are counted in images, never in steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str = Field(description="see zeuxis.lab.tasks: adversarial, classifier, contrastive, distil")
    data: str = Field("cifar10", description="reader: cifar10, products, folder, ... (zeuxis.data)")
    about: str = ""
    seed: int = Field(0, ge=0, lt=2**63)
    images: int = Field(gt=0, description="images shown in total")
    batch: int = Field(64, ge=1, le=65_536)
    precision: Precision = "auto"
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the weight average per step; 0 switches it off")
    ema_half_life: int | None = Field(None, gt=0, description="of the average, in images, in place of ema")
    ema_ramp: float = Field(0.05, gt=0, description="the half-life is at most so much of the images shown so far")
    checkpoint_every: int = Field(50_000, gt=0, description="images between checkpoints")
    report_every: int = Field(10_000, gt=0, description="images between lines of the log")
    options: dict[str, Any] = Field(default_factory=dict, description="options of the task, by name")


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
