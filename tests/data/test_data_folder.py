"""A person's own pictures: classes, captions, and everything that lies about in a folder."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from data_helpers import GROUNDS, save_pictures
from PIL import Image

from zeuxis.data import read_images
from zeuxis.errors import BadInput
from zeuxis.evaluation.picture_sets import FolderPictures
from zeuxis.pictures.reading import pictures_under


def test_a_folder_of_folders_is_classes(tmp_path):
    for name, colour in (("red_car", GROUNDS[0]), ("grass", GROUNDS[1])):
        save_pictures(tmp_path / name, ["a.png", "b.PNG", "notes.bmp"], colour)
    (tmp_path / "grass" / "readme.txt").write_text("not a picture")
    found = read_images("folder", tmp_path, resolution=32)
    assert found.names == {"class": ("grass", "red car")}
    assert found.labels["class"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found.pixels.shape == (6, 32, 32, 3)
    assert found.pixels[0, 16, 16].tolist() == list(GROUNDS[1])


def test_a_folder_of_pictures_has_no_labels(tmp_path):
    save_pictures(tmp_path, ["a.png", "b.jpg", "c.webp"])
    found = read_images("folder", tmp_path, resolution=16)
    assert found.names == found.labels == {} and found.captions is None
    assert found.pixels.shape == (3, 16, 16, 3)


def test_pictures_are_cut_to_their_middle_square(tmp_path):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert read_images("folder", tmp_path, resolution=32).pixels.min() > 250


def test_both_splits_number_the_classes_alike(tmp_path):
    for name in ("cat", "dog", "emu"):
        save_pictures(tmp_path / "train" / name, ["1.png"])
    save_pictures(tmp_path / "test" / "dog", ["1.png"])
    train, test = (read_images("folder", tmp_path, split) for split in ("train", "test"))
    assert train.names == test.names == {"class": ("cat", "dog", "emu")}
    assert train.labels["class"].tolist() == [0, 1, 2] and test.labels["class"].tolist() == [1]


@pytest.mark.parametrize("there", ["train", "test"])
def test_a_folder_with_one_split_gives_it_for_both(there, tmp_path):
    save_pictures(tmp_path / there / "cat", ["1.png"])
    found = [read_images("folder", tmp_path, split).names["class"] for split in ("train", "test")]
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
    found = read_images("folder", tmp_path, resolution=32)
    assert len(found) == 1
    named = [text.partition(": ")[0] for text in found.left_out]
    assert named == ["bomb.png", "cut.png", "empty.jpg", "text.gif"]


def test_any_damage_to_a_picture_leaves_it_out_or_reads_it(tmp_path):
    save_pictures(tmp_path, ["a.png", "b.png"])
    whole, rng = (tmp_path / "a.png").read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        mutant = bytearray(whole)
        for place in rng.integers(8, len(whole), 2):
            mutant[place] = rng.integers(256)
        (tmp_path / "b.png").write_bytes(mutant)
        found = read_images("folder", tmp_path, resolution=32)
        assert len(found) + len(found.left_out) == 2


def test_a_folder_of_broken_pictures_is_refused(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(BadInput, match=r"None of the 1 pictures.*text\.png"):
        read_images("folder", tmp_path, resolution=32)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BadInput, match=r"Expected pictures.*\.png"):
        read_images("folder", tmp_path, resolution=32)


def test_without_a_resolution_pictures_become_64_pixels(tmp_path):
    save_pictures(tmp_path, ["a.png"])
    assert read_images("folder", tmp_path).resolution == 64


def test_grey_is_asked_for_with_channels(tmp_path):
    save_pictures(tmp_path, ["a.png"], (255, 0, 0))
    found = read_images("folder", tmp_path, resolution=8, channels=1)
    assert found.pixels.shape == (1, 8, 8, 1) and found.pixels.unique().tolist() == [76]  # 0.299 * 255


def test_a_text_beside_a_picture_is_its_caption(tmp_path):
    save_pictures(tmp_path / "cats", ["a.png", "b.png"])
    (tmp_path / "cats/a.txt").write_text(" A black\n cat. \n", encoding="utf-8")
    found = read_images("folder", tmp_path)
    assert found.captions == ("A black cat.", "")
    assert found.notes == ["1 of 2 pictures have no caption."]


@pytest.mark.parametrize("keys", [("file", "caption"), ("file_name", "text")])
def test_a_list_of_captions_is_read(keys, tmp_path):
    save_pictures(tmp_path / "train/x", ["a.png", "b.png"])
    lines = [json.dumps({keys[0]: f"x/{n}.png", keys[1]: f"picture {n}"}) for n in "ba"]
    (tmp_path / "train/captions.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    assert read_images("folder", tmp_path).captions == ("picture a", "picture b")


def test_captions_stay_with_their_pictures_when_one_is_left_out(tmp_path):
    save_pictures(tmp_path / "one", ["a.png", "c.png"])
    save_pictures(tmp_path / "two", ["d.png"])
    (tmp_path / "one/b.png").write_text("no picture")
    for name in "abc":
        (tmp_path / f"one/{name}.txt").write_text(f"caption {name}")
    (tmp_path / "two/d.txt").write_text("caption d")
    found = read_images("folder", tmp_path)
    assert found.captions == ("caption a", "caption c", "caption d")
    assert found.labels["class"].tolist() == [0, 0, 1] and len(found.pixels) == 3


@pytest.mark.parametrize("line", ["no json", "[]", '{"file": 1, "caption": "x"}', '{"file": "a.png"}', "[" * 5000])
def test_a_wrong_list_of_captions_is_refused_by_its_line(line, tmp_path):
    save_pictures(tmp_path, ["a.png"])
    (tmp_path / "captions.jsonl").write_text('{"file": "a.png", "caption": "x"}\n' + line + "\n")
    with pytest.raises(BadInput, match=r"in line 2 of .*captions\.jsonl"):
        read_images("folder", tmp_path)


def test_pipes_folders_and_dead_links_named_like_pictures_are_left_out(tmp_path):
    save_pictures(tmp_path, ["good.png"])
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "good.txt")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dead.png").symlink_to(tmp_path / "nowhere")
    found = read_images("folder", tmp_path)
    assert len(found) == 1 and len(found.left_out) == 3 and len(found.notes) == 1  # the note: a caption


def test_a_file_is_no_folder(tmp_path):
    save_pictures(tmp_path, ["a.png"])
    with pytest.raises(BadInput, match="Expected a folder of pictures, got the file"):
        read_images("folder", tmp_path / "a.png")


def test_sixteen_bit_pictures_keep_their_greys(tmp_path):
    Image.fromarray(np.full((4, 4), 0x4020, np.uint16)).save(tmp_path / "a.png")
    assert read_images("folder", tmp_path, resolution=4).pixels.unique().tolist() == [0x40]


def test_of_a_run_only_the_final_population_is_taken(tmp_path):
    (tmp_path / "run" / "images").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    for place in ("curve.png", "images/final.png", "images/best_x8.png", "images/generation-000001.png", "top/01.png"):
        save_pictures(tmp_path / "run" / Path(place).parent, [Path(place).name])
    save_pictures(tmp_path / "run" / "images", ["final-0000.png", "final-0001.png"])
    save_pictures(tmp_path / "mine", ["final.png", "a.png"])
    inside = ["run/images/final-0000.png", "run/images/final-0001.png"]
    for root, wanted in ((tmp_path, ["mine/a.png", "mine/final.png", *inside]), (tmp_path / "run", inside),
                         (tmp_path / "run" / "images", inside)):  # fmt: skip
        assert [p.relative_to(tmp_path).as_posix() for p in pictures_under(root)] == wanted
    assert read_images("folder", tmp_path / "run", resolution=16).pixels.shape[0] == 2
    found = FolderPictures(tmp_path)
    assert (
        len(found) == 4 and found.classes == ("mine", "run") and len(FolderPictures(tmp_path / "run" / "images")) == 2
    )
    for file in (tmp_path / "run" / "images").glob("final-*"):
        file.unlink()
    with pytest.raises(BadInput, match=r"has no final population yet\. Go on with: zeuxis resume"):
        FolderPictures(tmp_path / "run")
