"""Mutants of weight files of every format, read with limits on memory and time. Run as a program by the tests.

python fuzzing.py grammar 10 4 FOLDER     4 files of seed 10; FORMAT is one of `FORMATS`, or several with commas
python fuzzing.py hostile 0 0 FOLDER      every file of hostile_pickles.py (0: of full size)
python fuzzing.py fixtures 0 0 FOLDER     every file of tests/fixtures/hostile
"""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from fuzz_seeds import FIXTURES, FORMATS, opened, reheaded, repacked, rewritten, seed
from hostile_pickles import all_files, grammar, zipped
from safetensors.torch import save_file

from zeuxis.data.npz import open_npz
from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.convert import read_checkpoint
from zeuxis.hub.model_file import build, is_model, read_model

MEMORY, SECONDS = 2**30, 5  # over the interpreter, and of the processor, for one file


CALLS = [b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nload\n", b"cnumpy\ndtype\n", b"cdill._dill\n_load_type\n"]
OPCODES = [
    getattr(pickle, name)
    for name in dir(pickle)
    if isinstance(getattr(pickle, name), bytes) and len(getattr(pickle, name)) == 1
]


def mutant(data: bytes, rng: random.Random) -> bytes:
    """Flipped, cut, overwritten, with lengths forged, opcodes put in, or names that run something."""
    kind, place = rng.randrange(7), rng.randrange(len(data))
    damaged = bytearray(data)
    if kind == 0:
        return data[:place]
    if kind == 1:
        damaged[place] ^= 1 << rng.randrange(8)
    elif kind == 2:
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 3:
        damaged[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x40"])
    elif kind == 4:
        damaged[place:place] = b"".join(rng.choice(OPCODES) for _ in range(rng.randint(1, 6)))
    elif kind == 5:
        damaged[place:place] = rng.choice(CALLS) + rng.choice(
            [b"(S'touch PWNED'\ntR", b"X\x05\x00\x00\x00touch\x85R", b")R", b""]
        )
    else:
        other = rng.randrange(len(data))
        damaged[place:place] = data[other : other + rng.randrange(64)]
    return bytes(damaged)


def damaged(kind: str, data: bytes, rng: random.Random) -> bytes:
    """A mutant of a file: of the whole, or of what lies inside it, with checksums that fit."""
    if rng.random() < 0.3:
        return mutant(data, rng)
    if kind.endswith(".safetensors") and rng.random() < 0.4:
        return reheaded(data, rng)
    if kind == "model.safetensors":
        return rewritten(data, partial(mutant, rng=rng))
    if kind == "pack.npz":
        return repacked(data, partial(mutant, rng=rng), rng.randrange(3))
    if data[:2] == b"PK":
        body, storages = opened(data)
        return zipped(mutant(body, rng), storages)
    return mutant(data, rng)


def mutants(format_name: str, number: int, count: int, folder: Path) -> Any:
    """`count` files of the seed `number`, one after the other, each as the path to read."""
    torch.manual_seed(0)
    rng = random.Random(f"{format_name} {number}")
    seeds = {kind: seed(kind, folder) for kind in FORMATS[format_name]}
    save_file({"fc.weight": torch.zeros(2, 2)}, folder / "model.safetensors")
    for _ in range(count):
        kind = rng.choice(FORMATS[format_name])
        name, content = grammar(rng) if kind == "grammar" else (kind, damaged(kind, seeds[kind], rng))
        (folder / name).write_bytes(content)
        yield folder if kind == "config.json" else folder / name


def hostile(size: int, folder: Path) -> Any:
    """The files of hostile_pickles, with `size` steps (0: all)."""
    files = all_files(size or 60_000_000)
    while files:
        name, content = files.popitem()
        (folder / name).write_bytes(content)
        del content
        yield folder / name
        (folder / name).unlink()


def read(path: Path) -> None:
    """As the program would."""
    if path.suffix == ".npz":
        with open_npz(path, "pack") as pack:
            for name in pack.files:
                pack[name]
    elif path.is_file() and is_model(path):
        for part in read_model(path).parts:
            build(path, part)
    else:
        read_checkpoint(path)


def limited(paths: Any) -> tuple[int, int]:
    """Read each within the limits; how many there were, and how many were refused. SIGPROF kills what takes longer."""
    count = refused = 0
    slowest, worst = 0.0, Path()
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for path in paths:
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        start = time.process_time()
        try:
            read(path)
        except WeightsRefused as error:
            refused += 1
            assert error.file and error.reason and "MemoryError" not in str(error), error
        except BadInput as error:
            refused += 1
            assert path.suffix == ".npz" and "\n" not in str(error), error
        except BaseException:
            print("at file", count, path, flush=True)
            raise
        took = time.process_time() - start
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        count += 1
        slowest, worst = max((slowest, worst), (took, path))
    print(f"the slowest: {worst.name}, {slowest:.2f} s", flush=True)
    return count, refused


def main(kinds: str, number: int, count: int, place: Path) -> None:
    """Read the files of each kind, and print seeds and counts."""
    torch.set_num_threads(1)
    for each in kinds.split(","):
        print(f"{each}, seed {number}", flush=True)
        began = time.process_time()
        if each == "hostile":
            given = hostile(count, place)
        elif each == "fixtures":
            expected = json.loads((FIXTURES / "hostile/expected.json").read_text())
            given = [FIXTURES / "hostile" / name for name in expected]
        else:
            given = mutants(each, number, count, place)
        done, no = limited(given)
        print(f"{each}: {no} of {done} refused in {time.process_time() - began:.1f} s", flush=True)
        assert no == done if each in ("hostile", "fixtures") else no > 0.4 * done, "too many are read as they are"
        assert not (place / "PWNED").exists() and not Path("PWNED").exists()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
