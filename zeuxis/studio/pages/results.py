"""The pictures of what the queue has carried out: of searches by the id of their entry, of plots by cell."""

from __future__ import annotations

import numpy as np
from fastapi import Response
from nicegui import app

from zeuxis.errors import BadInput
from zeuxis.pictures.reading import read_rgb
from zeuxis.run.folder import RunFolder
from zeuxis.studio.pages.pictures import BRED, served
from zeuxis.studio.plots import picture
from zeuxis.studio.state import Studio
from zeuxis.studio.status import fitted, jpeg
from zeuxis.studio.thumbnails import LIMITS


def add_results(studio: Studio) -> None:
    """The routes. Nothing a client says is ever part of a path."""

    @app.get("/queued/{number}.jpg")
    def queued(number: str) -> Response:
        return served(lambda: _jpeg(_best_of(studio, number)), "image/jpeg")

    @app.get("/plotted/{key}/{place}.jpg")
    def plotted(key: str, place: int) -> Response:
        return served(lambda: _jpeg(_plotted(studio, key, place)), "image/jpeg", keep=True)


def _best_of(studio: Studio, number: str) -> bytes:
    """The best picture of a search of the queue, as its run wrote it."""
    item = studio.queue.one(number)
    folder = RunFolder(item.place(studio.runs))
    if not item.folder or item.kind != "search":
        raise BadInput("That entry has no picture.")
    return folder.picture(folder.best_image)


def _plotted(studio: Studio, key: str, place: int) -> bytes:
    """The picture of a place of a plot."""
    plot, results = studio.plots.by_key(key)
    data = picture(plot, plot.cells[place], results) if 0 <= place < len(plot.cells) else None
    if data is None:
        raise BadInput("There is no such picture yet.")
    return data


def _jpeg(png: bytes) -> bytes:
    """A picture of a run for a page."""
    return jpeg(fitted(np.asarray(read_rgb(png, LIMITS))[None], BRED)[0])
