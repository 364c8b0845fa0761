"""Zero-shot figures of a dual encoder on CIFAR-10: classes, terms, words it never saw, colours."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_labels, check_rows

Embed = Callable[[list[str]], Tensor]  # phrases -> (P, E), unit length

SYNONYMS = {  # in no training phrase of the scorer; four for each class
    "airplane": ("jet", "warplane", "passenger jet", "boeing"),
    "automobile": ("sedan", "hatchback", "limousine", "sports car"),
    "bird": ("robin", "pigeon", "fowl", "hawk"),
    "cat": ("kitten", "kitty", "siamese", "feline"),
    "deer": ("doe", "antelope", "gazelle", "buck"),
    "dog": ("puppy", "hound", "poodle", "terrier"),
    "frog": ("amphibian", "tadpole", "froggy", "dart frog"),
    "horse": ("pony", "foal", "colt", "thoroughbred"),
    "ship": ("vessel", "yacht", "sailboat", "warship"),
    "truck": ("lorry", "eighteen-wheeler", "heavy goods vehicle", "flatbed"),
}


def with_article(noun: str) -> str:
    """ "a truck", "an airplane"."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _check(images: Tensor, words: Tensor, labels: Tensor, classes: int) -> None:
    check_rows({"image": images, "phrase": words})
    check_labels(labels, len(images), classes)


def class_accuracy(images: Tensor, labels: Tensor, classes: tuple[str, ...], embed: Embed) -> float:
    """Share of images (N, E) nearest to "a photo of a {class}" of their own class."""
    words = embed([f"a photo of {with_article(name)}" for name in classes])
    _check(images, words, labels, len(classes))
    return float(((images @ words.T).argmax(1) == labels).float().mean())


def term_retrieval(images: Tensor, terms: Tensor, names: tuple[str, ...], embed: Embed) -> tuple[float, float]:
    """Share of images whose own term is the nearest, and among the nearest five."""
    words = embed([f"a photo of {with_article(name)}" for name in names])
    _check(images, words, terms, len(names))
    top = (images @ words.T).topk(min(5, len(names)), dim=1).indices == terms[:, None]
    return float(top[:, 0].float().mean()), float(top.any(1).float().mean())


def synonym_accuracy(images: Tensor, labels: Tensor, classes: tuple[str, ...], embed: Embed) -> tuple[float, float]:
    """Unseen words: share whose class has the highest mean similarity, and precision of their 100 best images."""
    right, precision, count = 0, 0.0, 0
    for name, words in SYNONYMS.items():
        if name not in classes:
            continue
        label = classes.index(name)
        found = embed([f"a photo of {with_article(w)}" for w in words])
        _check(images, found, labels, len(classes))
        for row in (images @ found.T).T:
            means = torch.stack([row[labels == k].mean() for k in range(len(classes))])
            right += int(means.nan_to_num(-torch.inf).argmax() == label)  # NaN: a class without images
            precision += float((labels[row.topk(min(100, len(row))).indices] == label).float().mean())
            count += 1
    return right / max(count, 1), precision / max(count, 1)


def colour_accuracy(images: Tensor, nouns: list[str], colours: Tensor, names: tuple[str, ...], embed: Embed) -> float:
    """Among images with a clear colour (N,; -1 if none): share nearest to "a {that colour} {its noun}".

    Chance is 1 / len(names).
    """
    if not len(images) == len(nouns) == len(colours):
        raise BadInput(
            f"Expected a noun and a colour for each of {len(images)} image rows, got {len(nouns)} nouns and "
            f"{len(colours)} colours."
        )
    check_rows({"image": images})
    clear = (colours >= 0).nonzero().flatten()
    right = 0
    for noun in sorted(set(nouns)):
        rows = torch.tensor([i for i in clear.tolist() if nouns[i] == noun])
        if len(rows):
            words = embed([f"a photo of {with_article(f'{colour} {noun}')}" for colour in names])
            right += int(((images[rows] @ words.T).argmax(1) == colours[rows]).sum())
    return right / max(len(clear), 1)
