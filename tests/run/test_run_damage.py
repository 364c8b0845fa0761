"""Files that are not as they were written: never believed, always said, and made good from what is left."""

import shutil

import pytest
import safetensors.torch
import torch
from run_helpers import fingerprint, run_to_the_end, toy_config

from zeuxis.errors import RunDamaged
from zeuxis.report.top import write_top
from zeuxis.run import RunFolder, checkpoint, open_session, reopen_session
from zeuxis.storage.checksummed import checksummed, checksummed_json, verified, verified_bytes, verified_json
from zeuxis.tools.replay import replay

CONFIG = toy_config()


@pytest.fixture
def finished(tmp_path):
    run_to_the_end(CONFIG, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def flip(path, at=-1, bit=0):
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def notes_of_a_resume(folder):
    with open_session(CONFIG, folder.path) as session:
        list(session)
        session.finish()
        return session.notes


def test_a_checkpoint_cut_at_any_byte_is_refused(finished):
    path = finished.checkpoint_path(4)
    whole = path.read_bytes()
    for size in range(len(whole)):
        with pytest.raises(RunDamaged):
            verified_bytes(whole[:size], path)
    assert verified_bytes(whole, path)[1]["generation"] == 4


def test_a_checkpoint_with_any_bit_flipped_is_refused(finished):
    path = finished.checkpoint_path(4)
    whole = path.read_bytes()
    for at in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(RunDamaged):
            verified_bytes(bytes(flipped), path)


@pytest.mark.parametrize("size", [0, 1, 100, 700, -1])
def test_a_cut_checkpoint_falls_back_and_says_so(finished, size):
    wanted = fingerprint(finished.path)
    path = finished.checkpoint_path(4)
    path.write_bytes(path.read_bytes()[:size])
    notes = notes_of_a_resume(finished)
    assert any("000004.safetensors is damaged" in note and "older state" in note for note in notes)
    assert notes == RunFolder(finished.path).notes
    assert fingerprint(finished.path) == wanted  # and the damaged one was replaced


def test_without_any_checkpoint_the_search_is_rebuilt_from_the_log(finished, tmp_path):
    """The state after telling the log again is the state that was saved."""
    saved = checkpoint.read(finished.checkpoint_path(4))[1]
    shutil.rmtree(finished.checkpoints)
    run_to_the_end(toy_config(generations=6), finished.path)
    run_to_the_end(toy_config(generations=6), tmp_path / "unbroken")
    wanted = fingerprint(tmp_path / "unbroken")
    assert fingerprint(finished.path) == wanted
    assert saved["generation"] == 5


def test_a_damaged_log_entry_is_bred_again(finished):
    wanted = fingerprint(finished.path)
    flip(finished.log_path(2))
    notes = notes_of_a_resume(finished)
    assert any("000002.safetensors is damaged" in note and "goes on from generation 2" in note for note in notes)
    assert fingerprint(finished.path) == wanted


def test_a_missing_log_entry_is_bred_again(finished):
    wanted = fingerprint(finished.path)
    finished.log_path(0).unlink()
    notes_of_a_resume(finished)
    assert fingerprint(finished.path) == wanted


def test_a_missing_grid_is_drawn_again(finished):
    wanted = fingerprint(finished.path)
    finished.grid_path(2).unlink()
    notes_of_a_resume(finished)
    assert fingerprint(finished.path) == wanted


def test_an_entry_in_another_one_s_place_is_not_believed(finished):
    shutil.copy(finished.log_path(1), finished.log_path(3))
    assert any("entry of generation 1" in note for note in notes_of_a_resume(finished))


def test_a_log_of_another_search_is_refused(finished, tmp_path):
    run_to_the_end(toy_config(seed=8), tmp_path / "other")
    shutil.rmtree(finished.checkpoints)
    shutil.rmtree(finished.log)
    shutil.copytree(tmp_path / "other" / "log", finished.log)
    with pytest.raises(RunDamaged, match="belongs to another run"):
        reopen_session(finished.path)


@pytest.mark.parametrize("change", [b'"seed": 7', b'"population": 4', b'"format": 1'])
def test_a_changed_run_json_is_refused(finished, change):
    text = finished.record_path.read_bytes()
    assert change in text
    finished.record_path.write_bytes(text.replace(change, change[:-1] + b"9"))
    with pytest.raises(RunDamaged, match=r"run\.json"):
        reopen_session(finished.path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"sha256": 1}', b"[" * 100_000])
def test_a_run_json_that_is_something_else_is_refused(finished, text):
    finished.record_path.write_bytes(text)
    with pytest.raises(RunDamaged, match=r"run\.json"):
        reopen_session(finished.path)


def test_a_sealed_file_gives_back_exactly_what_went_in(tmp_path):
    tensors = {
        "b": torch.tensor([1.0, torch.nan, -torch.inf]),
        "a": torch.arange(6).reshape(2, 3).T,
        "none": torch.empty(0, 4),
        "flag": torch.tensor(True),
    }
    path = tmp_path / "x.safetensors"
    path.write_bytes(checksummed(tensors, {"zeta": [1, None], "alpha": "é"}))
    back, header = verified(path)
    assert header == {"zeta": [1, None], "alpha": "é"}
    assert all(torch.equal(back[name].nan_to_num(9.0), t.nan_to_num(9.0)) for name, t in tensors.items())


def test_sealing_shared_memory_and_sealing_twice_give_the_same_bytes():
    x = torch.arange(8.0)
    assert checksummed({"x": x, "first": x[:4]}, {"k": 1}) == checksummed({"first": x[:4].clone(), "x": x}, {"k": 1})


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_a_sealed_file_is_byte_for_byte_what_safetensors_writes(dtype):
    tensors = {"x": torch.ones(3, 4).to(dtype).T, "one": torch.ones((), dtype=dtype), "none": torch.ones(0, 5)}
    sealed, own = checksummed(tensors, {}), {name: t.contiguous() for name, t in tensors.items()}
    about = {"zeuxis": sealed[35:99].decode() + " {}"}
    assert sealed == safetensors.torch.save(own, about)


def test_sealed_json_is_readable_and_checked(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(checksummed_json({"b": 1, "a": [1.5, "é"]}))
    assert verified_json(path) == {"b": 1, "a": [1.5, "é"]}
    path.write_bytes(path.read_bytes().replace(b"1.5", b"2.5"))
    with pytest.raises(RunDamaged, match="checksum"):
        verified_json(path)


@pytest.mark.parametrize("name", ["images/best.png", "images/final-0000.png", "top/01.png"])
def test_a_picture_of_another_run_is_not_replayed_as_one_of_this(finished, tmp_path, name):
    run_to_the_end(toy_config(seed=CONFIG.seed + 1), tmp_path / "other")
    for folder in (finished, RunFolder(tmp_path / "other")):
        write_top(folder, 2)
    assert replay(finished.path / name).agrees
    shutil.copy(tmp_path / "other" / name, finished.path / name)
    with pytest.raises(RunDamaged, match="not a picture that the run wrote"):
        replay(finished.path / name)
    shutil.copy(finished.path / name, tmp_path / "mine.png")
    assert replay(tmp_path / "mine.png").agrees


def test_a_missing_archive_is_said_and_made_again(tmp_path):
    measures = ("brightness", "blue|red:-1.5..1.5")
    config = toy_config(search="map-elites", measures=measures, options={"cells": 3}, generations=1)
    run_to_the_end(config, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    whole = folder.archive_path.read_bytes()
    folder.archive_path.unlink()
    with pytest.raises(RunDamaged, match=r"archive\.json is missing. Resume"):
        folder.archive()
    run_to_the_end(config, tmp_path / "run")
    assert folder.archive_path.read_bytes() == whole
