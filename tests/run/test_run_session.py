"""Sessions: what a run folder holds, stopping and going on, and what is refused."""

import json
import re
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from run_helpers import fingerprint, generate, resume, run_to_the_end, toy_config

from zeuxis.compute.device import choose_device
from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, RunError, SearchStopped, UnknownName
from zeuxis.prompts.auto import settle
from zeuxis.prompts.series import slug
from zeuxis.rng import stream
from zeuxis.run import RunFolder, open_session, reopen_session
from zeuxis.run.paths import fresh_folder
from zeuxis.run.store import copied, detached
from zeuxis.scorers.toy import ToyScorer
from zeuxis.search import SEARCHES
from zeuxis.spaces import Normal
from zeuxis.types import Evaluation, Event

TOYS = {"generator": "toy", "scorer": "toy", "judge": "toy", "search": "ga", "device": "cpu", "precision": "fp32"}
TOYS |= {"micro_batch": 4, "augment": 0}


@pytest.fixture
def folder(tmp_path):
    run_to_the_end(toy_config(), tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_ten_lines_make_pictures(tmp_path):
    seen = []
    summary = generate(
        "a red disc on white", out=tmp_path / "run", population=4, generations=3, listener=seen.append, **TOYS
    )
    assert [event.generation for event in seen] == [0, 1, 2, 3]
    assert summary.reason == "All 3 generations are done."
    assert (summary.generations, summary.images) == (4, 16)
    assert summary.best.score == max(float(event.evaluation.score.max()) for event in seen)
    assert "ground" in summary.description


def test_a_run_folder_holds_what_the_design_says(folder):
    names = {str(p.relative_to(folder.path)) for p in folder.path.glob("**/*") if p.is_file()}
    assert names == {
        "run.json",
        "summary.json",
        "timing.jsonl",
        "lock",
        *(f"log/00000{k}.safetensors" for k in range(5)),
        *(f"checkpoint/00000{k}.safetensors" for k in (0, 4)),
        *(f"images/generation-00000{k}.png" for k in (0, 2, 4)),
        *(f"images/final-000{k}.png" for k in range(4)),
        *(f"images/{name}.png" for name in ("final", "best", "best_x8")),
    }


def test_run_json_says_where_the_run_comes_from(folder):
    record = json.loads(folder.record_path.read_text())
    assert record["prompt"] == "a red disc on white" and record["seed"] == 7
    assert RunConfig.model_validate(record["config"]) == settle(toy_config())[0] == folder.config
    assert set(record["software"]) >= {"zeuxis", "torch", "python"}
    assert set(record["machine"]) >= {"cpu", "device"}
    models = record["models"]
    assert all(len(m["sha256"]) == 64 for m in (models["generator"], *models["scorers"], models["judge"]))
    assert record["decisions"]["gate"]["precision"] == "fp32"


def test_no_pickle_in_the_folder(folder):
    assert not any(p.read_bytes()[:2] == b"\x80\x04" for p in folder.path.glob("**/*") if p.is_file())


def test_the_history_is_what_happened(tmp_path):
    with open_session(toy_config(), tmp_path) as session:
        events = list(session)
    for row, event in zip(RunFolder(tmp_path).history(), events, strict=True):
        score = event.evaluation.score
        assert (row.generation, row.images_so_far) == (event.generation, event.images_so_far)
        assert (row.best_score, row.best, row.worst) == (event.best_score, float(score.max()), float(score.min()))
        assert row.mean == pytest.approx(float(score.mean()), abs=1e-6)
        assert row.unscored == 0 and row.images_per_second > 0
        assert (row.judged is not None) == (event.generation % 2 == 0)


def test_the_log_gives_back_latents_scores_and_parts(tmp_path):
    with open_session(toy_config(), tmp_path) as session:
        events = list(session)
    folder = RunFolder(tmp_path)
    for event in events:
        assert torch.equal(folder.latents(event.generation), event.batch.x)
        assert torch.equal(folder.scores(event.generation), event.evaluation.score)
        assert torch.equal(folder.entry(event.generation).evaluation.parts["toy"], event.evaluation.parts["toy"])
    with pytest.raises(BadInput, match="no generation 5"):
        folder.entry(5)


def test_the_best_of_the_folder_is_the_best_of_the_search(tmp_path):
    with open_session(toy_config(), tmp_path) as session:
        for event in session:
            last = event
    best = RunFolder(tmp_path).best
    assert best.score == last.best_score and torch.equal(best.latent, last.best_latent)


def test_the_summary_is_json_that_anyone_can_read(folder):
    text = folder.summary_path.read_text()
    summary = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert summary["reason"] == "All 4 generations are done."
    scores = [one["score"] for one in summary["population"]]
    assert scores == sorted(scores, reverse=True) and scores[0] == summary["best"]["score"]
    assert len(summary["judge"]["population"]) == 4


def test_a_folder_that_is_no_run_is_said(tmp_path):
    with pytest.raises(BadInput, match=r"no run\.json"):
        reopen_session(tmp_path)
    with pytest.raises(RunError, match="not been finished"):
        RunFolder(tmp_path).summary()


@pytest.mark.parametrize("stop", range(5))
@pytest.mark.parametrize("search", ["ga", "de", "random"])
def test_broken_off_anywhere_and_resumed_is_the_unbroken_run(tmp_path, search, stop):
    config = toy_config(search=search)
    run_to_the_end(config, tmp_path / "unbroken")
    with open_session(config, tmp_path / "run") as session:
        for event in session:
            if event.generation == stop:
                break
    assert run_to_the_end(config, tmp_path / "run") == list(range(stop + 1, 5))
    assert fingerprint(tmp_path / "run") == fingerprint(tmp_path / "unbroken")


def test_a_for_that_was_broken_off_can_be_taken_up_again(tmp_path):
    with open_session(toy_config(), tmp_path) as session:
        for event in session:
            if event.generation == 1:
                break
        assert [event.generation for event in session] == [2, 3, 4]


@pytest.mark.parametrize("where", ["score", "tell"])
def test_ctrl_c_keeps_every_finished_generation(tmp_path, monkeypatch, where):
    run_to_the_end(toy_config(), tmp_path / "unbroken")
    with open_session(toy_config(), tmp_path / "run") as session:
        target = (session.problem.scorer.scorers[0], "score") if where == "score" else (session.search, "tell")
        original, calls = getattr(*target), []

        def interrupted(*arguments):
            calls.append(1)
            result = original(*arguments)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return result

        monkeypatch.setattr(*target, interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(session)
        monkeypatch.undo()
        summary = session.finish()
    assert summary.generations == 2 and "Interrupted" in summary.reason
    assert run_to_the_end(toy_config(), tmp_path / "run") == [2, 3, 4]
    assert fingerprint(tmp_path / "run") == fingerprint(tmp_path / "unbroken")


def test_an_interruption_before_the_first_generation_leaves_nothing_to_show(tmp_path):
    with open_session(toy_config(), tmp_path) as session, pytest.raises(RunError, match="nothing to show"):
        session.finish()


def test_a_finished_run_has_nothing_left_to_do(folder):
    wanted = fingerprint(folder.path)
    assert run_to_the_end(toy_config(), folder.path) == []
    assert fingerprint(folder.path) == wanted


def test_a_resumed_run_may_be_given_another_end(folder, tmp_path):
    summary = resume(folder.path, generations=6)
    run_to_the_end(toy_config(generations=6), tmp_path / "unbroken")
    assert summary.generations == 7 and RunFolder(folder.path).config.generations == 6
    assert fingerprint(folder.path) == fingerprint(tmp_path / "unbroken")


def test_a_resumed_run_may_not_be_given_another_question(folder):
    with pytest.raises(BadInput, match="got population"):
        resume(folder.path, population=8)
    with pytest.raises(BadInput, match="seed = 7, got 8"):
        open_session(toy_config(seed=8), folder.path)


def test_other_weights_are_refused_on_resume(folder, monkeypatch):
    monkeypatch.setattr(ToyScorer, "sha256", "0" * 64)
    with pytest.raises(BadInput, match="other weights"):
        resume(folder.path)


def test_another_version_is_noted_on_resume(folder, monkeypatch):
    monkeypatch.setattr("zeuxis.compute.device.__version__", "9.9")
    with reopen_session(folder.path) as session:
        assert any("zeuxis 0.1.0 -> 9.9" in note for note in session.notes)
    assert any("9.9" in note for note in RunFolder(folder.path).notes)


@pytest.mark.parametrize("population", [1, 2, 5])
@pytest.mark.parametrize("generations", [0, 1])
def test_small_runs_work(tmp_path, population, generations):
    config = toy_config(population=population, generations=generations)
    assert run_to_the_end(config, tmp_path) == list(range(generations + 1))
    assert len(RunFolder(tmp_path).individuals()) == population


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"budget": 9}, "budget of 9 images is spent (12 evaluated)"),
        ({"target": -1.0}, "target score -1 is reached"),
        ({"patience": 1, "search": "random", "generations": 50}, "No better score for 1 generations"),
        ({"generations": 1}, "The one generation is done"),
        ({"generations": 2}, "All 2 generations are done"),
        ({"generations": 0}, "The initial population is all that was asked for"),
    ],
)
def test_the_reason_to_stop_is_a_sentence(tmp_path, fields, reason):
    with open_session(toy_config(**fields), tmp_path) as session:
        list(session)
        assert reason in session.reason
    with open_session(toy_config(**fields), tmp_path) as session:  # the same reason after a resume
        assert list(session) == [] and reason in session.reason


def test_a_search_that_sees_nothing_stops_resumably(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyScorer, "score", lambda self, images, prepared: torch.full((len(images),), torch.nan))
    for _ in range(2):
        with open_session(toy_config(), tmp_path) as session, pytest.raises(SearchStopped, match="3 generations"):
            list(session)
        assert RunFolder(tmp_path).generations == 3
    assert [row.unscored for row in RunFolder(tmp_path).history()] == [4, 4, 4]


def test_a_run_too_short_to_stop_says_why_it_has_no_best_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(ToyScorer, "score", lambda self, images, prepared: torch.full((len(images),), torch.nan))
    with open_session(toy_config(generations=1), tmp_path) as session:
        list(session)
    with pytest.raises(RunError, match=r"all are NaN.*numbers overflow"):
        _ = RunFolder(tmp_path).best


def test_why_a_search_stopped_is_what_the_summary_says(tmp_path, monkeypatch):
    original, seen = ToyScorer.score, []

    def then_blind(self, images, prepared):
        seen.append(1)
        return original(self, images, prepared) if len(seen) == 1 else torch.full((len(images),), torch.nan)

    monkeypatch.setattr(ToyScorer, "score", then_blind)
    with open_session(toy_config(generations=9), tmp_path) as session:
        with pytest.raises(SearchStopped):
            list(session)
        assert "3 generations in a row" in session.finish().reason


def test_finishing_after_the_end_of_the_session_is_refused(tmp_path):
    with open_session(toy_config(), tmp_path) as session:
        list(session)
    with pytest.raises(RunError, match="inside its `with` block"):
        session.finish()


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_some_scores_missing_do_not_stop_a_run(tmp_path, monkeypatch, share):
    original, dice = ToyScorer.score, torch.Generator().manual_seed(1)

    def patchy(self, images, prepared):
        score = original(self, images, prepared)
        return torch.where(torch.rand(len(score), generator=dice) < share, torch.nan, score)

    monkeypatch.setattr(ToyScorer, "score", patchy)
    with open_session(toy_config(population=16, generations=6), tmp_path) as session:
        events = list(session)
        session.finish()
    assert events[-1].best_score == events[-1].best_score > -1
    assert sum(row.unscored for row in RunFolder(tmp_path).history()) > 0 or share < 0.1


def test_writing_a_generation_down_takes_the_loop_less_than_one_percent_of_300_ms():
    """64 latents of 192 genes; the rest is done by the writing thread."""
    space = Normal(192)
    search = SEARCHES["ga"](space, population=64)
    batch = search.ask(stream(0, 0, "ask"))
    score = torch.rand(64, generator=stream(0, "score"))
    search.tell(batch, Evaluation(score, {"pocket": score}))
    event = Event(0, 64, batch, Evaluation(score, {"pocket": score}), *search.best)
    times = []
    for _ in range(20):
        started = time.thread_time()
        detached(event), copied(search.state_dict())
        times.append(time.thread_time() - started)
    assert min(times) < 0.003


def test_nothing_is_written_before_the_prompt_is_found_good(tmp_path):
    for fields in ({"prompt": ("a fire truck",)}, {"prompt": ()}, {"generator": "tyo"}, {"options": {"nonsense": 1}}):
        with pytest.raises(BadInput):
            open_session(toy_config(**fields), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_wrong_name_is_said_before_anything_is_loaded():
    with pytest.raises(UnknownName, match="Did you mean toy"):
        open_session(toy_config(judge="tyo"))


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match=r"holds 'thesis\.tex'"):
        open_session(toy_config(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_a_folder_a_new_one_is_made_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20260131-140502")
    summaries = [generate("a red disc", population=1, generations=0, seed=7, **TOYS) for _ in range(3)]
    names = [summary.folder.name for summary in summaries]
    assert names == [f"20260131-140502-a-red-disc-7{suffix}" for suffix in ("", "-2", "-3")]


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_prompt_makes_a_plain_folder_name(text):
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", slug(text))


@pytest.mark.parametrize("prompt", ["../../etc/passwd", "a/b\\c", "\x00", "日本語", "%s{}$(rm)", "CON", "." * 500, ""])
def test_no_prompt_leaves_the_folder_it_is_given(tmp_path, prompt):
    path = fresh_folder(toy_config(prompt=(prompt,)), tmp_path)
    assert path.parent == tmp_path and path.is_dir()


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(RunConfig.model_fields)), st.none() | st.integers() | st.text(max_size=9))
)
def test_any_fields_make_a_configuration_or_a_bad_input(fields):
    try:
        assert isinstance(make_config(**fields), RunConfig)
    except BadInput as error:
        assert "got" in str(error)


def test_an_unknown_field_is_said_with_the_nearest():
    with pytest.raises(BadInput, match=r"popluation.*Did you mean --population"):
        make_config(popluation=3)


@pytest.mark.parametrize("name", ["tpu", "cuda:77", "", "cpu:x"])
def test_a_device_that_is_not_there_is_said(name):
    with pytest.raises(BadInput, match="device"):
        choose_device(name)


def test_an_image_prompt_that_has_changed_is_refused_on_resume(tmp_path):
    file = tmp_path / "red.png"
    Image.new("RGB", (8, 8), (250, 10, 10)).save(file)
    config = toy_config(prompt=("red",), image_prompt=(str(file),))
    run_to_the_end(config, tmp_path / "run")
    assert run_to_the_end(config, tmp_path / "run") == []
    Image.new("RGB", (8, 8), (10, 10, 250)).save(file)
    with pytest.raises(BadInput, match="words or pictures in the prompt"):
        resume(tmp_path / "run")
