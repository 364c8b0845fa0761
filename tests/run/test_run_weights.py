"""Runs, pictures and banks name their weights by SHA-256: a rewritten header changes the digest, not the weights."""

import pytest
from run_helpers import fingerprint, generate, resume, toy_config

from zeuxis.errors import BadInput
from zeuxis.generators.toy import ToyGenerator
from zeuxis.hub import pocket
from zeuxis.run import RunFolder
from zeuxis.run.record import other_models, same_models
from zeuxis.scorers import classifier
from zeuxis.scorers import pocket as pocket_scorer
from zeuxis.scorers.bank import bank_folder
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.tools.replay import replay

MODELS = {"scorer": ("pocket", "pocket-second"), "judge": "pocket"}


def config(generations):
    return toy_config(generations=generations, **MODELS).model_dump()


@pytest.fixture
def earlier(monkeypatch, tmp_path):
    """A run of before the headers were rewritten: its records name the digests of then."""
    with monkeypatch.context() as then:
        for module in (pocket_scorer, classifier):
            digest = module.file_sha256
            then.setattr(module, "file_sha256", lambda path, digest=digest: pocket.SAME_WEIGHTS[digest(path)])
        generate(out=tmp_path / "run", **config(2))
    return tmp_path / "run"


def test_a_run_that_names_the_earlier_digests_goes_on_as_if_unbroken(earlier, tmp_path):
    named = [model["sha256"] for model in RunFolder(earlier).record["models"]["scorers"]]
    assert set(named) <= set(pocket.SAME_WEIGHTS.values())
    resume(earlier, generations=4)
    generate(out=tmp_path / "whole", **config(4))
    logs = [
        {name: d for name, d in fingerprint(f).items() if name.startswith("log")} for f in (earlier, tmp_path / "whole")
    ]
    assert logs[0] == logs[1]
    assert [model["sha256"] for model in RunFolder(earlier).record["models"]["scorers"]] == named


def test_other_weights_are_still_refused(earlier, monkeypatch):
    monkeypatch.setattr(pocket, "SAME_WEIGHTS", {})
    with pytest.raises(BadInput, match="other weights"):
        resume(earlier, generations=4)


def test_a_picture_that_names_an_earlier_digest_is_drawn_again(tmp_path, monkeypatch):
    generate(out=tmp_path / "run", **toy_config().model_dump())
    new = "f" * 64
    monkeypatch.setattr(pocket, "SAME_WEIGHTS", {new: ToyGenerator.sha256})
    monkeypatch.setattr(ToyGenerator, "sha256", new)
    assert replay(tmp_path / "run" / "images" / "best.png").agrees
    monkeypatch.setattr(pocket, "SAME_WEIGHTS", {})
    with pytest.raises(BadInput, match="with weights"):
        replay(tmp_path / "run" / "images" / "best.png")


def test_what_differs_is_named():
    one = {
        "generator": {"name": "a", "sha256": "1" * 64},
        "scorers": [{"name": "s", "sha256": "2" * 64}],
        "judge": None,
    }
    other = one | {"generator": {"name": "a", "sha256": "3" * 64}, "scorers": []}
    assert other_models(one, one) == "in another order"
    assert other_models(one, other) == "generator 'a' 111111111 -> 333333333, scorer 1 's' 222222222 -> none"
    assert other_models(one, one | {"judge": {"name": "j", "sha256": "4" * 64}}) == "judge 'j' none -> 444444444"


def test_a_bank_is_found_by_its_weights_whatever_their_header(monkeypatch):
    generator, scorer = ToyGenerator(), PocketScorer()
    place = bank_folder(generator, scorer, {})
    scorer.sha256 = pocket.first_sha256(scorer.sha256)
    assert bank_folder(generator, scorer, {}) == place
    scorer.sha256 = "0" * 64
    assert bank_folder(generator, scorer, {}) != place


def test_records_of_models_are_compared_part_by_part():
    new, old = next(iter(pocket.SAME_WEIGHTS.items()))
    record = {"generator": {"name": "toy", "sha256": new}, "scorers": [{"sha256": new, "weight": 1.0}], "judge": None}
    other = {"generator": {"name": "toy", "sha256": old}, "scorers": [{"sha256": old, "weight": 1.0}], "judge": None}
    assert same_models(record, other) and same_models(other, record)
    for wrong in (
        other | {"judge": {"sha256": old}},
        other | {"scorers": []},
        other | {"scorers": [{"sha256": old, "weight": 0.5}]},
        other | {"generator": {"name": "toy", "sha256": "0" * 64}},
        {"generator": other["generator"]},
    ):
        assert not same_models(record, wrong) and not same_models(wrong, record)
