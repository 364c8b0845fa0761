"""The page of a run: pictures, curve, verdict and how to make it all again, in one file without scripts or requests."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from PIL import Image

from zeuxis.pictures.enlarge import Enlarge, enlarged
from zeuxis.pictures.writing import data_uri
from zeuxis.report.archive import archive_png, write_archive_pictures
from zeuxis.report.commands import folder_command, generate_command, repeated, resume_command
from zeuxis.report.curve import DARK, NARROW, curve_png, write_curve
from zeuxis.report.facts import archive_words, facts, objective_words, pick_words
from zeuxis.report.front import front_png, visited, write_front
from zeuxis.report.verdict import Picture, has_word, percent, pictures, verdict
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import atomic_write

STAGES = 6  # grids that show how the population came about
STAGE_WIDTH = 720  # pixels across; grids in the folder are larger
SMALLEST, LARGEST = 160, 256  # pixels of a picture on the page: by Lanczos; the folder has them as they were drawn
HERO = (384, 1024)  # the same for the best picture
HEAVY = 150_000  # bytes
COLLAGE_WIDTH = 1100  # pixels across; the folder has it whole
MOST = 1024  # pictures shown of a final population

PAGES = Environment(loader=PackageLoader("zeuxis.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def write_report(folder: RunFolder) -> Path:
    """`curve.png` and `report.html` of a finished (or interrupted and drawn) run, read from its folder alone.

    With several objectives also `front.png`.
    RunError before `Session.finish`; RunDamaged where a file is not as it was written.
    """
    summary = folder.summary()
    folder.check_population(len(summary["population"]))  # first: a stranger's summary may list any number
    rows = folder.history()
    curve = write_curve(folder, rows)
    population = pictures(summary)
    front = summary.get("front")
    members = () if front is None else front["members"]
    page = PAGES.get_template("report.html").render(
        prompt=folder.prompt,
        config=folder.config,
        image_names=[Path(image).name for image in folder.config.image_prompt],
        summary=summary,
        best=embed(folder.picture(folder.best_image), *HERO),
        files={"best": _link(folder, folder.best_image), "curve": _link(folder, curve)},
        verdict=verdict(population),
        verdict_possible=has_word(population),
        percent=percent,
        curve=data_uri("png", curve.read_bytes()),
        curve_dark=data_uri("png", curve_png(rows, DARK)),
        curve_narrow=data_uri("png", curve_png(rows, shape=NARROW)),
        curve_narrow_dark=data_uri("png", curve_png(rows, DARK, NARROW)),
        front=front and _front(folder, front),
        along=[(*_shown(folder, population[rank]), objective_words(front or {}, rank)) for rank in members[:MOST]],
        population=[_shown(folder, picture) for picture in population[:MOST] if picture.rank not in members],
        left_out=max(0, len(population) - MOST),
        archive=_archive(folder),
        stages=[_stage(folder, path) for path in spread(folder.grids(), STAGES)],
        facts=facts(folder, summary, rows),
        notes=folder.notes,
        commands=_commands(folder),
    )
    path = folder.path / "report.html"
    atomic_write(path, page.encode("utf-8", "replace"))
    return path


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of them, evenly, the first and the last among them."""
    if len(paths) <= count:
        return list(paths)
    return [paths[round(k * (len(paths) - 1) / (count - 1))] for k in range(count)]


def _commands(folder: RunFolder) -> list[tuple[str, str]]:
    """(what it does, the command)."""
    config, path = folder.config, folder.path
    again = resume_command(folder)
    return [
        *([("go on from where it ended", again)] if again else []),
        (
            "draw the best picture again and compare the pixels",
            folder_command("replay", folder.best_image, *repeated(config, "generator")),
        ),
        ("read this run on the terminal", folder_command("show", path)),
        ("make the same run from nothing", generate_command(config)),
    ]


def _archive(folder: RunFolder) -> dict[str, str] | None:
    """Heatmap (light and dark), collage and figures of the archive, for a run that has one."""
    content = folder.archive()
    if content is None:
        return None
    heatmap, collage = (path.read_bytes() for path in write_archive_pictures(folder))
    return {
        "heatmap": data_uri("png", heatmap),
        "heatmap_dark": data_uri("png", archive_png(content, DARK)),
        "collage": embed(collage, 1, COLLAGE_WIDTH),
        "words": archive_words(content),
        "right": content["axes"][0],
        "up": content["axes"][1],
    }


def _shown(folder: RunFolder, picture: Picture) -> tuple[Picture, str, str]:
    """The picture as data and as an image of the page, and the file it links to."""
    path = folder.individual_path(picture.rank)
    return picture, embed(folder.picture(path), SMALLEST, LARGEST), _link(folder, path)


def _link(folder: RunFolder, path: Path) -> str:
    """From the page to a file of its folder."""
    return path.relative_to(folder.path).as_posix()


def _front(folder: RunFolder, front: dict[str, Any]) -> dict[str, str]:
    """Writes `front.png`; the figure in both themes and the words of the section."""
    light, seen = write_front(folder, front).read_bytes(), visited(folder, front)
    return {
        "light": data_uri("png", light),
        "dark": data_uri("png", front_png(front, seen, DARK)),
        "pick": pick_words(front),
        "names": " and ".join(front["objectives"]),
    }


def _stage(folder: RunFolder, path: Path) -> tuple[int, str, str]:
    """Generation, a reduced grid, and the file it links to."""
    return int(path.stem.rpartition("-")[2]), embed(folder.picture(path), 1, STAGE_WIDTH), _link(folder, path)


def embed(png: bytes, smallest: int, largest: int) -> str:
    """A PNG as a data URI: as it is, or as a JPEG, enlarged to `smallest` or reduced to `largest` pixels across.

    A JPEG too where the PNG has more than HEAVY bytes.
    """
    image: Image.Image = Image.open(io.BytesIO(png))
    if smallest <= image.width <= largest and len(png) <= HEAVY:
        return data_uri("png", png)
    if image.width < smallest:
        image = Image.fromarray(enlarged(np.asarray(image.convert("RGB")), Enlarge(smallest)))
    elif image.width > largest:
        size = (largest, max(1, math.floor(image.height * largest / image.width)))
        image = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.convert("RGB").save(data, "JPEG", quality=90)
    return data_uri("jpeg", data.getvalue())
