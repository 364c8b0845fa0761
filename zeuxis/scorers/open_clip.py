"""OpenCLIP's and OpenAI's checkpoints (the plain vision transformers) by a map of names onto transformers' CLIP.

OpenAI's own .pt is a TorchScript archive: its weights are read, its program is not. It states no sizes but those of its
tensors, by which its program, too, builds the network: https://github.com/openai/CLIP
Ilharco et al., "OpenCLIP" (2021), https://github.com/mlfoundations/open_clip
"""

from __future__ import annotations

import math
import re
import zipfile
from pathlib import Path
from typing import Any

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.beside import read_json
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
PASSING = ("attn_mask", "input_resolution", "context_length", "vocab_size")  # computed, or stated by OpenAI's files
NOT_READ = "ResNets, CoCa and timm towers are not read"
INNER = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj", "mlp.c_fc": "mlp.fc1",
         "mlp.c_proj": "mlp.fc2"}  # fmt: skip


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds OpenCLIP's weights and no transformers config."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def is_file(path: Path) -> bool:
    """Whether a file of torch holds the two towers of a CLIP, by the names in it. No tensor is read."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            main = next((i for i in archive.infolist() if i.filename.endswith("/data.pkl")), None)
            names = archive.read(main) if main is not None and main.file_size <= 2**26 else b""
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return False
    return b"token_embedding" in names and b"visual" in names


def read(folder: Path, file: Path | None = None) -> tuple[dict[str, Any], dict[str, Tensor], Path]:
    """transformers' configuration and state of an OpenCLIP folder, or of `file` in it, and the file of the weights."""
    found = [file] if file is not None else [folder / name for name in WEIGHTS if (folder / name).is_file()]
    if not found:
        raise WeightsRefused(folder, f"holds none of {', '.join(WEIGHTS)}")
    content = read_raw(found[0]).content
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    if not isinstance(state, dict):
        raise WeightsRefused(found[0], f"holds a {type(state).__name__}, expected tensors by their names")
    state = {_plain(str(name)): value for name, value in state.items()}
    config = _config(folder / CONFIG) if (folder / CONFIG).is_file() else _sizes(state, found[0])
    return config, translate(state, found[0]), found[0]


def _plain(name: str) -> str:
    """Without the names of what it was trained in, or of OpenCLIP's separate text tower."""
    return name.removeprefix("module.").removeprefix("text.")


def translate(state: dict[str, Any], file: Path) -> dict[str, Tensor]:
    """OpenCLIP's names -> transformers'; total: a name that has no place is refused."""
    out: dict[str, Tensor] = {}
    for full, value in state.items():
        name = _plain(str(full))
        if name.rpartition(".")[2] in PASSING:
            continue
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
        else:
            raise WeightsRefused(file, f"has no place in CLIP with a plain vision transformer ({NOT_READ})", name[:80])
    return {name: value.float() if value.is_floating_point() else value for name, value in out.items()}


def _config(path: Path) -> dict[str, Any]:
    """open_clip_config.json -> transformers' names."""
    try:
        model = read_json(path)["model_cfg"]
        vision, text = model["vision_cfg"], model["text_cfg"]
        if not isinstance(vision.get("layers"), int) or "timm_model_name" in vision or "hf_model_name" in text:
            raise WeightsRefused(path, f"describes no plain vision transformer ({NOT_READ})")
        return _transformers(
            int(model["embed_dim"]), "quick_gelu" if model.get("quick_gelu") else "gelu",
            {"width": int(vision["width"]), "layers": vision["layers"], "ratio": vision.get("mlp_ratio", 4.0),
             "heads": int(vision["width"]) // int(vision.get("head_width", 64)), "side": int(vision["image_size"]),
             "patch": int(vision["patch_size"])},
            {"width": int(text["width"]), "layers": int(text["layers"]), "ratio": text.get("mlp_ratio", 4.0),
             "heads": int(text["heads"]), "length": int(text["context_length"]), "words": int(text["vocab_size"])},
        )  # fmt: skip
    except WeightsRefused:
        raise
    except Exception as error:  # a forged configuration may fail anywhere
        raise WeightsRefused(
            path, f"is no configuration of OpenCLIP: {type(error).__name__} {str(error)[:120]}"
        ) from error


def _sizes(state: dict[str, Any], file: Path) -> dict[str, Any]:
    """The configuration of one of OpenAI's files, from its shapes; heads are 64 wide, the activation is quick_gelu."""

    def shape(name: str, dims: int) -> tuple[int, ...]:
        value = state.get(name)
        if not isinstance(value, Tensor) or value.ndim != dims:
            raise WeightsRefused(file, f"is missing: expected CLIP with a plain vision transformer ({NOT_READ})", name)
        return tuple(value.shape)

    def layers(prefix: str) -> int:
        found = [re.match(re.escape(prefix) + r"resblocks\.(\d{1,3})\.", name) for name in state]
        return max((int(m[1]) + 1 for m in found if m), default=0)

    width, _, _, patch = shape("visual.conv1.weight", 4)
    grid = math.isqrt(shape("visual.positional_embedding", 2)[0] - 1)
    text, embed = shape("text_projection", 2)
    length, words = shape("positional_embedding", 2)[0], shape("token_embedding.weight", 2)[0]
    return _transformers(
        embed, "quick_gelu",
        {"width": width, "layers": layers("visual.transformer."), "heads": max(width // 64, 1), "side": grid * patch,
         "patch": patch, "ratio": 4},
        {"width": text, "layers": layers("transformer."), "heads": max(text // 64, 1), "length": length,
         "words": words, "ratio": 4},
    )  # fmt: skip


def _transformers(embed: int, act: str, vision: dict[str, Any], text: dict[str, Any]) -> dict[str, Any]:
    """The sizes of both towers -> transformers' configuration."""

    def tower(sizes: dict[str, Any]) -> dict[str, Any]:
        return {
            "hidden_size": sizes["width"], "intermediate_size": int(sizes["width"] * sizes["ratio"]),
            "num_hidden_layers": sizes["layers"], "num_attention_heads": sizes["heads"], "hidden_act": act,
            "projection_dim": embed,
        }  # fmt: skip

    words = text["words"]
    return {
        "projection_dim": embed,
        "vision_config": tower(vision) | {"image_size": vision["side"], "patch_size": vision["patch"]},
        "text_config": tower(text) | {
            "max_position_embeddings": text["length"], "vocab_size": words, "bos_token_id": words - 2,
            "eos_token_id": words - 1, "pad_token_id": words - 1,
        },
    }  # fmt: skip
