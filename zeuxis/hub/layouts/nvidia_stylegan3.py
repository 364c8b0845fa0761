"""StyleGAN3 and StyleGAN-XL generators in NVIDIA's PyTorch pickles."""

from __future__ import annotations

from typing import Any

from zeuxis.hub.layouts.modules import Module, rate_of
from zeuxis.hub.model_file import Part

LAYER_NUMBERS = ("in_channels", "out_channels", "conv_kernel", "up_factor", "down_factor")


def generator(root: Module) -> Part:
    """The facts of StyleGAN3 from the attributes of its layers, in the order in which they draw."""
    synthesis, mapping = root.child("synthesis"), root.child("mapping")
    names = [str(name) for name in (synthesis.get("layer_names") or ())]
    names += [str(name) for name in (root.get("head_layer_names") or ()) if str(name) not in names]
    names = [name for name in names if synthesis.has(name)]
    if not names:
        synthesis.refuse("names no layers")
    source = synthesis.child("input")
    embed = mapping.child("embed") if mapping.has("embed") else None
    xl = mapping.has("embed_proj")
    tensors = root.tensors()
    if not root.integer("c_dim"):  # StyleGAN-XL without classes keeps the table of features that it does not use
        embed, tensors = None, {k: v for k, v in tensors.items() if not k.startswith("mapping.embed")}
    w_avg = mapping.tensor("w_avg").detach().float()
    if w_avg.ndim == 2 and not root.integer("c_dim"):
        w_avg = w_avg.mean(0)
    tensors["mapping.w_avg"] = w_avg
    facts: dict[str, Any] = {
        "z_dim": root.integer("z_dim"),
        "c_dim": root.integer("c_dim"),
        "w_dim": root.integer("w_dim"),
        "img_resolution": root.integer("img_resolution"),
        "input": {
            "channels": source.integer("channels"),
            "size": _pair(source, "size"),
            "sampling_rate": source.number("sampling_rate"),
            "bandwidth": source.number("bandwidth"),
        },
        "layers": [_layer(name, synthesis.child(name)) for name in names],
        "output_scale": synthesis.number("output_scale"),
        "mapping_layers": mapping.integer("num_layers"),
        "rate": rate_of(mapping.child("fc0")),
        "embed_rows": embed.tensor("weight").shape[0] if embed is not None and xl else 0,
        "embed_dim": None if embed is None else embed.tensor("weight").shape[1 if xl else 0],
        "averages": 1 if w_avg.ndim == 1 else w_avg.shape[0],
    }
    return Part(facts, tensors)


def _layer(name: str, layer: Module) -> dict[str, Any]:
    rgb = bool(layer.get("is_torgb"))
    tensors = {} if rgb else {f"{way}_taps": list(layer.tensor(f"{way}_filter").shape) for way in ("up", "down")}
    return {
        "name": name,
        "rgb": rgb,
        **{key: layer.integer(key) for key in LAYER_NUMBERS},
        **tensors,
        "in_size": _pair(layer, "in_size"),
        "out_size": _pair(layer, "out_size"),
        "padding": [int(p) for p in (layer.get("padding") or ())],
        "conv_clamp": layer.number("conv_clamp", None),
    }


def _pair(module: Module, name: str) -> int:
    """A size that is the same in both directions."""
    value = module.get(name)
    value = getattr(value, "value", value)
    numbers = [int(v) for v in (value.tolist() if hasattr(value, "tolist") else value or ())]
    if len(numbers) != 2 or numbers[0] != numbers[1]:
        module.refuse(f"has {name} {' x '.join(map(str, numbers[:4]))}; only square networks are read")
    return numbers[0]
