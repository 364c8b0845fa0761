"""Caches that somebody else filled, or that a disk spoilt: what is not as it was written is made anew, in no time."""

import hashlib
import io
import json
import os
import threading

import numpy as np
import pytest
import torch

from zeuxis.data import cache
from zeuxis.data.base import ImageSet
from zeuxis.errors import BadInput
from zeuxis.lab import features
from zeuxis.storage.checksummed import checked_line

PIXELS = torch.arange(6 * 8 * 8 * 3).remainder(251).to(torch.uint8).reshape(6, 8, 8, 3)
WORDS = ("a", "b", "c")


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """An entry of the data cache, its two files, and what reads it again: the set, and whether it was decoded."""
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SMALLEST", 1)
    source = tmp_path / "source.bin"
    source.write_bytes(b"x" * 100)
    decoded = []

    def decode():
        decoded.append(1)
        labels = {"class": torch.arange(6) % 3}
        return ImageSet(PIXELS.clone(), labels, {"class": WORDS}, tuple("stuvwx"), "mine", "free", ["note"], [])

    def read():
        decoded.clear()
        return cache.cached(decode, [source], ("kind", "path", "train")), bool(decoded)

    assert read()[1] and not read()[1]
    folder = cache.data_folder()
    return next(folder.glob("*.json")), next(folder.glob("*.npy")), read


def made_anew(read):
    found, again = read()
    assert again and torch.equal(found.pixels, PIXELS) and found.labels["class"].tolist() == [0, 1, 2, 0, 1, 2]
    assert (found.names, found.captions, found.licence) == ({"class": WORDS}, tuple("stuvwx"), "free")
    assert not read()[1]


@pytest.mark.parametrize(
    "changed",
    [{"labels": {"class": [1, 1, 2, 0, 1, 2]}}, {"names": {"class": ["b", "a", "c"]}}, {"captions": list("Stuvwx")},
     {"captions": None}, {"licence": "paid"}, {"notes": ["\x1b[2J"]}],
)  # fmt: skip
def test_labels_and_words_are_those_that_were_written(changed, entry):
    facts, _, read = entry
    content = json.loads(facts.read_text())
    facts.write_text(json.dumps(content | changed))
    made_anew(read)
    content.pop("check")
    facts.write_text(json.dumps(content))  # as older versions did
    made_anew(read)


@pytest.mark.parametrize("shape", [(6,), (6, 8, 8, 7), (6, 8, 24, 1), (6, 8, 8, 3, 1)])
def test_pictures_have_the_shape_of_pictures(shape, entry):
    facts, pixels, read = entry
    found = np.zeros(shape, np.uint8)
    np.save(pixels, found)
    content = json.loads(facts.read_text()) | {"shape": list(shape), "crc32": cache.checksum(found)}
    content.pop("check")
    facts.write_text(checked_line(content))
    made_anew(read)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_and_links_are_not_opened(which, entry, tmp_path):
    path, read = entry[which], entry[2]
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    before = elsewhere.read_bytes()
    path.symlink_to(elsewhere)
    made_anew(read)
    assert elsewhere.read_bytes() == before and not path.is_symlink()
    path.unlink()
    os.mkfifo(path)
    made_anew(read)


def test_nothing_is_written_through_a_link(entry, tmp_path):
    facts, _, read = entry
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for ending in (".npy", ".json"):
        name = f"{facts.stem}.{os.getpid()}-{threading.get_ident()}{ending}.part"
        facts.with_name(name).symlink_to(victim)
    facts.write_text("{}")
    made_anew(read)
    assert victim.read_text() == "precious"


def written(rows):
    data = io.BytesIO()
    np.save(data, rows)
    return data.getvalue()


def signed(body):
    return body + hashlib.sha256(body).digest()


@pytest.fixture
def looked(tmp_path):
    """Features of 300 pictures in a folder: the file, what they are, and what reads them again."""
    pictures = PIXELS.repeat(50, 1, 1, 1)
    calls = []

    def net(x):
        calls.append(1)
        return x.flatten(1)[:, :16]

    def read(folder=tmp_path, more=1):
        calls.clear()
        found = features.cached_features(pictures.repeat(more, 1, 1, 1), net, "net", folder=folder)
        return found, bool(calls)

    right = read()[0]
    (file,) = tmp_path.glob("*.npy")
    assert torch.equal(read()[0], right) and not read()[1]
    return file, right, read


ROWS = np.ones((300, 16), np.float16)
STRANGE = {
    "no checksum": written(ROWS), "NaN": signed(written(ROWS * np.nan)), "infinity": signed(written(ROWS * np.inf)),
    "no columns": signed(written(ROWS[:, :0])), "others": signed(written(ROWS.astype(np.float32))), "empty": b"",
}  # fmt: skip


@pytest.mark.parametrize("what", STRANGE)
def test_features_that_are_none_are_computed_again(what, looked):
    file, right, read = looked
    file.write_bytes(STRANGE[what])
    found, again = read()
    assert again and torch.equal(found, right) and not read()[1]


def test_features_of_two_widths_are_one_sentence(looked, monkeypatch):
    file, *_ = looked
    monkeypatch.setattr(features, "PIECE", 300)
    file.write_bytes(signed(written(np.ones((300, 17), np.float16))))
    pictures = PIXELS.repeat(50, 1, 1, 1)
    with pytest.raises(BadInput, match="one width"):
        features.cached_features(
            torch.cat([pictures, 1 - pictures]), lambda x: x.flatten(1)[:, :16], "net", folder=file.parent
        )


def test_a_larger_file_than_features_can_be_is_not_read(looked, monkeypatch):
    file, right, read = looked
    monkeypatch.setattr(features, "WIDEST", 64)
    os.truncate(file, 2**30)
    monkeypatch.setattr(hashlib, "sha256", lambda data=b"", real=hashlib.sha256: real(data) if len(data) < 2**20 else 1)
    found, again = read()
    assert again and torch.equal(found, right)


def test_a_folder_that_cannot_be_costs_only_time(looked, tmp_path):
    _, right, read = looked
    for folder in (tmp_path / ("x" * 300), tmp_path / "file"):
        (tmp_path / "file").write_text("in the way")
        assert torch.equal(read(folder)[0], right)
