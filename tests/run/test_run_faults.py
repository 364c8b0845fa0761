"""A disk that fails gives one named error, and what was written before is good to go on from."""

import errno
import os
import shutil

import pytest
from run_helpers import FaultyCalls, fingerprint, run_to_the_end, toy_config

from zeuxis.errors import RunUnwritable
from zeuxis.run import open_session
from zeuxis.storage import files

CONFIG = toy_config(generations=2, population=2, view_every=3)
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS)


def failing_with(code):
    def fail(name, arguments):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.long)])
def test_an_error_in_any_file_call_is_named_and_the_run_goes_on_afterwards(tmp_path, monkeypatch, stride):
    run_to_the_end(CONFIG, tmp_path / "unbroken")
    wanted = fingerprint(tmp_path / "unbroken")
    with monkeypatch.context() as patch:
        calls = FaultyCalls(patch)
        run_to_the_end(CONFIG, tmp_path / "counted")
    for at in range(0, calls.count, stride):
        folder = tmp_path / f"fault-{at}"
        with monkeypatch.context() as patch:
            FaultyCalls(patch, at, failing_with(ERRORS[at % len(ERRORS)]))
            with pytest.raises(RunUnwritable, match="Cannot write"):
                run_to_the_end(CONFIG, folder)
        run_to_the_end(CONFIG, folder)
        assert fingerprint(folder) == wanted, f"failed in call {at}"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "read-only"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "the disk"),
    ],
)
def test_the_error_says_what_to_do(tmp_path, monkeypatch, code, words):
    monkeypatch.setattr(files.calls, "write", lambda *arguments: failing_with(code)("write", arguments))
    with pytest.raises(RunUnwritable, match=words):
        files.atomic_write(tmp_path / "a", b"new")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "a"
    files.atomic_write(path, b"old")
    for call in ("write", "fsync", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(files.calls, call, lambda *arguments: failing_with(errno.ENOSPC)("", arguments))
            with pytest.raises(RunUnwritable):
                files.atomic_write(path, b"new")
        assert path.read_bytes() == b"old"
        assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_short_writes_are_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(files.calls, "write", lambda handle, data: os.write(handle, data[:3]))
    files.atomic_write(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_write_that_takes_nothing_is_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(files.calls, "write", lambda handle, data: 0)
    with pytest.raises(RunUnwritable, match="disk is full"):
        files.atomic_write(tmp_path / "a", b"new")


def test_the_file_is_synced_before_it_gets_its_name_and_the_folder_after(tmp_path, monkeypatch):
    order = []
    for name in ("write", "fsync", "rename", "sync_folder"):
        call = getattr(files.calls, name)
        monkeypatch.setattr(files.calls, name, lambda *a, name=name, call=call: (order.append(name), call(*a))[1])
    files.atomic_write(tmp_path / "a", b"new")
    assert order == ["write", "fsync", "rename", "sync_folder"]


def test_a_folder_removed_in_the_middle_is_said(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(RunUnwritable, match="folder is gone"), open_session(CONFIG, folder) as session:
        for event in session:
            if event.generation == 0:
                session.flush()
                shutil.rmtree(folder)


def test_a_file_where_the_folder_should_be_is_said(tmp_path):
    (tmp_path / "run").write_text("not a folder")
    with pytest.raises(RunUnwritable, match="is a file"):
        open_session(CONFIG, tmp_path / "run")


def test_what_a_killed_process_left_unfinished_is_swept_away(tmp_path):
    run_to_the_end(CONFIG, tmp_path)
    (tmp_path / "log" / ".000009.safetensors.part").write_bytes(b"half")
    run_to_the_end(CONFIG, tmp_path)
    assert not list(tmp_path.glob("**/.*.part"))
