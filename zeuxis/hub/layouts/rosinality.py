"""StyleGAN2 as .pt of rosinality's port (https://github.com/rosinality/stylegan2-pytorch) and of what is built on it.

Converted files (g_ema, latent_avg), its own training checkpoints, fine-tuned generators (StyleGAN-NADA), decoders of
encoders (pSp, e4e), and bare state dictionaries. The file states no sizes: resolution and widths are read off the
shapes. Where it holds no mean style, that is estimated. Its discriminator is not read.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.layouts.modules import base_of
from zeuxis.hub.model_file import Part
from zeuxis.hub.weights import fill
from zeuxis.nets.stylegan_layers import Mapping
from zeuxis.rng import stream

MARK = "input.input"  # the constant, and the name of no tensor in other layouts
RATE = 0.01  # of learning in the mapping network; no file states it
SAMPLES = 10_000
AVERAGES = ("latent_avg", "mean_latent", "w_avg")


def claims(raw: Raw) -> bool:
    """A state dictionary with the constant input somewhere inside."""
    return bool(_found(raw.content))


def translate(raw: Raw) -> Checkpoint:
    """NVIDIA's names for the same tensors."""
    places = _found(raw.content)
    held, prefix = min(places, key=lambda place: _rank(place[2]))[:2]
    state = {str(name).removeprefix(prefix): v for name, v in held.items() if str(name).startswith(prefix)}
    average = _average(raw.content, held, state)
    for name in AVERAGES:
        state.pop(name, None)
    source = _Source(raw.file, state)
    out, layers = _mapping(source)
    about: dict[str, Any] = {"layout": "rosinality"}
    if average is None:
        average = mean_style(out, layers, raw.file)
        about["w_avg"] = f"estimated from {SAMPLES:,} samples: the file holds none"
    out["mapping.w_avg"] = average
    blocks = 1 + sum(re.fullmatch(r"to_rgbs\.\d+\.bias", str(name)) is not None for name in state)
    channels: list[int] = []
    for i in range(blocks):
        out |= _block(source, i)
        channels.append(out[f"synthesis.b{4 * 2**i}.conv1.weight"].shape[0])
    left = [name for name in state if not str(name).endswith(".kernel")]
    if left:
        raise WeightsRefused(raw.file, "is not expected in a StyleGAN2 of this port", str(left[0])[:80])
    facts: dict[str, Any] = {
        "z_dim": out["mapping.fc0.weight"].shape[1] if layers else 0,
        "c_dim": 0,
        "w_dim": out["mapping.w_avg"].shape[0],
        "channels": channels,
        "img_channels": out["synthesis.b4.torgb.bias"].shape[0],
        "mapping_layers": layers,
        "rate": RATE,
        **base_of(out["synthesis.b4.const"], raw.file),
    }
    return Checkpoint("stylegan2", {"generator": Part(facts, out)}, about)


def _found(content: Any) -> list[tuple[dict[str, Any], str, str]]:
    """Every generator in nested dictionaries: the dictionary, the prefix of its names, and the way to it."""
    found = []
    waiting, seen = deque([("", content)]), set[int]()
    while waiting:
        way, held = waiting.popleft()
        if not isinstance(held, dict) or id(held) in seen:
            continue
        seen.add(id(held))
        for name, value in held.items():
            if isinstance(name, str) and (name == MARK or name.endswith(f".{MARK}")) and isinstance(value, Tensor):
                prefix = name.removesuffix(MARK)
                found.append((held, prefix, f"{way}.{prefix}"))
            if isinstance(value, dict):
                waiting.append((f"{way}.{str(name)[:100]}"[:200], value))
    return found


def _rank(way: str) -> tuple[bool, bool]:
    """The moving average first, and a network that stays frozen while another is tuned last."""
    words = set(re.split(r"[._]", way.lower()))
    return bool(words & {"frozen", "source", "ori", "original"}), not words & {"ema"}


def _average(*places: dict[str, Any]) -> Tensor | None:
    """The mean style (w_dim,), wherever it lies; encoders (pSp, e4e) keep it once for each layer. None without one."""
    for value in (place.get(name) for place in places for name in AVERAGES):
        if isinstance(value, Tensor) and value.numel():
            return value.detach().float().reshape(-1, value.shape[-1] if value.ndim else 1).mean(0)
    return None


def mean_style(out: dict[str, Tensor], layers: int, file: Path) -> Tensor:
    """The mean of the styles of SAMPLES z, drawn with a fixed seed: (w_dim,). WeightsRefused without the network."""
    if not layers:
        raise WeightsRefused(
            file, "is missing, and so is the mapping network that it could be estimated with", "style.1"
        )
    w_dim, z_dim = out["mapping.fc0.weight"].shape
    if layers > 64 or max(w_dim, z_dim) > 8192:
        raise WeightsRefused(file, f"has a mapping network of {layers} layers and {w_dim} styles, more than any")
    net = fill(
        Mapping(z_dim, 0, w_dim, layers, rate=RATE), {k.removeprefix("mapping."): v for k, v in out.items()}, file
    )
    z = torch.randn(SAMPLES, z_dim, generator=stream(0, "mean style"))
    with torch.no_grad():
        return torch.stack([net(part).double().sum(0) for part in torch.split(z, 1000)]).sum(0).div(SAMPLES).float()


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
