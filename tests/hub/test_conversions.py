"""What a disk does to files that were fine: damage is found, said once and mended, and never other pictures."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import WeightsRefused
from zeuxis.hub import cache
from zeuxis.hub.convert import read_checkpoint, read_raw
from zeuxis.hub.locate import ready
from zeuxis.hub.model_file import build, read_model

ADA = Path(__file__).parent.parent / "fixtures/stylegan2_ada_c5_32px/network.pkl"


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copy(ADA, tmp_path / "mine.pkl"))


def verify(*names):
    return CliRunner().invoke(app, ["models", "verify", *names])


@pytest.mark.parametrize("left", [0, 7, 8, 100, 5000, -1])
def test_a_conversion_that_a_power_cut_left_is_made_anew_and_said_once(left, source, caplog):
    path = ready(str(source))
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    caplog.clear()
    assert ready(str(source)) == path and load_file(path).keys() == read_and_keys(whole, path)
    assert ready(str(source)) == path
    assert [record.getMessage() for record in caplog.records] == [
        "The conversion of mine.pkl was damaged and is made anew."
    ]


def read_and_keys(whole, path):
    place = path.with_name("other")
    place.write_bytes(whole)
    found = load_file(place).keys()
    place.unlink()
    return found


def test_flipped_bits_of_a_conversion_are_mended_or_refused(source):
    path = ready(str(source))
    whole, rng = path.read_bytes(), random.Random(3)
    head = 8 + int.from_bytes(whole[:8], "little")
    told = read_model(path)
    kept = build(path).state_dict()
    for place in [rng.randrange(head) for _ in range(25)] + [rng.randrange(head, len(whole)) for _ in range(10)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            found = build(ready(str(source)))
        except WeightsRefused as error:
            assert "was damaged, and was removed" in str(error) and error.file.name == "mine.pkl"
            found = build(ready(str(source)))
        assert read_model(path) == told, place
        assert all(torch.equal(value, kept[key]) for key, value in found.state_dict().items()), place


def test_a_file_that_rots_where_it_lies_is_noticed(source):
    ready(str(source))
    stat = source.stat()
    data = bytearray(source.read_bytes())
    data[-5000] ^= 1
    source.write_bytes(data)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(WeightsRefused, match="other bytes than at its first use"):
        ready(str(source))
    assert "other bytes" in verify().output
    os.utime(source)  # whoever wrote it on purpose
    ready(str(source))


def test_verify_looks_at_everything_and_mends_conversions(source):
    path = ready(str(source))
    result = verify()
    assert result.exit_code == 0 and "conversion of mine.pkl" in result.output and str(source) in result.output
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 64
    path.write_bytes(damaged)
    result = verify()
    assert result.exit_code == 2 and "1 of 2 files changed" in result.output
    assert not path.exists() and verify().exit_code == 0
    assert (
        "The cache is empty."
        in CliRunner(env={"ZEUXIS_CACHE": str(path.parent)}).invoke(app, ["models", "verify"]).output
    )


def test_records_of_older_versions_are_read(source):
    cache.cache_folder().mkdir()
    old = {str(source.resolve()): {"bytes": 1, "mtime": 2, "sha256": "x"}}
    (cache.cache_folder() / "records.json").write_text(json.dumps(old))
    assert cache.recorded(source)["sha256"] == "x"


@pytest.mark.parametrize("new", [True, False])
def test_tied_weights_and_parts_of_a_storage_are_read(new, tmp_path):
    whole = torch.arange(60.0).reshape(6, 10)
    content = {"a": whole, "b": whole, "c": whole[1:3, ::2], "d": whole.T, "e": torch.zeros(0, 3), "f": torch.ones(())}
    content |= {"half": whole.half(), "complex": torch.ones(2, dtype=torch.complex64), "epoch": 3, "name": "x"}
    torch.save(content, tmp_path / "state.pth", _use_new_zipfile_serialization=new)
    found = read_raw(tmp_path / "state.pth").content
    assert found.keys() == content.keys() and (found["epoch"], found["name"]) == (3, "x")
    assert all(torch.equal(found[key], value) for key, value in content.items() if isinstance(value, torch.Tensor))


def test_a_flipped_bit_in_a_tensor_of_a_torch_file_is_refused(tmp_path):
    path = tmp_path / "state.pth"
    torch.save({"w": torch.full((100, 100), 1.5)}, path)
    data = bytearray(path.read_bytes())
    data[data.index(b"\x00\x00\xc0\x3f" * 8) + 800] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsRefused, match="Bad CRC-32"):
        read_checkpoint(path)
