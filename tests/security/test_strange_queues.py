"""A queue from somebody else before the studio: code and files that it names, where it writes, its head, its times."""

import sys
import time

import pytest

from zeuxis.errors import BadInput, RunDamaged
from zeuxis.storage.checksummed import checked_line
from zeuxis.studio.live import configured
from zeuxis.studio.queue import Queue
from zeuxis.studio.queue_file import KEY, MOST_LINES, mark_item, read_items
from zeuxis.studio.state import Studio
from zeuxis.workflows import Outputs

FIELDS = {
    "prompt": ["a red disc"], "generator": "toy", "scorer": ["toy"], "judge": None, "population": 4, "generations": 1,
    "search": "ga", "augment": 0,
}  # fmt: skip
ENTRY = {
    "id": "0123456789ab", "kind": "search", "title": "a frog", "fields": FIELDS, "folder": "", "state": "waiting",
    "said": "", "added": 0.0, "ended": None, "mark": "",
}  # fmt: skip


def forged(runs, *entries, head=None):
    """A queue's file as a stranger writes it: with checksums, without marks."""
    folder = runs / ".studio" / "queue"
    folder.mkdir(parents=True)
    head = {"format": 1, "items": len(entries), "paused": False} if head is None else head
    lines = [checked_line(content, KEY) for content in (head, *entries)]
    (folder / "queue.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return runs


@pytest.fixture
def opened():
    """Opens a studio on a folder and lets its queue go on, as its user would."""
    made = []

    def opening(runs):
        studio = Studio(runs)
        made.append(studio)
        studio.live.outputs = Outputs(report=False, top=0)
        studio.runner.start()
        return studio

    yield opening
    for studio in made:
        studio.close()


def ended(studio, seconds=60):
    end = time.monotonic() + seconds
    while studio.queue.ahead():
        assert time.monotonic() < end
        time.sleep(0.02)
    return studio.queue.items[0]


def test_it_begins_nothing_by_itself(tmp_path, opened):
    studio = opened(forged(tmp_path / "runs", ENTRY))
    assert studio.queue.paused and "not put into the queue by you" in studio.queue.notes[0]
    time.sleep(0.2)
    assert studio.queue.items[0].state == "waiting" and not studio.live.status.busy
    studio.queue.pause(False)
    assert ended(studio).state == "done"


@pytest.mark.parametrize("field", ["generator", "scorer", "judge", "search"])
def test_code_that_it_names_is_not_run(field, tmp_path, opened, monkeypatch):
    (tmp_path / "strangers_module.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef factory(): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    named = "strangers_module:factory"
    fields = FIELDS | {field: [named] if field == "scorer" else named}
    studio = opened(forged(tmp_path / "runs", ENTRY | {"fields": fields}))
    studio.queue.pause(False)
    item = ended(studio)
    assert item.state == "failed" and "comes from a file and is code" in item.said
    assert not (tmp_path / "ran").exists() and "strangers_module" not in sys.modules


def test_files_that_it_names_are_not_read_and_a_mark_for_other_fields_does_not_help(tmp_path, opened):
    own = mark_item("search", FIELDS)
    assert own
    fields = FIELDS | {"image_prompt": ["/home/me/private.png"]}
    studio = opened(forged(tmp_path / "runs", ENTRY | {"fields": fields, "mark": own}))
    assert studio.queue.paused
    studio.queue.pause(False)
    item = ended(studio)
    assert item.state == "failed" and "private.png" in item.said


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_link_in_the_place_of_its_run_is_not_written_through(target, tmp_path, opened):
    runs = forged(tmp_path / "runs", ENTRY | {"folder": "evil"})
    (tmp_path / "there").mkdir()
    (runs / "evil").symlink_to(tmp_path / target)
    studio = opened(runs)
    studio.queue.pause(False)
    item = ended(studio)
    assert item.state == "failed" and "is a link" in item.said
    assert list((tmp_path / "there").iterdir()) == [] and not (tmp_path / "nowhere").exists()
    with pytest.raises(RunDamaged, match="is a link"):
        item.place(runs)


def test_what_its_user_has_queued_goes_on_by_itself_after_a_restart(tmp_path):
    queue = Queue(tmp_path)
    queue.add(configured("a", image_prompt=("/home/me/own.png",)), "a")
    queue.add_plot("some-plot", "p")
    queue.close()
    again = Queue(tmp_path)
    assert not again.paused and again.notes == [] and all(item.own for item in again.items)
    again.close()


@pytest.mark.parametrize("items", ["abc", float("inf"), float("nan"), [1], None, {}, True, 10**4000])
def test_a_head_of_other_types_loses_no_entry(items, tmp_path):
    queue = Queue(forged(tmp_path / "runs", ENTRY, head={"format": 1, "items": items, "paused": False}) / ".studio")
    assert [item.title for item in queue.items] == ["a frog"]
    assert all(len(note) < 500 for note in queue.notes)
    queue.close()


def test_a_file_without_end_is_not_read_to_its_end():
    line = checked_line(ENTRY, KEY)
    items, lost, _ = read_items(f"{line}\n".encode() * (MOST_LINES + 500))
    assert len(items) == 1 and lost >= 500


@pytest.mark.parametrize("ended", [1e300, -1e18, float("inf"), float("nan"), 0.0])
@pytest.mark.parametrize("fields", [FIELDS, {"prompt": 5}, {f"field{k}": k for k in range(150)}])
def test_the_page_shows_any_time_and_any_fields(ended, fields, tmp_path):
    pytest.importorskip("nicegui", reason="the extra `studio` is not installed", exc_type=ImportError)
    from zeuxis.studio.pages.queue import _about

    entry = ENTRY | {"state": "done", "ended": ended, "fields": fields, "folder": "x"}
    items, lost, _ = read_items(f"{checked_line(entry, KEY)}\n".encode())
    assert len(items) == 1 and lost == 1  # the head is missing
    assert _about(None, items[0]).startswith("ga" if fields is FIELDS else "search")


def test_a_name_that_no_disk_takes_is_a_sentence(tmp_path):
    items, _, _ = read_items(f"{checked_line(ENTRY | {'folder': 'ü' * 255}, KEY)}\n".encode())
    with pytest.raises(RunDamaged, match="cannot be used"):
        items[0].place(tmp_path)


def test_a_folder_of_it_that_becomes_a_link_is_not_written_through(tmp_path):
    (tmp_path / "private").mkdir()
    queue = Queue(tmp_path)
    for path in queue.folder.iterdir():
        path.unlink()
    queue.folder.rmdir()
    queue.folder.symlink_to(tmp_path / "private")
    with pytest.raises(Exception, match="link"):
        queue.add(configured("a"), "a")
    assert list((tmp_path / "private").iterdir()) == []
    queue.close()


def test_code_that_is_typed_is_not_queued(tmp_path, opened):
    with pytest.raises(BadInput, match="is code"):
        opened(tmp_path / "runs").enqueue("a red disc", generator="os:system")
