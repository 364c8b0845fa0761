"""The server is killed in the middle of a run: started again it offers to go on, and nothing differs at the end."""

import shutil
import signal

import pytest
import torch
from browsing import begin, needs_browser, status, watched
from serving import start, stop

from zeuxis.run import RunFolder
from zeuxis.workflows import Outputs, generate, resume

pytestmark = [needs_browser(), pytest.mark.long]  # test_runner.py kills a studio too
MORE = 6  # generations that a run is short of its end when it is killed, at least


def test_a_killed_server_goes_on_where_it_was(browser, tmp_path):
    port, process, _ = start(tmp_path)
    wrong = []
    page = watched(browser, f"http://127.0.0.1:{port}", wrong)
    begin(page, f"http://127.0.0.1:{port}", "a red disc", "100000")
    status(page, r"generation ([3-9]|\d\d)")
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    folder = next(path for path in (tmp_path / "runs").iterdir() if (path / "run.json").exists())
    assert not (folder / "summary.json").exists()
    config = RunFolder(folder).config
    wanted = RunFolder(folder).generations + MORE
    page.context.close()

    port, process, _ = start(tmp_path)
    try:
        page = watched(browser, f"http://127.0.0.1:{port}", wrong)
        page.goto(f"http://127.0.0.1:{port}/gallery")
        page.wait_for_selector("text=Not finished: a red disc")
        page.click("text=Go on")
        page.wait_for_url(f"http://127.0.0.1:{port}/")
        page.wait_for_function(
            "n => Number(document.querySelector('[role=status]')?.innerText.match(/generation (\\d+)/)?.[1] ?? 0) > n",
            arg=wanted,
        )
        page.click("text=Stop")
        status(page, "^Stopped")
        page.context.close()
    finally:
        stop(process)

    made = RunFolder(folder)
    fields = config.model_dump(exclude_defaults=True) | {"generations": made.generations - 1}
    prompt = fields.pop("prompt")
    generate(prompt, out=tmp_path / "unbroken", outputs=Outputs(False, 0), **fields)
    same(made, RunFolder(tmp_path / "unbroken"))
    resume(folder, generations=made.generations + 2, outputs=Outputs(False, 0))  # and it can be made longer still
    shutil.rmtree(tmp_path / "runs")


def same(one, other):
    """Every generation's latents and scores, and the pictures at the end, bit for bit."""
    assert one.generations == other.generations
    for generation in range(one.generations):
        assert torch.equal(one.latents(generation), other.latents(generation)), generation
        assert one.scores(generation).tolist() == other.scores(generation).tolist(), generation
    names = sorted(path.name for path in other.images.iterdir())
    assert names == sorted(path.name for path in one.images.iterdir() if path.name in names) and len(names) > 2
    assert all((one.images / name).read_bytes() == (other.images / name).read_bytes() for name in names)
