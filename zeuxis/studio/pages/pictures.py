"""The pictures that pages show, by number. Nothing a client says is ever part of a path."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable

from fastapi import Response
from nicegui import app

from zeuxis.errors import ZeuxisError
from zeuxis.pictures.writing import sheet_png
from zeuxis.storage.reading import read_plain
from zeuxis.studio.dropped import LIMITS
from zeuxis.studio.index import Found
from zeuxis.studio.pages.found import version as version_of
from zeuxis.studio.state import Studio
from zeuxis.studio.status import Frame, fitted, jpeg, moment
from zeuxis.studio.thumbnails import Thumbnails

BEST = 512  # pixels across
BRED = 320
MOST_DRAWN = 48  # thumbnails that are made for one answer


class Once:
    """What all tabs ask for at the same time is made once: the newest frame's pictures."""

    def __init__(self, make: Callable[[Frame], bytes]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._of: tuple[Frame, bytes] | None = None

    def of(self, frame: Frame) -> bytes:
        """The bytes for a frame."""
        with self._lock:
            if self._of is None or self._of[0] is not frame:
                self._of = (frame, self._make(frame))
            return self._of[1]


def add_pictures(studio: Studio) -> None:
    """The routes. Each is a plain function, so it runs in a thread of the server."""
    _add_running(studio)
    _add_bred(studio)
    _add_found(studio)
    _add_dropped(studio)


def _add_running(studio: Studio) -> None:
    """Those of the run that goes on."""
    sheets, bests = Once(Frame.sheet), Once(lambda frame: jpeg(fitted(frame.pixels[:1], BEST)[0]))

    @app.get("/live/sheet/{version}.jpg")
    def sheet(version: int) -> Response:
        frame = studio.live.status.frame
        return served(None if frame is None else lambda: sheets.of(frame), "image/jpeg")

    @app.get("/live/best/{version}.jpg")
    def best(version: int) -> Response:
        frame = studio.live.status.frame
        return served(None if frame is None else lambda: bests.of(frame), "image/jpeg")


def _add_bred(studio: Studio) -> None:
    """Those of the family that is bred by hand."""

    @app.get("/bred/{key}/{number}.jpg")
    def bred(key: str, number: int) -> Response:
        bench = studio.bench
        if bench is None or key != bench.key or not 0 <= number < len(bench.family.pixels):
            return _missing()
        pixels = bench.family.pixels[number]
        return served(lambda: jpeg(fitted(pixels[None], BRED)[0]), "image/jpeg")

    @app.get("/bred/{key}/{number}.png")
    def bred_file(key: str, number: int) -> Response:
        bench = studio.bench
        if bench is None or key != bench.key or not 0 <= number < len(bench.family.pixels):
            return _missing()
        return served(lambda: read_plain(bench.keep(number)), "image/png")


def _add_found(studio: Studio) -> None:
    """Those of the gallery."""
    gallery, thumbnails = studio.gallery, studio.thumbnails

    @app.get("/thumb/{number}.webp")
    def thumb(number: int) -> Response:
        return served(lambda: thumbnails.of(gallery.one(number)), "image/webp", keep=True)

    @app.get("/large/{number}.webp")
    def large(number: int) -> Response:
        return served(lambda: thumbnails.of(gallery.one(number), BEST), "image/webp", keep=True)

    @app.get("/items/{key}.json")
    def items(key: str, offset: int = 0, limit: int = 0) -> Response:
        def listed() -> bytes:
            found = gallery.items(key, offset, limit)
            # Thumbnails that are on disk come along: a screen then needs one request, not fifty.
            return json.dumps([one and _item(one) | _drawn(thumbnails.kept(one)) for one in found]).encode()

        return served(listed, "application/json")

    @app.get("/drawn/{key}.json")
    def drawn(key: str, offset: int = 0, limit: int = 0) -> Response:
        def made() -> bytes:
            found = gallery.items(key, offset, min(limit, MOST_DRAWN))
            return json.dumps([None if one is None else _drawn(_made(thumbnails, one)) for one in found]).encode()

        return served(made, "application/json")

    @app.get("/full/{number}.png")
    def full(number: int) -> Response:
        return served(lambda: gallery.data(gallery.one(number)), "image/png")


def _add_dropped(studio: Studio) -> None:
    """A file that was dropped on a page, and its latent drawn again."""

    @app.get("/dropped/{which}.png")
    def dropped(which: str) -> Response:
        found = studio.dropped
        if found is None or which not in ("saved", "drawn"):
            return _missing()
        if which == "drawn":
            drawn = found.drawn
            return served(None if drawn is None else (lambda: sheet_png(drawn)), "image/png")
        return served(lambda: read_plain(found.path, LIMITS.bytes), "image/png")


def _made(thumbnails: Thumbnails, found: Found) -> bytes | None:
    """A thumbnail; None where the picture cannot be read."""
    try:
        return thumbnails.of(found)
    except (ZeuxisError, OSError):
        return None


def _drawn(webp: bytes | None) -> dict[str, object]:
    return {} if webp is None else {"drawn": f"data:image/webp;base64,{base64.b64encode(webp).decode()}"}


def _item(found: Found) -> dict[str, object]:
    """What the wall of the gallery shows of a picture."""
    score = "" if found.score is None else f", score {found.score:.2f}"
    judged = "" if found.judge is None else f", judge {found.judge:.0%}"
    day = moment(found.made, "%Y-%m-%d")
    about = f"{found.prompt[:200]}{score}{judged}"
    return {"id": found.id, "version": version_of(found), "mark": found.mark, "about": about, "day": day}


def served(make: Callable[[], bytes] | None, kind: str, keep: bool = False) -> Response:
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
