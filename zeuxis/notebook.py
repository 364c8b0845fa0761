"""Zeuxis in Jupyter and Colab: a run whose pictures grow in the page, and pictures to pick from by hand.

from zeuxis import notebook
run = notebook.breed("a red high heel", generations=60)
run                # pictures, curve and a Stop button, renewed while the search goes on
run.wait()         # the Summary
"""

from __future__ import annotations

import threading
from html import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis import configs
from zeuxis.config import make_config
from zeuxis.errors import BadInput, MissingExtra
from zeuxis.pictures.grid import by_score, enlarged_png, grid_png, score_label, to_pixels
from zeuxis.plugins import trust_fields
from zeuxis.report.curve import curve_png
from zeuxis.run.finish import Summary
from zeuxis.run.history import Row, row
from zeuxis.run.session import Session
from zeuxis.studio.artist import Artist
from zeuxis.studio.breeding import Breeding
from zeuxis.studio.family import Family
from zeuxis.trust import check_code, check_files
from zeuxis.types import Event
from zeuxis.workflows import Listener, generate

SHOWN = 32  # pictures of a population, best first


def breed(
    target: str,
    *,
    config: str = "",
    generations: int | None = None,
    callbacks_each: int = 5,
    population_size: int | None = None,
    out: str | Path | None = None,
    trust_paths: bool = False,
    **fields: Any,
) -> Run:
    """Begin a search for `target` in the background and show it; the first fields are named as in clip-GLaSS.

    `config` is a name of `zeuxis list configs` or a file; pictures are renewed every `callbacks_each` generations;
    `fields` are those of RunConfig. What a file of somebody else names by path is read with `trust_paths` only, and
    code that it names has to be said in `fields`. BadInput, MissingModel or MissingExtra before anything is drawn.
    """
    chosen = {"generations": generations, "population": population_size}
    named, mark = configs.named(config) if config else ({}, None)
    check_files(named, config, said=fields, given=mark, allowed=trust_paths)
    trust_fields(fields)
    check_code({name: value for name, value in named.items() if name not in fields})
    told = named | {k: v for k, v in chosen.items() if v is not None} | fields
    told.pop("prompt", None)  # that of a file: `target` is meant
    if callbacks_each < 1:
        raise BadInput(f"Expected callbacks_each to be 1 or more generations, got {callbacks_each}.")
    make_config(prompt=(target,), **told)
    return Run(target, callbacks_each, out, told, trust_paths)


class Run(Listener):
    """A search under way. Shown in a cell it is its pictures, its curve, a line and a Stop button."""

    def __init__(
        self, target: str, every: int, out: str | Path | None, fields: dict[str, Any], trust_paths: bool = False
    ) -> None:
        widgets = _widgets()
        self.every = every
        self.summary: Summary | None = None
        self.error: BaseException | None = None
        self._rows: list[Row] = []
        self._line = widgets.HTML(value="loading the models")
        self._grid, self._curve = widgets.Image(format="png", width=640), widgets.Image(format="png", width=420)
        self._grid.layout.object_fit = self._curve.layout.object_fit = "contain"
        button = widgets.Button(description="Stop", tooltip="keep what there is; the run can be resumed")
        button.on_click(lambda _: self.stop())
        self.widget = widgets.VBox([widgets.HBox([button, self._line]), widgets.HBox([self._grid, self._curve])])
        self._stopped = threading.Event()
        told = (target, out, fields, trust_paths)
        self._thread = threading.Thread(target=self._work, args=told, name="zeuxis", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the generation under way; pictures and report are written."""
        self._stopped.set()

    def wait(self) -> Summary:
        """The summary, when the run has ended. Raises what ended it otherwise."""
        self._thread.join()
        if self.error is not None:
            raise self.error
        assert self.summary is not None
        return self.summary

    def heard(self, event: Event) -> bool | None:
        """Renew the line, and every few generations the pictures."""
        self._rows.append(row(event, len(event.batch.x) / max(event.image_seconds, 1e-9)))
        self._line.value = f"generation {event.generation}, best score {event.best_score:.4f}"
        if event.generation % self.every == 0 and event.images is not None:
            self._grid.value = population_png(event)
            self._curve.value = curve_png(self._rows)
        return False if self._stopped.is_set() else None

    def ended(self, session: Session) -> None:
        """The line, while pictures and report are written."""
        self._line.value = "writing the pictures"

    def _work(self, target: str, out: str | Path | None, fields: dict[str, Any], trust_paths: bool) -> None:
        try:
            self.summary = generate(target, out=out, listener=self, trust_paths=trust_paths, **fields)
            self._line.value = escape(f"{self.summary.reason} Folder {self.summary.folder}")  # the widget takes HTML
            self._grid.value = (self.summary.folder / "images" / "final.png").read_bytes()
        except BaseException as error:
            self.error = error
            self._line.value = "The run ended with an error; wait() raises it."

    def _ipython_display_(self) -> None:
        _show(self.widget)


class Picker:
    """Breeding by hand: tick the pictures that you like, choose how far their children may go, make children.

    `prompt` says which generator draws, and ranks children; `picked` are the latents `(K, D)` of what is ticked.
    """

    def __init__(self, prompt: str, *, size: int = 12, seed: int = 0, **fields: Any) -> None:
        widgets = _widgets()
        self._artist = Artist(make_config(prompt=(prompt,), seed=seed, **fields))
        self._breeding = Breeding(self._artist.variation, self._artist.look, Family(), seed=seed, size=size)
        self._strength = widgets.FloatSlider(value=0.4, min=0.0, max=1.0, description="subtle .. strong")
        more, back = widgets.Button(description="Make children"), widgets.Button(description="Undo")
        more.on_click(lambda _: self.children())
        back.on_click(lambda _: self.undo())
        self._line = widgets.HTML()
        self._table = widgets.GridBox(layout=widgets.Layout(grid_template_columns="repeat(4, 140px)"))
        self.widget = widgets.VBox([widgets.HBox([self._strength, more, back, self._line]), self._table])
        self._breeding.begin()
        self._lay()

    @property
    def picked(self) -> Tensor:
        """The latents `(K, D)` of the ticked pictures."""
        family = self._breeding.family
        rows = [family.pictures[number].genome[0] for number in family.table.favourites]
        return torch.stack(rows) if rows else torch.empty(0, self._artist.generator.space.dim)

    def tick(self, number: int) -> None:
        """Favour the picture at place `number`, from 0 on, or no longer."""
        self._breeding.favour(self._breeding.family.table.shown[number])
        self._lay()

    def children(self) -> None:
        """Lay children of the ticked pictures."""
        self._tried(lambda: self._breeding.children(self._strength.value))

    def undo(self) -> None:
        """Back to the table before."""
        self._tried(self._breeding.family.undo)

    def _tried(self, act: Any) -> None:
        try:
            act()
            self._line.value = ""
        except BadInput as error:
            self._line.value = escape(str(error))
        self._lay()

    def _lay(self) -> None:
        widgets, family = _widgets(), self._breeding.family
        cells = []
        for place, number in enumerate(family.table.shown):
            image = widgets.Image(value=enlarged_png(family.pixels[number], 2), format="png", width=128)
            box = widgets.Checkbox(value=number in family.table.favourites, description="keep", indent=False)
            box.observe(lambda _, place=place: self.tick(place), names="value")
            cells.append(widgets.VBox([image, box]))
        self._table.children = cells

    def _ipython_display_(self) -> None:
        _show(self.widget)


def population_png(event: Event) -> bytes:
    """The pictures of a generation, best first, with their scores, as a PNG. BadInput for an event without pictures."""
    if event.images is None:
        raise BadInput("Expected an event with pictures, got one that was read from a folder.")
    order = by_score(event.evaluation.score)[:SHOWN]
    scores = event.evaluation.score.cpu()[order].tolist()
    return grid_png(to_pixels(event.images[order]), [score_label(score) for score in scores])


def _widgets() -> Any:
    try:
        import ipywidgets  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingExtra("ipywidgets", "notebook", "Showing a run in a notebook") from error
    return ipywidgets


def _show(widget: Any) -> None:
    from IPython.display import display

    display(widget)  # type: ignore[no-untyped-call,unused-ignore]
