"""The figures of the second pocket scorer's model card, on the test splits of the sets it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.data import ImageSet, read_images
from zeuxis.evaluation.retrieval import Embed, against, ensemble, hard_foils, hits, random_foils, word_hits
from zeuxis.evaluation.zero_shot import SYNONYMS
from zeuxis.lab.pairs import CLASS_NAMES, SOLE_NAMES, first, read_sets, short_title
from zeuxis.lab.shop_words import FAMILIES, TYPES, UNSEEN_PRODUCTS, UNSEEN_TINY
from zeuxis.nets import imagenet_classes
from zeuxis.rng import stream
from zeuxis.scorers.prompts import fill, with_article

Figures = dict[str, tuple[float, int]]  # name -> (share, number of trials)


@dataclass
class TestSet:
    """A test split with the features of its pictures (N, D)."""

    kind: str
    images: ImageSet
    features: Tensor


def test_sets(folder: Path, most: dict[str, int], features: Callable[[Tensor], Tensor]) -> list[TestSet]:
    """The test splits that lie in `folder`, the first `most` pictures of each kind."""
    found = [(kind, images) for kind, images in read_sets(folder, "test", most) if kind != "emoji"]
    if most.get("imagenet-sample") != 0 and (folder / "imagenet1000_128.npz").exists():
        images = read_images("imagenet-sample", folder, "test")
        found.append(("imagenet-sample", first(images, most.get("imagenet-sample", len(images)))))
    return [TestSet(kind, images, features(images.pixels)) for kind, images in found]


def tasks_of(test: TestSet) -> dict[str, tuple[Tensor, list[str]]]:
    """Name of a classification -> labels (N,) and the phrase for each class."""
    if test.kind == "products":
        (kinds, kind_names), (colours, colour_names) = test.images.label(0), test.images.label(-1)
        words = [TYPES.get(name, (name.lower(),))[0] for name in kind_names]
        shades = [FAMILIES.get(name, (name.lower(),))[0] for name in colour_names]
        return {"product_types": (kinds, words), "product_colours": (colours, shades)}
    labels, names = test.images.label(0)
    if test.kind == "imagenet-sample":
        return {"imagenet": (labels, [row[0].lower() for row in imagenet_classes.names()[: len(names)]])}
    name = {"tiny-imagenet": "tiny_imagenet", "cifar10": "cifar10"}.get(test.kind, test.kind)
    return {name: (labels, [word.lower() for word in names])}


def figures(tests: list[TestSet], image: Callable[[Tensor], Tensor], embed: Embed) -> Figures:
    """Every figure that the sets allow; `image` maps features (N, D) to unit vectors (N, E)."""
    out: Figures = {}
    for test in tests:
        x = image(test.features)
        for name, (labels, words) in tasks_of(test).items():
            if name == "product_colours":
                out |= shares(name, of_its_type(test.images, x, words, embed), labels)
                continue
            scores = x @ ensemble(embed, [fill(word) for word in words]).T
            out |= shares(name, scores, labels)
        if test.kind == "products":
            texts = embed([short_title(title) for title in test.images.captions or ()])
            out |= titles(test.images, x @ texts.T)
        out |= unseen(test, x, embed)
    return out


def of_its_type(images: ImageSet, x: Tensor, colours: list[str], embed: Embed) -> Tensor:
    """Score of "a photo of a COLOUR TYPE" for every colour and each product's own type: (N, C)."""
    kinds, names = images.label(0)
    out = torch.empty(len(x), len(colours))
    for k in torch.unique(kinds).tolist():
        noun = TYPES.get(names[k], (names[k].lower(),))[0]
        mine = kinds == k
        out[mine] = x[mine] @ embed([f"a photo of {with_article(f'{colour} {noun}')}" for colour in colours]).T
    return out


def shares(name: str, scores: Tensor, labels: Tensor) -> Figures:
    """Top-1 and, among more than ten classes, top-5."""
    count = len(labels)
    found = {f"{name}_top1": (hits(scores, labels, 1) / count, count)}
    if scores.shape[1] > 10:
        found[f"{name}_top5"] = (hits(scores, labels, 5) / count, count)
    return found


def titles(images: ImageSet, scores: Tensor) -> Figures:
    """One title against foils, `scores` (N, N) of picture i and title j; foils differ in type or colour."""
    kinds = [tuple(row) for row in images.label_rows().tolist()]
    out: Figures = {}
    for name, made in (("random", random_foils), ("hard", hard_foils)):
        for ways in (2, 10):
            wrong = made(kinds, ways - 1, stream(0, "foils", name, ways))
            kept = (wrong[:, 0] >= 0).nonzero().flatten()
            if len(kept):
                found = against(scores.diag()[kept], scores[kept].gather(1, wrong[kept]))
                out[f"titles_{ways}way_{name}"] = (found / len(kept), len(kept))
    return out


def unseen_words(test: TestSet) -> dict[str, set[int]]:
    """Words of no training phrase, and the numbers of the classes of the set that they fit; {} for other sets."""
    _, names = test.images.label(0)
    seen = {*CLASS_NAMES, *SOLE_NAMES}
    place = {name: k for k, name in enumerate(names)}
    if test.kind == "tiny-imagenet":
        words = {word: {place[name]} for word, name in UNSEEN_TINY.items() if name in place}
    elif test.kind == "products":
        words = {w: {place[n] for n in of if n in place} for w, of in UNSEEN_PRODUCTS.items()}
    elif test.kind == "cifar10":
        words = {w: {place[n]} for n, of in SYNONYMS.items() for w in of if w not in seen and n in place}
    else:
        return {}
    return {word: right for word, right in words.items() if right}


def unseen(test: TestSet, x: Tensor, embed: Embed) -> Figures:
    """Words of no training phrase: the class whose pictures score highest on average is right."""
    labels, words = test.images.label(0)[0], unseen_words(test)
    if not words:
        return {}
    vectors = ensemble(embed, [fill(word) for word in words])
    scores = {word: x @ vector for word, vector in zip(words, vectors, strict=True)}
    number, precision = word_hits(scores, labels, words)
    name = test.kind.replace("-", "_")
    return {
        f"unseen_{name}": (number / len(words), len(words)),
        f"unseen_{name}_p20": (precision, len(words)),
    }
