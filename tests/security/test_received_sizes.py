"""Counts, sizes and depths in received files: refused in one sentence before anything is allocated for them."""

from __future__ import annotations

import io
import json
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from zeuxis.config import MOST_IMAGES, flag, make_config
from zeuxis.configs import read_config
from zeuxis.data.npz import array_of, open_npz
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.lab import recipe_files
from zeuxis.pictures.metadata import read_picture
from zeuxis.run import reopen_session
from zeuxis.storage.reading import bounded

DEEP = 3000


@pytest.mark.parametrize(
    "wrong",
    [
        {"generations": MOST_IMAGES + 1},
        {"generations": 10**400},
        {"budget": 10**30},
        {"population": 4097},
        {"patience": 10**12},
        {"view_every": 10**12},
        {"stop_on_exploitation": 10**12},
        {"micro_batch": 4097},
        {"augment": 65},
        {"start_images": 10**6},
        {"truncation_cutoff": 10**9},
        {"seed": 2**63},
        {"realism": 1e308},
        {"norm_prior": float("inf")},
        {"target": float("nan")},
        {"prompt": ("a",) * 257},
        {"prompt": ("a" * 40_001,)},
        {"negative": ("a",) * 257},
        {"image_prompt": ("a.png",) * 257},
        {"scorer": ("toy",) * 101},
        {"classes": ("a",) * 10_001},
        {"measures": ("a",) * 17},
        {"generator": "x" * 5000},
        {"judge": "a\nb"},
        {"device": "cpu\x1b[2J"},
        {"options": {str(k): k for k in range(1001)}},
        {"search": "ga\u2028x"},
        {"collapse_below": -1},
        {"precision": "fp8"},
        {"generations": True + 0.5},
        {"generations": "1e3"},
    ],
)
def test_a_configuration_has_bounds(wrong):
    with pytest.raises(BadInput) as caught:
        make_config(**wrong)
    assert len(str(caught.value)) < 400 and flag(next(iter(wrong))) in str(caught.value)


TEXTS = {
    "deep table": "a" + ".a" * DEEP + " = 1",
    "deep list": "x = " + "[" * DEEP + "]" * DEEP,
    "deep option": "options = " + "{ a = " * 40 + "1" + " }" * 40,
    "long number": "generations = 0x" + "f" * 100_000,
    "long number 2": "generations = " + "9" * 5000,
    "huge float": "realism = 1e999",
    "many": "prompt = [" + "'a'," * 60_000 + "]",
    "date": "generations = 2020-01-01",
    "nan": "target = nan",
    "empty key": '"" = 1',
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", TEXTS)
def test_a_received_configuration_or_recipe_is_one_sentence(tmp_path, kind):
    path = tmp_path / "c.toml"
    path.write_text(TEXTS[kind])
    for read in (lambda: make_config(**read_config(path)), lambda: recipe_files.load(path)):
        started = time.perf_counter()
        with pytest.raises(BadInput) as caught:
            read()
        assert len(str(caught.value)) < 900 and time.perf_counter() - started < 20


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10**5,
        '{"a":' * 900 + "1" + "}" * 900,
        '{"generations": 1' + "0" * 10**4 + "}",
        '{"a": "\\ud800"}',
        '{"prompt": {"__class__": 1}}',
        '{"options": [[[]]]}',
        "NaN",
    ],
)
def test_a_received_configuration_in_json_is_one_sentence(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(BadInput) as caught:
        read_config(tmp_path / "c.json")
    assert len(str(caught.value)) < 900


def test_bounded():
    assert bounded({"a": [1, {"b": 2.5}]}) == {"a": [1, {"b": 2.5}]}
    for wrong in ([[[[1]]]], [2**64], [-(2**63) - 1]):
        with pytest.raises(ValueError, match=r"deep|bits"):
            bounded(wrong, depth=3)
    with pytest.raises(ValueError, match="more than 9"):
        bounded([0] * 10, values=9)
    shared: list = []
    for _ in range(100):
        shared = [shared, shared]  # as YAML's aliases would make: 2^100 values
    with pytest.raises(ValueError, match=r"deep|more than"):
        bounded(shared)


@pytest.mark.parametrize(
    "change",
    [
        {"generations": 10**15},
        {"budget": 10**30},
        {"prompt": ["a"] * 10_000},
        {"options": {"a": "b" * 10**6}},
        {"scorer": ["toy"] * 5000},
        {"measures": ["a|b"] * 10**4},
        {"classes": ["x"] * 10**5},
        {"start_images": 10**9},
    ],
)
def test_a_received_run_with_great_counts_is_one_sentence(plain, rewrite, change):
    rewrite(plain / "run.json", lambda record: record["config"].update(change))
    started = time.perf_counter()
    with pytest.raises(ZeuxisError) as caught:
        reopen_session(plain)
    assert len(str(caught.value)) < 900 and time.perf_counter() - started < 10


def png(*chunks):
    data = io.BytesIO()
    Image.new("RGB", (4, 4)).save(data, "PNG")
    whole = data.getvalue()
    more = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return whole[:33] + more + whole[33:]


BOMB = zlib.compress(bytes(120 * 2**20), 9)
NESTED = json.dumps({"options": 1}).encode() + b"[" * 10**5
CHUNKS = {
    "zTXt bomb": b"zTXtzeuxis\0\0" + BOMB,
    "iTXt bomb": b"iTXtzeuxis\0\1\0\0\0" + BOMB,
    "iCCP bomb": b"iCCPzeuxis\0\0" + BOMB,
    "large text": b"tEXtzeuxis\0" + b"a" * (20 * 2**20),
    "nested": b"iTXtzeuxis\0\0\0\0\0" + NESTED,
    "not text": b"iTXtzeuxis\0\0\0\0\0" + b"\xff\xfe{",
    "animation": b"acTL" + struct.pack(">II", 2**31 - 1, 0),
    "exif": b"eXIf" + b"MM\0*" + b"\xff" * 1000,
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_a_received_picture_with_a_bomb_is_one_sentence_and_small(tmp_path, kind):
    path = tmp_path / "p.png"
    path.write_bytes(png(CHUNKS[kind]))
    tracemalloc.start()
    with pytest.raises(BadInput) as caught:
        read_picture(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(str(caught.value)) < 600 and peak < 100 * 2**20


def test_many_text_chunks_are_bounded(tmp_path):
    info = PngImagePlugin.PngInfo()
    for number in range(90):
        info.add_text(f"k{number}", "a" * 900_000, zip=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "p.png", pnginfo=info)
    with pytest.raises(BadInput):
        read_picture(tmp_path / "p.png")


def npy(header, body=b""):
    text = header.encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body


HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (10**9,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (",
    "'''",
    "(" * 5000,
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "__import__('os').system('true')",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -1)}",
    "{'descr': 'V4', 'fortran_order': 1, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000000000)}",
    "\x00",
    "{1: 2}",
    "\\\n",
    "{'descr': [('a', '<f4', (1000000000,))], 'fortran_order': False, 'shape': (1,)}",
    "L" * 60_000,
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 18446744073709551616)}",
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_a_received_array_is_one_sentence(tmp_path, number):
    data = npy(HEADERS[number], bytes(4))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        packed.writestr("x.npy", data)
    with pytest.raises(ValueError, match=r"."):
        array_of(data, "x")
    with pytest.raises(BadInput, match="not readable") as caught, open_npz(tmp_path / "a.npz", "data pack") as pack:
        pack["x"]
    assert len(str(caught.value)) < 500


def test_an_array_that_promises_more_is_refused_before_it_is_unpacked(tmp_path):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}"
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x.npy", npy(header, bytes(100 * 2**20)))
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("x.npy", npy(header, bytes(28)))
    for name, said in (("a.npz", "which are not"), ("b.npz", "method")):
        tracemalloc.start()
        with pytest.raises(BadInput, match=said), open_npz(tmp_path / name, "data pack") as pack:
            pack["x"]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50 * 2**20


def test_good_arrays_are_read(tmp_path):
    for array in (np.arange(12).reshape(3, 4), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.zeros((0, 3))):
        np.savez_compressed(tmp_path / "a.npz", x=array)
        with open_npz(tmp_path / "a.npz", "data pack") as pack:
            assert (pack["x"] == array).all() and pack["x"].shape == array.shape


def test_what_a_recipe_says_of_itself_is_one_line(tmp_path):
    (tmp_path / "r.toml").write_text('task = "classifier"\nimages = 8\nabout = "x\\nError: all is lost"\n')
    with pytest.raises(BadInput, match="on one line"):
        recipe_files.load(tmp_path / "r.toml")
