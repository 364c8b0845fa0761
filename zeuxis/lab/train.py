"""The training loop: one for every architecture. Progress is counted in images.

A fresh start and a resume are the same path: the newest checkpoint is always looked for first. The folder holds
train.json, log.jsonl, curves.png, samples/*.png, the checkpoint and, at the end, export/*.safetensors and summary.json.
`listener` hears of every step: bars, pages and others that show a training are made of that, outside of the loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from zeuxis.compute.device import cpu_name
from zeuxis.config import TrainConfig
from zeuxis.errors import BadInput, RunUnwritable, SearchStopped, ZeuxisError
from zeuxis.lab import checkpoint, curves, history, processes
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.ema import Average
from zeuxis.lab.folder import (
    check_inside,
    check_place,
    check_recipe,
    exported_sha256,
    mend_exports,
    notes_of,
    sets_of,
    settled,
    summarise,
    training_key,
)  # fmt: skip
from zeuxis.lab.history import Line, Listener, Status
from zeuxis.lab.sizes import bounded_networks
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab, Task
from zeuxis.storage.checksummed import checksummed_json
from zeuxis.storage.files import append_line, atomic_write, sweep
from zeuxis.storage.lock import RunLock

KEPT = "What was kept before, a checkpoint and exports, is left as it was."
SAVE_SECONDS = 600.0  # between two checkpoints at most, whatever `checkpoint_every` says


def train(
    config: TrainConfig, data: Path, folder: Path, *,
    device: torch.device | None = None, weights: Path | None = None,
    report: Callable[[Line], None] = lambda line: None, say: Callable[[str], None] = lambda text: None,
    stop: Callable[[], bool] = lambda: False, count: int = 1, listener: Listener = lambda status: None,
    command: Sequence[str] = (),
) -> list[Path]:  # fmt: skip
    """Run the recipe `config` to its end in `folder` and return the exported weight files.

    `report` hears each line of the log, `say` sentences about how it is computed. `stop` is asked before each step and
    each line; its True writes a checkpoint and raises KeyboardInterrupt. `count` processes share each batch.
    `command` are the words behind `zeuxis train` that do this again, kept in machine.json.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    processes.check(count, config, device)
    try:
        return _train(config, data, folder, device, weights, report, say, stop, count, listener, command)
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
    count: int, listener: Listener, command: Sequence[str],
) -> list[Path]:  # fmt: skip
    check_place(folder)
    check_inside(folder)
    check_recipe(config, folder, say)
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
            done.recipe, done.machine = checkpoint.recipe_key(config), machine
            told = {"recipe": done.recipe, "device": str(device), "data": sets_of(task), "notes": notes}
            told |= {"command": list(command), "cpu": cpu_name()}
            atomic_write(folder / "machine.json", checksummed_json(machine | told))
            atomic_write(folder / "train.json", checksummed_json(config.model_dump(mode="json")))
            status = Status(folder, config, str(device), curves.read_log(folder), done.images)
            _hear(listener, status, "start")
            try:
                _steps(task, averages, lab, status, done, report, say, stop, count, listener)
                mend_exports(done, folder, lambda place: task.export(averaged_nets(task, averages), place), say)
                summarise(task, config, folder, done, notes, status.ended)
                status.ended = status.ended or "finished"
            except BaseException as error:
                status.ended = "interrupted" if isinstance(error, KeyboardInterrupt) else f"stopped: {error}"
                raise
            finally:
                status.images = done.images
                _hear(listener, status, "end")
        finally:
            lock.release()
    return sorted((folder / "export").glob("*.safetensors"))


def _hear(listener: Listener, status: Status, happened: str) -> None:
    status.happened = happened
    listener(status)


def _steps(
    task: Task, averages: dict[str, Average], lab: Lab, status: Status, done: Progress,
    report: Callable[[Line], None], say: Callable[[str], None], stop: Callable[[], bool],
    count: int, listener: Listener,
) -> None:  # fmt: skip
    """All steps that are left, and what is said of them."""
    config, trained = lab.config, False
    status.ended = history.collapsed(status.lines, config)
    if not status.ended and (done.images < config.images or done.count):
        with processes.company(task, lab, status.folder, count) as company:

            def step(number: int, progress: float) -> dict[str, float]:
                losses = company.step(task, number, progress)
                status.images = (number + 1) * getattr(task, "images_per_step", config.batch)
                _hear(listener, status, "step")
                return losses

            for line in steps(task, averages, config, status.folder, done, stop, step):
                trained = True
                status.lines.append(line)
                report(line)
                _hear(listener, status, "line")
                if ended := history.collapsed(status.lines, config):
                    status.ended = ended
                    break
    if status.ended:
        say(status.ended)
    elif not trained:
        say(f"This training has its {config.images:,} images already: nothing was done.")
    if trained and (found := history.best(status.lines)) and found[1] is not history.evaluations(status.lines)[-1]:
        say(history.best_words(status.lines))


def _built(lab: Lab) -> Task:
    """The recipe's task. BadInput also for what no check foresaw: a wrong option may fail in any constructor."""
    try:
        with bounded_networks(lab.device):
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
    done = checkpoint.load(task, averages, folder, say, checkpoint.recipe_key(config)) or Progress(lines=0)
    if done.step and not done.images:  # a checkpoint from before the header had these
        done.images = done.step * getattr(task, "images_per_step", config.batch)
        done.last = done.images // config.checkpoint_every
    key = training_key(config, task)
    kept = [line for line in curves.read_log(folder, say, key) if line["images"] <= done.images - (done.count > 0)]
    if len(kept) < done.lines:
        say(f"log.jsonl lacks {done.lines - len(kept)} of its {done.lines} lines.")
    done.lines = len(kept)
    curves.write_log(folder, kept, key)
    return done


def steps(
    task: Task, averages: dict[str, Average], config: TrainConfig, folder: Path, done: Progress,
    stop: Callable[[], bool] = lambda: False, step: Callable[[int, float], dict[str, float]] | None = None,
) -> Iterator[Line]:  # fmt: skip
    """The loop itself: step, average, report, checkpoint. Yields each line of the log; `done` is kept up to date.

    `step` computes a step in place of the task itself.

    A checkpoint may be written between any two steps. It keeps the sums since the last line, so that the log of a
    resumed training has the lines of an unbroken one.
    """
    batch: int = getattr(task, "images_per_step", config.batch)
    saved, at = time.monotonic(), (done.step, done.count)
    while done.images < config.images or done.count:
        if stop():
            if (done.step, done.count) != at:
                _check_weights(task, done)
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
        losses = (step or task.step)(done.step, done.images / config.images)
        for name, average in averages.items():
            average.update(task.nets[name])
        done.step, done.images, done.count = done.step + 1, (done.step + 1) * batch, done.count + 1
        done.spent += time.monotonic() - begin
        _check_losses(losses, done)
        done.sums = {key: done.sums.get(key, 0.0) + value for key, value in losses.items()}
        if time.monotonic() - saved >= SAVE_SECONDS:
            _check_weights(task, done)
            checkpoint.save(task, averages, done, folder)
            saved, at = time.monotonic(), (done.step, done.count)


def _check_losses(losses: dict[str, float], done: Progress) -> None:
    """SearchStopped for a loss that is no number, the first one by name: they stand as they are computed."""
    wrong = [name for name, value in losses.items() if not math.isfinite(value)]
    if wrong:
        after = f", after it {', '.join(wrong[1:5])}" if wrong[1:] else ""
        raise SearchStopped(
            f"A loss became NaN or infinite at image {done.images}: first {wrong[0]} ({losses[wrong[0]]}){after}. "
            f"{KEPT} Lower the rate, or use fp32."
        )


def _check_weights(task: Task, done: Progress) -> None:
    """SearchStopped before weights that are no numbers are kept: a slope may be infinite where the loss was not."""
    for name, net in task.nets.items():
        if not all(bool(p.isfinite().all()) for p in net.parameters()):
            raise SearchStopped(
                f"Weights of the {name} became NaN or infinite before image {done.images}, by a slope that was. "
                f"{KEPT} Lower the rate, or use fp32."
            )


def _line(
    task: Task, averages: dict[str, Average], config: TrainConfig, folder: Path, done: Progress
) -> tuple[Line, bool]:
    """A line of the log; with figures, samples, export and a checkpoint where one is due."""
    rate = done.count * (done.images // done.step) / max(done.spent, 1e-9)
    line: Line = {"images": done.images, "images_per_second": rate}
    line |= {key: value / done.count for key, value in done.sums.items()}
    line |= getattr(task, "diagnostics", {})  # of the last step alone
    due = done.images // config.checkpoint_every > done.last or done.images >= config.images
    done.seconds, done.sums, done.count, done.spent = done.seconds + done.spent, {}, 0, 0.0
    if due:
        _check_weights(task, done)
        done.last = done.images // config.checkpoint_every
        nets = averaged_nets(task, averages)
        line |= task.evaluate(nets) | {"seconds": round(done.seconds)}
        _show(task, averages, folder, done.images)
        done.exports |= exported_sha256(task.export(nets, folder / "export"))  # a run that is cut leaves its best
    append_line(folder / "log.jsonl", curves.log_line(line, training_key(config, task)))
    done.lines += 1
    if due:  # the checkpoint last of all: a run killed before it does the same steps again
        curves.draw(folder)
        checkpoint.save(task, averages, done, folder)
    return line, due


def _show(task: Task, averages: dict[str, Average], folder: Path, images: int) -> None:
    grid = task.samples(averaged_nets(task, averages))
    if grid is not None:
        (folder / "samples").mkdir(exist_ok=True)
        curves.save_grid(grid, folder / "samples" / f"{images:09d}.png", getattr(task, "columns", 20))
