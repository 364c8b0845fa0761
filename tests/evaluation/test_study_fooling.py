"""`zeuxis evaluate fooling` on toys: resumes without repeating, refuses the guide, its tables add up."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from study_helpers import TOY, contents, evaluate, without_figures

from zeuxis.errors import BadInput
from zeuxis.evaluation.class_lists import LISTS, phrase_of, read_classes
from zeuxis.evaluation.held_out import HeldOut, Seen, check_not_guiding
from zeuxis.evaluation.realness import realness, together
from zeuxis.evaluation.recognition import accuracy, confusion, of_groups
from zeuxis.scorers.choose import make_scorer
from zeuxis.studies import breed, carry, fooling_answer
from zeuxis.studies.fooling_records import _of_class


@pytest.fixture
def classes(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("# two of the toy's\nred disc | warm\nblue  disc\n\n")
    return path


@pytest.fixture
def words(classes):
    search = ("--search", "random", "--search", "ga")
    more = ("--classes", classes, "--classifier", "toy", "--generations", "2", "--repetitions", "2")
    return ("fooling", *TOY, *search, *more)


@pytest.fixture
def counted(monkeypatch):
    """The runs that are opened, and after how many the process breaks down."""
    opened, real = [], breed.open_session

    def opening(config, folder, **more):
        if len(opened) == opening.most:
            raise SystemExit("broken down")
        opened.append(folder)
        return real(config, folder, **more)

    opening.most = 1000
    monkeypatch.setattr(breed, "open_session", opening)
    return opened, opening


@pytest.fixture
def no_figures(monkeypatch):
    without_figures(monkeypatch, fooling_answer)


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_from_nothing_to_a_page_and_again(words, tmp_path, counted):
    result = evaluate(*words, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    folder, opened = tmp_path / "out", counted[0]
    assert len(opened) == 8 and (folder / "runs/ga").is_dir()
    pictures = table(folder / "pictures.csv")
    assert len(pictures) == 2 * 2 * 2 * 4
    lines = {(r["search"], r["class"]): r for r in table(folder / "classes.csv")}
    for (search, name), line in lines.items():
        mine = [p for p in pictures if p["search"] == search and name in ("", p["class"])]
        right = sum(p["right"] == "True" for p in mine)
        assert (int(line["positive"]), int(line["negative"])) == (right, len(mine) - right)
        assert float(line["low"]) < float(line["accuracy"]) + 1e-9
        assert line["why"] in ("no real pictures given", "mean of the classes")
    record = json.loads((folder / "evaluation.json").read_text())
    assert record["finished"] and record["seeds"] == [0, 1] and "--repetitions 2" in record["command"]
    before = contents(folder)
    again = evaluate(*words, "--out", folder)
    assert again.exit_code == 0 and "finished before" in again.output and "total" in again.output
    assert contents(folder) == before and len(opened) == 8


def test_broken_off_and_taken_up_repeats_nothing_and_says_the_same(words, tmp_path, counted, no_figures):
    opened, opening = counted
    assert evaluate(*words, "--out", tmp_path / "whole").exit_code == 0
    opened.clear()
    opening.most = 3
    assert evaluate(*words, "--out", tmp_path / "out").exit_code != 0
    opening.most = 1000
    assert evaluate(*words, "--out", tmp_path / "out").exit_code == 0
    assert len(opened) == 8 == len(set(opened))
    for name in ("pictures.csv", "classes.csv", "confusion.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert evaluate(*words, "--repetitions", "3", "--out", tmp_path / "out").exit_code == 0
    assert len(opened) == 12  # only those of the third seed
    for fewer in ("1", "2"):
        assert evaluate(*words, "--repetitions", fewer, "--out", tmp_path / "out").exit_code == 0
    assert len(opened) == 12
    assert (tmp_path / "out" / "classes.csv").read_bytes() == (tmp_path / "whole" / "classes.csv").read_bytes()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows")
def test_killed_it_goes_on_from_what_is_on_the_disk(words, tmp_path, no_figures):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "zeuxis", "evaluate", *map(str, words), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = out / "cells.jsonl"
    until = time.monotonic() + 60
    while not (lines.exists() and lines.read_bytes().count(b"\n") >= 2) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = lines.read_bytes()
    assert evaluate(*words, "--out", out).exit_code == 0
    assert lines.read_bytes().startswith(done.rpartition(b"\n")[0])
    assert len(table(out / "pictures.csv")) == 32


def test_the_guide_is_no_classifier():
    several = LISTS["cifar10"]
    other, same = (HeldOut(name, several, "a photo of a {}") for name in ("pocket", "pocket-second"))
    guide = make_scorer("pocket-second")
    check_not_guiding([other], [guide])
    with pytest.raises(BadInput, match="guides the search itself"):
        check_not_guiding([other, same], [guide])


def test_refused_on_the_command_line_before_anything_is_written(classes, tmp_path):
    words = ("fooling", "--scorer", "pocket", "--classifier", "pocket", "--out", tmp_path / "out")
    result = evaluate(*words, "--classifier", "pocket-second", "--scorer", "pocket-second")
    assert result.exit_code == 2 and "guides the search itself" in result.output and not (tmp_path / "out").exists()


def test_shares_intervals_and_groups():
    found = accuracy([[True, False, True, True], [False] * 4])
    assert (found.positive, found.negative, found.share) == (3, 5, 0.375)
    assert found.interval == pytest.approx((0.13684, 0.69426), abs=1e-5)  # Wilson 1927, z = 1.96, by hand
    assert found.over_runs == found.span == (0.0, 1.0)  # Student's t of 0.75 and 0: 0.375 with 12.7 deviations
    assert accuracy([[], []]) is None and accuracy([[True]]).over_runs is None
    alike = accuracy([[True, False]] * 8)  # runs do not differ at all: the interval over pictures is the wider one
    assert alike.over_runs == (0.5, 0.5) and alike.span == alike.interval
    one = Seen(["a", "b", "a"], [1.0, 1.0, 1.0], [True, False, True], groups={"g": [True, True, True]})
    assert confusion({"a": [one, one]}) == {"a": {"a": 4, "b": 2}} and of_groups([one])["g"].share == 1


def test_zero_shot_and_named_classes_are_seen_alike():
    several = LISTS["cifar10"]
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for name in ("pocket", "mobilenet-v1", "pocket-second"):
        one = HeldOut(name, several, "a photo of a {}")
        seen = one.see(pixels, "dog")
        assert [len(x) for x in (seen.label, seen.probability, seen.right, seen.top, seen.groups["animal"])] == [3] * 5
        assert all(not right or (top and group) for right, top, group in
                   zip(seen.right, seen.top, seen.groups["animal"], strict=True))  # fmt: skip
    breeds = HeldOut("mobilenet-v1", LISTS["thesis-imagenet"], "a photo of a {}")
    terriers, dogs = breeds.group("terrier"), breeds.group("dog")
    (own,) = breeds.labels_of("Kerry blue terrier")
    assert own in terriers and 15 < len(terriers) < len(dogs) and set(terriers) - set(dogs) <= {own}


def test_lists_and_phrases(tmp_path):
    assert read_classes("cifar10").thesis_total == 24.77 and len(read_classes("thesis-imagenet").classes) == 10
    assert phrase_of("a photo of a {}", "airplane") == "a photo of an airplane"
    assert phrase_of("a photo of a {} at night", "cat") == "a photo of a cat at night"
    for wrong in ("a cat", "{} and {}"):
        with pytest.raises(BadInput, match="template"):
            phrase_of(wrong, "cat")
    for content in ("", "# none\n", "x" * 300, "\x1b[31m"):
        (tmp_path / "list").write_text(content)
        with pytest.raises(BadInput):
            read_classes(str(tmp_path / "list"))


def test_realness_of_real_and_of_foreign_pictures():
    space = type(
        "Space", (), {"logits": None, "is_inception": False, "word": "x", "name": "x", "resize": "", "guided": False}
    )()
    draw = torch.Generator().manual_seed(0)
    real = torch.randn(600, 8, generator=draw)
    like, unlike = (
        realness(torch.randn(120, 8, generator=draw).split(60), real, space),
        realness([torch.randn(120, 8, generator=draw) + 9], real, space),
    )
    assert abs(like["inside"] - like["inside_real"]) < 0.15 and unlike["inside"] == 0
    assert unlike["distance"] > 20 * like["distance"] and like["distance_floor"] < 2 * like["distance"]
    assert "100 real pictures" in realness([real[:5]], real[:50], space)["why"]


def test_of_all_classes_realness_is_the_mean_of_the_classes():
    """A picture bred for one class that lies among real ones of another is not inside."""
    space = type(
        "Space", (), {"logits": None, "is_inception": False, "word": "x", "name": "x", "resize": "", "guided": False}
    )()
    draw = torch.Generator().manual_seed(0)
    cars, trucks = (torch.randn(400, 8, generator=draw) + shift for shift in (0, 9))
    truck_like = torch.randn(100, 8, generator=draw) + 9
    found = [realness([truck_like], real, space) | {"different": 10.0 * k} for k, real in enumerate((cars, trucks))]
    both = together([*found, {"n": 5, "different": 5.0, "why": "no real pictures of this class"}])
    assert found[0]["inside"] == 0 and found[1]["inside"] > 0.8
    assert both["inside"] == pytest.approx(found[1]["inside"] / 2) and both["n"] == 205 and both["different"] == 5
    assert both["inside_low"] == 0 and both["inside_high"] == 1  # two runs that differ as much as can be
    assert both["distance"] == pytest.approx((found[0]["distance"] + found[1]["distance"]) / 2)
    halves = [(f["distance_high"] - f["distance_low"]) / 2 for f in found]
    expected = (halves[0] ** 2 + halves[1] ** 2) ** 0.5 / 2
    assert both["distance_high"] - both["distance"] == pytest.approx(expected)


def test_features_that_guide_are_refused(classes, tmp_path):
    given = ("fooling", "--classes", classes, "--classifier", "pocket", "--real", tmp_path / "real")
    (tmp_path / "real/red disc").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "real/red disc/0.png")
    out = evaluate(*given, "--scorer", "pocket-64", "--features", "mobilenet-v2", "--out", tmp_path / "out")
    assert out.exit_code == 2 and "guide the search themselves" in out.output and not (tmp_path / "out").exists()


def test_real_pictures_of_some_classes(words, tmp_path, no_figures):
    rng = np.random.default_rng(0)
    for name in ("red_disc", "green disc"):
        (tmp_path / "real" / name).mkdir(parents=True)
        for k in range(3):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(
                tmp_path / "real" / name / f"{k}.png"
            )
    result = evaluate(*words, "--real", tmp_path / "real", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert {
        line["real_accuracy"] == "" for line in table(tmp_path / "out/classes.csv") if line["class"] == "red disc"
    } == {False}
    why = {line["class"]: line["why"] for line in table(tmp_path / "out/classes.csv")}
    assert why["blue disc"] == "no real pictures of this class" and "100 real pictures" in why["red disc"]


def test_cells_and_runs_are_not_mixed_up(words, tmp_path, no_figures):
    assert evaluate(*words, "--out", tmp_path / "out").exit_code == 0
    lines = (tmp_path / "out/cells.jsonl").read_text().splitlines()
    assert evaluate(*words, "--seed", "5", "--out", tmp_path / "out").exit_code == 2
    (tmp_path / "out/report.html").unlink()
    (tmp_path / "out/cells.jsonl").write_text("\n".join([lines[0].replace("0", "1", 1), *lines[1:], lines[-1][:40]]))
    result = evaluate(*words, "--out", tmp_path / "out")
    assert result.exit_code == 0 and "2 lines of cells.jsonl are damaged" in result.output, result.output
    assert carry.StudyFolder(tmp_path / "out").record()["finished"]


def test_a_list_of_other_classes_is_another_study(words, classes, tmp_path, no_figures):
    assert evaluate(*words, "--out", tmp_path / "study").exit_code == 0
    before = (tmp_path / "study/evaluation.json").read_bytes()
    classes.write_text("red disc | cold\nblue disc | cold\n")
    again = evaluate(*words, "--out", tmp_path / "study")
    assert again.exit_code == 2 and "holds an evaluation of other classes than" in again.output
    assert (tmp_path / "study/evaluation.json").read_bytes() == before


def test_the_figures_of_the_thesis_are_shares_in_the_table_as_all_others_are():
    study = SimpleNamespace(class_list=read_classes("cifar10"))
    records = [_of_class(study, {}, "thesis", name, "pocket") for name in ("airplane", "deer", None)]
    assert [record["thesis"] for record in records] == [0.9297, 0.0, 0.2477]
