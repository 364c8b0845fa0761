"""VQGAN as taming-transformers saves it: a Lightning checkpoint, or its state dictionary alone.

Names: Esser, Rombach and Ommer 2021, https://github.com/CompVis/taming-transformers . The codebook, the convolution
behind it and the decoder are read; encoder, discriminator and perceptual network are left out. No sizes are stated
(they are in a YAML file beside it), so all are read off the shapes; how large the grid was is not among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.model_file import Part

CODEBOOKS = ("quantize.embedding.weight", "quantize.embed.weight")  # the second: with Gumbel-softmax
KEPT = ("quantize.embedding.", "post_quant_conv.", "decoder.")
MARKS = ("post_quant_conv.weight", "decoder.conv_in.weight", "decoder.conv_out.weight")


def claims(raw: Raw) -> bool:
    """A state dictionary with a codebook and a decoder."""
    state = _state(raw.content)
    return any(name in state for name in CODEBOOKS) and all(name in state for name in MARKS)


def translate(raw: Raw) -> Checkpoint:
    """The same names, without what no picture is drawn with."""
    state = _state(raw.content)
    for name in CODEBOOKS[1:]:
        if name in state:
            state[CODEBOOKS[0]] = state.pop(name)
    out = {}
    for name, value in state.items():
        if not name.startswith(KEPT):
            continue
        if not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, "is no tensor", name[:80])
        out[name] = value.detach().float().contiguous()
    levels, blocks = _count(out, r"decoder\.up\.(\d{1,3})\."), _count(out, r"decoder\.up\.0\.block\.(\d{1,3})\.")
    widths = []
    for level in range(levels):
        last = out.get(f"decoder.up.{level}.block.{blocks - 1}.conv2.weight")
        if last is None or last.ndim != 4:
            raise WeightsRefused(raw.file, "is missing", f"decoder.up.{level}.block.{blocks - 1}.conv2.weight")
        widths.append(int(last.shape[0]))
    codes, post = out[CODEBOOKS[0]], out[MARKS[0]]
    facts: dict[str, Any] = {
        "codes": int(codes.shape[0]),
        "embed": int(codes.shape[-1]),
        "z_channels": int(post.shape[0]),
        "widths": widths,
        "blocks": blocks,
        "attention": [k for k in range(levels) if f"decoder.up.{k}.attn.0.q.weight" in out],
        "img_channels": int(out[MARKS[2]].shape[0]),
    }
    return Checkpoint("vqgan", {"generator": Part(facts, out)}, {"layout": "taming-transformers"})


def _count(names: Iterable[str], pattern: str) -> int:
    """One more than the largest number that a name has in this place."""
    return 1 + max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=0)


def _state(content: Any) -> dict[str, Any]:
    """The state dictionary, alone or in a checkpoint; empty for anything else."""
    if not isinstance(content, dict):
        return {}
    inner = content.get("state_dict")
    return {str(k): v for k, v in (inner if isinstance(inner, dict) else content).items()}
