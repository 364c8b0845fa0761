"""Every test has its own cache folder, and small packs count as large enough for it."""

from pathlib import Path

import pytest
import torch
from data_helpers import write_packs

from zeuxis.data import cache

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ZEUXIS_CACHE", str(folder))
    monkeypatch.setattr(cache, "SMALLEST", 0)
    return folder / "data"


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """All packs, tiny."""
    return write_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="session")
def published():
    """The published packs, where a copy lies beside the checkout."""
    if not (SHARED / "products64.npz").exists():
        pytest.skip(f"the published packs are not in {SHARED}")
    return SHARED
