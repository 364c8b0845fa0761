"""What can be wrong with a recipe, its options or its places: one sentence with what is known, and nothing is left."""

import pytest
import torch
from lab_helpers import recipe
from PIL import Image

from zeuxis.errors import BadInput, RunUnwritable, UnknownName
from zeuxis.lab import adversarial, recipe_files, watch
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.folder import check_place
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.train import train
from zeuxis.scorers.imagenet_judge import MobileNetJudge

CPU = torch.device("cpu")
FEATURES = watch.Watch.features
OPTIONS = [
    ("trunk", {"widht": 4}, "Unknown option of task classifier 'widht'. Did you mean widths"),
    ("trunk", {"net": "trunck"}, "net = 'speedrun' or 'trunk', got 'trunck'"),
    ("trunk", {"net": 5}, "text as the option net, got '5'"),
    ("trunk", {"lr": "fast"}, "a number of at least 0 as the option lr, got 'fast'"),
    ("trunk", {"lr": -1.0}, "at least 0 as the option lr"),
    ("trunk", {"lr": float("nan")}, "as the option lr, got 'nan'"),
    ("trunk", {"label_smoothing": 2.0}, "from 0 to 1 as the option label_smoothing"),
    ("trunk", {"peak": 1.5}, "from 0 to 1 as the option peak"),
    ("trunk", {"widths": 8}, "a list of numbers"),
    ("trunk", {"widths": [8, 0, 4, 4]}, "a list of whole numbers from 1 on"),
    ("trunk", {"widths": [8, 4]}, "number of widths"),
    ("trunk", {"momentum": 0.0}, "cannot be built with these options and data: Nesterov"),
    ("distil", {"layers": 0}, "a whole number from 1 to 1048576 as the option layers"),
    ("distil", {"width": 16.5}, "a whole number from 1"),
    ("contrastive", {"with_text": "no"}, "true or false as the option with_text"),
    ("contrastive", {"joint": 2**40}, "from 1 to 1048576 as the option joint"),
    ("alignment", {"loss": "infonze"}, "loss infonce or sigmoid"),
    ("alignment", {"most": [1]}, "a table of numbers"),
    ("dcgan", {"architecture": "dcgam"}, "Unknown GAN architecture 'dcgam'. Did you mean dcgan"),
    ("dcgan", {"objective": "hinges"}, "Unknown GAN objective 'hinges'. Did you mean hinge"),
    ("dcgan", {"penalties": {"r3": {"weight": 1.0}}}, "Unknown penalty 'r3'. Did you mean r"),
    ("dcgan", {"penalties": {"r1": {"wieght": 1.0}}}, "Did you mean weight"),
    ("dcgan", {"penalties": {"r1": 1.0}}, "penalties.r1 to be a table of names and values, got 1.0"),
    ("dcgan", {"augmentation": ["color"]}, "Unknown augmentation 'color'. Did you mean colour"),
    ("dcgan", {"objectiv": "hinge"}, "Did you mean objective.* Known: architecture"),
    ("dcgan", {"generator": {"z_dims": 4}}, "option of the generator of dcgan 'z_dims'. Did you mean z_dim"),
    (
        "dcgan",
        {"discriminator": {"breadth": 4}},
        "option of the discriminator of dcgan 'breadth'.* Known: embed_dim, width",
    ),
    ("dcgan", {"optimizers": {"generators": {}}}, "'generators'. Did you mean generator"),
]


@pytest.mark.parametrize(("name", "wrong", "said"), OPTIONS, ids=[f"{name}-{wrong}" for name, wrong, _ in OPTIONS])
def test_a_wrong_option_is_one_sentence(name, wrong, said, data, weights, tmp_path):
    with pytest.raises(BadInput, match=said) as refusal:
        train(recipe(name, options=wrong), data, tmp_path / "run", device=CPU, weights=weights)
    assert "\n" not in str(refusal.value) and not (tmp_path / "run").exists()


FILES = {
    "empty": (b"", "1 to 1,048,576 bytes, got 0"),
    "binary": (bytes(range(128, 256)), "it is no text"),
    "huge": (b"#" * 2_000_000, "got 2,000,000 bytes"),
    "broken": (b'task = "classifier', "cannot be read"),
    "a field": (b'task = "classifier"\nimages = 8\nbacht = 4', "Did you mean batch.* Known fields: task"),
    "a type": (b'task = "classifier"\nimages = "many"', "images"),
    "nothing said": (b"seed = 3", "task is missing.*images is missing"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_recipe_is_one_sentence(name, tmp_path):
    content, said = FILES[name]
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(BadInput, match=said) as refusal:
        recipe_files.load(tmp_path / "mine.toml")
    assert "\n" not in str(refusal.value) and "mine.toml" in str(refusal.value)


def test_a_recipe_that_is_not_there_is_one_sentence(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    for name, said in (("folder.toml", "not a file"), ("nowhere.toml", "No such file"), ("a/b", "No such file")):
        with pytest.raises(BadInput, match=said):
            recipe_files.load(tmp_path / name)
    with pytest.raises(BadInput, match="recipe of the package is called pocket-judge"):
        recipe_files.load("pocket-judge.toml")
    with pytest.raises(UnknownName, match="Did you mean pocket-judge"):
        recipe_files.load("pocket-juge")


@pytest.mark.parametrize("place", ["file/below", "file", "x" * 300, "a\0b"])
def test_a_place_that_cannot_be_is_refused_and_left_as_it_is(place, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunUnwritable, match="--out"):
        check_place(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*given, **options):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("zeuxis.storage.files.calls.open", refuse)
        with pytest.raises(RunUnwritable, match=r"Cannot write.*read-only for you"):
            check_place(tmp_path / "a/b/c")
    assert not list(tmp_path.iterdir())
    check_place(tmp_path / "a/b/c")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["report.html", "notes.txt", ".git"])
def test_a_folder_with_files_of_somebody_else_is_refused(name, tmp_path):
    (tmp_path / ".train.json.123.part").touch()  # what a kill leaves of a first write
    check_place(tmp_path)
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadInput, match="new or empty folder or a training"):
        check_place(tmp_path)
    (tmp_path / "train.json").touch()
    check_place(tmp_path)


def test_pictures_left_out_are_named_counted_and_in_the_summary(tmp_path):
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (32, 32), (90 * number, 10, 10)).save(tmp_path / "data" / name / f"{number}.png")
    for number in range(5):
        (tmp_path / f"data/b/broken{number}.jpg").write_bytes(b"no picture")
    told = []
    config = recipe("trunk", 8, data="folder", options={"lr": 1e-3})
    train(config, tmp_path / "data", tmp_path / "run", device=CPU, say=told.append)
    said = [text for text in told if text.startswith("Left out")]
    assert len(said) == 1 and "Left out 5 of 11 pictures" in said[0]
    assert "b/broken0.jpg, b/broken1.jpg, b/broken2.jpg and 2 more" in said[0]
    assert "b/broken4.jpg: Expected a readable" in (tmp_path / "run/summary.json").read_text()


def test_standing_statistics_are_computed_once_a_checkpoint(data, tmp_path, monkeypatch):
    plain, count = adversarial.standing_statistics, []
    monkeypatch.setattr(adversarial, "standing_statistics", lambda *given: (count.append(1), plain(*given)))
    train(recipe("dcgan", 64), data, tmp_path, device=CPU)
    assert len(count) == 3  # checkpoints after 16, 32 and 64 images


def test_held_out_features_are_those_of_the_judge(data):
    config = recipe("dcgan", options={"watch": 20})
    task = Adversarial(Lab(config, data, CPU, torch.float32))
    images = torch.rand(2, 1, 16, 16)
    assert torch.equal(FEATURES(task.watch, images), MobileNetJudge().embed(images.expand(-1, 3, -1, -1)))
