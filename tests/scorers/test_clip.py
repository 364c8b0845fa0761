"""CLIP, OpenCLIP and SigLIP give the reference's embeddings; pictures are prepared as Pillow would."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.combine import Combined
from zeuxis.scorers.dual import tidy
from zeuxis.scorers.phrases import unit
from zeuxis.scorers.preprocess import resize

pytest.importorskip("transformers", reason="needs the extra `clip`")
from zeuxis.scorers.clip import ClipScorer
from zeuxis.scorers.dual import DualJudge
from zeuxis.scorers.siglip import SiglipScorer

FIXTURES = Path(__file__).parent.parent / "fixtures"
CLIP, SIGLIP = FIXTURES / "clip_vit_quickgelu", FIXTURES / "siglip_tiny_64px"
CASES = {
    "clip": (ClipScorer, CLIP / "hf", CLIP),
    "open_clip": (ClipScorer, CLIP / "open_clip", CLIP),
    "siglip": (SiglipScorer, SIGLIP, SIGLIP),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    kind, weights, folder = CASES[request.param]
    texts = json.loads((folder / "texts.json").read_text())
    return kind(weights), load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors"), texts


def pictures(inputs):
    names = ["image_32", "image_64", "image_256", "image_odd"]
    return [inputs[name].permute(2, 0, 1)[None] for name in names]  # uint8 (1, 3, H, W)


@torch.no_grad()
def test_embeddings_are_those_of_the_reference(case):
    scorer, _, outputs, texts = case
    images = unit(scorer.image_features(scorer.net, outputs["pixel_values"]))
    torch.testing.assert_close(images, unit(outputs["image_embeds"]), atol=1e-5, rtol=0)
    torch.testing.assert_close(unit(scorer.read(texts)), unit(outputs["text_embeds"]), atol=1e-5, rtol=0)
    assert (images[1:] - images[:1]).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("floats", [False, True])
def test_cosines_with_our_own_resize(case, floats):
    scorer, inputs, outputs, _ = case
    given = [picture.float() / 255 if floats else picture for picture in pictures(inputs)]
    images = torch.cat([unit(scorer.image_features(scorer.net, scorer.preprocess(picture))) for picture in given])
    torch.testing.assert_close(images @ unit(outputs["text_embeds"]).T, outputs["cosine"], atol=2e-3, rtol=0)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_pictures_are_resized_as_pillow_does(size):
    noise = np.random.default_rng(size).integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((size, size), Image.Resampling.BILINEAR)
    wanted = torch.from_numpy(np.array(picture.resize((224, 224), Image.Resampling.BICUBIC))).permute(2, 0, 1).float()
    given = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    assert (resize(given, 224, crop=True)[0].float() - wanted).abs().max() <= 2
    assert (resize(given.float() / 255, 224, crop=True)[0] * 255 - wanted).abs().max() <= 4


def test_score_is_the_cosine_and_has_a_gradient(case):
    scorer, inputs, _, _ = case
    prepared = scorer.prepare(Prompt((Phrase("a photo of a cat"),), templates=False))
    image = (pictures(inputs)[1].float() / 255).requires_grad_(True)
    score = scorer.score(image, prepared)
    text = scorer.embed_texts(["a photo of a cat"])
    torch.testing.assert_close(score, (scorer.embed_images(image) * text).sum(1))
    score.sum().backward()
    assert image.grad is not None and bool((image.grad != 0).any())


def test_reduced_precision_keeps_words_and_cosine_in_float32(case):
    scorer, inputs, _, _ = case
    prepared = scorer.prepare(Prompt((Phrase("a red bird"), Phrase("a boat", -0.5))))
    images = torch.cat([torch.nn.functional.interpolate(p.float() / 255, (64, 64)) for p in pictures(inputs)])
    full = scorer.score(images, prepared)
    scorer.set_precision(torch.bfloat16)
    reduced = scorer.score(images, prepared)
    again = scorer.prepare(Prompt((Phrase("a red bird"), Phrase("a boat", -0.5))))
    scorer.set_precision(torch.float32)
    assert reduced.dtype == torch.float32 and torch.equal(again.embeddings, prepared.embeddings)
    torch.testing.assert_close(reduced, full, atol=0.03, rtol=0)


def test_words_beyond_the_end_are_shown_or_refused(case):
    scorer, _, _, texts = case
    long = texts[-1]
    prepared = scorer.prepare(Prompt((Phrase(long),)))
    word = long.split()[0]
    assert len(prepared.notes) == 1 and "leaves out" in prepared.notes[0] and word in prepared.notes[0]
    cut = scorer.cut_words(long)
    assert 0 < len(cut) < len(long) and long.strip().endswith(cut)
    with pytest.raises(BadInput, match="Shorten the phrase"):
        scorer.prepare(Prompt((Phrase(long),), strict=True))
    assert not scorer.prepare(Prompt((Phrase("a cat"),))).notes


def test_templates_are_averaged(case):
    scorer, _, _, _ = case
    plain = scorer.prepare(Prompt((Phrase("a cat"),), templates=False)).embeddings
    many = scorer.prepare(Prompt((Phrase("a cat"),))).embeddings
    assert not torch.allclose(plain, many, atol=1e-4)
    torch.testing.assert_close(many.norm(dim=1), torch.ones(1))


def test_image_prompts_and_judges(case):
    scorer, inputs, _, _ = case
    picture = pictures(inputs)[2].float() / 255
    prepared = scorer.prepare(Prompt((Phrase(image=picture[0]),)))
    torch.testing.assert_close(scorer.score(picture, prepared), torch.ones(1), atol=1e-5, rtol=0)
    verdict = DualJudge(scorer).verdict(picture, DualJudge(scorer).prepare(Prompt((Phrase("a cat"),))))
    assert 0 <= float(verdict.score[0]) <= 1 and len(verdict.label) == 1


def test_scorers_of_several_kinds_combine():
    scorers = [ClipScorer(CLIP / "hf"), SiglipScorer(SIGLIP)]
    both = Combined(scorers, [1.0, 0.5])
    prompt, images = Prompt((Phrase("a photo of a cat"),)), torch.rand(2, 3, 48, 48)
    alone = [scorer.score(images, scorer.prepare(prompt)) for scorer in scorers]
    torch.testing.assert_close(both.score(images, both.prepare(prompt)), alone[0] + 0.5 * alone[1])


def test_the_activation_that_the_config_names_is_used(tmp_path):
    for path in (CLIP / "hf").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    for part in ("text_config", "vision_config"):
        config[part]["hidden_act"] = "gelu"
    (tmp_path / "config.json").write_text(json.dumps(config))
    outputs = load_file(CLIP / "outputs.safetensors")
    other = ClipScorer(tmp_path)
    with torch.no_grad():
        gap = (
            (unit(other.image_features(other.net, outputs["pixel_values"])) - unit(outputs["image_embeds"])).abs().max()
        )
    assert gap > 1e-4 and other.sha256 != ClipScorer(CLIP / "hf").sha256


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "nan"])
def test_weights_that_do_not_fit_are_refused(change, tmp_path):
    for path in (CLIP / "hf").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    name = "visual_projection.weight"
    if change == "missing":
        del state[name]
    elif change == "extra":
        state["more"] = torch.zeros(1)
    else:
        state[name] = torch.zeros(3, 3) if change == "shape" else torch.full_like(state[name], torch.nan)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsRefused) as error:
        ClipScorer(tmp_path)
    assert error.value.tensor == ("more" if change == "extra" else name)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("cats &amp; dogs", "cats & dogs"),
        ("&amp;lt;3 love", "<3 love"),
        ("the dog’s “house”", 'the dog\'s "house"'),
        ("cafÃ© terrace", "café terrace"),
        ("an ofﬁce", "an office"),
        ("  wide   space ", "wide space"),
        ("naïve Ångström", "naïve Ångström"),
    ],
)
def test_words_are_tidied(given, wanted):
    assert tidy(given) == wanted
