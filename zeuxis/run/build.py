"""From a RunConfig to the objects of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.run.auto import settle
from zeuxis.run.decisions import Decisions
from zeuxis.run.healthy import Healthy
from zeuxis.run.measures import Measures, parse_measure
from zeuxis.run.memory import MICRO_BATCH, fitting
from zeuxis.run.problem import Problem
from zeuxis.run.provenance import machine, models, prompt_sha256, software
from zeuxis.run.start import start_of
from zeuxis.scorers.base import Judge, Prompt, Scorer
from zeuxis.scorers.choose import check_judge, check_scorer, make_judge, make_scorer
from zeuxis.scorers.combine import parse_weighted
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.search import MULTI_OBJECTIVE, QUALITY_DIVERSITY, SEARCHES
from zeuxis.search.archive import HasArchive
from zeuxis.search.base import CPU, PopulationSearch, Search

WORTH_A_GPU = 2**17  # genes of a population; at 64 x 512 a CPU was twice as fast, at 64 x 9,216 half as fast


@dataclass(frozen=True)
class Built:
    """A problem, how to make a fresh search for it, and where they come from (the fixed part of run.json)."""

    problem: Problem
    new_search: Callable[[], Search]
    record: dict[str, Any]


@dataclass(frozen=True)
class Models:
    """The networks of a run, loaded. Several runs may share them, one after the other."""

    generator: Generator
    scorers: list[Scorer]
    judge: Judge | None


def load_models(config: RunConfig) -> Models:
    """The networks that a configuration names, on its device. UnknownName, Missing or WeightsRefused."""
    config, _ = settle(config)
    device = choose_device(config.device)
    return Models(
        make_generator(config.generator, device, **config.generator_options()),
        [make_scorer(parse_weighted(name)[0], device) for name in config.scorer],
        None if config.judge is None else make_judge(config.judge, device),
    )


def build(config: RunConfig, decisions: Decisions | None = None, loaded: Models | None = None) -> Built:
    """Everything that a configuration names, on its device. UnknownName, BadInput or Missing for what cannot be.

    Names and the prompt are checked before any model is loaded. `decisions` are those of the run to go on with;
    `loaded` are the networks of this configuration, where they are at hand.
    """
    config, _ = settle(config)
    prompt = check_config(config)
    device = choose_device(config.device)
    weights = [parse_weighted(name)[1] for name in config.scorer]
    loaded = loaded or load_models(config)
    generator, scorers, judge = loaded.generator, loaded.scorers, loaded.judge
    first, start = start_of(config, generator, scorers, weights, prompt)
    fresh = decisions is None
    decisions = decisions or Decisions([(0, config.micro_batch or MICRO_BATCH)])
    new_search = partial(_search, config, generator, first, decisions)
    search = new_search()  # wrong options are to be found before anything is written
    if fresh and config.micro_batch is None:
        decisions.set_micro_batch(0, fitting(search.batch, device, generator.resolution))
    measures = Measures(
        [parse_measure(text) for text in config.measures],
        generator,
        scorers[0],
        templates=config.templates,
        strict=config.strict,
    )
    problem = Problem(
        generator,
        scorers,
        weights,
        prompt,
        judge=judge,
        augment=config.augment,
        realism=config.realism,
        norm_prior=config.norm_prior,
        describe=_helped(config),
        measures=measures if config.measures else None,
        seed=config.seed,
        decisions=decisions,
    )
    record = {
        "prompt": prompt.title,
        "prompt_sha256": prompt_sha256(prompt),
        "config": config.model_dump(mode="json"),
        "seed": config.seed,
        "software": software(*(("ribs", "numpy") if config.search in QUALITY_DIVERSITY else ())),
        "machine": machine(device),
        "models": models(generator, scorers, weights, judge),
        "start": start,
    }
    return Built(problem, new_search, record)


def _search(config: RunConfig, generator: Generator, first: Tensor | None, decisions: Decisions) -> Search:
    """A fresh search of this configuration, starting at `first` (None: the prior)."""
    kind, space = SEARCHES[config.search], generator.space
    device = search_device(config.population * space.dim, generator.device)
    search: PopulationSearch = kind(space, population=config.population, device=device, **config.options)
    search.start = first
    if isinstance(search, HasArchive):
        if search.ranges is not None:
            raise BadInput("Give the ranges of a run with its measures: --measure brightness:0.2..0.8")
        search.ranges = decisions.ranges
    if not _helped(config):
        return search
    return Healthy(search, unique=config.unique, collapse=config.on_collapse, below=config.collapse_below)


def _helped(config: RunConfig) -> bool:
    return config.unique or config.on_collapse != "nothing"


def check_config(config: RunConfig) -> Prompt:
    """The prompt of a configuration, read; UnknownName or BadInput for what cannot be. No large model is loaded."""
    config, _ = settle(config)
    choose_device(config.device)
    SEARCHES.check(config.search)
    check_generator(config.generator)
    for name in config.scorer:
        check_scorer(parse_weighted(name)[0])
    _check_objectives(config)
    if config.judge is not None:
        check_judge(config.judge)
    _check_measures(config)
    return parse_prompt(
        config.prompt, config.negative, config.image_prompt, templates=config.templates, strict=config.strict
    )


def _check_objectives(config: RunConfig) -> None:
    """BadInput for a search between objectives that is given one: there is no front to find."""
    parts = [name for name in config.scorer if parse_weighted(name)[1]] + ["realism"] * bool(config.realism)
    if config.search in MULTI_OBJECTIVE and len(parts) < 2:
        raise BadInput(
            f"Search {config.search!r} keeps the front between two or more parts of the score, got {parts}. Let the "
            "discriminator be the other, e.g. --realism 0.1, name a second --scorer, or choose --search ga."
        )


def _check_measures(config: RunConfig) -> None:
    """BadInput or UnknownName for measures that cannot be, or that are not two where an archive needs two."""
    for text in config.measures:
        parse_measure(text)
    if config.search in QUALITY_DIVERSITY and len(config.measures) != 2:
        raise BadInput(
            f"Expected two measures for the search {config.search}, got {len(config.measures)}. Say in what the "
            "pictures are to differ: --measure brightness --measure 'young|old'"
        )
    if config.search in QUALITY_DIVERSITY and (config.unique or config.on_collapse != "nothing"):
        raise BadInput(
            f"An archive keeps pictures apart by itself: leave --unique and --on-collapse out with {config.search}."
        )


def search_device(genes: int, device: torch.device) -> torch.device:
    """Where the search lives whose populations have `genes` numbers, when the networks live on `device`.

    A GPU takes longer to start its kernels than the host to breed a few latents, so it has the large ones only.
    """
    return device if genes >= WORTH_A_GPU else CPU


def choose_device(name: str) -> torch.device:
    """ "auto" is the first of cuda, mps and cpu that is there. BadInput for a device this machine has not."""
    if name == "auto":
        return torch.device(next((kind for kind in ("cuda", "mps") if _available(kind)), "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"Expected a device like auto, cpu, cuda, cuda:1 or mps, got {name[:40]!r}.") from error
    if not _available(device.type, device.index or 0):
        raise BadInput(f"This machine has no device {name!r}. Use auto or cpu.")
    return device


def _available(kind: str, index: int = 0) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available() and index < torch.cuda.device_count()
    return kind == "cpu" or (kind == "mps" and torch.backends.mps.is_available())
