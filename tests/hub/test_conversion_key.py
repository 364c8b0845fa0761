"""A conversion is kept for as long as everything that decided it stays as it was."""

import json
import shutil
from pathlib import Path

import pytest

from zeuxis.hub import beside
from zeuxis.hub.beside import conversion_key
from zeuxis.hub.locate import peek, ready

BIGGAN = Path(__file__).parent.parent / "fixtures/biggan_deep_32px"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net").mkdir()
    for name in ("config.json", "pytorch_model.bin"):
        shutil.copy(BIGGAN / name, tmp_path / "net")
    return tmp_path / "net"


def test_a_corrected_configuration_is_converted_anew(folder):
    first = ready(str(folder))
    assert ready(str(folder)) == ready(str(folder / "pytorch_model.bin")) == first
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"eps": 0.01}))
    assert ready(str(folder)) != first
    assert peek(str(folder)).parts["generator"]["eps"] == 0.01
    (folder / "config.json").write_text(json.dumps(config))
    assert ready(str(folder)) == first and peek(str(folder)).parts["generator"]["eps"] == config["eps"]


def test_the_key_holds_all_that_decides(folder, monkeypatch):
    source = folder / "pytorch_model.bin"
    keys = [conversion_key(source, "a"), conversion_key(source, "b"), conversion_key(source, "a", "MIT")]
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).write_text(json.dumps({"image_processor": {"size": len(name)}}))
        keys.append(conversion_key(source, "a"))
    monkeypatch.setattr(beside, "CONVERSION", 1000)
    keys.append(conversion_key(source, "a"))
    assert len(set(keys)) == len(keys)
    assert conversion_key(source, "a") == keys[-1]
