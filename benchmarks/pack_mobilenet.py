"""From the arrays of a published MobileNet to the file that ships: python benchmarks/pack_mobilenet.py NPZ OUT

NPZ holds what stands in Google's 8-bit .tflite file, layer by layer: "00.weight" (uint8, cout x cin x k x k),
"00.scale", "00.zero", "00.bias" (float), ..., and "layers", whose rows are number, depthwise, stride, ReLU6, added.
No value is changed; the row of the output "background" (class 0 of 1001) is left out. OUT is written in the program's
own format (zeuxis/hub); the network of the file is recognised by its number of layers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from zeuxis.hub.model_file import Part, build, file_sha256, write_model
from zeuxis.nets.mobilenet import ByteConv, MobileNetV1, MobileNetV2

ORIGIN = "https://github.com/google-coral/test_data, commit 104342d2d3480b3e66203073dac24f4e2dbb4c41"
# Family, facts, published file and its SHA-256 (of v1 only the first digits were written down).
V1 = ("mobilenet-v1", {"width": 0.5, "size": 160, "classes": 1000}, "mobilenet_v1_0.5_160_quant.tflite", "3cc6d2ca...")
V2 = (
    *("mobilenet-v2", {"size": 224, "classes": 1000}, "mobilenet_v2_1.0_224_quant.tflite"),
    "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
)
HALF = [0.5, 0.5, 0.5]


def pack(source: Path, out: Path) -> Path:
    """Write the network of `source` to `out` and return where; checks that it can be built from there."""
    arrays = np.load(source)
    family, facts, published, digest = {28: V1, 53: V2}[len(arrays["layers"])]
    net = MobileNetV1(**facts) if family == "mobilenet-v1" else MobileNetV2(**facts)
    convolutions = [(name, module) for name, module in net.named_modules() if isinstance(module, ByteConv)]
    tensors = {}
    for (name, conv), (number, depthwise, stride, *_) in zip(convolutions, arrays["layers"].tolist(), strict=True):
        assert (conv.stride, conv.groups > 1) == (stride, bool(depthwise)), f"layer {number} is no {name}"
        for what in ("weight", "scale", "zero", "bias"):
            value = torch.from_numpy(arrays[f"{number:02d}.{what}"])
            tensors[f"{name}.{what}"] = value[1:] if name == "head" and value.dim() else value
    write_model(
        out,
        family,
        {"network": Part(facts, tensors)},
        about={"labels": "imagenet-1k", "size": facts["size"], "crop": 1.0, "mean": HALF, "std": HALF},
        source={"file": published, "sha256": digest, "origin": ORIGIN, "arrays_sha256": file_sha256(source)},
        licence="Apache-2.0",
        dtype=torch.float32,
    )
    build(out, "network")
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(pack(arguments.source, arguments.out))
