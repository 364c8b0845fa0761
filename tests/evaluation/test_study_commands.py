"""`zeuxis evaluate searches|similarity|leakage|generators` on toys: a page, tables that add up, one sentence else."""

import csv
import json

import pytest
from study_helpers import TOY, check_page, contents, evaluate, without_figures

from zeuxis import workflows
from zeuxis.config import RunConfig
from zeuxis.errors import BadInput, UnknownName
from zeuxis.plugins import trusted
from zeuxis.prompts.auto import settle
from zeuxis.prompts.series import escaped
from zeuxis.storage.checksummed import checked_line, checksummed_json, verified_json, verified_line
from zeuxis.studies import breed, generators, leakage, searches_answer, similarity
from zeuxis.studies.questions import BASELINES, QUESTIONS, Similarity
from zeuxis.studies.settings import Settings

SMALL = {
    "searches": (*TOY, "--search", "ga", "--phrase", "a red disc", "--judge", "toy", "--generations", "4",
                 "--view-every", "2", "--repetitions", "2"),
    "similarity": (*TOY, "--search", "ga", "--phrase", "a red disc", "--generations", "3"),
    "leakage": (*TOY, "--search", "ga", "--phrase", "a red disc on cyan", "--generations", "1", "--repetitions", "2"),
    "generators": ("--generator", "toy", "--scorer", "toy", "--judge", "toy", "--population", "4", "--precision",
                   "fp32", "--search", "ga", "--phrase", "a red disc", "--generations", "1", "--repetitions", "2"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_figures(monkeypatch, request):
    if request.function is not test_the_figures_are_drawn:
        for module in (searches_answer, similarity, leakage, generators):
            without_figures(monkeypatch, module)


@pytest.mark.parametrize("kind", ["fooling", "searches"])
def test_one_generator_is_asked_for_where_pictures_are_compared(kind, tmp_path):
    few = ("--generator", "auto", "--population", "4", "--repetitions", "1", "--generations", "1")
    result = evaluate(kind, *few, *(("--phrase", "a cat") if kind == "searches" else ()), "--out", tmp_path / "out")
    assert result.exit_code == 2 and "Expected one generator for all phrases, got auto" in result.output


def test_the_phrase_without_its_colour_is_drawn_by_the_same_generator(tmp_path):
    few = ("--population", "4", "--repetitions", "1", "--generations", "0", "--search", "default")
    assert evaluate("leakage", *few, "--phrase", "a red apple", "--out", tmp_path / "out").exit_code == 0
    configs = [verified_json(path)["config"] for path in (tmp_path / "out").rglob("run.json")]
    assert len(configs) == 2 and len({(c["generator"], *c["scorer"]) for c in configs}) == 1
    assert len({settle(RunConfig(prompt=(said,)))[0].generator for said in ("a red apple", "an apple")}) == 2


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["similarity", "generators"])
def test_a_small_one_and_the_same_again(kind, tmp_path, monkeypatch):
    out = tmp_path / "out"
    phrase = "a red disc"
    result = evaluate(kind, *SMALL[kind], "--out", out)
    assert result.exit_code == 0, result.output
    assert phrase in result.output and str(out / "report.html") in result.output
    check_page(out / "report.html")
    record = verified_json(out / "evaluation.json")
    assert (
        record["finished"] and record["evaluation"] == kind and record["command"].startswith(f"zeuxis evaluate {kind}")
    )
    assert {"zeuxis", "software", "machine", "seeds", "settings"} <= set(record)
    before = contents(out)
    monkeypatch.setattr(breed, "open_session", lambda *a, **more: pytest.fail("a run was opened"))
    again = evaluate(kind, *SMALL[kind], "--out", out)
    assert again.exit_code == 0 and contents(out) == before
    assert again.output.partition("finished before:")[2].strip() in result.output


def test_searches_have_their_baselines_and_the_same_images(tmp_path):
    result = evaluate("searches", *SMALL["searches"], "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = {row["search"] for row in rows(tmp_path / "out/searches.csv")}
    assert names == {"ga", *BASELINES}
    curves = rows(tmp_path / "out/curves.csv")
    assert max(int(row["images"]) for row in curves) <= 4 * 4 and {row["seed"] for row in curves} == {"0", "1"}
    for name in names:
        best = [float(row["best_so_far"]) for row in curves if (row["search"], row["seed"]) == (name, "0")]
        assert best == sorted(best)
    check_page(tmp_path / "out/report.html")


def test_leakage_breeds_with_the_word_and_without(tmp_path):
    result = evaluate("leakage", *SMALL["leakage"], "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    pictures = rows(tmp_path / "out/pictures.csv")
    assert len(pictures) == 2 * 2 * 4 and {row["word"] for row in pictures} == {"with", "without"}
    (line,) = rows(tmp_path / "out/leakage.csv")
    for word in ("with", "without"):
        mine = [float(row["inside"]) for row in pictures if row["word"] == word]
        assert float(line[f"inside_{word}"]) == pytest.approx(sum(mine) / len(mine), abs=1e-4)
    check_page(tmp_path / "out/report.html")
    result = evaluate("leakage", *SMALL["leakage"], "--phrase", "x", "--out", tmp_path / "no")
    assert result.exit_code == 2 and "one colour word" in result.output and not (tmp_path / "no").exists()


@pytest.mark.parametrize("how", ["flipped", "foreign", "link", "other", "nested"])
def test_a_damaged_or_foreign_folder_is_one_sentence(how, tmp_path):
    out = tmp_path / "out"
    assert evaluate("similarity", *SMALL["similarity"], "--out", out).exit_code == 0
    record = out / "evaluation.json"
    if how == "flipped":
        record.write_text(record.read_text().replace('"finished": true', '"finished": false'))
    elif how == "foreign":
        record.write_bytes(checksummed_json(json.loads(record.read_text()) | {"results": {"tables": [3]}}))
    elif how == "nested":
        record.write_text("[" * 10_000)
    elif how == "link":
        record.rename(tmp_path / "elsewhere")
        record.symlink_to(tmp_path / "elsewhere")
    kind = "leakage" if how == "other" else "similarity"
    before = contents(tmp_path)
    result = evaluate(kind, *SMALL[kind], "--out", out)
    assert result.exit_code == 2 and "Error:" in result.output and "Traceback" not in result.output, result.output
    assert contents(tmp_path) == before


@pytest.mark.parametrize("wrong", [{"best": ["x"]}, {"shown": [[10**9, 0, 0.0]]}, {"images": []}, {"more": 1}])
def test_lines_that_no_study_wrote(wrong, tmp_path):
    out, kind = tmp_path / "out", "similarity"
    assert evaluate(kind, *SMALL[kind], "--out", out).exit_code == 0
    given = {"generator": "toy", "scorer": ["toy"], "population": 4, "precision": "fp32", "search": ["ga"]}
    key = Similarity.made({**given, "phrase": ["a red disc"], "generations": 3}).key
    row, _ = verified_line((out / "cells.jsonl").read_bytes(), key)
    (out / "cells.jsonl").write_text(checked_line(row | wrong, key) + "\n")
    (out / "report.html").unlink()
    result = evaluate(kind, *SMALL[kind], "--out", out)
    if "shown" in wrong:
        assert result.exit_code == 2 and "cells.jsonl is damaged" in result.output
    else:
        assert result.exit_code == 0 and "1 of 1" in result.output  # the cell is done again


def test_from_python(tmp_path):
    heard = []
    fields = {"generator": "toy", "scorer": ["toy"], "population": 4, "search": ["random"], "phrase": ["a red disc"]}
    record = workflows.evaluate("similarity", tmp_path / "out", listener=lambda *what: heard.append(what[:2]),
                                generations=1, **fields)  # fmt: skip
    assert record["finished"] and heard == [(1, 1)]
    with pytest.raises(BadInput, match="--population"):
        workflows.evaluate("similarity", tmp_path / "no", population=0)
    with pytest.raises(UnknownName, match="fooling"):
        workflows.evaluate("foolng", tmp_path / "no")


def test_a_link_among_the_runs_is_not_followed(tmp_path):
    out = tmp_path / "out"
    assert evaluate("similarity", *SMALL["similarity"], "--out", out).exit_code == 0
    (out / "report.html").unlink()
    (out / "cells.jsonl").unlink()
    (tmp_path / "victim").mkdir()
    for place in (out / "runs/ga").iterdir():
        place.rename(tmp_path / "kept")
        place.symlink_to(tmp_path / "victim")
    result = evaluate("similarity", *SMALL["similarity"], "--out", out)
    assert result.exit_code == 2 and "link" in result.output and not list((tmp_path / "victim").iterdir())


def test_evil_words_stay_words(tmp_path):
    evil = "a red disc </title><script>alert(1)</script> {{ 7*7 }}"
    words = [escaped(evil) if w == "a red disc" else w for w in SMALL["similarity"]]
    assert evaluate("similarity", *words, "--out", tmp_path / "out").exit_code == 0
    text = check_page(tmp_path / "out/report.html")
    assert "<script" not in text and "{{ 7*7 }}" in text


def test_code_is_imported_only_when_said(tmp_path):
    words = [w if w != "toy" else "nosuchmodule:Scorer" for w in SMALL["similarity"]]
    result = evaluate("similarity", *words, "--out", tmp_path / "out")
    assert result.exit_code == 2 and "nosuchmodule:Scorer" in trusted() and not (tmp_path / "out").exists()


def test_the_command_of_a_study_makes_the_same_study():
    for kind in QUESTIONS:
        plain = kind.made({})
        assert plain.command("out") == f"zeuxis evaluate {kind.kind} --out out"
    one = QUESTIONS[0].made({"search": ["-x", "default"], "repetitions": 3})
    assert "--search=-x --search default" in one.command("-o") and one.command("-o").endswith("--out=-o")
    assert one.key == one.model_copy(update={"repetitions": 9}).key != one.model_copy(update={"seed": 1}).key
    assert issubclass(QUESTIONS[0], Settings)


def test_the_scorer_suits_the_generator_unless_another_is_named():
    fooling, leakage = (next(kind for kind in QUESTIONS if kind.kind == name) for name in ("fooling", "leakage"))
    assert fooling.made({}).scorer == ("pocket",) and leakage.made({}).scorer == ("auto",)  # auto: by each phrase
    things = fooling.made({"generator": "pocket-things"})
    assert things.scorer == ("pocket-64",) and fooling.made({"generator": "own.safetensors"}).scorer == ("pocket",)
    assert things.key == fooling.made({"generator": "pocket-things", "scorer": ["auto"]}).key
    assert things.command("out") == "zeuxis evaluate fooling --generator pocket-things --out out"
    assert "--scorer pocket " in fooling.made({"generator": "pocket-things", "scorer": ["pocket"]}).command("out")
    searches, generators = (next(kind for kind in QUESTIONS if kind.kind == n) for n in ("searches", "generators"))
    assert (
        searches.made({"generator": "pocket-products"}).judge == "mobilenet-v1" and searches.made({}).judge == "pocket"
    )
    for given in ({}, {"generator": ["pocket"]}):
        with pytest.raises(BadInput, match="expected one scorer for all generators, got auto"):
            generators.made({**given, "scorer": ["auto"]})
    with pytest.raises(BadInput):
        searches.made({"generator": ["pocket"]})


def test_the_figures_are_drawn(drawn, tmp_path):
    assert evaluate("searches", *SMALL["searches"], "--out", tmp_path / "out").exit_code == 0
    assert {"best.png", "mean.png", "judge-0.png"} <= {p.name for p in (tmp_path / "out").iterdir()}
