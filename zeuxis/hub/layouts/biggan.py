"""BigGAN-deep as Hugging Face ported it: config.json and a state dictionary with spectral normalisation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.model_file import Part

LICENCE = "weights by DeepMind, published on TF Hub; terms of redistribution are unclear"
KEYS = (
    "z_dim",
    "class_embed_dim",
    "channel_width",
    "num_classes",
    "layers",
    "attention_layer_position",
    "eps",
    "n_stats",
)
# [upsample, in, out] in multiples of 128: Brock et al. 2019, tables 7 to 9, as in the published config.json files.
LAYERS: dict[int, list[list[Any]]] = {
    128: [
        *([False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 4]),
        *([False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]),
    ],
    256: [
        *([False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 8]),
        *([False, 8, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]),
    ],
    512: [
        *([False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 8]),
        *([False, 8, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]),
        *([False, 1, 1], [True, 1, 1]),
    ],
}


def published(resolution: int) -> dict[str, Any]:
    """The config.json of the published network of 128, 256 or 512 pixels."""
    return {
        "attention_layer_position": 8,
        "channel_width": 128,
        "class_embed_dim": 128,
        "eps": 0.0001,
        "layers": LAYERS[resolution],
        "n_stats": 51,
        "num_classes": 1000,
        "output_dim": resolution,
        "z_dim": 128,
    }


def claims(raw: Raw) -> bool:
    """A state dictionary with BigGAN's names."""
    return isinstance(raw.content, dict) and "generator.gen_z.weight_orig" in raw.content


def translate(raw: Raw) -> Checkpoint:
    """Spectral normalisation folded in, the unused colour channels cut off."""
    state: dict[str, Tensor] = {}
    for name, value in raw.content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, f"is a {type(value).__name__}, expected a tensor", str(name)[:80])
        state[name] = value.detach().float()
    config = raw.config if "layers" in raw.config else _recognised(state, raw)
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise WeightsRefused(raw.file, f"config.json lacks {', '.join(missing)}")
    tensors = {name: value for name, value in state.items() if not name.endswith(("_orig", "_u", "_v"))}
    for name in [name for name in state if name.endswith(".weight_orig")]:
        stem = name.removesuffix("_orig")
        tensors[stem] = _folded(state, stem, raw)
    for name in ("generator.conv_to_rgb.weight", "generator.conv_to_rgb.bias"):
        if name in tensors:
            tensors[name] = tensors[name][:3].contiguous()
    facts = {key: config[key] for key in KEYS}
    rows = tensors.get("generator.conv_to_rgb.bias")
    if rows is not None and rows.shape[0] < 3:
        facts["img_channels"] = rows.shape[0]
    return Checkpoint(
        "biggan-deep",
        {"generator": Part(facts, tensors)},
        {"layout": "biggan", "licence": LICENCE},
    )


def _folded(state: dict[str, Tensor], stem: str, raw: Raw) -> Tensor:
    """W / sigma with sigma = u^T W v: Miyato et al. (2018), https://arxiv.org/abs/1802.05957, Eq. (19)."""
    weight = state[f"{stem}_orig"]
    u, v = (state.get(f"{stem}_{letter}") for letter in "uv")
    if u is None or v is None:
        raise WeightsRefused(raw.file, "lacks the vectors u and v of its spectral normalisation", stem)
    if u.shape != weight.shape[:1] or v.shape != (weight[0].numel(),):
        raise WeightsRefused(raw.file, f"has u {tuple(u.shape)} and v {tuple(v.shape)}, which do not fit", stem)
    sigma = torch.dot(u, weight.flatten(1) @ v)
    if not bool(sigma.abs() > 1e-12):
        raise WeightsRefused(raw.file, f"has the spectral norm {float(sigma):g}", stem)
    return weight / sigma


def _recognised(state: dict[str, Tensor], raw: Raw) -> dict[str, Any]:
    """The configuration of a bare state dictionary, by its number of blocks."""
    blocks = {name.split(".")[2] for name in state if name.startswith("generator.layers.") and ".conv_0." in name}
    for resolution, layers in LAYERS.items():
        if len(layers) == len(blocks):
            return published(resolution)
    raise WeightsRefused(raw.file, f"has {len(blocks)} blocks and no config.json; put the config.json beside it")
