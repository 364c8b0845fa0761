"""Feature spaces: what ships, DINOv2 from a tiny folder, a classifier of one's own; the cache and saved references."""

import json
from dataclasses import replace

import metric_pictures as pictures
import pytest
import torch
from safetensors.torch import save_file

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, MissingModel, RunDamaged, UnknownName, WeightsRefused
from zeuxis.evaluation import embedding
from zeuxis.evaluation.embedding import embed_set, load_reference, save_reference
from zeuxis.evaluation.feature_spaces import FEATURES, FeatureSpace, as_float, open_features
from zeuxis.evaluation.picture_sets import DataPictures, FolderPictures, Some, open_pictures, other_split
from zeuxis.hub.pocket import pocket_path

SEEN = []


def toy(images):
    SEEN.append(len(images))
    return images.float().mean((2, 3))


SPACE = FeatureSpace("toy", "toy", "none", "1" * 64, toy)


@pytest.fixture(autouse=True)
def forget():
    SEEN.clear()


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dino") / "tiny"
    folder.mkdir()
    config = transformers.Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=28,
                                       patch_size=14)  # fmt: skip
    torch.manual_seed(0)
    net = transformers.Dinov2Model(config).eval()
    (folder / "config.json").write_text(json.dumps(config.to_dict() | {"model_type": "dinov2"}))
    save_file(net.state_dict(), folder / "model.safetensors")
    told = {"do_resize": True, "size": {"shortest_edge": 28}, "do_center_crop": True, "do_normalize": False}
    told |= {"crop_size": {"height": 28, "width": 28}, "resample": 3, "image_processor_type": "BitImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    return folder, net


def test_dinov2_gives_the_class_token_of_transformers(dino):
    folder, net = dino
    space = open_features(f"dinov2:{folder}")
    assert space.word == "dinov2x16" and "28 pixels" in space.resize and not space.guided
    images = torch.rand(5, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net(pixel_values=images).pooler_output
    assert torch.allclose(space.embed(images), expected, atol=1e-5)
    assert space.embed(pictures.drawn(3)).shape == (3, 16)


def test_names_as_they_are_published_are_read(dino, tmp_path):
    """`save_pretrained` writes the names that published files have, whatever the network calls its tensors."""
    folder, net = dino
    net.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text((folder / "preprocessor_config.json").read_text())
    images = torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    SEEN.clear()
    published = open_features(f"dinov2:{tmp_path}").embed(images)
    SEEN.clear()
    assert torch.equal(published, open_features(f"dinov2:{folder}").embed(images))


def test_a_folder_of_another_kind_is_refused(dino, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip", "hidden_size": 8}))
    with pytest.raises(WeightsRefused, match="expected dinov2"):
        open_features(f"dinov2:{tmp_path}")
    with pytest.raises(MissingModel):
        open_features(f"dinov2:{tmp_path / 'nothing'}")


def test_what_ships_says_whether_it_guides():
    assert FEATURES.has_trait("mobilenet-v2", "guided") and not FEATURES.has_trait("mobilenet-v1", "guided")
    space = open_features("mobilenet-v2")
    assert space.guided and space.embed(pictures.drawn(2)).shape == (2, 1280)
    with pytest.raises(UnknownName, match="mobilenet-v1"):
        open_features("mobilenet")


@pytest.mark.parametrize("name", ["judge", "mobilenet_v1"])
def test_a_classifiers_file_gives_the_input_of_its_last_layer(name):
    from zeuxis.scorers.choose import make_judge

    path = pocket_path(name)
    space = open_features(str(path))
    images = pictures.drawn(4)
    rows = space.embed(images)
    assert rows.ndim == 2 and len(rows) == 4 and space.word.startswith("own") and space.logits is not None
    if name == "mobilenet_v1":
        expected = make_judge(str(path)).probabilities(images.float() / 255)
        assert torch.allclose(space.logits(rows).softmax(1), expected, atol=1e-4)
        assert torch.equal(rows, open_features("mobilenet-v1").embed(images))


def test_a_file_that_classifies_nothing_is_refused():
    with pytest.raises(BadInput, match="judges no pictures"):
        open_features(str(pocket_path("generator")))


@pytest.mark.parametrize("wrong", [torch.zeros(2, 1, 4, 4), torch.zeros(3, 4, 4), torch.full((1, 3, 4, 4), 2.0)])
def test_what_are_no_pictures_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected pictures"):
        as_float(wrong)


def test_any_format_and_size_and_broken_files_are_named(tmp_path):
    for k, ending in enumerate(("png", "jpg", "webp", "gif", "bmp")):
        pictures.saved(pictures.drawn(2), tmp_path / f"{k}", ending)
    (tmp_path / "0" / "broken.png").write_bytes(b"not a picture")
    (tmp_path / "notes.txt").write_text("no picture")
    found = embed_set(open_pictures(str(tmp_path)), SPACE, folder=tmp_path / "cache")
    assert len(found) == 10 and found.left_out[0].startswith("0/broken.png: Expected a readable")
    assert found.classes == ("0", "1", "2", "3", "4") and found.labels.tolist() == [k for k in range(5) for _ in "ab"]
    with pytest.raises(BadInput, match=r"readable pictures only.*broken\.png"):
        embed_set(open_pictures(str(tmp_path)), SPACE, strict=True, folder=tmp_path / "cache")


def test_nothing_readable_and_nothing_there(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(BadInput, match="None of the 1"):
        embed_set(FolderPictures(tmp_path), SPACE, folder=tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    for wrong, said in (
        (tmp_path / "empty", "found none"),
        (tmp_path / "none", "nothing"),
        (tmp_path / "broken.png", "a file"),
    ):
        with pytest.raises(BadInput, match=said):
            FolderPictures(wrong)
    with pytest.raises(BadInput, match="--data"):
        open_pictures("cifar10")


def test_features_are_kept_and_a_killed_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "PIECE", 4)
    pictures.saved(pictures.drawn(10), tmp_path / "set")
    place = tmp_path / "cache"
    first = embed_set(FolderPictures(tmp_path / "set"), SPACE, folder=place)
    assert sum(SEEN) == 10 and len(list(place.iterdir())) == 3
    next(iter(sorted(place.iterdir()))).unlink()  # as if it had been killed before that
    SEEN.clear()
    again = embed_set(FolderPictures(tmp_path / "set"), SPACE, folder=place)
    assert sum(SEEN) in (2, 4) and torch.equal(again.features, first.features)
    damaged = sorted(place.iterdir())[0]
    damaged.write_bytes(damaged.read_bytes()[:-3] + b"xyz")
    assert torch.equal(embed_set(FolderPictures(tmp_path / "set"), SPACE, folder=place).features, first.features)
    SEEN.clear()
    (tmp_path / "set" / "000.png").write_bytes((tmp_path / "set" / "001.png").read_bytes() + b"\0")
    changed = embed_set(FolderPictures(tmp_path / "set"), SPACE, folder=place)
    assert sum(SEEN) == 4 and torch.equal(changed.features[0], first.features[1])


def test_the_splits_of_a_folder_are_taken_apart(tmp_path):
    for split in ("train", "test"):
        pictures.saved(pictures.drawn(4), tmp_path / split, classes=("cat", "dog"))
    train, test = open_pictures(str(tmp_path), None, "train"), other_split(str(tmp_path), None, "train")
    assert (train.split, test.split) == ("train", "test") and train.classes == ("cat", "dog") and len(test) == 4
    assert other_split(str(tmp_path / "train"), None, "train") is None


def test_a_data_set_and_some_of_it(tmp_path):
    pixels = pictures.drawn(20).permute(0, 2, 3, 1).contiguous()
    images = ImageSet(pixels, {"class": torch.arange(20) % 2}, {"class": ("a", "b")})
    whole = embed_set(DataPictures(images, "set", "train"), SPACE, folder=tmp_path)
    assert torch.allclose(whole.features, toy(pictures.drawn(20)))
    some = embed_set(Some(DataPictures(images, "set", "train"), 7), SPACE, folder=tmp_path)
    rows = Some(DataPictures(images, "set", "train"), 7).chosen
    assert torch.equal(some.features, whole.features[rows]) and torch.equal(some.labels, whole.labels[rows])
    grey = ImageSet(pixels[..., :1].clone())
    assert embed_set(DataPictures(grey, "grey", "train"), SPACE, folder=tmp_path).features.shape == (20, 3)


def test_a_saved_reference_is_used_again_and_only_for_its_network(tmp_path):
    pictures.saved(pictures.drawn(6), tmp_path / "set", classes=("cat", "dog"))
    found = embed_set(FolderPictures(tmp_path / "set", split="test"), SPACE, folder=tmp_path / "cache")
    save_reference(tmp_path / "reference.safetensors", found, SPACE)
    again = load_reference(tmp_path / "reference.safetensors", SPACE)
    assert torch.equal(again.features, found.features) and torch.equal(again.labels, found.labels)
    assert (again.name, again.split, again.classes) == ("set", "test", ("cat", "dog"))
    wrong = replace(found, labels=found.labels + 7)
    save_reference(tmp_path / "wrong.safetensors", wrong, SPACE)
    with pytest.raises(BadInput, match="Make the file anew"):
        load_reference(tmp_path / "wrong.safetensors", SPACE)
    other = FeatureSpace("other", "other", "none", "2" * 64, toy)
    with pytest.raises(BadInput, match="reference features of other"):
        load_reference(tmp_path / "reference.safetensors", other)
    data = bytearray((tmp_path / "reference.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "reference.safetensors").write_bytes(data)
    with pytest.raises(RunDamaged):
        load_reference(tmp_path / "reference.safetensors", SPACE)
