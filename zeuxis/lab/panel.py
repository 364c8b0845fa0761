"""One recipe with several training seeds: what it does, and how much of that is the seed's doing."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.lab import curves, history
from zeuxis.lab.folder import check_recipe
from zeuxis.lab.history import Line
from zeuxis.storage.files import atomic_write
from zeuxis.storage.places import check_folder_place

MOST = 100  # seeds
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # 97.5 % of Student's t, 1 to 9 degrees
NORMAL = 1.959964


@dataclass(frozen=True)
class Row:
    """A held-out figure at one image count, over `seeds` trainings.

    `low` and `high` bound the mean with 95 % (Student's t); they and `deviation` (of a sample) are NaN for one seed.
    """

    figure: str
    images: int
    seeds: int
    mean: float
    deviation: float
    low: float
    high: float


def train_panel(
    config: TrainConfig, seeds: int, folder: Path, one: Callable[[TrainConfig, Path], list[Path]],
    say: Callable[[str], object] = lambda text: None, done: Callable[[Path], object] = lambda folder: None,
) -> list[Path]:  # fmt: skip
    """Train `seeds` times, each by `one(recipe, sub-folder)`; `done` hears of the folder after each. Exported files.

    A training that stops for itself (a loss that is no number) is said and left out; SearchStopped if all do.
    """
    if not 1 <= seeds <= MOST:
        raise BadInput(f"Expected from 1 to {MOST} seeds, got {seeds}.")
    check_folder_place(folder)
    for seed in read_panel(folder):  # one mean over two recipes would be of neither
        check_recipe(config.model_copy(update={"seed": seed}), place(folder, seed))
    files, stopped = [], []
    for seed in range(config.seed, config.seed + seeds):
        say(f"seed {seed}, {seed - config.seed + 1} of {seeds}: {place(folder, seed)}")
        try:
            files += one(config.model_copy(update={"seed": seed}), place(folder, seed))
        except SearchStopped as error:
            stopped.append(seed)
            say(f"seed {seed} stopped: {error}")
        done(folder)
    if len(stopped) == seeds:
        raise SearchStopped(f"None of the {seeds} trainings came to its end; {folder} holds what there is of each.")
    return files


def place(folder: Path, seed: int) -> Path:
    """The folder of one training of the panel."""
    return folder / f"seed-{seed}"


def read_panel(folder: Path) -> dict[int, list[Line]]:
    """The logs of the trainings in a panel's folder, by seed."""
    found = {}
    for path in folder.glob("seed-*"):
        number = path.name.partition("-")[2]
        if number.isdecimal() and (path / "train.json").is_file():
            found[int(number)] = curves.read_log(path)
    return dict(sorted(found.items()))


def rows(logs: Mapping[int, Sequence[Line]]) -> list[Row]:
    """Every held-out figure at every image count that any training has, in order."""
    names = list(dict.fromkeys(name for lines in logs.values() for name in history.held_out(lines)))
    looks = {seed: {int(line["images"]): line for line in history.evaluations(lines)} for seed, lines in logs.items()}
    counts = sorted({images for found in looks.values() for images in found})
    table = []
    for name in names:
        for images in counts:
            values = [found[images][name] for found in looks.values() if name in found.get(images, {})]
            if values:
                table.append(_row(name, images, values))
    return table


def _row(name: str, images: int, values: Sequence[float]) -> Row:
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return Row(name, images, count, mean, math.nan, math.nan, math.nan)
    deviation = statistics.stdev(values)
    half = student(count - 1) * deviation / math.sqrt(count)
    return Row(name, images, count, mean, deviation, mean - half, mean + half)


def student(degrees: int) -> float:
    """The 97.5 % point of Student's t; from 10 degrees on by its expansion about the normal (error under 0.001)."""
    if degrees <= len(T):
        return T[degrees - 1]
    z = NORMAL
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + sum(term / float(degrees) ** power for power, term in enumerate(terms, 1))


def write_csv(folder: Path, table: Sequence[Row]) -> Path:
    """`panel.csv`; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([f.name for f in fields(Row)])
    writer.writerows(["" if value != value else value for value in astuple(row)] for row in table)
    path = folder / "panel.csv"
    atomic_write(path, text.getvalue().encode())
    return path


def seeds_words(count: int) -> str:
    """ "one training seed", "3 training seeds"."""
    return "one training seed" if count == 1 else f"{count} training seeds"
