"""Arithmetic on the latents of saved pictures: Radford, Metz and Chintala, "Unsupervised representation learning with
deep convolutional generative adversarial networks" (2016), https://arxiv.org/abs/1511.06434 , section 6.3.2.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zeuxis.errors import BadInput
from zeuxis.hub.pocket import first_sha256
from zeuxis.pictures.enlarge import SHOWN, Enlarge, enlarged
from zeuxis.pictures.grid import grid
from zeuxis.pictures.metadata import PictureInfo, read_picture
from zeuxis.pictures.writing import check_picture_place, encoded
from zeuxis.tools.replay import load_generator
from zeuxis.tools.sheets import draw, info_of, save


@dataclass(frozen=True)
class Term:
    """A picture and its factor: "- 0.5 * b.png"."""

    factor: float
    path: Path


def parse(words: str) -> list[Term]:
    """ "a.png - b.png + 0.5*c.png" -> terms. Signs stand between spaces, a name with spaces in quotes.

    BadInput for anything else.
    """
    try:
        pieces = shlex.split(words)
    except ValueError:  # an apostrophe in a name
        pieces = words.split()
    terms: list[Term] = []
    sign: float | None = 1.0
    for word in pieces:
        if word in ("+", "-") and (sign is None or not terms):
            sign = 1.0 if word == "+" else -1.0
            continue
        found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\*)?(.+\.png)", word, re.IGNORECASE | re.DOTALL)
        if not found or sign is None:
            raise BadInput(f"Expected PNG files with signs between, like 'a.png - b.png + c.png', got {word[:60]!r}.")
        terms.append(Term(sign * float(found[1] or 1), Path(found[2])))
        sign = None
    if sign is not None:
        raise BadInput(f"Expected a picture at the end, like 'a.png - b.png + c.png', got {words[-60:]!r}.")
    return terms


def _origin(info: PictureInfo) -> tuple[object, ...]:
    """Pictures with the same one have latents that add up."""
    return (first_sha256(info.sha256), info.options, len(info.latent))


def check_places(out: Path) -> None:
    """BadInput or RunUnwritable unless the sum and what lies beside it can be written."""
    for path in (out, _beside(out, "large"), _beside(out, "sheet")):
        check_picture_place(path)


def arithmetic(words: str, out: Path, generator_name: str | None = None, *, enlarge: Enlarge = SHOWN) -> list[Path]:
    """The sum at `out`, as it was drawn and with its metadata; beside it the same enlarged, and a sheet of all terms.

    All terms must be of one generator.
    """
    check_places(out)
    terms = parse(words)
    read = [read_picture(term.path) for term in terms]
    first: PictureInfo = read[0][0]
    for term, (info, _) in zip(terms, read, strict=True):
        if _origin(info) != _origin(first):
            raise BadInput(
                f"{term.path} was drawn by {_in_words(info)}, {terms[0].path} by {_in_words(first)}: their latents do "
                "not add up. Use pictures of one generator and its options."
            )
    generator = load_generator(first, generator_name)
    if len(first.latent) != generator.space.dim:
        raise BadInput(
            f"Expected latents of {generator.space.dim} genes for {generator.name!r}, got {len(first.latent)}. "
            "Name the file that drew the pictures with --generator."
        )
    rows = torch.tensor([info.latent for info, _ in read])
    factors = torch.tensor([term.factor for term in terms])
    total = generator.space.clip((factors[:, None] * rows).sum(dim=0, keepdim=True))
    picture = draw(generator, total)[0]
    for term, (_, pixels) in zip(terms, read, strict=True):
        if pixels.shape != picture.shape:
            raise BadInput(
                f"Expected a picture of shape {picture.shape}, got {pixels.shape} in {term.path}. It was resized."
            )
    info = info_of(generator, total[0], first.seed, first.options, words)
    written = [save(out, encoded(picture, out, info))]
    if (large := enlarged(picture, enlarge)).shape != picture.shape:
        written.append(save(_beside(out, "large"), encoded(large, out)))
    names = labels([term.path for term in terms], [info.prompt for info, _ in read])
    told = [f"{term.factor:+g} {name}" for term, name in zip(terms, names, strict=True)]
    sheet = grid(np.stack([*(pixels for _, pixels in read), picture]), [*told, "= sum"], len(terms) + 1, enlarge)
    return [*written, save(_beside(out, "sheet"), encoded(sheet, out))]


def labels(paths: Sequence[Path], prompts: Sequence[str]) -> list[str]:
    """What tells pictures apart on a sheet: their names, else their prompts, else the folders they are in."""
    names, whole = [path.stem for path in paths], [path.absolute().parts for path in paths]
    for found in (names, list(prompts)):
        if len(set(found)) == len(set(whole)):
            return found
    same = next((k for k, parts in enumerate(zip(*whole, strict=False)) if len(set(parts)) > 1), 0)
    return ["/".join(parts[same : same + 1] or parts[-1:]) for parts in whole]


def _in_words(info: PictureInfo) -> str:
    options = ", ".join(f"{name} {value}" for name, value in info.options.items())
    return f"{info.generator[:60]} ({options[:120] or 'no options'})"


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.stem}-{what}{out.suffix}")
