"""The table of `benchmarks/over_optimisation.py`: what is counted, what a missing figure does, what is asked."""

import importlib
import json
import math
import sys
from pathlib import Path

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)

    yield importlib.import_module("over_optimisation")
    for name in ("over_optimisation", "manifold", "phrases"):
        sys.modules.pop(name, None)


def row(phrase, seed, name, **figures):
    plain = {"judge": 0.2, "judge_best": 0.2, "inside": 0.8, "real_inside": 0.8, "frechet": 100.0, "floor": 80.0,
             "effective": 40.0, "score": 0.7, "images": 640}  # fmt: skip
    shared = {"phrase": phrase, "data": "products", "seed": seed, "budget": 640, "configuration": name}
    return shared | {"stopped": False} | plain | figures


def test_a_figure_is_a_mean_and_a_difference_over_whole_phrases(table):
    rows = [row(p, s, "best of N") for p in "ab" for s in (0, 1)]
    rows += [row("a", s, "default", judge=0.5, inside=0.7, effective=20) for s in (0, 1)]
    rows += [row("b", s, "default", judge=0.3, inside=0.78, effective=50) for s in (0, 1)]
    rows += [row("c", 0, "default"), row("a", 2, "best of N")]  # without their pair: not counted
    found = table.summary(rows)["products"]
    assert (found["phrases"], found["seeds"], found["pairs"], found["budget"]) == (["a", "b"], 2, 4, [640])
    judge = found["configurations"]["default"]["judge"]
    assert judge["mean"][0] == 0.4 and judge["gain"] == pytest.approx([0.2, 0.1, 0.3]) and judge["phrases"] == 2
    asked = found["asked"]["default"]
    assert asked["phrases short of the real share inside by more than 0.05"] == {"a": -0.1}
    assert asked["judge gains"] is True and asked["half of the population differs"] is True  # 35 of 64 on average


def test_a_phrase_without_a_class_counts_for_all_but_the_judge(table, tmp_path, capsys):
    rows = [
        row(p, 0, name, judge=judge) for p, judge in (("a", 0.4), ("b", math.nan)) for name in ("best of N", "default")
    ]
    rows[1]["judge"] = 0.6
    told = table.summary(rows)
    figures = told["products"]["configurations"]["default"]
    assert figures["judge"]["phrases"] == 1 and figures["judge"]["gain"][0] == pytest.approx(0.2)
    assert figures["inside"]["phrases"] == 2
    json.loads(json.dumps(told, allow_nan=False))
    table.report(told)
    assert "nan" not in capsys.readouterr().out
    (tmp_path / "rows.jsonl").write_text(json.dumps(rows[0]) + "\n" + json.dumps(rows[1])[:40])
    assert table.read_rows(tmp_path) == rows[:1]  # the line that was cut is made again


def test_equal_images_for_every_configuration_and_twenty_phrases_of_each_set(table):
    for images in (640, 1280, 3584):
        config = table.settings("a red shoe", "products", "cma-ga", 0, images)
        focus, spread = (config.options[name] for name in ("focus", "spread"))
        assert 64 + 8 * focus + 64 * spread == images == config.budget
        assert table.settings("a red shoe", "products", "default", 0, images).budget == images
    for of in table.PHRASES.values():
        assert len(of) == len({phrase for phrase, _ in of}) == 20
    assert len(table.manifold.PHRASES) == 12
