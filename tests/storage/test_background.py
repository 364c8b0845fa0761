"""Work in a thread: an interrupt at any moment of the one that hands it over leaves neither of them waiting."""

import random
import signal
import threading
import time

import pytest

from zeuxis.errors import RunError
from zeuxis.storage.background import Background


class Struck(Exception):
    pass


def strike(number, frame):
    raise Struck


def ends(work, seconds=30):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals at a moment")
def test_an_interrupt_at_any_moment_leaves_nothing_waiting():
    dice, before = random.Random(0), signal.signal(signal.SIGALRM, strike)
    struck = 0
    try:
        for _ in range(1500):
            background, done = Background("test", waiting=1), []
            try:
                signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-5, 4e-4))
                while True:
                    background.submit(lambda done=done: done.append(1))
            except Struck:
                struck += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert ends(background.close), f"after {struck} interrupts"
    finally:
        signal.signal(signal.SIGALRM, before)
    assert struck == 1500


def test_jobs_run_in_order_and_wait_for_room():
    background, done, go = Background("test", waiting=2), [], threading.Event()
    background.submit(go.wait)
    for number in range(2):
        time.sleep(0.02)
        assert background.submit(lambda number=number: done.append(number), droppable=True)
    assert not background.submit(lambda: done.append("too many"), droppable=True)
    go.set()
    for number in range(2, 50):
        background.submit(lambda number=number: done.append(number))
    background.flush()
    assert done == list(range(50))
    background.close()
    background.close()
    with pytest.raises(RunError, match="closed"):
        background.submit(print)


def test_the_first_error_comes_back_once_and_nothing_runs_after_it():
    background, done = Background("test", waiting=2), []
    background.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        background.flush()
    background.submit(lambda: done.append(1))
    background.flush()
    background.close()
    assert done == []
