"""OpenCLIP checkpoints (the plain vision transformers) by a map of names onto transformers' CLIP.

Ilharco et al., "OpenCLIP" (2021), https://github.com/mlfoundations/open_clip
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.convert import read_raw

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TOWERS = {"transformer.": "text_model.encoder.layers.", "visual.transformer.": "vision_model.encoder.layers."}
PLAIN = {
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    **{f"visual.ln_pre.{p}": f"vision_model.pre_layrnorm.{p}" for p in ("weight", "bias")},  # transformers' spelling
    **{f"visual.ln_post.{p}": f"vision_model.post_layernorm.{p}" for p in ("weight", "bias")},
}
INNER = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj", "mlp.c_fc": "mlp.fc1",
         "mlp.c_proj": "mlp.fc2"}  # fmt: skip


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds OpenCLIP's weights and no transformers config."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], Path]:
    """transformers' configuration and state of an OpenCLIP folder, and the file of the weights."""
    found = [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if not found:
        raise WeightsRefused(folder, f"holds none of {', '.join(WEIGHTS)}")
    config = _config(folder / CONFIG)
    content = read_raw(found[0]).content
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    return config, translate(state, found[0]), found[0]


def translate(state: dict[str, Any], file: Path) -> dict[str, Tensor]:
    """OpenCLIP's names -> transformers'; total: a name that has no place is refused."""
    out: dict[str, Tensor] = {}
    for full, value in state.items():
        name = str(full).removeprefix("module.")
        if not isinstance(value, Tensor):
            raise WeightsRefused(file, f"is a {type(value).__name__}, expected a tensor", name[:80])
        block = re.fullmatch(r"((?:visual\.)?transformer\.)resblocks\.(\d{1,3})\.(.+)\.?(weight|bias)", name)
        if name in PLAIN:
            out[PLAIN[name]] = value
        elif name in ("text_projection", "visual.proj"):
            out["text_projection.weight" if name[0] == "t" else "visual_projection.weight"] = value.T.contiguous()
        elif block and block[3].rstrip("._") == "attn.in_proj" and value.shape[0] % 3 == 0:
            place = f"{TOWERS[block[1]]}{block[2]}.self_attn"
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                out[f"{place}.{letter}_proj.{block[4]}"] = part.contiguous()
        elif block and block[3].rstrip(".") in INNER:
            out[f"{TOWERS[block[1]]}{block[2]}.{INNER[block[3].rstrip('.')]}.{block[4]}"] = value
        elif name != "attn_mask":
            raise WeightsRefused(
                file,
                "has no place in a plain vision transformer (ResNet, CoCa and timm towers are not read)",
                name[:80],
            )
    return {name: value.float() if value.is_floating_point() else value for name, value in out.items()}


def _config(path: Path) -> dict[str, Any]:
    """open_clip_config.json -> transformers' names."""
    try:
        model = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]
        vision, text = model["vision_cfg"], model["text_cfg"]
        if not isinstance(vision["layers"], int) or "timm_model_name" in vision or "hf_model_name" in text:
            raise WeightsRefused(path, "describes no plain vision transformer (ResNet and timm towers are not read)")
        act = "quick_gelu" if model.get("quick_gelu") else "gelu"
        head = int(vision.get("head_width", 64))
        width, side = int(vision["width"]), int(vision["image_size"])
        return {
            "projection_dim": int(model["embed_dim"]),
            "vision_config": {
                "hidden_size": width, "intermediate_size": int(width * vision.get("mlp_ratio", 4.0)),
                "num_hidden_layers": vision["layers"], "num_attention_heads": width // head, "image_size": side,
                "patch_size": int(vision["patch_size"]), "hidden_act": act, "projection_dim": int(model["embed_dim"]),
            },
            "text_config": {
                "hidden_size": int(text["width"]), "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
                "num_hidden_layers": int(text["layers"]), "num_attention_heads": int(text["heads"]),
                "max_position_embeddings": int(text["context_length"]), "vocab_size": int(text["vocab_size"]),
                "hidden_act": act, "projection_dim": int(model["embed_dim"]),
                "bos_token_id": int(text["vocab_size"]) - 2, "eos_token_id": int(text["vocab_size"]) - 1,
                "pad_token_id": int(text["vocab_size"]) - 1,
            },
        }  # fmt: skip
    except WeightsRefused:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise WeightsRefused(
            path, f"is no configuration of OpenCLIP: {type(error).__name__} {str(error)[:120]}"
        ) from error
