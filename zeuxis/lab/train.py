"""The training loop: one for every architecture. Progress is counted in images.

A fresh start and a resume are the same path: the newest checkpoint is always looked for first. The folder holds
train.json, log.jsonl, curves.png, samples/*.png, the checkpoint and, at the end, export/*.safetensors.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, RunDamaged, RunUnwritable, SearchStopped, ZeuxisError
from zeuxis.lab import checkpoint, curves
from zeuxis.lab.ema import Average
from zeuxis.lab.machine import choose_threads, pick_dtype
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab, Task
from zeuxis.storage.files import atomic_write
from zeuxis.storage.lock import RunLock

Line = dict[str, float]


def train(
    config: TrainConfig, data: Path, folder: Path, *,
    device: torch.device | None = None, weights: Path | None = None,
    report: Callable[[Line], None] = lambda line: None, say: Callable[[str], None] = lambda text: None,
) -> list[Path]:  # fmt: skip
    """Run the recipe `config` to its end in `folder` and return the exported weight files.

    `report` hears each line of the log, `say` sentences about how it is computed.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return _train(config, data, folder, device, weights, report, say)
    except ZeuxisError:
        raise
    except OSError as error:
        where = error.filename or folder
        raise RunUnwritable(
            f"Cannot read or write {where}: {error.strerror or error}. Mend that, or give another folder with --out; "
            "what was trained up to the last checkpoint is kept."
        ) from error


def _train(
    config: TrainConfig, data: Path, folder: Path, device: torch.device, weights: Path | None,
    report: Callable[[Line], None], say: Callable[[str], None],
) -> list[Path]:  # fmt: skip
    _check_place(folder)
    _check_recipe(config, folder)
    dtype, settled = _settled(config, folder, device, say)
    lab = Lab(config, data, device, dtype, weights)
    with torch.random.fork_rng(devices=[]):  # torch.nn draws initial weights from the global generator: put it back
        task: Task = TASKS[config.task](lab)
        notes = getattr(getattr(task, "train", None), "notes", [])
        for note in [*notes[:5], *([f"and {len(notes) - 5} more such notes"] if len(notes) > 5 else [])]:
            say(note)
        batch = getattr(task, "images_per_step", config.batch)
        averages = {
            name: Average(task.nets[name], config.ema, config.ema_half_life, config.ema_ramp, batch)
            for name in (task.averaged if config.ema or config.ema_half_life else ())
        }
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
        try:
            atomic_write(folder / "machine.json", json.dumps(settled).encode())
            atomic_write(folder / "train.json", config.model_dump_json(indent=1).encode())
            count = 0
            for line in steps(task, averages, config, folder, say):
                report(line)
                count += 1
            if not count:
                say(f"This training has its {config.images:,} images already: nothing was done.")
                if not list((folder / "export").glob("*.safetensors")):
                    task.export(averaged_nets(task, averages), folder / "export")
        finally:
            lock.release()
    return sorted((folder / "export").glob("*.safetensors"))


def _check_place(folder: Path) -> None:
    """BadInput for a place that cannot be a folder, before anything is loaded."""
    if not str(folder).strip() or folder == Path():
        raise BadInput("Expected a folder of its own for the training, got the current one. Give --out FOLDER.")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise BadInput(f"Expected a folder for the training, but {there} is a file. Give another --out FOLDER.")


def _settled(
    config: TrainConfig, folder: Path, device: torch.device, say: Callable[[str], None]
) -> tuple[torch.dtype, dict[str, Any]]:
    """Number type and threads: those that the folder's training began with, so that it goes on bit for bit."""
    path = folder / "machine.json"
    kept: dict[str, Any] = {}
    if path.exists():
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            kept = {"dtype": str(kept["dtype"]), "threads": max(1, min(1024, int(kept["threads"])))}
        except (ValueError, TypeError, KeyError) as error:
            raise RunDamaged(f"{path} cannot be read. Start afresh in another folder with --out.") from error
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(kept.get("dtype", "")) or pick_dtype(
        config.precision, device
    )
    threads, why = choose_threads(kept.get("threads"))
    name = "bf16" if dtype == torch.bfloat16 else "fp32"
    say(f"{device.type}, {name}, {threads} thread{'s' * (threads > 1)} ({why})")
    return dtype, {"dtype": name, "threads": threads}


def averaged_nets(task: Task, averages: dict[str, Average]) -> dict[str, nn.Module]:
    """The networks to look at: averages where there are any."""
    return dict(task.nets) | {name: average.net for name, average in averages.items()}


def steps(
    task: Task, averages: dict[str, Average], config: TrainConfig, folder: Path,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Line]:  # fmt: skip
    """The loop itself: step, average, report, checkpoint. Yields each line of the log."""
    done = checkpoint.load(task, averages, folder, say)
    batch: int = getattr(task, "images_per_step", config.batch)
    step, seconds = done.get("step", 0), float(done.get("seconds", 0))
    last = step * batch // config.checkpoint_every if done else -1  # due when the unbroken run would be
    curves.write_log(folder, [line for line in curves.read_log(folder) if line["images"] <= step * batch])
    sums: dict[str, float] = {}
    count, begin = 0, time.monotonic()
    while step * batch < config.images:
        losses = task.step(step, step * batch / config.images)
        step, count = step + 1, count + 1
        for name, average in averages.items():
            average.update(task.nets[name])
        sums = {key: sums.get(key, 0.0) + value for key, value in losses.items()}
        if not all(map(math.isfinite, losses.values())):
            raise SearchStopped(
                f"A loss became NaN or infinite at image {step * batch} ({losses}). Lower the rate, or use fp32."
            )
        images, end = step * batch, step * batch >= config.images
        if images // config.report_every > (images - batch) // config.report_every or end:
            spent = max(time.monotonic() - begin, 1e-9)
            line = {key: value / count for key, value in sums.items()}
            line = {"images": images, "images_per_second": count * batch / spent, **line}
            seconds, sums, count, begin = seconds + spent, {}, 0, time.monotonic()
            due = images // config.checkpoint_every > last or end
            if due:
                last = images // config.checkpoint_every
                line |= task.evaluate(averaged_nets(task, averages)) | {"seconds": round(seconds)}
                _show(task, averages, folder, images)
                task.export(averaged_nets(task, averages), folder / "export")  # a run that is cut leaves its best
            _log(folder, line)
            if due:  # the checkpoint last of all: a run killed before it does the same steps again
                curves.draw(folder)
                checkpoint.save(task, averages, {"step": step, "seconds": round(seconds)}, folder)
                begin = time.monotonic()
            yield line


def _show(task: Task, averages: dict[str, Average], folder: Path, images: int) -> None:
    grid = task.samples(averaged_nets(task, averages))
    if grid is not None:
        (folder / "samples").mkdir(exist_ok=True)
        curves.save_grid(grid, folder / "samples" / f"{images:09d}.png", getattr(task, "columns", 20))


def _log(folder: Path, line: Line) -> None:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _check_recipe(config: TrainConfig, folder: Path) -> None:
    """A folder belongs to one recipe; another one would mix two runs."""
    path = folder / "train.json"
    if not path.exists():
        return
    try:
        kept = TrainConfig.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise RunDamaged(f"{path} cannot be read as a recipe. Start afresh in another folder with --out.") from error
    if kept.model_copy(update={"images": config.images}) != config:  # a run may be made longer
        raise BadInput(f"{folder} holds a run of another recipe. Choose another folder with --out, or remove it.")
