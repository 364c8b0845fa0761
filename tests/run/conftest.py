"""Runs in tests are small and single-threaded, and do not wait for the disk unless they test that."""

import os

import pytest
import torch

from zeuxis.storage import files


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """A kill cannot tell a synced page from one in the page cache; only a power cut can."""
    monkeypatch.setattr(files.calls, "fsync", lambda handle: os.fstat(handle))
    monkeypatch.setattr(files.calls, "sync_folder", lambda folder: folder.stat())
