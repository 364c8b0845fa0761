"""Arithmetic on the latents of saved pictures: Radford, Metz and Chintala, "Unsupervised representation learning with
deep convolutional generative adversarial networks" (2016), https://arxiv.org/abs/1511.06434 , section 6.3.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zeuxis.errors import BadInput
from zeuxis.hub.pocket import first_sha256
from zeuxis.pictures.grid import grid_png, picture_png
from zeuxis.pictures.metadata import PictureInfo, read_picture
from zeuxis.tools.replay import load_generator
from zeuxis.tools.sheets import draw, info_of, save


@dataclass(frozen=True)
class Term:
    """A picture and its factor: "- 0.5 * b.png"."""

    factor: float
    path: Path


def parse(words: str) -> list[Term]:
    """ "a.png - b.png + 0.5*c.png" -> terms. Signs stand between spaces. BadInput for anything else."""
    terms, sign = [], 1.0
    for word in words.split():
        if word in "+-":
            sign = 1.0 if word == "+" else -1.0
            continue
        found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\*)?(.+\.png)", word)
        if not found:
            raise BadInput(f"Expected pictures with signs between, like 'a.png - b.png + c.png', got {word[:60]!r}.")
        terms.append(Term(sign * float(found[1] or 1), Path(found[2])))
        sign = 1.0
    if not terms:
        raise BadInput("Expected at least one picture, like 'a.png - b.png + c.png'.")
    return terms


def _origin(info: PictureInfo) -> tuple[object, ...]:
    """Pictures with the same one have latents that add up."""
    return (first_sha256(info.sha256), info.options, len(info.latent))


def arithmetic(words: str, out: Path, generator_name: str | None = None) -> Path:
    """The picture of the sum at `out`, and a sheet of the sum beside it. All terms must be of one generator."""
    terms = parse(words)
    read = [read_picture(term.path) for term in terms]
    first: PictureInfo = read[0][0]
    for term, (info, _) in zip(terms, read, strict=True):
        if _origin(info) != _origin(first):
            raise BadInput(
                f"{term.path} was drawn by {info.generator} with {info.options}, {terms[0].path} by "
                f"{first.generator} with {first.options}: their latents do not add up. Use pictures of one "
                "generator and its options."
            )
    generator = load_generator(first, generator_name)
    rows = torch.tensor([info.latent for info, _ in read])
    factors = torch.tensor([term.factor for term in terms])
    total = generator.space.clip((factors[:, None] * rows).sum(dim=0, keepdim=True))
    picture = draw(generator, total)[0]
    save(out, picture_png(picture, info_of(generator, total[0], first.seed, first.options, words)))
    labels = [f"{term.factor:+g} {term.path.name}" for term in terms]
    sheet = grid_png(np.stack([*(pixels for _, pixels in read), picture]), [*labels, "= sum"], len(terms) + 1)
    return save(out.with_name(f"{out.stem}-sheet.png"), sheet)
