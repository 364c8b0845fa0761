"""The page and the figure of one recipe trained with several seeds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zeuxis.lab import history
from zeuxis.lab.history import Line
from zeuxis.lab.panel import Row, read_panel, rows, seeds_words, write_csv
from zeuxis.pictures.writing import data_uri
from zeuxis.report.curve import DPI, LIGHT, dress
from zeuxis.report.html import PAGES
from zeuxis.report.training import read_training
from zeuxis.storage.files import atomic_write

COLUMNS = 3


def write_panel(folder: Path) -> list[Path]:
    """`panel.csv`, `panel.png` and `panel.html` of the trainings in `folder`; none where they have no figures yet."""
    logs = read_panel(folder)
    table = rows(logs)
    if not table:
        return []
    picture = panel_png(logs, table)
    atomic_write(folder / "panel.png", picture)
    write_csv(folder, table)
    view = read_training(folder / f"seed-{next(iter(logs))}")
    names = list(dict.fromkeys(row.figure for row in table))
    last = {name: [row for row in table if row.figure == name][-1] for name in names}
    page = PAGES.get_template("panel.html").render(
        config=view.config, seeds=seeds_words(len(logs)), picture=data_uri("png", picture), table=table,
        last=list(last.values()), each=[(seed, *_state(lines, view.config.images)) for seed, lines in logs.items()],
    )  # fmt: skip
    atomic_write(folder / "panel.html", page.encode("utf-8", "replace"))
    return [folder / "panel.html", folder / "panel.csv", folder / "panel.png"]


def _state(lines: Sequence[Line], images: int) -> tuple[str, str]:
    """How far a training is, and its best."""
    done = int(lines[-1]["images"]) if lines else 0
    return f"{done:,} of {images:,} images", history.best_words(lines)


def panel_png(logs: dict[int, list[Line]], table: Sequence[Row]) -> bytes:
    """One drawing a figure: each training thin, their mean thick, the 95 % interval of the mean as a band."""
    names = list(dict.fromkeys(row.figure for row in table))
    down = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.7 * down), dpi=DPI, facecolor=LIGHT.ground, layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(down, COLUMNS, number)
        for lines in logs.values():
            looks = [line for line in history.evaluations(lines) if name in line]
            axes.plot([x["images"] / 1000 for x in looks], [x[name] for x in looks], color="#9a9fa6", linewidth=0.8)
        own = [row for row in table if row.figure == name]
        x = [row.images / 1000 for row in own]
        axes.plot(x, [row.mean for row in own], color="#1f2328", linewidth=2, marker="." if len(own) < 12 else "")
        axes.fill_between(x, [r.low for r in own], [r.high for r in own], color="#3f7fd8", alpha=0.2, linewidth=0)
        axes.set_title(name.replace("$", r"\$"), fontsize=9, color=LIGHT.ink)
        axes.set_xlabel("thousand images", fontsize=8)
        dress(axes, LIGHT)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return data.getvalue()
