"""Which rows are compared with which: generated with real ones, real with real for the floor, test rows for copying.

Everything is drawn by a seed, so that the same sets give the same rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.evaluation.embedding import Embedded
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.metrics import Sample
from zeuxis.metrics.vendi import bandwidth
from zeuxis.rng import stream

Told = tuple[Tensor, Tensor]  # embeddings of pictures and of their texts, (N, E) each


@dataclass(frozen=True)
class Sets:
    """The rows of one comparison: `sample` for the value, `floor` real against real, and `uncopied` test rows in place
    of the generated ones, for memorisation; None where there are no such rows. Both are copied only when called for.
    """

    sample: Sample
    floor: Callable[[], Sample | None]
    uncopied: Callable[[], Sample | None]
    split: str


def arrange(
    generated: Embedded, reference: Embedded, held_out: Embedded | None, space: FeatureSpace, *,
    count: int | None = None, seed: int = 0, told: Told | None = None, real_told: Told | None = None,
    scorer: str = "",
) -> Sets:  # fmt: skip
    """n = `count` generated rows (default: all) against the reference, and as many real ones for the floor.

    Those come from `held_out`; without it from the reference, whose rest is the reference then where it has 2 n rows,
    and else every second row of it is compared with the others: a floor of fewer rows, which is too high and never too
    low. `told` are embeddings of the generated pictures and their texts by `scorer`, `real_told` of real ones for the
    floor. Fewer rows than there are, are drawn at random (`seed`). Training rows are the reference's, unless it is the
    split "test".
    """
    n = min(count or len(generated), len(generated))
    rows = _drawn(len(generated), n, seed, "generated").sort().values
    order = _drawn(len(reference), len(reference), seed, "reference")
    own = held_out is None and len(reference) >= 2 * n
    labels, real_labels, classes = _labels(generated, reference)
    train, test = reference.features, None if held_out is None else held_out.features
    if held_out is not None and reference.split == "test":
        train, test = held_out.features, reference.features
    sample = Sample(
        _taken(generated.features, rows),
        _taken(reference.features, order[n:].sort().values if own else None),
        train, test,
        None if labels is None else labels[rows],
        None if real_labels is None else (real_labels[order[n:].sort().values] if own else real_labels),
        classes, space.logits,
        None if told is None else _taken(told[0], rows),
        None if told is None else _taken(told[1], rows),
        scorer,
    )  # fmt: skip
    with contextlib.suppress(BadInput):  # copies of one picture: the metrics that need a scale will say so
        sample = replace(sample, sigma=bandwidth(sample.reference))
    return Sets(
        sample,
        lambda: _floor(sample, reference, held_out, order, n, seed, real_told),
        lambda: _uncopied(sample, seed),
        reference.split,
    )


def _floor(
    sample: Sample, reference: Embedded, held_out: Embedded | None, order: Tensor, n: int, seed: int,
    told: Told | None,
) -> Sample | None:  # fmt: skip
    """Real rows in place of the generated ones."""
    images, texts = (None, None) if told is None else told
    bare = replace(sample, train=None, test=None, images=images, texts=texts)
    if held_out is not None:
        rows = _drawn(len(held_out), min(n, len(held_out)), seed, "held out").sort().values
        mapped = None if held_out.labels is None or not sample.classes else _by_name(held_out, reference)
        return replace(bare, generated=_taken(held_out.features, rows),
                       generated_labels=mapped[rows] if mapped is not None else None)  # fmt: skip
    real, labels = reference.features, reference.labels if sample.classes else None
    if len(real) >= 2 * n:
        return replace(bare, generated=real[order[:n]], generated_labels=None if labels is None else labels[order[:n]])
    if len(real) < 4:
        return None
    return replace(bare, generated=real[0::2], reference=real[1::2],  # views: no copy of a large set
                   generated_labels=None if labels is None else labels[0::2],
                   reference_labels=None if labels is None else labels[1::2])  # fmt: skip


def _uncopied(sample: Sample, seed: int) -> Sample | None:
    """Half of the test rows in place of the generated ones, the other half as test rows: copies of no more than that.

    The halves are every second row, so that a large set is looked at in place.
    """
    if sample.test is None or len(sample.test) < 4:
        return None
    first, second = sample.test[0::2], sample.test[1::2]
    if len(first) > len(sample.generated):
        first = first[_drawn(len(first), len(sample.generated), seed, "uncopied").sort().values]
    return replace(sample, generated=first, test=second, images=None, texts=None)


def _taken(rows: Tensor, wanted: Tensor | None) -> Tensor:
    """Without a copy where all rows are wanted."""
    return rows if wanted is None or len(wanted) == len(rows) else rows[wanted]


def _drawn(have: int, count: int, seed: int, what: str) -> Tensor:
    """`count` of `have` rows, at random without repetition."""
    return torch.randperm(have, generator=stream(seed, "measure", what))[:count]


def _labels(generated: Embedded, reference: Embedded) -> tuple[Tensor | None, Tensor | None, tuple[str, ...]]:
    """Labels of both sets by the reference's classes; None where the generated ones are not all among them."""
    if generated.labels is None or reference.labels is None or len(reference.classes) < 2:
        return None, None, ()
    mapped = _by_name(generated, reference)
    if mapped is None or len(torch.unique(mapped)) < 2 or len(torch.unique(reference.labels)) < 2:
        return None, None, ()
    return mapped, reference.labels, reference.classes


def _by_name(of: Embedded, reference: Embedded) -> Tensor | None:
    """Labels renumbered as the reference numbers its classes; spaces and '_' are the same. None if one is unknown."""
    if of.labels is None:
        raise BadInput("Expected labels to renumber, got a set without any.")
    number = {_plain(name): k for k, name in enumerate(reference.classes)}
    numbers = torch.tensor([number.get(_plain(name), -1) for name in of.classes])
    mapped = numbers[of.labels]
    return None if bool((mapped < 0).any()) else mapped


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())
