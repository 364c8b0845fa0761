"""The fields of a run in sections: a table of a file, a group of flags, a part of a form each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Start = Literal["auto", "prior", "labels", "bank", "sweep"]
Precision = Literal["auto", "fp32", "bf16"]


TOP = 16  # pictures in top/ of a run: the best that differ from one another
MOST_PHRASES, LONG, SHORT = 256, 40_000, 4096  # phrases of a prompt; letters of one; of a name or a path
MOST_NAMED = 10_000  # classes, and other lists of names
MOST_IMAGES = 10**9  # of a run: 30 years at one a second
MOST_STARTS = 64  # pictures that a run starts from
MOST_TRUNCATION = 4  # beyond it a generator draws noise

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
    prompt_template: Names = Field(
        ("photo",),
        description="the sentences of --templates: names of `zeuxis list templates`, or texts with {} in the place of "
        "the phrase; auto: the generator's own",
    )
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
    truncation: float | None = Field(
        None, ge=-MOST_TRUNCATION, le=MOST_TRUNCATION, description="StyleGAN's psi, or BigGAN's truncation in (0, 1]"
    )
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
        description="a classifier or scorer that guides nothing; auto: the generator's own, none: no judge",
    )
    augment: int = Field(
        2, ge=0, le=64, description="augmented views per image in the score beside the plain one; 0 for none"
    )
    realism: float = Field(
        0.0, ge=-1e9, le=1e9, allow_inf_nan=False, description="weight of the discriminator's output in the score"
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
    judge_pictures: int = Field(
        8,
        ge=0,
        le=MOST_IMAGES,
        description="pictures of a generation that the judge sees while the run goes on: the best and others evenly "
        "spaced by score; 0: all of them, as of the final population and where a rule hears the judge",
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
