"""Every number of `zeuxis evaluate fooling` as records: a picture, a class, a confusion at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from zeuxis.evaluation.held_out import Seen
from zeuxis.evaluation.realness import Figures
from zeuxis.evaluation.recognition import Accuracy, accuracy, confusion, of_groups
from zeuxis.experiments.records import Record
from zeuxis.studies.folder import Cell, Row

if TYPE_CHECKING:
    from zeuxis.studies.fooling import FoolingStudy

SeenBy = Mapping[Cell, Mapping[str, Seen]]
Realness = Mapping[tuple[str, str], Figures]  # (search, class), "" for all classes together
OfReal = Mapping[tuple[str, str], Accuracy]  # (class, classifier)
FIGURES = ("inside", "inside_low", "inside_high", "inside_real", "distance", "distance_low", "distance_high",
           "distance_floor", "floor_n", "real_n", "different", "why")  # fmt: skip


def hits(seen: SeenBy, search: str, name: str | None, classifier: str, what: str = "right") -> list[list[bool]]:
    """Of each run; without those of classes that the classifier has no word for."""
    chosen = [of[classifier] for cell, of in seen.items() if cell[0] == search and name in (None, cell[1])]
    return [getattr(one, what) for one in chosen if one.known]


def pictures(rows: Mapping[Cell, Row], seen: SeenBy) -> Iterator[Record]:
    """One record for each picture and classifier."""
    for cell, of in seen.items():
        for name, one in of.items():
            for rank, (label, p, hit) in enumerate(zip(one.label, one.probability, one.right, strict=True)):
                record: Record = {"search": cell[0], "class": cell[1], "seed": int(cell[2]), "rank": rank}
                record |= {"score": rows[cell]["scores"][rank], "classifier": name, "label": label, "probability": p}
                yield record | {"right": hit if one.known else None, "top5": one.top[rank] if one.top else None}


def classes(study: FoolingStudy, seen: SeenBy, real: Realness, of_real: OfReal) -> Iterator[Record]:
    """One record for each search, class (all: "") and classifier."""
    for search in study.settings.search:
        for name in (*study.class_list.classes, None):
            for c in study.classifiers:
                yield (
                    {"search": search, "class": name or "", "classifier": c.name}
                    | _of_class(study, seen, search, name, c.name)
                    | {"real_accuracy": _of_real(study, of_real, name, c.name)}
                    | {f: real.get((search, name or ""), {}).get(f) for f in FIGURES}
                )


def together(found: Sequence[Accuracy | None]) -> Accuracy | None:
    """Of several classes."""
    return accuracy([[True] * one.positive + [False] * one.negative for one in found if one is not None])


def _of_real(study: FoolingStudy, of_real: OfReal, name: str | None, classifier: str) -> float | None:
    """The share of real pictures of a class, None: of all, that a classifier takes for it."""
    names = study.class_list.classes if name is None else (name,)
    found = together([of_real.get((n, classifier)) for n in names])
    return None if found is None else found.share


def groups(seen: SeenBy, searches: Sequence[str], classifiers: Sequence[str]) -> Iterator[Record]:
    """One record for each search, classifier and group: its pictures taken for any class of the group."""
    for search in searches:
        for name in classifiers:
            own = [of[name] for cell, of in seen.items() if cell[0] == search]
            for group, found in of_groups(own).items():
                record: Record = {"search": search, "classifier": name, "group": group, "positive": found.positive}
                record |= {"negative": found.negative, "accuracy": found.share}
                yield record | {"low": found.span[0], "high": found.span[1]}


def _of_class(study: FoolingStudy, seen: SeenBy, search: str, name: str | None, classifier: str) -> Record:
    found, top = (accuracy(hits(seen, search, name, classifier, what)) for what in ("right", "top"))
    thesis = study.class_list.thesis_total if name is None else study.class_list.thesis.get(name)
    record: Record = dict.fromkeys(("positive", "negative", "accuracy", "low", "high", "runs_low", "runs_high", "top5"))
    if found is not None:
        record |= {"positive": found.positive, "negative": found.negative, "accuracy": found.share}
        record |= {"low": found.interval[0], "high": found.interval[1]}
        record |= dict(zip(("runs_low", "runs_high"), found.over_runs or (), strict=False))
    share = None if thesis is None else round(thesis / 100, 4)  # the thesis counts in per cent, this table in shares
    return record | {"top5": None if top is None else top.share, "thesis": share}


def confusions(study: FoolingStudy, seen: SeenBy) -> Iterator[Record]:
    """One record for each search, classifier, class and label that its pictures were taken for."""
    for search in study.settings.search:
        for c in study.classifiers:
            own = {
                n: [of[c.name] for cell, of in seen.items() if cell[:2] == (search, n)]
                for n in study.class_list.classes
            }
            for name, counts in confusion(own).items():
                for label, count in counts.items():
                    yield {"search": search, "classifier": c.name, "class": name, "label": label, "pictures": count}
