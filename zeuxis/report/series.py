"""One page for several runs: the best picture of each prompt, its score, the judge's opinion, notes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from zeuxis.pictures.grid import grid_png
from zeuxis.report.html import LARGEST, PAGES, SMALLEST, embed
from zeuxis.report.verdict import pictures, short_verdict
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import atomic_write


@dataclass(frozen=True)
class Line:
    """A run in a few words; `picture` is data of the page, `link` its report as seen from the page."""

    prompt: str
    score: float
    judge: str
    images: int
    notes: tuple[str, ...]
    picture: str
    link: str


def write_series(out: Path, runs: Sequence[RunFolder], columns: int | None = None) -> list[Path]:
    """`best.png`, a sheet of the best pictures in rows of `columns`, and `report.html` for finished runs in `out`."""
    shown = [run.picture(run.best_image) for run in runs]
    lines = [_line(out, run, picture) for run, picture in zip(runs, shown, strict=True)]
    sheet, pixels = out / "best.png", [np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")) for picture in shown]
    atomic_write(sheet, grid_png(np.stack(pixels), [line.prompt for line in lines], columns))
    models = sorted({f"{c.generator} guided by {' + '.join(c.scorer)}" for c in (run.config for run in runs)})
    page = PAGES.get_template("series.html").render(lines=lines, models=" and ".join(models), config=runs[0].config)
    path = out / "report.html"
    atomic_write(path, page.encode("utf-8", "replace"))
    return [path, sheet]


def _line(out: Path, run: RunFolder, picture: bytes) -> Line:
    summary = run.summary()
    report = run.path / "report.html"
    return Line(
        run.prompt,
        float(summary["best"]["score"]),
        short_verdict(pictures(summary)),
        int(summary["images"]),
        tuple(run.notes),
        embed(picture, SMALLEST, LARGEST),
        report.relative_to(out).as_posix() if report.exists() else "",
    )
