"""`zeuxis doctor`: what it finds, what it says to do, and its exit code."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.hub.catalogue import MODELS
from zeuxis.hub.pocket import POCKET as SHIPPED
from zeuxis.tools import doctor


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty cache, and no switch of the user's."""
    for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE", "ZEUXIS_POCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    return tmp_path


def found():
    """Exit code and (part, name) -> finding."""
    result = zeuxis_("doctor", "--json")
    said = json.loads(result.output)
    assert said["usable"] == (result.exit_code == 0)
    return result.exit_code, {(row["part"], row["name"]): row for row in said["findings"]}


def test_a_good_installation_can_be_used(place):
    code, rows = found()
    assert code == 0 and not [row for row in rows.values() if row["state"] == "broken"]
    parts = {part for part, _ in rows}
    assert parts == {"versions", "extras", "devices", "threads", "folders", "network", "weights", "banks", "models"}
    assert all(row["about"] and "\n" not in row["about"] + row["todo"] for row in rows.values())
    assert all(row["todo"] for row in rows.values() if row["state"] != "ok")
    assert rows["models", "stylegan2-car"]["todo"] == "zeuxis models pull stylegan2-car"
    assert not (place / "cache").exists()  # it looks and leaves nothing


def test_every_shipped_weight_is_checked_and_its_licence_named():
    assert sorted(doctor.POCKET) == sorted(path.stem for path in SHIPPED.glob("*.safetensors"))
    rows = [row for row in doctor._pocket() if row.name != "data"]
    assert all(row.state == "ok" and "licence: " in row.about for row in rows)
    assert "CIFAR-10 states no licence" in rows[0].about


def test_a_damaged_and_a_missing_weight_are_found(place, monkeypatch):
    pocket = place / "pocket"
    shutil.copytree(SHIPPED, pocket, ignore=shutil.ignore_patterns("__pycache__"))
    (pocket / "judge.safetensors").unlink()
    damaged = pocket / "products.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setenv("ZEUXIS_POCKET", str(pocket))
    code, rows = found()
    assert code == 2
    assert "is not there" in rows["weights", "judge"]["about"] and "damaged" in rows["weights", "products"]["about"]
    assert {name for (_, name), row in rows.items() if row["state"] == "broken"} == {"judge", "products"}
    assert all("pip install" in rows["weights", name]["todo"] for name in ("judge", "products"))
    text = zeuxis_("doctor")
    assert text.exit_code == 2 and " X judge " in text.output and "2 broken (X)" in text.output


def test_switches_and_a_busy_machine_are_told(monkeypatch):
    monkeypatch.setenv("ZEUXIS_OFFLINE", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setattr("os.getloadavg", lambda: (99.0, 0.0, 0.0), raising=False)
    code, rows = found()
    assert code == 0
    assert rows["network", "offline"]["todo"] == "unset ZEUXIS_OFFLINE"
    assert rows["threads", "waiting"]["todo"] == "unset OMP_WAIT_POLICY" and rows["threads", "load"]["state"] == "note"


def test_folders_that_cannot_be_written_are_told(place, monkeypatch):
    (place / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ZEUXIS_CACHE", str(place / "file" / "cache"))
    code, rows = found()
    assert (
        code == 0 and rows["folders", "cache"]["state"] == "note" and "ZEUXIS_CACHE" in rows["folders", "cache"]["todo"]
    )


def test_a_full_disk_is_told(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    assert {row.name: row.state for row in doctor._folders()}["free disk"] == "note"


def test_what_is_not_installed_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(
        doctor, "requires", lambda name: ["numpy", "pyarrow>=18; extra == 'parquet'", 'x; extra == "test"']
    )
    monkeypatch.setattr(doctor, "_has", lambda package: False)
    assert [(row.name, row.todo) for row in doctor._extras()] == [("parquet", "pip install 'zeuxis[parquet]'")]
    monkeypatch.setattr(doctor, "CORE", ("no_such_package",))
    broken = [row for row in doctor._versions() if row.state == "broken"]
    assert [row.todo for row in broken] == ["pip install 'no_such_package'"]


def test_a_damaged_bank_does_not_hide_the_rest(place):
    bank = place / "cache" / "banks" / "b"
    bank.mkdir(parents=True)
    (bank / "bank.json").write_text("{", encoding="utf-8")
    code, rows = found()
    assert code == 0 and rows["banks", "banks"]["state"] == "note" and ("models", "stylegan2-car") in rows


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def _offline():
        raise RuntimeError("no\nsuch luck")

    monkeypatch.setattr(doctor, "_offline", _offline)
    [row] = [row for row in doctor.examine() if row.state == "broken"]
    assert row.part == "offline" and "no such luck" in row.about


def test_published_models_are_counted_or_listed():
    short, long = zeuxis_("doctor").output, zeuxis_("doctor", "--all").output
    missing = [row["name"] for (part, _), row in found()[1].items() if part == "models" and row["todo"]]
    assert f"{len(missing)} published models are not here" in short and set(missing) <= set(MODELS)
    assert all(f"zeuxis models pull {name}" in long for name in missing)
