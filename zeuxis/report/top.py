"""The best pictures that differ from one another, copied to `top/`, enlarged copies beside them, and a grid of all."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zeuxis.metrics.health import DIFFERENT, descriptors, distances
from zeuxis.pictures.enlarge import SHOWN, Enlarge, enlarged
from zeuxis.pictures.grid import grid_png, score_label
from zeuxis.pictures.writing import sheet_png
from zeuxis.report.verdict import pictures
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import atomic_write, make_folder, remove

_OWN = re.compile(r"[0-9]{2,}(_large)?\.png|sheet\.png")


def write_top(folder: RunFolder, count: int, enlarge: Enlarge | None = None) -> list[Path]:
    """Copies the `count` best different pictures of the final population to `top/01.png`, ...; draws `top/sheet.png`.

    The copies keep their metadata, so `zeuxis replay` takes them; `top/01_large.png`, ... are enlarged for people and
    have none, and are left out where a picture is large enough. `enlarge` is the size of both, by default SHOWN and
    what a grid shows. There are fewer where the population holds fewer different ones. RunError before the run is
    finished, BadInput where the grid would be too large.
    """
    population = pictures(folder.summary())
    folder.check_population(len(population))
    files = [folder.picture(folder.individual_path(picture.rank)) for picture in population] if count else []
    pixels = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in files]
    ranks = distinct(pixels, count)
    top = folder.path / "top"
    make_folder(top)
    _clear(top)
    paths = [top / f"{place:02d}.png" for place in range(1, len(ranks) + 1)]
    for path, rank in zip(paths, ranks, strict=True):
        atomic_write(path, files[rank])
        if pixels[rank].shape[1] < (large := enlarge or SHOWN).across:
            atomic_write(path.with_name(f"{path.stem}_large.png"), sheet_png(enlarged(pixels[rank], large)))
    if ranks:
        labels = [score_label(np.nan if (s := population[rank].score) is None else s) for rank in ranks]
        atomic_write(top / "sheet.png", grid_png(np.stack([pixels[rank] for rank in ranks]), labels, None, enlarge))
    return paths


def remove_top(folder: RunFolder) -> None:
    """Takes away what `write_top` wrote, and its folder where that holds nothing else."""
    top = folder.path / "top"
    _clear(top)
    with contextlib.suppress(OSError):  # it holds files of somebody else, or is not there
        top.rmdir()


def _clear(top: Path) -> None:
    for stale in top.glob("*.png"):
        if _OWN.fullmatch(stale.name):
            remove(stale)


def distinct(pixels: list[np.ndarray], count: int) -> list[int]:
    """The first `count` places in a list of pictures `(H, W, 3)` that differ from all before: `health.DIFFERENT`."""
    if not pixels:
        return []
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 255  # (N, 3, H, W)
    shown = descriptors(images)
    alike = distances(shown, shown) < DIFFERENT
    chosen: list[int] = []
    for place in range(len(pixels)):
        if len(chosen) < count and not bool(alike[place, chosen].any()):
            chosen.append(place)
    return chosen


def too_few(found: int, asked: int) -> str:
    """What to say where there are fewer different pictures than were asked for; "" else."""
    if found >= asked:
        return ""
    return (
        f"top/ holds {found} of {asked} pictures: the others of the final population look like these. --unique, "
        "--search samples or map-elites find more that differ."
    )
