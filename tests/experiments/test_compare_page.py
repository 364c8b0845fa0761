"""The page of an experiment: every search in every figure, pictures, and tables that a phone can show."""

import html
import io
import re
import shlex
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from zeuxis import workflows
from zeuxis.cli.main import app
from zeuxis.experiments import page
from zeuxis.experiments.analysis import table
from zeuxis.experiments.design import Cell, make_design
from zeuxis.experiments.execute import carry_out
from zeuxis.experiments.figures import curves_png, reversed_png
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.page import best_pictures, write_results

TOY = {"generator": "toy", "scorer": ("toy",), "precision": "fp32", "populations": (4,), "generations": 6, "seeds": 1}
PHRASES = ("a red disc", "a < blue > square")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished experiment and its page."""
    folder = ExperimentFolder(tmp_path_factory.mktemp("page") / "run")
    carry_out(make_design(**TOY, judge="toy", variants=("ga", "best-of-n", "de", "random"), phrases=PHRASES), folder)
    return folder, write_results(folder)[0].read_text(encoding="utf-8")


def watched(monkeypatch, draw):
    """The labels of the lines in a figure, and its tick labels."""
    seen = {}
    real = draw.__globals__["_png"]

    def spy(figure, axes, narrow):
        data = real(figure, axes, narrow)
        seen["lines"] = [text.get_text() for text in axes.get_legend().get_texts()]
        ticks = [t for t in axes.get_xticklabels(which="both") if t.get_text()]
        boxes = [t.get_window_extent() for t in ticks]
        low, high = axes.get_window_extent().x0, axes.get_window_extent().x1
        seen["ticks"] = sorted((b.x0, b.x1) for b in boxes if low <= (b.x0 + b.x1) / 2 <= high)
        return data

    monkeypatch.setitem(draw.__globals__, "_png", spy)
    return seen


@pytest.mark.parametrize("draw", [curves_png, reversed_png])
@pytest.mark.parametrize("narrow", [False, True])
def test_every_search_is_in_every_figure_and_no_tick_hides_another(draw, narrow, done, drawn, monkeypatch):
    folder, _ = done
    design, rows = folder.design(), folder.rows()
    seen = watched(monkeypatch, draw)
    lines = table(design, rows, folder.priors())
    width = Image.open(io.BytesIO(draw(design, rows, lines, 4, narrow=narrow))).width
    assert {label.partition(",")[0] for label in seen["lines"]} == set(design.variants)
    assert width < 800 if narrow else width > 1000
    assert len(seen["ticks"]) >= 2
    assert all(left[1] < right[0] for left, right in pairwise(seen["ticks"]))


@pytest.mark.parametrize(("population", "generations"), [(16, 30), (64, 200), (4, 2), (16, 5000), (1024, 3)])
@pytest.mark.parametrize("narrow", [False, True])
def test_ticks_of_any_budget_stand_apart(population, generations, narrow, drawn, monkeypatch):
    design = make_design(**{**TOY, "populations": (population,), "generations": generations}, variants=("ga",))
    seen = watched(monkeypatch, curves_png)
    row = {"images": [population, population * generations], "curve": [0.1, 0.5]}
    lines = [SimpleNamespace(variant="ga", population=population)]
    curves_png(design, {Cell("ga", "x", 0, population): row}, lines, population, narrow=narrow)
    assert len(seen["ticks"]) >= 2
    assert all(left[1] < right[0] for left, right in pairwise(seen["ticks"]))


def test_the_page_shows_the_best_picture_of_every_search_for_each_phrase(done):
    folder, text = done
    design, rows = folder.design(), folder.rows()
    shown = best_pictures(folder, design, rows)
    assert [phrase for phrase, _, _ in shown] == list(PHRASES)
    for phrase, population, pictures in shown:
        assert population == 4 and {variant for variant, _, _ in pictures} == set(design.variants)
        best = {c.variant: row["curve"][-1] for c, row in rows.items() if c.phrase == phrase}
        assert [score for _, score, _ in pictures] == sorted(best.values(), reverse=True)
        assert all(picture in text for _, _, picture in pictures)
    assert "a &lt; blue &gt; square" in text and "http:" not in text and "<script" not in text


def test_pictures_that_can_no_longer_be_drawn_are_left_out(done, monkeypatch):
    folder, _ = done
    missing = next(iter(folder.rows()))
    real = folder.latents

    def latents(cell):
        if cell == missing:
            raise page.ZeuxisError("gone")
        return real(cell)

    monkeypatch.setattr(folder, "latents", latents)
    counts = [len(pictures) for _, _, pictures in best_pictures(folder, folder.design(), folder.rows())]
    assert sum(counts) == len(folder.rows()) - 1 and torch.is_tensor(real(missing))


def test_every_cell_of_the_table_names_its_column_for_a_phone(done):
    _, text = done
    first = re.search(r'<table class="figures">(.*?)</table>', text, re.DOTALL)[1]
    head = re.findall(r"<th>(.*?)</th>", first)
    for row in first.split("<tr")[2:]:
        assert re.findall(r'data-label="(.*?)"', row) == head


def test_what_is_not_on_the_page_is_not_explained(done, tmp_path):
    assert "Gain that remains" in done[1] and "Warm variants" not in done[1]
    alone = ExperimentFolder(tmp_path / "alone")
    carry_out(make_design(**TOY, judge=None, variants=("ga",), phrases=PHRASES[:1]), alone)
    text = write_results(alone)[0].read_text(encoding="utf-8")
    assert "remains" not in text and "guided no search" not in text


def test_the_page_has_the_command_that_makes_the_same_again_and_the_versions(done, monkeypatch):
    folder, text = done
    plain = html.unescape(" ".join(text.split()))
    for said in ("one training seed of each", f"torch {torch.__version__}", "cells.csv, table.csv"):
        assert said in plain, said
    command = re.search(r"<pre>(zeuxis compare .*?)</pre>", plain)[1]
    heard = {}
    monkeypatch.setattr(workflows, "compare", lambda out, **given: heard.update(given, out=out) or [])
    assert CliRunner().invoke(app, shlex.split(command)[1:]).exit_code == 0
    assert heard["out"] == folder.path
    names = [name for name in folder.design().model_dump() if name != "micro_batch"]
    assert make_design(**{name: heard[name] for name in names}) == folder.design()


def test_a_grid_that_has_grown_says_which_lines_can_be_compared(tmp_path):
    said = []
    folder = ExperimentFolder(tmp_path / "run", said.append)
    carry_out(make_design(**TOY, judge="toy", variants=("ga", "best-of-n"), phrases=PHRASES), folder)
    page = write_results(folder)[0]
    assert not said and "not every search" not in page.read_text(encoding="utf-8")
    carry_out(make_design(**TOY, judge="toy", variants=("ga elite=2", "best-of-n"), phrases=PHRASES[:1]), folder)
    assert said == [
        "ga elite=2: The option elite has no effect with replacement=plus, only with replacement=generational."
    ]
    write_results(folder)
    assert "not every search has been run on every phrase and seed" in said[1] and "ga elite=2 1" in said[1]
    assert said[1] in page.read_text(encoding="utf-8") and said[1] in (folder.path / "table-4.md").read_text()
    carry_out(make_design(**TOY, judge="toy", variants=("ga elite=2",), phrases=PHRASES), folder)
    write_results(folder)
    assert len(said) == 3 and "no effect" in said[2]
