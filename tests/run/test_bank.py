"""Start banks and class sweeps: built once, grown, broken off, damaged; and the searches that start from them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from run_helpers import generate

from zeuxis.errors import BadInput, MissingModel, RunDamaged
from zeuxis.generators.pocket import Pocket
from zeuxis.generators.toy import ToyGenerator
from zeuxis.report.facts import facts
from zeuxis.rng import stream
from zeuxis.run.folder import RunFolder
from zeuxis.scorers.bank import CHUNK, Bank, all_banks, bank_folder, build_bank, open_bank
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.scorers.toy import ToyScorer
from zeuxis.spaces import ClassMix, Normal, Product, SparseMix, class_sweep


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def pocket():
    return Pocket(), PocketScorer()


def test_a_bank_scores_its_rows_as_the_scorer_scores_their_pictures(pocket):
    generator, scorer = pocket
    bank = build_bank(generator, scorer, 40, {})
    prepared = scorer.prepare(parse_prompt(("a red fire truck", "on grass:0.5"), negative=("a cat:0.3",)))
    x = torch.from_numpy(np.array(bank.latents))
    with torch.no_grad():
        expected = torch.cat([scorer.score(generator.render(piece), prepared) for piece in x.split(8)])
    score = bank.similarity(prepared)
    torch.testing.assert_close(score, expected, atol=2e-3, rtol=0)
    best = bank.best(score, 5)
    assert torch.equal(best[0], x[score.argmax()]) and len(best) == 5
    assert bank.facts["generator_sha256"] == generator.sha256 and bank.done == 40


def test_a_bank_that_grew_is_the_one_built_at_once(pocket, monkeypatch, tmp_path):
    monkeypatch.setattr("zeuxis.scorers.bank.CHUNK", 16)
    generator, scorer = pocket
    build_bank(generator, scorer, 24, {})
    grown = build_bank(generator, scorer, 40, {})
    rows = np.array(grown.latents), np.array(grown.embeddings)
    grown.check()
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "other"))
    whole = build_bank(generator, scorer, 40, {})
    assert (rows[0] == whole.latents).all() and (rows[1] == whole.embeddings).all()
    assert grown.sha256 == whole.sha256


def test_a_bank_that_was_broken_off_goes_on(pocket, monkeypatch):
    monkeypatch.setattr("zeuxis.scorers.bank.CHUNK", 16)
    generator, scorer = pocket

    def stop(done, count):
        if done == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_bank(generator, scorer, 64, {}, report=stop)
    begun = Bank(bank_folder(generator, scorer, {}))
    assert begun.done == 32 and begun.count == 64
    seen = []
    whole = build_bank(generator, scorer, 64, {}, report=lambda done, count: seen.append(done))
    assert seen == [48, 64] and whole.done == 64
    whole.check()


def test_another_option_is_another_bank(pocket):
    generator, scorer = pocket
    assert bank_folder(generator, scorer, {}) != bank_folder(generator, scorer, {"truncation": 0.5})


def test_a_missing_bank_names_the_command_that_builds_it(pocket):
    with pytest.raises(MissingModel, match="zeuxis bank build pocket"):
        open_bank(*pocket, {})


def test_a_scorer_without_embeddings_and_odd_sizes_are_refused(pocket):
    with pytest.raises(BadInput, match="image embeddings"):
        build_bank(ToyGenerator(), ToyScorer(), 20, {})
    with pytest.raises(BadInput, match="16 to"):
        build_bank(*pocket, 3, {})
    build_bank(*pocket, 32, {})
    with pytest.raises(BadInput, match="holds 32"):
        build_bank(*pocket, 16, {})


def test_damage_is_found(pocket, monkeypatch):
    monkeypatch.setattr("zeuxis.scorers.bank.CHUNK", 16)
    bank = build_bank(*pocket, 32, {})
    rows = np.load(bank.folder / "embeddings.npy", mmap_mode="r+")
    rows[3] += 1
    rows.flush()
    with pytest.raises(RunDamaged, match="Build the bank again"):
        Bank(bank.folder).check()
    (bank.folder / "latents.npy").write_bytes(b"\x80\x04nothing that numpy wrote")
    with pytest.raises(RunDamaged, match="Build the bank again"):
        Bank(bank.folder)
    (bank.folder / "bank.json").write_text(json.dumps({"format": 9}))
    with pytest.raises(RunDamaged, match=r"bank\.json"):
        all_banks()


def test_a_run_starts_from_the_best_of_its_bank(pocket, tmp_path):
    generator, scorer = pocket
    bank = build_bank(generator, scorer, 128, {})
    options = {"population": 8, "generations": 2, "seed": 3, "search": "ga", "precision": "fp32"}
    generate("a red fire truck", out=tmp_path / "warm", start="bank", **options)
    folder = RunFolder(tmp_path / "warm")
    best = bank.best(bank.similarity(scorer.prepare(parse_prompt(("a red fire truck",)))), 8)
    assert torch.equal(folder.latents(0), best)
    assert folder.record["start"] == {"kind": "warm", "bank_images": 128, "bank_sha256": [bank.sha256]}
    assert ("start", "warm: the best of a bank of 128 images, which are not counted") in facts(
        folder, folder.summary(), folder.history()
    )
    assert folder.history()[-1].images_so_far == 24  # the bank's own images are not counted, and said to be warm


def test_a_sweep_looks_at_every_class_once_and_counts_them(tmp_path):
    options = {"population": 8, "generations": 1, "seed": 3, "search": "ga", "precision": "fp32", "augment": 0}
    generate("a red fire truck", out=tmp_path / "sweep", start="sweep", **options)
    folder = RunFolder(tmp_path / "sweep")
    terms = len(Pocket().labels)
    assert len(folder.latents(0)) == terms and folder.history()[-1].images_so_far == terms + 8
    assert folder.record["start"]["kind"] == "cold"
    with pytest.raises(BadInput, match="no classes to sweep"):
        generate("a red disc", out=tmp_path / "toy", generator="toy", scorer="toy", judge="toy", start="sweep")


def test_sweeps_of_all_spaces_with_labels():
    embeddings = torch.randn(5, 3, generator=stream(0))
    mix = ClassMix(embeddings, tuple("abcde"))
    x = class_sweep(Product(Normal(4), mix), stream(1))
    assert x.shape == (5, 7) and torch.allclose(mix.decode(x[:, 4:]), embeddings, atol=1e-5)
    sparse = SparseMix(tuple("abcd"))
    assert torch.equal(sparse.decode(class_sweep(sparse, stream(1))).argmax(dim=1), torch.arange(4))
    assert class_sweep(Normal(3), stream(1)) is None


def test_draws_before_the_search_are_counted(tmp_path):
    options = {"generator": "toy", "scorer": "toy", "judge": "toy", "population": 8, "generations": 1, "seed": 1}
    generate("a red disc", out=tmp_path / "run", search="ga", start_images=40, **options)
    rows = RunFolder(tmp_path / "run").history()
    assert [row.images_so_far for row in rows] == [40, 48]


def test_the_mark_of_how_far_it_is_is_a_whole_number_of_micro_batches():
    assert CHUNK % 16 == 0
