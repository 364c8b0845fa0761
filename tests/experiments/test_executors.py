"""Executors: calls, replies, workers that die, and processes that end."""

import math
import os
import signal
import time
from pathlib import Path

import pytest

from zeuxis.errors import BadInput, Missing, MissingExtra, UnknownName
from zeuxis.experiments import ray_executor, worker
from zeuxis.experiments.executors import EXECUTORS, Call, LocalExecutor, Open, Reply, spread
from zeuxis.experiments.processes import ProcessExecutor
from zeuxis.experiments.worker import Setup, sendable


def die_once(mark):
    path = Path(mark)
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def who():
    return os.getpid()


def refuse():
    raise MissingExtra("ray", "scale", "The executor ray")


def nap(seconds):
    time.sleep(seconds)
    return seconds


def until_asked():
    while not worker.asked():
        time.sleep(0.01)
    return "saved"


def values(executor, calls, again=lambda reply: False):
    return {reply.call.name: reply for reply in spread(executor, calls, again)}


@pytest.mark.parametrize("name", ["local", "processes"])
def test_every_call_is_answered_once_whatever_their_number(name):
    with Open(name, 2, Setup()) as executor:
        found = values(executor, (Call(str(k), math.sqrt, (k,)) for k in range(9)))
    assert {name: reply.value for name, reply in found.items()} == {str(k): math.sqrt(k) for k in range(9)}


@pytest.mark.parametrize("name", ["local", "processes"])
def test_an_error_is_a_reply_and_others_go_on(name):
    with Open(name, 2, Setup()) as executor:
        found = values(
            executor, [Call("bad", math.sqrt, (-1,)), Call("missing", refuse), Call("good", math.sqrt, (4,))]
        )
    assert isinstance(found["bad"].error, ValueError) and found["good"].value == 2
    assert isinstance(found["missing"].error, Missing) and "zeuxis[scale]" in str(found["missing"].error)


def test_calls_are_taken_as_there_is_room_for_them():
    taken = []

    def calls():
        for k in range(100):
            taken.append(k)
            yield Call(str(k), math.sqrt, (k,))

    replies = spread(LocalExecutor(1, Setup()), calls())
    next(replies)
    assert len(taken) == 1


def test_a_worker_that_dies_is_replaced_and_its_call_made_again(tmp_path):
    with Open("processes", 2, Setup()) as executor:
        calls = [Call("die", die_once, (str(tmp_path / "mark"),)), *(Call(str(k), nap, (0.01,)) for k in range(6))]
        found = values(executor, calls, lambda reply: bool(reply.died))
    assert found["die"].value == "alive" and len(found) == 7


def test_a_death_is_told_by_its_signal(tmp_path):
    with Open("processes", 1, Setup()) as executor:
        found = values(executor, [Call("die", die_once, (str(tmp_path / "mark"),))])
    assert found["die"] == Reply(found["die"].call, died="signal 9")


def test_a_worker_that_dies_while_it_is_idle_costs_no_call():
    executor = ProcessExecutor(1, Setup())
    try:
        [(_, first)] = values(executor, [Call("who", who)]).items()
        os.kill(first.value, signal.SIGKILL)
        executor._workers[0].process.join()
        found = values(executor, [Call("again", nap, (0.0,))], lambda reply: bool(reply.died))
        assert found["again"].value == 0.0
    finally:
        executor.close()


def test_a_gentle_worker_hears_that_it_should_save_and_others_are_ended_at_once():
    executor = ProcessExecutor(1, Setup(gentle=True))
    executor.submit(Call("wait", until_asked))
    assert executor.wait() == []
    began = time.monotonic()
    executor.close(20.0)
    assert time.monotonic() - began < 15
    executor = ProcessExecutor(1, Setup())
    executor.submit(Call("long", nap, (60,)))
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 15


def test_a_wish_to_stop_ends_the_replies():
    asked = []
    replies = spread(LocalExecutor(1, Setup()), (Call(str(k), nap, (0.0,)) for k in range(9)), stop=lambda: bool(asked))
    next(replies)
    asked.append(True)
    with pytest.raises(KeyboardInterrupt):
        list(replies)


def test_errors_that_cannot_be_sent_keep_their_sentence_and_exit_code():
    found = sendable(MissingExtra("ray", "scale", "The executor ray"))
    assert type(found) is Missing and found.exit_code == 3 and "pip install" in str(found)
    assert type(sendable(BadInput("x"))) is BadInput


def test_an_executor_that_is_none_and_a_ray_that_is_not_there(monkeypatch):
    with pytest.raises(UnknownName, match="processes"):
        EXECUTORS.check("proceses")
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(MissingExtra, match=r"zeuxis\[scale\]"):
        ray_executor.import_ray()


def test_a_ray_with_a_known_hole_is_refused(monkeypatch):
    old = type("ray", (), {"__version__": "2.53.1"})
    monkeypatch.setitem(__import__("sys").modules, "ray", old)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(Missing, match=r"2\.54 or later, got 2\.53\.1"):
        ray_executor.import_ray()
