"""Everything in the cache hashed anew: what is as it should be, and what has changed since it came."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zeuxis.errors import Missing, MissingModel, WeightsRefused
from zeuxis.hub import cache
from zeuxis.hub.catalogue import MODELS, Model
from zeuxis.hub.download import pull_hub
from zeuxis.hub.model_file import file_sha256, read_model, tensors_of


@dataclass(frozen=True)
class Finding:
    """One file: what it is called, its sha256, and what is wrong with it ("" for nothing)."""

    name: str
    sha256: str = ""
    problem: str = ""


def verify_model(model: Model) -> Iterator[Finding]:
    """The files of a catalogue model, against what was published and what first came. MissingModel without them."""
    if model.hub:
        yield from verify_hub(model)
    for file in model.files:
        place = cache.model_folder(model.name) / file.name
        if not place.is_file():
            raise MissingModel(f"The model {model.name} is not here. Fetch it: zeuxis models pull {model.name}")
        try:
            digest = cache.checked(place, bytes=file.bytes, sha256=file.sha256, prefix=file.prefix, full=True)
            yield Finding(f"{model.name}/{file.name}", digest)
        except (WeightsRefused, OSError) as error:
            yield Finding(f"{model.name}/{file.name}", problem=_reason(error))


def verify_hub(model: Model) -> Iterator[Finding]:
    """The files of a model from the Hub. Its cache calls each by the hash the Hub gave: SHA-256, or git's for small
    ones. MissingModel without them; MissingExtra without the package of the Hub.
    """
    folder = pull_hub(str(model.hub), model.revision, local=True)
    for place in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield _of_hub(f"{model.name}/{place.relative_to(folder)}", place)


def _of_hub(name: str, place: Path) -> Finding:
    wanted = place.resolve().name
    try:
        digest = file_sha256(place)
        if len(wanted) == 40:
            data = place.read_bytes()
            same = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == wanted
        else:  # where links are not possible, files have their own names
            same = len(wanted) != 64 or digest == wanted
    except OSError as error:
        return Finding(name, problem=_reason(error))
    return Finding(name, digest, "" if same else "has other bytes than the Hub gave")


def verify_all(models: Iterable[Model] = ()) -> Iterator[Finding]:
    """Every file of the cache: catalogue models, conversions, and the files of the user's that were converted.

    A damaged conversion is removed: the next command that needs it makes it anew.
    """
    for model in models or MODELS.values():
        if model.files and all((cache.model_folder(model.name) / file.name).is_file() for file in model.files):
            yield from verify_model(model)
        elif model.hub:
            with contextlib.suppress(Missing):
                yield from verify_hub(model)
    yield from map(_conversion, sorted((cache.cache_folder() / "converted").glob("*.safetensors")))
    for key in sorted(cache.read_json("records.json")):
        path = Path(key)
        if path.is_absolute() and path.is_file():
            yield _own(path)


def _conversion(path: Path) -> Finding:
    try:
        header = read_model(path)
        name = f"conversion of {header.known_as.name}"
        for part in header.parts:
            tensors_of(path, part)
        return Finding(name, file_sha256(path))
    except (WeightsRefused, MissingModel, OSError) as error:
        with contextlib.suppress(OSError):
            path.unlink()
        return Finding(
            f"converted/{path.name}", problem=f"{_reason(error)}; removed, it is made anew when it is needed"
        )


def _own(path: Path) -> Finding:
    stat, known = path.stat(), cache.recorded(path)
    if known is None or (known["bytes"], known["mtime"]) != (stat.st_size, stat.st_mtime_ns):
        return Finding(str(path), "written anew since its last use")
    try:
        digest = file_sha256(path)
    except OSError as error:
        return Finding(str(path), problem=_reason(error))
    return Finding(str(path), digest, "" if digest == known["sha256"] else "has other bytes than at its first use")


def _reason(error: Exception) -> str:
    said = error.reason if isinstance(error, WeightsRefused) else str(error)
    return said.partition(". ")[0].rstrip(".")
