"""The front of a run with several objectives: its figure, and its pictures in order along it. No model is needed."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zeuxis.errors import RunDamaged
from zeuxis.report.curve import BEST, DPI, LIGHT, MEAN, WORST, Colours, dress
from zeuxis.report.facts import pick_words
from zeuxis.run.folder import RunFolder
from zeuxis.storage.files import atomic_write

PANEL, HEIGHT = 6.0, 5.0  # inches; one panel for each objective after the first
MOST = 20_000  # points of earlier generations that are drawn
Front = dict[str, Any]  # what summary.json holds under "front"


def write_front(folder: RunFolder, front: Front) -> Path:
    """`front.png` of a finished run. RunDamaged where its log cannot be read."""
    path = folder.path / "front.png"
    atomic_write(path, front_png(front, visited(folder, front)))
    return path


def visited(folder: RunFolder, front: Front) -> list[list[float]]:
    """Objectives of everything that the run has seen, `(K, M)`; every so many-th where that is too much to draw."""
    names = front["objectives"]
    try:
        rows = [torch.stack([e.evaluation.parts[name] for name in names], dim=1) for e in folder.entries()]
    except KeyError as error:
        raise RunDamaged(f"The log in {folder.path} has no {error}, which its summary names. Resume the run.") from None
    seen = torch.cat(rows)
    seen = seen[seen.isfinite().all(dim=1)]
    points: list[list[float]] = seen[:: math.ceil(len(seen) / MOST) or 1].tolist()
    return points


def front_png(front: Front, seen: list[list[float]], colours: Colours = LIGHT) -> bytes:
    """The first objective across, each other one upwards: what was seen, the final population, its front, the pick."""
    names = front["objectives"]
    figure = Figure(figsize=(PANEL * (len(names) - 1), HEIGHT), dpi=DPI, facecolor=colours.ground, layout="constrained")
    FigureCanvasAgg(figure)
    for upwards, axes in enumerate(figure.subplots(1, len(names) - 1, squeeze=False)[0], start=1):
        _panel(axes, front, seen, upwards)
        dress(axes, colours)
        axes.legend(frameon=False, labelcolor=colours.ink, fontsize="small", loc="lower left")
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()


def _panel(axes: Any, front: Front, seen: list[list[float]], upwards: int) -> None:
    final = [row for row in front["values"] if None not in row]
    along = [front["values"][rank] for rank in front["members"]]
    picked = front["values"][:1]  # the final population begins with the pick
    for points, look in (
        (seen, {"color": WORST, "s": 5, "alpha": 0.25, "label": "all that was seen"}),
        (final, {"color": MEAN, "s": 14, "label": "final population"}),
        (along, {"color": BEST, "s": 26, "label": f"the front: {len(along)}"}),
        (picked, {"color": "none", "edgecolors": "#c9524a", "linewidths": 2, "s": 170, "label": pick_words(front)}),
    ):
        axes.scatter([row[0] for row in points], [row[upwards] for row in points], **look)
    if len(front["objectives"]) == 2:
        axes.step([row[0] for row in along], [row[1] for row in along], where="post", color=BEST, linewidth=1)
    axes.set_xlabel(f"{front['objectives'][0]} (more is better)")
    axes.set_ylabel(f"{front['objectives'][upwards]} (more is better)")
