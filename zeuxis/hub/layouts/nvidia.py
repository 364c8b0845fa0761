"""NVIDIA's PyTorch network pickles: StyleGAN2(-ADA), StyleGAN3, and StyleGAN-XL. Rebuilt from the stored attributes."""

from __future__ import annotations

from typing import Any

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.layouts import nvidia_stylegan3
from zeuxis.hub.layouts.modules import Module, base_of, rate_of
from zeuxis.hub.model_file import Part
from zeuxis.hub.pickles import Inert

LICENCE = "NVIDIA Source Code License: research and evaluation only, not for commercial use"


def claims(raw: Raw) -> bool:
    """A dictionary with a generator, or a generator alone, as tuned ones (PTI) are saved."""
    return _root(raw.content) is not None


def _root(content: Any) -> tuple[str, Inert] | None:
    """The generator and its name: its moving average where there is one."""
    if isinstance(content, dict):
        if isinstance(content.get("G_ema"), Inert):
            return "G_ema", content["G_ema"]
        content = content.get("G")
    modules = content.state.get("_modules") if isinstance(content, Inert) and isinstance(content.state, dict) else None
    return ("G", content) if isinstance(modules, dict) and {"mapping", "synthesis"} <= modules.keys() else None


def translate(raw: Raw) -> Checkpoint:
    """The generator and, where it is StyleGAN2's, D."""
    found = _root(raw.content)
    assert found is not None  # `claims` saw it
    root = Module(found[1], raw.file, found[0])
    held = raw.content if isinstance(raw.content, dict) else {}
    if root.has("synthesis.input"):
        family, generator = "stylegan3", nvidia_stylegan3.generator(root)
    elif root.has("synthesis.b4"):
        family, generator = "stylegan2", _generator(root)
    else:
        raise WeightsRefused(raw.file, f"holds a generator of the unknown kind {root.name[:60]!r}")
    parts = {"generator": generator}
    if isinstance(held.get("D"), Inert) and "base" not in generator.facts:  # a rectangle's ends in another shape
        judge = Module(held["D"], raw.file, "D")
        if judge.has("b4.mbstd") or judge.has("b4.conv"):  # StyleGAN-XL has another kind, which we do not need
            parts["discriminator"] = _discriminator(judge)
    return Checkpoint(family, parts, {"layout": "nvidia", "licence": LICENCE})


def _generator(root: Module) -> Part:
    synthesis = root.child("synthesis")
    sizes = _sizes(synthesis)
    blocks = [synthesis.child(f"b{size}") for size in sizes]
    clamps = {block.child("conv1").number("conv_clamp", None) for block in blocks}
    noise = {bool(block.child("conv1").get("use_noise", True)) for block in blocks}
    kinds = {str(block.get("architecture", "skip")) for block in blocks}
    if max(len(clamps), len(noise), len(kinds)) > 1:
        root.refuse("mixes blocks of different kinds")
    mapping = root.child("mapping")
    layers = mapping.integer("num_layers")
    facts: dict[str, Any] = {
        "z_dim": root.integer("z_dim"),
        "c_dim": root.integer("c_dim"),
        "w_dim": root.integer("w_dim"),
        "channels": [block.child("conv1").tensor("weight").shape[0] for block in blocks],
        "img_channels": root.integer("img_channels"),
        "mapping_layers": layers,
        "rate": rate_of(mapping.child("fc0")),
        "conv_clamp": clamps.pop(),
        "architecture": kinds.pop(),
        "use_noise": noise.pop(),
    }
    return Part(facts | base_of(blocks[0].tensor("const"), root.file), root.tensors())


def _discriminator(root: Module) -> Part:
    sizes = _sizes(root)[::-1]  # R, ..., 4
    epilogue = root.child("b4")
    blocks = [root.child(f"b{size}") for size in sizes[:-1]]
    first = blocks[0] if blocks else epilogue
    channels = [block.child("conv0").tensor("weight").shape[0] for block in blocks]
    c_dim = root.integer("c_dim")
    deviation = epilogue.child("mbstd") if epilogue.has("mbstd") else None
    facts: dict[str, Any] = {
        "c_dim": c_dim,
        "channels": [*channels, epilogue.child("fc").tensor("weight").shape[0]],
        "img_channels": root.integer("img_channels"),
        "architecture": str(first.get("architecture", "resnet")),
        "conv_clamp": first.child("conv0").number("conv_clamp", None) if blocks else None,
        "mbstd_group_size": None if deviation is None else deviation.get("group_size"),
        "mbstd_num_channels": 0 if deviation is None else deviation.integer("num_channels"),
        "cmap_dim": epilogue.child("out").tensor("weight").shape[0] if c_dim else 0,
    }
    if c_dim:
        mapping = root.child("mapping")
        facts |= {"mapping_layers": mapping.integer("num_layers"), "rate": rate_of(mapping.child("fc0"))}
    return Part(facts, root.tensors())


def _sizes(module: Module) -> list[int]:
    """Resolutions of the blocks b4, b8, ... in rising order."""
    sizes = sorted(int(name[1:]) for name in module.children() if name[:1] == "b" and name[1:].isdigit())
    if not sizes or sizes != [4 * 2**i for i in range(len(sizes))]:
        module.refuse(f"has blocks of {sizes[:12]} pixels, expected 4, 8, 16, ...")
    return sizes
