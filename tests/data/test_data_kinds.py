"""Every data set given to the reader of every other one: read as what it is, or refused with the name of its reader."""

import numpy as np
import pytest
from data_helpers import save_pictures, write_idx

from zeuxis.data import READERS, read_images
from zeuxis.data.kinds import kinds_of
from zeuxis.errors import BadInput

FILES = {
    "cifar10": "cifar10.npz", "mnist": "mnist_25k.npz.xz", "fashion-mnist": "fashion_mnist_10k.npz.xz",
    "products": "products64.npz", "tiny-imagenet": "tinyimagenet160_64.npz", "caltech": "caltech93_64.npz",
    "emoji": "emoji64.npz", "afhq-cat": "afhqcat_128.npz", "imagenet-sample": "imagenet1000_128.npz",
}  # fmt: skip


def refusal(kind, path):
    with pytest.raises(BadInput) as refused:
        read_images(kind, path, "test" if kind == "imagenet-sample" else "train")
    text = str(refused.value)
    assert "\n" not in text and len(text) - 2 * len(str(path)) < 300
    return text


@pytest.mark.parametrize("kind", list(READERS))
@pytest.mark.parametrize("given", FILES)
def test_a_pack_of_another_reader_is_named(given, kind, data):
    path = data / FILES[given]
    if kind == given:
        assert len(read_images(kind, path, "test" if kind == "imagenet-sample" else "train"))
    else:
        assert f'found data for "{given}"' in (text := refusal(kind, path)) and "zeuxis list recipes" in text


@pytest.mark.parametrize("kind", [name for name in READERS if name != "folder"])
def test_a_folder_of_pictures_is_named(kind, tmp_path):
    save_pictures(tmp_path / "cat", ["1.png"])
    assert 'found data for "folder"' in refusal(kind, tmp_path)
    assert 'found data for "folder"' in refusal(kind, tmp_path / "cat/1.png")


def test_a_pack_under_another_name_is_known_by_its_arrays(data, tmp_path):
    for given, name in FILES.items():
        path = tmp_path / f"mine{''.join(filter(lambda part: part in ('.npz', '.xz'), (data / name).suffixes))}"
        path.write_bytes((data / name).read_bytes())
        assert given in kinds_of(path)
    path = tmp_path / "mine.npz"
    path.write_bytes((data / FILES["tiny-imagenet"]).read_bytes())
    assert "tiny-imagenet" in refusal("products", path) and "tiny-imagenet" in refusal("emoji", path)


def test_idx_files_are_of_either_set_of_digits(tmp_path):
    write_idx(tmp_path)
    assert kinds_of(tmp_path) == kinds_of(tmp_path / "train-images-idx3-ubyte.gz") == ("mnist", "fashion-mnist")
    assert '"mnist" or "fashion-mnist"' in refusal("cifar10", tmp_path)


@pytest.mark.parametrize("kind", list(READERS))
@pytest.mark.parametrize("name", ["notes.txt", "data.npz", "data.npz.xz", "data.tar.gz", "data.bin"])
def test_content_of_no_kind_is_one_sentence_without_a_library_s_words(name, kind, tmp_path):
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    text = refusal(kind, path)
    assert not any(word in text for word in ("ReadError", "zip file", "method", "Traceback"))


@pytest.mark.parametrize("kind", list(READERS))
def test_an_empty_folder_is_one_sentence(kind, tmp_path):
    assert str(tmp_path) in (text := refusal(kind, tmp_path)) and "Expected" in text
