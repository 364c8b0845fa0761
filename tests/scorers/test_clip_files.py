"""CLIP's files as they are found: OpenAI's names, TorchScript, a separate text tower; and what they say of pictures."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from zeuxis.errors import WeightsRefused
from zeuxis.scorers import open_clip
from zeuxis.scorers.phrases import unit

pytest.importorskip("transformers", reason="needs the extra `clip`")
from zeuxis.scorers.choose import check_scorer, family_of, make_judge, make_scorer

FIXTURES = Path(__file__).parent.parent / "fixtures"
CLIP, SIGLIP, RESNET = (FIXTURES / name for name in ("clip_vit_quickgelu", "siglip_tiny_64px", "resnet_hf_bottleneck"))
STATE = torch.load(CLIP / "open_clip/open_clip_pytorch_model.bin", weights_only=True)
STATED = {"input_resolution": torch.tensor(64), "context_length": torch.tensor(77), "vocab_size": torch.tensor(555)}


def copy(source, folder):
    for path in source.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path):
    """OpenCLIP's configuration and a tokenizer, without weights."""
    copy(CLIP / "open_clip", tmp_path)
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(CLIP / "hf" / name, tmp_path)
    (tmp_path / "open_clip_pytorch_model.bin").unlink()
    return tmp_path


def is_the_reference(scorer):
    outputs = load_file(CLIP / "outputs.safetensors")
    with torch.no_grad():
        images = unit(scorer.image_features(scorer.net, outputs["pixel_values"]))
        texts = unit(scorer.read(json.loads((CLIP / "texts.json").read_text())))
    torch.testing.assert_close(images, unit(outputs["image_embeds"]), atol=1e-5, rtol=0)
    torch.testing.assert_close(texts, unit(outputs["text_embeds"]), atol=1e-5, rtol=0)


def separate(state):
    """OpenCLIP's CustomTextCLIP: the text tower under a name of its own."""
    shared = ("visual.", "logit_scale")
    return {name if name.startswith(shared) else f"text.{name}": value for name, value in state.items()}


def script(state, path):
    """A TorchScript archive with these tensors, as OpenAI's files are."""
    root = torch.nn.Module()
    for name, value in state.items():
        *way, last = name.split(".")
        node = root
        for part in way:
            if part not in node._modules:
                node.add_module(part, torch.nn.Module())
            node = node._modules[part]
        if value.ndim:
            node.register_parameter(last, torch.nn.Parameter(value))
        else:
            node.register_buffer(last, value)
    torch.jit.save(torch.jit.script(root), path)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch.save(STATE | STATED, path),
        lambda path: torch.save(STATE | {name: int(value) for name, value in STATED.items()}, path),
        lambda path: torch.save({"state_dict": {f"module.{k}": v for k, v in STATE.items()}}, path),
        lambda path: torch.save(separate(STATE) | {"text.attn_mask": torch.zeros(77, 77)}, path),
        lambda path: script(STATE | STATED, path),
    ],
    ids=["openai", "numbers", "training", "text-tower", "torchscript"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_same_network_under_other_names(write, folder):
    write(folder / "open_clip_pytorch_model.bin")
    is_the_reference(make_scorer(str(folder)))
    (folder / "open_clip_pytorch_model.bin").rename(folder / "ViT.pt")
    assert family_of(folder / "ViT.pt") == "clip"
    check_scorer(str(folder / "ViT.pt"))
    alone = make_scorer(str(folder / "ViT.pt"))
    is_the_reference(alone)
    with (folder / "ViT.pt").open("ab") as file:
        file.write(b" ")
    assert alone.sha256 != open_clip_sha256(folder)


def open_clip_sha256(folder):
    from zeuxis.scorers.folder import folder_sha256

    return folder_sha256(folder, folder / "ViT.pt")


def test_the_sizes_of_openais_files_are_read_off_their_tensors():
    def tensor(*shape):
        return torch.empty(*shape, device="meta")

    state = {
        "visual.conv1.weight": tensor(768, 3, 32, 32), "visual.positional_embedding": tensor(50, 768),
        "text_projection": tensor(512, 512), "positional_embedding": tensor(77, 512),
        "token_embedding.weight": tensor(49408, 512), "visual.transformer.resblocks.11.ln_1.weight": tensor(768),
        "transformer.resblocks.11.ln_1.weight": tensor(512),
    }  # fmt: skip
    config = open_clip._sizes(state, Path("ViT-B-32.pt"))
    vision, text = config["vision_config"], config["text_config"]
    assert (vision["image_size"], vision["patch_size"], vision["num_hidden_layers"]) == (224, 32, 12)
    assert (vision["num_attention_heads"], text["num_attention_heads"], text["vocab_size"]) == (12, 8, 49408)
    assert vision["hidden_act"] == text["hidden_act"] == "quick_gelu" and config["projection_dim"] == 512
    with pytest.raises(WeightsRefused, match="ResNets"):
        open_clip._sizes({"visual.layer1.0.conv1.weight": tensor(64, 64, 1, 1)}, Path("RN50.pt"))


def test_what_has_no_place_is_named(folder):
    torch.save(STATE | {"visual.attnpool.k_proj.weight": torch.zeros(2, 2)}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsRefused, match="not read") as error:
        make_scorer(str(folder))
    assert error.value.tensor == "visual.attnpool.k_proj.weight"


CHANGES = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2], "resample": 2}


@pytest.mark.parametrize("family", ["clip", "siglip", "open_clip", "judge"])
def test_every_family_obeys_its_folder(family, tmp_path):
    source = {"clip": CLIP / "hf", "siglip": SIGLIP, "open_clip": CLIP / "open_clip", "judge": RESNET}[family]
    copy(source, tmp_path)
    make = make_judge if family == "judge" else make_scorer
    if family == "open_clip":
        for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
            shutil.copy(CLIP / "hf" / name, tmp_path)
    plain = make(str(tmp_path)).preprocess
    if family == "open_clip":
        config = json.loads((tmp_path / "open_clip_config.json").read_text())
        told = {"mean": CHANGES["image_mean"], "std": CHANGES["image_std"], "interpolation": "bilinear"}
        config["preprocess_cfg"] = told | {"resize_mode": "squash"}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    else:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(CHANGES))
    found = make(str(tmp_path)).preprocess
    assert found.mean == (0.5, 0.4, 0.3) and found.deviation == (0.5, 0.25, 0.2) and found.filter == "bilinear"
    assert plain.mean != found.mean and plain.filter == "bicubic"
    assert found.resize == ("squash" if family in ("siglip", "open_clip") else "shortest")


def test_a_judges_names_and_pictures_are_part_of_its_conversion(tmp_path):
    copy(RESNET, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("id2label", None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    before = make_judge(str(tmp_path))
    names = {str(i): f"tree {i}" for i in range(len(before.classes))}
    (tmp_path / "config.json").write_text(json.dumps(config | {"id2label": names}))
    after = make_judge(str(tmp_path))
    assert before.classes[2] == "class 2" and after.classes[2] == "tree 2" and before.sha256 != after.sha256
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert make_judge(str(tmp_path)).classes[2] == "class 2"
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 64, "crop_size": 48, "image_mean": 0.5}))
    other = make_judge(str(tmp_path))
    assert other.size == 48 and other.preprocess.to == (64, 64) and other.preprocess.mean == (0.5, 0.5, 0.5)
