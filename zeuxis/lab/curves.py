"""Pictures of a training run: the sample grid and the loss curves."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from zeuxis.storage.checksummed import checked_line, verified_line
from zeuxis.storage.files import atomic_write
from zeuxis.storage.reading import MOST_LOG, read_plain

SKIP = {"images", "images_per_second", "seconds"}


def save_grid(images: Tensor, path: Path, columns: int = 20, scale: int = 2) -> None:
    """Images (N, 3, H, W) in [0, 1] as one PNG, row by row, enlarged `scale` times without smoothing."""
    pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    rows = -(-len(pixels) // columns)
    canvas = torch.full((rows * columns, *pixels.shape[1:]), 255, dtype=torch.uint8)
    canvas[: len(pixels)] = pixels
    count, height, width = canvas.shape[1:]
    sheet = canvas.view(rows, columns, count, height, width).permute(0, 3, 1, 4, 2)
    picture = Image.fromarray(sheet.reshape(rows * height, columns * width, count).numpy())
    data = io.BytesIO()
    picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST).save(data, "PNG")
    atomic_write(path, data.getvalue())


def read_log(
    folder: Path, say: Callable[[str], object] = lambda text: None, training: str = ""
) -> list[dict[str, float]]:
    """The lines of `log.jsonl`; one that was cut, changed or is no line of figures is left out, which `say` hears.

    So is one that names another `training`, where that is given.
    """
    path, lines, lost = folder / "log.jsonl", [], 0
    for text in filter(bytes.strip, read_plain(path, MOST_LOG).split(b"\n") if path.exists() else []):
        try:
            line, _ = verified_line(text)
            line = line if line.pop("training", training) == training or not training else {}
        except ValueError:
            line = {}
        if "images" in line and all(type(v) in (int, float) for v in line.values()):
            lines.append(line)
        else:
            lost += 1
    if lost:
        say(f"{lost} lines of {path.name} are damaged or broken off and left out.")
    return lines


def write_log(folder: Path, lines: list[dict[str, float]], training: str = "") -> None:
    """All of `log.jsonl` anew. Atomic."""
    atomic_write(folder / "log.jsonl", "".join(log_line(line, training) + "\n" for line in lines).encode())


def log_line(line: dict[str, float], training: str) -> str:
    """One line of `log.jsonl`, which names its training."""
    return checked_line(line | ({"training": training} if training else {}))


def draw(folder: Path) -> None:
    """`curves.png` from `log.jsonl`: one small panel per figure, over images seen."""
    from matplotlib.figure import Figure

    lines = read_log(folder)
    names = [n for n in dict.fromkeys(k for line in lines for k in line) if n not in SKIP]
    if not names:
        return
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, place)
        points = [(line["images"] / 1000, line[name]) for line in lines if name in line]
        axes.plot(*zip(*points, strict=True), lw=1.2)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("thousand images", fontsize=8)
        axes.tick_params(labelsize=7)
    data = io.BytesIO()
    figure.savefig(data, dpi=90)
    atomic_write(folder / "curves.png", data.getvalue())
