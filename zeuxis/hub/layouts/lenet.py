"""LeNet-5 on MNIST as csinva's gan-vae-pretrained-pytorch publishes it: a state dictionary of ten tensors."""

from __future__ import annotations

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.model_file import Part

NAMES = tuple(f"{part}.{kind}" for part in ("c1", "c3", "c5", "f6", "f7") for kind in ("weight", "bias"))
FIRST = "convnet.c1.weight"
DIGITS = ["zero, 0", "one, 1", "two, 2", "three, 3", "four, 4", "five, 5", "six, 6", "seven, 7", "eight, 8", "nine, 9"]


def claims(raw: Raw) -> bool:
    """A state dictionary with this publisher's names."""
    return isinstance(raw.content, dict) and FIRST in raw.content


def translate(raw: Raw) -> Checkpoint:
    """The tensors without the names of their groups. WeightsRefused for any other or missing one."""
    tensors = {}
    for name, value in raw.content.items():
        plain = str(name).rpartition(".")[0].rpartition(".")[2] + "." + str(name).rpartition(".")[2]
        if plain not in NAMES or not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, "is no part of a LeNet-5", str(name)[:80])
        tensors[plain] = value.detach().float().contiguous()
    if missing := [name for name in NAMES if name not in tensors]:
        raise WeightsRefused(raw.file, "is missing", missing[0])
    if tensors["f7.weight"].shape[:1] != (len(DIGITS),):
        raise WeightsRefused(raw.file, f"has shape {tuple(tensors['f7.weight'].shape)}, expected 10 rows", "f7.weight")
    about = {"layout": "csinva", "mean": [0.5] * 3, "std": [0.5] * 3, "size": 32, "crop": 1.0, "labels": DIGITS}
    return Checkpoint("lenet", {"network": Part({"classes": len(DIGITS)}, tensors)}, about)
