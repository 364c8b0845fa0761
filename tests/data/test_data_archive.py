"""The official CIFAR-10 archive is read, and no archive is ever run."""

import io
import os
import pickle
import random
import shutil
import struct
import tarfile

import numpy as np
import pytest
import torch
from data_helpers import pictures

from zeuxis.data import read_images
from zeuxis.data.archive import LARGEST
from zeuxis.errors import BadInput

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
WORDS = ["wagon", "dump_truck", "gypsy_cab", "tabby_cat"]
LABELS = [1, 9, 1, 3]


def batch(seed, count=4):
    """One batch as it is published: rows of 1,024 reds, greens and blues."""
    drawn, _ = pictures(count, seed)
    rows = drawn.transpose(0, 3, 1, 2).reshape(count, 3072)
    files = [f"{WORDS[i % 4]}_s_{i:06d}.png" for i in range(count)]
    labels = [LABELS[i % 4] for i in range(count)]
    return {"data": rows, "labels": labels, "filenames": files, "batch_label": f"batch {seed}"}


def write_archive(folder, protocol=2):
    inner = folder / "cifar-10-batches-py"
    inner.mkdir(parents=True)
    files = {f"data_batch_{i}": batch(i) for i in range(1, 6)} | {"test_batch": batch(9)}
    files["batches.meta"] = {"label_names": NAMES, "num_cases_per_batch": 4, "num_vis": 3072}
    for name, content in files.items():
        (inner / name).write_bytes(pickle.dumps(content, protocol=protocol))
    return folder


def pack_tar(folder, path):
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder / "cifar-10-batches-py", "cifar-10-batches-py")
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def hostile(archive, tmp_path):
    """The archive with another test batch."""

    def put(content):
        folder = tmp_path / "hostile"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(archive, folder)
        (folder / "cifar-10-batches-py/test_batch").write_bytes(content)
        return folder

    return put


def refused(folder, match="CIFAR-10|[Ee]xpected"):
    with pytest.raises(BadInput, match=match):
        read_images("cifar10", folder, "test")


def test_the_folder_is_read(archive):
    train = read_images("cifar10", archive, "train")
    expected = np.concatenate([pictures(4, seed)[0] for seed in range(1, 6)])
    assert torch.equal(train.pixels, torch.from_numpy(expected))
    assert train.labels["class"].tolist() == LABELS * 5 and train.names["class"] == tuple(NAMES)
    assert train.source == "CIFAR-10, official archive"


def test_the_search_words_in_the_file_names_are_the_terms(archive):
    train = read_images("cifar10", archive, "train")
    assert train.names["term"] == ("dump truck", "minicab", "tabby cat", "wagon")
    assert [train.names["term"][k] for k in train.labels["term"][:4].tolist()] == [
        "wagon",
        "dump truck",
        "minicab",
        "tabby cat",
    ]


@pytest.mark.parametrize("inner", [True, False])
def test_the_unpacked_folder_may_be_named_itself(inner, archive):
    path = archive / "cifar-10-batches-py" if inner else archive
    assert len(read_images("cifar10", path, "test")) == 4


def test_the_tar_gz_gives_what_the_folder_gives(archive, tmp_path):
    path = pack_tar(archive, tmp_path / "cifar-10-python.tar.gz")
    one, two = read_images("cifar10", path, "test"), read_images("cifar10", archive, "test")
    assert torch.equal(one.pixels, two.pixels) and torch.equal(one.label_rows(), two.label_rows())


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_every_protocol_of_that_time_is_read(protocol, tmp_path):
    found = read_images("cifar10", write_archive(tmp_path / "archive", protocol), "test")
    assert torch.equal(found.pixels, torch.from_numpy(pictures(4, 9)[0]))


def test_a_batch_written_by_python_2_is_read(hostile):
    """There str was bytes, and numpy's modules had their old names: the published files are such."""
    rows = batch(9)["data"]
    text = [b"U" + bytes([len(name)]) + name.encode() for name in ("data", "labels", "b")]
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text[2] + b"\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state = b"(K\x01K\x04M\x00\x0c\x86" + dtype + b"\x89T" + struct.pack("<i", rows.size) + rows.tobytes() + b"tb"
    labels = b"](K\x01K\x09K\x01K\x03e"
    folder = hostile(b"\x80\x02}(" + text[0] + array + state + text[1] + labels + b"u.")
    found = read_images("cifar10", folder, "test")
    assert torch.equal(found.pixels, torch.from_numpy(pictures(4, 9)[0])) and found.labels["class"].tolist() == LABELS


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *given):
        self.call = function, given

    def __reduce__(self):
        return self.call


class Unknown:
    """Of a module that the reader does not know."""


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "attack",
    [
        lambda path: Call(os.system, f"touch {path}"),
        lambda path: Call(eval, f"open({str(path)!r}, 'w').close()"),
        lambda path: Call(exec, f"open({str(path)!r}, 'w').close()"),
        lambda path: Call(open, str(path), "w"),
        lambda path: {"data": [{"deep": (Call(os.system, f"touch {path}"),)}]},
        lambda path: batch(9) | {"labels": Call(os.mkdir, str(path))},
        lambda path: {Call(os.mkdir, str(path)): 1},
        lambda path: Call(getattr, Call(__import__, "os"), "system"),
        lambda path: Unknown(),
    ],
    ids=["system", "eval", "exec", "open", "nested", "labels", "key", "getattr", "class"],
)
def test_hostile_pickles_are_refused_and_nothing_runs(attack, protocol, hostile, tmp_path):
    canary = tmp_path / "canary"
    refused(hostile(pickle.dumps(attack(canary), protocol=protocol)), r"asks for .*Nothing was run; do not trust it")
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path):
    """The attacks above do work on a reader that runs them."""
    pickle.loads(pickle.dumps(Call(os.mkdir, str(tmp_path / "canary"))))
    assert (tmp_path / "canary").exists()


def test_an_array_of_pointers_is_refused(hostile):
    """numpy itself would take the sixteen bytes for two addresses, and crash."""
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = b"\x80\x02}U\x04data" + array + b"(K\x01K\x02\x85" + dtype + b"\x89U\x10" + b"A" * 16 + b"tbs."
    refused(hostile(content), "dtype u1")


@pytest.mark.parametrize("name", ["cnumpy\nndarray\n", "cnumpy\ndtype\n", "c_codecs\nencode\n"])
def test_the_allowed_names_cannot_be_changed(name, hostile):
    refused(hostile(b"\x80\x02" + name.encode() + b"}U\x01xK\x01sb."), "it changes")


def test_a_few_bytes_cannot_ask_for_gigabytes(hostile):
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(hostile(b"\x80\x02}r" + struct.pack("<I", 0x08000000) + b"."))  # memo number 134,217,728
    refused(hostile(b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft\x85R."))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_a_batch_larger_than_any_is_refused(hostile):
    folder = hostile(b"")
    with (folder / "cifar-10-batches-py/test_batch").open("wb") as file:
        file.truncate(LARGEST + 1)
    refused(folder, "Expected test_batch in")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"data": [[0] * 3072] * 4}, "got list"),
        ({"data": np.zeros((4, 3073), np.uint8)}, r"got \(4, 3073\)"),
        ({"data": np.zeros((4, 3072), np.int64)}, "dtype u1"),
        ({"labels": None}, "got NoneType"),
        ({"labels": [1, 2]}, "Expected 4 labels in test_batch, got 2"),
        ({"labels": [1, 2, 3, 10]}, "labels from 0 to 9"),
        ({"labels": [1, 2, 3, -1]}, "labels from 0 to 9"),
        ({"labels": [1, 2, 3, "cat"]}, "labels from 0 to 9"),
        ({"filenames": ["one.png"]}, "a file name for each image"),
        ({"filenames": [1, 2, 3, 4]}, "list of texts under 'filenames'"),
    ],
)
def test_a_wrong_batch_is_refused(wrong, said, hostile):
    refused(hostile(pickle.dumps(batch(9) | wrong, protocol=2)), said)


def test_a_batch_that_is_no_dictionary_is_refused(hostile):
    refused(hostile(pickle.dumps([1, 2, 3])), "Expected a dictionary in test_batch, got list")


def test_a_truncated_batch_is_refused(hostile):
    whole = pickle.dumps(batch(9), protocol=2)
    for length in (0, 1, 10, 200, len(whole) // 2, len(whole) - 1):
        refused(hostile(whole[:length]), "test_batch is not readable")


def test_a_mutated_batch_is_refused_or_read(hostile):
    whole, rng = pickle.dumps(batch(9) | {"data": batch(9)["data"][:1], "labels": [1]}, protocol=2), random.Random(0)
    edges = [*range(200), *range(len(whole) - 300, len(whole))]  # the instructions, not the pixels
    folder = hostile(whole)
    count = 0
    for _ in range(300):
        mutant = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            mutant[rng.choice(edges)] = rng.randrange(256)
        (folder / "cifar-10-batches-py/test_batch").write_bytes(mutant)
        try:
            read_images("cifar10", folder, "test")
        except BadInput:
            count += 1
    assert count > 100


def test_a_folder_that_holds_the_archive_is_enough(archive, tmp_path):
    pack_tar(archive, tmp_path / "cifar-10-python.tar.gz")
    assert len(read_images("cifar10", tmp_path, "test")) == 4


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "cifar.tar.gz")
    refused(tmp_path / "cifar.tar.gz", "not a file")


def test_a_folder_without_batches_is_refused(tmp_path):
    refused(tmp_path, r"cifar10\.npz pack")


def test_a_tar_without_batches_is_refused(tmp_path):
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    refused(tmp_path / "other.tar.gz", r"holds no batches\.meta")


def test_a_file_that_is_no_tar_is_refused(tmp_path):
    (tmp_path / "cifar.tar.gz").write_bytes(b"hello" * 1000)
    refused(tmp_path / "cifar.tar.gz", "no readable tar archive")


def test_a_damaged_tar_is_refused_or_read(archive, tmp_path):
    path = pack_tar(archive, tmp_path / "cifar.tar.gz")
    whole, rng, count = path.read_bytes(), random.Random(1), 0
    for turn in range(60):
        mutant = bytearray(whole[: rng.randrange(len(whole))] if turn % 2 else whole)
        if not turn % 2:
            mutant[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(mutant)
        try:
            read_images("cifar10", path, "test")
        except BadInput:
            count += 1
    assert count > 20
