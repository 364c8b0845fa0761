"""OpenAI's .pt: a TorchScript archive whose weights are read and whose program is not; its tokenizer comes from beside.

The network here is written from the paper under the published names, scripted, and saved as OpenAI's files are.
"""

import copy
import gzip
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from zeuxis.errors import WeightsRefused
from zeuxis.scorers.clip_tokenizer import tables

pytest.importorskip("transformers", reason="needs the extra `clip`")
import transformers

from zeuxis.scorers.choose import check_scorer, make_scorer

HF = Path(__file__).parent.parent / "fixtures/clip_vit_quickgelu/hf"
WIDTH, TEXT, EMBED, PATCH, SIDE, LENGTH, WORDS = 128, 64, 32, 8, 32, 77, 555
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


class QuickGELU(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc, self.gelu, self.c_proj = nn.Linear(width, 4 * width), QuickGELU(), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c_proj(self.gelu(self.c_fc(x)))


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.ln_1, self.mlp, self.ln_2 = nn.LayerNorm(width), Mlp(width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.resblocks = nn.ModuleList(ResidualBlock(width) for _ in range(2))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH))
        self.positional_embedding = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, WIDTH))
        self.ln_pre, self.transformer, self.ln_post = nn.LayerNorm(WIDTH), Transformer(WIDTH), nn.LayerNorm(WIDTH)
        self.proj = nn.Parameter(torch.randn(WIDTH, EMBED) * WIDTH**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(x.shape[0], 1, -1), x], dim=1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x), torch.zeros(x.shape[1], x.shape[1]))
        return self.ln_post(x[:, 0]) @ self.proj


class Clip(nn.Module):
    """Both towers, and the sizes that OpenAI's files state."""

    def __init__(self):
        super().__init__()
        self.visual, self.transformer = Visual(), Transformer(TEXT)
        self.token_embedding = nn.Embedding(WORDS, TEXT)
        self.positional_embedding = nn.Parameter(torch.randn(LENGTH, TEXT))
        self.ln_final = nn.LayerNorm(TEXT)
        self.text_projection = nn.Parameter(torch.randn(TEXT, EMBED) * TEXT**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        for name, value in (("input_resolution", SIDE), ("context_length", LENGTH), ("vocab_size", WORDS)):
            self.register_buffer(name, torch.tensor(value))

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        length = self.positional_embedding.shape[0]
        mask = torch.full((length, length), -1e9).triu(1)
        x = self.ln_final(self.transformer(self.token_embedding(text) + self.positional_embedding, mask))
        x = x[torch.arange(x.shape[0]), text.argmax(dim=1)] @ self.text_projection
        return self.visual(image), x


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = Clip().eval()
    with torch.no_grad():
        for name, value in net.named_parameters():
            if value.ndim == 1 and "logit" not in name:
                value.add_(0.2 * torch.randn_like(value))
    return net.half().float()  # numbers that the published type, float16, holds exactly


@pytest.fixture(scope="module")
def archive(network, tmp_path_factory):
    """As published: most weights in float16, the program in it."""
    path = tmp_path_factory.mktemp("openai") / "ViT-B-32.pt"
    scripted = torch.jit.script(copy.deepcopy(network))
    scripted.half()
    torch.jit.save(scripted, path)
    return path


@pytest.fixture
def folder(archive, tmp_path):
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(HF / name, tmp_path)
    shutil.copy(archive, tmp_path)
    return tmp_path


TEXTS = ["a photo of a red bird", "the dog", "flowers on a boat in a small house, 12 trees!"]


@torch.no_grad()
def test_embeddings_are_those_of_the_program_inside(folder, network, monkeypatch):
    with zipfile.ZipFile(folder / "ViT-B-32.pt") as archive:
        assert any("/code/" in name and b"resblocks" in archive.read(name) for name in archive.namelist())
    monkeypatch.setattr(torch.jit, "load", None)
    monkeypatch.setattr(torch, "load", None)
    check_scorer(str(folder / "ViT-B-32.pt"))
    scorer = make_scorer(str(folder / "ViT-B-32.pt"))
    assert scorer.preprocess.size == SIDE and scorer.name == "ViT-B-32.pt"
    pixels = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    tokens = scorer.tokenizer(TEXTS, max_length=LENGTH, truncation=True, padding="max_length", return_tensors="pt")
    seen, said = network(pixels, tokens["input_ids"])
    torch.testing.assert_close(scorer.image_features(scorer.net, pixels), seen, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(scorer.read(TEXTS), said, atol=1e-5, rtol=1e-5)
    assert (seen[1:] - seen[:1]).abs().max() > 0.1 and (said[1:] - said[:1]).abs().max() > 0.1


@torch.no_grad()
def test_the_same_weights_in_transformers_layout_give_the_same(folder, tmp_path_factory):
    first = make_scorer(str(folder / "ViT-B-32.pt"))
    place = tmp_path_factory.mktemp("hf")
    first.net.save_pretrained(place)
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(HF / name, place)
    again = make_scorer(str(place))
    images = torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(first.embed_images(images), again.embed_images(images), atol=1e-5, rtol=0)
    torch.testing.assert_close(first.embed_texts(TEXTS), again.embed_texts(TEXTS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("change", ["missing", "shape", "nan", "resnet", "cut"])
def test_damage_is_refused(change, network, folder):
    path = folder / "ViT-B-32.pt"
    state = {name: value.clone() for name, value in network.state_dict().items()}
    if change == "missing":
        del state["visual.transformer.resblocks.1.mlp.c_fc.bias"]
    elif change == "shape":
        state["visual.proj"] = torch.zeros(WIDTH, EMBED - 1)
    elif change == "nan":
        state["ln_final.bias"][0] = torch.nan
    elif change == "resnet":
        state["visual.layer1.0.conv1.weight"] = torch.zeros(4, 4, 1, 1)
    if change == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        torch.save(state, path)
    with pytest.raises(Exception) as error:
        make_scorer(str(path))
    assert isinstance(error.value, WeightsRefused) and "\n" not in str(error.value)


# The tokenizer


def test_openais_table_of_merges_is_a_tokenizer(archive, tmp_path):
    shutil.copy(archive, tmp_path)
    merges = (HF / "merges.txt").read_text().split("\n")[1:]
    table = "\n".join(["bpe_simple_vocab_16e6.txt#version: 0.2", *filter(None, merges), "left out", ""])
    assert tables(table, WORDS)[0] == json.loads((HF / "vocab.json").read_text())
    with gzip.open(tmp_path / "bpe_simple_vocab_16e6.txt.gz", "wt", encoding="utf-8") as file:
        file.write(table)
    scorer = make_scorer(str(tmp_path / "ViT-B-32.pt"))
    wanted = transformers.CLIPTokenizer.from_pretrained(str(HF), local_files_only=True)
    assert scorer.tokenizer(TEXTS)["input_ids"] == wanted(TEXTS)["input_ids"]


NO_TABLES = {"no gzip": b"no gzip", "few": gzip.compress(b"version\na b\n"), "no text": gzip.compress(b"\xff\xfe" * 9)}


@pytest.mark.parametrize("table", NO_TABLES.values(), ids=NO_TABLES)  # gzip writes the time into what it makes
def test_a_table_that_is_none_is_refused(table, archive, tmp_path):
    shutil.copy(archive, tmp_path)
    (tmp_path / "bpe_simple_vocab_16e6.txt.gz").write_bytes(table)
    with pytest.raises(WeightsRefused, match="table of merges"):
        make_scorer(str(tmp_path / "ViT-B-32.pt"))


def test_without_any_tokenizer_the_next_step_is_said(archive, tmp_path):
    shutil.copy(archive, tmp_path)
    with pytest.raises(WeightsRefused, match="zeuxis models pull clip-vit-b-32"):
        make_scorer(str(tmp_path / "ViT-B-32.pt"))
