"""One page for several runs: the best picture of each prompt, its score, the judge's opinion, notes."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from zeuxis.pictures.grid import grid_png
from zeuxis.prompts.series import OWN
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
    sheet, opened = out / "best.png", [Image.open(io.BytesIO(picture)).convert("RGB") for picture in shown]
    largest = max(image.width for image in opened), max(image.height for image in opened)  # generators differ in size
    pixels = [np.asarray(enlarged(image, largest)) for image in opened]
    atomic_write(sheet, grid_png(np.stack(pixels), [line.prompt for line in lines], columns))
    searches = ", ".join(dict.fromkeys(run.config.search for run in runs))
    models = sorted({f"{c.generator} guided by {' + '.join(c.scorer)}" for c in (run.config for run in runs)})
    page = PAGES.get_template("series.html").render(
        lines=lines, models=" and ".join(models), searches=searches, seed=runs[0].config.seed
    )
    path = out / "report.html"
    atomic_write(path, page.encode("utf-8", "replace"))
    return [path, sheet]


def renew_series(run: Path) -> Path | None:
    """The page of the series that `run` is one of, written again; None where it is of none, or of one under way."""
    run = run.absolute()
    out, digits = run.parent, len(_number(run.name))
    if not digits or not all((out / name).is_file() for name in OWN):
        return None
    places = sorted(
        path for path in out.iterdir() if len(_number(path.name)) == digits and (path / "run.json").is_file()
    )
    runs = [RunFolder(path) for path in places]
    whole = [int(_number(path.name)) for path in places] == list(range(1, len(places) + 1)) and len(places) > 1
    if not whole or not all(found.summary_path.is_file() for found in runs):
        return None
    return write_series(out, runs)[0]


def _number(name: str) -> str:
    """The digits that the folder of a run in a series begins with; "" for another name."""
    found = re.match(r"([0-9]{1,3})-", name)
    return found[1] if found else ""


def enlarged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture in the middle of a white one of this size, as large as fits."""
    if image.size == size:
        return image
    scale = min(size[0] / image.width, size[1] / image.height)
    fitted = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    whole = Image.new("RGB", size, "white")
    whole.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
    return whole


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
