"""The pictures that pages show, by number. Nothing a client says is ever part of a path."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Response
from nicegui import app

from zeuxis.errors import ZeuxisError
from zeuxis.pictures.writing import sheet_png
from zeuxis.storage.reading import read_plain
from zeuxis.studio.dropped import LIMITS
from zeuxis.studio.state import Studio
from zeuxis.studio.status import fitted, jpeg
from zeuxis.studio.thumbnails import thumbnail

BEST = 512  # pixels across
BRED = 320


def add_pictures(studio: Studio) -> None:
    """The routes. Each is a plain function, so it runs in a thread of the server."""

    @app.get("/live/sheet/{version}.jpg")
    def sheet(version: int) -> Response:
        frame = studio.live.status.frame
        return _found(None if frame is None else frame.sheet, "image/jpeg")

    @app.get("/live/best/{version}.jpg")
    def best(version: int) -> Response:
        frame = studio.live.status.frame
        if frame is None:
            return _missing()
        pixels = frame.pixels[:1]
        return _found(lambda: jpeg(fitted(pixels, BEST)[0]), "image/jpeg")

    @app.get("/bred/{key}/{number}.jpg")
    def bred(key: str, number: int) -> Response:
        bench = studio.bench
        if bench is None or key != bench.key or not 0 <= number < len(bench.family.pixels):
            return _missing()
        pixels = bench.family.pixels[number]
        return _found(lambda: jpeg(fitted(pixels[None], BRED)[0]), "image/jpeg")

    @app.get("/bred/{key}/{number}.png")
    def bred_file(key: str, number: int) -> Response:
        bench = studio.bench
        if bench is None or key != bench.key or not 0 <= number < len(bench.family.pixels):
            return _missing()
        return _found(lambda: read_plain(bench.keep(number)), "image/png")

    @app.get("/thumb/{number}.webp")
    def thumb(number: int) -> Response:
        return _found(lambda: thumbnail(studio.gallery, studio.gallery.one(number)), "image/webp", keep=True)

    @app.get("/large/{number}.webp")
    def large(number: int) -> Response:
        return _found(lambda: thumbnail(studio.gallery, studio.gallery.one(number), BEST), "image/webp", keep=True)

    @app.get("/full/{number}.png")
    def full(number: int) -> Response:
        place = studio.gallery
        return _found(lambda: read_plain(place.path(place.one(number)), LIMITS.bytes), "image/png")

    @app.get("/dropped/{which}.png")
    def dropped(which: str) -> Response:
        found = studio.dropped
        if found is None or which not in ("saved", "drawn"):
            return _missing()
        if which == "drawn":
            drawn = found.drawn
            return _found(None if drawn is None else (lambda: sheet_png(drawn)), "image/png")
        return _found(lambda: read_plain(found.path, LIMITS.bytes), "image/png")


def _found(make: Callable[[], bytes] | None, kind: str, keep: bool = False) -> Response:
    """A picture; 404 where it cannot be made."""
    if make is None:
        return _missing()
    try:
        data = make()
    except (ZeuxisError, OSError):
        return _missing()
    how = "private, max-age=3600" if keep else "no-store"
    return Response(data, media_type=kind, headers={"cache-control": how})


def _missing() -> Response:
    return Response("There is no such picture.", status_code=404, media_type="text/plain")
