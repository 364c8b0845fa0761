"""Sessions that are kept in memory, the judge beside the loop, and what the writing thread is handed."""

import pytest
import torch
from run_helpers import toy_config, toy_problem

from zeuxis.errors import RunError
from zeuxis.rng import stream
from zeuxis.run import Session, judged, open_session, prepare_run, reopen_session, run
from zeuxis.run.store import CHECKPOINT_EVERY, copied, detached
from zeuxis.search import SEARCHES
from zeuxis.storage.checksummed import checksummed_json, verified_json


def test_a_session_in_memory_finds_what_one_with_a_folder_finds(tmp_path):
    with open_session(toy_config(), tmp_path / "run") as stored:
        written = [event.evaluation.score for event in stored]
    session = Session(prepare_run(toy_config()))
    kept = [event.evaluation.score for event in session]
    assert len(kept) == 5 and all(map(torch.equal, kept, written))
    assert session.reason == stored.reason == "All 4 generations are done."
    assert session.judged is not None and torch.equal(session.judged.score, stored.judged.score)


def test_a_session_in_memory_has_no_folder_and_nothing_to_finish():
    with Session(prepare_run(toy_config())) as session:
        next(iter(session))
        for use in (session.finish, lambda: session.folder):
            with pytest.raises(RunError, match="kept in memory"):
                use()


def test_stopping_rules_hold_in_memory():
    session = Session(prepare_run(toy_config(generations=50, budget=12)))
    assert [event.images_so_far for event in session] == [4, 8, 12]
    assert "budget of 12 images is spent" in session.reason


def test_the_judge_is_asked_every_so_often_and_the_search_never_hears_it():
    problem, asked = toy_problem(), []

    def judge(event):
        asked.append(event.generation)
        return problem.judge_images(event.images, event.evaluation.score, event.generation)

    def events():
        return run(problem, SEARCHES["ga"](problem.generator.space, population=4), seed=1, generations=4)

    seen = list(judged(events(), judge, 2))
    assert asked == [0, 2, 4] and [event.judged is not None for event in seen] == [True, False, True, False, True]
    assert all(torch.equal(one.batch.x, other.batch.x) for one, other in zip(seen, events(), strict=True))


@pytest.mark.parametrize("name", ["ga", "de", "cma-ga", "sep-cma-es", "l-shade"])
def test_what_the_writing_thread_holds_does_not_change_when_the_search_goes_on(name):
    problem = toy_problem()
    search = SEARCHES[name](problem.generator.space, population=8)
    event = next(run(problem, search, seed=1))
    held, state = detached(event), copied(search.state_dict())
    before = {key: value.clone() for key, value in state.items() if isinstance(value, torch.Tensor)}
    x = held.batch.x.clone()
    for generation in (1, 2, 3):
        batch = search.ask(stream(1, generation, "ask"))
        search.tell(batch, problem.evaluate(batch, generation).evaluation)
    assert held.images is None and torch.equal(held.batch.x, x)
    assert all(torch.equal(state[key], value) for key, value in before.items())


def test_checkpoints_are_written_now_and_then_and_when_a_session_closes(tmp_path):
    config = toy_config(generations=3 * CHECKPOINT_EVERY)
    with open_session(config, tmp_path / "run") as session:
        for event in session:
            if event.generation == CHECKPOINT_EVERY + 3:
                break
    assert sorted(p.stem for p in (tmp_path / "run/checkpoint").iterdir()) == ["000010", "000013"]
    with open_session(config, tmp_path / "run") as session:
        assert session.start.replayed == 0 and session.start.generation == CHECKPOINT_EVERY + 4


def test_generations_after_the_last_checkpoint_are_replayed_from_the_log(tmp_path):
    config = toy_config(generations=CHECKPOINT_EVERY + 5)
    with open_session(config, tmp_path / "whole") as session:
        expected = [event.evaluation.score for event in session]
    with open_session(config, tmp_path / "killed") as session:
        for event in session:
            if event.generation == CHECKPOINT_EVERY + 2:
                break
    (tmp_path / "killed/checkpoint/000012.safetensors").unlink()  # as if the process had been killed
    with open_session(config, tmp_path / "killed") as session:
        assert session.start.replayed == 2
        rest = [event.evaluation.score for event in session]
    assert all(map(torch.equal, rest, expected[CHECKPOINT_EVERY + 3 :])) and len(rest) == 3


def test_a_run_with_the_older_name_of_a_value_goes_on(tmp_path):
    config = toy_config(on_collapse="perturb")
    with open_session(config, tmp_path / "run") as session:
        list(session)
    record = tmp_path / "run/run.json"
    content = verified_json(record)
    content["config"]["on_collapse"] = "stir"
    record.write_bytes(checksummed_json(content))
    with reopen_session(tmp_path / "run", generations=6) as session:
        assert [event.generation for event in session] == [5, 6] and session.config.on_collapse == "perturb"
