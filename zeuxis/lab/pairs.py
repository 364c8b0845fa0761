"""Pictures of several sets with everything that is known to be true of them: nouns, colours, scenes, titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.data import ImageSet, read_images
from zeuxis.data.packs import read_emoji_text
from zeuxis.evaluation.zero_shot import SYNONYMS
from zeuxis.lab.attributes import COLOURS, main_colour, scenes
from zeuxis.lab.phrases import CLASS_WORDS, HELD_OUT
from zeuxis.lab.shop_words import COLOUR_WORDS, FAMILIES, KINDS, TYPES, UNSEEN_PRODUCTS, UNSEEN_TINY
from zeuxis.nets import imagenet_classes

SOURCES = ("tiny-imagenet", "products", "cifar10", "caltech", "emoji")
CLASS_NAMES = ("gazelle", "poodle", "terrier", "limousine", "sports car")  # in the only names of ImageNet classes
SOLE_NAMES = ("hound", "pigeon", "robin", "siamese")  # kept out, but in the one name that a class has: no test words
UNSEEN = {word for words in SYNONYMS.values() for word in words} - set(CLASS_NAMES)
UNSEEN |= {*HELD_OUT, *UNSEEN_PRODUCTS, *UNSEEN_TINY}
KEPT_OUT = re.compile(rf"\b({'|'.join(map(re.escape, sorted(UNSEEN, key=len, reverse=True)))})\b", re.IGNORECASE)
LATIN = re.compile(r"[A-Z][a-z]+ [a-z]+")
CALTECH = {
    "car side": ("car",), "cougar body": ("cougar",), "cougar face": ("cougar", "cat"),
    "water lilly": ("water lily", "flower"), "crocodile head": ("crocodile",), "flamingo head": ("flamingo", "bird"),
    "leopards": ("leopard", "big cat"), "motorbikes": ("motorbike", "motorcycle"),
    "schooner": ("schooner", "sailing ship", "ship"), "ferry": ("ferry", "ship"),
    "ketch": ("ketch", "sailing ship", "boat"), "sunflower": ("sunflower", "flower"), "lotus": ("lotus", "flower"),
    "rooster": ("rooster", "bird"), "panda": ("panda", "bear"), "dalmatian": ("dalmatian", "dog"),
    "cellphone": ("cellphone", "mobile phone", "telephone"), "watch": ("watch", "wrist watch"),
    "electric guitar": ("electric guitar", "guitar"), "grand piano": ("grand piano", "piano"),
    "binocular": ("binoculars",),
}  # fmt: skip
GENDER = re.compile(r"^.*?\b(?:Men|Women|Unisex|Kids|Boys|Girls|Mens|Womens)\b(?:'s)?\s*")


@dataclass
class Pairs:
    """N pictures; `fits` (N, F) numbers of `nouns` that are true of each (-1: no more), the finest first.

    colours bool (N, C) of COLOUR_WORDS; own (N,) the colour to write about, -1 for none; scenes bool (N, 7);
    title (N,) a number in `titles`, -1 for none; source (N,) a number in SOURCES.
    """

    nouns: list[str]
    titles: list[str]
    fits: Tensor
    colours: Tensor
    own: Tensor
    scenes: Tensor
    title: Tensor
    source: Tensor


def permitted(names: Sequence[str]) -> list[str]:
    """The names without those that are kept out of training; the first one if none would be left."""
    return [name for name in names if not KEPT_OUT.search(name)] or list(names[:1])


def class_nouns(number: int) -> list[str]:
    """What an ImageNet class may be called in training: its names but Latin ones, then the kinds it is of."""
    row = imagenet_classes.names()[number]
    plain = [name for i, name in enumerate(row) if i == 0 or not LATIN.fullmatch(name)]
    kinds = [kind for kind, spans in KINDS.items() if any(low <= number <= high for low, high in spans)]
    return list(dict.fromkeys(permitted([name.lower() for name in plain]) + permitted(kinds)[: len(kinds)]))


def class_number(name: str) -> int:
    """The ImageNet class of a name that is the first of its class; of two, the later (the crane that lifts)."""
    found = [i for i, row in enumerate(imagenet_classes.names()) if row[0] == name]
    return found[-1] if found else -1


def nouns_of(kind: str, images: ImageSet, folder: Path, split: str) -> list[list[str]]:
    """For each picture of a set the nouns that fit it."""
    if kind == "emoji":
        texts = read_emoji_text(folder, split)[: len(images)]
        return [permitted([text.name.lower(), *text.keywords[:3]]) for text in texts]
    labels, names = images.label(0)
    if kind == "products":
        table = [permitted([*TYPES.get(name, (name.lower(),)), name.lower()]) for name in names]
    elif kind == "tiny-imagenet":
        numbers = [class_number(name) for name in names]
        table = [class_nouns(n) if n >= 0 else [name.lower()] for n, name in zip(numbers, names, strict=True)]
    elif kind == "caltech":
        table = [permitted(CALTECH.get(name.lower(), (name.lower(),))) for name in names]
    else:
        words = [permitted(CLASS_WORDS.get(name, (name,))) for name in names]
        terms, term_names = images.label(-1)
        fine = [[term.lower()] if not KEPT_OUT.search(term) else [] for term in term_names]
        return [[*fine[t], *words[c]] for c, t in zip(labels.tolist(), terms.tolist(), strict=True)]
    return [table[k] for k in labels.tolist()]


def short_title(title: str) -> str:
    """A title without its brand (what stands before "Men", "Women", ...) and without kept-out words."""
    return " ".join(KEPT_OUT.sub(" ", GENDER.sub("", title)).split()).lower()


def measured(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Main colour (N,) and scenes (N, 7) at 32 pixels, by pieces."""
    step = max(pixels.shape[1] // 32, 1)
    parts = [part[:, ::step, ::step] for part in torch.split(pixels, 1000)]
    return torch.cat([main_colour(p) for p in parts]), torch.cat([scenes(p) for p in parts])


def collect(sets: list[tuple[str, ImageSet]], folder: Path, split: str = "train") -> Pairs:
    """All pictures of `sets` (kind, images), one set after the other."""
    number: dict[str, int] = {}
    titles: dict[str, int] = {}
    fits: list[list[int]] = []
    columns: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    source: list[Tensor] = []
    for kind, images in sets:
        for words in nouns_of(kind, images, folder, split):
            fits.append([number.setdefault(word, len(number)) for word in dict.fromkeys(words)])
        seen, where = measured(images.pixels)
        table = torch.zeros(len(images), len(COLOUR_WORDS), dtype=torch.bool)
        plain = seen >= COLOURS.index("black") if kind == "products" else seen < 0  # a shadow, the white ground
        clear = ((seen >= 0) & ~plain).nonzero().flatten()
        table[clear, seen[clear]] = True
        mine = torch.full((len(images),), -1)
        if kind == "products":
            labels, names = images.label(-1)
            words_of = [FAMILIES.get(name, (name.lower(),)) for name in names]
            for row, k in enumerate(labels.tolist()):
                known = [COLOUR_WORDS.index(word) for word in words_of[k] if word in COLOUR_WORDS]
                table[row, known] = True
                seen[row] = known[0] if known else -1
            for row, text in enumerate(images.captions or ()):
                mine[row] = titles.setdefault(short_title(text), len(titles))
        columns.append((table, seen, where, mine))
        source.append(torch.full((len(images),), SOURCES.index(kind)))
    most = max(map(len, fits))
    padded = torch.tensor([row + [-1] * (most - len(row)) for row in fits])
    colours, own, places, title = (torch.cat(column) for column in zip(*columns, strict=True))
    return Pairs(list(number), list(titles), padded, colours, own, places, title, torch.cat(source))


def with_classes(pairs: Pairs) -> Pairs:
    """`pairs` and a row more for each of the thousand ImageNet classes: its names, no colour, no scene."""
    number = {noun: k for k, noun in enumerate(pairs.nouns)}
    rows = [[number.setdefault(noun, len(number)) for noun in class_nouns(c)] for c in range(1000)]
    most = max(pairs.fits.shape[1], *map(len, rows))
    fits = torch.full((len(pairs.fits) + len(rows), most), -1)
    fits[: len(pairs.fits), : pairs.fits.shape[1]] = pairs.fits
    for i, row in enumerate(rows, len(pairs.fits)):
        fits[i, : len(row)] = torch.tensor(row)
    none = torch.full((len(rows),), -1)
    return Pairs(
        list(number), pairs.titles, fits,
        torch.cat([pairs.colours, torch.zeros(len(rows), pairs.colours.shape[1], dtype=torch.bool)]),
        torch.cat([pairs.own, none]),
        torch.cat([pairs.scenes, torch.zeros(len(rows), pairs.scenes.shape[1], dtype=torch.bool)]),
        torch.cat([pairs.title, none]), torch.cat([pairs.source, none]),
    )  # fmt: skip


def read_sets(folder: Path, split: str, most: dict[str, int]) -> list[tuple[str, ImageSet]]:
    """Those of SOURCES whose files lie in `folder`, the first `most` pictures of each (0: none of it)."""
    files = {"tiny-imagenet": "tinyimagenet160_64.npz", "products": "products64.npz", "cifar10": "cifar10.npz",
             "caltech": "caltech93_64.npz", "emoji": "emoji64.npz"}  # fmt: skip
    found = []
    for kind in SOURCES:
        if most.get(kind) != 0 and (folder / files[kind]).exists():
            images = read_images(kind, folder, split)
            found.append((kind, first(images, most.get(kind, len(images)))))
    return found


def first(images: ImageSet, count: int) -> ImageSet:
    """The first `count` pictures of a set."""
    labels = {name: rows[:count] for name, rows in images.labels.items()}
    captions = images.captions and images.captions[:count]
    return ImageSet(images.pixels[:count], labels, images.names, captions, images.source, images.licence, images.notes)


assert COLOUR_WORDS[: len(COLOURS)] == COLOURS
