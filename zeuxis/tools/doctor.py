"""What this installation can do: versions, devices, threads, folders, weights, models. One finding to a line."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from zeuxis import __version__
from zeuxis.compute import threads
from zeuxis.errors import Missing, ZeuxisError

State = Literal["ok", "note", "broken"]

CORE = ("torch", "numpy", "safetensors", "pillow", "typer", "rich", "pydantic", "platformdirs", "matplotlib", "jinja2")
IMPORTED_AS = {"pillow": "PIL"}
POCKET = (
    "generator",
    "judge",
    "mobilenet_v1",
    "mobilenet_v2",
    "products",
    "scorer",
    "scorer64",
    "scorer_second",
    "things",
)
REINSTALL = "Install the package again: pip install --force-reinstall zeuxis"
LITTLE = 2**30  # bytes of free disk under which a long run may not find room
REQUIREMENT = re.compile(r"^([\w.-]+).*;\s*extra\s*==\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True)
class Finding:
    """`state` "note" means that something may be wanted, "broken" that something needed does not work.

    `about` says in a sentence what is there, `todo` what to do next, "" for nothing.
    """

    part: str
    name: str
    state: State
    about: str
    todo: str = ""

    def row(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def examine() -> list[Finding]:
    """Every finding, in the order of a reader's questions. Nothing is written, downloaded or repaired."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        *(_versions, _extras, _plugins, _devices, _threads),
        *(_folders, _offline, _pocket, _banks, _models),
    )
    found: list[Finding] = []
    for check in checks:
        try:
            found += check()
        except Exception as error:  # one part that is out of order must not hide the others
            words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            found.append(
                Finding(check.__name__.strip("_"), "check", "broken", f"Could not be checked: {words}.", REINSTALL)
            )
    return found


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "zeuxis", "ok", f"{__version__}, in {Path(__file__).resolve().parents[1]}")
    yield Finding("versions", "python", "ok", f"{platform.python_version()}, {sys.executable}")
    for package in CORE:
        try:
            importlib.import_module(IMPORTED_AS.get(package, package))
            yield Finding("versions", package, "ok", version(package))
        except Exception as error:
            words = " ".join(str(error).split())[:150]
            yield Finding("versions", package, "broken", f"Cannot be imported: {words}.", f"pip install '{package}'")


def _extras() -> Iterator[Finding]:
    """Each optional set of packages but that of the tests."""
    try:
        lines = requires("zeuxis") or []
    except PackageNotFoundError:
        yield Finding(
            "extras", "zeuxis", "note", "The package is not installed, only its folder is used.", "pip install ."
        )
        return
    sets: dict[str, list[str]] = {}
    for found in filter(None, map(REQUIREMENT.match, lines)):
        sets.setdefault(found[2], []).append(found[1])
    for extra, packages in sorted(sets.items()):
        lacking = [package for package in packages if not _has(package)]
        if extra == "test":
            continue
        if lacking:
            about = f"Not installed: {', '.join(lacking)}."
            yield Finding("extras", extra, "note", about, f"pip install 'zeuxis[{extra}]'")
        else:
            yield Finding("extras", extra, "ok", ", ".join(f"{package} {version(package)}" for package in packages))


def _has(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _plugins() -> Iterator[Finding]:
    from zeuxis import plugins
    from zeuxis.generators import GENERATORS
    from zeuxis.scorers import JUDGES, SCORERS
    from zeuxis.search import SEARCHES

    for table in (GENERATORS, SCORERS, JUDGES, SEARCHES):
        for name, point in table.installed().items():
            about = f"{table.kind}, {plugins.origin(point)}"
            try:
                plugins.load_installed(table.kind, point)
                yield Finding("plugins", name, "ok", about)
            except ZeuxisError as error:
                yield Finding("plugins", name, "note", str(error), f"pip uninstall {point.dist.name}")


def _devices() -> Iterator[Finding]:
    import torch

    from zeuxis.compute.device import choose_device, cpu_name

    yield Finding("devices", "cpu", "ok", f"{cpu_name()}, {threads.cores()} cores")
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(index)
        about = f"{torch.cuda.get_device_name(index)}, {_size(free)} of {_size(total)} free"
        yield Finding("devices", f"cuda:{index}", "ok", about)
    if torch.backends.mps.is_available():
        yield Finding("devices", "mps", "ok", "Apple's GPU")
    yield Finding("devices", "auto", "ok", f"--device auto takes {choose_device('auto')}.")


def _threads() -> Iterator[Finding]:
    import torch

    told = os.environ.get("OMP_NUM_THREADS")
    why = f", as OMP_NUM_THREADS={told} says" if told else ""
    yield Finding("threads", "count", "ok", f"{torch.get_num_threads()} threads on {threads.cores()} cores{why}")
    busy, load = threads.busy(), f"load {threads.load():.1f} on {threads.cores()} cores"
    yield Finding(
        "threads", "load", "note" if busy else "ok", busy or load, "Wait, or end other programs." if busy else ""
    )
    if threads.wait_policy() == "passive":
        yield Finding("threads", "waiting", "ok", "Threads sleep while they wait (OMP_WAIT_POLICY=PASSIVE).")
    else:
        about = f"Threads spin while they wait (OMP_WAIT_POLICY={threads.wait_policy()}): slow beside other programs."
        yield Finding("threads", "waiting", "note", about, "unset OMP_WAIT_POLICY")


def _folders() -> Iterator[Finding]:
    from zeuxis.hub.cache import cache_folder

    cache, here = cache_folder(), Path.cwd()
    if _writable(cache):
        yield Finding("folders", "cache", "ok", f"{cache}, {_size(_bytes_in(cache))}")
    else:
        about = f"{cache} cannot be written, so no model can be fetched or converted."
        yield Finding("folders", "cache", "note", about, "Set ZEUXIS_CACHE to a folder that can be written.")
    if not _writable(here):
        todo = "Change to a folder that can be written, or give --out."
        yield Finding("folders", "runs", "note", f"{here} cannot be written, and runs/ lies in it.", todo)
    free = shutil.disk_usage(here).free
    few, todo = free < LITTLE, "Make room, or give --out on another disk."
    yield Finding("folders", "free disk", "note" if few else "ok", f"{_size(free)} free here", todo if few else "")


def _offline() -> Iterator[Finding]:
    from zeuxis.hub.cache import offline

    names = [name for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE") if os.environ.get(name)]
    if offline():
        yield Finding(
            "network", "offline", "note", f"Nothing is downloaded: {' and '.join(names)} set.", f"unset {names[0]}"
        )
    else:
        yield Finding("network", "offline", "ok", "Downloads are allowed; only `zeuxis models pull` makes any.")


def _pocket() -> Iterator[Finding]:
    """Every weight of the package is hashed and compared with the sha256 that was written with it."""
    from zeuxis.hub.cache import file_sha256
    from zeuxis.hub.model_file import read_model, tensors_of
    from zeuxis.hub.pocket import pocket_path

    for name in POCKET:
        path = pocket_path(name)
        if not path.is_file():
            yield Finding("weights", name, "broken", f"{path} is not there.", REINSTALL)
            continue
        try:
            model = read_model(path)
            for part in model.parts:
                tensors_of(path, part)
        except ZeuxisError as error:
            yield Finding("weights", name, "broken", str(error), REINSTALL)
            continue
        data = f"; data: {model.about['data']}" if model.about.get("data") else ""
        about = f"whole, sha256 {file_sha256(path)[:12]}, {_size(path.stat().st_size)}; licence: {model.licence}{data}"
        yield Finding("weights", name, "ok", about)
    rights = "Some were trained on data for research only, or of unclear rights; NOTICE says which."
    yield Finding("weights", "data", "ok", rights)


def _banks() -> Iterator[Finding]:
    from zeuxis.scorers.bank import all_banks

    try:
        banks = all_banks()
    except ZeuxisError as error:
        yield Finding("banks", "banks", "note", str(error), "zeuxis bank build GENERATOR")
        return
    if not banks:
        yield Finding("banks", "banks", "ok", "None; a search starts from the prior.", "zeuxis bank build pocket")
    for bank in banks:
        yield Finding("banks", bank.facts["generator"], "ok", f"{bank.done:,} images for {bank.facts['scorer']}")


def _models() -> Iterator[Finding]:
    from zeuxis.hub import cache
    from zeuxis.hub.catalogue import MODELS, size_in_words
    from zeuxis.hub.locate import locate

    accepted = cache.read_json("licences.json")
    said = "; ".join(f"{name}: {licence}" for name, licence in accepted.items()) or "none"
    yield Finding("models", "licences", "ok", f"non-commercial ones that were accepted: {said}")
    for model in MODELS.values():
        try:
            yield Finding("models", model.name, "ok", f"here: {locate(model.name, model.kind)}")
        except Missing:
            about = f"not here ({model.kind}, {size_in_words(model.bytes)}, {model.licence})"
            yield Finding("models", model.name, "ok", about, f"zeuxis models pull {model.name}")
        except ZeuxisError as error:
            yield Finding("models", model.name, "note", str(error), f"zeuxis models pull {model.name}")


def _writable(folder: Path) -> bool:
    """Whether a file can be made in it, or the folder itself; leaves nothing behind."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
