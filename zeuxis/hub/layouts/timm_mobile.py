"""MobileNet v2, v3 and EfficientNet as timm publishes them: a state dictionary with a config.json beside it.

Names: https://github.com/huggingface/pytorch-image-models . Widths, kernels, squeezes and depths are read off the
shapes; strides, activations and the padding follow from the `architecture` that config.json names, so a file without
one is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.layouts.modules import class_labels, shape_of
from zeuxis.hub.model_file import Part

MARKS = ("conv_stem.weight", "blocks.0.0.conv_dw.weight", "conv_head.weight", "classifier.weight")
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
SEVEN = (1, 2, 2, 2, 1, 2, 1)  # strides of the stages: MobileNet v2, table 2; EfficientNet, table 1; v3 large, table 1
SMALL = (2, 2, 2, 1, 2, 1)  # MobileNet v3 small, table 2
MOST_STAGES, MOST_BLOCKS = 16, 64


@dataclass(frozen=True)
class Family:
    """What no tensor says of an architecture; `relu` numbers the stages that use plain ReLU, as v3's first ones do."""

    strides: tuple[int, ...]
    activation: str
    gate: str = "sigmoid"
    squeeze_activation: str = "silu"
    late: bool = False
    relu: tuple[int, ...] = ()


FAMILIES = {
    r"mobilenetv2_\w+": Family(SEVEN, "relu6"),
    r"efficientnet_lite\d": Family(SEVEN, "relu6"),
    r"efficientnet_b\d\w*": Family(SEVEN, "silu"),
    r"mobilenetv3_large_\d+": Family(SEVEN, "hard_swish", "hard_sigmoid", "relu", True, (0, 1, 2)),
    r"mobilenetv3_small_\d+": Family(SMALL, "hard_swish", "hard_sigmoid", "relu", True, (0, 1)),
}
READ = "mobilenetv2_..., mobilenetv3_large_..., mobilenetv3_small_..., efficientnet_b..., efficientnet_lite..."


def claims(raw: Raw) -> bool:
    """A state dictionary with the names of timm's mobile networks."""
    return isinstance(raw.content, dict) and all(name in raw.content for name in MARKS)


def translate(raw: Raw) -> Checkpoint:
    """The tensors as they are, without the counters."""
    family, same = _family(raw)
    tensors: dict[str, Tensor] = {}
    for name, value in raw.content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, f"is a {type(value).__name__}, expected a tensor", str(name)[:80])
        if not name.endswith("num_batches_tracked"):
            tensors[name] = value.detach().float().contiguous()
    stages = _stages(tensors, family, raw)
    facts: dict[str, Any] = {
        "stem": _shape(tensors, "conv_stem.weight", 4, raw)[0],
        "stem_size": _shape(tensors, "conv_stem.weight", 4, raw)[2],
        "stages": stages,
        "head": _shape(tensors, "conv_head.weight", 4, raw)[0],
        "classes": _shape(tensors, "classifier.weight", 2, raw)[0],
        "activation": family.activation,
        "squeeze_activation": family.squeeze_activation,
        "gate": family.gate,
        "eps": 1e-3 if same else 1e-5,
        "same": same,
        "late": family.late,
    }
    return Checkpoint("efficientnet", {"network": Part(facts, tensors)}, _about(raw.config, facts["classes"]))


def _family(raw: Raw) -> tuple[Family, bool]:
    """What belongs to the architecture in config.json, and whether it pads as TensorFlow does ("tf_...")."""
    told = raw.config.get("architecture")
    if not isinstance(told, str):
        raise WeightsRefused(
            raw.file,
            "has strides and activations that no tensor tells; put timm's config.json, which names its architecture, "
            "beside it",
        )
    name = told.partition(".")[0]  # "efficientnet_b0.ra_in1k"
    same, name = name.startswith("tf_"), name.removeprefix("tf_")
    found = [family for pattern, family in FAMILIES.items() if re.fullmatch(pattern, name) and "minimal" not in name]
    if not found:
        raise WeightsRefused(raw.file, f"is of the architecture {told[:60]!r}; of this layout are read: {READ}")
    return found[0], same


def _stages(tensors: dict[str, Tensor], family: Family, raw: Raw) -> list[list[dict[str, Any]]]:
    """The facts of every block; only the first of a stage has its stride."""
    stages: list[list[dict[str, Any]]] = []
    numbers = {(int(m[1]), int(m[2])) for name in tensors if (m := re.match(r"blocks\.(\d{1,3})\.(\d{1,3})\.", name))}
    while (len(stages), 0) in numbers and len(stages) < MOST_STAGES:
        stage, depth = len(stages), 0
        rows = []
        while (stage, depth) in numbers and depth < MOST_BLOCKS:
            activation = "relu" if stage in family.relu else family.activation
            stride = family.strides[stage] if depth == 0 and stage < len(family.strides) else 1
            rows.append(_block(tensors, f"blocks.{stage}.{depth}", raw) | {"stride": stride, "activation": activation})
            depth += 1
        stages.append(rows)
    if len(stages) != len(family.strides):
        raise WeightsRefused(raw.file, f"has {len(stages)} stages, and its architecture has {len(family.strides)}")
    return stages


def _block(tensors: dict[str, Tensor], stem: str, raw: Raw) -> dict[str, Any]:
    if f"{stem}.conv.weight" in tensors:
        out, _, size, _ = _shape(tensors, f"{stem}.conv.weight", 4, raw)
        return {"kind": "cn", "inner": out, "out": out, "size": size, "squeeze": 0}
    inner, _, size, _ = _shape(tensors, f"{stem}.conv_dw.weight", 4, raw)
    kind = "ir" if f"{stem}.conv_pwl.weight" in tensors else "ds"
    out = _shape(tensors, f"{stem}.conv_{'pwl' if kind == 'ir' else 'pw'}.weight", 4, raw)[0]
    name = f"{stem}.se.conv_reduce.weight"
    squeeze = _shape(tensors, name, 4, raw)[0] if name in tensors else 0
    return {"kind": kind, "inner": inner, "out": out, "size": size, "squeeze": squeeze}


def _about(config: dict[str, Any], classes: int) -> dict[str, Any]:
    """How pictures are shown to it, and what its outputs are called."""
    about: dict[str, Any] = {"layout": "timm", "mean": IMAGENET[0], "std": IMAGENET[1], "size": 224, "crop": 0.875}
    about["labels"] = class_labels(config, classes) or ("imagenet-1k" if classes == 1000 else [])
    told = config.get("pretrained_cfg")
    told = told if isinstance(told, dict) else config
    return about | ({"pretrained_cfg": told} if "input_size" in told else {})


def _shape(tensors: dict[str, Tensor], name: str, dims: int, raw: Raw) -> tuple[int, ...]:
    return shape_of(tensors, name, dims, raw.file, "a MobileNet or EfficientNet of timm", square=True)
