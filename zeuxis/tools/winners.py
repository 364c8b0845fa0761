"""What finished runs have found, as something to learn from: prompts with the latents of the final population."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.hub.pocket import first_sha256
from zeuxis.prompts.templates import sentences
from zeuxis.run.folder import RunFolder
from zeuxis.scorers.base import Prompt
from zeuxis.scorers.prompts import parse_prompt

MOST = 32  # latents of a run, the best of its last generation


def winners(
    folders: Iterable[str | Path], generator: Generator, options: Mapping[str, Any]
) -> list[tuple[Prompt, Tensor]]:
    """For each run its prompt and latents `(T, D)`, the best of the run first.

    BadInput for a folder that holds no run, one of another generator or other options, or one with picture prompts,
    whose files may not be here; RunDamaged.
    """
    found = []
    for path in folders:
        run = RunFolder(path)
        config, model = run.config, run.record["models"]["generator"]
        if first_sha256(model["sha256"]) != first_sha256(generator.sha256):
            raise BadInput(
                f"Expected runs of the generator {generator.name!r}, got {path}, one of {model['name'][:80]!r} with "
                "other weights. Leave it out."
            )
        if config.generator_arguments() != dict(options):
            raise BadInput(
                f"Expected runs with the generator's options {dict(options)}, got {path}. Leave it out. Runs that "
                "draw by default are of the classes that their phrases name; learn from those of --search cma-ga."
            )
        if config.image_prompt:
            raise BadInput(f"Expected runs with prompts in words, got {path}, which has pictures. Leave it out.")
        last = run.entry(run.generations - 1) if run.generations else None
        if last is None or last.batch.x.shape[1] != generator.space.dim:
            raise BadInput(f"Expected runs with a generation of {generator.space.dim} genes, got {path}. Leave it out.")
        score = last.evaluation.score.nan_to_num(nan=-torch.inf)
        top = last.batch.x[score.argsort(descending=True)[: MOST - 1]]
        texts = sentences(config)
        prompt = parse_prompt(config.prompt, config.negative, (), templates=config.templates, sentences=texts)
        found.append((prompt, torch.cat([run.best.latent[None], top])))
    return found
