"""Forged packs: no pickle is loaded, no header is believed, nothing is allocated on a promise."""

import io
import lzma
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
from data_helpers import pictures, sheet

from zeuxis.data import read_images
from zeuxis.data.npz import array_of, open_npz, read_xz
from zeuxis.errors import BadInput


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def forged(header):
    """A version 1 `.npy` that says `header` and holds four bytes."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(4)


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), np.array("word"), np.empty((0, 3))],
    ids=["C", "Fortran", "scalar text", "empty"],
)
def test_arrays_come_back_as_they_were(array):
    found = array_of(npy(array), "x")
    assert found.dtype == array.dtype and np.array_equal(found, array)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (npy(np.array([{}], object), allow_pickle=True), "pickled objects"),
        (forged("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,)}"), "has 4 bytes"),
        (forged("{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296)}"), "has 4 bytes"),
        (forged("{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -2)}"), "."),
        (b"\x93NUMPY\x07\x00" + bytes(100), "unknown .npy version"),
        (b"hello", "."),
    ],
)
def test_forged_arrays_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        array_of(data, "x")


def test_a_member_larger_than_allowed_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("zeuxis.data.npz.LARGEST_MEMBER", 1000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("big.npy", npy(np.zeros(100_000, np.uint8)))
    with pytest.raises(BadInput, match="promises 100,128 bytes"), open_npz(tmp_path / "a.npz", "pack") as pack:
        pack["big"]


def test_a_sheet_that_promises_a_billion_pixels_is_refused(tmp_path):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    size = struct.pack(">IIBBBBB", 25 * 64, 64 * 1_000_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    arrays = {"train_00": np.frombuffer(png, np.uint8), "train_labels": np.zeros(4, int), "classes": np.array(["a"])}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BadInput, match="Expected"):
        read_images("tiny-imagenet", tmp_path / "a.npz")


def test_a_sheet_of_another_format_is_refused(tmp_path):
    tiles = pictures(4, 0, 64)[0]
    for format in ("GIF", "TIFF"):
        arrays = {"train_00": sheet(tiles, 25, format), "train_labels": np.zeros(4, int), "classes": np.array(["a"])}
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(BadInput, match="Copy the file again"):
            read_images("tiny-imagenet", tmp_path / "a.npz")


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "too large"])
def test_damaged_xz_streams_are_refused(damage, tmp_path, monkeypatch):
    path, whole = tmp_path / "a.npz.xz", lzma.compress(bytes(100_000))
    path.write_bytes({"cut": whole[:-9], "text": b"hello", "empty": b""}.get(damage, whole))
    if damage == "too large":
        monkeypatch.setattr("zeuxis.data.npz.LARGEST_XZ", 10_000)
    with pytest.raises(BadInput, match="Expected"):
        read_xz(path)


@pytest.mark.parametrize("kind", ["cifar10", "products", "mnist", "tiny-imagenet", "emoji"])
def test_pipes_are_refused_without_waiting(kind, tmp_path):
    for name in ("cifar10.npz", "products64.npz", "products64.json.xz", "mnist_25k.npz.xz", "emoji64.npz"):
        os.mkfifo(tmp_path / name)
    os.mkfifo(tmp_path / "tinyimagenet160_64.npz")
    os.mkfifo(tmp_path / "emoji64.json")
    with pytest.raises(BadInput, match="not a file"):
        read_images(kind, tmp_path)


def test_a_folder_named_like_a_pack_is_refused(tmp_path):
    (tmp_path / "products64.npz").mkdir()
    (tmp_path / "products64.json").write_text('{"train": [], "test": []}')
    with pytest.raises(BadInput, match="Expected"):
        read_images("products", tmp_path)
