"""Forged diffusion folders are refused in one sentence. Small networks stand in for those of diffusers."""

import json
import os
import pickle
import struct
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

pytest.importorskip("transformers", reason="needs the extra `clip`")
import transformers

from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.generators.choose import check_generator, make_generator
from zeuxis.rng import stream

WEIGHTS = "diffusion_pytorch_model.safetensors"


class Net(nn.Module):
    """Keeps its settings as networks of diffusers do."""

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Denoiser(Net):
    def __init__(self, sample_size=4, in_channels=4, width=8, layers=1, addition_embed_type=None, slow=None):
        super().__init__()
        self.config = SimpleNamespace(
            sample_size=sample_size, in_channels=in_channels, addition_embed_type=addition_embed_type
        )
        self.slow = slow
        self.first = nn.Conv2d(in_channels, width, 1)
        self.rest = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(layers))
        self.words = nn.Linear(8, width)
        self.last = nn.Conv2d(width, in_channels, 1)

    def forward(self, z, time, encoder_hidden_states):
        if self.slow:
            raise ValueError("class_labels should be given")
        h = self.first(z) + self.words(encoder_hidden_states).mean(dim=1)[:, :, None, None]
        for layer in self.rest:
            h = layer(h)
        return SimpleNamespace(sample=self.last(h))


class Decoder(Net):
    def __init__(self, block_out_channels=(4, 4), scaling_factor=0.5, shift_factor=None, out_channels=3):
        super().__init__()
        self.config = SimpleNamespace(
            block_out_channels=block_out_channels, scaling_factor=scaling_factor, shift_factor=shift_factor
        )
        self.up = nn.ConvTranspose2d(4, out_channels, 2, 2)

    def decode(self, z):
        return SimpleNamespace(sample=self.up(z))


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", SimpleNamespace(UNet2DConditionModel=Denoiser, AutoencoderKL=Decoder))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "tiny"
    words = transformers.CLIPTextConfig(
        vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=6, bos_token_id=2, eos_token_id=3, projection_dim=8,
    )  # fmt: skip
    tables = {"a": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    files = {
        "unet/config.json": {"sample_size": 4, "in_channels": 4, "_class_name": "Mine", "auto_map": {"a": "my.Net"}},
        "vae/config.json": {"block_out_channels": [4, 4], "scaling_factor": 0.5},
        "text_encoder/config.json": words.to_dict(),
        "scheduler/scheduler_config.json": {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"},
        "tokenizer/vocab.json": tables,
        "model_index.json": {"_class_name": ["pipeline", "Mine"], "unet": ["os", "system"]},
    }
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(json.dumps(content))
    (path / "tokenizer/merges.txt").write_text("#version: 0.2\n")
    (path / "pipeline.py").write_text("raise SystemExit('run')")
    save_file(Denoiser().state_dict(), path / "unet" / WEIGHTS)
    save_file(Decoder().state_dict(), path / "vae" / WEIGHTS)
    save_file(transformers.CLIPTextModel(words).state_dict(), path / "text_encoder/model.safetensors")
    return path


@torch.no_grad()
def drawn(path):
    check_generator(str(path))
    generator = make_generator(str(path), text="a")
    return generator.render(generator.space.sample(2, stream(0)))


def test_a_whole_folder_draws_and_runs_none_of_its_programs(folder):
    assert drawn(folder).shape == (2, 3, 8, 8)


class Payload:
    def __reduce__(self):
        return exec, ("raise SystemExit('run')",)


def say(file, **changed):
    return lambda path: (path / file).write_text(json.dumps(json.loads((path / file).read_text()) | changed))


def tensors(file, change):
    def changed(path):
        state = load_file(path / file)
        change(state)
        save_file(state, path / file)

    return changed


def header(file, change):
    def changed(path):
        data = (path / file).read_bytes()
        end = 8 + struct.unpack("<Q", data[:8])[0]
        found = json.loads(data[8:end])
        change(found, next(name for name in found if name != "__metadata__"))
        told = json.dumps(found).encode()
        (path / file).write_bytes(struct.pack("<Q", len(told)) + told + data[end:])

    return changed


def replaced(file, how):
    def changed(path):
        (path / file).unlink()
        how(path / file)

    return changed


def grown(path):
    with path.open("ab") as file:
        file.truncate(2**36)


UNET, VAE, WORDS = f"unet/{WEIGHTS}", f"vae/{WEIGHTS}", "text_encoder/model.safetensors"
LEVELS = "scheduler/scheduler_config.json"
TOKENS, PLAIN = "tokenizer/vocab.json", "tokenizer/tokenizer_config.json"
FORGED = {
    "a pickle in its place": (lambda p: (p / UNET).write_bytes(pickle.dumps(Payload())), "it asks to run"),
    "only a pickle": (lambda p: (p / UNET).rename(p / "unet/diffusion_pytorch_model.bin"), "only safetensors are read"),
    "a list": (lambda p: (p / UNET).write_bytes(pickle.dumps([1], 2)), "holds a list"),
    "numbers": (lambda p: (p / VAE).write_bytes(pickle.dumps({"up.bias": 3}, 2)), "is a int, expected a tensor"),
    "NaN": (tensors(UNET, lambda s: s["first.bias"].fill_(float("nan"))), "NaN"),
    "one too many": (tensors(UNET, lambda s: s.update(more=torch.ones(1))), "more: is not expected"),
    "one too few": (tensors(WORDS, lambda s: s.popitem()), "is missing"),
    "a number too large": (say("unet/config.json", sample_size=10**9), "up to 2,097,152"),
    "no number": (say("unet/config.json", sample_size=float("nan")), "NaN is no number"),
    "no numbers of a phrase": (tensors(WORDS, lambda s: [v.fill_(3e38) for v in s.values()]), "NaN or infinite"),
    "overlapping": (header(UNET, lambda h, k: [v.update(data_offsets=[0, 16]) for v in h.values()]), "safetensors"),
    "a huge shape": (header(UNET, lambda h, k: h[k].update(shape=[10**6, 10**6])), "safetensors"),
    "beyond the end": (header(VAE, lambda h, k: h[k].update(data_offsets=[0, 10**9])), "safetensors"),
    "64 GiB of nothing": (lambda p: grown(p / UNET), "safetensors"),
    "64 GiB of tokens": (lambda p: grown(p / TOKENS), "68,719,476,736 bytes"),
    "a huge network": (say("unet/config.json", width=10**6), "has shape"),
    "a deep network": (say("unet/config.json", layers=10**6), "far more layers"),
    "huge words": (say("text_encoder/config.json", hidden_size=10**6, num_attention_heads=1), "has shape"),
    "huge noise": (say("unet/config.json", sample_size=4096), "at most 65,536 genes"),
    "no size": (say("unet/config.json", sample_size="x"), "Expected sample_size from 1"),
    "classes": (say("unet/config.json", slow=True), "draw no picture together: class_labels"),
    "grey": (say("vae/config.json", out_channels=1), "has shape"),
    "another side": (say("vae/config.json", block_out_channels=[4, 4, 4]), "draw no picture together"),
    "scale 0": (say("vae/config.json", scaling_factor=0), "scales noise by 0"),
    "scale of words": (say("vae/config.json", scaling_factor="x"), "scales noise by 'x'"),
    "shifted": (say("vae/config.json", shift_factor=0.1), "shifts its noise"),
    "not a dictionary": (lambda p: (p / "vae/config.json").write_text("[1]"), "is a list"),
    "deep JSON": (lambda p: (p / "vae/config.json").write_text('{"a":' * 9999 + "1" + "}" * 9999), "is no JSON"),
    "9,999 settings": (say("unet/config.json", **dict.fromkeys(map(str, range(9_999)))), "at most 1,000 settings"),
    "no settings of words": (lambda p: (p / "text_encoder/config.json").unlink(), "has no text_encoder/config.json"),
    "no levels": (lambda p: (p / LEVELS).unlink(), "is missing"),
    "flow": (lambda p: (p / LEVELS).write_text('{"_class_name": "FlowMatchEuler"}'), "says nothing about"),
    "levels of 0": (say(LEVELS, beta_start=1e-300, beta_end=1e-300), "levels of 0 or without end"),
    "levels without end": (say(LEVELS, beta_start=0.9, beta_end=0.95), "levels of 0 or without end"),
    "other levels": (say(LEVELS, trained_betas=[0.1]), "not read"),
    "no tokens": (lambda p: (p / TOKENS).unlink(), "holds no tokenizer"),
    "tokens beyond the network": (lambda p: (p / TOKENS).write_text(
        json.dumps({"a": 0, "a</w>": 9, "<|startoftext|>": 2, "<|endoftext|>": 3})), "more tokens than the 4"),
    "no padding": (lambda p: (p / PLAIN).write_text('{"pad_token": null}'), "holds no tokenizer that"),
    "a pipe": (replaced("vae/config.json", os.mkfifo), "a weight file|no config.json|found none"),
    "a pipe of weights": (replaced(UNET, os.mkfifo), "has no unet/"),
    "a link to nothing": (replaced(WORDS, lambda p: p.symlink_to("/dev/null")), "has no text_encoder/"),
    "a link to memory": (replaced(LEVELS, lambda p: p.symlink_to("/proc/self/mem")), "scheduler_config.json"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_is_refused_in_a_sentence(folder, name):
    change, reason = FORGED[name]
    change(folder)
    with pytest.raises(ZeuxisError, match=reason) as refused:
        drawn(folder)
    assert len(str(refused.value)) < 500 and "\n" not in str(refused.value)


def test_another_size_is_bounded(folder):
    for size in (-1, 2049, 10**9):
        with pytest.raises(BadInput):
            make_generator(str(folder), size=size)


def test_only_what_is_read_has_a_say_in_the_hash(folder):
    before = make_generator(str(folder), text="a").sha256
    (folder / "unet/other.safetensors").touch()
    grown(folder / "unet/other.safetensors")
    os.mkfifo(folder / "tokenizer/more.json")
    assert make_generator(str(folder), text="a").sha256 == before
    (folder / "tokenizer/tokenizer_config.json").write_text("{}")
    assert make_generator(str(folder), text="a").sha256 != before


def test_published_names_of_the_phrase_are_read(folder):
    """Files of before transformers 5, as all published ones are, have a name more in front."""
    before = drawn(folder)
    state = {f"text_model.{name}": value for name, value in load_file(folder / WORDS).items()}
    save_file(state, folder / WORDS)
    assert torch.equal(drawn(folder), before)
