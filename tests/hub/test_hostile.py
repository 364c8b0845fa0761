"""Hostile and damaged files: nothing in them is run, and one clear error says so, quickly and within memory."""

import json
import os
import pickle
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import read_checkpoint, read_raw
from zeuxis.hub.pickles import Inert, unpickle

FIXTURES = Path(__file__).parent.parent / "fixtures"
HOSTILE = FIXTURES / "hostile"
EXPECTED = json.loads((HOSTILE / "expected.json").read_text())

PROBE = """
import resource, sys, time
from pathlib import Path
from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import read_checkpoint
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    read_checkpoint(Path(sys.argv[1]))
    print("read")
except WeightsRefused as error:
    assert error.file and error.reason
    print("refused")
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert time.perf_counter() - start < 5 and (after - before) / 1024 < 512, (time.perf_counter() - start, after - before)
"""


@pytest.mark.parametrize("name", EXPECTED)
def test_hostile_files_do_nothing(name, tmp_path):
    canary = tmp_path / "canary"
    environment = os.environ | {"ZEUXIS_CANARY": str(canary), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(HOSTILE / name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "refused"
    assert not canary.exists() and not (tmp_path / "PWNED").exists()


def test_embedded_source_is_kept_as_a_hash_only():
    root = read_raw(HOSTILE / "module_src_exec.pkl").content["G_ema"]
    assert isinstance(root, Inert) and len(root.args[0]) == 64


def test_errors_name_file_tensor_and_reason(tmp_path):
    content = torch.load(FIXTURES / "biggan_deep_32px/pytorch_model.bin", weights_only=True)
    content["generator.gen_z.bias"][3] = float("nan")
    path = tmp_path / "pytorch_model.bin"
    torch.save(content, path)
    (tmp_path / "config.json").write_text((FIXTURES / "biggan_deep_32px/config.json").read_text())
    with pytest.raises(WeightsRefused) as error:
        read_checkpoint(path)
    assert (error.value.file, error.value.tensor) == (path, "generator.gen_z.bias") and "NaN" in error.value.reason


@pytest.mark.parametrize(
    ("change", "tensor", "reason"),
    [
        (lambda state: state.pop("generator.gen_z.bias"), "generator.gen_z.bias", "is missing"),
        (lambda state: state.update({"extra": torch.zeros(2)}), "extra", "is not expected"),
        (lambda state: state.update({"generator.gen_z.bias": torch.zeros(5)}), "generator.gen_z.bias", "shape"),
        (
            lambda state: state.update({"generator.gen_z.weight_u": torch.zeros(1024)}),
            "generator.gen_z.weight",
            "spectral",
        ),
        (lambda state: state.update({"generator.bn.weight": "text"}), "generator.bn.weight", "expected a tensor"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, tensor, reason, tmp_path):
    content = torch.load(FIXTURES / "biggan_deep_32px/pytorch_model.bin", weights_only=True)
    change(content)
    torch.save(content, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text((FIXTURES / "biggan_deep_32px/config.json").read_text())
    with pytest.raises(WeightsRefused, match=reason) as error:
        read_checkpoint(tmp_path)
    assert error.value.tensor == tensor


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
        b"\x80\x04r\xff\xff\xff\x7f.",  # LONG_BINPUT with a forged memo number
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",  # BINBYTES8 of eight exabytes
        b"\x80\x04\x8a\xffx.",
        b"\x80\x04" + b"(" * 200_000 + b".",
        b"\x80\x04]" + b"\x85" * 100_000 + b".",  # a tuple in a tuple in a tuple
        b"\x80\x02(i__main__\nx\n.",
        b"\x80\x04}(" + b"]q\x00(h\x00h\x00e" + b"K\x01u.",
        b"",
    ],
    ids=range(11),
)
def test_forged_pickles_are_refused_at_once(data):
    start = time.process_time()  # not the clock: the machine may be busy
    try:
        unpickle(data, Path("forged.pkl"))
    except WeightsRefused as error:
        assert error.file.name == "forged.pkl"
    assert time.process_time() - start < 2


def test_a_key_whose_hash_takes_for_ever_is_refused():
    # t = (t, t) forty levels deep, as a key
    data = b"\x80\x04}K\x01" + b"2\x86" * 40 + b"K\x01s."
    with pytest.raises(WeightsRefused, match="as a key"):
        unpickle(data, Path("laugh.pkl"))


# A seeded fuzzer over every reader


class Foreign:
    """A class that no reader knows, as Lightning's callbacks are."""


def seeds(folder):
    """Small files of every kind, and beginnings of the larger fixtures."""
    state = {
        "layer1.0.conv1.weight": torch.randn(2, 3, 3, 3),
        "conv1.weight": torch.randn(2, 3, 3, 3),
        "fc.weight": torch.randn(2, 2),
    }
    torch.save(state, folder / "zip.bin")
    torch.save(state, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": state, "epoch": 3, "callbacks": {"a": 1}}, folder / "lightning.ckpt")
    torch.save({"state_dict": state, "callbacks": {Foreign: Foreign()}}, folder / "callbacks.ckpt")
    held = {"g_ema": state, "args": Foreign()}
    torch.save(held, folder / "old.ckpt", _use_new_zipfile_serialization=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out, but files of it are there
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "script.pt")
    save_file(state, folder / "plain.safetensors")
    (folder / "hf").mkdir()
    save_file(state, folder / "hf/model.safetensors")
    config = json.dumps({"model_type": "resnet", "layers": [[True, 2, 1]], "depths": [1, 2]}).encode()
    small = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    small["module.pkl"] = (HOSTILE / "module_src_exec.pkl").read_bytes()
    small["nested.pkl"] = (HOSTILE / "nested_storage.pkl").read_bytes()
    for name in ("stylegan2_tf_c0_32px", "stylegan_xl_stem_c10_16px", "stylegan2_ada_c0_64px"):
        small[f"{name}.pkl"] = (FIXTURES / name / "network.pkl").read_bytes()[:6000]
    return small, config


NAMES = [b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nload\n", b"cnumpy\ndtype\n", b"cdill._dill\n_load_type\n"]
OPCODES = [
    getattr(pickle, name)
    for name in dir(pickle)
    if isinstance(getattr(pickle, name), bytes) and len(getattr(pickle, name)) == 1
]


def mutant(data, rng):
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
        damaged[place:place] = rng.choice(NAMES) + rng.choice(
            [b"(S'touch PWNED'\ntR", b"X\x05\x00\x00\x00touch\x85R", b")R", b""]
        )
    else:
        other = rng.randrange(len(data))
        damaged[place:place] = data[other : other + rng.randrange(64)]
    return bytes(damaged)


def fuzz(count, folder):
    small, config = seeds(folder)
    rng, refused, names = random.Random(7), 0, sorted(small)
    for number in range(count):
        name = names[number % (len(names) + 1)] if number % (len(names) + 1) < len(names) else ""
        if name:
            target = folder / name
            target.write_bytes(mutant(small[name], rng))
        else:
            target = folder / "hf"
            (target / "config.json").write_bytes(mutant(config, rng))
        try:
            read_raw(target)
            read_checkpoint(target)
        except WeightsRefused:
            refused += 1
    assert refused > 0.9 * count  # hardly any of these is a network
    assert not (folder / "PWNED").exists() and not Path("PWNED").exists()


def test_ten_thousand_mutants_are_refused_or_read_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fuzz(10_000, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_mutants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fuzz(100_000, tmp_path)


def test_a_module_whose_state_is_odd_is_refused(tmp_path):
    path = tmp_path / "odd.pt"
    torch.save({"g_ema": {"input.input": torch.zeros(1, 2, 4, 4)}, "latent_avg": torch.zeros(3)}, path)
    with pytest.raises(WeightsRefused, match="is missing"):
        read_checkpoint(path)
