"""Studies as jobs of kind "evaluate": checked before anything begins, taken up again, with numbers that line up."""

import csv
import sys
import threading

import pytest

from zeuxis import plugins
from zeuxis.errors import BadInput
from zeuxis.experiments import worker
from zeuxis.experiments.driver import Settings, check_jobs, run_experiment
from zeuxis.experiments.jobs import Job, make_plan
from zeuxis.experiments.kinds import EVALUATIONS
from zeuxis.experiments.work import carry_out_job
from zeuxis.studies import breed, carry, fooling_answer, generators, leakage, searches_answer, similarity
from zeuxis.studies.carry import MOST_FIGURES, in_a_row
from zeuxis.studies.questions import QUESTIONS

TOY = {"generator": "toy", "scorer": "toy", "population": 4, "repetitions": 1}
SIMILARITY = {**TOY, "evaluation": "similarity", "search": "ga", "phrase": "a red disc", "generations": 3}
SMALL = {
    "fooling": {**TOY, "search": "random", "classifier": "toy", "generations": 1},
    "searches": {**TOY, "search": "ga", "judge": "toy", "phrase": "a red disc", "generations": 2, "view_every": 1},
    "leakage": {**TOY, "search": "random", "phrase": "a red disc on cyan", "generations": 1},
    "generators": {**TOY, "search": "random", "judge": "toy", "phrase": "a red disc", "generations": 1},
}


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """Figures take a second each, and are tested elsewhere."""
    for module in (fooling_answer, generators, leakage, searches_answer, similarity):
        for name in [name for name in vars(module) if name.endswith("_png") and name != "grid_png"]:
            monkeypatch.setattr(module, name, lambda *what, **how: b"")


def plan_of(config, **more):
    return make_plan({"jobs": [{"name": "studies", "kind": "evaluate", "config": config, **more}]})


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_question_is_an_evaluation():
    assert {question.kind for question in QUESTIONS} < set(EVALUATIONS)


def test_a_grid_of_studies_is_one_table_of_numbers(tmp_path):
    plan = plan_of(SIMILARITY, grid={"search": ["ga", "random"]}, seeds=2)
    done = run_experiment(plan, tmp_path / "here")
    assert done.done == 4 and not done.failed
    found = rows(tmp_path / "here/table.csv")
    assert [(r["search"], r["seed"]) for r in found] == [("ga", "0"), ("random", "0"), ("ga", "1"), ("random", "1")]
    assert all(float(r["best"]) >= float(r["prior_highest"]) - 1e-5 for r in found)  # names without what is alike
    work = tmp_path / "here/jobs" / plan.all_jobs()[0].key / "work"
    assert (work / "report.html").exists() and (work / "ranges.csv").exists()
    run_experiment(plan, tmp_path / "there", Settings("processes", 1))
    assert (tmp_path / "here/table.csv").read_bytes() == (tmp_path / "there/table.csv").read_bytes()


@pytest.mark.parametrize("kind", SMALL)
def test_each_question_gives_numbers(kind, tmp_path):
    (tmp_path / "classes.txt").write_text("red disc\nblue disc\n")
    classes = {"classes": str(tmp_path / "classes.txt")} if kind == "fooling" else {}
    job = Job("evaluate", {"evaluation": kind, **SMALL[kind], **classes})
    result = carry_out_job(str(tmp_path / "out"), job, 3, False).result
    assert result is not None and result.status == "done", result
    expected = {"fooling": "accuracy", "searches": "ga best", "leakage": "inside_rise", "generators": "mean"}
    assert expected[kind] in result.numbers, result.numbers
    if kind == "fooling":
        assert result.numbers["accuracy"] == pytest.approx(
            (result.numbers["red disc accuracy"] + result.numbers["blue disc accuracy"]) / 2
        )


def test_one_that_is_asked_to_end_saves_its_state_and_repeats_nothing(tmp_path, monkeypatch):
    config = {**SIMILARITY, "repetitions": 2, "search": ["ga", "random"]}
    whole = carry_out_job(str(tmp_path / "whole"), Job("evaluate", config), 3, False).result
    opened, real = [], breed.open_session
    monkeypatch.setattr(breed, "open_session", lambda c, place, **more: opened.append(place) or real(c, place, **more))
    asks, asked = [], threading.Event()

    def question():
        asks.append(1)
        if len(asks) == 12:
            asked.set()
        return asked.is_set()

    monkeypatch.setattr(worker._Stop, "asked", staticmethod(question))
    outcome = carry_out_job(str(tmp_path / "broken"), Job("evaluate", config), 3, False)
    assert outcome.ended == "stopped" and outcome.result is None and 0 < len(opened) < 4
    before = len(opened)
    monkeypatch.setattr(worker._Stop, "asked", staticmethod(lambda: False))
    again = carry_out_job(str(tmp_path / "broken"), Job("evaluate", config), 3, False).result
    assert again.numbers == whole.numbers and len(opened) - before <= 5 - before  # the one broken off goes on
    assert len(set(opened)) == 4


def test_a_finished_study_whose_result_was_lost_is_read(tmp_path, monkeypatch):
    job = Job("evaluate", SIMILARITY)
    first = carry_out_job(str(tmp_path), job, 3, False).result
    next(tmp_path.glob("jobs/*/result.json")).unlink()
    monkeypatch.setattr(carry, "write_page", lambda *what: pytest.fail("made anew"))
    assert carry_out_job(str(tmp_path), job, 3, False).result.numbers == first.numbers


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"phrse": "x"}, "phrase"),
        ({"population": 0}, "population"),
        ({"search": "ga =4"}, "search"),
        ({"repetitions": "many"}, "repetitions"),
        ({"evaluation": "similarty"}, "Did you mean similarity"),
    ],
)
def test_a_study_that_cannot_work_is_refused_before_anything_is_done(change, said, tmp_path):
    with pytest.raises(BadInput, match=said) as error:
        run_experiment(plan_of({**SIMILARITY, **change}), tmp_path / "out")
    assert str(error.value).startswith("studies: ") and not (tmp_path / "out").exists()


def test_code_and_paths_that_only_the_file_names(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "_trusted", set())
    (tmp_path / "g.safetensors").write_bytes(b"")
    for change, said in (
        ({"generator": "nosuchmodule:Own"}, "--generator nosuchmodule:Own"),
        ({"scorer": "nosuchmodule:Own"}, "--scorer nosuchmodule:Own"),
        ({"generator": str(tmp_path / "g.safetensors")}, "generator .*g.safetensors"),
        ({"scorer": [str(tmp_path / "g.safetensors:0.5")]}, "scorer .*g.safetensors"),
        ({"search": "ga judge=/net/j.npz"}, "judge '/net/j.npz'"),
    ):
        with pytest.raises(BadInput, match=said):
            check_jobs(plan_of({**SIMILARITY, **change}).all_jobs(), {}, False)
    fooling = {"evaluation": "fooling", "classes": "mine.txt", "real": "a/b", "classifier": "c/d.pth"}
    with pytest.raises(BadInput, match=r"classifier 'c/d.pth', classes 'mine.txt', real 'a/b'.*--trust-paths"):
        check_jobs(plan_of(fooling).all_jobs(), {}, False)
    sentences = {**SIMILARITY, "phrase": ["a 3.5 inch disc", "either/or"]}
    assert check_jobs(plan_of(sentences).all_jobs(), {}, False) == {}  # phrases are no paths
    assert "nosuchmodule" not in sys.modules and not plugins.trusted()


def test_figures_in_a_row():
    records = [{"search": s, "phrase": p, "a": 1.0, "b": None} for s in ("x", "y") for p in ("long " * 30,)]
    assert in_a_row(records, ("search", "phrase"), ("a", "b")) == {"x a": 1.0, "y a": 1.0}
    assert in_a_row(records[:1], ("search", "phrase"), ("a",)) == {"a": 1.0}
    many = [{"phrase": f"{'w' * 60} {k}", "a": k} for k in range(MOST_FIGURES + 5)]
    found = in_a_row(many, ("phrase",), ("a",))
    assert len(found) == MOST_FIGURES and max(map(len, found)) < 60
