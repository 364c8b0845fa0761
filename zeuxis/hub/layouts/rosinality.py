"""StyleGAN2 as .pt of rosinality's port (https://github.com/rosinality/stylegan2-pytorch): g_ema and latent_avg.

The file states no sizes: resolution and widths are read off the shapes. Its discriminator is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.model_file import Part


def claims(raw: Raw) -> bool:
    """A dictionary with g_ema, a state dictionary with the constant input."""
    content = raw.content
    return isinstance(content, dict) and isinstance(content.get("g_ema"), dict) and "input.input" in content["g_ema"]


def translate(raw: Raw) -> Checkpoint:
    """NVIDIA's names for the same tensors."""
    state = dict(raw.content["g_ema"])
    average = raw.content.get("latent_avg", state.pop("latent_avg", None))
    if not isinstance(average, Tensor):
        raise WeightsRefused(raw.file, "is missing; without it pictures cannot be truncated", "latent_avg")
    source = _Source(raw.file, state)
    out, layers = _mapping(source)
    out["mapping.w_avg"] = average.detach().float().flatten()
    blocks = 1 + sum(re.fullmatch(r"to_rgbs\.\d+\.bias", str(name)) is not None for name in state)
    channels: list[int] = []
    for i in range(blocks):
        out |= _block(source, i)
        channels.append(out[f"synthesis.b{4 * 2**i}.conv1.weight"].shape[0])
    left = [name for name in state if not str(name).endswith(".kernel")]
    if left:
        raise WeightsRefused(raw.file, "is not expected in a StyleGAN2 of this port", str(left[0])[:80])
    facts = {
        "z_dim": out["mapping.fc0.weight"].shape[1] if layers else 0,
        "c_dim": 0,
        "w_dim": out["mapping.w_avg"].shape[0],
        "channels": channels,
        "img_channels": out["synthesis.b4.torgb.bias"].shape[0],
        "mapping_layers": layers,
        "rate": 0.01,
    }
    return Checkpoint("stylegan2", {"generator": Part(facts, out)}, {"layout": "rosinality"})


@dataclass(frozen=True)
class _Source:
    """The tensors of a file that have not been taken yet."""

    file: Path
    state: dict[str, Any]

    def take(self, name: str, drop: int = 0) -> Tensor:
        """A tensor as float32, without its first `drop` dimensions, which must be of length 1."""
        value = self.state.pop(name, None)
        if not isinstance(value, Tensor):
            raise WeightsRefused(self.file, "is missing", name)
        value = value.detach().float()
        if any(size != 1 for size in value.shape[:drop]):
            raise WeightsRefused(self.file, f"has shape {tuple(value.shape)}, expected a leading 1", name)
        return value.reshape(value.shape[drop:]).contiguous()


def _mapping(source: _Source) -> tuple[dict[str, Tensor], int]:
    """The mapping network and how many layers it has."""
    out: dict[str, Tensor] = {}
    layers = 0
    while f"style.{layers + 1}.weight" in source.state:
        for part in ("weight", "bias"):
            out[f"mapping.fc{layers}.{part}"] = source.take(f"style.{layers + 1}.{part}")
        layers += 1
    return out, layers


def _block(source: _Source, i: int) -> dict[str, Tensor]:
    """Block i, of 4 * 2^i pixels: one convolution in the first, else two, and what makes its picture."""
    take, b = source.take, f"synthesis.b{4 * 2**i}"
    fir = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64
    rows = [("conv0", f"convs.{2 * i - 2}", 2 * i - 1)] if i else []
    rows += [("conv1", f"convs.{2 * i - 1}" if i else "conv1", 2 * i)]
    out = {f"{b}.resample_filter": fir.clone()}
    if not i:
        out[f"{b}.const"] = take("input.input", 1)
    for ours, theirs, number in rows:
        out[f"{b}.{ours}.weight"] = take(f"{theirs}.conv.weight", 1)
        out[f"{b}.{ours}.affine.weight"] = take(f"{theirs}.conv.modulation.weight")
        out[f"{b}.{ours}.affine.bias"] = take(f"{theirs}.conv.modulation.bias")
        out[f"{b}.{ours}.bias"] = take(f"{theirs}.activate.bias").flatten()
        out[f"{b}.{ours}.noise_strength"] = take(f"{theirs}.noise.weight").reshape(())
        out[f"{b}.{ours}.noise_const"] = take(f"noises.noise_{number}", 2)
        out[f"{b}.{ours}.resample_filter"] = fir.clone()
    rgb = f"to_rgbs.{i - 1}" if i else "to_rgb1"
    out[f"{b}.torgb.weight"] = take(f"{rgb}.conv.weight", 1)
    out[f"{b}.torgb.affine.weight"] = take(f"{rgb}.conv.modulation.weight")
    out[f"{b}.torgb.affine.bias"] = take(f"{rgb}.conv.modulation.bias")
    out[f"{b}.torgb.bias"] = take(f"{rgb}.bias").flatten()
    return out
