"""What every data set has in common, each pack's own labels, and conversions."""

import numpy as np
import pytest
import torch
from data_helpers import PRODUCTS, digits, pictures, write_idx, write_products
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zeuxis.data import READERS, ImageSet, read_images, to_signed
from zeuxis.data.convert import converted, resample, room_for, to_grey
from zeuxis.errors import BadInput, UnknownName

PACKS = [name for name in READERS if name != "folder"]
HAS_TEST_ONLY = {"imagenet-sample"}


def a_split(kind):
    return "test" if kind in HAS_TEST_ONLY else "train"


@pytest.mark.parametrize("kind", PACKS)
def test_every_pack_keeps_the_contract(kind, data):
    images = read_images(kind, data, a_split(kind))
    count = len(images)
    assert images.pixels.dtype == torch.uint8 and images.pixels.is_contiguous()
    assert images.pixels.shape == (count, images.resolution, images.resolution, images.channels)
    assert images.source and images.licence != "unknown"
    assert list(images.labels) == list(images.names) and len(images.sizes) == len(images.labels)
    rows = images.label_rows()
    assert rows.shape == (count, len(images.labels)) and rows.dtype == torch.int64
    assert bool((rows >= 0).all()) and bool((rows < torch.tensor(images.sizes).reshape(1, -1)).all())
    found, counts = images.combinations()
    assert found.shape == (len(counts), len(images.labels)) and int(counts.sum()) == count
    assert images.captions is None or len(images.captions) == count
    batch = images.batch(torch.tensor([0, 1, 0]))
    assert batch.shape == (3, images.channels, images.resolution, images.resolution) and batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last) and float(batch.abs().max()) <= 1


@pytest.mark.parametrize("kind", [*PACKS, "folder"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_reader_gives_the_size_and_channels_asked_for(kind, channels, data, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    path = tmp_path if kind == "folder" else data
    images = read_images(kind, path, a_split(kind), resolution=16, channels=channels)
    assert images.pixels.shape == (len(images), 16, 16, channels)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"split": "val"}, "train or test, got 'val'"),
        ({"resolution": 0}, "1 to 1024 pixels, got 0"),
        ({"resolution": 10**9}, "1 to 1024"),
        ({"channels": 4}, "1 or 3 channels, got 4"),
    ],
)
def test_impossible_wishes_are_refused(arguments, said, data):
    with pytest.raises(BadInput, match=said):
        read_images("cifar10", data, **arguments)


def test_an_unknown_reader_is_named_with_its_neighbour():
    with pytest.raises(UnknownName, match="Did you mean products"):
        read_images("product", ".")


def test_a_split_that_a_pack_lacks_is_said(data):
    with pytest.raises(BadInput, match=r"lacks train_00\. Ask for its test split"):
        read_images("imagenet-sample", data, "train")


def test_a_folder_without_the_pack_is_refused_with_its_name(tmp_path):
    for kind in PACKS:
        with pytest.raises(BadInput, match="Expected"):
            read_images(kind, tmp_path)


def test_products_have_two_labels_and_their_titles(data):
    train, test = (read_images("products", data, split) for split in ("train", "test"))
    assert train.names == test.names == {"type": ("Bags", "Shoes", "Watches"), "colour": ("Black", "Grey", "Red")}
    assert train.labels["type"].tolist() == [1, 0] and train.labels["colour"].tolist() == [1, 2]
    assert test.label_rows().tolist() == [[2, 0]] and train.sizes == (3, 3)
    assert train.captions == ("Nike Grey Shoes", "Red Bag") and train.resolution == 64


@pytest.mark.parametrize(
    "texts",
    [
        [],
        {"train": []},
        {**PRODUCTS, "test": [{"title": "x"}]},
        {**PRODUCTS, "train": "no"},
        {"train": [1], "test": []},
    ],
)
def test_products_with_wrong_texts_are_refused(texts, tmp_path):
    write_products(tmp_path, texts)
    with pytest.raises(BadInput, match=r"products64\.json\.xz"):
        read_images("products", tmp_path)


def test_more_texts_than_pictures_are_refused(tmp_path):
    write_products(tmp_path, {**PRODUCTS, "train": PRODUCTS["train"] * 20})
    with pytest.raises(BadInput, match="Expected 40 pictures in the train split, got 25"):
        read_images("products", tmp_path)


def test_a_pack_with_other_sheets_is_refused(tmp_path, data):
    for name, kind in (("cifar10.npz", "caltech"), ("caltech93_64.npz", "tiny-imagenet")):
        with pytest.raises(BadInput, match="Expected"):
            read_images(kind, data / name)


def test_an_imagenet_sample_has_one_picture_of_each_class(data):
    images = read_images("imagenet-sample", data, "test")
    assert images.labels["class"].tolist() == [0, 1] and images.names["class"] == ("tench", "great white shark")


def test_emoji_have_their_names_as_captions(data):
    images = read_images("emoji", data)
    assert images.captions == ("fire engine", "hot face", "puppy eyes") and images.labels == {}


# ---- digits


@pytest.mark.parametrize("kind", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("source", ["pack", "gzip", "plain", "one file"])
def test_digits_are_read_from_packs_and_idx_files(kind, source, data, tmp_path):
    path = data if source == "pack" else write_idx(tmp_path, zipped=source != "plain")
    path = path / "train-images-idx3-ubyte.gz" if source == "one file" else path
    images, (drawn, labels) = read_images(kind, path), digits()
    assert torch.equal(images.pixels[..., 0], torch.from_numpy(drawn))
    assert images.labels["class"].tolist() == labels.tolist() and images.sizes == (10,)


def test_digits_get_a_black_border_for_32_pixels_only(data):
    plain, bordered = read_images("mnist", data), read_images("mnist", data, resolution=32)
    assert torch.equal(bordered.pixels[:, 2:30, 2:30], plain.pixels)
    assert int(bordered.pixels.sum()) == int(plain.pixels.sum())
    assert read_images("mnist", data, resolution=64).pixels[:, 0].any()  # resampled, no border


@pytest.mark.parametrize("damage", ["cut", "no idx", "wrong count", "bad zip", "too many labels", "label 10"])
def test_damaged_idx_files_are_refused(damage, tmp_path):
    write_idx(tmp_path, zipped=damage == "bad zip")
    images, labels = (next(tmp_path.glob(f"train-{part}*")) for part in ("images", "labels"))
    whole = images.read_bytes()
    if damage == "cut":
        images.write_bytes(whole[:-1])
    elif damage == "no idx":
        images.write_bytes(b"hello")
    elif damage == "wrong count":
        images.write_bytes(whole[:4] + b"\xff" * 12 + whole[16:])  # 4,294,967,295 pictures of that many pixels a side
    elif damage == "bad zip":
        images.write_bytes(whole[: len(whole) // 2])
    elif damage == "too many labels":
        labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 13]) + bytes(13))
    else:
        labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes([10] * 12))
    with pytest.raises(BadInput):
        read_images("mnist", tmp_path)


# ---- ImageSet and conversions


def test_combinations_are_sorted_and_counted():
    labels = {"type": torch.tensor([1, 0, 1, 0]), "colour": torch.tensor([2, 3, 2, 0])}
    images = ImageSet(torch.zeros(4, 1, 1, 3), labels, {"type": ("a", "b"), "colour": tuple("wxyz")})
    found, counts = images.combinations()
    assert found.tolist() == [[0, 0], [0, 3], [1, 2]] and counts.tolist() == [1, 1, 2]


def test_a_set_without_labels_has_one_empty_combination():
    images = ImageSet(torch.zeros(4, 1, 1, 3))
    found, counts = images.combinations()
    assert found.shape == (1, 0) and counts.tolist() == [4] and images.sizes == ()
    assert images.label_rows().shape == (4, 0)
    with pytest.raises(BadInput, match="pictures with labels"):
        images.label(0)


def test_a_set_with_one_label_repeats_it_as_the_finest():
    images = ImageSet(torch.zeros(2, 1, 1, 3), {"class": torch.tensor([0, 1])}, {"class": ("a", "b")})
    assert images.label(-1)[1] == images.label(0)[1] == ("a", "b") and images.term_class().tolist() == [0, 1]


def test_resampling_in_pieces_is_resampling(monkeypatch):
    pixels = torch.from_numpy(pictures(7, 1)[0])
    whole = resample(pixels, 20)
    monkeypatch.setattr("zeuxis.data.convert.PIECE", 3)
    assert torch.equal(resample(pixels, 20), whole)


@settings(max_examples=30, deadline=None)
@given(value=st.integers(0, 255), size=st.integers(1, 40))
def test_resampling_keeps_a_flat_picture(value, size):
    found = resample(torch.full((1, 16, 16, 3), value, dtype=torch.uint8), size)
    assert found.shape == (1, size, size, 3) and bool((found == value).all())


def test_grey_is_what_pillow_calls_grey():
    pixels = torch.from_numpy(pictures(3, 2)[0])
    expected = np.stack([np.asarray(Image.fromarray(p.numpy()).convert("L")) for p in pixels])
    assert int((to_grey(pixels)[..., 0].int() - torch.from_numpy(expected).int()).abs().max()) <= 1


def test_grey_becomes_rgb_with_three_equal_channels():
    found = converted(ImageSet(torch.arange(4, dtype=torch.uint8).reshape(1, 2, 2, 1)), None, 3).pixels
    assert found.shape == (1, 2, 2, 3) and torch.equal(found[..., 0], found[..., 2])


def test_more_than_a_set_may_hold_is_refused_before_it_is_allocated():
    with pytest.raises(BadInput, match="100,000,000 pictures of 1024"):
        room_for(10**8, 1024, 3)


def test_the_range_is_minus_one_to_one():
    assert to_signed(torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1)).flatten().tolist() == [-1, 1]


# ---- the published files


@pytest.mark.parametrize(
    ("kind", "split", "count", "size", "sizes"),
    [
        ("products", "test", 1306, 64, (82, 45)),
        ("tiny-imagenet", "test", 4000, 64, (160,)),
        ("caltech", "test", 743, 64, (93,)),
        ("emoji", "test", 164, 64, ()),
        ("afhq-cat", "test", 250, 128, ()),
        ("imagenet-sample", "test", 1000, 128, (1000,)),
        ("mnist", "test", 5000, 28, (10,)),
        ("fashion-mnist", "test", 2000, 28, (10,)),
        ("cifar10", "test", 10000, 32, (10, 396)),
    ],
)
def test_the_published_packs_are_read(kind, split, count, size, sizes, published):
    images = read_images(kind, published, split)
    assert (len(images), images.resolution, images.sizes) == (count, size, sizes)


def test_a_published_product_is_what_its_title_says(published):
    images = read_images("products", published, "test")
    assert images.captions[0] == "Guess Men Chase Steel Watch"
    assert images.names["type"][images.labels["type"][0]] == "Watches"
    corner = images.pixels[:, :2, :2].float().mean()
    assert corner > 250  # white grounds
