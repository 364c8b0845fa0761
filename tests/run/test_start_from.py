"""Runs that start from saved pictures."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.generators.choose import make_generator
from zeuxis.pictures.metadata import read_metadata
from zeuxis.prompts import start
from zeuxis.rng import stream
from zeuxis.run import RunFolder
from zeuxis.spaces import Normal

RUN = ("a red disc", "--population", "8", "--generations", "2", "--precision", "fp32", "--seed", "1", "--quiet")


def zeuxis_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert zeuxis_("sample", "--generator", "toy", "--seeds", "1-2", "--out", "s.png", "--each").exit_code == 0
    return tmp_path


def first(folder):
    return RunFolder(folder).entry(0).batch.x


@pytest.mark.parametrize("search", ["cma-ga", "ga", "de", "adam"])
def test_the_first_generation_lies_around_the_saved_picture(search):
    result = zeuxis_("generate", *RUN, "--search", search, "--scorer", "toy", "--start-from", "s/seed0001.png",
                     "--out", "run")  # fmt: skip
    assert result.exit_code == 0, result.output
    folder = RunFolder("run")
    assert folder.config.generator == "toy" and folder.config.start == "prior"
    assert any("which drew s/seed0001.png" in note for note in folder.record["notes"])
    saved = torch.tensor(read_metadata("s/seed0001.png").latent)
    x = first("run")
    assert torch.equal(x[0], saved) and len(x) >= 8
    way = (x[:8] - saved).norm(dim=1)
    assert float(way[1]) < 0.3 * float(saved.norm()) and float(way[1]) < float(way[7])
    assert "saved picture" in zeuxis_("show", "run").output


def test_steps_around_a_latent_keep_the_law_of_the_prior():
    space = Normal(50)
    saved = space.sample(200, stream(1))
    x = start.around(saved, space, 4000, stream(2))[200:]
    assert float(x.square().mean()) == pytest.approx(1, abs=0.02) and float(x.mean()) == pytest.approx(0, abs=0.01)


def test_several_pictures_share_the_first_generation():
    result = zeuxis_("generate", *RUN, "--scorer", "toy", "--start-from", "s/seed0001.png", "--start-from",
                     "s/seed0002.png", "--out", "run")  # fmt: skip
    assert result.exit_code == 0, result.output
    for row, seed in enumerate((1, 2)):
        saved = torch.tensor(read_metadata(f"s/seed000{seed}.png").latent)
        assert torch.equal(first("run")[row], saved)


def test_a_bred_picture_is_a_start_and_the_run_goes_on_without_its_file():
    assert zeuxis_("generate", *RUN, "--config", "toy-ga", "--out", "one").exit_code == 0
    shutil.copy("one/images/best.png", "start.png")
    words = ("generate", *RUN, "--scorer", "toy", "--start-from", "start.png", "--out", "two")
    assert zeuxis_(*words).exit_code == 0
    whole = zeuxis_(*words[:-1], "three", "--generations", "4")
    assert whole.exit_code == 0
    Path("start.png").unlink()
    assert zeuxis_("resume", "two", "--generations", "4", "--quiet").exit_code == 0
    assert torch.equal(RunFolder("two").entry(4).batch.x, RunFolder("three").entry(4).batch.x)


def test_a_resume_keeps_what_it_took_over_whatever_lies_at_the_place_of_the_picture():
    few = ("--population", "4", "--generations", "0", "--augment", "0", "--precision", "fp32", "--seed", "1", "--quiet")
    for phrase, out in (("a dog", "dog"), ("a cat", "cats")):
        more = ("--generator", "pocket", *(() if out == "dog" else ("--search", "cma-ga", "--start", "prior")))
        assert zeuxis_("generate", phrase, *few, *more, "--out", out).exit_code == 0
    shutil.copy("cats/images/best.png", "start.png")
    assert zeuxis_("generate", "a cat", *few, "--start-from", "start.png", "--out", "run").exit_code == 0
    shutil.copy("dog/images/best.png", "start.png")  # of dogs alone, truncated
    assert zeuxis_("resume", "run", "--generations", "2", "--quiet").exit_code == 0
    assert RunFolder("run").config.classes == ()
    assert zeuxis_("replay", "run/images/best.png").exit_code == 0


def test_styles_are_taken_over_with_the_picture():
    options = ("--generator", "pocket-products", "--space", "w+", "--seeds", "3", "--each", "--out", "p.png")
    assert zeuxis_("sample", *options).exit_code == 0
    result = zeuxis_("generate", "a red shoe", "--start-from", "p/seed0003.png", "--dry-run")
    told = json.loads(result.output[result.output.index("{") :])
    assert (told["generator"], told["space"], told["scorer"]) == ("pocket-products", "w+", ["pocket-64"])
    named = ("--generator", "pocket-products", "--scorer", "pocket-64", "--judge", "none", "--search", "ga")
    result = zeuxis_(
        "generate", "a red shoe", "--start-from", "p/seed0003.png", *named, "--start", "prior", "--dry-run"
    )
    assert (
        json.loads(result.output[result.output.index("{") :])["space"] == "w+"
    )  # also where nothing is left to choose


def test_what_cannot_be_a_start_is_said_in_a_sentence():
    Path("photo.png").write_bytes(Path("s.png").read_bytes())
    for words, said in (
        (("--start-from", "photo.png"), "made a start by: zeuxis project PHOTO"),
        (("--start-from", "nowhere.png"), "Cannot start from it"),
        (("--start-from", "s/seed0001.png", "--generator", "pocket", "--judge", "none"), "drawn by 'toy'"),
        (("--start-from", "s/seed0001.png", "--start", "sweep"), "Leave one out"),
        (("--start-from", "s/seed0001.png", "--start-images", "9"), "Leave one out"),
        (("--start-from", "s/seed0001.png", "--start-from", "s/seed0002.png", "--population", "1"), "at most 1"),
    ):
        result = zeuxis_("generate", *RUN, "--scorer", "toy", *words, "--out", "run")
        assert result.exit_code == 2 and said in result.output, (words, result.output)
        assert not Path("run").exists()


def test_damaged_latents_in_a_record_are_said():
    generator = make_generator("toy")
    for latents in (["!"], ["AAAA"], ["AAAAAAAAAAAAAAAAAAAA"]):
        with pytest.raises(start.RunDamaged, match=r"run\.json starts from latents"):
            start._known({"latents": latents}, generator)
