"""Published weight files -> one model file (zeuxis.hub.model_file); what the program draws with is read from that."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from zeuxis.compute.device import shapes_only
from zeuxis.errors import BadInput, MissingModel, WeightsRefused
from zeuxis.hub import archives, legacy, pickles
from zeuxis.hub.beside import CONFIG, image_processor, read_json
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.extent import check_extent, has_complex
from zeuxis.hub.layouts import LAYOUTS
from zeuxis.hub.model_file import file_sha256, is_model, network, read_model, write_model
from zeuxis.hub.weights import fit, no_more_parts_than
from zeuxis.storage.places import check_file_place
from zeuxis.storage.reading import open_regular

WEIGHTS = ("model.safetensors", "pytorch_model.bin", "network.pkl")  # of a folder, the first that is there
UNKNOWN_LICENCE = "not stated in the file: look where it came from"


def read_raw(path: Path) -> Raw:
    """A published file, or a folder of one with its config.json, safely read. WeightsRefused, MissingModel."""
    if path.is_dir():
        found = [path / name for name in WEIGHTS if (path / name).is_file()]
        if not found:
            raise MissingModel(f"Expected one of {', '.join(WEIGHTS)} in the folder {path}, found none of them.")
        path = found[0]
    if not path.is_file():
        raise MissingModel(f"Expected a weight file at {path}, found none. Check the path.")
    content = _content(path)
    check_extent(content, path.stat().st_size, path)
    return Raw(path, content, read_json(path.parent / CONFIG), image_processor(path.parent))


def read_checkpoint(path: Path) -> Checkpoint:
    """The networks of a published file. WeightsRefused when no layout knows it, or one finds it damaged."""
    raw = read_raw(path)
    if has_complex(raw.content):
        raise WeightsRefused(raw.file, "holds complex numbers, and no network of this program has any")
    for name in LAYOUTS:
        layout = importlib.import_module(f"zeuxis.hub.layouts.{name}")
        if layout.claims(raw):
            try:
                checkpoint: Checkpoint = layout.translate(raw)
                _check(checkpoint, raw.file)
                return checkpoint
            except WeightsRefused:
                raise
            except Exception as error:  # a forged file may make any step of the translation fail
                raise WeightsRefused(raw.file, f"is damaged: {pickles.in_short(error)}") from error
    raise WeightsRefused(raw.file, f"holds {_in_words(raw.content)}, which no known layout is. See docs/models.md")


def convert(path: Path, out: Path | None = None, *, licence: str = "") -> Path:
    """Write `path` as a model file to `out` (default: beside it, as .safetensors) and return where. Atomic."""
    path = Path(path)
    source = read_raw_file(path)
    out = out or path.with_name(f"{path.stem if path.is_file() else path.name}.zeuxis.safetensors")
    check_file_place(out)
    if out.resolve() == source.resolve():
        raise BadInput(f"{out} is the source itself. Give another place with --out FILE.")
    if is_model(source) and read_model(source):
        raise BadInput(f"{path} is a model file already: use it as it is.")
    checkpoint = read_checkpoint(path)
    return write_model(
        out,
        checkpoint.family,
        checkpoint.parts,
        about=checkpoint.about,
        source={"file": source.name, "sha256": file_sha256(source), "bytes": source.stat().st_size},
        licence=licence or checkpoint.about.get("licence") or UNKNOWN_LICENCE,
        dtype=torch.float32,
    )


def read_raw_file(path: Path) -> Path:
    """The weight file itself, where `path` is one or the folder of one."""
    found = [path / name for name in WEIGHTS if (path / name).is_file()] if path.is_dir() else [path]
    if not found or not found[0].is_file():
        what = "something that is no file" if found and found[0].exists() else "none"
        raise MissingModel(f"Expected a weight file at {path}, found {what}. Check the path.")
    return found[0]


def _check(checkpoint: Checkpoint, file: Path) -> None:
    """Every part can be built from its facts and is filled by its tensors."""
    json.dumps(checkpoint.about)
    for part, held in checkpoint.parts.items():
        facts = json.loads(json.dumps(held.facts))
        with shapes_only(), no_more_parts_than(len(held.tensors)):  # a forged size costs nothing
            net = network(checkpoint.family, part, facts, file)
        fit(net, held.tensors, file)


def _content(path: Path) -> Any:
    return reader_of(path)(path)


def reader_of(path: Path) -> Callable[[Path], Any]:
    """What reads this file, by its first bytes. WeightsRefused for no kind of weight file."""
    with open_regular(path, "weight file") as file:
        if not os.fstat(file.fileno()).st_size:  # also what a system shows as a file: to read it may wait for ever
            raise WeightsRefused(path, "is empty. Fetch it again")
        head = file.read(64)
    if head[:4] == b"PK\x03\x04" or legacy.is_legacy(head):
        return archives.read_archive
    if head[8:9] == b"{" and head[:8] != b"\x80\x02}q\x00(" and int.from_bytes(head[:8], "little") < 10**8:
        return _safetensors
    if head[:1] == b"\x80" and len(head) > 1 and head[1] <= 5:
        return pickles.read_pickle
    kind = "a web page" if head.lstrip()[:1] == b"<" else "no weight file"
    raise WeightsRefused(path, f"is {kind}. Expected a pickle, a file of torch.save, or safetensors")


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError, RecursionError, RuntimeError) as error:
        raise WeightsRefused(path, f"cannot be read as safetensors: {error}. Fetch it again") from error


def _in_words(content: Any, inside: bool = False) -> str:
    """What a file holds that no layout knows; lists inside lists are only counted: they may hold themselves."""
    if isinstance(content, dict):
        names = ", ".join(str(key)[:40] for key in list(content)[:4])
        return f"a dictionary of {len(content)} ({names}{', ...' if len(content) > 4 else ''})"
    if isinstance(content, pickles.Inert):
        return f"an object of the class {content.name[:80]}"
    if isinstance(content, tuple | list) and not inside:
        kinds = ", ".join(sorted({_in_words(value, inside=True) for value in content[:8]}))[:160]
        return f"a {type(content).__name__} of {len(content)} ({kinds})"
    return f"a {type(content).__name__}"
