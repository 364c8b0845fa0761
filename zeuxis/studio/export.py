"""A selection of the gallery as files: archive, labelled sheet, animation, a way through the latents, enlarged."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from zeuxis.errors import BadInput, Missing
from zeuxis.pictures.animation import CLOCKS, import_ffmpeg, timed, write_mp4, write_timed
from zeuxis.pictures.enlarge import Enlarge, enlarged
from zeuxis.pictures.grid import grid_png
from zeuxis.pictures.metadata import PictureInfo, read_metadata
from zeuxis.pictures.reading import read_rgb
from zeuxis.pictures.writing import sheet_png
from zeuxis.storage.files import make_folder, remove
from zeuxis.studio.gallery import Gallery
from zeuxis.studio.index import Found
from zeuxis.studio.thumbnails import LIMITS
from zeuxis.tools.interpolation import animate
from zeuxis.tools.replay import check_latent, load_generator

MOST = 2000  # pictures in one archive
MOST_SHEET = 400
MOST_STOPS = 60
SIDE = 256  # pixels of a picture on a sheet and in an animation, at least
HELD_RATE = 2  # pictures a second that a video shows
LINE = 300  # letters of a prompt under a picture
MOST_PIXELS = 100_000_000  # of one enlarged picture
RATE, FRAMES = 24, 30  # frames a second, and those from a picture of an interpolation to the next

NO_MP4 = "Saved as an animated WebP, which browsers show. For an MP4: pip install 'zeuxis[video]'"


class Saved(NamedTuple):
    """A file for the person: a name of ours, its content, and what there is to say of it."""

    name: str
    data: bytes
    said: str = ""


def archive(gallery: Gallery, chosen: Sequence[Found]) -> Saved:
    """A ZIP of the pictures as they were saved, under names of ours, with `pictures.json` saying what they are."""
    return Saved("zeuxis-pictures.zip", _zip(chosen, lambda found: gallery.data(found)))


def enlargement(gallery: Gallery, chosen: Sequence[Found], factor: int) -> Saved:
    """The pictures `factor` (2 or 4) times as large by Lanczos: a PNG, or a ZIP of several."""
    if factor not in (2, 4):
        raise BadInput(f"Expected 2 or 4 times as large, got {factor}.")

    def larger(found: Found) -> bytes:
        pixels = _pixels(gallery, found)
        if factor**2 * pixels.size // 3 > MOST_PIXELS:
            size = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise BadInput(
                f"Expected at most {MOST_PIXELS:,} pixels once enlarged, got {size}, {factor} times as large."
            )
        return sheet_png(enlarged(pixels, Enlarge(factor * pixels.shape[1])))

    if len(chosen) == 1:
        return Saved(f"zeuxis-{chosen[0].id}-{factor}x.png", larger(chosen[0]))
    return Saved(f"zeuxis-{factor}x.zip", _zip(chosen, larger))


def sheet(gallery: Gallery, chosen: Sequence[Found]) -> Saved:
    """One PNG with all of them, each with its score and its prompt under it."""
    _check(chosen, MOST_SHEET, "a sheet")
    labels = [label(found) for found in chosen]
    return Saved("zeuxis-sheet.png", grid_png(np.stack(_fitted(gallery, chosen)), labels, None, Enlarge(SIDE)))


def video(gallery: Gallery, chosen: Sequence[Found]) -> Saved:
    """The pictures one after the other: an MP4 where the extra `video` is installed, else an animated WebP."""
    _check(chosen, MOST_SHEET, "a video")
    pages = [enlarged(pixels, Enlarge(SIDE)) for pixels in _fitted(gallery, chosen)]
    try:
        import_ffmpeg()
    except Missing:
        _, ticks = timed(len(pages), HELD_RATE, CLOCKS[".webp"])
        data = _written(gallery, ".webp", lambda path: write_timed(pages, ticks, path))
        return Saved("zeuxis-pictures.webp", data, NO_MP4)
    again = (page for page in pages for _ in range(RATE // HELD_RATE))  # some players stumble over two a second
    return Saved("zeuxis-pictures.mp4", _written(gallery, ".mp4", lambda path: write_mp4(again, RATE, path)))


def interpolation(gallery: Gallery, chosen: Sequence[Found]) -> Saved:
    """From picture to picture through the latents of their generator, as a WebP animation. BadInput for pictures of
    several generators, or without a latent.
    """
    _check(chosen, MOST_STOPS, "an interpolation", least=2)
    infos = [read_metadata(gallery.path(found)) for found in chosen]
    first = infos[0]
    if any(drawn_by(info) != drawn_by(first) for info in infos):
        raise BadInput(
            "Expected pictures of one generator, drawn with the same options (searches draw the classes that their "
            "phrases name), to go between. Select such ones."
        )
    generator = load_generator(first)
    for info in infos:
        check_latent(info, generator)
    stops = generator.space.clip(torch.tensor([info.latent for info in infos]))
    data = _written(gallery, ".webp", lambda path: animate(generator, stops, path, frames=FRAMES, rate=RATE))
    return Saved("zeuxis-interpolation.webp", data)


def label(found: Found) -> str:
    """A picture in a line."""
    score = "" if found.score is None else f"{found.score:.2f} "
    judged = "" if found.judge is None else f"({found.judge:.0%}) "
    return f"{score}{judged}{' '.join(found.prompt[:LINE].split())}"


def drawn_by(info: PictureInfo) -> tuple[str, str, int]:
    """By which the latents of pictures are told apart: the weights, their options, and how many genes."""
    return info.sha256, repr(sorted(info.options.items())), len(info.latent)


def _zip(chosen: Sequence[Found], content: Callable[[Found], bytes]) -> bytes:
    _check(chosen, MOST, "an archive")
    data, listed = io.BytesIO(), []
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as file:
        for number, found in enumerate(chosen):
            name = f"{number + 1:04d}-{Path(found.run).name}-{Path(found.file).name}"
            file.writestr(name, content(found))
            listed.append({"name": name, **{k: v for k, v in asdict(found).items() if k not in ("id", "mark")}})
        file.writestr("pictures.json", json.dumps(listed, indent=1))
    return data.getvalue()


def _check(chosen: Sequence[Found], most: int, what: str, least: int = 1) -> None:
    if not least <= len(chosen) <= most:
        raise BadInput(f"Expected {least} to {most:,} pictures for {what}, got {len(chosen):,}. Select others.")


def _pixels(gallery: Gallery, found: Found) -> np.ndarray:
    return np.asarray(read_rgb(gallery.data(found), LIMITS))


def _fitted(gallery: Gallery, chosen: Sequence[Found]) -> list[np.ndarray]:
    """The pictures `(H, W, 3)`, all in the size of the first."""
    pixels = [_pixels(gallery, found) for found in chosen]
    height, width = pixels[0].shape[:2]
    by = Image.Resampling.LANCZOS
    same = [one.shape == pixels[0].shape for one in pixels]
    return [
        one if fits else np.asarray(Image.fromarray(one).resize((width, height), by))
        for one, fits in zip(pixels, same, strict=True)
    ]


def _written(gallery: Gallery, ending: str, write: Callable[[Path], object]) -> bytes:
    """What `write` writes to a file; the file is gone afterwards."""
    folder = gallery.own / "exports"
    make_folder(folder)
    path = folder / f"{secrets.token_hex(8)}{ending}"
    try:
        write(path)
        return path.read_bytes()
    finally:
        remove(path)
