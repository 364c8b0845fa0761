"""From a RunConfig to the objects of a run: networks, prompt, precision and search, all checked and settled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from zeuxis.compute.device import choose_device, machine, search_device, software
from zeuxis.compute.micro_batches import MICRO_BATCH, fitting
from zeuxis.compute.threads import late
from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.generators.base import Generator
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.plugins import fits
from zeuxis.prompts.auto import settle
from zeuxis.prompts.start import check_start, start_of
from zeuxis.prompts.templates import sentences
from zeuxis.run.problem import Problem
from zeuxis.run.record import Decisions, models, other_models, prompt_sha256, same_models
from zeuxis.scorers.base import Judge, Prompt, Scorer
from zeuxis.scorers.choose import check_judge, check_scorer, make_judge, make_scorer
from zeuxis.scorers.combine import parse_weighted
from zeuxis.scorers.measures import Measures, parse_measure
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.search import SEARCHES, check_options
from zeuxis.search.archive import HasArchive
from zeuxis.search.base import PopulationSearch, Search
from zeuxis.search.diversity_control import DiversityControl
from zeuxis.storage.checksummed import Header

LARGEST = 4 * MICRO_BATCH  # images at once where the configuration leaves it open
CHANGEABLE = ("generations", "budget", "target", "patience", "judge_pictures")  # what a resumed run may be told anew


@dataclass(frozen=True)
class Prepared:
    """A run that can begin: its problem, how to make a fresh search for it, and the fixed part of run.json.

    `config` has a name in place of every "auto".
    """

    config: RunConfig
    problem: Problem
    new_search: Callable[[], Search]
    record: dict[str, Any]


@dataclass(frozen=True)
class Models:
    """The networks of a run, loaded. Several runs may share them, one after the other."""

    generator: Generator
    scorers: list[Scorer]
    judge: Judge | None
    key: str = ""  # `models_key` of the configuration that they were loaded for, as far as that is known


def models_key(config: RunConfig) -> str:
    """By which the generator and the scorers of a settled configuration are told from those of another."""
    scorers = [parse_weighted(name)[0] for name in config.scorer]
    return repr((config.generator, sorted(config.generator_arguments().items()), scorers, config.device))


def load_models(config: RunConfig) -> Models:
    """The networks that a configuration names, on its device. UnknownName, Missing or WeightsRefused."""
    return _load(settle(config)[0])


def _load(config: RunConfig) -> Models:
    """Those of a settled configuration: settled again, it would hear a picture that it started from once more."""
    device = choose_device(config.device)
    return Models(
        make_generator(config.generator, device, **config.generator_arguments()),
        [make_scorer(parse_weighted(name)[0], device) for name in config.scorer],
        None if config.judge is None else make_judge(config.judge, device),
        models_key(config),
    )


def prepare_run(
    config: RunConfig,
    loaded: Models | None = None,
    known: Header | None = None,
    decisions: Decisions | None = None,
) -> Prepared:
    """Everything that a configuration names, on its device, ready to be iterated. Writes nothing.

    Names and the prompt are checked before any model is loaded: UnknownName, BadInput or Missing for what cannot be.
    `loaded` are the networks of this configuration, where they are at hand; those of another are not taken. `known` is
    run.json of the run to go on with: what it decided holds, and BadInput for another configuration, other weights or
    another prompt. Without it, `decisions` may settle micro-batches and ranges.
    """
    config, notes = settle(config, None if known is None else known["config"])
    prepared = _asked(config, notes, loaded, known, decisions)
    problem = prepared.problem
    problem.gate(config.population, config.precision)
    problem.choose_scales()
    if SEARCHES.has_trait(config.search, "archive"):
        problem.choose_ranges()
    return prepared


def check_run(config: RunConfig, last: dict[str, Models], known: Header | None = None) -> None:
    """What `prepare_run` would refuse, scorers asked as well. No image is rendered, nothing is written.

    `last` holds the networks of the check before and then those of this one: runs of a series mostly share them.
    """
    config, notes = settle(config, None if known is None else known["config"])
    _check(config)  # before networks are loaded
    key = f"{models_key(config)} {config.judge}"
    if key not in last:
        last.clear()  # first: two of them may be more than fits
        last[key] = _load(config)
    _asked(config, notes, last[key], known)


def _asked(
    config: RunConfig,
    notes: list[str],
    loaded: Models | None,
    known: Header | None,
    decisions: Decisions | None = None,
) -> Prepared:
    """The run of a settled configuration, its prompt read by the scorers; nothing is rendered yet."""
    if known is not None:
        decisions = Decisions.from_json(known["decisions"], known["notes"])
        _check_micro_batch(config, decisions)
        _check_same_config(config, known)
    prepared = _built(config, decisions, loaded, {} if known is None else known.get("start", {}))
    if known is not None:
        _check_same_run(prepared, known)
    for note in [*notes, *filter(None, [late()])]:
        prepared.problem.decisions.note(note)
    prepared.problem.prepare()
    return prepared


def _built(
    config: RunConfig, decisions: Decisions | None, loaded: Models | None, started: Mapping[str, Any]
) -> Prepared:
    prompt = _check(config)
    device = choose_device(config.device)
    weights = [parse_weighted(name)[1] for name in config.scorer]
    if loaded is None or loaded.key not in ("", models_key(config)):
        loaded = _load(config)
    generator, scorers, judge = loaded.generator, loaded.scorers, loaded.judge
    first, start = start_of(config, generator, scorers, weights, prompt, started)
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
        drift=config.drift,
        standardise=config.standardise,
        disagreement=config.disagreement,
        held_out_every=config.view_every if config.stop_on_disagreement else 0,
        describe=_helped(config) or SEARCHES.has_trait(config.search, "looks"),
        measures=measures if config.measures else None,
        seed=config.seed,
        decisions=decisions,
    )
    record = {
        "prompt": prompt.title,
        "prompt_sha256": prompt_sha256(prompt),
        "config": config.model_dump(mode="json"),
        "seed": config.seed,
        "software": software(*(("ribs", "numpy") if SEARCHES.has_trait(config.search, "archive") else ())),
        "machine": machine(device),
        "models": models(generator, scorers, weights, judge),
        "start": start,
    }
    record["run"] = run_key(record)
    return Prepared(config, problem, new_search, record)


def run_key(record: Mapping[str, Any]) -> str:
    """What the files of a run are told from those of another by: what it was begun with, not when it ends."""
    config = {name: value for name, value in record["config"].items() if name not in CHANGEABLE}
    text = json.dumps([record["prompt_sha256"], config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _search(config: RunConfig, generator: Generator, first: Tensor | None, decisions: Decisions) -> Search:
    """A fresh search of this configuration, starting at `first` (None: the prior)."""
    kind, space = SEARCHES[config.search], generator.space
    device = search_device(config.population * space.dim, generator.device)
    search: PopulationSearch = kind(space, population=config.population, device=device, **config.options)
    if SEARCHES.is_plugin(config.search):
        fits(search, Search, "search", config.search)
    search.start = first
    if isinstance(search, HasArchive):
        if search.ranges is not None:
            raise BadInput("Give the ranges of a run with its measures: --measure brightness:0.2..0.8")
        search.ranges = decisions.ranges
    if not _helped(config):
        return search
    return DiversityControl(search, unique=config.unique, collapse=config.on_collapse, below=config.collapse_below)


def _helped(config: RunConfig) -> bool:
    return config.unique or config.on_collapse != "nothing"


def check_config(config: RunConfig) -> Prompt:
    """The prompt of a configuration, read; UnknownName or BadInput for what cannot be. No large model is loaded."""
    return _check(settle(config)[0])


def _check(config: RunConfig) -> Prompt:
    choose_device(config.device)
    check_options(config.search, config.options, RunConfig.model_fields)
    check_generator(config.generator, config.generator_arguments())
    for name in config.scorer:
        check_scorer(parse_weighted(name)[0])
    _check_objectives(config)
    _check_ensemble(config)
    if config.judge is not None:
        check_judge(config.judge)
    _check_measures(config)
    check_start(config)
    return parse_prompt(
        config.prompt,
        config.negative,
        config.image_prompt,
        templates=config.templates,
        sentences=sentences(config),
        strict=config.strict,
    )


def _check_objectives(config: RunConfig) -> None:
    """BadInput for a search between objectives that is given one: there is no front to find."""
    parts = [name for name in config.scorer if parse_weighted(name)[1]] + ["realism"] * bool(config.realism)
    parts += ["drift"] * bool(config.drift)
    if SEARCHES.has_trait(config.search, "objectives") and len(parts) < 2:
        raise BadInput(
            f"Search {config.search!r} keeps the front between two or more parts of the score, got {parts}. Let the "
            "discriminator be the other, e.g. --realism 0.1, name a second --scorer, or choose --search ga."
        )


def _check_ensemble(config: RunConfig) -> None:
    """BadInput where scorers or a judge are to be compared and there are too few of them."""
    guides = [name for name in config.scorer if parse_weighted(name)[1]]
    if config.disagreement and len(guides) < 2:
        raise BadInput(
            f"Expected two scorers or more for --disagreement, got {guides}. Name a second one: --scorer pocket "
            "--scorer pocket-second"
        )
    if config.stop_on_disagreement is not None and len(guides) == len(config.scorer):
        raise BadInput(
            f"Expected a scorer of weight 0 for --stop-on-disagreement, one that guides nothing, got {guides}. Name "
            "one: --scorer pocket-second:0"
        )
    if config.on_collapse == "nothing" and config.collapse_below != RunConfig.model_fields["collapse_below"].default:
        raise BadInput("Expected --on-collapse beside --collapse-below, got none: say what a collapse is answered by.")
    if config.stop_on_exploitation is not None and config.judge is None:
        raise BadInput("Expected a judge for --stop-on-exploitation, got none. Name one with --judge, or leave it out.")


def _check_measures(config: RunConfig) -> None:
    """BadInput or UnknownName for measures that cannot be, or that are not two where an archive needs two."""
    for text in config.measures:
        parse_measure(text)
    if SEARCHES.has_trait(config.search, "archive") and len(config.measures) != 2:
        raise BadInput(
            f"Expected two measures for the search {config.search}, got {len(config.measures)}. Say in what the "
            "pictures are to differ: --measure brightness --measure 'young|old'"
        )
    if SEARCHES.has_trait(config.search, "archive") and (config.unique or config.on_collapse != "nothing"):
        raise BadInput(
            f"An archive keeps pictures apart by itself: leave --unique and --on-collapse out with {config.search}."
        )


def _check_same_config(config: RunConfig, known: Header) -> None:
    now = config.model_dump(mode="json")
    then = make_config(**known["config"]).model_dump(mode="json")  # newer fields at their default, older names renamed
    other = [name for name in now if now[name] != then.get(name) and name not in CHANGEABLE]
    if other:
        name = other[0]
        raise BadInput(
            f"The folder holds a run with {name} = {then.get(name)!r}, got {now[name]!r}. Give another folder, or "
            "resume that run as it is."
        )


def _check_micro_batch(config: RunConfig, decisions: Decisions) -> None:
    """RunDamaged for more images at once than the configuration asks for: a run only ever halves them."""
    limit, largest = config.micro_batch or LARGEST, max(size for _, size in decisions.micro_batch)
    if largest > limit:
        raise RunDamaged(f"run.json renders {largest} images at once, its configuration {limit}; no run wrote that.")


def _check_same_run(prepared: Prepared, known: Header) -> None:
    """BadInput for other weights or another prompt; a note where bits may differ."""
    if not same_models(prepared.record["models"], known["models"]):
        said = other_models(known["models"], prepared.record["models"])
        raise BadInput(
            f"The run was made with other weights: {said}. Resume it with the version or the files that made it, or "
            "start a new run."
        )
    if prepared.record["prompt_sha256"] != known["prompt_sha256"]:
        raise BadInput(
            "The run was made with other words or pictures in the prompt. Bring them back to resume it, or start a new "
            "run."
        )
    for part in ("software", "machine"):
        now, then = prepared.record[part], known[part]
        changed = [f"{name} {then.get(name)} -> {value}" for name, value in now.items() if then.get(name) != value]
        if changed:
            prepared.problem.decisions.note(f"Resumed elsewhere ({', '.join(changed)}): the last bits may differ.")
