"""Networks of published size with random weights, written as model files: for speed no trained ones are needed."""

from __future__ import annotations

from pathlib import Path

import torch

from zeuxis.hub.checkpoint import Raw
from zeuxis.hub.layouts import biggan as layout
from zeuxis.hub.model_file import Part, write_model

PREFIX = "random:"
NAMES = ("biggan-128", "biggan-256", "biggan-512", "stylegan2-256", "stylegan2-512", "stylegan2-1024")


def random_file(name: str, folder: Path) -> Path:
    """One of NAMES as a converted file in `folder`, the same at every call."""
    if name not in NAMES:
        raise SystemExit(f"Expected {', '.join(PREFIX + n for n in NAMES)}, got {PREFIX}{name}.")
    kind, _, size = name.rpartition("-")
    if kind == "biggan":
        from published import random_biggan

        state, config = random_biggan(int(size))
        part = layout.translate(Raw(Path("random"), state, config)).parts["generator"]
        family, facts, tensors = "biggan-deep", part.facts, part.tensors
    else:
        from stylegan2 import config_f

        net = config_f(int(size))
        blocks = [net.synthesis.get_submodule(f"b{pixels}") for pixels in net.synthesis.sizes]
        channels = [block.get_submodule("conv1").bias.shape[0] for block in blocks]  # type: ignore[union-attr]
        family, facts = "stylegan2", {"z_dim": 512, "c_dim": 0, "w_dim": 512, "channels": channels}
        tensors = dict(net.state_dict())
    parts = {"generator": Part(facts, tensors)}
    return write_model(folder / f"random-{name}.safetensors", family, parts, dtype=torch.float32)
