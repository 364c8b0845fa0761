"""Pictures in words: bred phrases beat the vocabulary's, and a picture of a run says what it was made for."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.generators.choose import make_generator
from zeuxis.pictures.grid import to_pixels
from zeuxis.spaces import Categorical
from zeuxis.tools import describe as words


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def shoe(tmp_path_factory):
    """A picture that `pocket-products` draws for the label "red heels"."""
    generator = make_generator("pocket-products", classes=("red heels",))
    x = generator.space.sample(1, torch.Generator().manual_seed(3))
    path = tmp_path_factory.mktemp("shoe") / "shoe.png"
    Image.fromarray(to_pixels(generator.render(x))[0]).save(path)
    return path


def test_the_vocabulary_names_what_the_picture_shows_and_bred_phrases_score_more(shoe):
    found = words.describe(shoe, generations=8, population=32, top=5)
    assert found.scorer == "pocket-64" and found.held_out == "pocket"
    assert {"heels", "sandals", "flats"} & {row.phrase for row in found.said}
    assert found.bred[0].score >= found.said[0].score and found.tried > 32
    assert any("red" in row.phrase or "pink" in row.phrase or "maroon" in row.phrase for row in found.bred)
    assert found.said[0].score < found.ceiling <= 1 and not found.origin
    scores = [row.score for row in found.bred]
    assert scores == sorted(scores, reverse=True) and len({row.phrase for row in found.bred}) == len(scores)
    assert found == words.describe(shoe, generations=8, population=32, top=5)


def test_deviations_are_those_of_the_vocabulary(shoe):
    found = words.describe(shoe, generations=0, population=4, top=2000)
    above = np.array([row.above for row in found.said])
    assert len(above) == found.phrases and abs(above.mean()) < 1e-3 and abs(above.std() - 1) < 1e-2


def test_a_picture_of_a_run_says_what_it_was_made_for_and_its_label():
    options = ("--generator", "pocket-products", "--class", "red heels", "--seeds", "4", "--each", "--out", "s.png")
    assert zeuxis_("sample", *options).exit_code == 0
    result = zeuxis_("describe", "s/seed0004.png", "--generations", "1", "--population", "8", "--top", "2")
    assert result.exit_code == 0, result.output
    assert "made for    seed 4" in result.output and "drawn by    pocket-products, seed 4" in result.output
    assert "red heels" in result.output.partition("its latent")[2].splitlines()[0]
    assert "ceiling 0." in result.output


def test_a_scorer_without_embeddings_is_asked_phrase_by_phrase():
    Image.new("RGB", (40, 30), (220, 20, 20)).save("red.png")
    result = words.describe("red.png", "toy", generations=5, population=16, top=3)
    assert "red" in result.bred[0].phrase and np.isnan(result.ceiling)
    assert all(np.isfinite(row.score) for row in (*result.said, *result.bred))
    told = zeuxis_("describe", "red.png", "--scorer", "toy", "--generations", "2", "--population", "8")
    assert told.exit_code == 0 and "ceiling" not in told.output


def test_choices_are_genes_that_any_search_can_breed():
    space = Categorical((("a", "b"), ("", "c", "d"), tuple("efghij")))
    x = space.sample(6000, torch.Generator().manual_seed(0))
    chosen = space.decode(x)
    for place, size in enumerate((2, 3, 6)):
        assert torch.bincount(chosen[:, place], minlength=size).float().div(6000).sub(1 / size).abs().max() < 0.02
    assert torch.equal(space.decode(space.encode(chosen)), chosen)
    assert space.decode(torch.tensor([[1.0, 0.0, 0.999]])).tolist() == [[1, 0, 5]]
    assert space.describe(torch.tensor([0.9, 0.0, 0.9])) == "b, j"
    assert torch.allclose(x.mean(0), space.prior_mean, atol=0.02) and torch.allclose(
        x.std(0), space.prior_std, atol=0.02
    )


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (("{}", "", "", "truck", ""), "a truck"),
        (("a photo of {}", "old", "orange", "truck", "on grass"), "a photo of an old orange truck on grass"),
        (("{}", "", "red", "flip flops", ""), "red flip flops"),
    ],
)
def test_a_sentence_is_put_together_in_english(chosen, said):
    assert words.sentence(chosen) == said


def test_every_word_of_the_vocabulary_is_one():
    assert len(words.nouns()) > 1000 and "alces alces" not in words.nouns() and "tabby cat" in words.nouns()
