"""Readers: the same pictures from every format, and one clear refusal for everything else."""

import numpy as np
import pytest
import torch
from lab_helpers import CLASSES, GROUNDS, TERM_CLASS, TERMS, pack_arrays, pictures
from PIL import Image

from zeuxis.errors import BadInput
from zeuxis.lab.data import Images, read_images, sheets, to_signed


def save_pictures(folder, names, colour=(200, 30, 30), size=(40, 32)):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", size, colour).save(folder / name)


@pytest.mark.parametrize("split, count", [("train", 56), ("test", 28)])
def test_a_pack_gives_its_pictures_in_label_order(split, count, data):
    found = read_images("cifar10", data / "cifar10.npz", split)
    drawn, terms = pictures(count, seed=("train", "test").index(split))
    assert found.pixels.shape == (count, 32, 32, 3) and found.pixels.dtype == torch.uint8
    assert (found.pixels.int() - torch.from_numpy(drawn).int()).abs().float().mean() < 4  # AVIF is lossy
    assert found.terms.tolist() == terms.tolist() and found.labels.tolist() == [TERM_CLASS[t] for t in terms]
    assert found.classes == CLASSES and found.source == "CIFAR-10, AVIF pack"


def test_a_pack_is_found_in_its_folder(data):
    assert len(read_images("cifar10", data)) == 56


def test_terms_are_shown_as_words_and_without_the_slur(data):
    names = read_images("cifar10", data).term_names
    assert names == ("tabby cat", "siamese", "puppy", "poodle dog", "lorry", "fire truck", "minicab")
    assert len(names) == len(TERMS)


def test_the_class_of_a_term_is_the_one_it_occurs_with_most():
    labels, terms = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 0, 0, 1, 1])
    data = Images(torch.zeros(5, 1, 1, 3), labels, ("cat", "dog"), terms, ("kitten", "puppy"))
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


def test_a_folder_of_folders_is_classes(tmp_path):
    for name, colour in (("red_car", GROUNDS[0]), ("grass", GROUNDS[1])):
        save_pictures(tmp_path / name, ["a.png", "b.PNG", "notes.bmp"], colour)
    (tmp_path / "grass" / "readme.txt").write_text("not a picture")
    found = read_images("folder", tmp_path)
    assert found.classes == found.term_names == ("grass", "red car")
    assert found.labels.tolist() == found.terms.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.pixels.shape == (6, 32, 32, 3)
    assert found.pixels[0, 16, 16].tolist() == list(GROUNDS[1])


def test_a_folder_of_pictures_is_one_class(tmp_path):
    save_pictures(tmp_path, ["a.png", "b.jpg", "c.webp"])
    found = read_images("folder", tmp_path, size=16)
    assert found.classes == ("image",) and found.labels.tolist() == [0, 0, 0]
    assert found.pixels.shape == (3, 16, 16, 3)


def test_pictures_are_cut_to_their_middle_square(tmp_path):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert read_images("folder", tmp_path).pixels.min() > 250


def test_both_splits_number_the_classes_alike(tmp_path):
    for name in ("cat", "dog", "emu"):
        save_pictures(tmp_path / "train" / name, ["1.png"])
    save_pictures(tmp_path / "test" / "dog", ["1.png"])
    train, test = (read_images("folder", tmp_path, split) for split in ("train", "test"))
    assert train.classes == test.classes == ("cat", "dog", "emu")
    assert train.labels.tolist() == [0, 1, 2] and test.labels.tolist() == [1]


@pytest.mark.parametrize("there", ["train", "test"])
def test_a_folder_with_one_split_gives_it_for_both(there, tmp_path):
    save_pictures(tmp_path / there / "cat", ["1.png"])
    found = [read_images("folder", tmp_path, split).classes for split in ("train", "test")]
    assert found == [("cat",), ("cat",)]


def test_broken_pictures_are_left_out_and_noted(tmp_path):
    save_pictures(tmp_path, ["good.png", "cut.png"])
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.gif").write_text("hello")
    huge = bytearray(whole)
    huge[16:24] = (60_000).to_bytes(4, "big") * 2  # a bomb: 60,000 x 60,000 pixels, says the header
    (tmp_path / "bomb.png").write_bytes(huge)
    found = read_images("folder", tmp_path)
    assert len(found) == 1
    assert sorted(note.split()[2] for note in found.notes) == ["bomb.png:", "cut.png:", "empty.jpg:", "text.gif:"]


def test_any_damage_to_a_picture_leaves_it_out_or_reads_it(tmp_path):
    save_pictures(tmp_path, ["a.png", "b.png"])
    whole, rng = (tmp_path / "a.png").read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        mutant = bytearray(whole)
        for place in rng.integers(8, len(whole), 2):
            mutant[place] = rng.integers(256)
        (tmp_path / "b.png").write_bytes(mutant)
        found = read_images("folder", tmp_path)
        assert len(found) + len(found.notes) == 2


def test_a_folder_of_broken_pictures_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(BadInput, match=r"None of the 1 pictures.*text\.png"):
        read_images("folder", tmp_path)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BadInput, match=r"Expected pictures.*\.png"):
        read_images("folder", tmp_path)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(BadInput, match="found nothing there.*--data PATH"):  # noqa: RUF043
        read_images("cifar10", tmp_path / "nowhere.npz")


def test_an_unknown_reader_is_refused(tmp_path):
    with pytest.raises(BadInput, match="'imagenet'. Known: cifar10, folder"):  # noqa: RUF043
        read_images("imagenet", tmp_path)


@pytest.mark.parametrize("gone", ["train_00", "train_labels", "train_term", "classes", "terms"])
def test_a_pack_that_lacks_a_part_is_refused(gone, tmp_path):
    arrays = pack_arrays(train=4, test=4)
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
    np.savez(tmp_path / "pack.npz", **(pack_arrays(train=4, test=4) | wrong))
    with pytest.raises(BadInput, match=r"pack\.npz"):
        read_images("cifar10", tmp_path / "pack.npz")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + b"\0" * 100, b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_npz_is_refused(content, tmp_path):
    (tmp_path / "pack.npz").write_bytes(content)
    with pytest.raises(BadInput, match="not readable as a CIFAR-10 pack"):
        read_images("cifar10", tmp_path / "pack.npz")


def test_a_truncated_or_flipped_pack_is_refused_or_read(tmp_path):
    path = tmp_path / "pack.npz"
    np.savez(path, **pack_arrays(train=4, test=4))
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
