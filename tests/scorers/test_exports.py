"""What the lab exports is a judge or a scorer by its file: `--judge EXPORT`, `--scorer EXPORT`, and what is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from zeuxis.errors import BadInput, MissingModel, WeightsRefused
from zeuxis.hub import pocket
from zeuxis.hub.model_file import Part, read_model, tensors_of, write_model
from zeuxis.hub.pocket import POCKET
from zeuxis.nets.dual_encoder import TextTower, without_text
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.nets.trunk import TrunkClassifier
from zeuxis.rng import stream
from zeuxis.scorers.base import Judge, Phrase, Prompt, Scorer
from zeuxis.scorers.choose import check_judge, check_scorer, make_judge, make_scorer

CLASSES = ["cat", "fire_truck", "truck", "07", "größe", "猫"]
WORDS = ["[PAD]", "[UNK]", "a", "photo", "of", "red", "cat", "truck"]
ENCODER = {"joint": 8, "widths": [4, 4, 6, 6], "sentence": 12}
TOWER = {"tokens": len(WORDS), "width": 8, "layers": 1, "heads": 2, "output": 12}
PICTURES = torch.rand(3, 3, 40, 40, generator=stream(0, "pictures"))


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def part(make, facts):
    torch.manual_seed(0)
    return Part(facts, make(**facts).state_dict())


def classifier(folder, net="speedrun", **about):
    facts = {"classes": len(CLASSES), "widths": [4, 6, 8]}
    if net == "trunk":
        facts = {"classes": len(CLASSES), "terms": 2, "widths": [4, 4, 6, 6]}
    made = part(TrunkClassifier if net == "trunk" else SpeedrunNet, facts)
    return write_model(folder / f"{net}.safetensors", net, {"network": made}, about={"classes": CLASSES} | about)


def encoder(folder, text=True, **about):
    parts = {"encoder": part(without_text, ENCODER)} | ({"text": part(TextTower, TOWER)} if text else {})
    return write_model(folder / "scorer.safetensors", "dual-encoder", parts, about={"vocabulary": WORDS} | about)


def prompt(*texts):
    return Prompt(tuple(Phrase(text) for text in texts))


@pytest.mark.parametrize("net", ["speedrun", "trunk"])
def test_a_classifier_of_any_classes_is_a_judge(net, tmp_path):
    path = str(classifier(tmp_path, net))
    check_judge(path)
    judge = make_judge(path)
    assert isinstance(judge, Judge) and judge.name == f"{net}.safetensors" and judge.classes == tuple(CLASSES)
    verdict = judge.verdict(PICTURES, judge.prepare(prompt("a cat")))
    probability = judge.probabilities(PICTURES)
    assert torch.equal(verdict.score, probability[:, 0]) and set(verdict.label) <= set(CLASSES)
    assert torch.allclose(probability.sum(1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("two cats", "cat"),
        ("a fire truck on grass", "fire_truck"),  # and no truck
        ("a truck", "truck"),
        ("a handwritten 07", "07"),
        ("die Größe", "größe"),
        ("猫", "猫"),
        ("a lorry", "truck"),  # the nearest by the pocket scorer's words
        ("a cat and a truck", None),
        ("犬", None),  # no word of it is known: not even the nearest
        ("a castle", None),
        ("", None),
    ],
)
def test_a_prompt_finds_its_class(text, label, tmp_path):
    judge = make_judge(str(classifier(tmp_path)))
    asked = judge.prepare(prompt(text)).label
    assert (judge.classes[asked] if asked >= 0 else None) == label


def test_a_dual_encoder_is_a_scorer_and_a_judge(tmp_path):
    path = str(encoder(tmp_path))
    check_scorer(path)
    check_judge(path)
    scorer = make_scorer(path)
    assert isinstance(scorer, Scorer) and scorer.name == "scorer.safetensors"
    score = scorer.score(PICTURES, scorer.prepare(prompt("a red cat")))
    assert score.shape == (3,) and bool(score.isfinite().all()) and score.std() > 0
    assert scorer.prepare(prompt("a red sofa")).notes == ("The scorer.safetensors scorer does not know: sofa",)
    judge = make_judge(path)
    assert isinstance(judge, Judge) and judge.verdict(PICTURES, judge.prepare(prompt("a cat"))).score.shape == (3,)


def test_a_dual_encoder_may_borrow_the_pocket_scorers_text_tower(tmp_path):
    digest = read_model(POCKET / "scorer.safetensors").tensors_sha256["text"]
    facts = ENCODER | {"sentence": 384}
    parts = {"encoder": part(without_text, facts)}
    path = write_model(tmp_path / "own.safetensors", "dual-encoder", parts, about={"text_sha256": digest})
    check_scorer(str(path))
    scorer = make_scorer(str(path))
    kept = tensors_of(POCKET / "scorer.safetensors", "text")["tokens.weight"].float()
    assert torch.equal(scorer._net(torch.float32).text.tokens.weight, kept)
    assert scorer.score(PICTURES, scorer.prepare(prompt("a fire truck"))).shape == (3,)


@pytest.mark.parametrize("about", [{}, {"text_sha256": "0" * 64}, {"text_sha256": 3}])
def test_another_text_tower_than_it_was_trained_with_is_refused(about, tmp_path):
    path = str(encoder(tmp_path, text=False, **about))
    for use in (check_scorer, make_scorer, check_judge, make_judge):
        with pytest.raises(WeightsRefused, match="holds no text tower and was not trained with the pocket scorer's"):
            use(path)


def test_the_second_pocket_scorer_names_the_firsts_text_tower():
    first, second = (read_model(POCKET / f"{name}.safetensors") for name in ("scorer", "scorer_second"))
    assert "text" not in second.parts and second.about["text_sha256"] == first.tensors_sha256["text"]


def test_files_of_another_kind_are_named_and_refused_before_anything_is_loaded(tmp_path):
    judge, scorer = str(classifier(tmp_path)), str(encoder(tmp_path))
    text = str(write_model(tmp_path / "text.safetensors", "text-tower", {"text": part(TextTower, TOWER)}))
    for use in (check_scorer, make_scorer):
        with pytest.raises(BadInput, match=r"^speedrun\.safetensors holds a classifier \(speedrun\), which scores no"):
            use(judge)
        with pytest.raises(BadInput, match=r"^text\.safetensors holds a text tower \(text-tower\), which scores no"):
            use(text)
    for use in (check_judge, make_judge):
        with pytest.raises(BadInput, match=r"^text\.safetensors holds a text tower .* which judges no pictures\."):
            use(text)
        with pytest.raises(BadInput, match=r"^generator\.safetensors holds a generator .* which judges no pictures\."):
            use(str(POCKET / "generator.safetensors"))
        use(scorer)


def forged(path, change):
    with_header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    header = json.loads(with_header["__metadata__"]["facts"])
    change(header)
    header.pop("header_sha256", None)
    save_file(load_file(path), path, {"facts": json.dumps(header)})
    return str(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h["about"].update(classes=["cat"]), "names 1 classes for 6 outputs"),
        (lambda h: h["about"].update(classes={"cat": 1}), "no classes as a list"),
        (lambda h: h["about"].pop("classes"), "no classes as a list"),
        (lambda h: h["parts"]["network"].update(widths=[4, 6, 9]), "expected"),
        (lambda h: h["parts"]["network"].update(classes=10**9), "of something in"),
        (lambda h: h.update(family="speedrun2"), "holds a classifier"),
    ],
)
def test_a_dry_run_refuses_the_judges_that_do_not_load(change, said, tmp_path):
    path = forged(classifier(tmp_path), change)
    for use in (check_judge, make_judge):
        with pytest.raises((WeightsRefused, BadInput), match=said) as error:
            use(path)
        assert len(str(error.value)) < 400 and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h["about"].pop("vocabulary"), "no vocabulary as a list"),
        (lambda h: h["about"].update(vocabulary=[*WORDS[2:], "x", "y"]), r"without \[PAD\] and \[UNK\]"),
        (lambda h: h["about"].update(vocabulary=WORDS[:3]), "names 3 vocabulary"),
        (lambda h: h["parts"]["text"].update(heads=3), "that 3 heads can share"),
        (lambda h: h["parts"]["text"].update(layers=10**6), "of something in|Expected layers"),
        (lambda h: h["parts"]["encoder"].update(widths=[4, 4]), "the number of widths from 4 to 4"),
    ],
)
def test_a_dry_run_refuses_the_scorers_that_do_not_load(change, said, tmp_path):
    path = forged(encoder(tmp_path), change)
    for use in (check_scorer, make_scorer):
        with pytest.raises(WeightsRefused, match=said):
            use(path)


def test_a_tower_that_does_not_fit_its_head_is_refused(tmp_path):
    parts = {"encoder": part(without_text, ENCODER), "text": part(TextTower, TOWER | {"output": 10})}
    path = str(write_model(tmp_path / "odd.safetensors", "dual-encoder", parts, about={"vocabulary": WORDS}))
    for use in (check_scorer, make_scorer):
        with pytest.raises(WeightsRefused, match="vectors of 10 numbers do not fit its head of 12"):
            use(path)


def test_files_of_before_the_model_file_and_foreign_ones_are_refused(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "old.safetensors", {"facts": json.dumps({"family": "speedrun"})})
    save_file({"x": torch.zeros(2)}, tmp_path / "plain.safetensors")
    (tmp_path / "page.safetensors").write_text("<html>")
    for use in (check_judge, check_scorer, make_judge, make_scorer):
        with pytest.raises(WeightsRefused, match="nothing about format, parts: it is no model file of this version"):
            use(str(tmp_path / "old.safetensors"))
        with pytest.raises(WeightsRefused, match="no known layout"):
            use(str(tmp_path / "plain.safetensors"))
        with pytest.raises(WeightsRefused, match="is a web page"):
            use(str(tmp_path / "page.safetensors"))
        with pytest.raises(MissingModel):
            use(str(tmp_path / "none.safetensors"))


def test_digests_of_rewritten_headers_are_one(monkeypatch):
    monkeypatch.setattr(pocket, "SAME_WEIGHTS", {"b" * 64: "a" * 64, "c" * 64: "a" * 64})
    assert len({pocket.first_sha256(name * 64) for name in "abc"}) == 1
    assert pocket.first_sha256("d" * 64) == "d" * 64
