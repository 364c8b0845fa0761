"""The archive of a quality-diversity run on disk: `archive.json` and one picture per cell.

`cells/ROW-COLUMN.png`: COLUMN counts the cells along the first measure from its low end (left), ROW those along the
second measure from its low end (bottom), as in a plot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from zeuxis.run.folder import RunFolder
from zeuxis.run.measures import parse_measure
from zeuxis.run.metadata import PictureInfo
from zeuxis.run.pictures import picture_png, to_pixels
from zeuxis.run.sealed import Header, damaged, seal_json, unseal_json
from zeuxis.run.store import RunStore
from zeuxis.search.archive import Archive
from zeuxis.storage.files import atomic_write, make_folder, sweep

FORMAT = 1
AT_ONCE = 64  # pictures held in memory

Info = Callable[[Tensor, float], PictureInfo]  # latent (D,) and score -> what its picture says about itself


def write_archive(store: RunStore, archive: Archive, measures: Sequence[str], generation: int, info: Info) -> Header:
    """Draw every elite and write `archive.json`; returns its figures without the elites. `measures` are as given."""
    folder, problem = store.folder, store.problem
    make_folder(folder.path / "cells")
    sweep(folder.path / "cells")
    places = [(row, column) for column, row in archive.cell.tolist()]
    names = [_file(place, archive.grid.cells) for place in places]
    scores = archive.score.tolist()
    for start in range(0, len(names), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        pixels = to_pixels(problem.render(archive.x[rows], generation))
        for name, picture, latent, score in zip(names[rows], pixels, archive.x[rows], scores[rows], strict=True):
            store.picture(folder.path / name, partial(picture_png, picture, info(latent, score)))
    figures = _figures(archive, measures)
    if scores and min(scores) < archive.offset:
        problem.decisions.note(
            f"Some cells score below {archive.offset:g}, where the QD score counts from, so filling them lowers it. "
            "Give a lower one to compare by it: --option offset=-1"
        )
    elites = [
        {
            "row": row,
            "column": column,
            "file": name,
            "score": score,
            "measures": measured,
            "description": problem.generator.describe(latent),
        }
        for (row, column), name, score, measured, latent in zip(
            places, names, scores, archive.measures.tolist(), archive.x, strict=True
        )
    ]
    store.flush()  # the pictures first: archive.json names none that is not there
    atomic_write(folder.archive_path, seal_json({"format": FORMAT, **figures, "elites": elites}))
    return figures


def read_archive(folder: RunFolder) -> dict[str, Any] | None:
    """What `write_archive` wrote; None where the run has no archive. RunDamaged unless it is exactly that."""
    if not folder.archive_path.exists():
        return None
    content = unseal_json(folder.archive_path)
    if content.get("format") != FORMAT:
        raise damaged(folder.archive_path, f"it has format {content.get('format')}, this version reads {FORMAT}")
    return content


def _figures(archive: Archive, measures: Sequence[str]) -> Header:
    return {
        "measures": list(measures),
        "axes": [parse_measure(text).axis for text in measures],
        "ranges": [list(bounds) for bounds in archive.grid.ranges],
        "cells": archive.grid.cells,
        "filled": len(archive.score),
        "coverage": archive.coverage,
        "qd_score": archive.qd_score,
        "offset": archive.offset,
    }


def _file(place: tuple[int, int], cells: int) -> str:
    digits = max(2, len(str(cells - 1)))
    return f"cells/{place[0]:0{digits}d}-{place[1]:0{digits}d}.png"
