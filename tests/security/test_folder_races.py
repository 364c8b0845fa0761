"""Links put into a folder of ours after it was looked at: still nothing is read, written or removed outside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from zeuxis.errors import RunDamaged, RunUnwritable, ZeuxisError
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.run import RunFolder, reopen_session
from zeuxis.storage import files
from zeuxis.storage.files import append_line, atomic_write, open_plain, remove, sweep
from zeuxis.storage.lock import RunLock
from zeuxis.storage.reading import check_folder, read_plain


@pytest.fixture
def outside(tmp_path):
    path = tmp_path / "outside"
    path.mkdir()
    for name in ("a", ".a.part", "000000.safetensors", "000009.safetensors", "best.png", "precious"):
        (path / name).write_bytes(b"precious")
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with an inner one, looked at and found good."""
    path = tmp_path / "folder"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "a").write_bytes(b"ours")
    check_folder(path, ("inner",))
    return path


def swap(path, outside):
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to(outside)


def all_of(outside):
    return {p.name: p.read_bytes() for p in outside.iterdir()}


@pytest.mark.parametrize("relative", [True, False])
def test_a_folder_swapped_for_a_link_after_the_check(folder, outside, monkeypatch, relative):
    if relative and not files.RELATIVE:
        pytest.skip("this system opens nothing relative to a descriptor")
    monkeypatch.setattr(files, "RELATIVE", relative)
    before = all_of(outside)
    swap(folder / "inner", outside)
    for use, kind in (
        (lambda: read_plain(folder / "inner" / "a"), RunDamaged),
        (lambda: atomic_write(folder / "inner" / "a", b"new"), RunUnwritable),
        (lambda: append_line(folder / "inner" / "a", "line"), RunUnwritable),
        (lambda: remove(folder / "inner" / "a"), RunUnwritable),
        (lambda: sweep(folder / "inner"), RunUnwritable),
        (lambda: open_plain(folder / "inner" / "a", os.O_RDONLY), OSError),
    ):
        with pytest.raises(kind, match="link"):
            use()
    assert all_of(outside) == before


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
def test_a_folder_swapped_within_one_write(folder, outside, monkeypatch, call):
    """Whenever it happens: what was begun in the old folder does not arrive in the new one."""
    before, real = all_of(outside), getattr(files.calls, call)

    def and_swap(*arguments):
        if (folder / "inner").is_dir() and not (folder / "inner").is_symlink():
            (folder / "inner").rename(folder / "moved")
            (folder / "inner").symlink_to(outside)
        return real(*arguments)

    monkeypatch.setattr(files.calls, call, and_swap)
    with pytest.raises(RunUnwritable):
        atomic_write(folder / "inner" / "a", b"new")
    assert all_of(outside) == before and (folder / "moved" / "a").read_bytes() == b"ours"


def test_a_folder_that_its_user_names_by_a_link_is_used(folder, tmp_path):
    link = tmp_path / "by name"
    link.symlink_to(folder)
    check_folder(link, ("inner",))
    atomic_write(link / "inner" / "a", b"new")
    assert read_plain(folder / "inner" / "a") == b"new"
    remove(link / "inner" / "a")
    assert not (folder / "inner" / "a").exists()


def test_a_folder_that_cannot_be_listed_can_be_used(folder):
    (folder / "inner").chmod(0o300)
    try:
        atomic_write(folder / "inner" / "b", b"new")
    finally:
        (folder / "inner").chmod(0o700)
    assert (folder / "inner" / "b").read_bytes() == b"new"


def test_no_descriptor_is_left_open(folder, outside):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not list descriptors")
    before = count()
    for _ in range(20):
        atomic_write(folder / "inner" / "a", b"new")
        read_plain(folder / "inner" / "a")
    swap(folder / "inner", outside)
    for _ in range(20):
        with pytest.raises(ZeuxisError):
            read_plain(folder / "inner" / "a")
    assert count() == before


@pytest.mark.parametrize("name", ["log", "images", "checkpoint"])
def test_a_run_whose_folder_is_swapped_while_it_goes_on(plain, outside, name):
    before = all_of(outside)
    with pytest.raises(ZeuxisError), reopen_session(plain, generations=3) as session:
        for event in session:
            if event.generation == 2:
                session.flush()
                (plain / name).rename(plain / "moved")
                (plain / name).symlink_to(outside)
        session.finish()
    assert all_of(outside) == before


def test_a_log_swapped_after_the_first_look_is_not_read(plain, outside):
    folder = RunFolder(plain)
    assert folder.record
    shutil.copytree(plain / "log", outside / "log")
    swap(plain / "log", outside / "log")
    with pytest.raises(ZeuxisError, match="link"):
        folder.history()


def test_latents_of_an_experiment_swapped_after_the_first_look(tmp_path, outside):
    folder = ExperimentFolder(tmp_path / "all")
    folder.path.mkdir()
    folder.check()
    (folder.path / "latents").symlink_to(outside)
    before = all_of(outside)
    row = {"variant": "random", "phrase": "red", "seed": 0, "population": 4}
    folder._key = "x"
    with pytest.raises(RunUnwritable, match="link"):
        folder.append(row, torch.zeros(2, 3))
    assert all_of(outside) == before


@pytest.mark.parametrize(
    "name",
    [
        "run.json",
        "summary.json",
        "archive.json",
        "timing.jsonl",
        "lock",
        "images/best.png",
        "log/000002.safetensors",
        ".run.json.part",
    ],
)
def test_what_a_hard_link_shares_does_not_change(plain, outside, name):
    path = plain / name
    path.unlink(missing_ok=True)
    path.hardlink_to(outside / "precious")
    try:
        with reopen_session(plain, generations=2) as session:
            list(session)
            session.finish()
    except ZeuxisError:
        pass
    assert (outside / "precious").read_bytes() == b"precious"


def test_a_hard_link_is_read_and_is_no_place_to_write(folder, outside):
    (folder / "x").hardlink_to(outside / "a")
    assert read_plain(folder / "x") == b"precious"
    with pytest.raises(RunUnwritable, match="hard link"):
        append_line(folder / "x", "line")
    with pytest.raises(RunUnwritable, match="hard link"):
        (folder / "lock").hardlink_to(outside / "precious")
        RunLock(folder)
    assert (outside / "precious").read_bytes() == b"precious"
