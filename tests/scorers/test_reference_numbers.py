"""`zeuxis models verify --numeric`: a model that computes what was published, one that does not, and one without."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.hub import cache, catalogue
from zeuxis.scorers import reference
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.scorers.reference import REFERENCES, Check, _published

FIXTURES = Path(__file__).parent.parent / "fixtures"
CLIP, RESNET = FIXTURES / "clip_vit_quickgelu", FIXTURES / "resnet_hf_bottleneck"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))


def verify(*words):
    return CliRunner().invoke(app, ["models", "verify", "--numeric", *map(str, words)])


def text_check(shift=0.0):
    """Two sentences before normalisation, as transformers' own network has them."""
    from transformers import CLIPModel

    scorer, texts = make_scorer(str(CLIP / "hf")), json.loads((CLIP / "texts.json").read_text())[:2]
    tokens = scorer.tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    with torch.no_grad():
        read = CLIPModel.from_pretrained(CLIP / "hf").eval().get_text_features(**tokens)
    return Check("texts", (getattr(read, "pooler_output", read)[:, :5] + shift).tolist(), 1e-4, texts)


@pytest.fixture
def numbers(monkeypatch):
    """Published numbers of the small CLIP: its reference implementation's."""
    pytest.importorskip("transformers", reason="needs the extra `clip`")

    def publish(*checks):
        monkeypatch.setitem(reference.REFERENCES, "clip-vit-b-32", checks)

    return publish


def test_a_file_that_computes_what_was_published(numbers, tmp_path):
    from transformers import CLIPModel

    net = CLIPModel.from_pretrained(CLIP / "hf").eval()
    size = net.config.vision_config.image_size
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "drawn.png")
    scorer = make_scorer(str(CLIP / "hf"))
    shown = scorer.preprocess(torch.from_numpy(picture).permute(2, 0, 1)[None])
    with torch.no_grad():
        tokens = scorer.tokenizer(["a cat"], padding="max_length", max_length=77, return_tensors="pt")
        pixels = torch.cat([torch.full((1, 3, size, size), v) for v in (0.25, 0.75)])
        logits = net(**tokens, pixel_values=pixels).logits_per_image
        seen = net.get_image_features(pixel_values=shown)
        seen = getattr(seen, "pooler_output", seen)
    numbers(
        text_check(), Check("logits", logits.tolist(), 1e-3, ("a cat",), (0.25, 0.75)),
        Check("picture", seen[:, 2:6].tolist(), 1e-4, picture="drawn.png", start=2),
    )  # fmt: skip
    result = verify("clip-vit-b-32", "--file", CLIP / "hf")
    assert result.exit_code == 0, result.output
    assert result.output.count("as published") == 2 and "not compared; give it with --picture" in result.output
    result = verify("clip-vit-b-32", "--file", CLIP / "hf", "--picture", tmp_path / "drawn.png")
    assert result.exit_code == 0 and result.output.count("as published") == 3


def test_other_numbers_are_said_in_one_sentence_with_an_exit_code(numbers, tmp_path):
    numbers(text_check(0.01))
    result = verify("clip-vit-b-32", "--file", CLIP / "hf")
    assert result.exit_code == 2 and "0.01 apart, 0.0001 is allowed" in result.output
    numbers(text_check())
    shutil.copytree(CLIP / "hf", tmp_path / "other")
    config = json.loads((tmp_path / "other/config.json").read_text())
    config["text_config"]["hidden_act"] = "gelu"  # the usual mistake: nothing else would notice
    (tmp_path / "other/config.json").write_text(json.dumps(config))
    assert verify("clip-vit-b-32", "--file", tmp_path / "other").exit_code == 2


@torch.no_grad()
def test_a_classifier_is_compared_by_its_outputs(monkeypatch):
    net = make_judge(str(RESNET)).net
    size = make_judge(str(RESNET)).size
    wanted = net(torch.full((1, 3, size, size), 0.5))[:, :3]
    monkeypatch.setitem(reference.REFERENCES, "resnet-50", (Check("classes", wanted.tolist(), 1e-4, pixels=(0.5,)),))
    assert verify("resnet-50", "--file", RESNET).exit_code == 0
    monkeypatch.setitem(
        reference.REFERENCES, "resnet-50", (Check("classes", (wanted + 1).tolist(), 1e-4, pixels=(0.5,)),)
    )
    assert verify("resnet-50", "--file", RESNET).exit_code == 2
    monkeypatch.setitem(reference.REFERENCES, "resnet-50", (Check("classes", ((float("nan"),),), 1.0, pixels=(0.5,)),))
    assert verify("resnet-50", "--file", RESNET).exit_code == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 3, "zeuxis models pull"),
        (("clip-vit-b-32",), 3, "zeuxis models pull clip-vit-b-32"),
        (("biggan-deep-256",), 2, "No numbers are published"),
        (("--file", "x.pt"), 2, "one name"),
        (("clip-vit-b-32", "--file", "x.pt"), 3, "found none"),
    ],
)
def test_what_cannot_be_compared_is_said(words, code, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    result = verify(*words)
    assert result.exit_code == code and said in result.output, result.output
    hashed = CliRunner().invoke(app, ["models", "verify", "--file", "x.pt"])
    assert hashed.exit_code == 2 and "--numeric" in hashed.output


def test_the_published_numbers_are_whole():
    for name, checks in REFERENCES.items():
        assert name in catalogue.MODELS
        for check in checks:
            rows, published = len(check.pixels) or 1 if check.of != "texts" else len(check.texts), _published(check)
            assert len(published) == rows and (check.picture or check.pixels or check.texts)
            assert 0 < check.tolerance <= 0.2 and published.isfinite().all()


def test_whole_embeddings_are_kept_and_give_the_published_probabilities():
    texts, picture = (_published(check) for check in REFERENCES["clip-vit-b-32"][:2])
    assert texts.shape == (3, 512) and picture.shape == (1, 512)
    cosines = torch.nn.functional.normalize(picture) @ torch.nn.functional.normalize(texts).T
    assert torch.allclose((100 * cosines).softmax(1), torch.tensor([[0.99279, 0.00421, 0.00300]]), atol=5e-6)


@pytest.mark.parametrize("name", REFERENCES)
def test_the_real_weights_compute_them(name, monkeypatch):
    """Runs where the weights are."""
    monkeypatch.delenv("ZEUXIS_CACHE")
    from zeuxis.errors import Missing

    try:
        found = list(reference.compare(name))
    except Missing as error:
        pytest.skip(f"{error} ({cache.cache_folder()})")
    assert all(row.agrees for row in found)
