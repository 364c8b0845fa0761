"""Where a search starts: from the prior, from the best of a bank, or from one picture of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.rng import stream
from zeuxis.scorers.bank import open_bank
from zeuxis.scorers.base import Prompt, Scorer
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.spaces import ClassMix, Space, class_sweep, parts

MOST_LABELS, WITHIN = 8, 0.1  # labels that a start draws from, and how far their cosine may be below the best one's


def start_of(
    config: RunConfig, generator: Generator, scorers: Sequence[Scorer], weights: Sequence[float], prompt: Prompt
) -> tuple[Tensor | None, dict[str, Any]]:
    """The first latents `(M, D)` (None: the prior) and what run.json says about them.

    "bank" costs no image: the best of the generator's bank for this prompt. "sweep" is one latent of each class, all
    of them counted. "labels" are draws of the few labels whose names are nearest to the phrase. "draws" are
    `start_images` draws of the prior in the first generation, counted as well.
    """
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
