"""Every recipe of the package starts with nothing but a data set: what it builds on is made, or inside the package."""

import shutil

import numpy as np
import pytest
import torch
from lab_helpers import GANS, LATENT, TRANSLATORS, pictures, recipe, sheet, write_cats, write_products
from PIL import Image
from safetensors.torch import load_file

from zeuxis.data import read_images
from zeuxis.errors import BadInput, MissingModel
from zeuxis.hub.pocket import pocket_path
from zeuxis.lab import recipe_files
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.parts import identity, package_trunk, with_classes
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.train import train
from zeuxis.nets.trunk import Trunk
from zeuxis.rng import stream

CPU = torch.device("cpu")
SMALL = {  # options that make a recipe's networks small, where they have such
    "dcgan": {"generator": {"width": 4}, "discriminator": {"width": 4}},
    "wgan-gp": {"generator": {"width": 6}, "discriminator": {"width": 6}},
    "pocket": {"generator": GANS["pocket"]["generator"], "discriminator": {"width": 4}},
    "stylegan2": {"generator": LATENT | {"widths": [6, 6, 4, 4, 4]}, "discriminator": {"widths": [6, 6, 4, 4, 4]}},
    "projected": {"generator": LATENT | {"widths": [6, 6, 4, 4, 4]}, "discriminator": {"width": 4, "pixel_width": 4}},
    "vision-aided": {
        "generator": LATENT | {"widths": [6, 6, 4, 4]},
        "discriminator": {"widths": [6, 6, 4, 4], "heads": 4},
    },
    "classifier": {},
    "distil": {"width": 16, "layers": 1, "heads": 2, "held_out": 40},
    "contrastive": {"joint": 16, "extra": 3, "foils": 8},
    "vqgan": {"codes": 16, "widths": [8, 8], "z_channels": 8, "resolution": 16, "counted": 18, "watch": 12},
    "alignment": {"joint": 16, "hidden": 16, "foils": 8, "size": 32, "most_test": {"caltech": 0, "emoji": 0}},
}


PARTS, NETS = ("generator", "discriminator"), GANS | TRANSLATORS


def write_things(folder):
    """Three kinds of things: 18 pictures of 64 pixels for training, 12 held out."""
    counts = {"train": 18, "test": 12}
    arrays = {f"{split}_00": sheet(pictures(count, 13, 64)[0], 25) for split, count in counts.items()}
    arrays |= {f"{split}_labels": np.arange(count, dtype=np.uint8) % 3 for split, count in counts.items()}
    np.savez(folder / "tinyimagenet160_64.npz", classes=np.array(["teapot", "lion", "pizza"]), **arrays)
    return folder


@pytest.fixture(scope="module")
def everything(data, tmp_path_factory):
    """All data sets that a recipe of the package asks for."""
    folder = shutil.copytree(data, tmp_path_factory.mktemp("all") / "data")
    shutil.copy(folder / "mnist.npz", folder / "fashion-mnist.npz")  # alike in shape
    own, kinds = pictures(24, 17, 64)
    for k, (picture, kind) in enumerate(zip(own, kinds, strict=True)):
        (folder / f"own/{kind}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"own/{kind}/{k}.png")
    return write_things(write_cats(write_products(folder)))


def small(name):
    config = recipe_files.load(name)
    kind = config.options.get("architecture", config.task)
    options = config.options | (SMALL[kind] if kind in SMALL else {part: NETS[kind][part] for part in PARTS})
    options |= {} if kind in SMALL else {"resolution": 16}
    if name == "stylegan2-cifar10":  # a size less than products have
        options |= {"generator": LATENT | {"widths": [6, 6, 4, 4]}, "discriminator": {"widths": [6, 6, 4, 4]}}
    if config.task == "adversarial":
        options["watch"] = 20
    if config.task == "translation":  # the small set has other colours
        options |= {"domains": ["Red", "Blue"], "where": {"type": ["Shoes", "Bags"]}}
    changes = {"images": 16, "batch": 8, "precision": "fp32", "checkpoint_every": 16, "report_every": 16}
    return config.model_copy(update=changes | {"options": options})


def recipes():
    """One for each task and data set; the others, whose networks test_lab_recipes.py builds, behind `long`."""
    kinds = {}
    for name in recipe_files.names():
        config = recipe_files.load(name)
        kinds.setdefault((config.task, config.data, config.options.get("net")), name)
    usual = set(kinds.values())
    return [pytest.param(name, marks=() if name in usual else pytest.mark.long) for name in recipe_files.names()]


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_starts_with_data_alone_and_exports_its_network(name, everything, tmp_path):
    config = small(name)
    found = train(config, everything / "own" if config.data == "folder" else everything, tmp_path, device=CPU)
    assert found and all(file.stat().st_size for file in found)
    assert (tmp_path / "summary.json").exists()


def test_the_package_is_named_as_the_source(data, tmp_path):
    told = []
    train(recipe("contrastive", 8), data, tmp_path / "a", device=CPU, say=told.append)
    train(recipe("pocket", 8), data, tmp_path / "b", device=CPU, say=told.append)
    assert sum("the package" in text and "--weights" in text for text in told) == 2


def test_a_missing_network_names_both_ways_out(data, tmp_path):
    for name in ("pocket", "contrastive"):
        with pytest.raises(MissingModel, match=r"zeuxis train pocket-trunk --data PATH.*leave --weights away"):
            train(recipe(name, 8), data, tmp_path / "run", device=CPU, weights=tmp_path)
    with pytest.raises(BadInput, match="Expected a folder with networks as --weights"):
        train(recipe("pocket", 8), data, tmp_path / "run", device=CPU, weights=tmp_path / "nowhere")
    with pytest.raises(MissingModel, match=r"to start from at .*earlier\.safetensors.*--weights"):
        train(recipe("dcgan", 8, options={"start": "earlier"}), data, tmp_path / "run", device=CPU)


def test_a_start_is_looked_for_in_the_package_where_no_folder_is_given(data, tmp_path):
    with pytest.raises(BadInput, match=r"products\.safetensors holds a gan-vision-aided"):
        train(recipe("stylegan2", 8, options={"start": "products"}), data, tmp_path / "run", device=CPU)


def test_a_vision_aided_training_starts_from_a_plain_one(data, weights, tmp_path):
    """Generator and StyleGAN2's part of the discriminator are taken over, the heads and the trunk are its own."""
    widths, made = [6, 6, 4, 4], tmp_path / "run/export"
    plain = {"resolution": 32, "generator": GANS["vision-aided"]["generator"], "discriminator": {"widths": widths}}
    train(recipe("stylegan2", 8, options=plain), data, tmp_path / "run", device=CPU)
    shutil.copy(weights / "trunk.safetensors", made)
    task = Adversarial(Lab(recipe("vision-aided", options={"start": "stylegan2"}), data, CPU, torch.float32, made))
    given = load_file(made / "stylegan2.safetensors")
    for part, net in task.nets.items():
        found = {n: v for n, v in net.state_dict().items() if f"{part}.{n}" in given}
        assert len(found) == sum(name.startswith(f"{part}.") for name in given)
        assert all(torch.allclose(v, given[f"{part}.{n}"].float(), atol=1e-3) for n, v in found.items())
    assert any(name.startswith("heads.") for name, _ in task.discriminator.named_parameters())
    shutil.copy(task.export(task.nets, tmp_path / "two")[0], made / "aided.safetensors")
    with pytest.raises(BadInput, match="holds a gan-vision-aided, expected gan-stylegan2"):
        Adversarial(Lab(recipe("stylegan2", options=plain | {"start": "aided"}), data, CPU, torch.float32, made))


@pytest.mark.parametrize("name", ["generator", "scorer", "scorer_second"])
def test_the_trunk_of_a_package_model_is_whole(name):
    assert pocket_path(name).is_file()
    one, two = package_trunk(name), package_trunk(name)
    assert identity(one) == identity(two) and torch.isfinite(one(torch.zeros(1, 3, 32, 32))).all()


def test_a_class_head_is_fitted_in_closed_form(data):
    torch.manual_seed(0)
    images = read_images("cifar10", data, "train", resolution=32)
    labels = images.label(0)[0]
    net = with_classes(Trunk((4, 6, 8, 8)), images, labels, 4, CPU)  # the fourth class has no picture
    with torch.no_grad():
        logits = net(images.batch(torch.arange(len(images))))[0]
    assert float((logits.argmax(1) == labels).float().mean()) > 0.9 and int((logits.argmax(1) == 3).sum()) == 0


def test_the_head_is_that_of_linear_discriminant_analysis():
    """Two classes of features x = (a, noise): the boundary lies half-way, the logit difference is linear in S^-1."""

    class Fixed(torch.nn.Module):
        widths = (1, 1, 1, 1)

        def forward(self, x):
            return self.table[x[:, 0, 0, 0].long()]

    rng = stream(0, "lda")
    labels = torch.arange(400) % 2
    table = torch.randn(400, 2, generator=rng) * torch.tensor([1.0, 3.0]) + labels[:, None] * torch.tensor([4.0, 0.0])

    class Data:
        def __len__(self):
            return 400

        def batch(self, rows):
            return rows.float()[:, None, None, None].expand(-1, 3, 1, 1)

    fixed = Fixed()
    fixed.table = table
    fixed.state_dict = lambda: Trunk(Fixed.widths).state_dict()
    net = with_classes(fixed, Data(), labels, 2, CPU)
    slope = (net.classes.weight[1] - net.classes.weight[0]).detach()
    offset = (net.classes.bias[1] - net.classes.bias[0]).detach()
    means = torch.stack([table[labels == k].mean(0) for k in (0, 1)]).double()
    rest = table.double() - means[labels]
    expected = torch.linalg.solve(rest.T @ rest / 399, means[1] - means[0])
    assert slope.tolist() == pytest.approx(expected.tolist(), rel=0.02)
    half_way = means.mean(0)
    assert float(slope.double() @ half_way + offset) == pytest.approx(0, abs=0.05)
