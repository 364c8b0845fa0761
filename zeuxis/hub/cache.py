"""The cache: where models lie on this machine, what their first download hashed to, which licences were accepted.

models/NAME/FILE      as published        converted/SHA256.safetensors      as the program reads them
records.json          file -> bytes, sha256, mtime of what was last checked        licences.json
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from zeuxis.errors import BadInput, MissingModel, RunDamaged, RunUnwritable, WeightsRefused
from zeuxis.storage.checksummed import MAX_JSON, checksummed_json, verified_json
from zeuxis.storage.files import NO_WAIT, atomic_write, make_folder
from zeuxis.storage.places import check_folder_place
from zeuxis.storage.reading import read_bounded


def cache_folder() -> Path:
    """`ZEUXIS_CACHE`, else the user's cache folder."""
    return Path(os.environ.get("ZEUXIS_CACHE") or platformdirs.user_cache_dir("zeuxis"))


def offline_switch() -> str:
    """The name of the environment variable that forbids the network; "" where none does."""
    names = ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE")
    return next((n for n in names if os.environ.get(n, "").lower() in ("1", "true", "yes", "on")), "")


def offline() -> bool:
    """Whether `ZEUXIS_OFFLINE` or `HF_HUB_OFFLINE` forbids the network."""
    return bool(offline_switch())


def check_writable() -> None:
    """RunUnwritable in one sentence where nothing can be written into the cache, before the work is done."""
    check_folder_place(cache_folder(), "ZEUXIS_CACHE" if os.environ.get("ZEUXIS_CACHE") else "the cache")


def model_folder(name: str) -> Path:
    """Where the files of a catalogue model lie."""
    return cache_folder() / "models" / name


def read_json(name: str) -> dict[str, Any]:
    """A small JSON file of the cache; {} where there is none, or it is damaged."""
    path = cache_folder() / name
    with contextlib.suppress(OSError, ValueError, RecursionError, BadInput):  # BadInput: a pipe, a folder, no byte
        found = json.loads(read_bounded(path, MAX_JSON))
        if isinstance(found, dict) and "sha256" in found:
            with contextlib.suppress(RunDamaged):
                return verified_json(path)
        elif isinstance(found, dict):  # as older versions wrote it
            return found
    return {}


def write_json(name: str, content: dict[str, Any]) -> None:
    """Write it, atomically and durably. RunUnwritable where that cannot be."""
    check_writable()
    make_folder(cache_folder())
    atomic_write(cache_folder() / name, checksummed_json(content))


@contextlib.contextmanager
def changing(name: str) -> Iterator[dict[str, Any]]:
    """The content of a JSON file of the cache, to be changed: written at the end. Two processes take turns."""
    check_writable()
    make_folder(cache_folder())
    flags = os.O_RDWR | os.O_CREAT | NO_WAIT  # a pipe in its place does not wait for a reader
    with os.fdopen(os.open(cache_folder() / f"{name}.lock", flags, 0o644), "wb") as lock:
        with contextlib.suppress(ImportError):  # no locks on this system
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        content = read_json(name)
        yield content
        write_json(name, content)


def record(path: Path, sha256: str) -> None:
    """Remember what a file was when it was last checked in full."""
    stat = path.stat()
    with changing("records.json") as records:
        records[_key(path)] = {"bytes": stat.st_size, "mtime": stat.st_mtime_ns, "sha256": sha256}


def remember(path: Path, sha256: str) -> None:
    """Hold a file of the user's to what it was at its first use, and remember that.

    WeightsRefused where its bytes are others though size and date are those of then: nobody wrote it, it was damaged.
    """
    stat, known = path.stat(), recorded(path)
    same = known is not None and (known["bytes"], known["mtime"]) == (stat.st_size, stat.st_mtime_ns)
    if known is not None and same and known["sha256"] != sha256:
        raise WeightsRefused(path, "has other bytes than at its first use, though nobody has written it since: the "
                                   "disk may be damaged. Get it again, or touch it to use it as it is")  # fmt: skip
    if not same:
        with contextlib.suppress(RunUnwritable):
            record(path, sha256)


def forget(path: Path) -> None:
    """Remember no longer what a file was: the next download of it counts as the first."""
    if recorded(path) is not None:
        with changing("records.json") as records:
            records.pop(_key(path), None)


def recorded(path: Path) -> dict[str, Any] | None:
    """What is remembered of a file."""
    found = read_json("records.json").get(_key(path))
    types = {"bytes": int, "mtime": int, "sha256": str}
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in types.items()):
        return None
    return found


def checked(path: Path, *, bytes: int | None = None, sha256: str | None = None, prefix: str | None = None,
            full: bool = False) -> str:  # fmt: skip
    """The sha256 of a cached file, after checking it against what the catalogue and the first download say.

    A file that was not touched since its last check is not hashed again unless `full`. WeightsRefused if it is another.
    """
    stat, known = path.stat(), recorded(path)
    if bytes is not None and stat.st_size != bytes:
        raise WeightsRefused(path, f"has {stat.st_size:,} bytes, expected {bytes:,}. Delete it and pull it again")
    untouched = known is not None and (known["bytes"], known["mtime"]) == (stat.st_size, stat.st_mtime_ns)
    digest = str(known["sha256"]) if known is not None and untouched and not full else file_sha256(path)
    wanted = sha256 or (str(known["sha256"]) if known else None)
    if (wanted and digest != wanted) or (prefix and not digest.startswith(prefix)):
        raise WeightsRefused(
            path,
            f"has sha256 {digest[:12]}..., expected {(wanted or prefix or '')[:12]}.... Delete it and pull it again",
        )
    if not untouched:
        with contextlib.suppress(RunUnwritable):  # a cache that others keep may be read-only: it is hashed each time
            record(path, digest)
    return digest


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    if not path.is_file():
        raise MissingModel(
            f"Expected a weight file at {path}, found none. Reinstall zeuxis, or train it: zeuxis list recipes"
        )
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _key(path: Path) -> str:
    try:
        return path.resolve().relative_to(cache_folder().resolve()).as_posix()
    except ValueError:
        return str(path.resolve())
