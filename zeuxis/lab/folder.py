"""The folder of a training: where it may be, whose it is, what it keeps beside log and checkpoints.

train.json is the recipe, machine.json number type and threads, summary.json the end and what was left out of the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from zeuxis.compute.precision import pick_dtype
from zeuxis.compute.threads import choose_threads
from zeuxis.config import TrainConfig
from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.lab import checkpoint, curves, history
from zeuxis.lab.checkpoint import Progress
from zeuxis.lab.tasks.base import Task
from zeuxis.storage import files
from zeuxis.storage.checksummed import MAX_JSON, verified_if_checked
from zeuxis.storage.files import atomic_write
from zeuxis.storage.places import check_empty, check_folder_place
from zeuxis.storage.reading import LARGEST_BYTES, check_folder, read_plain

FILES = ("train.json", "machine.json", "log.jsonl", "summary.json", "curves.png", "report.html", "lock")
NAMED = 3  # pictures that could not be read and are named; the others are counted


def check_place(folder: Path) -> None:
    """BadInput or RunUnwritable for a place that cannot be the folder of a training, before anything is loaded.

    Nothing is left there. What a folder holds that is none of a training's would be written over by files of the same
    names.
    """
    if not str(folder).strip() or folder == Path():
        raise BadInput("Expected a folder of its own for the training, got the current one. Give --out FOLDER.")
    check_folder_place(folder, own="train.json")
    begun = ("train.json", checkpoint.NEWEST, checkpoint.PREVIOUS)
    if not folder.is_dir() or any((folder / name).exists() for name in begun):
        return
    check_empty(folder, "a training", ("lock", "machine.json"))


def check_inside(folder: Path) -> None:
    """RunDamaged where a link, a pipe or a folder stands in the place of what a training reads or writes here."""
    if folder.is_dir():
        check_folder(folder, ("samples", "export"), (*FILES, checkpoint.NEWEST, checkpoint.PREVIOUS))


def check_recipe(config: TrainConfig, folder: Path, say: Callable[[str], None] = lambda text: None) -> None:
    """A folder belongs to one recipe; another one would mix two runs. A damaged train.json is made again and said
    where the checkpoint is of this recipe, else RunDamaged.
    """
    path = folder / "train.json"
    if not path.exists():
        return
    try:
        kept = TrainConfig.model_validate_json(json.dumps(verified_if_checked(read_plain(path, MAX_JSON), path)[0]))
    except (ValueError, RunDamaged) as error:
        done = checkpoint.newest(folder)
        if done is not None and done.recipe == checkpoint.recipe_key(config):
            say(f"{path.name} was damaged and is written again: the checkpoint is of this recipe.")
            return
        raise RunDamaged(f"{path} cannot be read as a recipe. Start afresh in another folder with --out.") from error
    if kept.model_copy(update={"images": config.images}) != config:  # a run may be made longer
        raise BadInput(f"{folder} holds a run of another recipe. Choose another folder with --out, or remove it.")


def settled(
    config: TrainConfig, folder: Path, device: torch.device, say: Callable[[str], None]
) -> tuple[torch.dtype, dict[str, Any]]:
    """Number type and threads: those that the folder's training began with, so that it goes on bit for bit."""
    path, recipe = folder / "machine.json", checkpoint.recipe_key(config)
    kept: dict[str, Any] = {}
    try:
        if path.exists():
            found, _ = verified_if_checked(read_plain(path, MAX_JSON), path)
            if found.get("recipe", recipe) != recipe:
                raise ValueError("it belongs to a training by another recipe")
            kept = _machine(found)
        elif done := checkpoint.newest(folder):
            kept = _machine(done.machine) if done.machine else {}
    except (ValueError, TypeError, KeyError, RunDamaged) as error:
        done = checkpoint.newest(folder)
        if done is None or not done.machine:
            raise RunDamaged(f"{path} cannot be read. Start afresh in another folder with --out.") from error
        kept = _machine(done.machine)
        say(f"{path.name} was damaged and is written again: the checkpoint says how it was trained.")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(kept.get("dtype", "")) or pick_dtype(
        config.precision, device
    )
    threads, why = choose_threads(kept.get("threads"))
    name = "bf16" if dtype == torch.bfloat16 else "fp32"
    say(f"{device.type}, {name}, {threads} thread{'s' * (threads > 1)} ({why})")
    return dtype, {"dtype": name, "threads": threads}


def _machine(found: dict[str, Any]) -> dict[str, Any]:
    """ValueError, TypeError, KeyError for a table that says neither."""
    return {"dtype": str(found["dtype"]), "threads": max(1, min(1024, int(found["threads"])))}


def training_key(config: TrainConfig, task: Task) -> str:
    """What the log of a training is told from that of another by: its recipe and its data."""
    content = getattr(task, "origin", {}).get("content", "")
    return hashlib.sha256(f"{checkpoint.recipe_key(config)} {content}".encode()).hexdigest()[:16]


def exported_sha256(paths: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of exported files by their names."""
    return {path.name: hashlib.sha256(read_plain(path, LARGEST_BYTES)).hexdigest() for path in paths}


def mend_exports(done: Progress, folder: Path, again: Callable[[Path], object], say: Callable[[str], None]) -> None:
    """Make exports good that are no longer as they were written, and say so: `again` exports the checkpoint's networks.

    What that does not make again (the best of a training whose last networks are not its best) is set aside.
    """
    place = folder / "export"
    lost = _lost(done, place)
    if not lost and (done.exports or list(place.glob("*.safetensors"))):
        return
    again(place)
    still = _lost(done, place)
    for name in lost:
        if name not in still:
            say(f"export/{name} was damaged or missing and has been made again from the checkpoint.")
        elif (place / name).exists():
            aside = place / f"{name}.damaged"
            files.calls.rename(place / name, aside)
            say(f"export/{name} is not the file that was exported, nor can the checkpoint make it again: it is set "
                f"aside as {aside.name}. Restore it from a copy, or train again in another folder.")  # fmt: skip
        else:
            say(f"export/{name} is missing, and the checkpoint cannot make it again. Restore it from a copy, or train "
                "again in another folder.")  # fmt: skip


def _lost(done: Progress, place: Path) -> list[str]:
    """Exports that are not there as they were written."""
    lost = []
    for name, sha256 in done.exports.items():
        try:
            whole = exported_sha256([place / name])[name] == sha256
        except RunDamaged:
            whole = False
        lost += [] if whole else [name]
    return lost


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
    if _same(*(getattr(task, name, None) for name in ("train", "test"))):
        notes.append("The held-out pictures are those it is trained on: held-out figures say nothing of new pictures.")
    return list(dict.fromkeys(notes))  # training and held-out pictures may be the same


def _same(train: Any, test: Any) -> bool:
    """Whether one split serves as both: told from its size and first pictures."""
    if not isinstance(train, ImageSet) or not isinstance(test, ImageSet) or train.pixels.shape != test.pixels.shape:
        return False
    return torch.equal(train.pixels[:64], test.pixels[:64])


def _sets(task: Task) -> dict[str, ImageSet]:
    named = {name: getattr(task, name, None) for name in ("train", "test")}
    return {name: images for name, images in named.items() if isinstance(images, ImageSet)}


def sets_of(task: Task) -> dict[str, dict[str, Any]]:
    """Where each split is from, under which licence, how many pictures it has."""
    return {n: {"source": s.source, "licence": s.licence, "pictures": len(s)} for n, s in _sets(task).items()}


def summarise(
    task: Task, config: TrainConfig, folder: Path, done: Progress, notes: list[str], ended: str = ""
) -> None:  # fmt: skip
    """`summary.json`: the last figures, the best, what it was trained on, and what was left out of that.

    `ended` says why it ended before its last image.
    """
    whole = curves.read_log(folder)
    lines, best = history.evaluations(whole), history.best(whole)
    left_out = {name: images.left_out for name, images in _sets(task).items() if images.left_out}
    facts = {
        "about": config.about, "images": done.images, "seconds": round(done.seconds),
        "figures": lines[-1] if lines else {}, "data": getattr(task, "origin", {}), "sets": sets_of(task),
        "left_out": left_out, "notes": notes, "ended": ended,
    }  # fmt: skip
    if best is not None:
        name, line = best
        facts["best"] = {"by": name, "images": line["images"], "figures": line, "words": history.best_words(whole)}
    atomic_write(folder / "summary.json", json.dumps(facts, indent=1, ensure_ascii=False).encode("utf-8", "replace"))
