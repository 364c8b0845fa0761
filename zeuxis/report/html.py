"""The page of a run: pictures, curve, verdict and how to make it all again, in one file without scripts or requests."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from PIL import Image

from zeuxis.report.archive import archive_png, write_archive_pictures
from zeuxis.report.commands import folder_command, generate_command
from zeuxis.report.curve import DARK, curve_png, write_curve
from zeuxis.report.facts import archive_words, facts, objective_words, pick_words
from zeuxis.report.front import front_png, visited, write_front
from zeuxis.report.verdict import Picture, has_word, percent, pictures, verdict
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import atomic_write

STAGES = 6  # grids that show how the population came about
STAGE_WIDTH = 720  # pixels across; grids in the folder are larger
LARGEST = 256  # pixels; larger pictures of the population are reduced, the folder has them whole
COLLAGE_WIDTH = 1100  # pixels across; the folder has it whole
MOST = 1024  # pictures shown of a final population

PAGES = Environment(loader=PackageLoader("zeuxis.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def write_report(folder: RunFolder) -> Path:
    """`curve.png` and `report.html` of a finished (or interrupted and drawn) run, read from its folder alone.

    With several objectives also `front.png`.
    RunError before `Session.finish`; RunDamaged where a file is not as it was written.
    """
    summary, rows = folder.summary(), folder.history()
    curve = write_curve(folder, rows)
    population = pictures(summary)
    front = summary.get("front")
    members = () if front is None else front["members"]
    page = PAGES.get_template("report.html").render(
        prompt=folder.prompt,
        config=folder.config,
        image_names=[Path(image).name for image in folder.config.image_prompt],
        summary=summary,
        best=_embed(folder.best_image.read_bytes(), 1024),
        verdict=verdict(population),
        verdict_possible=has_word(population),
        percent=percent,
        curve=data_uri("png", curve.read_bytes()),
        curve_dark=data_uri("png", curve_png(rows, DARK)),
        front=front and _front(folder, front),
        along=[(*_shown(folder, population[rank]), objective_words(front or {}, rank)) for rank in members[:MOST]],
        population=[_shown(folder, picture) for picture in population[:MOST] if picture.rank not in members],
        left_out=max(0, len(population) - MOST),
        archive=_archive(folder),
        pixelated=int(folder.record["models"]["generator"]["resolution"]) < LARGEST,
        stages=[_stage(path) for path in spread(folder.grids(), STAGES)],
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
    longer = str(max(1, 2 * config.generations))
    return [
        ("go on from where it ended", folder_command("resume", path, "--generations", longer)),
        ("draw the best picture again and compare the pixels", folder_command("replay", folder.best_image)),
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
        "collage": _embed(collage, COLLAGE_WIDTH),
        "words": archive_words(content),
        "right": content["axes"][0],
        "up": content["axes"][1],
    }


def _shown(folder: RunFolder, picture: Picture) -> tuple[Picture, str]:
    return picture, _embed(folder.individual_path(picture.rank).read_bytes(), LARGEST)


def _front(folder: RunFolder, front: dict[str, Any]) -> dict[str, str]:
    """Writes `front.png`; the figure in both themes and the words of the section."""
    light, seen = write_front(folder, front).read_bytes(), visited(folder, front)
    return {
        "light": data_uri("png", light),
        "dark": data_uri("png", front_png(front, seen, DARK)),
        "pick": pick_words(front),
        "names": " and ".join(front["objectives"]),
    }


def _stage(path: Path) -> tuple[int, str]:
    """Generation and a reduced grid."""
    return int(path.stem.rpartition("-")[2]), _embed(path.read_bytes(), STAGE_WIDTH)


def _embed(png: bytes, largest: int) -> str:
    """A PNG as a data URI; as it is up to `largest` pixels across, else reduced, as JPEG."""
    image = Image.open(io.BytesIO(png))
    if image.width <= largest:
        return data_uri("png", png)
    size = (largest, max(1, math.floor(image.height * largest / image.width)))
    data = io.BytesIO()
    image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(data, "JPEG", quality=85)
    return data_uri("jpeg", data.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """A picture as part of a page: `kind` is png or jpeg."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
