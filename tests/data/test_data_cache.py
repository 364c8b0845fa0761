"""The cache: one decoding, a private memory map, and no trust in files that are not what was written."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from data_helpers import cifar_arrays, save_pictures

from zeuxis.data import cache, read_images
from zeuxis.data.packs import SheetPack


@pytest.fixture
def decodings(monkeypatch):
    """How often a pack was decoded."""
    calls, real = [], SheetPack.read

    def read(self, path, split, resolution):
        calls.append((self.file, split, resolution))
        return real(self, path, split, resolution)

    monkeypatch.setattr(SheetPack, "read", read)
    return calls


def same(one, two):
    return (
        torch.equal(one.pixels, two.pixels) and torch.equal(one.label_rows(), two.label_rows())
        and (one.names, one.captions, one.source, one.licence, one.notes)
        == (two.names, two.captions, two.source, two.licence, two.notes)
    )  # fmt: skip


def entries(folder):
    return sorted(p.suffix for p in folder.iterdir())


def test_a_pack_is_decoded_once(data, own_cache, decodings):
    first, second = (read_images("tiny-imagenet", data) for _ in range(2))
    assert len(decodings) == 1 and same(first, second) and entries(own_cache) == [".json", ".npy"]
    for images in (first, second):
        assert images.pixels.untyped_storage().nbytes() == images.pixels.numel()


@pytest.mark.parametrize("kind", ["cifar10", "products", "emoji", "mnist", "afhq-cat", "folder"])
def test_what_comes_from_the_cache_is_what_was_decoded(kind, data, tmp_path, monkeypatch):
    save_pictures(tmp_path / "x", ["a.png"])
    (tmp_path / "x/broken.png").write_text("no")
    (tmp_path / "x/a.txt").write_text("caption \N{CAT FACE}", encoding="utf-8")
    path = tmp_path if kind == "folder" else data
    stored, again = (read_images(kind, path) for _ in range(2))
    monkeypatch.setattr(cache, "SMALLEST", 10**9)
    assert same(read_images(kind, path), again) and same(stored, again)


def test_small_sources_leave_no_files(data, own_cache, monkeypatch):
    monkeypatch.setattr(cache, "SMALLEST", 1_000_000)
    read_images("tiny-imagenet", data)
    assert not own_cache.exists()


def test_every_way_of_reading_has_its_own_entry(data, own_cache, decodings):
    for wishes in ({}, {"split": "test"}, {"resolution": 32}, {"channels": 1}):
        read_images("tiny-imagenet", data, **wishes)
    assert len(decodings) == 4 and len(entries(own_cache)) == 8


def test_a_write_to_the_pixels_stays_in_memory(data):
    images = read_images("tiny-imagenet", data)
    before = images.pixels.clone()
    images.pixels.zero_()
    assert torch.equal(read_images("tiny-imagenet", data).pixels, before)


def test_a_changed_source_is_decoded_again(tmp_path, own_cache):
    path = tmp_path / "cifar10.npz"
    np.savez(path, **cifar_arrays(train=4))
    assert len(read_images("cifar10", path)) == 4
    time_of = path.stat().st_mtime_ns
    np.savez(path, **cifar_arrays(train=5))
    os.utime(path, ns=(time_of, time_of))
    assert len(read_images("cifar10", path)) == 5 and len(entries(own_cache)) == 2


def test_a_new_picture_in_a_folder_is_seen(tmp_path):
    save_pictures(tmp_path, ["a.png"])
    assert len(read_images("folder", tmp_path)) == 1
    save_pictures(tmp_path, ["b.png"])
    assert len(read_images("folder", tmp_path)) == 2
    (tmp_path / "a.txt").write_text("now with words")
    assert read_images("folder", tmp_path).captions == ("now with words", "")


def flip(path, place):
    whole = bytearray(path.read_bytes())
    whole[place] ^= 1
    path.write_bytes(whole)


def change(path, **facts):
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


DAMAGES = {
    "a flipped pixel": lambda npy, facts: flip(npy, -1),
    "a flipped header": lambda npy, facts: flip(npy, 20),
    "cut pixels": lambda npy, facts: npy.write_bytes(npy.read_bytes()[:-1]),
    "no pixels": lambda npy, facts: npy.unlink(),
    "empty pixels": lambda npy, facts: npy.write_bytes(b""),
    "a zip": lambda npy, facts: np.savez(npy.open("wb"), a=np.zeros(3)),
    "objects": lambda npy, facts: np.save(npy, np.array([{}], object), allow_pickle=True),
    "another array": lambda npy, facts: np.save(npy, np.zeros((2, 64, 64, 3), np.uint8)),
    "floats": lambda npy, facts: np.save(npy, np.zeros((6, 64, 64, 3), np.float32)),
    "no facts": lambda npy, facts: facts.unlink(),
    "broken facts": lambda npy, facts: facts.write_text('{"finger'),
    "a list": lambda npy, facts: facts.write_text("[]"),
    "deep facts": lambda npy, facts: facts.write_text("[" * 100_000),
    "labels too high": lambda npy, facts: change(facts, labels={"class": [9] * 6}),
    "too few labels": lambda npy, facts: change(facts, labels={"class": [0]}),
    "labels of another name": lambda npy, facts: change(facts, labels={"word": [0] * 6}),
    "one caption": lambda npy, facts: change(facts, captions=["one"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_damaged_entry_is_made_again(damage, data, own_cache, decodings):
    first = read_images("tiny-imagenet", data)
    expected = first.pixels.clone()
    (npy,), (facts,) = own_cache.glob("*.npy"), own_cache.glob("*.json")
    del first  # the map of the file that is damaged now
    DAMAGES[damage](npy, facts)
    again = read_images("tiny-imagenet", data)
    assert len(decodings) == 2 and torch.equal(again.pixels, expected)
    assert torch.equal(read_images("tiny-imagenet", data).pixels, expected) and len(decodings) == 2


def test_a_cache_that_cannot_be_written_falls_back_to_memory(data, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "file"))
    images = read_images("tiny-imagenet", data)
    assert len(images) == 6 and (tmp_path / "file").read_text().startswith("a file")


def test_a_full_disk_falls_back_to_memory_and_leaves_nothing(data, own_cache, monkeypatch):
    def full(file, array, allow_pickle):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "save", full)
    assert len(read_images("tiny-imagenet", data)) == 6
    assert entries(own_cache) == []


def test_half_written_files_of_dead_processes_are_removed_in_time(data, own_cache):
    own_cache.mkdir()
    old, new = own_cache / "x.1.npy.part", own_cache / "x.2.npy.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * cache.STALE,) * 2)
    read_images("tiny-imagenet", data)
    assert not old.exists() and new.exists()


def test_several_may_make_the_same_entry_at_once(data, own_cache):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: read_images("tiny-imagenet", data), range(8)))
    assert all(torch.equal(images.pixels, found[0].pixels) for images in found)
    assert entries(own_cache) == [".json", ".npy"]


def test_a_link_and_a_relative_path_lead_to_the_same_pictures(data, tmp_path, monkeypatch):
    (tmp_path / "link.npz").symlink_to(data / "tinyimagenet160_64.npz")
    monkeypatch.chdir(data)
    one, two = read_images("tiny-imagenet", tmp_path / "link.npz"), read_images("tiny-imagenet", ".")
    assert torch.equal(one.pixels, two.pixels)
