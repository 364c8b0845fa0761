"""One thread in each test process: two that do not both get a core wait for one another at every layer.

Figures are blank where no test asks for the fixture `drawn`: to draw those of one report takes longer than its run.
"""

import functools
import gc
import io
import os
import signal
import sys

import pytest
from matplotlib.figure import Figure
from PIL import Image

from zeuxis.storage import files

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the processes that tests start
os.environ["NUMBA_DISABLE_JIT"] = "1"  # pyribs compiles for seconds what runs for a moment here
SAVE = Figure.savefig
LONGEST = ("test_fuzz", "test_command_kills")  # modules, beside those with a browser
ON_DISK = ("cli", "packaging", "security", "storage")  # folders of tests that wait for the disk as users do
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, what they test does not
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # and in the background of a shell


def pytest_collection_finish():
    """The nine thousand tests stay to the end: not to look through them at every collection of garbage saves a part."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items):
    """What takes longest begins first: with `-n` each module stays in one process, since it shares what is slow."""
    items.sort(key=lambda item: not ("browser" in item.fixturenames or item.module.__name__ in LONGEST))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch, request):
    """A kill cannot tell a synced page from one in the page cache; only a power cut can."""
    if request.path.parent.name not in ON_DISK:
        monkeypatch.setattr(files.calls, "fsync", lambda handle: os.fstat(handle))
        monkeypatch.setattr(files.calls, "sync_folder", lambda folder: folder.stat())


@pytest.fixture(autouse=True)
def the_package_stays():
    """What a test removes from `sys.modules` is missing in all that come after it."""
    yield
    assert "zeuxis" in sys.modules


@pytest.fixture(autouse=True, scope="session")
def own_secret(tmp_path_factory):
    """Tests put no secret into the data folder of whoever runs them."""
    os.environ["ZEUXIS_DATA"] = str(tmp_path_factory.mktemp("data"))


@functools.cache
def blank_png(width, height):
    """A white picture of these pixels."""
    data = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(data, "PNG")
    return data.getvalue()


def save_blank(figure, file, *, dpi=None, **_):
    """In place of `Figure.savefig`: a picture of the figure's size."""
    width, height = (round(inches * (dpi or figure.dpi)) for inches in figure.get_size_inches())
    file.write(blank_png(width, height))


@pytest.fixture(autouse=True, scope="module")
def blank_figures():
    """No figure is drawn in the tests of this module, but where they ask for `drawn`."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Figure, "savefig", save_blank)
        yield


@pytest.fixture
def drawn(monkeypatch):
    """Figures as users see them, in this test."""
    monkeypatch.setattr(Figure, "savefig", SAVE)
