"""A data set small enough to draw by hand, weight files of random networks, and the smallest recipe of each task."""

import io
import json
import lzma

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from zeuxis.config import TrainConfig
from zeuxis.hub.model_file import Part, write_model
from zeuxis.nets.dual_encoder import TextTower
from zeuxis.nets.trunk import TrunkClassifier
from zeuxis.rng import stream

CLASSES = ("cat", "dog", "truck")
GROUNDS = ((200, 30, 30), (30, 160, 40), (40, 60, 220))  # a colour for each class: red, green, blue
TERMS = ("tabby_cat", "siamese", "puppy", "poodle_dog", "lorry", "fire_truck", "gypsy_cab")
TERM_CLASS = (0, 0, 1, 1, 2, 2, 2)
VOCABULARY = ("[PAD]", "[UNK]", "a", "photo", "of", "cat", "dog", "truck", "red", "green", "blue", "on", "grass", "##s")


def pictures(count, seed, size=32):
    """uint8 (N, size, size, 3), terms (N,): the ground of the class with a little noise."""
    rng = np.random.default_rng(seed)
    terms = np.arange(count) % len(TERMS)
    ground = np.array(GROUNDS)[np.array(TERM_CLASS)[terms]][:, None, None]
    noise = rng.integers(-25, 26, (count, 4, 4, 3)).repeat(size // 4, 1).repeat(size // 4, 2)
    return np.clip(ground + noise, 0, 255).astype(np.uint8), terms


def sheet(tiles, columns, mode="RGB"):
    """Tiles (N, S, S, C) as one AVIF sheet, the last row filled up with black: uint8 (bytes,)."""
    rows = -(-len(tiles) // columns)
    full = np.zeros((rows * columns, *tiles.shape[1:]), np.uint8)
    full[: len(tiles)] = tiles
    size, channels = tiles.shape[1], tiles.shape[3]
    grid = full.reshape(rows, columns, size, size, channels).swapaxes(1, 2)
    file = io.BytesIO()
    picture = Image.fromarray(grid.reshape(rows * size, columns * size, channels), mode)
    picture.save(file, "AVIF", quality=95, subsampling="4:4:4", speed=9)
    return np.frombuffer(file.getvalue(), np.uint8)


def pack_arrays(train=56, test=28):
    """What a CIFAR-10 pack holds; the train split in two sheets."""
    arrays = {"classes": np.array(CLASSES), "terms": np.array(TERMS)}
    for seed, (split, count) in enumerate((("train", train), ("test", test))):
        tiles, terms = pictures(count, seed)
        cut = 40 if count > 40 else count
        arrays |= {f"{split}_00": sheet(tiles[:cut], 40)} | (
            {f"{split}_01": sheet(tiles[cut:], 40)} if cut < count else {}
        )
        arrays |= {f"{split}_labels": np.array(TERM_CLASS)[terms].astype(np.uint8), f"{split}_term": terms}
    return arrays


def write_data(folder):
    np.savez(folder / "cifar10.npz", **pack_arrays())
    caltech, kinds = pictures(20, 5, 64)
    words = {"classes": np.array(["grand_piano", "starfish", "robin"]), "train_labels": kinds % 3}
    np.savez(folder / "caltech93_64.npz", train_00=sheet(caltech, 20), **words)
    drawn, _ = pictures(3, 6, 64)
    alpha = np.zeros((3, 64, 64, 1), np.uint8)
    alpha[:, 16:48, 16:48] = 255
    np.savez(folder / "emoji64.npz", train_00=sheet(np.concatenate([drawn, alpha], 3), 20, "RGBA"))
    emoji = [("fire engine", ["siren", "truck"]), ("hot face", ["warm_day", "sun"]), ("puppy eyes", ["lorry", "hound"])]
    text = {"train": [{"name": n, "keywords": k} for n, k in emoji], "test": []}
    (folder / "emoji64.json").write_text(json.dumps(text), encoding="utf-8")
    with lzma.open(folder / "coco_val2017_captions.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"captions": ["A cat sits on a red truck. ", "Two dogs on grass."]}) + "\n")
    return write_digits(folder)


def write_weights(folder, widths=(4, 6, 8, 8)):
    torch.manual_seed(0)
    write_trunk(folder, CLASSES, TERMS, widths)
    facts = {"tokens": len(VOCABULARY), "width": 16, "layers": 1, "heads": 2, "output": 384}
    tower = Part(facts, TextTower(**facts).state_dict())
    write_model(folder / "text.safetensors", "text-tower", {"text": tower}, about={"vocabulary": list(VOCABULARY)})
    return folder


def write_trunk(folder, classes, terms, widths=(4, 6, 8, 8)):
    facts = {"classes": len(classes), "terms": len(terms), "widths": list(widths)}
    trunk = Part(facts, TrunkClassifier(**facts).state_dict())
    about = {"classes": list(classes), "terms": list(terms)}
    return write_model(folder / "trunk.safetensors", "trunk", {"network": trunk}, about=about)


def write_digits(folder, train=40, test=24):
    """Grey pictures of 28 pixels in the ten classes of MNIST: a square as light as its class, at a random place."""
    rng, arrays = np.random.default_rng(0), {}
    for split, count in (("train", train), ("test", test)):
        labels = np.arange(count) % 10
        images = np.zeros((count, 28, 28), np.uint8)
        for image, label, (top, left) in zip(images, labels, rng.integers(0, 16, (count, 2)), strict=True):
            image[top : top + 12, left : left + 12] = 30 + 25 * label
        arrays |= {f"{split}_images": images, f"{split}_labels": labels}
    np.savez(folder / "mnist.npz", **arrays)
    return folder


def pooled_pixels(watch, images):
    """Stands in for the features of MobileNet v1: means over 4x4 fields, (N, C, R, R) -> (N, C * 16)."""
    return torch.nn.functional.adaptive_avg_pool2d(images.float().cpu(), 4).flatten(1)


class LetterTeacher:
    """Stands in for the sentence encoder: a sentence is the sum of fixed vectors of its letters, length 1."""

    def __init__(self, device):
        self.table = torch.randn(128, 384, generator=stream(0, "letters"))

    def vocabulary(self):
        return [*VOCABULARY, *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]

    def embed(self, texts):
        rows = [self.table[[min(ord(c), 127) for c in text] or [0]].sum(0) for text in texts]
        return torch.nn.functional.normalize(torch.stack(rows), dim=1)


LATENT = {"z_dim": 4, "embed_dim": 6}
STYLE = {"channel_base": 64, "channel_max": 8}
STYLES = STYLE | {"z_dim": 4, "w_dim": 6, "mapping_layers": 2}
GANS = {  # by architecture, with and without labels, grey and coloured, with and without penalties
    "pocket": {
        "generator": LATENT | {"widths": [6, 6, 6, 6]}, "discriminator": {"width": 4}, "trunk": "trunk",
        "guidance": 0.05, "mode_seeking": 0.1, "augmentation": ["translation"],
    },
    "dcgan": {
        "generator": LATENT | {"width": 4}, "discriminator": {"width": 4}, "objective": "non-saturating",
        "resolution": 16, "labels": [], "flip": False,
    },
    "wgan-gp": {
        "generator": LATENT | {"width": 6}, "discriminator": {"width": 6}, "objective": "wasserstein",
        "resolution": 16, "penalties": {"gradient": {"weight": 10.0}}, "discriminator_steps": 2, "flip": False,
    },
    "stylegan2": {
        "generator": LATENT | {"w_dim": 6, "widths": [6, 6, 4]}, "discriminator": {"widths": [6, 6, 4]},
        "objective": "non-saturating", "resolution": 16, "balance": 0.5,
        "penalties": {"r1": {"weight": 1.0, "every": 3}, "r2": {"weight": 0.5, "every": 4}},
    },
    "projected": {
        "generator": LATENT | {"w_dim": 6, "widths": [6, 6, 4, 4]}, "discriminator": {"width": 4, "pixel_width": 4},
        "labels": ["class"], "augmentation": ["colour", "translation", "cutout"], "mode_seeking": 0.1,
    },
    "vision-aided": {
        "generator": LATENT | {"w_dim": 6, "widths": [6, 6, 4, 4]},
        "discriminator": {"widths": [6, 6, 4, 4], "heads": 4}, "objective": "non-saturating", "trunk": "trunk",
        "guidance": 0.05, "augmentation": ["translation"], "penalties": {"r1": {"weight": 1.0, "every": 2}},
    },
    "progan": {
        "generator": LATENT | STYLE | {"grown_by": 0.8}, "discriminator": STYLE | {"grown_by": 0.8}, "resolution": 16,
        "objective": "wasserstein", "penalties": {"gradient": {"weight": 10.0}, "drift": {"weight": 1e-3}},
        "labels": [],
    },
    "stylegan": {
        "generator": STYLES, "discriminator": STYLE | {"mapping_layers": 2}, "resolution": 16, "labels": ["class"],
        "objective": "non-saturating", "penalties": {"r1": {"weight": 1.0, "every": 2}}, "style_mixing": 0.9,
    },
    "stylegan2-full": {
        "generator": STYLES, "discriminator": STYLE | {"mapping_layers": 2}, "resolution": 16, "style_mixing": 0.9,
        "objective": "non-saturating", "penalties": {"r1": {"weight": 1.0, "every": 2}}, "augmentation": ["adaptive"],
        "generator_penalties": {"path-length": {"weight": 2.0, "every": 2}},
    },
    "stylegan3-t": {
        "generator": STYLE | {"z_dim": 4, "w_dim": 6, "layers": 4}, "discriminator": STYLE, "resolution": 16,
        "labels": [], "objective": "non-saturating", "penalties": {"r1": {"weight": 1.0, "every": 2}},
    },
    "stylegan3-r": {
        "generator": STYLE | {"z_dim": 4, "w_dim": 6, "layers": 4}, "discriminator": STYLE, "resolution": 16,
        "labels": [], "objective": "non-saturating", "penalties": {"r1": {"weight": 1.0, "every": 2}},
    },
    "biggan": {
        "generator": LATENT | {"width": 2, "n_stats": 2}, "discriminator": {"width": 2}, "resolution": 16,
        "discriminator_steps": 2, "generator_penalties": {"orthogonal": {"weight": 1e-4}}, "labels": ["class"],
    },
}  # fmt: skip
GANS |= {
    "mlp-gan": {
        "generator": LATENT | {"widths": [12]},
        "discriminator": {"embed_dim": 6, "widths": [8], "pieces": 2, "dropout": 0.2},
        "objective": "minimax", "resolution": 16, "labels": [], "flip": False,
    },
    "cgan-mlp": {
        "generator": LATENT | {"widths": [8, 6, 12]},
        "discriminator": {"embed_dim": 6, "widths": [8, 4, 6], "pieces": [2, 2, 2]},
        "objective": "non-saturating", "resolution": 16, "flip": False,
    },
    "cgan": {
        "generator": LATENT | {"width": 4, "upsampling": "nearest"}, "discriminator": {"embed_dim": 6, "width": 4},
        "objective": "least-squares", "resolution": 16, "flip": False, "generator_penalties": {
            "orthogonal": {"weight": 1e-4, "every": 2}
        },
    },
    "acgan": {
        "generator": LATENT | {"width": 4}, "discriminator": {"width": 2, "dropout": 0.1},
        "objective": "auxiliary-class", "resolution": 16, "labels": ["class"],
    },
    "began": {
        "generator": LATENT | {"width": 4}, "discriminator": {"code": 6, "embed_dim": 6, "width": 4},
        "objective": "began", "objective_options": {"gamma": 0.7, "rate": 0.01}, "resolution": 16, "labels": [],
    },
    "sngan": {
        "generator": LATENT | {"width": 6}, "discriminator": {"width": 6}, "resolution": 16,
        "discriminator_steps": 2, "labels": [],
    },
    "r3gan": {
        "generator": LATENT | {"widths": [8, 6, 4], "group_width": 4},
        "discriminator": {"embed_dim": 6, "widths": [8, 6, 4], "group_width": 4},
        "objective": "relativistic", "resolution": 16, "labels": ["class"],
        "penalties": {"r1": {"weight": 0.05, "weight_end": 0.005}, "r2": {"weight": 0.05, "weight_end": 0.005}},
        "augmentation": ["adaptive"], "adaptive": {"p_end": 0.5, "cutout": 1.0}, "burn_in": 0.5,
        "optimizers": {"generator": {"lr_end": 5e-5, "betas": [0.0, 0.9], "beta2_end": 0.99}},
    },
}  # fmt: skip
GANS |= {
    "cogan": {
        "generator": LATENT | {"width": 4}, "discriminator": {"widths": [4, 6, 8]}, "objective": "non-saturating",
        "resolution": 16, "second_domain": "edges", "labels": ["domain"], "flip": False,
    },
    "stackgan": {
        "generator": {"z_dim": 4, "text_dim": 6, "condition": 4, "width": 4, "second_width": 4, "blocks": 1},
        "discriminator": {"text_dim": 6, "condition": 4, "width": 4}, "objective": "non-saturating",
        "resolution": 16, "labels": ["class"], "mismatched": True,
        "generator_penalties": {"conditioning": {"weight": 2.0}},
    },
}  # fmt: skip
TRANSLATORS = {
    "cyclegan": {
        "generator": {"width": 4, "blocks": 1}, "discriminator": {"width": 4, "layers": 2}, "cycle": 5.0,
        "identity": 2.5, "pool": 3, "domains": ["cat", "truck"], "decay_from": 0.5,
    },
    "stargan": {
        "generator": {"width": 4, "blocks": 1}, "discriminator": {"width": 4}, "objective": "wasserstein",
        "penalties": {"gradient": {"weight": 10.0}}, "classification": 1.0, "discriminator_steps": 2,
    },
}  # fmt: skip
OPTIONS = {name: {"architecture": name, "name": name, "watch": 20} | options for name, options in GANS.items()} | {
    "speedrun": {"net": "speedrun", "widths": [8, 12, 16]},
    "trunk": {
        "net": "trunk", "name": "trunk", "widths": [4, 6, 8, 8], "lr": 0.1, "terms_weight": 0.5, "norm_lr_factor": 1.0,
    },
    "contrastive": {"joint": 16, "extra": 3, "foils": 8},
    "alignment": {"size": 32, "joint": 16, "hidden": 16, "foils": 8, "most_test": {"caltech": 0, "emoji": 0}},
    "distil": {"width": 16, "layers": 1, "heads": 2, "held_out": 40},
    "vqgan": {
        "codes": 12, "embed": 3, "z_channels": 8, "widths": [8, 16], "groups": 4, "resolution": 16,
        "adversarial_from": 0.5, "discriminator_width": 4, "counted": 30, "watch": 20,
    },
}  # fmt: skip
TASK = {"speedrun": "classifier", "trunk": "classifier"} | dict.fromkeys(GANS, "adversarial")
DATA = dict.fromkeys(("dcgan", "wgan-gp", "mlp-gan", "cgan-mlp", "cgan", "cogan"), "mnist")


def tasks(*usual):
    """Every task but the adversarial ones and one or two of these, as parameters; the others behind the marker `long`.

    What the loop promises is the same for each; what a network, an objective or a penalty adds to its state is in
    test_gan_contract.py for every one of them.
    """
    fast = {name for name in OPTIONS if name not in GANS} | set(usual)
    return [pytest.param(name, marks=() if name in fast else pytest.mark.long) for name in OPTIONS]


def recipe(name, images=96, **changes):
    """The smallest training of `name`: 12 steps of 8 images, checkpoints after 32 and 64 of them."""
    fields = {"data": DATA.get(name, "cifar10"), "seed": 3, "batch": 8, "ema": 0.9, "precision": "fp32"}
    fields |= {"checkpoint_every": 32, "report_every": 16}
    options = OPTIONS[name] | changes.pop("options", {})
    return TrainConfig(task=TASK.get(name, name), images=images, options=options, **(fields | changes))


def exported(folder):
    """Every tensor of every exported file, by file and name."""
    files = sorted((folder / "export").glob("*.safetensors"))
    return {f"{file.stem}/{name}": value for file in files for name, value in load_file(file).items()}


def same(one, two):
    """Bit by bit."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def write_products(folder):
    """Two types in three colours with titles: 18 training and 12 held-out products of 64 pixels."""
    arrays, texts = {}, {}
    for split, count in (("train", 18), ("test", 12)):
        arrays[f"{split}_00"] = sheet(pictures(count, 11, 64)[0], 25)
        rows = [(("Shoes", "Bags")[i % 2], ("Red", "Grey", "Blue")[i % 3]) for i in range(count)]
        texts[split] = [{"title": f"{colour} {kind}", "type": kind, "colour": colour} for kind, colour in rows]
    np.savez(folder / "products64.npz", **arrays)
    (folder / "products64.json.xz").write_bytes(lzma.compress(json.dumps(texts).encode()))
    return folder


def write_cats(folder):
    """Pictures of 128 pixels without labels: 20 for training, 20 held out."""
    arrays = {f"{split}_00": sheet(pictures(20, seed, 128)[0], 20) for seed, split in enumerate(("train", "test"))}
    names = {f"{split}_names": np.array([f"{k}.jpg" for k in range(20)]) for split in ("train", "test")}
    np.savez(folder / "afhqcat_128.npz", **arrays, **names)
    return folder
