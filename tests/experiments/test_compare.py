"""`zeuxis compare`: the grid, what a cell measures, breaking off and going on, the table's arithmetic, the files."""

from __future__ import annotations

import csv
import json
import math
import os

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.configs import CLIP
from zeuxis.errors import BadInput, MissingExtra, RunError
from zeuxis.experiments import cell as cells
from zeuxis.experiments import execute, processes
from zeuxis.experiments.analysis import _known_mean, estimate, images_to, table
from zeuxis.experiments.cell import MODELS, Bench, evaluator_names, steps
from zeuxis.experiments.design import Cell, fields, is_warm, make_design
from zeuxis.experiments.execute import carry_out
from zeuxis.experiments.executors import Call
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.page import write_results
from zeuxis.experiments.records import write_parquet
from zeuxis.experiments.worker import Setup
from zeuxis.generators.choose import make_generator
from zeuxis.run import prepare_run

TOY = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "precision": "fp32"}
PHRASES = ("a red disc", "a blue square")


def small(**given):
    grid = {"variants": ("ga", "best-of-n"), "phrases": PHRASES, "seeds": 2, "populations": (4,), "generations": 6}
    return make_design(**{**TOY, **grid, **given})


def rows_of(folder):
    return {cell: {k: v for k, v in row.items() if "seconds" not in k} for cell, row in folder.rows().items()}


def test_a_curve_is_kept_where_it_rises_and_reads_as_it_was():
    images, curve = [4, 8, 12, 16, 20, 24], [0.1, 0.1, 0.3, 0.3, 0.4, 0.4]
    row = steps(images, curve)
    assert row == {"images": [4, 12, 20, 24], "curve": [0.1, 0.3, 0.4, 0.4]}
    assert [images_to(row, score) for score in (0.1, 0.2, 0.4, 0.5)] == [4, 12, 20, math.inf]


def test_scorer_and_judge_suit_the_generator_unless_they_are_named():
    def named(**given):
        design = make_design(variants=("ga",), **given)
        return design.scorer, design.judge, design.command("out")

    assert named()[:2] == (("pocket",), "pocket")
    assert named(generator="pocket-products") == (
        ("pocket-64",),
        "mobilenet-v1",
        "zeuxis compare --search=ga-thesis --search=ga --generator=pocket-products --out=out",
    )
    scorer, judge, command = named(generator="pocket-products", scorer=("pocket",), judge=None)
    assert (scorer, judge) == (("pocket",), None) and "--scorer=pocket --judge=none" in command


def test_a_judge_that_knows_no_phrase_is_no_warning():
    assert math.isnan(_known_mean(np.array([math.nan, math.nan]))) and _known_mean(np.array([math.nan, 2.0])) == 2


def test_a_variant_is_a_search_with_fields_and_options():
    assert fields("ga") == {"search": "ga"}
    assert fields("ga augment=4 elite=2 scorer=pocket+toy") == {
        **{"search": "ga", "augment": 4, "scorer": ("pocket", "toy")},
        **{"options": {"elite": 2}},
    }
    assert is_warm("sep-cma-es start=bank") and not is_warm("sep-cma-es start=sweep")


@pytest.mark.parametrize("variant", ["", "augment=4", "ga seed=3", "ga population=2", "ga elite"])
def test_a_variant_that_cannot_be_read_is_refused(variant):
    with pytest.raises(BadInput):
        fields(variant)


def test_a_search_draws_what_its_own_run_would_whatever_phrase_comes_first():
    variants, phrases = ("random", "default", "thesis", "ga classes=ship"), ("a photo of a car", "a cat")
    grid = {"seeds": 1, "populations": (4,), "generations": 2}
    design = make_design(variants=variants, phrases=phrases, baseline="random", precision="fp32", **grid)
    bench = Bench(design)
    prior = bench.models(bench.base).generator.labels
    for cell in design.cells():
        config, models = design.config(cell), bench.models(design.config(cell))
        drawn = prepare_run(config, models).problem.generator
        assert drawn.labels == make_generator("pocket", **config.generator_arguments()).labels
        assert config.classes == {"default": ("automobile",) if "car" in cell.phrase else ("cat",)}.get(
            cell.variant, ("ship",) if "ship" in cell.variant else ()
        )
        assert (config.search, config.augment, config.truncation, config.generations) == {
            "random": ("random", 0, None, 8),
            "default": ("samples", 8, 0.6, 8),
            "thesis": ("ga-thesis", CLIP["augment"], None, 8),
        }.get(cell.variant, ("ga", 0, None, 8))
    rows = {cell.variant: bench.run(cell)[0] for cell in design.cells() if cell.phrase == "a cat"}
    assert rows["default"]["judge pocket"]["mean"] > rows["random"]["judge pocket"]["mean"] + 0.2
    for name in ("bird", "deer", "dog", "frog", "horse", "truck"):
        bench.models(bench.base.model_copy(update={"classes": (name,)}))
    assert len(bench._models) == 1 + MODELS and bench.models(bench.base).generator.labels == prior


def test_the_scale_of_a_phrase_is_of_its_own_generator_whatever_phrase_comes_first(monkeypatch):
    monkeypatch.setattr(cells, "PRIOR", 8)
    phrases = ("a cat", "a red shoe")
    found = []
    for order in (phrases, phrases[::-1]):
        bench = Bench(make_design(variants=("random",), phrases=order, generator="auto", judge=None, precision="fp32"))
        found.append([bench.prior(phrase) for phrase in phrases])
    assert found[0] == found[1]


def test_the_baseline_is_always_there_and_the_grid_is_whole():
    design = small()
    cells = list(design.cells())
    assert design.variants[0] == "ga-thesis" and len(cells) == len(set(cells)) == 3 * 2 * 2
    with pytest.raises(BadInput, match="Expected --phrase at least 1 time"):
        make_design(variants=("ga",), phrases=())
    with pytest.raises(BadInput, match="seeds"):
        make_design(variants=("ga",), seeds=0)


def test_a_cell_spends_its_budget_and_is_seen_by_every_eye():
    design = small(held_out=("toy",), judge="toy")
    bench = Bench(design)
    cell = Cell("ga", PHRASES[0], 1, 4)
    row, x = bench.run(cell)
    assert set(row["images"]) <= {4 * k for k in range(1, 7)} and row["images"][0] == 4 and row["images"][-1] == 24
    assert row["curve"] == sorted(row["curve"]) and len(row["curve"]) == len(row["images"])
    assert set(evaluator_names(design)) <= set(row) and len(x) == 1 + row["kept"]
    assert row["toy"]["best"] == pytest.approx(row["curve"][-1], abs=1e-4)
    again, same = bench.run(cell)
    assert again["curve"] == row["curve"] and torch.equal(x, same)


def test_a_gradient_step_costs_three_images_and_no_run_spends_more_than_its_budget():
    design = make_design(variants=("adam screen=2",), phrases=("a cat",), seeds=1, populations=(4,), generations=8)
    row, _ = Bench(design.model_copy(update={"precision": "fp32"})).run(Cell("adam screen=2", "a cat", 0, 4))
    assert set(row["images"]) <= {4, 8, *range(11, 33, 3)} and row["images"][-1] == 32


def test_an_experiment_that_was_broken_off_goes_on_and_ends_alike(tmp_path):
    design = small()
    whole, broken = ExperimentFolder(tmp_path / "whole"), ExperimentFolder(tmp_path / "broken")
    carry_out(design, whole)

    def stop(done, count, row):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(design, broken, report=stop)
    with broken.cells_path.open("a") as file:
        file.write('{"variant": "ga", "phr')  # a kill in the middle of a line
    done = []
    carry_out(design, broken, report=lambda number, count, row: done.append((number, count)))
    assert done == [(number, 12) for number in range(6, 13)]
    assert rows_of(whole) == rows_of(broken)
    cell = Cell("ga", PHRASES[1], 1, 4)
    assert torch.equal(whole.latents(cell), broken.latents(cell))


@pytest.mark.long  # also with a worker that is killed: below
def test_several_processes_find_what_one_finds(tmp_path):
    design = small(seeds=1)
    alone, together = ExperimentFolder(tmp_path / "alone"), ExperimentFolder(tmp_path / "together")
    carry_out(design, alone)
    carry_out(design, together, workers=2)
    assert rows_of(alone) == rows_of(together)


def test_a_stopping_rule_is_a_variant_and_what_it_saves_is_told(tmp_path):
    variants = ("ga patience=1", "ga target=-1", "ga stop_on_exploitation=1 view_every=1")
    design = small(seeds=1, variants=variants, generations=20, baseline="ga")
    folder = ExperimentFolder(tmp_path / "run")
    carry_out(design, folder)
    rows = folder.rows()
    spent = {variant: [rows[c]["images"][-1] for c in rows if c.variant == variant] for variant in design.variants}
    assert spent["ga"] == [80, 80] and spent["ga target=-1"] == [4, 4] and max(spent["ga patience=1"]) < 80
    ended = {row["ended"].split(":")[0] for cell, row in rows.items() if "exploitation" in cell.variant}
    assert ended <= {"Scorer over-optimisation", "The budget of 80 images is spent (80 evaluated)."}
    files = {path.name: path for path in write_results(folder)}
    assert all("budget spent" in files[name].read_text() for name in ("table-4.md", "report.html"))
    with files["table.csv"].open() as file:
        shares = {r["variant"]: float(r["share_of_budget_spent"]) for r in csv.DictReader(file)}
    assert shares["ga"] == 1.0 and shares["ga target=-1"] == 0.05
    with pytest.raises(BadInput, match="needs a judge"):
        small(judge=None, variants=("ga stop_on_exploitation=1",))


def test_the_over_optimisation_rule_hears_the_judge_of_the_design(monkeypatch):
    design = small(seeds=1, variants=("ga stop_on_exploitation=3",), judge="toy")
    cell = next(cell for cell in design.cells() if "stop" in cell.variant)
    assert design.config(cell).judge == "toy" and design.config(Cell("ga", "x", 0, 4)).judge is None
    bench = Bench(design)
    models = bench.models(design.config(cell))
    assert models.judge is bench.evaluators[1].scorer and bench.models(bench.base).judge is None


def test_a_cell_whose_worker_is_killed_is_run_again_and_one_that_always_dies_is_said(tmp_path, monkeypatch):
    design = small(seeds=2, variants=("ga",), phrases=PHRASES[:1], baseline="ga")
    folder = ExperimentFolder(tmp_path / "killed")
    carry_out(design, ExperimentFolder(tmp_path / "whole"))
    real, killed = processes.ProcessExecutor.submit, []

    def submit(executor, call):
        real(executor, call)
        if not killed and executor._workers:
            executor._workers[0].process.kill()
            killed.append(call)

    monkeypatch.setattr(processes.ProcessExecutor, "submit", submit)
    carry_out(design, folder, workers=2)
    assert killed and rows_of(folder) == rows_of(ExperimentFolder(tmp_path / "whole"))
    monkeypatch.setattr(execute, "Call", lambda name, work, arguments: Call(name, os._exit, (3,)))
    monkeypatch.setattr(execute, "Setup", lambda *given: Setup())  # whoever only dies needs no torch
    with pytest.raises(RunError, match="2 of 2 runs died 3 times each"):
        carry_out(design, ExperimentFolder(tmp_path / "dead"), workers=2)


def test_the_grid_may_grow_and_a_measure_may_come_later_but_nothing_else_changes(tmp_path):
    folder = ExperimentFolder(tmp_path / "run")
    carry_out(small(seeds=1), folder)
    before = rows_of(folder)
    carry_out(small(seeds=2, variants=("ga", "best-of-n", "de")), folder)
    assert folder.design().variants == ("ga-thesis", "ga", "best-of-n", "de") and folder.design().seeds == 2
    assert len(folder.rows()) == 16 and all(rows_of(folder)[cell] == row for cell, row in before.items())
    with pytest.raises(BadInput, match="generations"):
        carry_out(small(generations=7), folder)
    carry_out(small(seeds=2, held_out=("toy",)), folder)
    assert all("held-out toy" in folder.rows()[cell] for cell in small(seeds=2).cells())
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="something else"):
        carry_out(small(), ExperimentFolder(other))


def row(curve, *, population=4, score=0.0, judge=0.0, seconds=1.0):
    images = [population * k for k in range(1, len(curve) + 1)]
    seen = {"toy": {"best": score or curve[-1], "mean": 0.1}, "judge toy": {"best": judge, "mean": 0.2}}
    return {"images": images, "curve": curve, "effective": 2.0, "seconds": seconds, "cpu_seconds": seconds, **seen}


def test_the_table_says_what_was_counted():
    design = small(variants=("ga",), seeds=1, phrases=("a", "b", "c", "d"), generations=4)
    rows = {}
    for k, phrase in enumerate(design.phrases):
        rows[Cell("ga-thesis", phrase, 0, 4)] = row([0.1, 0.2, 0.3, 0.4], judge=0.5)
        curve = [0.1, 0.45, 0.5, 0.6] if k < 3 else [0.1, 0.1, 0.1, 0.2]
        rows[Cell("ga", phrase, 0, 4)] = row(curve, judge=0.6 if k < 3 else 0.3)
    priors = {p: {n: {"mean": 0.05, "deviation": d} for n, d in (("toy", 0.1), ("judge toy", 0.2))} for p in "abcd"}
    best, base = table(design, rows, priors)
    assert (best.variant, base.variant, best.pairs) == ("ga", "ga-thesis", 4)
    assert best.share.value == 0.5 and base.share.value == 1.0 and best.reached == 0.75
    assert best.wins.value == 0.75 and base.wins.value == 0.0
    assert best.gain["toy"].value == pytest.approx((3 * 2.0 - 2.0) / 4)
    assert best.gain["judge toy"].value == pytest.approx((3 * 0.5 - 1.0) / 4)
    assert best.remains["judge toy"].value == pytest.approx(0.125)
    assert best.rise["toy"].value == pytest.approx((3 * 5.5 + 1.5) / 4)
    assert best.rise["judge toy"].value == pytest.approx((3 * 2.75 + 1.25) / 4)
    assert best.rise_remains["judge toy"].value == pytest.approx(9.5 / 18)
    assert best.best.low <= best.best.value <= best.best.high
    for cell in (cell for cell in rows if cell.phrase == "d"):  # the judge does not know it
        rows[cell]["judge toy"] = {"best": math.nan, "mean": math.nan}
    best, _ = table(design, rows, priors)
    assert best.remains["judge toy"].value == pytest.approx(0.5 / 2.0)  # of the phrases that have both
    assert best.rise_remains["judge toy"].value == pytest.approx(2.75 / 5.5)


def test_a_target_that_is_never_reached_is_never():
    assert images_to(row([0.1, 0.2]), 0.3) == math.inf
    found = estimate([math.inf, math.inf, 0.5], ["a", "b", "c"], np.median)
    assert f"{found:.2f}" == "never"
    half = estimate([math.inf, 0.25, 0.5], ["a", "b", "c"], np.median)
    assert f"{half:.2f}" == "0.50 (0.25 .. never)"


def test_intervals_draw_whole_phrases():
    rng = np.random.default_rng(1)
    level = np.repeat(rng.normal(size=30), 5)
    phrases = [f"{k}" for k in np.repeat(np.arange(30), 5)]
    values = level + 0.01 * rng.normal(size=150)
    clustered = estimate(values, phrases, np.mean)
    single = estimate(values, [str(k) for k in range(150)], np.mean)
    assert clustered.high - clustered.low > 1.7 * (single.high - single.low)


def test_the_results_are_files_for_people_and_programs(tmp_path):
    folder = ExperimentFolder(tmp_path / "run")
    carry_out(small(), folder)
    files = {path.name: path for path in write_results(folder)}
    assert {"report.html", "cells.csv", "table.csv", "curves-4.png", "reversed-4.png", "table-4.md"} <= set(files)
    page = files["report.html"].read_text()
    assert "best-of-n" in page and "<script" not in page and "http" not in page.replace("http-equiv", "")
    with files["cells.csv"].open() as file:
        records = list(csv.DictReader(file))
    assert len(records) == 12 and {r["variant"] for r in records} == {"ga-thesis", "ga", "best-of-n"}
    assert all(r["start"] == "cold" and float(r["toy best"]) <= 1.0 for r in records)
    assert files["table-4.md"].read_text().count("\n") == 5
    assert files["curves-4.png"].read_bytes().startswith(b"\x89PNG")


def test_without_pyarrow_parquet_is_left_out_or_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"zeuxis\[parquet\]"):
        write_parquet(tmp_path / "cells.parquet", [{"a": 1}])
    folder = ExperimentFolder(tmp_path / "run")
    carry_out(small(seeds=1), folder)
    assert not [path for path in write_results(folder) if path.suffix == ".parquet"]
    with pytest.raises(MissingExtra):
        write_results(folder, parquet=True)


def test_parquet_holds_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(tmp_path / "t.parquet", [{"a": 1, "b": None, "c": "x"}, {"a": 2, "b": 0.5, "c": "y"}])
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist()[1] == {"a": 2, "b": 0.5, "c": "y"}


def test_the_command_compares_and_goes_on(tmp_path):
    out = tmp_path / "exp"
    words = ["compare", "--search", "ga", "--generator", "toy", "--scorer", "toy", "--judge", "toy"]
    words += ["--phrase", "a red disc", "--seeds", "1", "--population", "4", "--generations", "3", "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert str(out / "report.html") in result.output
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 0 and len((out / "cells.jsonl").read_text().splitlines()) == 2
    wrong = CliRunner().invoke(app, [*words, "--search", "gaa"])
    assert wrong.exit_code == 2 and "gaa" in wrong.output
    assert json.loads((out / "design.json").read_text())["precision"] in ("fp32", "bf16")
