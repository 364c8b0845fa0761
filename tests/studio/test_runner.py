"""The queue is carried out: one after another, resumed and not repeated after a kill, stopped, failed, paused."""

import time

import pytest

from zeuxis.errors import BadInput
from zeuxis.run import RunFolder
from zeuxis.studio.plot import make_plot
from zeuxis.studio.state import Studio
from zeuxis.workflows import Outputs

TOY = {
    "generator": "toy", "scorer": ("toy",), "judge": "toy", "population": 12, "generations": 3, "search": "ga",
    "augment": 0,
}  # fmt: skip
MANY = 250  # generations: more than a busy machine makes before it is stopped


def opened(runs):
    made = Studio(runs)
    made.live.outputs, made.plots.executor = Outputs(report=False, top=0), "local"
    return made


@pytest.fixture
def studio(tmp_path):
    made = opened(tmp_path / "runs")
    yield made
    made.close()


def wait(until, seconds=120):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def states(studio):
    return {item.title: item.state for item in studio.queue.items}


def test_one_after_another_and_what_cannot_work_holds_nobody_up(studio):
    studio.enqueue("a red disc", seed=1, **TOY)
    bad = studio.enqueue("a blue disc", seed=2, **TOY)
    studio.enqueue("a green disc", seed=3, **TOY)
    studio.queue.change(bad.id, fields=bad.fields | {"start_from": ["nowhere.png"]}, mark="")
    studio.runner.start()
    wait(lambda: not studio.queue.ahead())
    assert states(studio) == {"a red disc": "done", "a blue disc": "failed", "a green disc": "done"}
    assert "nowhere.png" in studio.queue.one(bad.id).said
    runs = [studio.runs / item.folder for item in studio.queue.items if item.state == "done"]
    assert [RunFolder(run).summary()["generations"] for run in runs] == [4, 4]
    assert RunFolder(runs[0]).config.seed == 1


def test_what_cannot_be_is_not_queued(studio):
    for words, fields, said in (("", {}, "Say what"), ("x", {"search": "nope"}, "nope"), ("x", {"seed": -1}, "--seed")):
        with pytest.raises(BadInput, match=said):
            studio.enqueue(words, **fields)
    with pytest.raises(BadInput, match=r"os:system"):
        studio.enqueue("x", generator="os:system")
    assert studio.queue.items == ()


def test_a_studio_that_ends_leaves_its_run_to_the_next(studio):
    item = studio.enqueue("a red disc", seed=5, **TOY | {"generations": MANY})
    studio.enqueue("a blue disc", seed=6, **TOY)
    studio.runner.start()
    wait(lambda: len(studio.live.status.points) > 2)
    studio.close()
    begun = RunFolder(studio.runs / studio.queue.one(item.id).folder).generations
    assert 3 <= begun < MANY + 1
    other = opened(studio.runs)
    assert [one.state for one in other.queue.ahead()] == ["waiting", "waiting"]
    other.runner.start()
    wait(lambda: not other.queue.ahead())
    assert set(states(other).values()) == {"done"}
    folder = RunFolder(other.runs / other.queue.one(item.id).folder)
    assert folder.generations == MANY + 1 and len(list(other.runs.glob("2*"))) == 2
    other.close()


def test_a_run_that_ended_just_before_a_kill_is_not_made_again(studio):
    item = studio.enqueue("a red disc", seed=5, **TOY)
    studio.runner.start()
    wait(lambda: not studio.queue.ahead())
    folder = RunFolder(studio.runs / studio.queue.one(item.id).folder)
    log = folder.log_path(3).stat().st_mtime_ns
    studio.queue.change(item.id, state="waiting", ended=None)  # as a kill would have left it
    wait(lambda: not studio.queue.ahead())
    assert studio.queue.one(item.id).state == "done" and folder.log_path(3).stat().st_mtime_ns == log
    assert len(list(studio.runs.glob("2*"))) == 1


def test_stop_keeps_and_again_goes_on(studio):
    item = studio.enqueue("a red disc", seed=5, **TOY | {"generations": MANY})
    studio.runner.start()
    wait(lambda: len(studio.live.status.points) > 2)
    studio.runner.stop(item.id)
    wait(lambda: studio.queue.one(item.id).state == "stopped")
    before = RunFolder(studio.runs / studio.queue.one(item.id).folder).generations
    studio.queue.again(item.id)
    wait(lambda: studio.queue.one(item.id).state == "done")
    assert before < MANY + 1 == RunFolder(studio.runs / studio.queue.one(item.id).folder).generations


def test_a_search_begun_beside_it_comes_first(studio):
    studio.live.start("a white square", seed=1, **TOY | {"generations": 10_000})
    item = studio.enqueue("a red disc", seed=5, **TOY)
    studio.runner.start()
    time.sleep(0.7)
    assert studio.queue.one(item.id).state == "waiting"
    studio.live.stop()
    wait(lambda: studio.queue.one(item.id).state == "done")


def test_a_plot_waits_its_turn_and_is_carried_out(studio):
    plot = studio.plot(make_plot({**TOY, "prompt": ("a red disc",), "seed": 1}, [("search", "ga, de")]))
    assert studio.queue.add_plot(plot.name, plot.title) in studio.queue.items and len(studio.queue.items) == 1
    studio.runner.start()
    wait(lambda: not studio.queue.ahead())
    assert studio.queue.items[0].state == "done" and len(studio.plots.known(plot.name)[1]) == 2
    studio.plots.running = plot.name
    with pytest.raises(BadInput, match="plot is under way"):
        studio.live.start("a red disc", **TOY)
    studio.plots.running = ""
