"""NVIDIA's pickles of the TensorFlow era: a tuple (G, D, Gs) of networks, here StyleGAN2's (configurations E and F)."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.arrays import Array
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.layouts.nvidia import LICENCE
from zeuxis.hub.model_file import Part
from zeuxis.hub.pickles import Inert

NETWORK = "dnnlib.tflib.network.Network"
MOST_DENSE = 64  # layers of a mapping network; published ones have 8
FIR = torch.tensor([1.0, 3.0, 3.0, 1.0])
SYNTHESIS = re.compile(r"(?:G_synthesis/)?(\d+)x\d+/(Conv|Conv0_up|Conv1|ToRGB|Const)/(\w+)")


def claims(raw: Raw) -> bool:
    """Networks of TensorFlow: (G, D, Gs), some of them, or one alone."""
    return bool(_networks(raw.content))


def _networks(content: Any) -> list[Inert]:
    """The networks that a pickle holds, in their order; [] for one that holds anything else."""
    if isinstance(content, dict):
        content = [content[name] for name in ("G", "D", "Gs") if content.get(name) is not None]
    rows = list(content) if isinstance(content, tuple | list) else [content]
    whole = all(isinstance(network, Inert) and network.name == NETWORK for network in rows if network is not None)
    return [network for network in rows if network is not None] if whole else []


def translate(raw: Raw) -> Checkpoint:
    """Gs, the last network that draws, and D where it is there, as PyTorch lays them out."""
    held = [_variables(network, raw) for network in _networks(raw.content)]
    drawing = [row for row in held if any(re.search(r"ToRGB(_lod\d+)?/", name) for name in row[0])]
    if not drawing:
        raise WeightsRefused(raw.file, "holds no generator of StyleGAN or StyleGAN2 (Gs is the one that is drawn with)")
    variables, static = drawing[-1]
    _check_square(variables, raw)
    if any("StyleMod" in name for name in variables):
        from zeuxis.hub.layouts.nvidia_tf_stylegan1 import generator

        return Checkpoint("stylegan", {"generator": generator(variables, static)}, _about(static))
    if not any("ToRGB/mod_weight" in name for name in variables):
        raise WeightsRefused(raw.file, "holds TensorFlow networks of an unknown kind; StyleGAN and StyleGAN2 are read")
    parts = {"generator": _generator(_Reader(variables, raw), static)}
    for judged, its_static in held:
        if any(name.endswith("Skip/weight") for name in judged):
            parts["discriminator"] = _discriminator(_Reader(judged, raw), its_static)
    return Checkpoint("stylegan2", parts, _about(static))


def _check_square(variables: dict[str, np.ndarray], raw: Raw) -> None:
    """WeightsRefused for a constant input, a noise or a layer that is no square."""
    for name, value in variables.items():
        found = re.search(r"(?:^|/)(\d{1,5})x(\d{1,5})/", name)
        layer = (found[1], found[2]) if found else ("", "")
        grid = value.shape[-2:] if re.search(r"(?:^|/)(?:const|noise\d+)$", name) and value.ndim == 4 else (0, 0)
        if grid[0] != grid[1] or layer[0] != layer[1]:
            height, width = grid if grid[0] != grid[1] else layer
            raise WeightsRefused(
                raw.file, f"has layers of {height} x {width} pixels; only square networks are read", name
            )


def _about(static: dict[str, Any]) -> dict[str, Any]:
    shape = static.get("resolution"), static.get("resolution_h"), static.get("resolution_w")
    return {"layout": "nvidia_tf", "licence": LICENCE, "resolution": [s for s in shape if isinstance(s, int)]}


class _Reader:
    """Variables by name, taken one by one; what is left over at the end was not expected."""

    def __init__(self, variables: dict[str, np.ndarray], raw: Raw) -> None:
        self.variables, self.raw, self.taken = variables, raw, set[str]()

    def __call__(self, name: str) -> Tensor:
        found = next((key for key in (name, f"G_synthesis/{name}", f"G_mapping/{name}") if key in self.variables), None)
        if found is None:
            raise WeightsRefused(self.raw.file, "is missing", name)
        self.taken.add(found)
        return torch.from_numpy(np.array(self.variables[found], dtype=np.float32))

    def finish(self) -> None:
        """WeightsRefused if a variable was not used."""
        known = re.compile(r"lod|.*dlatent_avg|.*noise\d+")
        left = [name for name in self.variables if name not in self.taken and not known.fullmatch(name)]
        if left:
            raise WeightsRefused(self.raw.file, "is not expected in a StyleGAN2", left[0])

    def conv(self, name: str, dims: int = 4) -> Tensor:
        """(H, W, in, out) -> (out, in, H, W)."""
        value = self(name)
        if value.ndim != dims:
            raise WeightsRefused(self.raw.file, f"has {value.ndim} dimensions, expected {dims}", name)
        return value.permute(3, 2, 0, 1).contiguous()

    def dense(self, name: str) -> Tensor:
        """(in, out) -> (out, in)."""
        value = self(name)
        if value.ndim != 2:
            raise WeightsRefused(self.raw.file, f"has {value.ndim} dimensions, expected 2", name)
        return value.T.contiguous()


def _generator(read: _Reader, static: dict[str, Any]) -> Part:
    sizes = _sizes(read)
    out: dict[str, Tensor] = {}
    channels = []
    fir = torch.outer(FIR, FIR) / FIR.sum() ** 2
    for i, size in enumerate(sizes):
        b, tf = f"synthesis.b{size}", f"{size}x{size}"
        if i == 0:
            out[f"{b}.const"] = read(f"{tf}/Const/const")[0]
            layers = [("conv1", "Conv", 0)]
        else:
            layers = [("conv0", "Conv0_up", 2 * i - 1), ("conv1", "Conv1", 2 * i)]
        out[f"{b}.resample_filter"] = fir.clone()
        for name, tf_name, number in layers:
            weight = read.conv(f"{tf}/{tf_name}/weight")
            out[f"{b}.{name}.weight"] = weight.flip((2, 3)) if tf_name == "Conv0_up" else weight
            out[f"{b}.{name}.bias"] = read(f"{tf}/{tf_name}/bias")
            out[f"{b}.{name}.noise_strength"] = read(f"{tf}/{tf_name}/noise_strength").reshape(())
            out[f"{b}.{name}.noise_const"] = read(f"noise{number}")[0, 0]
            out[f"{b}.{name}.resample_filter"] = fir.clone()
            out[f"{b}.{name}.affine.weight"] = read.dense(f"{tf}/{tf_name}/mod_weight")
            out[f"{b}.{name}.affine.bias"] = read(f"{tf}/{tf_name}/mod_bias") + 1
        out[f"{b}.torgb.weight"] = read.conv(f"{tf}/ToRGB/weight")
        out[f"{b}.torgb.bias"] = read(f"{tf}/ToRGB/bias")
        out[f"{b}.torgb.affine.weight"] = read.dense(f"{tf}/ToRGB/mod_weight")
        out[f"{b}.torgb.affine.bias"] = read(f"{tf}/ToRGB/mod_bias") + 1
        channels.append(out[f"{b}.conv1.weight"].shape[0])
    layers_found = 0
    while any(name.endswith(f"Dense{layers_found}/weight") for name in read.variables):
        out[f"mapping.fc{layers_found}.weight"] = read.dense(f"Dense{layers_found}/weight")
        out[f"mapping.fc{layers_found}.bias"] = read(f"Dense{layers_found}/bias")
        layers_found += 1
        if layers_found > MOST_DENSE:
            raise WeightsRefused(read.raw.file, f"has a mapping network of more than {MOST_DENSE} layers")
    out["mapping.w_avg"] = read("dlatent_avg")
    c_dim = embedded = 0
    if any(name.endswith("LabelConcat/weight") for name in read.variables):  # one vector per class, behind z
        out["mapping.embed.weight"] = read.dense("LabelConcat/weight")
        embedded, c_dim = out["mapping.embed.weight"].shape
        out["mapping.embed.bias"] = torch.zeros(embedded)
    elif any("LabelEmbed" in name for name in read.variables):
        raise WeightsRefused(read.raw.file, "is a StyleGAN2-ADA with labels; fetch its PyTorch file instead")
    read.finish()
    facts = {
        "z_dim": out["mapping.fc0.weight"].shape[1] - embedded,
        "c_dim": c_dim,
        "w_dim": out["mapping.w_avg"].shape[0],
        "channels": channels,
        "img_channels": out["synthesis.b4.torgb.bias"].shape[0],
        "mapping_layers": layers_found,
        "rate": _number(static.get("mapping_lrmul", 0.01), read.raw),
        "conv_clamp": None,
        "architecture": "skip",
        "use_noise": True,
        "label_concat": c_dim > 0,
    }
    return Part(facts, out)


def _discriminator(read: _Reader, static: dict[str, Any]) -> Part:
    sizes = _sizes(read)[::-1]
    out: dict[str, Tensor] = {}
    channels = []
    fir = torch.outer(FIR, FIR) / FIR.sum() ** 2
    for i, size in enumerate(sizes[:-1]):
        b, tf = f"b{size}", f"{size}x{size}"
        out[f"{b}.resample_filter"] = fir.clone()
        layers = [
            ("conv0", "Conv0"),
            ("conv1", "Conv1_down"),
            ("skip", "Skip"),
            *([("fromrgb", "FromRGB")] if i == 0 else []),
        ]
        for name, tf_name in layers:
            out[f"{b}.{name}.weight"] = read.conv(f"{tf}/{tf_name}/weight")
            out[f"{b}.{name}.resample_filter"] = fir.clone()
            if name != "skip":
                out[f"{b}.{name}.bias"] = read(f"{tf}/{tf_name}/bias")
        channels.append(out[f"{b}.conv0.weight"].shape[0])
    out["b4.conv.weight"], out["b4.conv.bias"] = read.conv("4x4/Conv/weight"), read("4x4/Conv/bias")
    out["b4.conv.resample_filter"] = fir.clone()
    out["b4.fc.weight"], out["b4.fc.bias"] = read.dense("4x4/Dense0/weight"), read("4x4/Dense0/bias")
    out["b4.out.weight"], out["b4.out.bias"] = read.dense("Output/weight"), read("Output/bias")
    read.finish()
    width, logits = out["b4.fc.weight"].shape[0], out["b4.out.weight"].shape[0]
    c_dim = int(_number(static.get("label_size", 0), read.raw))
    if logits != max(c_dim, 1):
        raise WeightsRefused(read.raw.file, f"has {logits} logits, expected one for each of {c_dim} labels")
    facts = {
        "c_dim": c_dim,
        "channels": [*channels, width],
        "img_channels": out[f"b{sizes[0]}.fromrgb.weight"].shape[1],
        "architecture": "resnet",
        "conv_clamp": None,
        "mbstd_group_size": int(_number(static.get("mbstd_group_size", 4), read.raw)),
        "mbstd_num_channels": out["b4.conv.weight"].shape[1] - width,
        "label_dot": c_dim > 0,
    }
    return Part(facts, out)


def _sizes(read: _Reader) -> list[int]:
    found = {int(match[1]) for name in read.variables if (match := re.match(r"(?:G_synthesis/)?(\d{1,5})x\1/", name))}
    sizes = sorted(found)
    if not sizes or sizes != [4 * 2**i for i in range(len(sizes))]:
        raise WeightsRefused(read.raw.file, f"has layers of {sizes[:12]} pixels, expected 4, 8, 16, ...")
    return sizes


def _number(value: Any, raw: Raw) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise WeightsRefused(raw.file, f"has a {type(value).__name__} where a number belongs in its arguments")
    return float(value)


def _variables(network: Inert, raw: Raw, above: tuple[Inert, ...] = ()) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of a network and of its components by their name, and its fixed arguments."""
    state = network.state if isinstance(network.state, dict) else {}
    rows, static, components = (state.get(key) for key in ("variables", "static_kwargs", "components"))
    found = {}
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, tuple) and len(row) == 2 and isinstance(row[0], str):
            if isinstance(row[1], Array) and row[1].value.dtype.kind in "fiu":
                found[row[0]] = row[1].value
            elif isinstance(row[1], int | float):
                found[row[0]] = np.asarray(row[1], np.float32)
    static = dict(static) if isinstance(static, dict) else {}
    for name, component in components.items() if isinstance(components, dict) else ():
        if isinstance(component, Inert) and len(above) < 4 and component not in (*above, network):
            inner, more = _variables(component, raw, (*above, network))
            found |= {key if key == "dlatent_avg" else f"G_{name}/{key}": value for key, value in inner.items()}
            static = more | static
    if not found and not above:
        raise WeightsRefused(raw.file, "holds a network without variables")
    return found, static
