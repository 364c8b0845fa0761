"""Mutants of weight files of every kind, read with limits on memory and time. Run as a program by the tests.

python fuzzing.py grammar 10 4 FOLDER     4 files of seed 10; FORMAT is one of `FORMATS`
python fuzzing.py hostile 0 0 FOLDER      every file of hostile_pickles.py (0: of full size)
python fuzzing.py fixtures 0 0 FOLDER     every file of tests/fixtures/hostile
"""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import signal
import sys
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from hostile_pickles import all_files, grammar, zipped
from safetensors.torch import save, save_file

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import read_checkpoint
from zeuxis.hub.model_file import build, is_model, read_model

FIXTURES = Path(__file__).parent.parent / "fixtures"
MEMORY, SECONDS = 2**30, 5  # over the interpreter, and of the processor, for one file
NETWORKS = {"stylegan2_tf_c0_32px": "tf", "stylegan_xl_stem_c10_16px": "xl", "stylegan2_ada_c0_64px": "ada"}
FORMATS = ["zip.bin", "legacy.bin", "lightning.ckpt", "callbacks.ckpt", "old.ckpt", "script.pt", "plain.safetensors",
           "model.safetensors", "hf", "module.pkl", "nested.pkl", *(f"{n}.pkl" for n in NETWORKS.values()),
           "grammar"]  # fmt: skip


class Foreign:
    """A class that no reader knows, as Lightning's callbacks are."""


def saved(content: Any, new: bool = True) -> bytes:
    """As torch.save writes it."""
    out = io.BytesIO()
    torch.save(content, out, _use_new_zipfile_serialization=new)
    return out.getvalue()


def seed_of(kind: str) -> bytes:
    """A small file of that kind, or the beginning of a larger one."""
    state = {"layer1.0.conv1.weight": torch.randn(2, 3, 3, 3), "fc.weight": torch.randn(2, 2)}
    if kind == "script.pt":
        out = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is on its way out, but files of it are there
            torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), out)
        return out.getvalue()
    if kind == "model.safetensors":
        facts = {"z_dim": 4, "c_dim": 0, "w_dim": 4, "channels": [4, 4], "img_channels": 3, "mapping_layers": 1}
        about = {"format": 1, "family": "stylegan2", "parts": {"generator": facts | {"rate": 0.01}}}
        return save({"generator.mapping.w_avg": torch.zeros(4)}, {"facts": json.dumps(about)})
    if kind == "hf":
        return json.dumps({"model_type": "resnet", "layers": [[True, 2, 1]], "depths": [1, 2]}).encode()
    for name, short in NETWORKS.items():
        if kind == f"{short}.pkl":
            return (FIXTURES / name / "network.pkl").read_bytes()[:3000]
    return {
        "zip.bin": lambda: saved(state),
        "legacy.bin": lambda: saved(state, False),
        "lightning.ckpt": lambda: saved({"state_dict": state, "epoch": 3, "callbacks": {"a": 1}}),
        "callbacks.ckpt": lambda: saved({"state_dict": state, "callbacks": {Foreign: Foreign()}}),
        "old.ckpt": lambda: saved({"g_ema": state, "args": Foreign()}, False),
        "plain.safetensors": lambda: save(state),
        "module.pkl": lambda: (FIXTURES / "hostile/module_src_exec.pkl").read_bytes(),
        "nested.pkl": lambda: (FIXTURES / "hostile/nested_storage.pkl").read_bytes(),
        "grammar": lambda: b"",
    }[kind]()


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


def opened(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the storages of a zip file; so that a mutant of the pickle has a checksum that fits."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    storages = {name.removeprefix("data/"): value for name, value in files.items() if name.startswith("data/")}
    return files["data.pkl"], storages


def mutants(kind: str, seed: int, count: int, folder: Path) -> Any:
    """`count` files, one after the other, each as the path to read."""
    torch.manual_seed(0)
    rng, data = random.Random(f"{kind} {seed}"), seed_of(kind)
    body, storages = opened(data) if data[:2] == b"PK" else (b"", {})
    (folder / "hf").mkdir(exist_ok=True)
    save_file({"fc.weight": torch.zeros(2, 2)}, folder / "hf/model.safetensors")
    for _ in range(count):
        if kind == "grammar":
            name, content = grammar(rng)
            (folder / name).write_bytes(content)
            yield folder / name
        elif kind == "hf":
            (folder / "hf/config.json").write_bytes(mutant(data, rng))
            yield folder / "hf"
        else:
            whole = not body or rng.random() < 0.3
            (folder / kind).write_bytes(mutant(data, rng) if whole else zipped(mutant(body, rng), storages))
            yield folder / kind


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
    if path.is_file() and is_model(path):
        for part in read_model(path).parts:
            build(path, part)
    else:
        read_checkpoint(path)


def limited(paths: Any) -> tuple[int, int]:
    """Read each within the limits; how many there were, and how many were refused. SIGPROF kills what takes longer."""
    count = refused = 0
    for path in paths:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        start = time.process_time()
        try:
            read(path)
        except WeightsRefused as error:
            refused += 1
            assert error.file and error.reason and "MemoryError" not in str(error), error
        except BaseException:
            print("at file", count, path, flush=True)
            raise
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        count += 1
        if time.process_time() - start > 1:
            print(f"{path.name}: {time.process_time() - start:.1f} s", flush=True)
    return count, refused


if __name__ == "__main__":
    torch.set_num_threads(1)
    kinds, place = sys.argv[1].split(","), Path(sys.argv[4])
    for each in kinds:
        print(f"{each}, seed {sys.argv[2]}", flush=True)
        began = time.process_time()
        if each == "hostile":
            given = hostile(int(sys.argv[3]), place)
        elif each == "fixtures":
            given = [
                FIXTURES / "hostile" / name for name in json.loads((FIXTURES / "hostile/expected.json").read_text())
            ]
        else:
            given = mutants(each, int(sys.argv[2]), int(sys.argv[3]), place)
        done, no = limited(given)
        print(f"{each}: {no} of {done} refused in {time.process_time() - began:.1f} s", flush=True)
        assert no == done if each in ("hostile", "fixtures") else no > 0.8 * done, "hardly any of these is a network"
        assert not (place / "PWNED").exists() and not Path("PWNED").exists()
