"""The page of a training, one file that renews itself while it goes on; the same in words and for TensorBoard."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, Missing, RunDamaged, ZeuxisError
from zeuxis.lab import curves, history
from zeuxis.lab.history import Line, Status
from zeuxis.report.html import PAGES, embed
from zeuxis.report.training_curves import HEIGHT, WIDTH, panels
from zeuxis.storage.checksummed import MAX_JSON, verified_if_checked
from zeuxis.storage.files import atomic_write
from zeuxis.storage.reading import check_folder, read_plain

SHARE = 0.01  # of the time at most, for the page
GRID_WIDTH = 1100  # pixels across; the folder has it whole
TENSORBOARD = "tensorboard"  # of its folder in that of the training
MOST_LOOKS = 100  # rows of the table; the log has all


@dataclass
class View:
    """What is shown of a training. `left` are seconds, `live` says whether it is under way, `ended` why it is not."""

    folder: Path
    config: TrainConfig
    lines: list[Line]
    images: int
    machine: dict[str, Any] = field(default_factory=dict)
    left: float | None = None
    live: bool = False
    ended: str = ""


def is_training(folder: Path) -> bool:
    """Whether a folder is that of a training, not of a run."""
    return (folder / "train.json").is_file() and not (folder / "run.json").exists()


def read_training(folder: Path) -> View:
    """A training folder, as its files say. RunDamaged where they are not as they were written."""
    check_folder(folder, ("samples", "export"), ("train.json", "machine.json", "log.jsonl", "summary.json"))
    try:
        config = TrainConfig.model_validate(_table(folder / "train.json"))
    except ValueError as error:
        raise RunDamaged(f"{folder / 'train.json'} cannot be read as a recipe. Start the training again.") from error
    lines = curves.read_log(folder)
    images = int(lines[-1]["images"]) if lines else 0
    view = View(folder, config, lines, images, _table(folder / "machine.json"))
    view.ended = str(_table(folder / "summary.json").get("ended", "")) or ("finished" * (images >= config.images))
    rates = [line["images_per_second"] for line in lines[-5:] if line.get("images_per_second", 0) > 0]
    if rates and not view.ended:
        view.left = (config.images - images) * len(rates) / sum(rates)
    return view


def _table(path: Path) -> dict[str, Any]:
    """A JSON file of the folder; {} where it is not there."""
    if not path.exists():
        return {}
    try:
        return verified_if_checked(read_plain(path, MAX_JSON), path)[0]
    except ValueError as error:
        raise RunDamaged(f"{path} cannot be read. The same training again writes it anew.") from error


def facts(view: View) -> list[tuple[str, str]]:
    """The training in two columns: what, and how much or which. What decides comes first."""
    config, machine = view.config, view.machine
    share = 100 * view.images / config.images
    found: list[tuple[str, str]] = [("images", f"{view.images:,} of {config.images:,} ({share:.0f} %)")]
    if view.ended:
        found.append(("state", view.ended))
    elif view.left is not None:
        found.append(("time left", f"about {history.duration(view.left)}"))
    if best := history.best_words(view.lines):
        found.append(("best so far", best))
    options = config.options
    parts = [str(options[name]) for name in ("architecture", "objective", "net") if name in options]
    found.append(("recipe", f"{config.about or config.task} ({', '.join([config.task, *parts])}), one training seed: "
                            f"{config.seed}, batch {config.batch}"))  # fmt: skip
    data = machine.get("data")
    for name, split in (("train", "data"), ("test", "held out")):
        if isinstance(data, dict) and isinstance(of := data.get(name), dict):
            count, source = of.get("pictures", "?"), of.get("source") or config.data
            found.append((split, f"{count} pictures: {source}; licence: {of.get('licence', 'unknown')}"))
    rates = [line["images_per_second"] for line in view.lines[-1:] if "images_per_second" in line]
    found += [("images per second", f"{rate:,.3g}") for rate in rates]
    if machine:
        threads = machine.get("threads", "?")
        device = f"{machine.get('device', '?')}, {machine.get('dtype', '?')}, threads: {threads}"
        found.append(("machine", f"{device}, {machine.get('cpu', 'processor not known')}"))
    return found


def collapse(view: View) -> list[str]:
    """Signs of collapse in the newest held-out figures, in words; says too that there are none. [] without figures."""
    looks = [line for line in history.evaluations(view.lines) if "collapse_signs" in line]
    if not looks:
        return []
    at = f"At {int(looks[-1]['images']):,} images"
    found = history.collapse_words(looks[-1])
    return [f"{at}: {said}" for said in found] or [f"{at} there is no sign of collapse."]


def command(view: View) -> str:
    """What makes this training go on: each word quoted, whatever a file says."""
    words = view.machine.get("command")
    known = [str(word) for word in words] if isinstance(words, list) else []
    return shlex.join(["zeuxis", "train", *known]) if known else ""


def newest_grid(folder: Path) -> Path | None:
    """The newest sample grid."""
    return max((folder / "samples").glob("*.png"), default=None)


def page(view: View, grid: str = "") -> str:
    """The page as HTML; `grid` is a data URI."""
    looks = history.evaluations(view.lines)
    names, decides = history.held_out(view.lines), history.best(view.lines)
    recipe = view.config.model_dump(mode="json", exclude_defaults=True)
    return PAGES.get_template("training.html").render(
        view=view, facts=facts(view), collapse=collapse(view), command=command(view), grid=grid,
        panels=panels(view.lines), width=WIDTH, height=HEIGHT, names=names, looks=looks[-MOST_LOOKS:],
        left_out=max(0, len(looks) - MOST_LOOKS), best=decides and decides[1], by=decides and decides[0],
        recipe=json.dumps(recipe, indent=1, ensure_ascii=False), notes=view.machine.get("notes") or [],
        written=time.strftime("%Y-%m-%d %H:%M:%S"),
    )  # fmt: skip


class TrainingPage:
    """Keeps `report.html` of a training up to date: a listener of the loop.

    It is written at the start and the end, and with lines of the log so seldom that it takes `SHARE` of the time at
    most. A page that cannot be written ends no training.
    """

    def __init__(self) -> None:
        self.machine: dict[str, Any] = {}
        self.seconds, self.written = 0.0, 0.0  # the last one took, was done at
        self.grid: tuple[Path | None, str] = None, ""

    def __call__(self, status: Status) -> None:
        """Hear what happened, and write where it is time."""
        now = time.monotonic()
        if status.happened == "step" or (
            status.happened == "line" and (now - self.written) * SHARE < self.seconds * (1 - SHARE)
        ):
            return
        with contextlib.suppress(ZeuxisError, OSError):
            self.write(status)
        self.written = time.monotonic()
        self.seconds = self.written - now

    def write(self, status: Status) -> None:
        """Write it now."""
        if status.happened == "start":
            self.machine = _table(status.folder / "machine.json")
        view = View(status.folder, status.config, status.lines, status.images, self.machine)
        view.left, view.ended = status.left(), status.ended
        view.live = status.happened != "end"
        place = newest_grid(status.folder)
        if place != self.grid[0]:
            self.grid = place, embed(read_plain(place), 1, GRID_WIDTH) if place is not None else ""
        write_page(view, self.grid[1])


def write_page(view: View, grid: str | None = None) -> Path:
    """`report.html` of a training; without `grid` its newest one is read. Atomic."""
    if grid is None:
        place = newest_grid(view.folder)
        grid = embed(read_plain(place), 1, GRID_WIDTH) if place is not None else ""
    path = view.folder / "report.html"
    atomic_write(path, page(view, grid).encode("utf-8", "replace"))
    return path


def check_one(folder: Path, seeds: int) -> None:
    """BadInput where the folder of a panel already holds a training of one seed."""
    if seeds > 1 and is_training(folder):
        raise BadInput(f"{folder} holds a training of one seed. Give another folder for several with --out.")


class TensorBoard:
    """A listener of the loop: scalars and sample grids. Missing without the package tensorboard.

    What a resumed training does again replaces what was.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise Missing("--tensorboard needs the package tensorboard. Install it: pip install tensorboard") from error
        self.kind: Any = SummaryWriter
        self.writer: Any = None
        self.grid: Path | None = None

    def __call__(self, status: Status) -> None:
        """Write what is new."""
        if status.happened == "start":
            self.writer = self.kind(str(status.folder / TENSORBOARD), purge_step=status.images + 1)
            self.grid = newest_grid(status.folder)
        elif status.happened == "line":
            line = status.lines[-1]
            looks, images = set(history.held_out(status.lines)), int(line["images"])
            for name, value in line.items():
                if name != "images":
                    self.writer.add_scalar(f"{'held out' if name in looks else 'step'}/{name}", value, images)
            place = newest_grid(status.folder)
            if place is not None and place != self.grid:
                with Image.open(place) as picture:
                    self.writer.add_image("samples", np.asarray(picture.convert("RGB")), images, dataformats="HWC")
                self.grid = place
            self.writer.flush()
        elif status.happened == "end" and self.writer is not None:
            self.writer.close()
