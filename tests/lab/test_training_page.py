"""The page of a training, what `zeuxis show` says of it, and what the log is read for: best, collapse, time left."""

import json
import re

import pytest
import torch
from lab_helpers import recipe
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.cli.training import TrainingProgress
from zeuxis.errors import RunUnwritable
from zeuxis.lab import history
from zeuxis.lab.history import Status, best_words, collapse_words, collapsed, duration, held_out
from zeuxis.lab.train import train
from zeuxis.lab.watch import Watch
from zeuxis.report import training
from zeuxis.report.training import TrainingPage, facts, read_training
from zeuxis.report.training_curves import HEIGHT, WIDTH, panels
from zeuxis.storage.checksummed import checksummed_json

CPU = torch.device("cpu")
COMMAND = ["mine.toml", "--data", "a b; reboot"]


def look(images, distance, signs=0.0, **others):
    return {
        "images": images,
        "d_loss": 1.0,
        "held_out_frechet": distance,
        "collapse_signs": signs,
        "seconds": 1.0,
    } | others


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A training with its page, and the pages that it had on the way."""
    folder, pages = tmp_path_factory.mktemp("pages"), []
    page = TrainingPage()

    def listen(status):
        page.written = 0.0  # as if the last page were long ago
        page(status)
        if status.happened != "step":
            pages.append((folder / "report.html").read_text())

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        patched.setattr("zeuxis.lab.curves.draw", lambda folder: None)
        patched.setattr(Watch, "features", lambda watch, x: x.float().flatten(1)[:, :16])
        config = recipe("dcgan", 64, about="tiny <digits>")
        train(config, data, folder, device=CPU, listener=listen, command=COMMAND)
    return folder, pages


def test_the_page_renews_itself_only_while_the_training_goes_on(finished):
    folder, pages = finished
    assert len(pages) == 6  # start, four lines, end
    assert all('<meta http-equiv="refresh" content="30">' in page for page in pages[:-1])
    assert "refresh" not in pages[-1] and "Finished. Written" in pages[-1]
    assert not list(folder.glob(".*.part"))


def test_the_page_asks_for_nothing_and_says_what_matters(finished):
    page = finished[1][-1]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert "<script" not in page and not re.search(r'(src|href)="(?!data:)', page) and "http://" not in page
    assert "tiny &lt;digits&gt;" in page and "tiny <digits>" not in page
    for words in (
        "MNIST; licence: CC BY-SA 3.0",
        "64 of 64",
        "one training seed: 3",
        "(best)",
        "images per second",
        "data:image/",
        "accuracy of the discriminator",
        "zeuxis train mine.toml --data &#39;a b; reboot&#39;",
    ):
        assert words in page, words
    for name in ("held_out_frechet", "coverage", "effective", "effective_real", "saturation"):
        assert f"<th>{name}</th>" in page


def test_the_terminal_says_the_same(finished):
    result = CliRunner().invoke(app, ["show", str(finished[0])])
    assert result.exit_code == 0, result.output
    for words in (
        "64 of 64 (100 %)",
        "licence: CC BY-SA 3.0",
        "one training seed: 3",
        "held_out_frechet",
        "report.html",
    ):
        assert words in result.output
    assert [name for name, _ in facts(read_training(finished[0]))][:3] == ["images", "state", "best so far"]


def test_a_command_in_a_file_stays_quoted(finished, tmp_path):
    told = json.loads((finished[0] / "machine.json").read_text())
    words = {"command": ["x; rm -rf /", "\x1b[2J"], "dtype": "fp32", "threads": 1, "recipe": told["recipe"]}
    for name in ("train.json", "log.jsonl"):
        (tmp_path / name).write_bytes((finished[0] / name).read_bytes())
    (tmp_path / "machine.json").write_bytes(checksummed_json(words))
    (tmp_path / "train.json").write_bytes(checksummed_json(recipe("dcgan", 640).model_dump(mode="json")))
    result = CliRunner().invoke(app, ["show", str(tmp_path)])
    assert "zeuxis train 'x; rm -rf /'" in result.output and "\x1b" not in result.output
    assert "time left" in result.output and result.exit_code == 0


def test_a_damaged_file_is_one_sentence(finished, tmp_path):
    (tmp_path / "train.json").write_bytes((finished[0] / "train.json").read_bytes()[:-9])
    result = CliRunner().invoke(app, ["show", str(tmp_path)])
    assert result.exit_code == 2 and "train.json" in result.output and "Traceback" not in result.output


def status_of(folder, lines=(), images=0, total=640):
    return Status(folder, recipe("dcgan", total), "cpu", list(lines), images)


def test_the_page_takes_a_hundredth_of_the_time_at_most(tmp_path, monkeypatch):
    clock, cost, written = [0.0], 0.05, []

    def write(page, status):
        written.append(clock[0])
        clock[0] += cost

    monkeypatch.setattr(training.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(TrainingPage, "write", write)
    page, status = TrainingPage(), status_of(tmp_path)
    page(status)
    status.happened = "line"
    for _ in range(1000):
        clock[0] += 0.1
        page(status)
    assert 0.008 < cost * len(written) / clock[0] < 0.0105


def test_a_page_that_cannot_be_written_ends_no_training(tmp_path, monkeypatch):
    def full(*given):
        raise RunUnwritable("The disk is full.")

    monkeypatch.setattr(training, "atomic_write", full)
    TrainingPage()(status_of(tmp_path))


def test_the_best_is_named_and_the_last_where_it_is_worse():
    lines = [look(10, 60.0), look(20, 49.0), {"images": 25, "d_loss": 1.0}, look(30, 137.0)]
    assert history.best(lines) == ("held_out_frechet", lines[1])
    assert "best is not the last: held_out_frechet 49 at 20 images, at 30 it is 137" in best_words(lines)
    assert best_words(lines[:2]) == "The last figures are the best: held_out_frechet 49 at 20 images."
    assert best_words([{"images": 3, "accuracy": 0.5, "seconds": 1}]) == "" == best_words([])


def test_held_out_figures_are_told_from_those_of_steps():
    lines = [{"images": 5, "d_loss": 1.0}, look(10, 3.0)]
    assert held_out(lines) == ["held_out_frechet", "collapse_signs"]
    step = {"images": 5, "d_loss": 1.0, "discriminator gradient": 1.0, "coverage": 0.5, "seconds": 1.0}
    assert held_out([step]) == ["coverage"]


def test_signs_of_collapse_are_put_into_words():
    assert collapse_words({"coverage": 0.5, "duplicates": 0.1, "saturation": 0.9}) == []
    words = collapse_words({"coverage": 0.012, "duplicates": 0.4, "saturation": 1.0})
    assert len(words) == 3 and "Only 1.2 %" in words[0] and "40 %" in words[1] and "right of 100 %" in words[2]


@pytest.mark.parametrize(
    ("signs", "stops"),
    [
        ([3, 2, 2, 2], False),  # the first images
        ([0, 2, 2], True),
        ([0, 2, 1, 2], False),
        ([2] * 8, True),  # from half on all count
        ([2] * 7, False),
    ],
)
def test_a_collapse_that_stays_ends_the_training_where_asked_for(signs, stops):
    config = recipe("dcgan", 100, stop_on_collapse=2)
    lines = [look(10 * (n + 1) if len(signs) < 5 else 8 * (n + 1), 1.0, s) for n, s in enumerate(signs)]
    assert bool(collapsed(lines, config)) == stops
    assert not collapsed(lines, recipe("dcgan", 100))


def test_a_collapsed_training_stops_says_so_and_stays_stopped(data, tmp_path, monkeypatch):
    distances = iter([5.0, 9.0, 9.0, 9.0])

    def figures(watch, *given):
        value = next(distances)
        watch.is_best, watch.best = value < watch.best, min(watch.best, value)
        return {"held_out_frechet": value, "collapse_signs": 0.0 if value == 5.0 else 2.0}

    monkeypatch.setattr(Watch, "figures", figures)
    config, told, heard = recipe("dcgan", stop_on_collapse=2), [], []
    train(config, data, tmp_path, device=CPU, say=told.append, listener=lambda s: heard.append((s.happened, s.ended)))
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["images"] == 64 and summary["best"]["images"] == 16 and summary["ended"].startswith("Stopped: signs")
    assert "best is not the last" in summary["best"]["words"] and any("best is not the last" in text for text in told)
    assert heard[-1] == ("end", summary["ended"])
    told.clear()
    train(config, data, tmp_path, device=CPU, say=told.append)
    assert any(text.startswith("Stopped: signs of collapse in 2 evaluations") for text in told)
    assert json.loads((tmp_path / "summary.json").read_text())["images"] == 64


def test_curves_stay_inside_their_frame_whatever_the_log_holds():
    lines = [look(10 * n, (-1) ** n * 1e30 / (n + 1), effective=float(n), effective_real=5.0) for n in range(1, 700)]
    found = panels([*lines, {"images": 7000, "odd": float("inf"), "d_loss": 1.0}])
    assert found[0].title == "held_out_frechet" and found[0].best is not None
    for panel in found:
        for _, points in panel.series:
            pairs = [tuple(map(float, pair.split(","))) for pair in points.split()]
            assert 1 <= len(pairs) <= 240 and all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in pairs)
    assert {panel.title: len(panel.series) for panel in found}["different pictures of 64 (Vendi)"] == 2
    assert panels([]) == []


def test_time_left_is_that_of_this_start(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(history.time, "monotonic", lambda: now[0])
    status = status_of(tmp_path, images=40, total=140)
    status.since = now[0]
    assert status.left() is None
    now[0], status.images = 110.0, 60
    assert status.left() == 40.0
    assert [duration(x) for x in (40, 600, 12_000)] == ["40 s", "10 min", "3 h 20 min"]


def test_lines_name_the_time_left_and_warn_once(tmp_path, monkeypatch, capsys):
    progress, status = TrainingProgress(lambda: False), status_of(tmp_path, images=0, total=100)
    progress(status)
    status.since -= 10
    for images, signs in ((10, 2), (20, 3), (30, 0), (40, 2)):
        status.lines.append(look(images, 1.0, signs))
        status.images, status.happened = images, "line"
        progress(status)
    said = capsys.readouterr()
    assert re.search(r"images +10 .* 90 s left|images +10 .* 2 min left", said.out) and said.err.count("warning") == 2
