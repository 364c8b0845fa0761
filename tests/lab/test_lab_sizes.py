"""Networks that a recipe asks for are bounded in memory, and its files are opened without following links."""

import numpy as np
import pytest
import torch
from torch import nn

from zeuxis.errors import BadInput
from zeuxis.lab import checkpoint, features, sizes

CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(sizes, "LARGEST", 4000)  # bytes: 1000 numbers


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(40, 40),
        lambda: nn.Sequential(*(nn.Linear(20, 20) for _ in range(3))),
        lambda: torch.randn(10**7, 10**7),
        lambda: torch.zeros((2**40,), dtype=torch.uint8),
        lambda: torch.empty(size=(1001,)),
    ],
)
def test_networks_that_are_too_large_are_refused_before_they_are_made(build, small):
    with pytest.raises(BadInput, match="GiB for their weights"), sizes.bounded_networks(CPU):
        build()


def test_others_are_built_and_nothing_is_counted_afterwards(small):
    with sizes.bounded_networks(CPU):
        nn.Linear(20, 20)
        with torch.device("meta"):
            nn.Linear(20, 20)
    nn.Linear(40, 40)


def test_the_bound_is_a_part_of_the_memory_there_is():
    assert 0 < sizes.most_bytes(CPU) <= sizes.LARGEST


def test_kept_features_are_those_that_were_written(tmp_path):
    pixels, calls = torch.zeros(300, 4, 4, 3, dtype=torch.uint8), []

    def look(x):
        calls.append(len(x))
        return x.flatten(1)[:, :3]

    first = features.cached_features(pixels, look, "net", folder=tmp_path)
    [path] = tmp_path.glob("*.npy")
    data, count = path.read_bytes(), len(calls)
    assert torch.equal(features.cached_features(pixels, look, "net", folder=tmp_path), first) and len(calls) == count
    aside = tmp_path / "aside"
    for damage in (
        lambda: path.write_bytes(data[: -features.DIGEST]),  # as an older version wrote it
        lambda: path.write_bytes(data[:-40] + b"\x77" + data[-39:]),
        lambda: path.write_bytes(data[:200]),
        lambda: np.save(path, np.zeros(3)),
        lambda: (path.rename(aside), path.symlink_to(aside)),
    ):
        damage()
        count = len(calls)
        assert torch.equal(features.cached_features(pixels, look, "net", folder=tmp_path), first) and len(calls) > count


def test_a_checkpoint_that_is_a_link_is_not_read(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / checkpoint.NEWEST).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(checkpoint.BROKEN, match="is a link"):
        checkpoint._read(tmp_path / checkpoint.NEWEST)
