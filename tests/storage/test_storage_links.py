"""Links, pipes and folders in the place of our files: never followed, never waited for, refused in one sentence."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from zeuxis.errors import RunDamaged, RunLocked, RunUnwritable
from zeuxis.storage import files, lock
from zeuxis.storage.checksummed import checked_line, table, verified_line
from zeuxis.storage.files import append_line, atomic_write, open_plain
from zeuxis.storage.lock import RunLock
from zeuxis.storage.reading import check_folder, read_plain, whole_png


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_bytes(b"precious")
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    return path


def test_a_link_in_the_place_of_the_unfinished_file_is_not_written_through(victim, folder):
    (folder / ".a.part").symlink_to(victim)
    atomic_write(folder / "a", b"new")
    assert victim.read_bytes() == b"precious" and (folder / "a").read_bytes() == b"new"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_link_in_the_place_of_the_file_itself_is_replaced_not_followed(victim, folder):
    (folder / "a").symlink_to(victim)
    atomic_write(folder / "a", b"new")
    assert victim.read_bytes() == b"precious" and not (folder / "a").is_symlink()


@pytest.mark.parametrize("nofollow", [True, False])
def test_a_line_is_not_appended_through_a_link(victim, folder, monkeypatch, nofollow):
    if not nofollow:  # a system that has no such flag
        monkeypatch.delattr(os, "O_NOFOLLOW")
        monkeypatch.setattr(files, "PLAIN", 0)
    (folder / "a").symlink_to(victim)
    with pytest.raises(RunUnwritable, match="link"):
        append_line(folder / "a", "line")
    with pytest.raises(RunUnwritable, match="link"):
        (folder / "lock").symlink_to(victim)
        RunLock(folder)
    with pytest.raises(RunDamaged, match="is a link"):
        read_plain(folder / "a")
    assert victim.read_bytes() == b"precious"


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_without_waiting(folder):
    os.mkfifo(folder / "lock")
    for use in (RunLock, lambda folder: append_line(folder / "lock", "x"), lambda folder: read_plain(folder / "lock")):
        with pytest.raises((RunUnwritable, RunDamaged), match="lock"):
            use(folder)


def test_a_folder_in_the_place_of_a_file_is_named(folder):
    (folder / "a").mkdir()
    for use in (
        lambda: atomic_write(folder / "a", b""),
        lambda: append_line(folder / "a", ""),
        lambda: read_plain(folder / "a"),
    ):
        with pytest.raises((RunUnwritable, RunDamaged), match="folder"):
            use()
    assert not list(folder.glob(".*"))


def test_a_device_is_no_file():
    with pytest.raises(OSError, match="device"):
        open_plain(Path("/dev/null"), os.O_RDONLY)


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "dangling link", "pipe"])
@pytest.mark.parametrize("place", ["run.json", "inner", "inner/a"])
def test_a_folder_with_strange_things_is_refused(victim, folder, kind, place):
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link to a file": victim, "link to a folder": victim.parent}.get(kind, folder / "nothing"))
    with pytest.raises(RunDamaged, match=path.name):
        check_folder(folder, ("inner",))


def test_what_is_not_ours_may_be_anything(victim, folder):
    (folder / "own").mkdir()
    (folder / "own" / "link").symlink_to(victim)
    (folder / "inner").mkdir()
    check_folder(folder, ("inner",))
    link = folder.parent / "by-name"
    link.symlink_to(folder)  # the user may name a folder by a link
    check_folder(link, ("inner",))


def test_files_and_folders_may_not_change_places(folder):
    (folder / "inner").write_bytes(b"")
    with pytest.raises(RunDamaged, match="is a file, not a folder"):
        check_folder(folder, ("inner",))
    with pytest.raises(RunDamaged, match="is a folder, not a file"):
        (folder / "inner").unlink()
        (folder / "run.json").mkdir()
        check_folder(folder, (), ("run.json",))


def test_a_larger_file_than_allowed_is_not_read(folder):
    (folder / "a").write_bytes(bytes(11))
    assert read_plain(folder / "a", 11) == bytes(11)
    with pytest.raises(RunDamaged, match="11 bytes"):
        read_plain(folder / "a", 10)


def test_a_checked_line_is_json_and_says_of_what_it_is():
    line = checked_line({"a": 1, "b": [2.5, None]}, "run")
    assert verified_line(line, "run") == ({"a": 1, "b": [2.5, None]}, True)
    assert verified_line('{"a": 1}', "run") == ({"a": 1}, False)
    for wrong in (
        line.replace("2.5", "3.5"),
        line[:-1],
        line.replace("check", "chfck"),
        "[1]",
        "7",
        "[" * 9999,
        b"\xff",
    ):
        with pytest.raises(ValueError, match=r"."):
            verified_line(wrong, "run")
    with pytest.raises(ValueError, match="checksum"):
        verified_line(line, "another run")


def test_every_bit_of_a_checked_line_counts():
    line = checked_line({"a": 1, "b": "words"}).encode()
    for at in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[at // 8] ^= 1 << at % 8
        try:
            content, checked = verified_line(bytes(flipped))
        except ValueError:
            continue
        assert (content, checked) == ({"a": 1, "b": "words"}, True)


def test_deep_tables_are_refused_before_anybody_walks_them():
    assert table('{"a": ' * 20 + "1" + "}" * 20)
    for depth in (40, 900, 100_000):
        with pytest.raises((ValueError, RecursionError)):
            table('{"a": ' * depth + "1" + "}" * depth)


def test_a_whole_png_and_every_other():
    import io

    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (3, 2), (9, 8, 7)).save(data, "PNG")
    png = data.getvalue()
    assert whole_png(png) and not whole_png(png + b"x") and not whole_png(b"")
    assert not any(whole_png(png[:size]) for size in range(len(png)))
    for at in range(8 * len(png)):
        flipped = bytearray(png)
        flipped[at // 8] ^= 1 << at % 8
        assert not whole_png(bytes(flipped))


def test_without_fcntl_the_lock_is_that_of_windows(folder, monkeypatch):
    held = []

    def locking(handle, mode, count):
        place = (os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR), mode, count)
        if place in held:
            raise OSError(36, "deadlock avoided")
        held.append(place)

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(lock, "fcntl", None)
    first = RunLock(folder)
    with pytest.raises(RunLocked, match=f"process {os.getpid()}"):
        RunLock(folder)
    first.release()
    assert (folder / "lock").read_text() == f"{os.getpid()}\n"


def test_runs_can_be_imported_where_there_is_no_fcntl():
    code = (
        "import sys; sys.modules['fcntl'] = None; import zeuxis.run, zeuxis.storage.lock as l; assert l.fcntl is None"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert importlib.import_module("zeuxis.storage.lock") is lock
