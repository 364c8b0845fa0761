"""The training loop: one for every architecture. Progress is counted in images.

A fresh start and a resume are the same path: the newest checkpoint is always looked for first. The folder holds
train.json, log.jsonl, curves.png, samples/*.png, the checkpoint and, at the end, export/*.safetensors and summary.json.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, RunUnwritable, SearchStopped, ZeuxisError
from zeuxis.lab import checkpoint, curves
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.ema import Average
from zeuxis.lab.folder import check_inside, check_place, check_recipe, notes_of, settled, summarise
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab, Task
from zeuxis.storage.checksummed import checked_line, checksummed_json
from zeuxis.storage.files import append_line, atomic_write, sweep
from zeuxis.storage.lock import RunLock

Line = dict[str, float]
SAVE_SECONDS = 600.0  # between two checkpoints at most, whatever `checkpoint_every` says


def train(
    config: TrainConfig, data: Path, folder: Path, *,
    device: torch.device | None = None, weights: Path | None = None,
    report: Callable[[Line], None] = lambda line: None, say: Callable[[str], None] = lambda text: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Path]:  # fmt: skip
    """Run the recipe `config` to its end in `folder` and return the exported weight files.

    `report` hears each line of the log, `say` sentences about how it is computed. `stop` is asked before each step and
    each line; its True writes a checkpoint and raises KeyboardInterrupt.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return _train(config, data, folder, device, weights, report, say, stop)
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
    report: Callable[[Line], None], say: Callable[[str], None], stop: Callable[[], bool],
) -> list[Path]:  # fmt: skip
    check_place(folder)
    check_inside(folder)
    check_recipe(config, folder)
    if weights is not None and not weights.is_dir():
        raise BadInput(f"Expected a folder with networks as --weights, got {weights}. Give the folder of an export.")
    dtype, machine = settled(config, folder, device, say)
    lab = Lab(config, data, device, dtype, weights)
    with torch.random.fork_rng(devices=[]):  # torch.nn draws initial weights from the global generator: put it back
        task = _built(lab)
        notes = notes_of(task)
        for note in notes:
            say(note)
        batch = getattr(task, "images_per_step", config.batch)
        averages = {
            name: Average(task.nets[name], config.ema, config.ema_half_life, config.ema_ramp, batch)
            for name in (task.averaged if config.ema or config.ema_half_life else ())
        }
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
        try:
            sweep(folder)
            done = _resumed(task, averages, config, folder, say)
            atomic_write(folder / "machine.json", checksummed_json(machine))
            atomic_write(folder / "train.json", checksummed_json(config.model_dump(mode="json")))
            line: Line = {}
            for line in steps(task, averages, config, folder, done, stop):
                report(line)
            if not line:
                say(f"This training has its {config.images:,} images already: nothing was done.")
                if not list((folder / "export").glob("*.safetensors")):
                    task.export(averaged_nets(task, averages), folder / "export")
            summarise(task, config, folder, done, notes)
        finally:
            lock.release()
    return sorted((folder / "export").glob("*.safetensors"))


def _built(lab: Lab) -> Task:
    """The recipe's task. BadInput also for what no check foresaw: a wrong option may fail in any constructor."""
    try:
        task: Task = TASKS[lab.config.task](lab)
        return task
    except (ZeuxisError, OSError, MemoryError):
        raise
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        said = str(error).partition("\n")[0][:200] or type(error).__name__
        raise BadInput(
            f"The task {lab.config.task} cannot be built with these options and data: {said}. Correct the recipe."
        ) from error


def averaged_nets(task: Task, averages: dict[str, Average]) -> dict[str, nn.Module]:
    """The networks to look at: averages where there are any."""
    return dict(task.nets) | {name: average.net for name, average in averages.items()}


def _resumed(
    task: Task, averages: dict[str, Average], config: TrainConfig, folder: Path, say: Callable[[str], None]
) -> Progress:
    """From the newest checkpoint, or from the beginning; the log without lines of steps that are done again."""
    done = checkpoint.load(task, averages, folder, say) or Progress()
    if done.step and not done.images:  # a checkpoint from before the header had these
        done.images = done.step * getattr(task, "images_per_step", config.batch)
        done.last = done.images // config.checkpoint_every
    kept = [line for line in curves.read_log(folder, say) if line["images"] <= done.images - (done.count > 0)]
    curves.write_log(folder, kept)
    return done


def steps(
    task: Task, averages: dict[str, Average], config: TrainConfig, folder: Path, done: Progress,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Line]:  # fmt: skip
    """The loop itself: step, average, report, checkpoint. Yields each line of the log; `done` is kept up to date.

    A checkpoint may be written between any two steps. It keeps the sums since the last line, so that the log of a
    resumed training has the lines of an unbroken one.
    """
    batch: int = getattr(task, "images_per_step", config.batch)
    saved, at = time.monotonic(), (done.step, done.count)
    while done.images < config.images or done.count:
        if stop():
            if (done.step, done.count) != at:
                checkpoint.save(task, averages, done, folder)
            raise KeyboardInterrupt
        end = done.images >= config.images
        if done.count and (end or done.images // config.report_every > (done.images - batch) // config.report_every):
            line, due = _line(task, averages, config, folder, done)
            if due:
                saved, at = time.monotonic(), (done.step, done.count)
            yield line
            continue
        begin = time.monotonic()
        losses = task.step(done.step, done.images / config.images)
        for name, average in averages.items():
            average.update(task.nets[name])
        done.step, done.images, done.count = done.step + 1, (done.step + 1) * batch, done.count + 1
        done.spent += time.monotonic() - begin
        if not all(map(math.isfinite, losses.values())):
            raise SearchStopped(
                f"A loss became NaN or infinite at image {done.images} ({losses}). Lower the rate, or use fp32."
            )
        done.sums = {key: done.sums.get(key, 0.0) + value for key, value in losses.items()}
        if time.monotonic() - saved >= SAVE_SECONDS:
            checkpoint.save(task, averages, done, folder)
            saved, at = time.monotonic(), (done.step, done.count)


def _line(
    task: Task, averages: dict[str, Average], config: TrainConfig, folder: Path, done: Progress
) -> tuple[Line, bool]:
    """A line of the log; with figures, samples, export and a checkpoint where one is due."""
    rate = done.count * (done.images // done.step) / max(done.spent, 1e-9)
    line: Line = {"images": done.images, "images_per_second": rate}
    line |= {key: value / done.count for key, value in done.sums.items()}
    due = done.images // config.checkpoint_every > done.last or done.images >= config.images
    done.seconds, done.sums, done.count, done.spent = done.seconds + done.spent, {}, 0, 0.0
    if due:
        done.last = done.images // config.checkpoint_every
        nets = averaged_nets(task, averages)
        line |= task.evaluate(nets) | {"seconds": round(done.seconds)}
        _show(task, averages, folder, done.images)
        task.export(nets, folder / "export")  # a run that is cut leaves its best
    _log(folder, line)
    if due:  # the checkpoint last of all: a run killed before it does the same steps again
        curves.draw(folder)
        checkpoint.save(task, averages, done, folder)
    return line, due


def _show(task: Task, averages: dict[str, Average], folder: Path, images: int) -> None:
    grid = task.samples(averaged_nets(task, averages))
    if grid is not None:
        (folder / "samples").mkdir(exist_ok=True)
        curves.save_grid(grid, folder / "samples" / f"{images:09d}.png", getattr(task, "columns", 20))


def _log(folder: Path, line: Line) -> None:
    append_line(folder / "log.jsonl", checked_line(line))
