""" "auto" in a configuration: which generator of the package draws a phrase, and which scorer and judge go with it.

The phrase is compared with the words of each generator's labels (zeuxis.prompts.coverage).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from zeuxis.config import GENERATOR_OPTIONS, RunConfig
from zeuxis.errors import ZeuxisError
from zeuxis.generators import GENERATORS
from zeuxis.generators.diffusion import is_pipeline, licence_of
from zeuxis.prompts.coverage import closeness, likeness
from zeuxis.prompts.kinds import Asked, avoided_of, drawn, kinds_near, things_of, wanted_of
from zeuxis.prompts.members import AUTO, MEMBERS, Member, enumerated, member_of
from zeuxis.prompts.start import adopted
from zeuxis.prompts.templates import settled
from zeuxis.scorers.combine import parse_weighted
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.scorers.templates import USUAL

CAPTION = "caption"  # the label that the training lab makes of captions
SEARCH = "cma-ga"  # where nothing better is known
FREE = ("search", "start")  # fields that are "auto" here
DRAWN = {"search": "samples", "generations": 25, "augment": 8, "truncation": 0.6}  # of the generators of the package
OF_KINDS = 10  # generations of draws where they are of the kinds that the phrase asks for alone


@dataclass(frozen=True)
class Choice:
    """A generator, and in one sentence why it is this one; "" where there was nothing to choose."""

    generator: str
    why: str


def settle(config: RunConfig, known: Mapping[str, Any] | None = None) -> tuple[RunConfig, list[str]]:
    """The configuration with a name for every "auto" in it, and what the user should know about the choice.

    `known` is the configuration of the run to go on with: its names are taken, whatever would be chosen today.
    """
    config, notes = _with_held_out(*_named(config, known))
    return _with_own_templates(config, known), notes


def settled_lengths(config: RunConfig) -> RunConfig:
    """The configuration with lengths and views for a search that is "auto", to count by; of other seeds it is kept."""
    if config.search != AUTO:
        return config
    fields = {name: value for name, value in config.given().items() if name != "seed"}
    return _settled(json.dumps(fields, sort_keys=True, default=list))


@lru_cache(maxsize=256)
def _settled(fields: str) -> RunConfig:
    return settle(RunConfig(**json.loads(fields)))[0]


def _with_own_templates(config: RunConfig, known: Mapping[str, Any] | None) -> RunConfig:
    """With the generator's own set of sentence templates in the place of "auto"; those of the run to go on with."""
    if AUTO not in config.prompt_template:
        return config
    kept = () if known is None else tuple(known.get("prompt_template", (USUAL,)))
    return config.model_copy(update={"prompt_template": kept or settled(config.prompt_template, config.generator)})


def _named(config: RunConfig, known: Mapping[str, Any] | None) -> tuple[RunConfig, list[str]]:
    """The configuration with a name for every "auto" in it, and notes on the choice."""
    config, licence = _with_text(config)
    fields = {name: getattr(config, name) for name in ("generator", "scorer", "judge", "start", "search")}
    if not any(map(_any_auto, fields.values())):
        with contextlib.suppress(ZeuxisError):  # of a picture that is none, or is gone since the run began, others say
            taken = {} if not config.start_from else _taken(config, known) if known else adopted(config)[0]
            config = config.model_copy(update=taken)
        return config, licence
    if known is not None:
        kept = {name: known[name] for name, value in fields.items() if name in known and _any_auto(value)}
        for name in ("generations", "augment", "truncation", "classes") if "search" in kept else ():
            if name not in config.model_fields_set:
                kept[name] = known.get(name, getattr(config, name))
        kept = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
        if config.start_from:  # whose options were taken over
            kept |= _taken(config, known)
        return config.model_copy(update=kept), []
    notes = licence
    if config.start_from:
        taken, said = adopted(config)
        fields, notes = fields | taken, [*notes, said] if said else notes
    elif config.generator == AUTO:
        choice = choose(config)
        fields["generator"], notes = choice.generator, [*notes, choice.why] if choice.why else notes
    member = member_of(fields["generator"])
    fields["scorer"] = tuple(member.scorer + name[len(AUTO) :] if _is_auto(name) else name for name in config.scorer)
    fields["judge"] = member.judge if config.judge == AUTO else config.judge
    if config.start == AUTO:
        mixes = not config.generator_options.get("text") and _of_texts(fields["generator"])
        fields["start"] = "labels" if mixes else member.start
    if config.start_from and config.start == AUTO:
        fields["start"] = "prior"
    if config.search == AUTO:
        chosen, why = _search(config, fields["generator"])
        fields, notes = fields | chosen, [*notes, why] if why else notes
    elif config.search == DRAWN["search"]:
        notes = [*notes, *_all_kinds(config, fields["generator"])]
    return config.model_copy(update=fields), notes


def _taken(config: RunConfig, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the run to go on with took over from the pictures it started from, where the configuration is silent."""
    own = {**known.get("generator_options", {}), **config.generator_options}
    found = {name: known[name] for name in GENERATOR_OPTIONS if name in known and not getattr(config, name)}
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return found | {"generator_options": own}


def _with_held_out(config: RunConfig, notes: list[str]) -> tuple[RunConfig, list[str]]:
    """With a scorer that guides nothing, where one is needed and the package has one for this generator."""
    names = [parse_weighted(name)[0] for name in config.scorer if parse_weighted(name)[1]]
    member = MEMBERS.get(config.generator)
    needed = config.stop_on_disagreement is not None and len(names) == len(config.scorer)
    if member is None or not needed or member.held_out in names:
        return config, notes
    note = f"The scorer {member.held_out} guides nothing: by it the run is stopped."
    return config.model_copy(update={"scorer": (*config.scorer, f"{member.held_out}:0")}), [*notes, note]


def _search(config: RunConfig, generator: str) -> tuple[dict[str, Any], str]:
    """The search for a generator, with its generations, views and truncation unless they are told; and in one sentence
    why, or "".
    """
    told = bool(config.options) or config.unique or config.on_collapse != "nothing"  # what only breeding has
    started = config.start not in (AUTO, "prior") or config.warm is not None or bool(config.start_from)
    if generator not in MEMBERS or told or started:
        return {"search": SEARCH}, ""
    own: dict[str, Any] = dict(DRAWN)
    if config.space not in (None, "z"):
        del own["truncation"]
    asked = _asked(config, MEMBERS[generator])
    if kinds := asked.kinds:
        own |= {"classes": kinds, "start": "prior", "generations": OF_KINDS}
    own = {name: value for name, value in own.items() if name in FREE or name not in config.model_fields_set}
    psi = f" at truncation {own['truncation']:g}" if "truncation" in own else ""
    of = f", of {enumerated(kinds)} alone" if kinds else ""
    why = f"The search is samples{psi}{of}: the best different draws of {generator} look better than bred pictures."
    none = f" There are no pictures of {', '.join(asked.missing)}: other colours are drawn." if asked.missing else ""
    return own, f"{why} --search {SEARCH} breeds.{none}"


def _all_kinds(config: RunConfig, generator: str) -> list[str]:
    """How draws that a user asked for by name differ from those of the default, in one sentence if they do."""
    own, _ = _search(config, generator)
    if own["search"] != DRAWN["search"] or "classes" not in own:
        return []
    psi = f", at truncation {own['truncation']:g}" if "truncation" in own else ""
    of = enumerated(own["classes"])
    return [f"The draws are of all kinds that {generator} has. Without --search they are of {of} alone{psi}."]


def _asked(config: RunConfig, member: Member) -> Asked:
    """The kinds of picture that the main positive phrases ask for, to draw nothing else."""
    if not config.prompt or config.classes or config.ban or config.start != AUTO:
        return Asked()
    known, prompt = member.vocabulary, parse_prompt(config.prompt, config.negative, (), templates=False)
    things = things_of(wanted_of(prompt))
    if known is None or not things:
        return Asked()
    avoided = {kind for text in avoided_of(prompt) for kind in kinds_near([text], known).kinds}
    asked = kinds_near(things, known)
    return replace(asked, kinds=tuple(kind for kind in asked.kinds if kind not in avoided))


def _with_text(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """For a generator that draws for a phrase, the positive words of the prompt among its options; and its licence."""
    path = Path(config.generator)
    pipeline = is_pipeline(path)
    if "text" in config.generator_options or not (pipeline or _takes_text(config)):
        return config, []
    prompt = parse_prompt(config.prompt, config.negative, (), templates=False) if config.prompt else None
    told = licence_of(path) if pipeline else ""
    note = f"The licence of {path.name} is {told}, as its README says." if told else ""
    note = note or f"{path.name} names no licence: look where it came from."
    text = prompt.title if prompt is not None else ""
    told_it = config.model_copy(update={"generator_options": {**config.generator_options, "text": text}})
    return told_it, [note] if pipeline else []


def _takes_text(config: RunConfig) -> bool:
    """Whether its pictures are to be drawn for the phrase itself, not for captions that the user or a start chose."""
    chosen = config.classes or config.ban or config.start_from or config.start == "labels"
    return not chosen and _of_texts(config.generator)


def _of_texts(generator: str) -> bool:
    """Whether it is a model file whose conditions are captions: a phrase is then nearest to those that are like it."""
    from zeuxis.hub.model_file import is_model, read_model

    with contextlib.suppress(ZeuxisError):  # of a file that is refused others say why
        path = Path(generator)
        labels = read_model(path).about.get("labels") if path.is_file() and is_model(path) else None
        return isinstance(labels, dict) and CAPTION in labels
    return False


def _is_auto(name: str | None) -> bool:
    """ "auto", also with a weight behind it."""
    return name is not None and name.partition(":")[0] == AUTO


def _any_auto(value: str | tuple[str, ...] | None) -> bool:
    return any(map(_is_auto, value)) if isinstance(value, tuple) else _is_auto(value)


def choose(config: RunConfig) -> Choice:
    """The generator of the package that draws the positive words of the prompt, or comes nearest to them."""
    prompt = parse_prompt(config.prompt, config.negative, (), templates=False) if config.prompt else None
    here = {name: of for name, member in MEMBERS.items() if name in GENERATORS and (of := member.vocabulary)}
    knowing = {name: of for name, of in here.items() if all(_knows(of.labels, entry) for entry in config.classes)}
    here = knowing or here
    if config.classes and len(knowing) == 1:
        return Choice(next(iter(knowing)), f"The generator is {next(iter(knowing))}: it has the classes asked for.")
    asked = wanted_of(prompt) if prompt else []
    if not asked or len(here) < 2:
        return Choice("pocket", "")  # nothing to choose by
    value, nearest, among = dict[str, tuple[float, float]](), {}, {}
    for name, of in here.items():
        near = [closeness(phrase.text, of) for phrase in asked]
        known = [drawn(phrase.text, of) for phrase in asked]
        told = sum(p.weight * (n + k) for p, (n, _), k in zip(asked, near, known, strict=True))
        value[name] = told, sum(p.weight * likeness(p.text, of) for p in asked)  # where each names a label
        main = max(range(len(asked)), key=lambda k: (asked[k].weight, near[k]))
        nearest[name], among[name] = near[main][1][0], any(known)
    name = max(reversed(value), key=lambda name: value[name])  # of equals the later: its pictures are larger
    if not among[name]:
        return Choice(name, f"None of the generators here was trained on such pictures; {name} comes nearest.")
    return Choice(name, f"The generator is {name}: its {nearest[name]!r} is nearest to the phrase.")


def _knows(labels: tuple[str, ...], entry: str) -> bool:
    """Whether a class of `--class` is among the labels: one of them holds all of its own words."""
    return any(set(entry.lower().split()) <= set(label.split()) for label in labels)
