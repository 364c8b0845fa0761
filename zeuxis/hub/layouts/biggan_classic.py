"""BigGAN as BigGAN-PyTorch (G_ema.pth, G.pth) and PyTorch-StudioGAN (model=G_ema-....pth) save it.

Names: https://github.com/ajbrock/BigGAN-PyTorch and https://github.com/POSTECH-CVLab/PyTorch-StudioGAN . Sizes, classes
and the way z is cut are read off the shapes. What leaves no trace in them is that program's default unless a
config.json beside the file says else: `eps` of the batch norms (1e-5, StudioGAN 1e-4), `activation` (only relu is
read), the names of the classes (`id2label` or `label_names`).
"""

from __future__ import annotations

import re
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.layouts.modules import class_labels, shape_of
from zeuxis.hub.model_file import Part

LICENCE = "not stated in the file: look where it came from (both programs are MIT)"
OURS = {  # the last of a block's names -> ours, for either program
    "bn1": "bn_0", "bn2": "bn_1", "conv1": "conv_0", "conv2": "conv_1", "conv_sc": "conv_sc",
    "conv2d1": "conv_0", "conv2d2": "conv_1", "conv2d0": "conv_sc",
}  # fmt: skip
ATTENTION = {"theta": "theta", "phi": "phi", "g": "g", "o": "o_conv", "conv1x1_theta": "theta", "conv1x1_phi": "phi",
             "conv1x1_g": "g", "conv1x1_attn": "o_conv"}  # fmt: skip
STATISTICS = {"stored_mean": "running_means", "stored_var": "running_vars", "running_mean": "running_means",
              "running_var": "running_vars"}  # fmt: skip
PASSING = ("num_batches_tracked", "accumulation_counter")
WRAPPERS = ("state_dict", "G_ema", "generator")
MARKS = (("linear.", "output_layer.2."), ("linear0.", "conv2d5."))  # BigGAN-PyTorch, StudioGAN
DEEP = ("blocks.0.0.conv4.", "blocks.0.0.conv2d4.")  # their BigGAN-deep
EPS = (1e-5, 1e-4)  # the same two


def claims(raw: Raw) -> bool:
    """A state dictionary with the names of either program."""
    state = _state(raw.content)
    return _program(state) is not None and any(name.startswith("blocks.0.0.") for name in state)


def translate(raw: Raw) -> Checkpoint:
    """Both under one set of names, spectral normalisation folded in."""
    state = _state(raw.content)
    studio = bool(_program(state))
    if any(name.startswith(DEEP) for name in state):
        raise WeightsRefused(raw.file, "is a BigGAN-deep of BigGAN-PyTorch or StudioGAN, of which only BigGAN is read")
    folded = _folded(state, raw)
    places = _places(folded)
    out: dict[str, Tensor] = {}
    for name, value in folded.items():
        ours = _renamed(name, places)
        if ours is None:
            raise WeightsRefused(raw.file, "has no place in a BigGAN with classes", name[:80])
        out[ours] = value
    for name, value in out.items():
        if name.endswith(("running_means", "running_vars")):
            out[name] = value[None]
    shared = "embeddings.weight" in out
    # Without shared embeddings each norm has a table of classes: the same as a linear layer on the class itself.
    turned = ["embeddings.weight"] if shared else [n for n in out if n.endswith(("scale.weight", "offset.weight"))]
    for name in turned:
        _shape(out, name, 2, raw)
        out[name] = out[name].T.contiguous()
    if not shared:
        out["embeddings.weight"] = torch.eye(_shape(out, "blocks.0.bn_0.scale.weight", 2, raw)[1])
    facts = _facts(out, raw, studio)
    about: dict[str, Any] = {"layout": "studiogan" if studio else "biggan-pytorch", "licence": LICENCE}
    if labels := class_labels(raw.config, facts["num_classes"]):
        about["labels"] = labels
    return Checkpoint("biggan", {"generator": Part(facts, out)}, about)


def _state(content: Any) -> dict[str, Any]:
    """The state dictionary, alone or in a checkpoint, without a prefix of parallel training."""
    for name in WRAPPERS:
        inner = content.get(name) if isinstance(content, dict) else None
        content = inner if isinstance(inner, dict) else content
    if not isinstance(content, dict):
        return {}
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _program(state: dict[str, Any]) -> int | None:
    """0 for BigGAN-PyTorch, 1 for StudioGAN, None for neither."""
    found = [i for i, marks in enumerate(MARKS) if all(any(name.startswith(m) for name in state) for m in marks)]
    return found[0] if found else None


def _folded(state: dict[str, Any], raw: Raw) -> dict[str, Tensor]:
    """W / sigma (Miyato et al. 2018, https://arxiv.org/abs/1802.05957 , Eq. 19), and what needs no folding.

    BigGAN-PyTorch keeps u alone, `u0` (1, out), and takes one step of power iteration to v and sigma; StudioGAN has
    torch's `weight_orig`, `weight_u` and `weight_v`.
    """
    out: dict[str, Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, f"is a {type(value).__name__}, expected a tensor", name[:80])
        tensors[name] = value.detach().float() if value.is_floating_point() else value
    for name, value in tensors.items():
        stem, _, last = name.rpartition(".")
        if last in PASSING or re.fullmatch(r"u0|sv0|weight_u|weight_v", last):
            continue
        if re.fullmatch(r"u\d+|sv\d+", last):
            raise WeightsRefused(raw.file, "normalises by several singular values, expected one", name)
        if last not in ("weight", "weight_orig") or (u := _vector(tensors, stem)) is None:
            if last == "weight_orig":
                raise WeightsRefused(raw.file, "lacks the vectors u and v of its spectral normalisation", name)
            out[name] = value
            continue
        if value.ndim < 2:
            raise WeightsRefused(raw.file, f"has shape {tuple(value.shape)}, expected the weights of a layer", name)
        flat, v = value.flatten(1), tensors.get(f"{stem}.weight_v")
        if u.shape != flat.shape[:1] or (v is not None and v.shape != flat.shape[1:]):
            raise WeightsRefused(raw.file, f"has vectors that do not fit {tuple(value.shape)}", name)
        v = F.normalize(u @ flat, dim=0, eps=1e-12) if v is None else v
        sigma = (flat @ v).norm() if f"{stem}.u0" in tensors else u @ flat @ v
        if not bool(sigma.abs() > 1e-12):
            raise WeightsRefused(raw.file, f"has the spectral norm {float(sigma):g}", name)
        out[f"{stem}.weight"] = value / sigma
    return out


def _vector(tensors: dict[str, Tensor], stem: str) -> Tensor | None:
    for name in ("u0", "weight_u"):
        if f"{stem}.{name}" in tensors:
            return tensors[f"{stem}.{name}"].flatten()
    return None


def _places(state: dict[str, Tensor]) -> dict[tuple[str, str], tuple[int, bool]]:
    """(list, place in it) -> the number of the block that stands there or before, and whether it is attention.

    StudioGAN gives attention a list of its own, BigGAN-PyTorch appends it to that of the block.
    """
    found = [m for name in state if (m := re.match(r"blocks\.(\d{1,2})\.(\d)\.(\w+)", name))]
    attention = {(m[1], m[2]) for m in found if m[3] in (*ATTENTION, "gamma", "sigma")}
    places, number = {}, -1
    for key in sorted({(m[1], m[2]) for m in found}, key=lambda key: (int(key[0]), int(key[1]))):
        number += key not in attention
        places[key] = (max(number, 0), key in attention)
    return places


def _renamed(name: str, places: dict[tuple[str, str], tuple[int, bool]]) -> str | None:
    """Our name of a tensor; None for one that has no place."""
    first, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    if first in ("linear", "linear0") and last in ("weight", "bias"):
        return f"linear.{last}"
    if name == "shared.weight":
        return "embeddings.weight"
    if name.startswith(("output_layer.2.", "conv2d5.")) and last in ("weight", "bias"):
        return f"conv_to_rgb.{last}"
    if name.startswith(("output_layer.0.", "bn4.")):
        ours = STATISTICS.get(last) or {"gain": "weight"}.get(last, last)
        return f"bn.{ours}"
    block = re.fullmatch(r"blocks\.(\d{1,2})\.(\d)\.(\w+)(?:\.(.+))?", name)
    if block is None or (block[1], block[2]) not in places:
        return None
    number, attends = places[block[1], block[2]]
    if attends:
        if block[3] in ("gamma", "sigma"):
            return f"attention.{number}.gamma"
        return f"attention.{number}.snconv1x1_{ATTENTION[block[3]]}.{block[4]}" if block[3] in ATTENTION else None
    if block[3] not in OURS or block[4] is None:
        return None
    inner = block[4].removeprefix("bn.")
    inner = STATISTICS.get(inner) or {"gain.weight": "scale.weight", "bias.weight": "offset.weight"}.get(inner, inner)
    return f"blocks.{number}.{OURS[block[3]]}.{inner}"


def _facts(out: dict[str, Tensor], raw: Raw, studio: bool) -> dict[str, Any]:
    """The keyword arguments of the network, from shapes."""
    count = 1 + max((int(m[1]) for name in out if (m := re.match(r"blocks\.(\d+)\.", name))), default=0)
    widths = [_shape(out, f"blocks.{i}.conv_1.weight", 4, raw)[0] for i in range(min(count, 16))]
    first = _shape(out, "blocks.0.conv_0.weight", 4, raw)[1]
    rows, piece = _shape(out, "linear.weight", 2, raw)
    bottom = round((rows / first) ** 0.5)
    if bottom**2 * first != rows:
        raise WeightsRefused(raw.file, f"makes {rows} numbers of z, which are no square of {first} channels", "linear")
    embed, classes = _shape(out, "embeddings.weight", 2, raw)
    condition = _shape(out, "blocks.0.bn_0.scale.weight", 2, raw)[1]
    if condition not in (embed, embed + piece):
        raise WeightsRefused(raw.file, f"conditions on {condition} numbers, expected {embed} or {embed + piece}")
    hierarchical = condition != embed
    eps, activation = raw.config.get("eps", EPS[studio]), raw.config.get("activation", "relu")
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise WeightsRefused(raw.file, f"has eps {eps!r:.40} in its config.json, expected a number such as 1e-5")
    if str(activation).lower() != "relu":
        raise WeightsRefused(raw.file, f"has the activation {str(activation)[:40]!r}, expected relu")
    for name in [name for name in out if name.endswith(".gamma")]:
        if out[name].numel() != 1:
            raise WeightsRefused(raw.file, f"has shape {tuple(out[name].shape)}, expected one number", name)
        out[name] = out[name].reshape(1)
    return {
        "z_dim": piece * (count + 1) if hierarchical else piece,
        "class_embed_dim": embed,
        "num_classes": classes,
        "first": first,
        "widths": widths,
        "attention": sorted({int(name.split(".")[1]) for name in out if name.startswith("attention.")}),
        "hierarchical": hierarchical,
        "bottom": bottom,
        "eps": eps,
        "img_channels": _shape(out, "conv_to_rgb.weight", 4, raw)[0],
    }


def _shape(out: dict[str, Tensor], name: str, dims: int, raw: Raw) -> tuple[int, ...]:
    return shape_of(out, name, dims, raw.file, "a BigGAN with classes")
