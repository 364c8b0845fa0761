"""The models that ship: small enough, documented, and good enough to notice when a weight file is the wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from zeuxis.generators.pocket import Pocket
from zeuxis.hub.model_file import read_model
from zeuxis.hub.pocket import POCKET
from zeuxis.metrics.diversity import effective_number
from zeuxis.rng import stream
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.classifier import PocketJudge
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.workflows import generate

NAMES = (
    *("generator", "products", "things", "scorer", "scorer64", "scorer_second", "judge"),
    *("mobilenet_v1", "mobilenet_v2"),
)
CPU = torch.device("cpu")
UNSEEN = {"lorry": "truck", "puppy": "dog", "jet": "airplane", "kitten": "cat", "pony": "horse", "vessel": "ship"}


@pytest.fixture(scope="module")
def generator():
    return Pocket(CPU)


@pytest.fixture(scope="module")
def classes(generator):
    return generator.words["class"]


@pytest.fixture(scope="module")
def scorer():
    return PocketScorer(CPU)


@pytest.fixture(scope="module")
def judge():
    return PocketJudge(CPU)


@pytest.fixture(scope="module")
def samples(generator, classes):
    """Sixteen prior samples of each class, and their labels."""
    z_space, mix = generator.space.spaces
    images, labels = [], []
    for label in range(len(classes)):
        rng = stream(5, label)
        terms = (generator.rows[:, 0] == label).nonzero().flatten()
        rows = terms[torch.randint(0, len(terms), (16,), generator=rng)]
        with torch.no_grad():
            images.append(generator.render(torch.cat([z_space.sample(16, rng), mix.places[rows]], 1)))
        labels += [label] * 16
    return torch.cat(images), torch.tensor(labels)


def test_all_models_together_are_small() -> None:
    assert sum(path.stat().st_size for path in POCKET.glob("*.safetensors")) <= 60 * 2**20
    assert {path.stem for path in POCKET.glob("*.safetensors")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_weight_file_names_its_architecture(name: str) -> None:
    assert read_model(POCKET / f"{name}.safetensors").family


@pytest.mark.parametrize("name", ("generator", "scorer", "judge"))
def test_model_card_tells_data_recipe_cost_and_licence(name: str) -> None:
    card = (POCKET / f"{name}.md").read_text(encoding="utf-8").lower()
    assert all(word in card for word in ("data", "recipe", "cost", "measured", "licence", "cifar-10"))


@pytest.mark.parametrize("name", ("products", "things", "scorer64", "mobilenet_v1", "mobilenet_v2"))
def test_every_other_card_says_what_it_is_made_of_and_what_was_measured(name: str) -> None:
    card = (POCKET / f"{name}.md").read_text(encoding="utf-8").lower()
    source = "data" if name in ("products", "things", "scorer64") else "origin"
    assert all(word in card for word in (source, "measured", "licence"))


def test_cards_show_the_figures_of_the_benchmark() -> None:
    path = Path(__file__).parent.parent.parent / "benchmarks" / "results" / "pocket.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    card = (POCKET / "judge.md").read_text(encoding="utf-8")
    assert f"{100 * found['judge']['accuracy']:.2f} %" in card
    card = (POCKET / "scorer.md").read_text(encoding="utf-8")
    assert all(f"{100 * found['scorer'][key]:.1f} %" in card for key in ("zero_shot", "synonyms", "colours"))
    card = (POCKET / "generator.md").read_text(encoding="utf-8")
    for judge in ("resnet20", "resnet32"):
        assert f"{100 * found['generator'][f'recognised_{judge}']:.1f} %" in card
    assert all(f"{100 * found['bred'][key]['mean']:.1f} %" in card for key in ("resnet20", "resnet32"))
    card = (POCKET / "things.md").read_text(encoding="utf-8")
    assert all(f"{100 * found['things'][key]['among_160']:.1f} %" in card for key in ("real", "1", "0.6"))
    for name, file in (("pocket-products", "products"), ("pocket-things", "things")):
        distance = found["distances"][name]["samples"]["frechet"]
        assert f"| {distance:.1f}" in (POCKET / f"{file}.md").read_text(encoding="utf-8")


def test_judge_recognises_most_samples(judge, samples) -> None:
    images, labels = samples
    assert float((judge.probabilities(images).argmax(1) == labels).float().mean()) > 0.6


def test_samples_of_a_class_differ(samples) -> None:
    images, labels = samples
    assert min(effective_number(images[labels == k]) for k in range(10)) > 8  # of 16


def test_scorer_finds_the_class_of_most_samples(scorer, classes, samples) -> None:
    images, labels = samples
    words = scorer.embed_texts([f"a photo of a {name}" for name in classes])
    with torch.no_grad():
        found = (scorer.embed_images(images) @ words.T).argmax(1)
    assert float((found == labels).float().mean()) > 0.6


@pytest.mark.parametrize(("word", "name"), UNSEEN.items())
def test_words_that_never_occurred_land_near_their_neighbours(scorer, classes, word: str, name: str) -> None:
    texts = [f"a photo of a {text}" for text in (word, *classes)]
    vectors = scorer.embed_texts(texts)
    assert classes[int((vectors[1:] @ vectors[0]).argmax())] == name


def test_judge_takes_a_new_word_for_its_class_and_leaves_others(judge) -> None:
    def asked(text: str) -> int:
        return judge.prepare(Prompt((Phrase(text),))).label

    assert judge.classes[asked("a lorry")] == "truck"
    assert judge.classes[asked("two white horses")] == "horse"
    assert asked("a castle") == -1
    assert asked("a cat and a dog") == -1


def test_colour_words_order_pictures(scorer) -> None:
    red, blue = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    red[:, 0], blue[:, 2] = 0.9, 0.9
    prepared = scorer.prepare(Prompt((Phrase("a red car"),)))
    assert float(scorer.score(red, prepared)) > float(scorer.score(blue, prepared))


def test_a_bred_population_is_recognised_better_than_the_prior(tmp_path: Path) -> None:
    summary = generate("a photo of a ship", generations=12, population=32, seed=1, out=tmp_path / "run")
    assert summary.judged is not None
    assert float((torch.tensor([label == "ship" for label in summary.judged.label])).float().mean()) > 0.6


def test_description_names_terms(generator) -> None:
    x = generator.space.sample(1, stream(1, "x"))[0]
    assert generator.describe(x).startswith("100 %")
