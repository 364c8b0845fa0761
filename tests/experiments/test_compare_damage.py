"""An experiment's folder that was damaged, is a stranger's or is used twice at once: made good and said, or refused."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch

from zeuxis.errors import BadInput, RunDamaged, RunLocked, ZeuxisError
from zeuxis.experiments.cell import Bench
from zeuxis.experiments.design import make_design
from zeuxis.experiments.execute import carry_out
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.storage.checksummed import checksummed_json, table
from zeuxis.storage.lock import RunLock

GRID = {"variants": ("ga", "best-of-n"), "phrases": ("a red disc",), "seeds": 1, "populations": (4,), "baseline": "ga"}
TOY = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "precision": "fp32", "generations": 6}


def small(**given):
    return make_design(**{**TOY, **GRID, **given})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    carry_out(small(), ExperimentFolder(path))
    return path


@pytest.fixture
def folder(whole, tmp_path):
    said = []
    made = ExperimentFolder(shutil.copytree(whole, tmp_path / "run"), said.append)
    made.said = said
    return made


def figures(folder):
    return {cell: {k: v for k, v in row.items() if "seconds" not in k} for cell, row in folder.rows().items()}


@pytest.mark.parametrize("how", ["digit", "letters", "half", "no dictionary", "wrong types", "empty curve"])
def test_a_damaged_line_is_said_counted_and_its_cell_run_again(folder, whole, how):
    lines = folder.cells_path.read_bytes().splitlines()
    row = table(lines[0])
    row.pop("check")
    made = {
        "digit": lines[0].replace(b'"population": 4', b'"population": 8'),
        "letters": b"\xff\xfe" + lines[0][2:],
        "half": lines[0][: len(lines[0]) // 2],
        "no dictionary": b"[1]",
        "wrong types": json.dumps(row | {"curve": "high"}).encode(),
        "empty curve": json.dumps(row | {"curve": [], "images": []}).encode(),
    }[how]
    folder.cells_path.write_bytes(b"\n".join([made, *lines[1:]]) + b"\n")
    again = []
    carry_out(small(), folder, report=lambda done, count, row: again.append(row["variant"]))
    assert len(again) == 1 and any("1 lines of cells.jsonl are damaged" in text for text in folder.said)
    folder.said.clear()
    assert figures(folder) == figures(ExperimentFolder(whole))


def test_lines_of_an_older_version_are_read_and_said_once(folder, whole):
    rows = [table(line) for line in folder.cells_path.read_bytes().splitlines()]
    for row in rows:
        row.pop("check")
    folder.cells_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for path, part in ((folder.design_path, None), (folder.priors_path, "priors")):
        content = table(path.read_bytes())
        content.pop("sha256")
        path.write_text(json.dumps(content if part is None else content[part]))
    carry_out(small(), folder, report=lambda *row: pytest.fail("nothing is to be run"))
    assert [text for text in folder.said if "no checksums" in text] == folder.said and len(folder.said) == 1
    assert figures(folder) == figures(ExperimentFolder(whole))


def test_damaged_priors_are_made_again_and_said(folder):
    good = table(folder.priors_path.read_bytes())["priors"]
    for content in (b"", b"[]", b"\xff", folder.priors_path.read_bytes().replace(b"0.", b"1.", 1)):
        folder.priors_path.write_bytes(content)
        carry_out(small(), folder)
        assert any("priors.json cannot be read" in text for text in folder.said)
        folder.said.clear()
        assert folder.priors() == good and folder.said == []


def test_damaged_latents_are_run_again(folder, whole):
    path = next(folder.path.glob("latents/*"))
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    carry_out(small(), folder)
    assert any("run again" in text for text in folder.said) and path.read_bytes() == good


def test_latents_that_are_gone_are_said_and_made_again_where_they_are_needed(folder, whole):
    path = sorted(folder.path.glob("latents/*"))[0]
    good = path.read_bytes()
    path.unlink()
    carry_out(small(), folder, report=lambda *row: pytest.fail("nothing is to be run"))
    assert folder.said == ["The latents of 1 cells are missing; their figures stand."] and not path.exists()
    carry_out(small(held_out=("toy",)), folder)
    assert "1 of them are run again" in folder.said[1] and path.read_bytes() == good


def test_latents_of_another_cell_are_not_taken(folder):
    first, second = sorted(folder.path.glob("latents/*"))
    first.write_bytes(second.read_bytes())
    cells = list(folder.rows())
    wrong = [cell for cell in cells if folder._latents_path(cell) == first]
    with pytest.raises(RunDamaged, match="another cell"):
        folder.latents(wrong[0])


@pytest.mark.parametrize(
    "change",
    [
        {"generations": 10**9}, {"populations": [10**9]}, {"seeds": 10**9}, {"variants": []}, {"variants": "ga"},
        {"variants": ["ga 'open"]}, {"micro_batch": 10**9}, {"phrases": [{}]}, {"phrases": ["x"] * 9999, "seeds": 9999},
    ],
)  # fmt: skip
def test_a_design_of_a_stranger_is_bounded(folder, change):
    content = table(folder.design_path.read_bytes()) | change
    folder.design_path.write_bytes(checksummed_json(content))
    with pytest.raises(RunDamaged, match=r"design\.json"):
        folder.design()


@pytest.mark.parametrize("name", ["design.json", "priors.json", "cells.jsonl", "lock", "latents", ".cells.csv.part"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_links_and_pipes_are_refused(folder, tmp_path, name, kind):
    path = folder.path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (tmp_path / "precious").write_bytes(b"precious")
    path.symlink_to(tmp_path / "precious") if kind == "link" else os.mkfifo(path)
    with pytest.raises(ZeuxisError, match=name):
        carry_out(small(), folder)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_second_comparison_in_a_folder_is_refused(folder):
    lock = RunLock(folder.path)
    with pytest.raises(RunLocked, match="another --out"):
        carry_out(small(), folder)
    lock.release()
    carry_out(small(), folder)


def test_a_budget_below_the_first_generation_is_refused_before_anything_is_run(tmp_path):
    folder = ExperimentFolder(tmp_path / "run")
    with pytest.raises(BadInput, match="Give --generations 16 or more"):
        carry_out(small(variants=("sep-cma-es", "ga")), folder)
    assert not folder.cells_path.exists()
    carry_out(small(), folder)
    with pytest.raises(BadInput, match="draws 64 images"):
        Bench(small(variants=("sep-cma-es",))).check()


def test_an_out_that_no_folder_can_have_is_one_sentence():
    with pytest.raises(ZeuxisError, match="--out"):
        carry_out(small(), ExperimentFolder("x" * 482))


def test_the_latents_come_back(folder):
    cell = next(iter(folder.rows()))
    assert folder.latents(cell).dtype == torch.float32 and folder._readable(cell)
