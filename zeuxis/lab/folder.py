"""The folder of a training: where it may be, whose it is, what it keeps beside log and checkpoints.

train.json is the recipe, machine.json number type and threads, summary.json the end and what was left out of the data.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from zeuxis.compute.precision import pick_dtype
from zeuxis.compute.threads import choose_threads
from zeuxis.config import TrainConfig
from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.lab import checkpoint, curves
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.tasks.base import Task
from zeuxis.storage.checksummed import MAX_JSON, verified_if_checked
from zeuxis.storage.files import atomic_write
from zeuxis.storage.reading import check_folder, read_plain

FILES = ("train.json", "machine.json", "log.jsonl", "summary.json", "curves.png", "lock")
NAMED = 3  # pictures that could not be read and are named; the others are counted


def check_place(folder: Path) -> None:
    """BadInput for a place that cannot be a folder or be written, before anything is loaded; nothing is left there."""
    if not str(folder).strip() or folder == Path():
        raise BadInput("Expected a folder of its own for the training, got the current one. Give --out FOLDER.")
    made: list[Path] = []
    try:
        missing = [path for path in (folder.absolute(), *folder.absolute().parents) if not path.exists()]
        there = folder.absolute() if not missing else missing[-1].parent
        if not there.is_dir():
            raise BadInput(f"Expected a folder for the training, but {there} is a file. Give another --out FOLDER.")
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
        probe = folder / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        reason = getattr(error, "strerror", None) or error
        raise BadInput(
            f"Expected a folder that can be written for the training, got {str(folder)[:200]!r}: {reason}. "
            "Give another --out FOLDER."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            for path in reversed(made):
                path.rmdir()


def check_inside(folder: Path) -> None:
    """RunDamaged where a link, a pipe or a folder stands in the place of what a training reads or writes here."""
    if folder.is_dir():
        check_folder(folder, ("samples", "export"), (*FILES, checkpoint.NEWEST, checkpoint.PREVIOUS))


def check_recipe(config: TrainConfig, folder: Path) -> None:
    """A folder belongs to one recipe; another one would mix two runs."""
    path = folder / "train.json"
    if not path.exists():
        return
    try:
        kept = TrainConfig.model_validate_json(json.dumps(verified_if_checked(read_plain(path, MAX_JSON), path)[0]))
    except (ValueError, RunDamaged) as error:
        raise RunDamaged(f"{path} cannot be read as a recipe. Start afresh in another folder with --out.") from error
    if kept.model_copy(update={"images": config.images}) != config:  # a run may be made longer
        raise BadInput(f"{folder} holds a run of another recipe. Choose another folder with --out, or remove it.")


def settled(
    config: TrainConfig, folder: Path, device: torch.device, say: Callable[[str], None]
) -> tuple[torch.dtype, dict[str, Any]]:
    """Number type and threads: those that the folder's training began with, so that it goes on bit for bit."""
    path = folder / "machine.json"
    kept: dict[str, Any] = {}
    if path.exists():
        try:
            kept, _ = verified_if_checked(read_plain(path, MAX_JSON), path)
            kept = {"dtype": str(kept["dtype"]), "threads": max(1, min(1024, int(kept["threads"])))}
        except (ValueError, TypeError, KeyError, RunDamaged) as error:
            raise RunDamaged(f"{path} cannot be read. Start afresh in another folder with --out.") from error
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(kept.get("dtype", "")) or pick_dtype(
        config.precision, device
    )
    threads, why = choose_threads(kept.get("threads"))
    name = "bf16" if dtype == torch.bfloat16 else "fp32"
    say(f"{device.type}, {name}, {threads} thread{'s' * (threads > 1)} ({why})")
    return dtype, {"dtype": name, "threads": threads}


def notes_of(task: Task) -> list[str]:
    """What a person has to know of the data and the networks it starts from, each a sentence."""
    notes: list[str] = list(getattr(task, "notes", []))
    for images in _sets(task).values():
        if images.left_out:
            lost, count = len(images.left_out), len(images.left_out) + len(images)
            named = ", ".join(text.partition(": ")[0] for text in images.left_out[:NAMED])
            more = f" and {lost - NAMED} more" if lost > NAMED else ""
            notes.append(
                f"Left out {lost} of {count:,} pictures that cannot be read: {named}{more}. summary.json will say why."
            )
        notes += images.notes
    return list(dict.fromkeys(notes))  # training and held-out pictures may be the same


def _sets(task: Task) -> dict[str, ImageSet]:
    named = {name: getattr(task, name, None) for name in ("train", "test")}
    return {name: images for name, images in named.items() if isinstance(images, ImageSet)}


def summarise(task: Task, config: TrainConfig, folder: Path, done: Progress, notes: list[str]) -> None:
    """`summary.json`: the last figures, what it was trained on, and what was left out of that."""
    lines = [line for line in curves.read_log(folder) if "seconds" in line]
    left_out = {name: images.left_out for name, images in _sets(task).items() if images.left_out}
    facts = {
        "about": config.about, "images": done.images, "seconds": round(done.seconds),
        "figures": lines[-1] if lines else {}, "data": getattr(task, "origin", {}), "left_out": left_out,
        "notes": notes,
    }  # fmt: skip
    atomic_write(folder / "summary.json", json.dumps(facts, indent=1, ensure_ascii=False).encode("utf-8", "replace"))
