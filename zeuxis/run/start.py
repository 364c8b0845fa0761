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
from zeuxis.run.bank import open_bank
from zeuxis.scorers.base import Prompt, Scorer
from zeuxis.spaces import class_sweep


def start_of(
    config: RunConfig, generator: Generator, scorers: Sequence[Scorer], weights: Sequence[float], prompt: Prompt
) -> tuple[Tensor | None, dict[str, Any]]:
    """The first latents `(M, D)` (None: the prior) and what run.json says about them.

    "bank" costs no image: the best of the generator's bank for this prompt. "sweep" is one latent of each class, all
    of them counted. "draws" are `start_images` draws of the prior in the first generation, counted as well.
    """
    if config.start == "bank":
        banks = [open_bank(generator, scorer, config.generator_options()) for scorer in scorers]
        sizes = min(bank.done for bank in banks)
        total = torch.stack(
            [w * b.similarity(s.prepare(prompt))[:sizes] for b, s, w in zip(banks, scorers, weights, strict=True)]
        ).sum(dim=0)
        facts = {"kind": "warm", "bank_images": sizes, "bank_sha256": [bank.sha256 for bank in banks]}
        return banks[0].best(total, config.start_images or config.population), facts
    if config.start == "sweep":
        x = class_sweep(generator.space, stream(config.seed, "sweep"))
        if x is None:
            raise BadInput(f"Generator {generator.name!r} knows no classes to sweep. Leave --start out, or use bank.")
        return x, {"kind": "cold", "sweep_images": len(x)}
    if config.start_images:
        count = max(config.start_images, config.population)
        return generator.space.sample(count, stream(config.seed, "start")), {"kind": "cold", "start_images": count}
    return None, {"kind": "cold"}
