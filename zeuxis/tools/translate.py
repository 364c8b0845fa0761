"""Pictures as another domain: a trained CycleGAN or StarGAN applied to files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput, UnknownName
from zeuxis.hub.header import in_words, names_of
from zeuxis.hub.locate import peek
from zeuxis.hub.model_file import build_from
from zeuxis.nets.gan import TRANSLATORS
from zeuxis.nets.layers import placed
from zeuxis.pictures.enlarge import Enlarge
from zeuxis.pictures.grid import grid, to_pixels
from zeuxis.pictures.reading import read_rgb, square
from zeuxis.pictures.writing import check_picture_place, encoded
from zeuxis.registry import unknown
from zeuxis.storage.places import check_folder_place, check_no_input
from zeuxis.tools.sheets import MICRO_BATCH, save

MOST, COLUMNS = 256, 8  # pictures at once; in a row of the sheet


@dataclass(frozen=True)
class Translator:
    """A network from picture to picture, the names of its domains, and its pictures' size and channels."""

    net: nn.Module
    domains: tuple[str, ...]
    resolution: int
    channels: int
    device: torch.device


def open_translator(name: str, device: torch.device) -> Translator:
    """The model file `name`. MissingModel, WeightsRefused, or BadInput for one that translates no pictures."""
    trained = "Train one that does: zeuxis train cyclegan-shoes or stargan-handbags."
    try:
        model = peek(name, "generator")
    except UnknownName as error:  # whose list is of networks that draw
        said = f"Expected the file of a network that translates pictures, got {name[:80]!r}. {trained}"
        raise BadInput(said) from error
    if model.family.removeprefix("gan-") not in TRANSLATORS or not model.family.startswith("gan-"):
        raise BadInput(f"{name} holds {in_words(model)}, which translates no pictures. {trained}")
    net = build_from(model, "generator")
    domains = names_of(model, "domains", net.classes[0])  # type: ignore[index, union-attr, arg-type]
    resolution, channels = net.resolution, model.parts["generator"].get("channels", 3)
    return Translator(placed(net, device), domains, resolution, channels, device)  # type: ignore[arg-type]


def targets(translator: Translator, asked: Sequence[str]) -> list[int]:
    """Numbers of the domains asked for, in any letters; all of them if none is. UnknownName for another."""
    lower = [name.lower() for name in translator.domains]
    for name in asked:
        if name.lower() not in lower:
            raise unknown("domain", name, translator.domains)
    return list(dict.fromkeys(lower.index(name.lower()) for name in asked)) or list(range(len(lower)))


@torch.no_grad()
def translated(translator: Translator, images: Tensor, domain: int) -> Tensor:
    """Pictures (N, 3, R, R) in [0, 1] as those of the domain, (N, 3, R, R) in [0, 1]."""
    out = []
    for part in torch.split(images, MICRO_BATCH):
        x = part if translator.channels == 3 else _grey(part)
        y = torch.full((len(x), 1), domain, device=translator.device)
        out.append(translator.net(x.to(translator.device) * 2 - 1, y).float().cpu())
    return (torch.cat(out) / 2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1)


def _grey(images: Tensor) -> Tensor:
    """(N, 3, R, R) -> (N, 1, R, R): ITU-R 601, as Pillow does."""
    return (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def translate(
    generator: str, pictures: Sequence[Path], to: Sequence[str], out: Path, *,
    device: torch.device | None = None, enlarge: Enlarge | None = None,
) -> list[Path]:  # fmt: skip
    """A sheet at `out`, the pictures above and what became of them below, and each translation in the folder beside it
    that has its name without the ending: the paths.

    The middle square of each picture, at the network's size. All pictures are read before anything is written. BadInput
    for what is no picture, for too many, and for a place or an ending that cannot be.
    """
    check_picture_place(out)
    check_folder_place(out.with_suffix(""), "the folder of single pictures")
    if not 1 <= len(pictures) <= MOST:
        raise BadInput(f"Expected 1 to {MOST} pictures, got {len(pictures)}. Give them in parts.")
    translator = open_translator(generator, device or torch.device("cpu"))
    domains = targets(translator, to)
    size = translator.resolution
    words = {domain: _plain(translator.domains[domain]) for domain in domains}
    single = {
        domain: [out.with_suffix("") / f"{name}-{word}{out.suffix}" for name in _names(pictures)]
        for domain, word in words.items()
    }
    check_no_input([out, *(path for paths in single.values() for path in paths)], pictures)
    sources = np.stack([square(read_rgb(path), size) for path in pictures])  # (N, R, R, 3)
    x = torch.from_numpy(sources).permute(0, 3, 1, 2).float() / 255
    drawn = {domain: to_pixels(translated(translator, x, domain)) for domain in domains}
    sheet = _sheet(sources, [path.name for path in pictures], {translator.domains[k]: v for k, v in drawn.items()})
    written = [save(out, encoded(grid(*sheet, enlarge), out))]
    for domain, pixels in drawn.items():
        for path, one in zip(single[domain], pixels, strict=True):
            written.append(save(path, encoded(one, path)))
    return written


def _sheet(sources: np.ndarray, names: list[str], drawn: dict[str, np.ndarray]) -> tuple[np.ndarray, list[str], int]:
    """Pictures, words below them and columns: up to COLUMNS sources in a row, each domain a row below them."""
    columns = min(COLUMNS, len(sources))
    cells: list[np.ndarray] = []
    words: list[str] = []
    for start in range(0, len(sources), columns):
        rows = {"": sources[start : start + columns]} | {k: v[start : start + columns] for k, v in drawn.items()}
        for domain, row in rows.items():
            empty = columns - len(row)
            cells += [row, np.full((empty, *row.shape[1:]), 24, np.uint8)]
            words += [domain or name for name in names[start : start + columns]] + [""] * empty
    return np.concatenate(cells), words, columns


def _plain(word: str) -> str:
    """As part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:60] or "domain"


def _names(pictures: Sequence[Path]) -> list[str]:
    """A name for each picture, numbered where two would be the same."""
    stems = [_plain(path.stem) for path in pictures]
    return [s if stems.count(s) == 1 else f"{k + 1:03d}-{s}" for k, s in enumerate(stems)]
