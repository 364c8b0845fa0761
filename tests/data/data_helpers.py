"""Data sets of a few tiny pictures in every format that is read."""

import gzip
import io
import json
import lzma
import struct

import numpy as np
from PIL import Image

CLASSES = ("cat", "dog", "truck")
GROUNDS = ((200, 30, 30), (30, 160, 40), (40, 60, 220))  # a colour for each class: red, green, blue
TERMS = ("tabby_cat", "siamese", "puppy", "poodle_dog", "lorry", "fire_truck", "gypsy_cab")
TERM_CLASS = (0, 0, 1, 1, 2, 2, 2)


def pictures(count, seed, size=32):
    """uint8 (N, size, size, 3), terms (N,): the ground of the class with a little noise."""
    rng = np.random.default_rng(seed)
    terms = np.arange(count) % len(TERMS)
    ground = np.array(GROUNDS)[np.array(TERM_CLASS)[terms]][:, None, None]
    noise = rng.integers(-25, 26, (count, 4, 4, 3)).repeat(size // 4, 1).repeat(size // 4, 2)
    return np.clip(ground + noise, 0, 255).astype(np.uint8), terms


def sheet(tiles, columns, format="AVIF"):
    """Tiles (N, S, S, C) as one sheet, the last row filled up with black: uint8 (bytes,)."""
    rows = -(-len(tiles) // columns)
    full = np.zeros((rows * columns, *tiles.shape[1:]), np.uint8)
    full[: len(tiles)] = tiles
    size, channels = tiles.shape[1], tiles.shape[3]
    grid = full.reshape(rows, columns, size, size, channels).swapaxes(1, 2)
    file = io.BytesIO()
    options = {"quality": 95, "subsampling": "4:4:4", "speed": 9} if format == "AVIF" else {"quality": 95}
    Image.fromarray(grid.reshape(rows * size, columns * size, channels)).save(file, format, **options)
    return np.frombuffer(file.getvalue(), np.uint8)


def cifar_arrays(train=56, test=28):
    """What a CIFAR-10 pack holds; the train split in two sheets."""
    arrays = {"classes": np.array(CLASSES), "terms": np.array(TERMS)}
    for seed, (split, count) in enumerate((("train", train), ("test", test))):
        tiles, terms = pictures(count, seed)
        cut = min(count, 40)
        arrays[f"{split}_00"] = sheet(tiles[:cut], 40)
        if cut < count:
            arrays[f"{split}_01"] = sheet(tiles[cut:], 40)
        arrays |= {f"{split}_labels": np.array(TERM_CLASS)[terms].astype(np.uint8), f"{split}_term": terms}
    return arrays


def write_packs(folder):
    """A folder like the published one: every pack, two to a few dozen pictures each."""
    np.savez(folder / "cifar10.npz", **cifar_arrays())
    tiles, kinds = pictures(20, 5, 64)
    nouns = np.array(["grand_piano", "starfish", "robin"])
    np.savez(folder / "caltech93_64.npz", train_00=sheet(tiles, 20), classes=nouns, train_labels=kinds % 3)
    tiny = {"classes": np.array(["goldfish", "bull_frog"]), "wnids": np.array(["n1", "n2"])}
    for split, count in (("train", 6), ("test", 4)):
        tiny |= {f"{split}_00": sheet(pictures(count, 7, 64)[0], 25, "JPEG"), f"{split}_labels": np.arange(count) % 2}
    np.savez(folder / "tinyimagenet160_64.npz", **tiny)
    cats = {"train_00": sheet(pictures(3, 8, 128)[0], 20), "train_names": np.array(["a", "b", "c"])}
    np.savez(folder / "afhqcat_128.npz", **cats)
    two = np.array(["tench", "great white_shark"])
    np.savez(folder / "imagenet1000_128.npz", test_00=sheet(pictures(2, 9, 128)[0], 20), classes=two)
    write_emoji(folder)
    write_products(folder)
    write_digits(folder)
    return folder


def write_emoji(folder):
    drawn, _ = pictures(3, 6, 64)
    alpha = np.zeros((3, 64, 64, 1), np.uint8)
    alpha[:, 16:48, 16:48] = 255
    np.savez(folder / "emoji64.npz", train_00=sheet(np.concatenate([drawn, alpha], 3), 20))
    emoji = [("fire engine", ["siren", "truck"]), ("hot face", ["warm_day", "sun"]), ("puppy eyes", ["lorry", "hound"])]
    text = {"train": [{"name": n, "keywords": k} for n, k in emoji], "test": []}
    (folder / "emoji64.json").write_text(json.dumps(text), encoding="utf-8")


def product(title, kind, colour):
    return {"id": "1", "title": title, "type": kind, "colour": colour, "use": "Casual", "group": "Shoes"}


PRODUCTS = {
    "train": [product("Nike Grey Shoes", "Shoes", "Grey"), product("Red Bag", "Bags", "Red")],
    "test": [product("Titan Black Watch", "Watches", "Black")],
}


def write_products(folder, texts=PRODUCTS):
    arrays = {f"{split}_00": sheet(pictures(len(PRODUCTS[split]), 3, 64)[0], 25) for split in PRODUCTS}
    np.savez(folder / "products64.npz", **arrays)
    (folder / "products64.json.xz").write_bytes(lzma.compress(json.dumps(texts).encode()))


def digits(count=12, seed=4):
    """uint8 (N, 28, 28), labels (N,)."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, 256, (count, 28, 28), dtype=np.uint8), (np.arange(count) % 10).astype(np.uint8)


def write_digits(folder):
    images, labels = digits()
    arrays = {f"{s}_images": images for s in ("train", "test")} | {f"{s}_labels": labels for s in ("train", "test")}
    file = io.BytesIO()
    np.savez(file, **arrays)
    for name in ("mnist_25k", "fashion_mnist_10k"):
        (folder / f"{name}.npz.xz").write_bytes(lzma.compress(file.getvalue()))


def idx(array):
    """The bytes of an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder, zipped=True):
    images, labels = digits()
    for stem, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        data = idx(array)
        (folder / f"{stem}{'.gz' if zipped else ''}").write_bytes(gzip.compress(data) if zipped else data)
    return folder


def save_pictures(folder, names, colour=(200, 30, 30), size=(40, 32)):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", size, colour).save(folder / name)
