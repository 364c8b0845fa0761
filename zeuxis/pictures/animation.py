"""Animations: GIF and animated WebP by Pillow, MP4 by ffmpeg. What a file's clock cannot show is left out.

A GIF holds each picture for whole hundredths of a second, and browsers show what is held for less than two of them for
ten. WebP counts milliseconds, with the same custom below eleven.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zeuxis.errors import BadInput, Missing, MissingExtra, RunUnwritable
from zeuxis.storage.files import PART, atomic_file, unwritable
from zeuxis.storage.places import check_file_place
from zeuxis.storage.reading import printable


@dataclass(frozen=True)
class Clock:
    """How a format tells how long a picture is held: `ticks` a second, `least` ticks at least."""

    name: str
    ticks: int
    least: int

    @property
    def fastest(self) -> int:
        """Pictures a second at most."""
        return self.ticks // self.least


CLOCKS = {".gif": Clock("GIF", 100, 2), ".webp": Clock("WebP", 1000, 11)}
ENDINGS = (*CLOCKS, ".mp4")
OTHERWISE = "Or save a .webp or .gif."
RAW = ("-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24")
# H.264 as browsers and phones show it. Colours are those of high definition, and the file says so: players guess else.
BT709 = tuple(word for name in ("colorspace", "color_primaries", "color_trc") for word in (f"-{name}", "bt709"))
H264 = (
    *("-an", "-c:v", "libx264", "-crf", "10", "-vf", "scale=out_color_matrix=bt709:out_range=tv"),
    *("-pix_fmt", "yuv420p", *BT709, "-movflags", "+faststart", "-f", "mp4"),
)


def check_animation_place(path: Path, what: str = "--out") -> None:
    """BadInput for another ending, RunUnwritable for the place, MissingExtra for an .mp4 without its package."""
    if path.suffix.lower() not in ENDINGS:
        raise BadInput(f"Expected a file {', '.join(ENDINGS)} for {what}, got {path.name[-60:]!r}.")
    check_file_place(path, what)
    if path.suffix.lower() == ".mp4":
        import_ffmpeg()


def timed(count: int, rate: int, clock: Clock) -> tuple[list[int], list[int]]:
    """Which of `count` pictures at `rate` a second are shown, and for how many ticks each: together count / rate.

    Up to the clock's fastest rate all are, held for ticks that differ by one where the rate does not divide them.
    """
    shown = count if rate <= clock.fastest else max(1, count * clock.fastest // rate)
    ends = [round(k * count * clock.ticks / rate / shown) for k in range(shown + 1)]
    held = [max(clock.least, later - earlier) for earlier, later in pairwise(ends)]
    return [(2 * k + 1) * count // (2 * shown) for k in range(shown)], held


def rate_note(path: Path, rate: int) -> str:
    """What to tell a user about a rate that the format of `path` cannot keep to the letter; "" where it can."""
    clock = CLOCKS.get(path.suffix.lower())
    if clock is None or (rate <= clock.fastest and clock.ticks % rate == 0):
        return ""
    if rate > clock.fastest:
        return (
            f"A {clock.name} shows at most {clock.fastest} pictures a second: of {rate} a second the others are left "
            "out, and the animation lasts as long as it should. An .mp4 keeps them all."
        )
    low = clock.ticks // rate
    held = f"{low} or {low + 1} hundredths" if clock.ticks == 100 else f"{low} or {low + 1} thousandths"
    return f"A {clock.name} holds each picture for {held} of a second: {rate} a second on average."


def write_timed(pages: Iterable[np.ndarray], ticks: Sequence[int], path: Path) -> Path:
    """Pictures `(H, W, 3)` uint8 as an endless GIF or WebP, as the ending says; each is held for its `ticks`."""
    clock = CLOCKS[path.suffix.lower()]
    images = (Image.fromarray(page) for page in pages)
    if clock.name == "GIF":
        images = (image.quantize(256, dither=Image.Dither.NONE) for image in images)
    held = [tick * 1000 // clock.ticks for tick in ticks]  # milliseconds, as Pillow counts
    how: dict[str, Any] = {} if clock.name == "GIF" else {"quality": 90, "method": 2}
    with atomic_file(path) as file:
        next(images).save(file, clock.name, save_all=True, append_images=images, duration=held, loop=0, **how)
    return path


def write_mp4(pages: Iterator[np.ndarray], rate: int, path: Path) -> Path:
    """Pictures `(H, W, 3)` uint8 as H.264 video, `rate` a second. Missing without a program that writes it,
    RunUnwritable where it cannot write; then nothing is left behind.
    """
    program = import_ffmpeg()
    part = path.with_name(f".{path.stem}{PART}.mp4")
    first = _even(next(pages))
    try:
        _encode(program, chain([first], map(_even, pages)), rate, part, path)
        part.replace(path)
    except BaseException as error:  # a full disk, or Ctrl-C
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise
    return path


def _encode(program: str, pages: Iterator[np.ndarray], rate: int, part: Path, path: Path) -> None:
    """Give the pictures to ffmpeg. Its exit code counts: it may fail after the last picture was taken."""
    first = next(pages)
    size = f"{first.shape[1]}x{first.shape[0]}"
    taken = [*RAW, "-s", size, "-r", str(rate), "-i", "-"]
    with tempfile.TemporaryFile() as said:
        command = [program, "-v", "error", *taken, *H264, str(part.absolute())]  # absolute: no name is an option
        try:
            video = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        except OSError as error:
            raise Missing(f"Cannot run {program} to write an MP4: {error.strerror}. {OTHERWISE}") from error
        try:
            assert video.stdin is not None
            with contextlib.suppress(BrokenPipeError), video.stdin as taking:  # it says itself why it has ended
                for page in chain([first], pages):
                    taking.write(page.tobytes())
            code = video.wait()
        except BaseException:
            video.kill()
            video.wait()
            raise
        if code:
            said.seek(0)
            lines = said.read(4000).decode("utf-8", "replace").strip().splitlines() or [f"exit code {code}"]
            why = printable(re.sub(r"^\[[^]]*\] ", "", lines[0]))[:200].rstrip(".")
            raise RunUnwritable(f"Cannot write {path}: ffmpeg says {why}. {OTHERWISE}")


def import_ffmpeg() -> str:
    """The program that writes videos: the one that imageio-ffmpeg brings, or finds. MissingExtra without the package,
    Missing where it has none for this computer.
    """
    try:
        package = importlib.import_module("imageio_ffmpeg")
    except ImportError as error:
        raise MissingExtra("imageio-ffmpeg", "video", "An MP4") from error
    try:
        return str(package.get_ffmpeg_exe())
    except RuntimeError as error:
        raise Missing(f"imageio-ffmpeg brings no ffmpeg for this computer. Install ffmpeg. {OTHERWISE}") from error


def _even(page: np.ndarray) -> np.ndarray:
    """H.264 wants even sides: one more row or column where needed."""
    return np.ascontiguousarray(np.pad(page, ((0, page.shape[0] % 2), (0, page.shape[1] % 2), (0, 0)), mode="edge"))
