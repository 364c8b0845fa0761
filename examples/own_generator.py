"""Bring your own generator: a DCGAN of drawn faces by other people, written again from its published architecture.

https://github.com/darthdaenerys/Anime-Face-Generation (MIT): 128 normal numbers -> a face, 64x64. Its weights as plain
arrays: the file ANIME_FACES, else animegan64_generator.npz beside this one; without them random weights stand in.
Usage: own_generator.py [generations], or in this folder: zeuxis generate "pink hair" --generator own_generator:Faces
"""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from zeuxis.spaces import Normal, check
from zeuxis.workflows import generate

WEIGHTS = Path(os.environ.get("ANIME_FACES") or Path(__file__).with_name("animegan64_generator.npz"))
NORM = ("running_mean", "running_var", "weight", "bias")
LAYERS = [(f"deconv{i}", f"bn{i}") for i in range(5)]


class Faces:
    name, resolution, dtype = "anime-faces", 64, torch.float32

    def __init__(self, device=None):
        self.device, self.space = device or torch.device("cpu"), Normal(128)
        arrays = dict(np.load(WEIGHTS, allow_pickle=False)) if WEIGHTS.is_file() else random_weights()
        self.sha256 = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
        self.arrays = {k: torch.tensor(a, device=self.device) for k, a in arrays.items() if a.dtype == np.float32}

    def render(self, x):  # (N, 128) -> (N, 3, 64, 64) in [0, 1]
        x = check(self.space, x)  # BadInput for another width, NaN or infinity
        w = {name: array.to(self.dtype) for name, array in self.arrays.items()}
        h = F.linear(x.to(self.dtype), w["dense.weight"], w["dense.bias"]).view(-1, 4, 4, 128).permute(0, 3, 1, 2)
        for deconv, norm in LAYERS[:4]:  # 4 -> 8 -> 16 -> 32 -> 64 pixels
            h = F.conv_transpose2d(h, w[f"{deconv}.weight"], w[f"{deconv}.bias"], stride=2, padding=1).relu()
            h = F.batch_norm(h, *(w[f"{norm}.{k}"] for k in NORM), eps=1e-3)
        return F.conv_transpose2d(h, w["deconv4.weight"], w["deconv4.bias"])[:, :, 1:-2, 1:-2].float().sigmoid()

    def set_precision(self, dtype):
        self.dtype = dtype

    def describe(self, x):
        return ""  # it has no labels


def random_weights():
    rng, widths, shapes = np.random.default_rng(0), (128, 64, 64, 32, 32, 3), {"dense.weight": (2048, 128)}
    for (deconv, norm), wide, to in zip(LAYERS, widths, widths[1:], strict=False):
        shapes |= {f"{deconv}.weight": (wide, to, 4, 4), f"{deconv}.bias": (to,)}
        shapes |= {f"{norm}.{name}": (to,) for name in NORM}
    shapes["dense.bias"] = (2048,)
    return {name: rng.normal("bn" in name, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


if __name__ == "__main__":
    if not WEIGHTS.is_file():
        print(f"Random weights, for {WEIGHTS} is not there: put the file there or name it in ANIME_FACES.")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    summary = generate("pink hair", generator="own_generator:Faces", scorer="pocket-64", generations=count, seed=3)
    print(f"best {summary.best.score:.3f} -> {summary.folder}")
