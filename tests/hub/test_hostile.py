"""Hostile and damaged files: nothing in them is run, and one clear error says so, quickly and within memory."""

import time
from pathlib import Path

import pytest
import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import read_checkpoint, read_raw
from zeuxis.hub.pickles import Inert, unpickle

FIXTURES = Path(__file__).parent.parent / "fixtures"
HOSTILE = FIXTURES / "hostile"


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


def test_a_module_whose_state_is_odd_is_refused(tmp_path):
    path = tmp_path / "odd.pt"
    torch.save({"g_ema": {"input.input": torch.zeros(1, 2, 4, 4)}, "latent_avg": torch.zeros(3)}, path)
    with pytest.raises(WeightsRefused, match="is missing"):
        read_checkpoint(path)
