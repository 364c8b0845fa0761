"""Where a search starts: from the prior, the best of a bank, one picture of every class, or saved pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.config import GENERATOR_OPTIONS, MOST_STARTS, RunConfig
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.generators import GENERATORS
from zeuxis.generators.base import Generator
from zeuxis.generators.styles_file import genes_of, is_styles
from zeuxis.hub.catalogue import MODELS
from zeuxis.hub.model_file import read_model
from zeuxis.hub.pocket import first_sha256
from zeuxis.pictures.metadata import PictureInfo, read_metadata
from zeuxis.prompts.members import enumerated
from zeuxis.rng import stream
from zeuxis.scorers.bank import open_bank
from zeuxis.scorers.base import Prompt, Scorer
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.scorers.warm import open_warm
from zeuxis.spaces import ClassMix, Space, class_sweep, parts

NEAREST, FURTHEST = 0.1, 0.6  # share of noise in the latents bred around a saved one: from hardly to clearly another
WARM = 0.5  # share of a first generation that a network draws
MOST_LABELS, WITHIN = 8, 0.1  # labels that a start draws from, and how far their cosine may be below the best one's


def start_of(
    config: RunConfig,
    generator: Generator,
    scorers: Sequence[Scorer],
    weights: Sequence[float],
    prompt: Prompt,
    known: Mapping[str, Any],
) -> tuple[Tensor | None, dict[str, Any]]:
    """The first latents `(M, D)` (None: the prior) and what run.json says about them, `warm` ones before the rest."""
    first, told = _cold(config, generator, scorers, weights, prompt, known)
    if config.warm is None:
        return first, told
    warm, row = open_warm(Path(config.warm), generator, scorers, config.generator_arguments())
    if known.get("warm_sha256", warm.sha256) != warm.sha256:
        raise BadInput(
            f"The run was started with another {config.warm}: sha256 {str(known['warm_sha256'])[:12]}..., got "
            f"{warm.sha256[:12]}.... Bring that file back, or start a new run."
        )
    count = max(config.population, config.start_images or 0)
    share = max(1, round(WARM * count))
    rest = generator.space.sample(count, stream(config.seed, "cold")) if first is None else first
    x = warm.draw(scorers[row].prepare(prompt), share, generator.space, stream(config.seed, "warm"))
    return torch.cat([x, rest[: count - share]]), told | {"warm_images": share, "warm_sha256": warm.sha256}


def _cold(
    config: RunConfig,
    generator: Generator,
    scorers: Sequence[Scorer],
    weights: Sequence[float],
    prompt: Prompt,
    known: Mapping[str, Any],
) -> tuple[Tensor | None, dict[str, Any]]:
    """The first latents `(M, D)` (None: the prior) without a network's, and what run.json says about them.

    "bank" costs no image: the best of the generator's bank for this prompt. "sweep" is one latent of each class, all
    of them counted. "labels" are draws of the few labels whose names are nearest to the phrase. "draws" are
    `start_images` draws of the prior in the first generation, counted as well. `start_from` are the latents of saved
    pictures and others about them; `known` is what run.json of the run to go on with says, so that their files are
    read once.
    """
    if config.start_from:
        saved = _known(known, generator) if known.get("latents") else _saved(config, generator)
        first = around(saved, generator.space, config.population, stream(config.seed, "around"))
        genes = [base64.b64encode(row.numpy().astype("<f4").tobytes()).decode() for row in saved]
        return first, {"kind": "saved", "latents": genes}
    if config.start == "bank":
        banks = [open_bank(generator, scorer, config.generator_arguments()) for scorer in scorers]
        sizes = min(bank.done for bank in banks)
        total = torch.stack(
            [w * b.similarity(s.prepare(prompt))[:sizes] for b, s, w in zip(banks, scorers, weights, strict=True)]
        ).sum(dim=0)
        facts = {"kind": "warm", "bank_images": sizes, "bank_sha256": [bank.sha256 for bank in banks]}
        return banks[0].best(total, config.start_images or config.population), facts
    if config.start == "labels":
        count = max(config.start_images or 0, config.population)
        near, names = near_labels(generator.space, prompt, count, stream(config.seed, "labels"))
        return near, {"kind": "cold", "labels": names}
    if config.start == "sweep":
        x = class_sweep(generator.space, stream(config.seed, "sweep"))
        if x is None:
            raise BadInput(f"Generator {generator.name!r} knows no classes to sweep. Leave --start out, or use bank.")
        return x, {"kind": "cold", "sweep_images": len(x)}
    if config.start_images:
        count = max(config.start_images, config.population)
        return generator.space.sample(count, stream(config.seed, "start")), {"kind": "cold", "start_images": count}
    return None, {"kind": "cold"}


def near_labels(space: Space, prompt: Prompt, count: int, rng: torch.Generator) -> tuple[Tensor, list[str]]:
    """`(count, D)` latents of the labels nearest to the positive words, all else drawn from the prior; and their names.

    Nearness is the cosine of sentence vectors of the pocket scorer's text tower, which no picture has changed. Without
    words or labels: draws of the prior.
    """
    mix = next((part for part in parts(space) if isinstance(part, ClassMix)), None)
    scorer = PocketScorer(torch.device("cpu"))
    asked = scorer.asked(prompt)  # (S,)
    if mix is None or asked is None:
        return space.sample(count, rng), []
    near = scorer.sentences(list(mix.labels)) @ asked  # (K,)
    top = near.argsort(descending=True, stable=True)[:MOST_LABELS]
    top = top[near[top] >= near[top[0]] - WITHIN]
    rows = top[torch.arange(count) % len(top)]
    places = mix.clip(mix.places[rows])
    x = torch.cat([places if part is mix else part.sample(count, rng) for part in parts(space)], dim=1)
    return x, [mix.labels[k] for k in top.tolist()]


def check_start(config: RunConfig) -> None:
    """BadInput for saved pictures or a warm start beside another kind of start, or too many pictures."""
    if config.warm is not None and (config.start_from or config.start in ("bank", "sweep")):
        other = "--start-from" if config.start_from else f"--start {config.start}"
        raise BadInput(f"Expected --warm or {other}, got both. Leave one out.")
    if config.warm is not None:
        read_model(Path(config.warm))  # that it is one, before anything large is loaded
    if config.start == "sweep" and config.start_images:
        raise BadInput("Expected --start sweep or --start-images, got both: a sweep is one picture of each class.")
    if config.start_images and config.start_images < config.population and config.start != "bank":
        raise BadInput(
            f"Expected --start-images of at least the population of {config.population}, got {config.start_images}. "
            "Draw more, or take a smaller --population."
        )
    if not config.start_from:
        return
    if config.start not in ("auto", "prior") or config.start_images:
        other = "--start-images" if config.start_images else f"--start {config.start}"
        raise BadInput(f"Expected --start-from or {other}, got both. Leave one out.")
    if len(config.start_from) > min(MOST_STARTS, config.population):
        most = min(MOST_STARTS, config.population)
        raise BadInput(f"Expected at most {most} pictures to start from, got {len(config.start_from)}. Take fewer.")


def adopted(config: RunConfig) -> tuple[dict[str, Any], str]:
    """The generator of the first saved picture and its options, where the configuration leaves them open; and a note.

    Only a generator of the program, of an installed plugin or of the catalogue: a picture must not open other files.
    """
    if is_styles(config.start_from[0]):
        if config.generator == "auto":
            raise BadInput(
                f"{config.start_from[0]} does not say which generator it belongs to. Name it: --generator FILE"
            )
        return {}, ""
    info = _read(config.start_from[0])
    fields: dict[str, Any] = {}
    if config.generator == "auto":
        if not _named(info.generator):
            raise BadInput(
                f"{config.start_from[0]} names the generator {info.generator[:80]!r}, which is neither part of the "
                "program nor in the catalogue. If you trust it, name it with --generator."
            )
        fields["generator"] = info.generator
    elif info.generator != config.generator and all(map(_named, (info.generator, config.generator))):
        raise BadInput(
            f"{config.start_from[0]} was drawn by {info.generator!r}, got --generator {config.generator}. Leave "
            "--generator out, or start from a picture of that one."
        )
    own = dict(config.generator_options)
    for name, value in info.options.items():
        if name not in GENERATOR_OPTIONS:
            own.setdefault(name, value)
        elif getattr(config, name) in (None, False, ()):
            fields[name] = value
    note = f"The generator is {info.generator}, which drew {config.start_from[0]}." if "generator" in fields else ""
    if kept := fields.get("classes"):  # in whose coordinates its latent is
        like = "it" if note else config.start_from[0]
        note = f"{note} Like {like}, all pictures are of {enumerated(kept)}.".lstrip()
    return fields | ({"generator_options": own} if own else {}), note


def _named(generator: str) -> bool:
    """Whether it is a name, of a generator of the program or in the catalogue, and no file."""
    return GENERATORS.known(generator) or generator in MODELS


def around(saved: Tensor, space: Space, count: int, rng: torch.Generator) -> Tensor:
    """Saved latents `(K, D)` and others about them, `(max(count, K), D)`: the prior keeps its law under these steps.

    child = m + sqrt(1 - b^2) (x - m) + b (draw - m), m the prior's mean, with b rising from NEAREST to FURTHEST.
    """
    rest = max(0, count - len(saved))
    mean = space.prior_mean
    drawn = space.sample(rest, rng) - mean
    b = torch.linspace(NEAREST, FURTHEST, rest)[:, None] if rest else torch.empty(0, 1)
    own = saved[torch.arange(rest) % len(saved)] - mean
    return space.clip(torch.cat([saved, mean + (1 - b.square()).sqrt() * own + b * drawn]))


def _saved(config: RunConfig, generator: Generator) -> Tensor:
    """The latents `(K, D)` of the pictures in `start_from`. BadInput for those of another generator or its options."""
    rows = []
    for file in config.start_from:
        if is_styles(file):
            rows += list(genes_of(file, generator))
            continue
        info = _read(file)
        if first_sha256(info.sha256) != first_sha256(generator.sha256):
            raise BadInput(
                f"{file} was drawn by {info.generator[:80]!r} with weights {info.sha256[:12]}..., got "
                f"{generator.name!r} with {generator.sha256[:12]}.... Start from a picture of this generator."
            )
        mine = {name: _plain(value) for name, value in config.generator_arguments().items()}
        theirs = {name: _plain(value) for name, value in info.options.items()}
        if len(info.latent) != generator.space.dim or mine != theirs:
            raise BadInput(
                f"{file} was drawn with the options {_in_words(theirs)}, got {_in_words(mine)}: latents mean another "
                "thing there. Give the same ones."
            )
        rows.append(torch.tensor(info.latent))
    if len(rows) > (most := min(MOST_STARTS, config.population)):
        raise BadInput(f"Expected at most {most} latents to start from, got {len(rows)}. Take fewer.")
    return torch.stack(rows)


def _known(known: Mapping[str, Any], generator: Generator) -> Tensor:
    """The saved latents as run.json has them."""
    try:
        rows = [np.frombuffer(base64.b64decode(text, validate=True), "<f4") for text in known["latents"]]
    except (ValueError, TypeError) as error:
        raise RunDamaged(f"run.json starts from latents that cannot be read ({error}). Begin a new run.") from error
    if any(len(row) != generator.space.dim or not np.isfinite(row).all() for row in rows):
        raise RunDamaged(f"run.json starts from latents that are none of {generator.name}'s. Begin a new run.")
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def _read(file: str) -> PictureInfo:
    try:
        return read_metadata(file)
    except BadInput as error:
        raise BadInput(f"Cannot start from it: {error} A photo is made a start by: zeuxis project PHOTO") from error


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _in_words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(options.items()))[:200] or "none"
