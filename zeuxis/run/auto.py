""" "auto" in a configuration: which generator of the package draws a phrase, and which scorer and judge go with it.

The phrase is compared with the words of each generator's labels by the text tower of the pocket scorer, a distilled
sentence encoder that no picture has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from zeuxis.config import RunConfig
from zeuxis.errors import MissingModel
from zeuxis.generators import GENERATORS
from zeuxis.hub.model_file import read_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.scorers.prompts import parse_prompt

AUTO = "auto"
KNOWN = 0.6  # cosine of sentence vectors from which a word stands for the phrase: "sneakers" to "casual shoes" is 0.62


@dataclass(frozen=True)
class Member:
    """A generator of the package: the file with its words, the scorer and the judge that know them, its start."""

    file: str
    scorer: str
    judge: str
    start: Literal["prior", "labels"]


MEMBERS = {
    "pocket": Member("generator", "pocket", "pocket", "prior"),
    "pocket-products": Member("products", "pocket-64", "mobilenet-v1", "labels"),
}


@dataclass(frozen=True)
class Choice:
    """A generator, and in one sentence why it is this one; "" where there was nothing to choose."""

    generator: str
    why: str


def settle(config: RunConfig, known: Mapping[str, Any] | None = None) -> tuple[RunConfig, list[str]]:
    """The configuration with a name for every "auto" in it, and what the user should know about the choice.

    `known` is the configuration of the run to go on with: its names are taken, whatever would be chosen today.
    """
    fields = {name: getattr(config, name) for name in ("generator", "scorer", "judge", "start")}
    if not any(map(_any_auto, fields.values())):
        return config, []
    if known is not None:
        kept = {name: tuple(v) if isinstance(v := known[name], list) else v for name in fields if name in known}
        return config.model_copy(update={k: v for k, v in kept.items() if _any_auto(fields[k])}), []
    notes: list[str] = []
    if config.generator == AUTO:
        choice = choose(config)
        fields["generator"], notes = choice.generator, [choice.why] if choice.why else []
    member = MEMBERS.get(fields["generator"], MEMBERS["pocket"])
    fields["scorer"] = tuple(member.scorer + name[len(AUTO) :] if _is_auto(name) else name for name in config.scorer)
    fields["judge"] = member.judge if config.judge == AUTO else config.judge
    fields["start"] = member.start if config.start == AUTO else config.start
    return config.model_copy(update=fields), notes


def _is_auto(name: str | None) -> bool:
    """ "auto", also with a weight behind it."""
    return name is not None and name.partition(":")[0] == AUTO


def _any_auto(value: str | tuple[str, ...] | None) -> bool:
    return any(map(_is_auto, value)) if isinstance(value, tuple) else _is_auto(value)


def choose(config: RunConfig) -> Choice:
    """The generator of the package whose labels come nearest to the positive words of the prompt."""
    prompt = parse_prompt(config.prompt, config.negative, (), templates=False) if config.prompt else None
    words = {name: _words(member) for name, member in MEMBERS.items() if name in GENERATORS and _there(member)}
    knowing = {name: of for name, of in words.items() if all(_knows(of, entry) for entry in config.classes)}
    words = knowing or words
    if config.classes and len(knowing) == 1:
        return Choice(next(iter(knowing)), f"The generator is {next(iter(knowing))}: it has the classes asked for.")
    if prompt is None or len(words) < 2:
        return Choice("pocket", "")  # nothing to choose by
    scorer = PocketScorer(torch.device("cpu"))
    asked = scorer.asked(prompt)  # (S,)
    if asked is None:
        return Choice("pocket", "")
    found = {}
    for name, known in words.items():
        closeness = scorer.sentences(known) @ asked
        best = int(closeness.argmax())
        found[name] = (float(closeness[best]), known[best])
    name, (near, word) = max(found.items(), key=lambda item: item[1][0])
    others = ", ".join(f"{other}: {its!r} {value:.2f}" for other, (value, its) in found.items() if other != name)
    why = f"The generator is {name}: its {word!r} is nearest to the phrase ({near:.2f}; {others})."
    if near < KNOWN:
        why += " That is not near: none of the generators here was trained on such pictures."
    return Choice(name, why)


def _knows(words: list[str], entry: str) -> bool:
    """Whether a class of `--class` is among the words: one of them holds all of its own words."""
    return any(set(entry.lower().split()) <= set(word.split()) for word in words)


def _there(member: Member) -> bool:
    return pocket_path(member.file).is_file()


def _words(member: Member) -> list[str]:
    """All words of a generator's labels, in small letters, without colours and the like that name no thing."""
    try:
        labels = read_model(pocket_path(member.file)).about["labels"]
    except MissingModel:
        return []
    kinds = [of for kind, of in labels.items() if kind != "colour"]
    return sorted({str(word).lower() for of in kinds for word in of})
