"""Readers: the same pictures from every format, and one clear refusal for everything else."""

import numpy as np
import pytest
import torch
from data_helpers import CLASSES, TERM_CLASS, TERMS, cifar_arrays, pictures

from zeuxis.data import ImageSet, read_images, to_signed
from zeuxis.data.packs import sheets
from zeuxis.errors import BadInput


@pytest.mark.parametrize("split, count", [("train", 56), ("test", 28)])
def test_a_pack_gives_its_pictures_in_label_order(split, count, data):
    found = read_images("cifar10", data / "cifar10.npz", split)
    drawn, terms = pictures(count, seed=("train", "test").index(split))
    assert found.pixels.shape == (count, 32, 32, 3) and found.pixels.dtype == torch.uint8
    assert (found.pixels.int() - torch.from_numpy(drawn).int()).abs().float().mean() < 4  # AVIF is lossy
    assert found.labels["term"].tolist() == terms.tolist()
    assert found.labels["class"].tolist() == [TERM_CLASS[t] for t in terms]
    assert found.names["class"] == CLASSES and found.source == "CIFAR-10, AVIF pack"


def test_a_pack_is_found_in_its_folder(data):
    assert len(read_images("cifar10", data)) == 56


def test_terms_are_shown_as_words_and_without_the_slur(data):
    names = read_images("cifar10", data).names["term"]
    assert names == ("tabby cat", "siamese", "puppy", "poodle dog", "lorry", "fire truck", "minicab")
    assert len(names) == len(TERMS)


def test_the_class_of_a_term_is_the_one_it_occurs_with_most():
    labels, terms = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 0, 0, 1, 1])
    names = {"class": ("cat", "dog"), "term": ("kitten", "puppy")}
    data = ImageSet(torch.zeros(5, 1, 1, 3), {"class": labels, "term": terms}, names)
    assert data.term_class().tolist() == [0, 1]


def test_sheets_may_have_four_channels(data):
    with np.load(data / "emoji64.npz") as pack:
        tiles = sheets(pack, "train", 64, 20, 3, "RGBA")
    assert tiles.shape == (3, 64, 64, 4)
    assert tiles[:, 0, 0, 3].max() < 8 and tiles[:, 32, 32, 3].min() > 247


def test_networks_see_minus_one_to_one():
    pixels = torch.tensor([0, 255, 51], dtype=torch.uint8).expand(2, 4, 5, 3)
    signed = to_signed(pixels)
    assert signed.shape == (2, 3, 4, 5) and signed.dtype == torch.float32
    assert torch.allclose(signed[0, :, 0, 0], torch.tensor([-1.0, 1.0, -0.6]), atol=1e-6)


def test_an_array_is_copied_before_it_is_scaled(data):
    images = read_images("cifar10", data)
    before = images.pixels.clone()
    images.batch(torch.arange(len(images)))
    assert torch.equal(images.pixels, before)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(BadInput, match="found nothing there.*--data PATH"):  # noqa: RUF043
        read_images("cifar10", tmp_path / "nowhere.npz")


def test_an_unknown_reader_is_refused(tmp_path):
    with pytest.raises(BadInput, match="'imagenet'.*tiny-imagenet.*Known: cifar10, mnist"):  # noqa: RUF043
        read_images("imagenet", tmp_path)


@pytest.mark.parametrize("gone", ["train_00", "train_labels", "train_term", "classes", "terms"])
def test_a_pack_that_lacks_a_part_is_refused(gone, tmp_path):
    arrays = cifar_arrays(train=4, test=4)
    del arrays[gone]
    np.savez(tmp_path / "pack.npz", **arrays)
    with pytest.raises(BadInput, match=f"lacks {gone}"):
        read_images("cifar10", tmp_path / "pack.npz")


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_labels": np.array([0, 1, 2, 3])},
        {"train_term": np.array([-1, 0, 0, 0])},
        {"train_labels": np.zeros(50, int)},
        {"train_00": np.frombuffer(b"no picture", np.uint8)},
        {"train_labels": np.array([{}, {}, {}, {}], dtype=object)},
    ],
    ids=["label too high", "term below 0", "more labels than images", "no picture", "pickled objects"],
)
def test_a_pack_with_wrong_parts_is_refused(wrong, tmp_path):
    np.savez(tmp_path / "pack.npz", **(cifar_arrays(train=4, test=4) | wrong))
    with pytest.raises(BadInput, match=r"pack\.npz"):
        read_images("cifar10", tmp_path / "pack.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + b"\0" * 100, b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npz_is_refused(content, tmp_path):
    (tmp_path / "pack.npz").write_bytes(content)
    with pytest.raises(BadInput, match="to be a whole CIFAR-10 pack"):
        read_images("cifar10", tmp_path / "pack.npz")


def test_a_truncated_or_flipped_pack_is_refused_or_read(tmp_path):
    path = tmp_path / "pack.npz"
    np.savez(path, **cifar_arrays(train=4, test=4))
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for turn in range(60):
        mutant = bytearray(whole[: rng.integers(len(whole))] if turn % 2 else whole)
        if not turn % 2:
            mutant[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(mutant)
        try:
            assert len(read_images("cifar10", path)) == 4
        except BadInput:
            refused += 1
    assert refused > 30
