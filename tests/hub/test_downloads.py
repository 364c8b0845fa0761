"""Downloads from a server that misbehaves: the file arrives whole, or one sentence says why and nothing is left."""

import contextlib
import errno
import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from misbehaving_server import DATA, HALF, OTHER, Server

from zeuxis.errors import Missing, RunUnwritable, WeightsRefused
from zeuxis.hub import cache, download, transfer
from zeuxis.hub.catalogue import File
from zeuxis.hub.network import DownloadFailed

SHA = hashlib.sha256(DATA).hexdigest()
WHOLE = {"bytes": len(DATA), "sha256": SHA}
SIZE, HASH, NOTHING = {"bytes": len(DATA)}, {"sha256": SHA}, {}


@pytest.fixture(scope="module")
def server():
    held = Server()
    yield held
    held.close()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, server):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZEUXIS_RETRY_SECONDS", "0.0005")
    monkeypatch.setattr(transfer, "TIMEOUT", 0.3)
    for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server.asked.clear()
    return cache.model_folder("m") / "network.pkl"


def file(server, kind, facts):
    return File("network.pkl", f"{server.address}/{kind}/x", **facts)


GOOD = ["good", "cut", "cut-date", "cut-a-little", "no-ranges", "chunked", "redirect", "stalls", "reset", "500", "503",
        "429", "408", "changed-length", "416"]  # fmt: skip
ONLY_KNOWN = ["cut-no-etag", "cut-weak-etag", "changed-silent", "no-length"]  # where a hash says that it is whole


@pytest.mark.parametrize("kind", [*GOOD, *ONLY_KNOWN])
def test_what_is_known_arrives_whole_whatever_the_server_does(kind, server, place):
    assert download.fetch(file(server, kind, WHOLE), place).read_bytes() == DATA
    assert sorted(path.name for path in place.parent.iterdir()) == ["network.pkl", "network.pkl.part.lock"]


@pytest.mark.parametrize("kind", GOOD)
def test_what_is_not_known_arrives_whole_too(kind, server, place):
    assert download.fetch(file(server, kind, NOTHING), place).read_bytes() == DATA
    assert cache.recorded(place)["sha256"] == SHA


@pytest.mark.parametrize("kind", ["cut-no-etag", "cut-weak-etag", "changed-silent"])
def test_parts_of_what_may_be_two_files_are_not_put_together(kind, server, place):
    download.fetch(file(server, kind, SIZE), place)
    assert place.read_bytes() in (DATA, OTHER)
    assert all(spread is None for _, spread, _ in server.asked)


BAD = [
    *[(kind, "cut") for kind in ("cut-always", "chunked-cut", "chunked-cut-inside", "chunked-lies")],
    ("chunked-damaged", "cut|damaged"), ("silent", "timed out"), ("wrong-place", "asked from"),
    ("no-place", "no known place"), ("gzip", "comes compressed"), ("page", "web page"),
    ("page-unnamed", "web page|another file now"),
    ("no-content", "no file"), ("loop", "answers 302"), ("to-file", "not followed|not allowed"), ("garbage", "."),
    ("headers-for-ever", "100 headers"), ("404", "404"), ("403", "403"), ("401", "401"),
    ("410", "410"), ("451", "451"), ("407", "407"),
]  # fmt: skip


@pytest.mark.parametrize("facts", [WHOLE, NOTHING], ids=["known", "unknown"])
@pytest.mark.parametrize(("kind", "said"), BAD)
def test_what_does_not_come_whole_is_never_accepted(kind, said, facts, server, place):
    began = time.monotonic()
    with pytest.raises(DownloadFailed, match=said) as error:
        download.fetch(file(server, kind, facts), place)
    assert not place.exists() and "\n" not in str(error.value)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("kind", "facts", "said"), [
    ("no-length", NOTHING, "does not say how long"), ("no-length-cut", NOTHING, "does not say how long"),
    ("negative", NOTHING, "does not say how long"),
    ("no-length-cut", SIZE, "cut"), ("no-length-cut", HASH, "not the file"),
    ("too-much-promised", WHOLE, "another file now"), ("too-much-promised", NOTHING, "cut"),
    ("flipped", WHOLE, "downloaded and refused"), ("changed", WHOLE, "downloaded and refused"),
    ("flipped", {"prefix": SHA[:8]}, "downloaded and refused"),
])  # fmt: skip
def test_what_cannot_be_the_file_is_refused(kind, facts, said, server, place):
    with pytest.raises((DownloadFailed, WeightsRefused), match=said):
        download.fetch(file(server, kind, facts), place)
    assert not place.exists()


def test_a_server_that_drips_is_given_up_and_what_came_is_kept(server, place, monkeypatch):
    monkeypatch.setattr(transfer, "SLOW_FOR", 0.3)
    began = time.monotonic()
    with pytest.raises(DownloadFailed, match=r"sends less than 1 kB a second\. What has come is kept"):
        download.fetch(file(server, "drips", NOTHING), place)
    assert time.monotonic() - began < 5 and not place.exists()
    assert HALF <= place.with_name("network.pkl.part").stat().st_size < len(DATA)


def test_a_reply_longer_than_it_says_is_cut_to_what_it_says(server, place):
    assert download.fetch(file(server, "too-much", WHOLE), place).read_bytes() == DATA


@pytest.mark.parametrize("kind", ["changed", "changed-ignored"])
def test_a_file_that_changes_between_two_tries_is_not_mixed(kind, server, place):
    assert download.fetch(file(server, kind, NOTHING), place).read_bytes() == OTHER
    assert ('"one"') in {entry[2] for entry in server.asked}


def interrupted(server, place, facts=NOTHING):
    """Half of the file in a .part, as a process that was killed leaves it."""
    with pytest.raises(DownloadFailed):
        download.fetch(file(server, "cut-always", facts), place)
    part = place.with_name("network.pkl.part")
    assert part.stat().st_size == HALF
    server.asked.clear()
    return part, place.with_name("network.pkl.part.json")


def rename(note, server, kind):
    note.write_text(note.read_text().replace("cut-always", kind))


def test_the_same_command_goes_on_from_there(server, place):
    _, note = interrupted(server, place)
    rename(note, server, "good")
    assert download.fetch(file(server, "good", NOTHING), place).read_bytes() == DATA
    assert server.asked == [("good", f"bytes={HALF}-", '"one"')]


@pytest.mark.parametrize("what", ["bytes", "longer", "note", "no note", "url", "hash", "list", "empty", "deep"])
def test_a_part_with_foreign_bytes_is_not_continued(what, server, place):
    part, note = interrupted(server, place)
    if what != "url":
        rename(note, server, "good")
    if what == "bytes":
        part.write_bytes(OTHER[:HALF])
    elif what == "longer":
        part.write_bytes(b"x" + part.read_bytes())
    elif what == "no note":
        note.unlink()
    elif what == "hash":
        note.write_text(note.read_text().replace('"sha256": "', '"sha256": "0'))
    elif what != "url":
        note.write_text({"note": "{", "list": "[]", "empty": "", "deep": "[" * 10**5}[what])
    assert download.fetch(file(server, "good", NOTHING), place).read_bytes() == DATA
    assert [entry[1] for entry in server.asked] == [None]


def test_bytes_behind_the_last_note_are_fetched_again(server, place):
    part, note = interrupted(server, place)
    rename(note, server, "good")
    part.write_bytes(part.read_bytes() + b"written before the power cut, after the last note")
    assert download.fetch(file(server, "good", NOTHING), place).read_bytes() == DATA
    assert server.asked[0][1] == f"bytes={HALF}-"


def test_a_second_pull_is_held_to_the_first(server, place):
    download.fetch(file(server, "good", NOTHING), place)
    place.unlink()
    with pytest.raises(WeightsRefused, match=r"first fetched.*--accept-changed"):
        download.fetch(file(server, "flipped", NOTHING), place)
    assert not place.exists()
    cache.forget(place)
    assert download.fetch(file(server, "flipped", NOTHING), place).read_bytes()[1:] == DATA[1:]


def test_a_disk_that_fills_up_says_so_and_goes_on_later(server, place, monkeypatch):
    def full(reply):
        chunk, cut = keep(reply)
        raise_it[0] += len(chunk)
        if raise_it[0] > HALF:
            raise OSError(errno.ENOSPC, "No space left on device")
        return chunk, cut

    keep, raise_it = transfer._read, [0]
    monkeypatch.setattr(transfer, "CHUNK", 4096)
    monkeypatch.setattr(transfer, "_read", full)
    with pytest.raises(RunUnwritable, match=r"disk is full\. Make room"):
        download.fetch(file(server, "good", NOTHING), place)
    assert not place.exists()
    monkeypatch.undo()
    monkeypatch.setenv("ZEUXIS_CACHE", str(place.parent.parent.parent))
    download.fetch(file(server, "good", NOTHING), place)
    assert place.read_bytes() == DATA and server.asked[-1][1] is not None
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("U", (), {"free": 1000})())
    with pytest.raises(RunUnwritable, match="Free some space"):
        download.fetch(file(server, "good", SIZE), place.with_name("other.pkl"))


def test_how_far_it_was_is_known_even_if_the_disk_has_no_room_for_a_note(server, place, monkeypatch):
    def full(reply):
        chunk, cut = keep(reply)
        come[0] += len(chunk)
        return chunk, cut

    def write_text(path, *args, **kwargs):
        if come[0]:
            path.touch()
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *args, **kwargs)

    keep, write, come = transfer._read, Path.write_text, [0]
    monkeypatch.setattr(transfer, "_read", full)
    monkeypatch.setattr(Path, "write_text", write_text)
    with pytest.raises(DownloadFailed):
        download.fetch(file(server, "cut-always", NOTHING), place)
    names = sorted(path.name for path in place.parent.iterdir())
    assert names == ["network.pkl.part", "network.pkl.part.json", "network.pkl.part.lock"]
    monkeypatch.setattr(Path, "write_text", write)
    rename(place.with_name("network.pkl.part.json"), server, "good")
    download.fetch(file(server, "good", NOTHING), place)
    assert server.asked[-1] == ("good", f"bytes={HALF}-", '"one"') and place.read_bytes() == DATA


def _fetch(server_address, place, seconds):
    time.sleep(seconds)
    with contextlib.suppress(Missing):
        download.fetch(File("network.pkl", f"{server_address}/good/x"), place)
    os._exit(0 if place.read_bytes() == DATA else 1)


def test_two_processes_fetch_the_same_file_once(server, place):
    start = multiprocessing.get_context("fork").Process
    both = [start(target=_fetch, args=(server.address, place, 0)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(20)
    assert [one.exitcode for one in both] == [0, 0] and len(server.asked) == 1


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"models/m/network.pkl": 5}', '{"models/m/network.pkl": {}}', '{"a": 1, "sha256": "0"}']
)
def test_damaged_records_are_begun_anew(content, server, place):
    cache.cache_folder().mkdir(parents=True)
    (cache.cache_folder() / "records.json").write_text(content)
    download.fetch(file(server, "good", NOTHING), place)
    assert cache.recorded(place)["sha256"] == SHA


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("name", ["records.json", "records.json.lock"])
def test_a_pipe_in_the_cache_is_not_waited_for(name, place):
    folder = cache.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert cache.read_json("records.json") == {}
    with cache.changing("records.json") as content:
        content["a"] = {"b": 1}
    assert cache.read_json("records.json") == {"a": {"b": 1}}


def test_a_cache_that_others_keep_may_be_read_only(server, place, monkeypatch):
    download.fetch(file(server, "good", NOTHING), place)
    (cache.cache_folder() / "records.json").unlink()

    def refuse(*_):
        raise RunUnwritable("read-only")

    monkeypatch.setattr(cache, "check_folder_place", refuse)
    assert download.fetch(file(server, "good", NOTHING), place) == place
    place.unlink()
    with pytest.raises(RunUnwritable, match="read-only"):
        download.fetch(file(server, "good", NOTHING), place)
    assert cache.recorded(place) is None
