"""One thread: two on a busy machine are slower, and the same bits are asked for twice."""

import pytest
import torch
from lab_helpers import write_data, write_weights


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder like the real one: a CIFAR-10 pack, Caltech and emoji packs, captions; a few tiny pictures each."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random networks to build on: trunk.safetensors and text.safetensors."""
    return write_weights(tmp_path_factory.mktemp("weights"))
