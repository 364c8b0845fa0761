"""The `[options]` of a recipe of the task "adversarial", read strictly."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis.config import in_words
from zeuxis.errors import BadInput
from zeuxis.lab.augment import check_augmentation
from zeuxis.lab.domains import DOMAINS
from zeuxis.lab.objectives import OBJECTIVES
from zeuxis.lab.penalties import GENERATOR_PENALTIES, PENALTIES
from zeuxis.lab.tasks.base import plain_name
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.registry import unknown


class Strict(BaseModel):
    """Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Beta = Annotated[float, Field(ge=0, lt=1)]


class Adam(Strict):
    """One optimiser: Kingma and Ba 2015, arXiv 1412.6980."""

    lr: float = Field(default=2e-4, gt=0, allow_inf_nan=False)
    lr_end: float | None = Field(default=None, gt=0, description="after the burn-in; as lr if not given")
    betas: tuple[Beta, Beta] = (0.0, 0.99)
    beta2_end: Beta | None = None
    eps: float = Field(default=1e-8, gt=0)


class Penalty(Strict):
    """Weight of a penalty, and steps from one time it is computed to the next."""

    weight: float = Field(gt=0, allow_inf_nan=False)
    weight_end: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="after the burn-in")
    every: int = Field(default=1, ge=1)


class AdaptiveOptions(Strict):
    """Of the augmentation "adaptive"; see zeuxis.lab.adaptive_augment."""

    target: float = Field(default=0.6, ge=-1, le=1, description="of the mean sign of D(real)")
    length: int = Field(default=500_000, ge=1, description="images in which p can go from 0 to 1")
    every: int = Field(default=4, ge=1, description="steps between two changes of p")
    geometry: float = Field(default=1.0, ge=0, le=1, description="times p: flips, turns, shifts, scales")
    colour: float = Field(default=1.0, ge=0, le=1, description="times p: brightness, contrast, hue, saturation")
    cutout: float = Field(default=0.0, ge=0, le=1, description="times p: a grey square of half the side")
    p: float = Field(default=0.0, ge=0, le=1, description="at the start")
    p_end: float | None = Field(default=None, ge=0, le=1, description="p after the burn-in, not adapted")


class Options(Strict):
    """The `[options]` of a recipe of the task "adversarial"."""

    architecture: str
    generator: dict[str, Any] = Field({}, description="options of the architecture's generator")
    discriminator: dict[str, Any] = Field({}, description="options of the architecture's discriminator")
    objective: str = "hinge"
    objective_options: dict[str, Any] = Field({}, description="constructor arguments of the objective")
    penalties: dict[str, Penalty] = {}
    generator_penalties: dict[str, Penalty] = {}
    augmentation: tuple[str, ...] = Field((), description="of what the discriminator sees, real and generated")
    adaptive: AdaptiveOptions = AdaptiveOptions()
    flip: bool = Field(True, description="mirror half of the real pictures")
    resolution: int | None = Field(None, description="pixels; the data set's own if not given")
    channels: int | None = None
    labels: tuple[str, ...] | None = Field(None, description="labels that are conditions; all, or () for none")
    texts: bool = Field(False, description="the captions are the condition, as vectors of the package's text tower")
    second_domain: str | None = Field(None, description="every other picture changed to it, a last label `domain`")
    mismatched: bool = Field(False, description="real pictures with labels of others are false ones for D as well")
    balance: float = Field(0.0, ge=0, le=1, description="0: labels as they occur, 1: each combination as often")
    discriminator_steps: int = Field(1, ge=1, le=100)
    optimizers: dict[str, Adam] = Field({}, description="of generator and discriminator")
    decay_from: float = Field(1.0, ge=0, le=1, description="the rates fall linearly to a tenth from this progress on")
    burn_in: float = Field(0.0, ge=0, le=1, description="progress in which what has an end comes to it, by a cosine")
    style_mixing: float = Field(0.0, ge=0, le=1, description="share of fakes with the styles of two latents")
    mode_seeking: float = Field(0.0, ge=0, description="weight of the loss that keeps two latents of a label apart")
    guidance: float = Field(0.0, ge=0, description="weight of a classifier's cross entropy on generated pictures")
    trunk: str | None = Field(None, description="weight file in --weights of a trained trunk: discriminator, guidance")
    name: str = "generator"  # of the exported file
    start: str | None = Field(None, description="model file in --weights to start from in place of random weights")
    transfer: bool = Field(False, description="start from a file with other labels: their tables start anew")
    where: dict[str, tuple[str, ...]] = Field({}, description="labels and the names of each that are trained on")
    rename: dict[str, dict[str, str]] = Field({}, description="labels and the words that names of each are given")
    watch: int = Field(2000, ge=20, description="pictures in each held-out figure")


def idle(options: Options, labelled: bool) -> list[str]:
    """Of options that change nothing beside the others, a sentence each; `labelled` is whether pictures have labels."""
    adapted = "adaptive" in options.augmentation
    weights = (*options.penalties.values(), *options.generator_penalties.values())
    ends = (*(of.weight_end for of in weights), options.adaptive.p_end if adapted else None)
    ends += tuple(end for adam in options.optimizers.values() for end in (adam.lr_end, adam.beta2_end))
    none = {
        "balance": ("the pictures have no labels", options.balance > 0 and not labelled),
        "adaptive": ('"adaptive" is not in augmentation', options.adaptive != AdaptiveOptions() and not adapted),
        "burn_in": ("nothing has an end to come to", options.burn_in > 0 and all(end is None for end in ends)),
    }
    return [f"The option {name} has no effect: {why}." for name, (why, so) in none.items() if so]


def check_known(network: Callable[..., Any], options: dict[str, Any], what: str) -> None:
    """UnknownName for options that a network's constructor does not have, with the nearest that it has."""
    given = inspect.signature(network).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in given):
        return
    known = [p.name for p in given if p.name not in ("resolution", "classes", "channels", "trunk")]
    for name in options:
        if name not in known:
            raise unknown(what, name, known)


def options_of(raw: dict[str, Any]) -> Options:
    """The recipe's options, checked. BadInput, UnknownName."""
    try:
        options = Options.model_validate(raw)
    except ValidationError as error:
        tables = (Options, Adam, Penalty, AdaptiveOptions)
        known = [name for table in tables for name in table.model_fields]
        unknown_too = any(wrong["type"] == "extra_forbidden" for wrong in error.errors())
        listed = f" Known: {', '.join(Options.model_fields)}." if unknown_too else ""
        raise BadInput(f"Wrong options of the task adversarial: {in_words(error, known)}{listed}") from error
    for name in (options.name, options.start, options.trunk):
        if name is not None:
            plain_name(name)
    ARCHITECTURES.check(options.architecture)
    if options.second_domain is not None:
        DOMAINS.check(options.second_domain)
    OBJECTIVES.check(options.objective)
    check_known(
        OBJECTIVES[options.objective], options.objective_options, f"option of the objective {options.objective}"
    )
    for name in options.penalties:
        PENALTIES.check(name)
    for name in options.generator_penalties:
        GENERATOR_PENALTIES.check(name)
    for name in options.optimizers:
        if name not in ("generator", "discriminator"):
            raise unknown("network in optimizers", name, ("generator", "discriminator"))
    if options.transfer and options.start is None:
        raise BadInput("Expected start beside transfer = true, got none. Name the model, or leave transfer out.")
    check_augmentation(options.augmentation)
    return options
