"""Numbers in a received run folder that no run could have written: in the names of files, and in the summary."""

import shutil

import pytest
from run_helpers import run_to_the_end, toy_config

from zeuxis.errors import RunDamaged
from zeuxis.report.html import write_report
from zeuxis.report.top import write_top
from zeuxis.run import RunFolder, reopen_session
from zeuxis.storage.checksummed import checksummed_json, verified_json

CONFIG = toy_config()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_to_the_end(CONFIG, folder)
    return folder


@pytest.fixture
def run(whole, tmp_path):
    return RunFolder(shutil.copytree(whole, tmp_path / "run"))


def test_a_number_that_the_run_cannot_have_reached_is_said_and_not_read(run):
    before = len(run.history())
    stray = run.log / "999999999999.safetensors"
    stray.write_bytes(b"")
    with reopen_session(run.path) as session:
        assert list(session) == []
        session.finish()
    again = RunFolder(run.path)
    assert len(again.history()) == before and stray.exists()
    assert [note for note in again.notes if "log/999999999999.safetensors" in note]


def test_a_number_that_it_may_have_reached_says_what_to_do(run):
    last = run.generations - 1
    run.log_path(last - 1).unlink()
    with pytest.raises(RunDamaged, match=f"though generation {last} is there.* move it away"):
        run.history()


def test_a_summary_that_lists_more_pictures_than_there_are_is_refused_before_they_are_drawn(run):
    summary = verified_json(run.summary_path)
    judged = summary["judge"] or {}
    for table in (summary, *([judged] if judged else [])):
        table["population"] = table["population"][:1] * 5000
    run.summary_path.write_bytes(checksummed_json(summary))
    for use in (write_report, lambda folder: write_top(folder, 4)):
        with pytest.raises(RunDamaged, match=r"lists 5,000 pictures, but final-4999\.png is missing"):
            use(RunFolder(run.path))
