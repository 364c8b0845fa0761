"""From a name to a file: a catalogue model, a local path, or a Hub id. Nothing is downloaded here."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from zeuxis.errors import MissingModel, RunUnwritable, WeightsRefused
from zeuxis.hub import cache
from zeuxis.hub.catalogue import MODELS, Model, size_in_words
from zeuxis.registry import unknown

if TYPE_CHECKING:
    from zeuxis.hub.header import Model as Header

CONVERSIONS = "conversions.json"  # in the cache: conversion -> SHA-256 of its head
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")


def locate(name: str, kind: str = "generator") -> Path:
    """Where the files of a model are. MissingModel with the command that fetches it; UnknownName with near names.

    A catalogue file is checked against its size and hash before it is handed out.
    """
    if name in MODELS:
        return _catalogued(MODELS[name])
    path = Path(name).expanduser()
    if path.exists():
        return path
    if HUB_ID.fullmatch(name) and path.suffix not in (".pkl", ".pt", ".pth", ".bin", ".safetensors", ".ckpt"):
        from zeuxis.hub.download import pull_hub

        return pull_hub(name, local=True)
    if len(path.parts) > 1 or path.suffix:
        raise MissingModel(f"Expected a weight file at {name[:200]}, found none. Check the path.")
    raise unknown(kind, name, [model.name for model in MODELS.values() if model.kind == kind] or list(MODELS))


def ready(name: str, kind: str = "generator") -> Path:
    """The model file that a name means; what is not converted yet is, once, into the cache."""
    path = locate(name, kind)
    from zeuxis.hub.beside import conversion_key
    from zeuxis.hub.convert import convert, read_raw_file, reader_of
    from zeuxis.hub.model_file import file_sha256, is_model

    if path.is_dir() and name in MODELS and MODELS[name].files:
        weights = [path / file.name for file in MODELS[name].files if not file.name.endswith(".json")]
        source = weights[0]
    else:
        source = read_raw_file(path)
    if is_model(source):
        return source
    reader_of(source)  # a file of another kind is to be refused before it is hashed
    known = cache.recorded(source) if name in MODELS else None
    digest = str(known["sha256"]) if known else file_sha256(source)
    if name not in MODELS:
        cache.remember(source, digest)
    licence = MODELS[name].licence if name in MODELS else ""
    converted = cache.cache_folder() / "converted" / f"{conversion_key(source, digest, licence)}.safetensors"
    if _is_whole(converted):
        return converted
    cache.check_writable()
    if converted.is_file():  # as a power cut may leave it
        logging.getLogger(__name__).warning("The conversion of %s was damaged and is made anew.", source.name)
        converted.unlink()
    convert(source, converted, licence=licence)
    with contextlib.suppress(RunUnwritable), cache.changing(CONVERSIONS) as known_heads:
        known_heads[converted.name] = _head_sha256(converted)
    return converted


def _is_whole(converted: Path) -> bool:
    """Whether a conversion is there with the head that it was written with; its tensors have checksums of their own."""
    from zeuxis.hub.model_file import read_model

    try:
        read_model(converted)
        return cache.read_json(CONVERSIONS).get(converted.name) in (None, _head_sha256(converted))
    except (WeightsRefused, MissingModel, OSError):
        return False


def _head_sha256(path: Path) -> str:
    """SHA-256 of what stands before the tensors of a safetensors file: their names, types, shapes and places."""
    with path.open("rb") as file:
        length = file.read(8)
        return hashlib.sha256(length + file.read(min(int.from_bytes(length, "little"), 10**8))).hexdigest()


def peek(name: str, kind: str = "generator") -> Header:
    """The header of the model file that a name means; what is not converted yet is, once, into the cache."""
    from zeuxis.hub.model_file import read_model

    return read_model(ready(name, kind))


def how_to_get(model: Model) -> str:
    """The command that fetches a model, with its size."""
    switch = cache.offline_switch()
    first = f", after `unset {switch}`" if switch else ""
    return f"zeuxis models pull {model.name} ({size_in_words(model.bytes)}){first}"


def _catalogued(model: Model) -> Path:
    if model.hub is not None:
        from zeuxis.hub.download import pull_hub

        try:
            return pull_hub(model.hub, model.revision, local=True)
        except MissingModel as error:
            if error.__class__ is not MissingModel:
                raise
            raise MissingModel(f"The model {model.name} is not here. Fetch it: {how_to_get(model)}") from error
    folder = cache.model_folder(model.name)
    for file in model.files:
        if not (folder / file.name).is_file():
            raise MissingModel(f"The model {model.name} is not here. Fetch it: {how_to_get(model)}")
        cache.checked(folder / file.name, bytes=file.bytes, sha256=file.sha256, prefix=file.prefix)
    return folder
