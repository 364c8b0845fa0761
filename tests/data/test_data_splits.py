"""When sub-folders are splits and when they are classes, whatever they are called."""

import pytest
from data_helpers import save_pictures

from zeuxis.data import read_images


def both(path):
    return [read_images("folder", path, split, resolution=8) for split in ("train", "test")]


@pytest.mark.parametrize("name", ["train", "test", "val", "valid", "validation", "Train", "testing"])
def test_a_class_may_be_called_like_a_split(name, tmp_path):
    for folder, count in ((name, 3), ("bus", 4), ("car", 5)):
        save_pictures(tmp_path / folder, [f"{i}.png" for i in range(count)])
    for found in both(tmp_path):
        assert len(found) == 12 and set(found.names["class"]) == {name, "bus", "car"} and found.notes == []
        assert sorted(found.labels["class"].bincount().tolist()) == [3, 4, 5]


@pytest.mark.parametrize("names", [("train", "test", "bus"), ("train", "val", "tram"), ("test", "val"), ("a", "train")])
def test_train_and_its_partner_with_others_beside_them_are_classes(names, tmp_path):
    for name in names:
        save_pictures(tmp_path / name, ["1.png", "2.png"])
    for found in both(tmp_path):
        assert found.names["class"] == tuple(sorted(names)) and len(found) == 2 * len(names)


@pytest.mark.parametrize("held", ["test", "val", "valid", "validation", "Test"])
def test_train_and_its_partner_alone_are_a_split_and_it_is_said(held, tmp_path):
    for folder, count in (("train", 3), (held, 2)):
        for name in ("cat", "dog"):
            save_pictures(tmp_path / folder / name, [f"{i}.png" for i in range(count)])
    (tmp_path / "labels").mkdir()  # without pictures: no class
    train, test = both(tmp_path)
    assert (len(train), len(test)) == (6, 4) and train.names == test.names == {"class": ("cat", "dog")}
    assert train.notes == [
        f"The folders train and {held} in {tmp_path.name} are taken as the training and the held-out pictures. "
        "If they are classes, rename one of them."
    ]


def test_of_two_partners_the_one_that_is_not_used_is_named(tmp_path):
    for folder in ("train", "test", "val"):
        save_pictures(tmp_path / folder, ["1.png"])
    train, test = both(tmp_path)
    assert len(train) == len(test) == 1 and train.names == {} and "val is not used" in train.notes[0]


def test_a_picture_beside_the_folders_makes_them_classes(tmp_path):
    save_pictures(tmp_path, ["loose.png"])
    for folder in ("train", "test"):
        save_pictures(tmp_path / folder, ["1.png"])
    assert both(tmp_path)[0].names == {"class": ("image", "test", "train")}
