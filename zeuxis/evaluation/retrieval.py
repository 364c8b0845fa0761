"""Figures of a scorer on labelled pictures: classes by name, one phrase against foils, words it never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.rows import check_finite, check_labels, check_rows

Embed = Callable[[list[str]], Tensor]  # sentences -> (P, E), unit length


def ensemble(embed: Embed, sentences: Sequence[Sequence[str]]) -> Tensor:
    """The mean of each group's sentences, unit length: (K, E)."""
    if not sentences or not all(sentences):
        raise BadInput(
            f"Expected at least one sentence in each of at least one group, got {list(map(len, sentences))}."
        )
    found = embed([text for group in sentences for text in group])
    check_rows({"sentence": found})
    parts = torch.split(found, [len(group) for group in sentences])
    return F.normalize(torch.stack([part.mean(0) for part in parts]), dim=1)


def hits(scores: Tensor, labels: Tensor, k: int) -> int:
    """How many of N pictures have their label (N,) among the `k` highest of their scores (N, K)."""
    check_rows({"score": scores})
    check_labels(labels, len(scores), scores.shape[1])
    top = scores.topk(min(k, scores.shape[1]), dim=1).indices
    return int((top == labels[:, None]).any(1).sum())


def vote(train: Tensor, train_labels: Tensor, test: Tensor, classes: int, neighbours: int = 20) -> Tensor:
    """Share of each class among the nearest training pictures by cosine: (N, D), (N,), (M, D) -> (M, classes)."""
    check_rows({"training": train, "test": test})
    check_labels(train_labels, len(train), classes)
    out = []
    for part in torch.split(F.normalize(test, dim=1), 500):
        near = (part @ train.T).topk(min(neighbours, len(train)), dim=1)
        weight = near.values.clamp(min=0) ** 4  # nearer ones count more, which breaks ties
        out.append(torch.zeros(len(part), classes).scatter_add_(1, train_labels[near.indices], weight))
    return torch.cat(out)


def against(right: Tensor, foils: Tensor) -> int:
    """How many of N phrases score higher (N,) than all their foils (N, F)."""
    check_rows({"foil score": foils})
    check_rows({"score": right[:, None] if right.ndim == 1 else right})
    if right.shape != (len(foils),):
        raise BadInput(f"Expected one score for each of {len(foils)} rows of foils, got {tuple(right.shape)}.")
    return int((right > foils.amax(1)).sum())


def hard_foils(groups: Sequence[tuple[int, ...]], count: int, rng: torch.Generator) -> Tensor:
    """For each item (its attributes a tuple) the numbers of `count` others that differ in exactly one attribute.

    int64 (N, count); rows of -1 where there are too few. No foil has a tuple twice before every tuple had its turn.
    """
    table = torch.tensor(groups)  # (N, A)
    out = torch.full((len(table), count), -1)
    for i in range(len(table)):
        near = ((table != table[i]).sum(1) == 1).nonzero().flatten()
        near = near[torch.randperm(len(near), generator=rng)]
        kinds: dict[tuple[int, ...], int] = {}
        turn = []
        for j in near.tolist():
            kinds[groups[j]] = kinds.get(groups[j], 0) + 1
            turn.append(kinds[groups[j]])
        near = near[torch.tensor(turn, dtype=torch.int64).argsort(stable=True)][:count]
        if len(near) == count:
            out[i] = near
    return out


def random_foils(groups: Sequence[tuple[int, ...]], count: int, rng: torch.Generator) -> Tensor:
    """For each item the numbers of `count` others with another tuple: int64 (N, count)."""
    table = torch.tensor(groups)
    out = torch.empty(len(table), count, dtype=torch.int64)
    for i in range(len(table)):
        other = (table != table[i]).any(1).nonzero().flatten()
        if not len(other):
            raise BadInput(f"Expected items of at least two kinds to draw foils from, got {len(table)} of one kind.")
        out[i] = other[torch.randint(0, len(other), (count,), generator=rng)]
    return out


def word_hits(scores: Mapping[str, Tensor], labels: Tensor, right: Mapping[str, set[int]]) -> tuple[int, float]:
    """How many words have the highest mean score (over pictures of a class) at a class they fit, and their precision.

    `scores` word -> (N,); `right` word -> its classes. Precision: the share of a word's best pictures that fit, as many
    as there are of it, at most 20; the mean over the words.
    """
    check_finite(labels[:, None], "label")
    for word, row in scores.items():
        if row.shape != labels.shape or not len(row):
            raise BadInput(f"Expected {len(labels)} scores (at least one) of {word!r}, got {tuple(row.shape)}.")
        check_finite(row[:, None], f"score of {word!r}")
    number, precision = 0, 0.0
    classes = torch.unique(labels).tolist()
    for word, row in scores.items():
        means = torch.stack([row[labels == k].mean() for k in classes])
        number += classes[int(means.argmax())] in right[word]
        fits = torch.isin(labels, torch.tensor(sorted(right[word])))
        precision += float(fits[row.topk(min(20, max(int(fits.sum()), 1))).indices].float().mean())
    return number, precision / max(len(scores), 1)
