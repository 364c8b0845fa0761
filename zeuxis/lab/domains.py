"""Conditions made from a data set before training: captions as labels, a second domain, some labels as domains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput
from zeuxis.hub.sentences import Sentences
from zeuxis.registry import Entry, Table, unknown

DOMAINS = Table(
    "second domain",
    {
        "edges": Entry("zeuxis.lab.domains:edges", "outlines: the picture dilated by 3x3 pixels less the picture"),
        "negative": Entry("zeuxis.lab.domains:negative", "dark and light exchanged"),
    },
)
CAPTION, DOMAIN = "caption", "domain"


def edges(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, C) -> the same: the largest of 3x3 pixels less the pixel (Liu and Tuzel 2016, section 4)."""
    height, width = pixels.shape[1:3]
    padded = F.pad(pixels, (0, 0, 1, 1, 1, 1))
    largest = pixels
    for down in range(3):
        for across in range(3):
            largest = torch.maximum(largest, padded[:, down : down + height, across : across + width])
    return largest - pixels


def negative(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, C) -> 255 less each."""
    return 255 - pixels


def second_domain(images: ImageSet, kind: str) -> ImageSet:
    """Every other picture as one of the domain `kind`; one more label, the last, says which. No picture is in both."""
    change: Callable[[Tensor], Tensor] = DOMAINS[kind]
    pixels = images.pixels.clone()
    pixels[1::2] = change(pixels[1::2])
    labels = images.labels | {DOMAIN: torch.arange(len(images)) % 2}
    return replace(images, pixels=pixels, labels=labels, names=images.names | {DOMAIN: ("picture", kind)})


def captioned(images: ImageSet) -> ImageSet:
    """Its captions as its only label, each different one a name. BadInput without captions."""
    if not images.captions or not any(images.captions):
        raise BadInput(
            "Expected data with captions for the option texts, got none. Use products, or set texts = false."
        )
    names = tuple(dict.fromkeys(images.captions))
    number = {name: k for k, name in enumerate(names)}
    rows = torch.tensor([number[caption] for caption in images.captions])
    return replace(images, labels={CAPTION: rows}, names={CAPTION: names})


def read_texts(texts: Sequence[str], *nets: nn.Module) -> None:
    """Give networks with a part `labels` of fixed vectors those of `texts`. BadInput for other networks."""
    found = [getattr(net, "labels", None) for net in nets]
    if not all(hasattr(part, "read") for part in found):
        raise BadInput('The option texts needs networks that are told texts: choose architecture = "stackgan".')
    parts: list[Any] = found
    found_vectors = text_vectors(texts, parts[0].get_buffer("table0").shape[1])
    for part in parts:
        part.read(*found_vectors)


def text_vectors(texts: Sequence[str], size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Texts -> (K, size) float32 of mean 0 and mean square 1: the first principal components of the sentence vectors
    of the package's text tower; with fewer texts or directions than `size` the rest is 0. And the mean (S,) and the
    scaled axes (S, size) by which another sentence vector becomes one of them.
    """
    tower = Sentences(torch.device("cpu"))
    x = torch.cat([tower(list(texts[k : k + 500])) for k in range(0, len(texts), 500)]).double()
    mean = x.mean(0)
    x = x - mean
    axes = torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :size]  # (S, size), largest first
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    axes = F.pad(axes, (0, max(0, size - x.shape[1])))
    axes = axes / (x @ axes).square().mean().sqrt().clamp_min(1e-12)
    return (x @ axes).float(), mean.float(), axes.float()


def selected(train: ImageSet, test: ImageSet, where: Mapping[str, Sequence[str]]) -> tuple[ImageSet, ImageSet]:
    """Both splits with the pictures whose labels are as `where` says, numbered alike: 0, 1, ... in its order; of other
    labels the names that still occur in `train`.

    BadInput or UnknownName for what the data do not have, and for names of which no picture is left.
    """
    keep = _as_asked(train, where)
    if not keep.any():
        raise BadInput("Expected pictures with all labels of the option where, found none. Ask for fewer at once.")
    numbers = {name: sorted(set(rows[keep].tolist())) for name, rows in train.labels.items()}
    numbers |= {name: _numbers(train, name, list(dict.fromkeys(words))) for name, words in where.items()}
    kept = [_renumbered(images, numbers) for images in (train, test)]
    for name in where:
        for k, count in enumerate(torch.bincount(kept[0].labels[name], minlength=len(numbers[name])).tolist()):
            if not count:
                raise BadInput(f"Expected pictures of {kept[0].names[name][k]!r}, found none. Leave it out of where.")
    return kept[0], kept[1]


def renamed(images: ImageSet, words: Mapping[str, Mapping[str, str]]) -> ImageSet:
    """The pictures with other words for some of their labels' names: {"class": {"beacon": "lighthouse"}}.

    BadInput or UnknownName for what the data do not have, and for two names that would become the same.
    """
    names = dict(images.names)
    for label, given in words.items():
        _label(images, label)
        _numbers(images, label, list(given))
        if empty := [name for name, word in given.items() if not word.strip()]:
            raise BadInput(f"Expected a word for {empty[0]!r} in rename, got an empty one.")
        names[label] = tuple(given.get(name, name) for name in names[label])
        if len(set(names[label])) < len(names[label]):
            twice = next(name for name in names[label] if names[label].count(name) > 1)
            raise BadInput(f"Expected a word for each {label} of its own, got {twice!r} twice. Change rename.")
    return replace(images, names=names)


def _renumbered(images: ImageSet, numbers: Mapping[str, Sequence[int]]) -> ImageSet:
    """The pictures all of whose labels are among `numbers`, and their labels 0, 1, ... in that order."""
    keep = torch.ones(len(images), dtype=torch.bool)
    for name, allowed in numbers.items():
        keep &= torch.isin(images.labels[name], torch.tensor(allowed))
    labels, names = {}, {}
    for name, allowed in numbers.items():
        place = torch.full((len(images.names[name]),), -1)
        place[torch.tensor(allowed)] = torch.arange(len(allowed))
        labels[name] = place[images.labels[name][keep]]
        names[name] = tuple(images.names[name][k] for k in allowed)
    captions = None if images.captions is None else tuple(c for c, k in zip(images.captions, keep, strict=True) if k)
    return replace(images, pixels=images.pixels[keep], labels=labels, names=names, captions=captions)


def chosen(
    images: ImageSet, label: str, domains: Sequence[str], where: Mapping[str, Sequence[str]]
) -> tuple[ImageSet, tuple[str, ...]]:
    """The pictures whose `label` is one of `domains` (all if empty) and whose other labels are as `where` says; with
    the one label that is left, 0, 1, ... in the order of the domains, and their names.

    BadInput or UnknownName for what the data do not have, and for fewer than two domains.
    """
    keep = _as_asked(images, where)
    rows = _label(images, label)
    numbers = _numbers(images, label, domains) if domains else sorted(set(rows[keep].tolist()))
    names = tuple(images.names[label][k] for k in numbers)
    if not 2 <= len(set(numbers)) == len(numbers) <= 64:
        raise BadInput(f"Expected 2 to 64 different domains, got {len(numbers)}: {', '.join(names[:8]) or 'none'}.")
    keep &= torch.isin(rows, torch.tensor(numbers))
    place = torch.full((len(images.names[label]),), -1)
    place[torch.tensor(numbers)] = torch.arange(len(numbers))
    y = place[rows[keep]]
    for k, count in enumerate(torch.bincount(y, minlength=len(names)).tolist()):
        if not count:
            raise BadInput(f"Expected pictures of every domain, found none of {names[k]!r}. Leave that domain out.")
    captions = None if images.captions is None else tuple(c for c, k in zip(images.captions, keep, strict=True) if k)
    return replace(
        images, pixels=images.pixels[keep], labels={label: y}, names={label: names}, captions=captions
    ), names


def _as_asked(images: ImageSet, where: Mapping[str, Sequence[str]]) -> Tensor:
    """Bool (N,): the labels of a picture are as `where` says. UnknownName for what the data do not have."""
    keep = torch.ones(len(images), dtype=torch.bool)
    for name, words in where.items():
        keep &= torch.isin(_label(images, name), torch.tensor(_numbers(images, name, words)))
    return keep


def _label(images: ImageSet, name: str) -> Tensor:
    if name not in images.labels:
        raise unknown("label of the data", name, list(images.labels))
    return images.labels[name]


def _numbers(images: ImageSet, label: str, words: Sequence[str]) -> list[int]:
    known = list(images.names[label])
    for word in words:
        if word not in known:
            raise unknown(label, word, known)
    return [known.index(word) for word in words]
