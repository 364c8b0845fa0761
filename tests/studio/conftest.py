"""One thread, and no waiting for the disk: see tests/run/conftest.py."""

import os
import sys

import pytest
import torch

from zeuxis.storage import files


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(files.calls, "fsync", lambda handle: os.fstat(handle))
    monkeypatch.setattr(files.calls, "sync_folder", lambda folder: folder.stat())


@pytest.fixture
def modules_stay():
    """NiceGUI's simulated user takes the modules of pages, and the packages they are in, out of `sys.modules`."""
    import zeuxis.studio.pages  # noqa: F401

    before = dict(sys.modules)
    yield
    sys.modules.update({name: module for name, module in before.items() if name not in sys.modules})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder of a studio in a process of its own; its runs are in `runs`."""
    return tmp_path_factory.mktemp("journeys")


@pytest.fixture(scope="module")
def studio(place):
    """The address of that studio."""
    from serving import start, stop

    port, process, _ = start(place)
    yield f"http://127.0.0.1:{port}"
    stop(process)


@pytest.fixture(scope="module")  # its loop would keep later tests from starting one
def browser():
    from browsing import BROWSER
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, studio):
    """A page that fails the test for an error in it and for any request to elsewhere."""
    from browsing import watched

    wrong = []
    made = watched(browser, studio, wrong)
    yield made
    made.context.close()
    assert wrong == []
