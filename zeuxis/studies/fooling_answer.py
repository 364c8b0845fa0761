"""The tables, figures and image grids of `zeuxis evaluate fooling`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zeuxis.evaluation.recognition import Accuracy, accuracy, confusion, of_groups
from zeuxis.pictures.grid import grid_png
from zeuxis.report.evaluation import Section, Shown, TableView, png
from zeuxis.report.evaluation_figures import accuracy_png, confusion_png, taken_png
from zeuxis.report.html import embed
from zeuxis.storage.checksummed import damaged
from zeuxis.studies.carry import Answer, in_a_row
from zeuxis.studies.folder import Cell, Row, StudyFolder
from zeuxis.studies.fooling_records import (
    OfReal,
    Realness,
    SeenBy,
    classes,
    confusions,
    groups,
    hits,
    pictures,
    together,
)

if TYPE_CHECKING:
    from zeuxis.studies.fooling import FoolingStudy

OF_ALL = ("accuracy", "low", "high", "top5", "inside", "inside_real", "distance", "distance_floor")  # in a row
FEW_LABELS = 20  # up to so many labels in all a matrix is drawn, else bars
SHOWN, ACROSS = 8, 720  # pictures of a grid, pixels across it on the page
WARNING = (
    "A classifier may be sure of a picture in which no person sees the class: read the accuracies together with the "
    "shares among real pictures below."
)


def answer(
    study: FoolingStudy, rows: Mapping[Cell, Row], seen: SeenBy, real: Realness, of_real: OfReal, folder: StudyFolder
) -> Answer:
    """All of it."""
    s, names = study.settings, list(study.class_list.classes)
    tables: list[TableView] = []
    sections: list[Section] = []
    figures: dict[str, bytes] = {}
    for search in s.search:
        own = {cell: one for cell, one in seen.items() if cell[0] == search}
        first = tuple(_accuracies(study, search, own, one.name, of_real) for one in study.classifiers)
        second = _beside_real(study, search, real)
        tables += [*first, second]
        drawn: dict[str, bytes] = {}
        for one in study.classifiers:
            drawn[f"confusion-{_file(search)}-{_file(one.name)}.png"] = _confusion(study, own, one.name)
        about = [f"What {one.name} takes the pictures of {search} for" for one in study.classifiers]
        shown = [png(data, words, words) for data, words in zip(drawn.values(), about, strict=True)]
        figures |= drawn
        sections += [
            Section(f"{search}: taken for its class", _accuracy_words(study), first),
            Section(f"{search}: beside real pictures", (), (replace(second, title=""),)),
            Section(f"{search}: taken for what", (), (), tuple(shown)),
            Section(f"{search}: pictures", (_grid_words(study),), pictures=tuple(_grids(study, search, own, folder))),
        ]
    overview = accuracy_png(names, {f"{search}, {c.name}": [_of(seen, search, name, c.name) for name in names]
                                    for search in s.search for c in study.classifiers} | _thesis(study))  # fmt: skip
    figures["accuracy.png"] = overview
    words = "Points are per cent taken for their class, lines the 95 % intervals."
    sections.insert(0, Section("At a glance", (), (), (png(overview, "accuracy of each class", words),)))
    records = {"pictures": list(pictures(rows, seen)), "classes": list(classes(study, seen, real, of_real))}
    records["confusion"] = list(confusions(study, seen))
    grouped = list(groups(seen, s.search, [one.name for one in study.classifiers]))
    records |= {"groups": grouped} if grouped else {}
    numbers = in_a_row([r for r in records["classes"] if not r["class"]], ("search", "classifier"), OF_ALL)
    numbers |= in_a_row([r for r in records["classes"] if r["class"]], ("search", "classifier", "class"), ("accuracy",))
    return Answer(
        _title(study), _lead(study, seen), tuple(tables), records, tuple(sections), figures, _made(study), numbers
    )


def _title(study: FoolingStudy) -> str:
    s = study.settings
    count = s.population * s.repetitions
    return f"{len(study.class_list.classes)} classes, {count:,} pictures of each: what do other classifiers see?"


def _lead(study: FoolingStudy, seen: SeenBy) -> tuple[str, ...]:
    said = []
    for search in study.settings.search:
        for one in study.classifiers:
            total = accuracy(hits(seen, search, None, one.name))
            if total is not None:
                said.append(
                    f"{search}, judged by {one.name}: {total.share:.1%} ({_span(total)}) taken for their class."
                )
    return (*said, WARNING)


def _accuracies(study: FoolingStudy, search: str, seen: SeenBy, classifier: str, of_real: OfReal) -> TableView:
    """A line for each class, one for all, one for each group."""
    thesis = study.class_list.thesis
    columns: tuple[str, ...] = ("class", "positive", "negative", "accuracy", "95 % interval", "top-5")
    rows: list[tuple[str, ...]] = [(name, *_line(seen, search, name, classifier)) for name in study.class_list.classes]
    rows.append(("total", *_line(seen, search, None, classifier)))
    if of_real:
        columns = (*columns, "real pictures")
        known = [of_real.get((name, classifier)) for name in study.class_list.classes]
        told = [_percent(one.share) if one is not None else "–" for one in (*known, together(known))]
        rows = [(*row, cell) for row, cell in zip(rows, told, strict=True)]
    if thesis:
        columns = (*columns, "thesis 2021")
        shares = [*(thesis[name] for name in study.class_list.classes), study.class_list.thesis_total or 0]
        rows = [(*row, f"{value:.2f} %") for row, value in zip(rows, shares, strict=True)]
    for group, found in of_groups([of[classifier] for of in seen.values()]).items():
        rows.append((f"any {group}", *_cells(found), *[""] * (len(columns) - 5)))
    return TableView(f"{search}, seen by {classifier}", columns, tuple(rows), "", "classes.csv")


def _accuracy_words(study: FoolingStudy) -> tuple[str, ...]:
    said = (
        "Positive: the classifier's first guess is the class; any GROUP: it is any class of that group. Pictures of "
        "one run are alike, so intervals are over runs where there are several, and never narrower than Wilson's, "
        "which count every picture as a trial; classes.csv has both. A dash: the classifier has no word for the "
        "class. Real pictures: the share of up to 200 real pictures of the class that it takes for it, where there "
        "are some."
    )
    thesis = (
        "The column of the thesis is measured on other networks: BigGAN guided by CLIP, judged by other classifiers. "
        "It is no baseline."
    )
    return (said, thesis) if study.class_list.thesis else (said,)


def _beside_real(study: FoolingStudy, search: str, real: Realness) -> TableView:
    columns = ("class", "pictures", "inside real", "95 % interval", "real inside real", "distance", "95 % interval",
               "floor", "different pictures", "note")  # fmt: skip
    rows = []
    for name in (*study.class_list.classes, ""):
        f = real.get((search, name))
        if f is None:
            continue
        known = f.get("inside") is not None
        inside = (_percent(f["inside"]), f"{_percent(f['inside_low'])} to {_percent(f['inside_high'])}",
                  _percent(f["inside_real"])) if known else ("–", "–", "–")  # fmt: skip
        far = f.get("distance") is not None
        distance = (f"{f['distance']:.1f}", f"{f['distance_low']:.1f} to {f['distance_high']:.1f}",
                    _number(f["distance_floor"])) if far else ("–", "–", "–")  # fmt: skip
        alike = f"{f['different']:.1f}" if "different" in f else ""
        rows.append((name or "total", f"{f['n']:,}", *inside, *distance, alike, f["why"]))
    words = (
        f"Features of {study.settings.features}. Inside real: share of pictures no farther from a real one of their "
        "class than its third neighbour; beside it the same of other real pictures. Total: means of the classes. "
        "Distance: sliced Wasserstein; floor: real from "
        "real pictures, as many. Different: effective number of pictures by their pixels (Vendi score)."
    )
    return TableView(f"{search}: beside real pictures", columns, tuple(rows), words, "classes.csv")


def _line(seen: SeenBy, search: str, name: str | None, classifier: str) -> tuple[str, ...]:
    """Positive, negative, accuracy, interval, top-5."""
    found, best = (accuracy(hits(seen, search, name, classifier, what)) for what in ("right", "top"))
    return (*_cells(found), _percent(best.share) if best is not None else "–")


def _cells(found: Accuracy | None) -> tuple[str, str, str, str]:
    if found is None:
        return "–", "–", "–", "–"
    return str(found.positive), str(found.negative), _percent(found.share), _span(found)


def _of(seen: SeenBy, search: str, name: str, classifier: str) -> tuple[float, float, float] | None:
    found = accuracy(hits(seen, search, name, classifier))
    return None if found is None else (100 * found.share, 100 * found.span[0], 100 * found.span[1])


def _thesis(study: FoolingStudy) -> dict[str, list[tuple[float, float, float] | None]]:
    known = study.class_list.thesis
    return {"thesis 2021, other networks": [(known[n],) * 3 for n in study.class_list.classes]} if known else {}


def _confusion(study: FoolingStudy, seen: SeenBy, classifier: str) -> bytes:
    """A matrix for few labels, bars for many."""
    names, one = list(study.class_list.classes), next(c for c in study.classifiers if c.name == classifier)
    found = confusion({n: [of[classifier] for cell, of in seen.items() if cell[1] == n] for n in names})
    labels = list(one.labels) or sorted({label for of in found.values() for label in of})
    if len(labels) <= FEW_LABELS:
        counts = np.array([[found[n].get(label, 0) for label in labels] for n in names], dtype=np.float64)
        return confusion_png(names, labels, counts)
    return taken_png(found, {n: {labels[k] for k in one.labels_of(n)} for n in names})


def _grid_words(study: FoolingStudy) -> str:
    return (
        f"By {study.classifiers[0].name}: for each class up to {SHOWN} pictures that it takes for the class, then up "
        f"to {SHOWN} that it does not, each with what it takes it for; evenly from the best score to the worst."
    )


def _grids(study: FoolingStudy, search: str, seen: SeenBy, folder: StudyFolder) -> Iterator[Shown]:
    """Right and wrong pictures of each class."""
    judge = study.classifiers[0].name
    for name in study.class_list.classes:
        cells = [cell for cell in seen if cell[1] == name]
        for wanted, word in ((True, "right"), (False, "wrong")):
            found = [
                (cell, rank) for cell in cells for rank, hit in enumerate(seen[cell][judge].right) if hit is wanted
            ]
            if not found:
                continue
            found.sort(key=lambda place: place[1])
            chosen = [found[k * len(found) // min(SHOWN, len(found))] for k in range(min(SHOWN, len(found)))]
            yield _grid(study, chosen, seen, folder, f"{name}, {word}: {len(found)} pictures")


def _grid(
    study: FoolingStudy, chosen: Sequence[tuple[Cell, int]], seen: SeenBy, folder: StudyFolder, caption: str
) -> Shown:
    runs = {cell: study.pixels(cell, folder) for cell in dict.fromkeys(cell for cell, _ in chosen)}
    for cell, rank in chosen:
        if rank >= len(runs[cell]):
            raise damaged(folder.cells_path, f"it counts more pictures than {folder.run_place(cell)} has")
    pixels = np.stack([runs[cell][rank].permute(1, 2, 0).numpy() for cell, rank in chosen])
    labels = [seen[cell][study.classifiers[0].name].label[rank] for cell, rank in chosen]
    return Shown(embed(grid_png(pixels, labels, SHOWN // 2), 1, ACROSS), caption, caption)


def _made(study: FoolingStudy) -> tuple[tuple[str, str], ...]:
    s = study.settings
    real = "none given" if study.pictures is None else f"{len(study.pictures):,} of {study.pictures.name}"
    lengths = [f"{search}: {s.run(search, 'x', 0).generations} generations" for search in s.search]
    budget = f", ending after {s.budget:,} images a run" if s.budget else ""
    return (("classes", f"{study.class_list.name}: {', '.join(study.class_list.classes)}"), ("phrase", s.template),
            ("searches", "; ".join(lengths) + budget),
            ("classifiers", ", ".join(f"{c.name} (sha256 {c.sha256[:12]}…)" for c in study.classifiers)),
            ("real pictures", real))  # fmt: skip


def _file(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-." else "-" for c in name)[:40]


def _span(found: Accuracy) -> str:
    return f"{100 * found.span[0]:.1f} to {100 * found.span[1]:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
