"""The page and the Parquet files of an experiment of jobs: every number, with its interval, in files that open."""

import csv
import re
import subprocess
import sys

import pytest
from naps import group
from scipy import stats
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import BadInput, MissingExtra
from zeuxis.experiments import jobs_page, records
from zeuxis.experiments.driver import Settings, run_experiment
from zeuxis.experiments.jobs import Job, make_plan
from zeuxis.experiments.jobs_page import numbers_of
from zeuxis.experiments.records import write_parquet
from zeuxis.experiments.results import Result
from zeuxis.metrics.intervals import student


def page_of(out):
    """The text of a page that opens offline: no script, nothing from elsewhere."""
    text = (out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|iframe|object|link|form|base)\b|\son\w+=|@import|url\(", text)
    assert all(place.startswith("data:image/") for place in re.findall(r"\s(?:src|href)=\"([^\"]{0,40})", text))
    return " ".join(text.split())


def grid(seeds=3, **more):
    return make_plan({"name": "a grid", "about": "A question.", "jobs": [
        {**group("waves", seeds), "grid": {"seconds": [0.0, 0.001], "fails": ["", "word"]}, **more}]})  # fmt: skip


def test_a_page_with_means_intervals_figures_failures_and_the_command(place, monkeypatch):
    drawn = []
    real = jobs_page.means_png
    monkeypatch.setattr(jobs_page, "means_png", lambda *what: drawn.append(what) or real(*what))
    words = "zeuxis experiment 'a file.toml' --out out"
    done = run_experiment(grid(), place / "out", Settings(command=words))
    assert done.files[-1] == place / "out/report.html" and len(done.failed) == 6
    text = page_of(place / "out")
    expected = ["a grid", "A question.", "6 of 12 jobs done, 6 failed", "zeuxis experiment &#39;a file.toml&#39;"]
    expected += ["ValueError: a wrong word", "table.csv", "one training seed of each", "Python 3.", "torch 2."]
    assert [said for said in expected if said not in text] == []
    mean, low, high = student([0.0, 0.841470985, 0.909297427])
    assert f"{mean:.4g} ({low:.4g} to {high:.4g})" in text
    (names, series, what), *_ = drawn
    assert names == ["0.0", "0.001"] and list(series) == ["value"] and what == "value"  # "fails" has one value left
    assert series["value"][0] == pytest.approx((mean, low, high))
    assert "Three" not in text and "3 seeds." in text


def test_nothing_done_one_seed_and_evil_words_still_make_a_page(place):
    evil = "<script>alert(1)</script> {{ 7*7 }}"
    plan = make_plan({"name": "x", "about": evil, "jobs": [group("bad", 1, fails="word"), group("good", 1)]})
    run_experiment(plan, place / "out")
    text = page_of(place / "out")
    assert "<script>alert" not in text and "{{ 7*7 }}" in text and "No job of this group is done." in text
    assert "One seed." in text and "95 %" not in text


def test_numbers_that_are_alike_are_said_once_and_texts_are_no_means():
    def ended(seed, **numbers):
        return Job("run", {"seed": seed}, varied={"seed": seed, "a": 1}), Result(
            job="0" * 16, status="done", numbers=numbers
        )

    found = numbers_of([ended(0, x=1.0, same=3, word="a", some=None), ended(1, x=2.0, same=3, word="b", some=4)])
    assert found.names == ("x", "some") and found.alike == {"same": 3} and list(found.points) == [("1",)]
    assert found.values(("1",), "some") == [4.0] and found.estimate(("1",), "x")[0] == 1.5


@pytest.mark.parametrize("count", [2, 3, 10, 31, 40])
def test_intervals_over_seeds_are_students(count):
    values = [float(k**2 % 7) for k in range(count)]
    mean, low, high = student(values)
    expected = stats.t.interval(0.95, count - 1, loc=mean, scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=2e-2 if count > 31 else 1e-4)
    assert student([2.0]) == (2.0, 2.0, 2.0)
    with pytest.raises(BadInput):
        student([1.0, float("nan")])


def test_parquet_holds_what_csv_holds(place):
    parquet = pytest.importorskip("pyarrow.parquet")
    run_experiment(grid(2), place / "out", Settings(parquet=True))
    for name in ("table", "timing"):
        found = parquet.read_table(place / f"out/{name}.parquet").to_pylist()
        with (place / f"out/{name}.csv").open(newline="") as file:
            plain = list(csv.DictReader(file))
        assert [list(row) for row in found] == [list(row) for row in plain]
        for row, line in zip(found, plain, strict=True):
            assert {k: "" if v is None else str(v) for k, v in row.items()} == line


def test_columns_that_parquet_has_no_type_for_are_texts(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"mixed": 1, "large": 2**70, "real": 1}, {"mixed": "a", "large": 1, "real": 0.5, "late": True}]
    found = parquet.read_table(write_parquet(tmp_path / "x.parquet", rows)).to_pylist()
    assert found[0] == {"mixed": "1", "large": str(2**70), "real": 1.0, "late": None}
    assert found[1] == {"mixed": "a", "large": "1", "real": 0.5, "late": True}
    assert parquet.read_table(write_parquet(tmp_path / "empty.parquet", [])).num_rows == 0


def test_without_pyarrow_one_sentence_only_where_it_was_asked_for(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run_experiment(grid(1), place / "out").files[-1].name == "report.html"
    assert not list((place / "out").glob("*.parquet"))
    with pytest.raises(MissingExtra, match="pyarrow") as error:
        run_experiment(grid(1), place / "out", Settings(parquet=True))
    assert "\n" not in str(error.value) and (place / "out/table.csv").exists()
    assert records.write_csv


def test_the_command_on_the_page_is_the_one_that_was_typed(place):
    (place / "naps.toml").write_text(
        '[[jobs]]\nname = "n"\nkind = "evaluate"\nconfig = {evaluation = "naps_of_tests:nap"}\n'
    )
    words = ["experiment", "naps.toml", "--out", "my out", "--evaluation", "naps_of_tests:nap"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and "report.html" in done.output
    expected = "zeuxis experiment naps.toml --out &#39;my out&#39; --executor local --workers 1"
    assert f"{expected} --evaluation=naps_of_tests:nap" in page_of(place / "my out")
    assert "report.html" in CliRunner().invoke(app, ["experiment", "show", "my out"]).output


def test_a_driver_without_results_to_write_needs_no_torch():
    code = "import sys, zeuxis.experiments.driver, zeuxis.studies.jobs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
