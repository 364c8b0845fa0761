"""One thread in each test process: two that do not both get a core wait for one another at every layer."""

import os
import signal

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the processes that tests start
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, what they test does not


@pytest.fixture(autouse=True, scope="session")
def own_secret(tmp_path_factory):
    """Tests put no secret into the data folder of whoever runs them."""
    os.environ["ZEUXIS_DATA"] = str(tmp_path_factory.mktemp("data"))
