"""Damage every file of every kind of folder, and see what the commands that read it make of it.

    python benchmarks/damage.py [--kinds run bank ...] [--small] [--part 0.1] [--seed 0]

Each file of a run, an archive's run, a start bank, a comparison, a training, a model file, a study, an experiment of
jobs and the studio's folder, is truncated at 50 places, has 50 bits flipped one by one, is emptied, taken away,
replaced by a folder, a link, a pipe, and by the file of the same name from another folder. Then the commands that read
it are called in this process. What may come out:

    same        as from the whole folder
    said        as from the whole folder, after a note; or with less, which is said
    refused     one sentence
    SILENT      something else, without a word
    TRACEBACK   an error that is not meant for people
    HANG        nothing within 30 seconds

The last three must be 0; the exit code says so. All takes 9 minutes of one core.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import torch
from damage_base import Action, Kind, Result, replaced
from damage_kinds import KINDS
from PIL import Image

from zeuxis.errors import ZeuxisError
from zeuxis.storage import files as storage_files

OUTCOMES = ("same", "said", "refused", "SILENT", "TRACEBACK", "HANG")
BAD = OUTCOMES[3:]
PATIENCE = 30.0  # seconds


class Hang(BaseException):
    """A command waits for something that never comes."""


def damages(path: Path, other: Path | None, rng: random.Random, many: int) -> list[tuple[str, Callable[[], object]]]:
    """Ways to damage one file; each acts on the file as it lies in a fresh copy."""
    data = path.read_bytes()
    found: list[tuple[str, Callable[[], object]]] = []
    sizes = sorted({round(k * (len(data) - 1) / max(1, many - 1)) for k in range(many)}) if len(data) > 1 else []
    found += [(f"cut at {size}", lambda size=size: path.write_bytes(data[:size])) for size in sizes]
    for _ in range(many if data else 0):
        at = rng.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        found.append((f"bit {at}", lambda flipped=bytes(flipped): path.write_bytes(flipped)))
    found += [("empty", lambda: path.write_bytes(b"")), ("missing", path.unlink)]
    found += [("folder", lambda: (path.unlink(), path.mkdir())), ("link", lambda: link(path))]
    if hasattr(os, "mkfifo"):
        found.append(("pipe", lambda: (path.unlink(), os.mkfifo(path))))
    if other is not None and other.is_file() and other.read_bytes() != data:
        theirs = other.read_bytes()
        found.append(("another's", lambda: path.write_bytes(theirs)))
    return found


def link(path: Path) -> None:
    """The file is moved out of its folder and a link to it stands in its place."""
    aside = path.parent.parent / f"aside-{path.name}"
    aside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(aside)


def outcome(action: Action, folder: Path, file: Path, wanted: object, said_before: set[str]) -> tuple[str, str]:
    """Which of OUTCOMES, and a line on it."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), patience():
            warnings.simplefilter("error")
            found = action(folder, file)
    except ZeuxisError as error:
        return "refused", str(error)[:200]
    except Hang:
        return "HANG", ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "TRACEBACK", f"{type(error).__name__}: {error!s:.120} ({Path(where.filename).name}:{where.lineno})"
    said = [note for note in found.said if note not in said_before]
    if found.value == wanted:
        return ("said", said[0][:120]) if said else ("same", "")
    return ("said", said[0][:120]) if said else ("SILENT", difference(found.value, wanted))


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Hang after PATIENCE seconds, where the system has such a clock."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def over(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def difference(found: object, wanted: object) -> str:
    """Where two results differ, in a line."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return str(sorted({*found, *wanted} - {k for k in found if wanted.get(k) == found[k]}))[:200]
    one, other = str(found), str(wanted)
    at = next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"{one[max(0, at - 40) : at + 60]!r} for {other[max(0, at - 40) : at + 60]!r}"


def survey(
    kind: Kind, work: Path, many: int, seed: int, tell: Callable[[str], None], part: float = 1.0
) -> Counter[str]:
    """Every damage to every file of one kind, or a random `part` of them; the counts of outcomes and "files"."""
    rng, counts = random.Random(seed), Counter[str]()
    whole, other, place = (work / name / kind.name for name in ("whole", "other", "copy"))
    for folder in (whole, other, place):
        folder.parent.mkdir(exist_ok=True)
    kind.make(whole, False)
    kind.make(other, True)
    for file in sorted(p.relative_to(whole) for p in whole.glob(kind.files) if p.is_file()):
        counts["files"] += 1
        written = file.name.startswith(kind.written) if kind.written else False
        for name, action in kind.actions.items():
            few = written and name not in kind.reads_written  # its content does not matter to this command
            twin = None if few or name in kind.named else other_file(other, file)
            fresh(whole, place)
            all_ways = damages(place / file, twin, random.Random(seed), 0 if few else many)
            ways = [way for way in all_ways if rng.random() <= part]
            found = action(place, file) if ways else Result()
            for what, damage in ways:
                fresh(whole, place)
                damage()
                came, line = outcome(action, place, file, found.value, set(found.said))
                counts[came] += 1
                if came in BAD:
                    tell(f"{came}  {kind.name} {name}: {file} {what}: {line}")
    return counts


def other_file(other: Path, file: Path) -> Path | None:
    """The file of that name in another folder; for a name that is a hash: any of its folder."""
    if (other / file).is_file():
        return other / file
    named = sorted(p for p in other.rglob(f"*{file.suffix}") if p.name == file.name)
    return next(iter(named or sorted((other / file.parent).glob(f"*{file.suffix}"))), None)


def fresh(whole: Path, place: Path) -> None:
    """A new copy of `whole` at `place`."""
    for old in place.parent.glob("aside-*"):
        old.unlink()
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place)


def plain_figures() -> contextlib.AbstractContextManager[None]:
    """Curves as a hash of their figures instead of a drawing, which takes a second."""
    from zeuxis.experiments import analysis, page
    from zeuxis.report import archive, html
    from zeuxis.studies import similarity

    def figures(one: Any) -> Any:
        if isinstance(one, list) and hasattr(next(iter(one), None), "images_so_far"):
            names = ("generation", "images_so_far", "best_score", "best", "mean", "worst", "images_per_second")
            return [[getattr(row, name) for name in names] for row in one]
        return one if isinstance(one, dict) else type(one).__name__

    def drawn(*what: Any, **how: Any) -> bytes:
        seen = hashlib.sha256(repr([figures(one) for one in what]).encode()).digest()
        data = io.BytesIO()
        Image.frombytes("RGB", (4, 2), seen[:24]).save(data, "PNG")
        return data.getvalue()

    def written(folder: Any, *what: Any) -> Path:
        path = Path(folder.path) / "curve.png"
        storage_files.atomic_write(path, drawn(*what))
        return path

    places: list[tuple[Any, str, Any]] = [(analysis, "ROUNDS", 5)]  # of the bootstrap
    places += [(html, "curve_png", drawn), (html, "write_curve", written), (archive, "archive_png", drawn)]
    places += [(html, "archive_png", drawn), (page, "curves_png", drawn), (page, "reversed_png", drawn)]
    places += [(similarity, "best_png", drawn), (similarity, "scores_png", drawn)]
    return replaced(places)


def without_waiting() -> contextlib.AbstractContextManager[None]:
    """A damaged file is no power cut: nothing waits for the disk."""
    calls = storage_files.calls
    return replaced([(calls, "fsync", lambda handle: None), (calls, "sync_folder", lambda folder: None)])


def fastest() -> str | None:
    """A file system in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def line_of(name: str, counts: Counter[str], seconds: float) -> str:  # of the table
    attacks = sum(counts[outcome] for outcome in OUTCOMES)
    told = "  ".join(f"{outcome} {counts[outcome]}" for outcome in OUTCOMES)
    return f"{name:<11} files {counts['files']:<3} commands {attacks:<6} {told}  {seconds:.0f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="3 cuts and 3 bits of each file")
    parser.add_argument("--kinds", nargs="+", choices=[kind.name for kind in KINDS], help="only these")
    parser.add_argument("--part", type=float, default=1.0, help="of all damages, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    total, say = Counter[str](), functools.partial(print, flush=True)
    with tempfile.TemporaryDirectory(dir=fastest()) as work, without_waiting(), plain_figures():
        for kind in KINDS:
            if given.kinds is None or kind.name in given.kinds:
                before = time.process_time()
                counts = survey(kind, Path(work), 3 if given.small else 50, given.seed, say, given.part)
                total += counts
                print(line_of(kind.name, counts, time.process_time() - before), flush=True)
    print(line_of("all", total, time.process_time()))
    return 1 if any(total[name] for name in BAD) else 0


if __name__ == "__main__":
    sys.exit(main())
