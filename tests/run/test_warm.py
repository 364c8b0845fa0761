"""A warm start by a trained network: what it learns, what a run says of it, and whose it must be."""

from __future__ import annotations

import pytest
import torch
from run_helpers import fingerprint, run_to_the_end, toy_config
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from zeuxis.errors import BadInput, MissingModel, WeightsRefused
from zeuxis.generators.pocket import Pocket
from zeuxis.generators.toy import ToyGenerator
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.warm_start import WarmStart
from zeuxis.report.facts import start as words
from zeuxis.rng import stream
from zeuxis.run import open_session
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import check_config
from zeuxis.scorers.bank import build_bank
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.scorers.warm import fit, open_warm, phrases_of
from zeuxis.tools.winners import winners
from zeuxis.trust import named_files

FEW = ("a photo of a frog", "a red ship", "a cat on grass")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Generator, scorer, bank and a network of the bank that has hardly been trained."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ZEUXIS_CACHE", str(tmp_path_factory.mktemp("cache")))
    generator, scorer = Pocket(), PocketScorer()
    bank = build_bank(generator, scorer, 64, {})
    path = tmp_path_factory.mktemp("warm") / "warm.safetensors"
    yield generator, scorer, bank, fit(generator, scorer, {}, bank, path, steps=3, phrases=FEW)
    patch.undo()


def config(path, **changes):
    settings = {"generator": "pocket", "scorer": ("pocket",), "judge": None, "prompt": ("a frog",), "generations": 2}
    return toy_config(**settings | {"warm": str(path), "population": 8} | changes)


def test_the_density_is_that_of_a_mixture_of_normal_distributions():
    torch.manual_seed(1)
    net, e, u = WarmStart(5, 3, hidden=8, parts=2), torch.randn(4, 5), torch.randn(4, 6, 3)
    weight, mean, width = net(e)
    for row in range(4):
        oracle = MixtureSameFamily(Categorical(logits=weight[row]), Independent(Normal(mean[row], width[row]), 1))
        torch.testing.assert_close(net.log_density(e, u)[row], oracle.log_prob(u[row]), atol=1e-4, rtol=1e-4)


def test_it_learns_where_the_winners_of_a_phrase_lie(made, tmp_path):
    """Winners of one phrase all in one place, those of another far from it: draws are near the right one."""
    generator, scorer, bank, _ = made
    space = generator.space
    places = space.sample(2, stream(5))
    prompts = [parse_prompt((text,)) for text in ("a zebra", "a purple balloon")]
    found = [(prompt, place.expand(32, -1)) for prompt, place in zip(prompts, places, strict=True)]
    path = fit(generator, scorer, {}, bank, tmp_path / "w.safetensors", winners=found * 20, steps=150, phrases=FEW)
    warm, _ = open_warm(path, generator, [scorer], {})
    for row, prompt in enumerate(prompts):
        x = warm.draw(scorer.prepare(prompt), 16, space, stream(6))
        near, far = ((x - places[k]).norm(dim=1).mean() for k in (row, 1 - row))
        assert float(near) < 0.8 * float(far)


def test_phrases_are_made_of_the_labels_and_of_imagenet_without_any():
    mine, others = phrases_of(Pocket().space), phrases_of(ToyGenerator().space)
    assert {"a photo of a frog", "a photo of a ship"} <= set(mine) and len(mine) == len(others) == 1200
    assert any(text.startswith("a red ") for text in mine) and any(text.endswith(" at night") for text in mine)


def test_half_of_the_first_generation_is_warm_and_the_run_says_so(made, tmp_path):
    run_to_the_end(config(made[3]), tmp_path / "warm")
    folder = RunFolder(tmp_path / "warm")
    told = folder.record["start"]
    assert told["warm_images"] == 4 and len(told["warm_sha256"]) == 64
    assert words(told).startswith("warm: 4 latents") and words(told).endswith("cold: draws of the prior")
    warm, _ = open_warm(made[3], made[0], [made[1]], {})
    x = warm.draw(made[1].prepare(parse_prompt(("a frog",))), 4, made[0].space, stream(7, "warm"))
    assert torch.equal(folder.latents(0)[:4], x) and len(folder.latents(0)) == 8


def test_a_warm_run_goes_on_bit_for_bit_and_with_no_other_file(made, tmp_path):
    other = tmp_path / "warm.safetensors"
    other.write_bytes(made[3].read_bytes())
    run_to_the_end(config(other), tmp_path / "whole")
    with open_session(config(other), tmp_path / "broken") as session:
        next(iter(session))
    assert run_to_the_end(config(other), tmp_path / "broken") == [1, 2]
    assert fingerprint(tmp_path / "broken") == fingerprint(tmp_path / "whole")
    fit(*made[:2], {}, made[2], other, steps=1, phrases=FEW)
    with pytest.raises(BadInput, match="started with another"):
        open_session(config(other), tmp_path / "broken")


def test_it_is_refused_for_another_generator_options_or_scorer(made):
    generator, scorer, _, path = made
    with pytest.raises(BadInput, match="of the generator 'toy'"):
        open_warm(path, ToyGenerator(), [scorer], {})
    with pytest.raises(BadInput, match="Give the options that it was made with"):
        open_warm(path, generator, [scorer], {"classes": ("frog",)})
    from zeuxis.scorers.pocket import SecondPocketScorer

    with pytest.raises(BadInput, match="one of the scorers pocket-second"):
        open_warm(path, generator, [SecondPocketScorer()], {})
    assert open_warm(path, generator, [SecondPocketScorer(), scorer], {})[1] == 1


def test_other_files_and_other_starts_are_refused(made, tmp_path):
    with pytest.raises(MissingModel):
        check_config(config(tmp_path / "none.safetensors"))
    with pytest.raises(WeightsRefused, match="no warm start"):
        open_warm(pocket_path("judge"), made[0], [made[1]], {})
    with pytest.raises(BadInput, match="--warm or --start bank"):
        check_config(config(made[3], start="bank"))
    assert named_files({"warm": "w.safetensors"}) == [("warm", "w.safetensors")]  # a stranger's is asked for first


def test_runs_give_their_winners_and_others_are_refused(made, tmp_path):
    run_to_the_end(config(made[3]), tmp_path / "run")
    ((prompt, x),) = winners([tmp_path / "run"], made[0], {})
    assert prompt.title == "a frog" and torch.equal(x[0], RunFolder(tmp_path / "run").best.latent) and len(x) == 9
    run_to_the_end(toy_config(generations=0), tmp_path / "toy")
    with pytest.raises(BadInput, match="runs of the generator 'pocket'"):
        winners([tmp_path / "toy"], made[0], {})


def test_the_command_writes_the_file_beside_the_bank_and_says_where(made, monkeypatch):
    from functools import partial

    from typer.testing import CliRunner

    from zeuxis.cli.bank import app

    monkeypatch.setattr("zeuxis.scorers.warm.fit", partial(fit, steps=2, phrases=FEW))
    done = CliRunner().invoke(app, ["warm", "pocket", "--device", "cpu"])
    path = made[2].folder / "warm.safetensors"
    assert done.exit_code == 0 and done.output.strip().endswith(str(path)) and path.is_file()
    assert open_warm(path, made[0], [made[1]], {})[1] == 0
    refused = CliRunner().invoke(app, ["warm", "pocket", "--class", "frog", "--device", "cpu"])
    assert isinstance(refused.exception, MissingModel) and "zeuxis bank build pocket" in str(refused.exception)
