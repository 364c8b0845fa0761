"""A run folder that somebody else made: links, counts, types and names in it do no harm, one sentence refuses them."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from run_helpers import fingerprint, run_to_the_end, toy_config, toy_problem

from zeuxis.errors import RunDamaged, RunError, RunUnwritable, ZeuxisError
from zeuxis.report.html import write_report
from zeuxis.report.top import write_top
from zeuxis.run import RunFolder, open_session, reopen_session
from zeuxis.run.record import Decisions
from zeuxis.storage.checksummed import checksummed_json, verified_json

CONFIG = toy_config()


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch):
    """Curves are drawn elsewhere and take a second each; here only where they are written counts."""
    import zeuxis.report.html as html
    from zeuxis.storage.files import atomic_write

    def write(folder, rows):
        atomic_write(folder.path / "curve.png", b"curve")
        return folder.path / "curve.png"

    monkeypatch.setattr(html, "write_curve", write)
    monkeypatch.setattr(html, "curve_png", lambda *what, **how: b"curve")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_to_the_end(CONFIG, folder)
    return folder


@pytest.fixture
def run(whole, tmp_path):
    return RunFolder(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture
def outside(tmp_path):
    """What lies outside and must stay as it is."""
    path = tmp_path / "outside"
    path.mkdir()
    for name in ("01.png", "000000.safetensors", "000099.safetensors", ".x.part", "precious"):
        (path / name).write_bytes(b"precious")
    return path


def use_it(folder):
    """All that reads or writes a run folder; the sentences it is refused with."""
    said = []
    for action in (
        lambda: RunFolder(folder).history(),
        lambda: write_report(RunFolder(folder)),
        lambda: write_top(RunFolder(folder), 4),
        lambda: run_to_the_end(CONFIG, folder),
        lambda: reopen_session(folder).close(),
    ):
        try:
            action()
            said.append("")
        except ZeuxisError as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("name", ["top", "images", "checkpoint", "log", "cells"])
def test_a_folder_that_is_a_link_is_not_followed(run, outside, name):
    shutil.rmtree(run.path / name, ignore_errors=True)
    (run.path / name).symlink_to(outside)
    before = {p.name: p.read_bytes() for p in outside.iterdir()}
    said = use_it(run.path)
    assert all(f"{name} is a link" in sentence for sentence in said)
    assert {p.name: p.read_bytes() for p in outside.iterdir()} == before


@pytest.mark.parametrize(
    "name",
    ["lock", "timing.jsonl", "run.json", "summary.json", ".report.html.part", ".curve.png.part", "report.html",
     "curve.png", "images/best.png", "images/generation-000000.png", "log/000001.safetensors",
     "checkpoint/000004.safetensors", "top/.01.png.part", "top/01.png", "images/.best.png.part"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_file_that_is_a_link_or_a_pipe_is_refused_and_nothing_is_written(run, outside, name, kind):
    path = run.path / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(outside / "precious")
    else:
        os.mkfifo(path)
    said = use_it(run.path)
    assert all(path.name in sentence for sentence in said), said
    assert (outside / "precious").read_bytes() == b"precious"


def test_links_before_the_first_generation_are_refused_too(tmp_path, outside):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "log").symlink_to(outside)
    with pytest.raises(RunDamaged, match="log is a link"):
        open_session(CONFIG, folder)


def rewritten(path, change):
    content = verified_json(path)
    change(content)
    path.write_bytes(checksummed_json(content))


RECORDS = [
    lambda r: r["decisions"].update(micro_batch=[[0, 10**9]]),
    lambda r: r["decisions"].update(micro_batch=[[0, 4096]]),
    lambda r: r["decisions"].update(micro_batch=[[0, 4]] * 1000),
    lambda r: r["decisions"].update(micro_batch=[]),
    lambda r: r["decisions"].update(micro_batch=7),
    lambda r: r["decisions"].update(gate={"precision": "fp8", "reason": ""}),
    lambda r: r.update(decisions=[]),
    lambda r: r.update(notes="note"),
    lambda r: r.update(notes=[["a"]]),
    lambda r: r.update(config=[]),
    lambda r: r["config"].update(population=10**9),
    lambda r: r["config"].update(generations="many"),
    lambda r: r["config"].update(micro_batch=10**9),
    lambda r: r.update(models={"generator": "toy"}),
    lambda r: r["models"]["generator"].update(resolution="large"),
    lambda r: r.update(machine=7),
    lambda r: r.update(software={"zeuxis": {}}),
    lambda r: r.update(start={"bank_images": "ten"}),
    lambda r: r.update(prompt={"a": 1}),
    lambda r: r.update(prompt_sha256=None),
    lambda r: r.update(format={}),
    lambda r: r.update(config=json.loads('{"a":' * 30 + "1" + "}" * 30)),
]


@pytest.mark.parametrize("number", range(len(RECORDS)))
def test_a_checksummed_record_of_the_wrong_kind_is_one_sentence(run, number):
    rewritten(run.record_path, RECORDS[number])
    with pytest.raises(RunDamaged, match=r"run\.json"):
        reopen_session(run.path)


SUMMARIES = [
    lambda s: s.update(population={}),
    lambda s: s["population"].pop(),
    lambda s: s["population"][0].update(score="high"),
    lambda s: s.update(judge=[]),
    lambda s: s["judge"].update(population=[1] * 4),
    lambda s: s.update(best={"score": None}),
    lambda s: s.update(front={"objectives": ["a", "b"], "pick": "knee", "members": [9], "values": [[1, 2]] * 4}),
    lambda s: s.update(front={"objectives": ["a"] * 99, "pick": "knee", "members": [], "values": []}),
    lambda s: s.update(archive={"cells": 10**6}),
    lambda s: s.update(pictures=[]),
    lambda s: s.update(run="another"),
]


@pytest.mark.parametrize("number", range(len(SUMMARIES)))
def test_a_checksummed_summary_of_the_wrong_kind_is_one_sentence(run, number):
    rewritten(run.summary_path, SUMMARIES[number])
    with pytest.raises(RunDamaged, match=r"summary\.json"):
        write_report(RunFolder(run.path))
    run_to_the_end(CONFIG, run.path)  # a resume writes it anew
    assert write_report(RunFolder(run.path))


def test_memory_runs_out_once_not_thirty_times(monkeypatch):
    sizes = []

    def work(size):
        sizes.append(size)
        if size > 4:
            raise MemoryError
        return size

    problem = toy_problem(decisions=Decisions([(0, 4096)]))
    assert problem._within_memory(0, work, 4) == 4 and sizes == [4096, 4]
    sizes.clear()
    assert problem._within_memory(0, work, 64) == 4 and sizes == [4096, 64, 32, 16, 8, 4]


@pytest.mark.parametrize("name", ["best.png", "generation-000002.png", "final-0001.png"])
@pytest.mark.parametrize("how", ["flip", "cut", "empty", "other", "folder"])
def test_a_damaged_picture_is_said_by_the_report_and_drawn_again_by_a_resume(run, whole, name, how):
    path = run.images / name
    data = bytearray(path.read_bytes())
    if how == "folder":
        path.unlink(), path.mkdir()
    else:
        data[len(data) // 2] ^= 4
        other = (whole / "images" / "final-0002.png").read_bytes()
        path.write_bytes({"flip": bytes(data), "cut": data[:60], "empty": b"", "other": other}[how])
    with pytest.raises(RunError, match=name):
        write_report(RunFolder(run.path))
    if how == "folder":
        with pytest.raises(RunUnwritable, match=name):
            run_to_the_end(CONFIG, run.path)
        return
    with open_session(CONFIG, run.path) as session:
        list(session)
        session.finish()
        said = session.notes
    assert any(name in note and "damaged" in note for note in said) == name.startswith("generation")
    assert fingerprint(run.path) == fingerprint(whole)


def test_a_generation_missing_within_the_log_is_said_not_left_out(run):
    run.log_path(2).unlink()
    with pytest.raises(RunDamaged, match=r"000002\.safetensors is missing"):
        RunFolder(run.path).history()
    with open_session(CONFIG, run.path) as session:
        assert any("is missing" in note and "goes on from generation 2" in note for note in session.notes)


def test_the_last_generation_missing_is_said_too(run):
    run.log_path(4).unlink()
    with pytest.raises(RunDamaged, match="is missing"):
        RunFolder(run.path).history()


def test_files_of_another_run_are_not_taken_for_those_of_this(run, tmp_path):
    run_to_the_end(toy_config(seed=8), tmp_path / "other")
    other = RunFolder(tmp_path / "other")
    for path in (run.log_path(1), run.summary_path):
        good = path.read_bytes()
        shutil.copy(other.path / path.relative_to(run.path), path)
        with pytest.raises(RunDamaged, match="another run"):
            write_report(RunFolder(run.path))
        path.write_bytes(good)
    shutil.copy(other.checkpoint_path(4), run.checkpoint_path(4))
    with open_session(CONFIG, run.path) as session:
        assert any("another run" in note for note in session.notes)
    shutil.copy(other.record_path, run.record_path)
    with pytest.raises(RunDamaged, match="another run"):
        reopen_session(run.path)


def test_damaged_times_are_counted_and_said(run):
    lines = run.timing_path.read_bytes().splitlines()
    run.timing_path.write_bytes(b"\n".join([lines[0].replace(b'"images": 4', b'"images": 9'), b"\xff\xfe", *lines[2:]]))
    folder = RunFolder(run.path)
    assert "2 lines of timing.jsonl" in folder.notes[-1]
    assert [row.images_per_second is None for row in folder.history()] == [True, True, False, False, False]


def test_a_name_that_no_folder_can_have_is_one_sentence():
    for name in ("x" * 482, "a\0b"):
        with pytest.raises(ZeuxisError, match="Expected"):
            RunFolder(name).history()
        with pytest.raises(ZeuxisError):
            open_session(CONFIG, name)


def test_state_of_wrong_shapes_does_not_end_in_a_traceback(run):
    from zeuxis.run import checkpoint

    generation, state = checkpoint.read(run.checkpoint_path(4))
    state["population_x"] = torch.zeros(0)
    run.checkpoint_path(4).write_bytes(checkpoint.pack(generation, state, run.key))
    with pytest.raises(ZeuxisError, match="Expected"):
        reopen_session(run.path)
