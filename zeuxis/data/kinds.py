"""Which reader a path is for, told by the names of files and of the arrays in a pack; nothing is decoded.

A pack given to the reader of another one would be refused late or, where the sheets fit, be read with wrong labels.
"""

from __future__ import annotations

from pathlib import Path

from zeuxis.data.npz import open_npz
from zeuxis.errors import BadInput
from zeuxis.pictures.reading import SUFFIXES

NAMES = {
    "cifar10.npz": "cifar10", "cifar-10-python.tar.gz": "cifar10", "batches.meta": "cifar10",
    "cifar-10-batches-py": "cifar10", "mnist_25k.npz.xz": "mnist", "mnist.npz.xz": "mnist", "mnist.npz": "mnist",
    "fashion_mnist_10k.npz.xz": "fashion-mnist", "fashion_mnist.npz.xz": "fashion-mnist",
    "fashion-mnist.npz": "fashion-mnist", "products64.npz": "products", "products64.json.xz": "products",
    "products64.json": "products", "tinyimagenet160_64.npz": "tiny-imagenet", "caltech93_64.npz": "caltech",
    "emoji64.npz": "emoji", "emoji64.json": "emoji", "afhqcat_128.npz": "afhq-cat",
    "imagenet1000_128.npz": "imagenet-sample",
}  # fmt: skip
SHEETS = ("train_00", "test_00")
DIGITS = ("mnist", "fashion-mnist")  # packs and IDX files of the same shape
SEEN = 10_000  # entries of a folder that are looked at


def check_kind(kind: str, path: Path) -> None:
    """BadInput if `path` is plainly for other readers than `kind`; silence where it is for it, or nobody can tell."""
    found = kinds_of(path)
    if not found or kind in found or (kind == "folder" and path.is_dir()):
        return
    listed = " or ".join(f'"{name}"' for name in found[:3])
    raise BadInput(
        f'Expected data for the reader "{kind}" at {path}, found data for {listed}. '
        f"Give the path of {kind} data, or a recipe whose line `data` says {listed}: see `zeuxis list recipes`."
    )


def kinds_of(path: Path) -> tuple[str, ...]:
    """The readers that `path` may be for; () where neither names nor arrays tell."""
    if path.is_dir():
        return _of_folder(path)
    if path.name in NAMES:
        return (NAMES[path.name],)
    if path.suffix.lower() in SUFFIXES:
        return ("folder",)
    if "-ubyte" in path.name:
        return DIGITS
    if path.name.endswith((".npz", ".npz.xz")):
        try:
            with open_npz(path, "pack") as pack:
                return _of_arrays(set(pack.files))
        except BadInput:  # its reader says what is wrong with it
            return ()
    return ("cifar10",) if path.name.endswith((".tar", ".tar.gz", ".tgz")) else ()


def _of_folder(path: Path) -> tuple[str, ...]:
    """What lies in the folder itself; its sub-folders may hold pictures."""
    there = [entry for entry, _ in zip(sorted(path.iterdir()), range(SEEN), strict=False)]
    found = [NAMES[entry.name] for entry in there if entry.name in NAMES]
    if any("-ubyte" in entry.name for entry in [*there, *((path / "raw").glob("*-ubyte*"))]):
        found += DIGITS
    if not found and any(entry.suffix.lower() in SUFFIXES for entry in path.rglob("*")):
        found.append("folder")
    return tuple(dict.fromkeys(found))


def _of_arrays(names: set[str]) -> tuple[str, ...]:
    if names & {"train_images", "test_images"}:
        return DIGITS
    if names & {"terms", "train_term", "test_term"}:
        return ("cifar10",)
    if names & {"train_names", "test_names"}:
        return ("afhq-cat",)
    if "classes" in names:
        return ("cifar10", "tiny-imagenet", "caltech", "imagenet-sample")
    return ("products", "emoji") if names & set(SHEETS) and not names & {"train_labels", "test_labels"} else ()
