"""How long runs will take: by the time that earlier ones took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from zeuxis.config import RunConfig
from zeuxis.errors import ZeuxisError
from zeuxis.experiments.kinds import run_config
from zeuxis.prompts.auto import settle
from zeuxis.run.folder import RunFolder
from zeuxis.storage.checksummed import verified_line
from zeuxis.storage.reading import read_plain
from zeuxis.studio.artist import Artist
from zeuxis.studio.plot import Plot

LOOKED_AT = 40  # of the newest run folders
LINES = 40  # of a run's times
LARGEST = 2**24  # bytes of a log of times
OPENING = 4.0  # seconds until a run has its models, and for its pictures at the end


def pace(runs: Path, config: RunConfig) -> float | None:
    """Images a second of the newest run here with the same generator and scorer; None where there is none."""
    for folder in _newest(runs):
        with contextlib.suppress(ZeuxisError, ValueError, KeyError, TypeError, OSError):
            other = folder.config
            if (other.generator, other.scorer) == (config.generator, config.scorer):
                images, seconds = _times(folder)
                if images >= config.population and seconds > 0:
                    return images / seconds
    return None


def seconds(images: int, runs: int, images_a_second: float) -> float:
    """For so many images in so many runs, one after another."""
    return images / images_a_second + OPENING * runs


def takes(runs: Path, plot: Plot, artist: Callable[[RunConfig], Artist]) -> float | None:
    """Seconds that a plot will take, by the newest run of its kind, else by drawing a few pictures; None where that
    cannot be.
    """
    config, _ = settle(run_config(plot.jobs[0].config))
    known = pace(runs, config)
    with contextlib.suppress(ZeuxisError):
        known = known or _tried(artist(config))
    return None if known is None else seconds(plot.images, plot.count, known)


def in_words(seconds: float) -> str:
    """A time that is not known exactly: "about 4 minutes"."""
    for unit, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 1.5 * unit:
            count = round(seconds / unit)
            return f"about {count} {name}{'' if count == 1 else 's'}"
    return f"about {max(5, 5 * round(seconds / 5))} seconds"


def _tried(artist: Artist) -> float:
    """Images a second of draws that are scored; the first of them may take longer."""
    artist.first()
    begun = time.perf_counter()
    return len(artist.first().pixels) / max(1e-6, time.perf_counter() - begun)


def _newest(runs: Path) -> Iterator[RunFolder]:
    """Runs, the newest first by their names, which begin with a date."""
    with contextlib.suppress(OSError):
        names = sorted((p for p in runs.iterdir() if not (p.name.startswith(".") or p.is_symlink())), reverse=True)
        found = (RunFolder(path) for path in names)
        yield from [folder for folder, _ in zip((f for f in found if f.exists()), range(LOOKED_AT), strict=False)]


def _times(folder: RunFolder) -> tuple[int, float]:
    """Images and seconds of the last generations but the first, whose time holds what is done only once."""
    images, seconds = 0, 0.0
    for line in read_plain(folder.timing_path, LARGEST).splitlines()[1:][-LINES:]:
        timing, _ = verified_line(line, folder.key)
        images += int(timing["images"])
        seconds += float(timing["seconds"])
    return images, seconds
