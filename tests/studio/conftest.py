"""One thread, and no waiting for the disk: see tests/run/conftest.py."""

import os

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
