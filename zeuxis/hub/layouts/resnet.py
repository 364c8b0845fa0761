"""ResNets as torchvision, timm, transformers, chenyaofo, kuangliu and akamaster publish them.

The shape of the network is read from its tensors; only what leaves no trace in them (strides, labels, normalisation)
comes from config.json, or is what that publisher uses.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.layouts.modules import class_labels, shape_of
from zeuxis.hub.model_file import Part

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))  # chenyaofo, kuangliu, edadaltocg
WRAPPERS = ("state_dict", "net", "model")  # what training scripts keep beside the state dictionary
FIRST, TRANSFORMERS = "layer1.0.conv1.weight", "resnet.embedder.embedder.convolution.weight"
MOST_STAGES, MOST_BLOCKS = 8, 1000


def claims(raw: Raw) -> bool:
    """A state dictionary with the names of a ResNet."""
    state = _unwrapped(raw.content)
    return any(name in state for name in (FIRST, f"module.{FIRST}", TRANSFORMERS))


def translate(raw: Raw) -> Checkpoint:
    """Tensors under torchvision's names; facts from their shapes."""
    transformers = TRANSFORMERS in _unwrapped(raw.content)
    tensors = {}
    for name, value in _unwrapped(raw.content).items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, f"is a {type(value).__name__}, expected a tensor", str(name)[:80])
        if not name.endswith("num_batches_tracked"):
            plain = _renamed(name) if transformers else _plain(name)
            if plain in tensors:
                raise WeightsRefused(raw.file, "is there twice, under two names", plain)
            tensors[plain] = value.detach().float().contiguous()
    facts = _facts(tensors, raw)
    config = raw.config if raw.config.get("model_type") == "resnet" and transformers else {}
    if config:
        facts |= _strides(config, facts, raw)
    layout = "transformers" if transformers else "akamaster" if facts["shortcut"] == "pad" else "torchvision"
    about = {"layout": layout, **_about(facts, raw.config)}
    if raw.preprocessor:
        about["preprocessor"] = raw.preprocessor
    return Checkpoint("resnet", {"network": Part(facts, tensors)}, about)


def _unwrapped(content: Any) -> dict[Any, Any]:
    """The state dictionary itself."""
    if not isinstance(content, dict):
        return {}
    for name in WRAPPERS:
        if isinstance(content.get(name), dict):
            return content[name]  # type: ignore[no-any-return]
    return content


def _plain(name: str) -> str:
    """kuangliu's and akamaster's names -> torchvision's."""
    name = name.removeprefix("module.").replace(".shortcut.", ".downsample.")
    return f"fc.{name.removeprefix('linear.')}" if name.startswith("linear.") else name


def _renamed(name: str) -> str:
    """transformers' names -> torchvision's: resnet.encoder.stages.0.layers.1.layer.2.normalization -> layer1.1.bn3."""
    parts = name.split(".")
    kind = {"convolution": "conv", "normalization": "bn"}.get(parts[-2], "")
    if parts[:2] == ["classifier", "1"]:
        return f"fc.{parts[-1]}"
    if parts[:3] == ["resnet", "embedder", "embedder"] and kind:
        return f"{kind}1.{parts[-1]}"
    if parts[:3] == ["resnet", "encoder", "stages"] and kind and parts[3].isdecimal() and len(parts[3]) < 3:
        block = f"layer{int(parts[3]) + 1}.{parts[5]}"
        if parts[6] == "shortcut":
            return f"{block}.downsample.{0 if kind == 'conv' else 1}.{parts[-1]}"
        if parts[6] == "layer" and parts[7].isdecimal() and len(parts[7]) < 3:
            return f"{block}.{kind}{int(parts[7]) + 1}.{parts[-1]}"
    return name


def _facts(tensors: dict[str, Tensor], raw: Raw) -> dict[str, Any]:
    """The keyword arguments of the network, from shapes."""
    if "conv1.weight" not in tensors:
        raise WeightsRefused(raw.file, "is missing; stems of several convolutions are not supported", "conv1.weight")
    stem, channels, height, width = _shape(tensors, "conv1.weight", 4, raw)
    if (channels, height) != (3, width) or height not in (3, 7):
        raise WeightsRefused(raw.file, f"has shape {(stem, channels, height, width)}, expected 3x3 or 7x7 on RGB")
    sizes = 3 if "layer1.0.conv3.weight" in tensors else 2
    depths: list[int] = []
    widths: list[int] = []
    inner: list[int] = []
    while f"layer{len(depths) + 1}.0.conv1.weight" in tensors and len(depths) < MOST_STAGES:
        stage = f"layer{len(depths) + 1}"
        depth = 1
        while f"{stage}.{depth}.conv1.weight" in tensors and depth < MOST_BLOCKS:
            depth += 1
        depths.append(depth)
        inner.append(_shape(tensors, f"{stage}.0.conv1.weight", 4, raw)[0])
        widths.append(_shape(tensors, f"{stage}.0.conv{sizes}.weight", 4, raw)[0])
        if _shape(tensors, f"{stage}.0.conv2.weight", 4, raw)[1] != inner[-1]:
            raise WeightsRefused(raw.file, "is a grouped convolution (ResNeXt), which is not supported", stage)
    # Option A needs no tensors. It is CIFAR's: an ImageNet network without shortcuts is a damaged one.
    padded = height == 3 and not any(".downsample." in name for name in tensors)
    return {
        "block": "bottleneck" if sizes == 3 else "basic",
        "depths": depths,
        "widths": widths,
        "inner": inner,
        "stem": stem,
        "stem_size": height,
        "classes": _shape(tensors, "fc.weight", 2, raw)[0],
        "shortcut": "pad" if padded else "conv",
    }


def _shape(tensors: dict[str, Tensor], name: str, dims: int, raw: Raw) -> tuple[int, ...]:
    return shape_of(tensors, name, dims, raw.file, "a ResNet with its classifier")


def _strides(config: dict[str, Any], facts: dict[str, Any], raw: Raw) -> dict[str, Any]:
    """What transformers' config adds, after a look whether it is the config of this file."""
    for key, name in (("depths", "depths"), ("hidden_sizes", "widths"), ("embedding_size", "stem")):
        if config.get(key, facts[name]) != facts[name]:
            told = str(config[key])[:80]
            raise WeightsRefused(raw.file, f"has {name} {facts[name]}, but its config.json says {told}")
    if config.get("hidden_act", "relu") != "relu":
        raise WeightsRefused(raw.file, f"has the activation {str(config['hidden_act'])[:40]!r}, expected relu")
    early = bool(config.get("downsample_in_bottleneck", False)) and facts["block"] == "bottleneck"
    return {"first_stride": 2 if config.get("downsample_in_first_stage") else 1, "early": early}


def _about(facts: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """How pictures are shown to the network, and what its outputs are called ([] when nothing says so)."""
    large = facts["stem_size"] == 7
    mean, std = CIFAR if not large and facts["shortcut"] == "conv" else IMAGENET
    told = config.get("pretrained_cfg") if isinstance(config.get("pretrained_cfg"), dict) else config
    assert isinstance(told, dict)
    if large:  # timm says it for each network; its entries for 3x3 stems are copies of the 224 pixel network's
        mean, std = (_triple(told.get(key)) or own for key, own in (("mean", mean), ("std", std)))
    labels: list[str] | str = class_labels(config, facts["classes"])
    if not labels and facts["classes"] == (1000 if large else 10):
        labels = "imagenet-1k" if large else "cifar-10"
    size, crop = (224, 0.875) if large else (32, 1.0)
    about = {"mean": list(mean), "std": list(std), "size": size, "crop": crop, "labels": labels}
    return about | ({"pretrained_cfg": told} if large and "input_size" in told else {})


def _triple(value: Any) -> tuple[float, float, float] | None:
    """Three numbers in (0, 1), or None."""
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    if not all(isinstance(v, float) and math.isfinite(v) and 0 < v < 1 for v in value):
        return None
    return (value[0], value[1], value[2])
