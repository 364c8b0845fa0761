"""Two places with pictures in, figures out: what `zeuxis metrics` and other callers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from zeuxis.compute.device import choose_device
from zeuxis.data.base import SPLITS
from zeuxis.errors import BadInput
from zeuxis.evaluation.arrange import Told, arrange
from zeuxis.evaluation.embedding import Embedded, check_reference_place, embed_set, load_reference, save_reference
from zeuxis.evaluation.feature_spaces import FeatureSpace, open_features
from zeuxis.evaluation.measure import DRAWS, measure
from zeuxis.evaluation.metrics import METRICS, USUAL
from zeuxis.evaluation.picture_sets import FolderPictures, PictureSet, Some, open_pictures, other_split
from zeuxis.evaluation.report import Compared
from zeuxis.evaluation.zero_shot import with_article
from zeuxis.rng import stream
from zeuxis.storage.reading import read_bounded

Report = Callable[[str, int, int], None]  # what, done, of how many
LONGEST_CAPTION = 10_000  # bytes


def compare_sets(
    generated: Path, real: str, *, data: Path | None = None, reference: str = "train", held_out: Path | None = None,
    metrics: Sequence[str] = (), features: str = "mobilenet-v1", scorer: str | None = None, count: int | None = None,
    most: int | None = None, draws: int = DRAWS, strict: bool = False, save: Path | None = None, device: str = "auto",
    report: Report | None = None,
) -> Compared:  # fmt: skip
    """Folder `generated` against `real`: a folder, a saved reference, or with `data` the name of a data set.

    BadInput, one sentence, before any network is loaded, for names and places that cannot be.
    """
    names = list(metrics) or [*USUAL, *(["clip-score"] if scorer else [])]
    for name in names:
        METRICS.check(name)
    if len(set(names)) < len(names):
        raise BadInput(f"Expected every metric once, got {', '.join(sorted({n for n in names if names.count(n) > 1}))} "
                       "twice.")  # fmt: skip
    if reference not in SPLITS:
        raise BadInput(f"Expected the split train or test for --reference, got {reference!r}.")
    if save is not None:
        check_reference_place(save)
    made = FolderPictures(generated)
    place = Path(real).expanduser()
    saved = place if data is None and place.is_file() else None
    if saved and most is not None:
        raise BadInput("Expected --most or a saved reference, got both: it has the features of all its pictures.")
    truth = None if saved else open_pictures(real, data, reference)
    other: PictureSet | None = FolderPictures(held_out) if held_out else None
    if other is None and not saved:
        other = other_split(real, data, reference)
    if most is not None:
        truth, other = (None if s is None else Some(s, most) for s in (truth, other))
    space = open_features(features, choose_device(device))
    found = _embedded(made, space, strict, report)
    known = load_reference(saved, space) if saved else _embedded(_there(truth), space, strict, report)
    beside = None if other is None else _embedded(other, space, strict, report)
    if save is not None:
        save_reference(save, known, space)
    told = real_told = None
    if scorer:
        asked = _asked(scorer, choose_device(device))
        told = _with_texts(made, found, asked)
        others, rows = (truth, known) if beside is None else (other, beside)
        if told is not None and others is not None:
            real_told = _with_texts(others, rows, asked, count or len(found))
    sets = arrange(found, known, beside, space, count=count, told=told, real_told=real_told, scorer=scorer or "")
    left = iter(range(1, len(names) + 1))

    def step(name: str) -> None:
        if report is not None:
            report("metrics", next(left), len(names))

    return Compared(found, known, beside, space, measure(sets, space, names, draws=draws, report=step), scorer or "")


def _embedded(pictures: PictureSet, space: FeatureSpace, strict: bool, report: Report | None) -> Embedded:
    def step(done: int, of: int) -> None:
        if report is not None:
            report(pictures.name, done, of)

    return embed_set(pictures, space, strict=strict, report=step)


def _there(pictures: PictureSet | None) -> PictureSet:
    assert pictures is not None
    return pictures


def _asked(scorer: str, device: torch.device) -> Any:
    """The scorer. BadInput for one that is no dual encoder."""
    from zeuxis.scorers.choose import make_scorer

    told: Any = make_scorer(scorer, device)
    if not hasattr(told, "embed_images") or not hasattr(told, "embed_texts"):
        raise BadInput(f"Expected a scorer that embeds pictures and sentences, got {scorer}. Take clip-vit-b-32.")
    return told


@torch.no_grad()
def _with_texts(pictures: PictureSet, found: Embedded, told: Any, most: int | None = None) -> Told | None:
    """Embeddings `(N, E)` of the readable pictures, at most `most` of them, and of their texts; None without texts."""
    kept = found.rows
    if most is not None and len(kept) > most:
        kept = kept[torch.randperm(len(kept), generator=stream(0, "told"))[:most].sort().values]
    rows = kept.tolist()
    sentences = [_caption(pictures, row) for row in rows]
    if not all(sentences):
        return None
    images = torch.cat([told.embed_images(pictures.read(row)[None].float() / 255).float().cpu() for row in rows])
    distinct = list(dict.fromkeys(sentences))
    vectors = torch.cat([told.embed_texts(distinct[k : k + 64]).float().cpu() for k in range(0, len(distinct), 64)])
    number = {text: k for k, text in enumerate(distinct)}
    return images, vectors[[number[text] for text in sentences]]


def _caption(pictures: PictureSet, row: int) -> str:
    """NAME.txt beside the picture, else "a photo of a CLASS" by its sub-folder or its label, else ""."""
    if isinstance(pictures, FolderPictures):
        beside = pictures.files[row].with_suffix(".txt")
        if beside.is_file():
            return " ".join(read_bounded(beside, LONGEST_CAPTION, "caption").decode("utf-8", "replace").split())
    if pictures.labels is None:
        return ""
    name = pictures.classes[int(pictures.labels[row])].rpartition("/")[2].replace("_", " ")
    return f"a photo of {with_article(name)}" if name != "." else ""
