"""The queue and its file: order, front, cancel, a restart, a kill, damage that is said, another studio beside it."""

import pytest

from zeuxis.errors import BadInput, RunLocked
from zeuxis.studio.live import configured
from zeuxis.studio.queue import MOST_ENDED, NAME, Queue


@pytest.fixture
def queue(tmp_path):
    made = Queue(tmp_path)
    yield made
    made.close()


def add(queue, words, **how):
    return queue.add(configured(words, generator="toy", seed=3), words, **how)


def titles(queue):
    return [item.title for item in queue.ahead()]


def again(queue):
    """The queue as the next studio reads it."""
    queue.close()
    return Queue(queue.folder.parent)


def test_order_front_move_and_cancel(queue):
    a, b, c = (add(queue, words) for words in ("a", "b", "c"))
    assert queue.next() == a and titles(queue) == ["a", "b", "c"]
    add(queue, "first", front=True)
    assert titles(queue) == ["first", "a", "b", "c"]
    queue.move(c.id, -2)
    assert titles(queue) == ["first", "c", "a", "b"]
    queue.move(c.id, 100)
    queue.move(b.id, -100)
    assert titles(queue) == ["b", "first", "a", "c"]
    queue.cancel(a.id)
    assert titles(queue) == ["b", "first", "c"] and [item.state for item in queue.over()] == ["cancelled"]
    queue.again(a.id)
    assert titles(queue) == ["b", "first", "c", "a"]
    assert queue.cancel_all() == 4 and queue.next() is None and queue.forget() == 4 and queue.items == ()
    with pytest.raises(BadInput, match="not in the queue"):
        queue.cancel(a.id)


def test_what_runs_keeps_its_place(queue):
    a, b, c = (add(queue, words) for words in ("a", "b", "c"))
    queue.change(a.id, state="running", folder="20260101-a")
    queue.move(c.id, -5)
    add(queue, "front", front=True)
    assert titles(queue) == ["a", "front", "c", "b"]
    with pytest.raises(BadInput, match="waits, but this one is running"):
        queue.cancel(a.id)
    queue.pause(True)
    assert queue.next() is None and b in queue.ahead()


def test_it_survives_a_restart_and_what_ran_goes_on_first(queue):
    a, b = add(queue, "a <b>tag</b>"), add(queue, "b")
    done = add(queue, "done")
    queue.change(done.id, state="done", folder="run-1", said="Generations reached.")
    queue.change(a.id, state="running", folder="run-2")
    queue.pause(True)
    opened = again(queue)
    assert opened.paused and titles(opened) == ["a <b>tag</b>", "b"] and opened.notes == []
    assert opened.one(a.id).state == "waiting" and opened.one(a.id).folder == "run-2"
    assert opened.one(a.id).fields == a.fields and opened.one(done.id).said == "Generations reached."
    opened.pause(False)
    assert opened.next().id == a.id and opened.one(b.id) == b
    opened.close()


@pytest.mark.parametrize("spoil", ["flip", "cut", "drop", "head", "empty"])
def test_damage_loses_no_more_than_it_must_and_is_said(queue, spoil):
    for words in ("a", "b", "c"):
        add(queue, words)
    whole = queue.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    spoilt, left = {
        "flip": (whole.replace(b'"title": "b"', b'"title": "x"'), ["a", "c"]),
        "cut": (whole[:-40], ["a", "b"]),
        "drop": (b"".join(lines[:2] + lines[3:]), ["a", "c"]),
        "head": (b"".join(lines[1:]), ["a", "b", "c"]),
        "empty": (b"", []),
    }[spoil]
    queue.path.write_bytes(spoilt)
    opened = again(queue)
    assert titles(opened) == left
    assert len(opened.notes) == 1 and "damaged" in opened.notes[0]
    kept = [path for path in opened.folder.iterdir() if path.name.startswith("damaged-")]
    assert [path.read_bytes() for path in kept] == [spoilt]
    add(opened, "d")
    last = again(opened)
    assert titles(last) == [*left, "d"] and last.notes == []
    last.close()


def test_a_strangers_lines_are_no_items(queue):
    add(queue, "a")
    text = queue.path.read_text()
    queue.path.write_text(text + '{"id": "000000000000", "kind": "search", "title": "evil", "folder": "../../etc"}\n')
    opened = again(queue)
    assert titles(opened) == ["a"] and "1 entry was lost" in opened.notes[0]
    opened.close()


@pytest.mark.parametrize("folder", ["../x", "a/b", ".hidden", "a\\b", "x\0"])
def test_no_folder_outside_of_the_runs(queue, folder):
    from pydantic import ValidationError

    from zeuxis.studio.queue_file import Item

    with pytest.raises(ValidationError):
        Item(id="0" * 12, kind="search", title="", folder=folder)


def test_a_link_in_its_place_is_not_followed(queue, tmp_path):
    other = tmp_path / "other"
    other.write_text("private")
    queue.path.symlink_to(other)
    opened = again(queue)
    assert opened.items == () and "is a link" in opened.notes[0]
    with pytest.raises(Exception, match="is a link"):
        add(opened, "a")
    assert other.read_text() == "private"


def test_a_second_studio_looks_on(queue):
    add(queue, "a")
    beside = Queue(queue.folder.parent)
    assert titles(beside) == ["a"] and beside.next() is None and "another studio" in beside.notes[0]
    with pytest.raises(RunLocked):
        add(beside, "b")
    assert titles(queue) == ["a"]


def test_ended_entries_do_not_pile_up(queue, monkeypatch):
    monkeypatch.setitem(Queue.add.__globals__, "MOST_ENDED", 3)
    for k in range(6):
        queue.change(add(queue, f"{k}").id, state="done", ended=float(k + 1))
    assert [item.title for item in queue.over()] == ["5", "4", "3"] and MOST_ENDED > 3
    assert queue.path.name == NAME
