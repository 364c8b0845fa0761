"""A run that was broken off goes on bit for bit: from a checkpoint and the log after it, or from the log alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zeuxis.rng import stream
from zeuxis.run import checkpoint, entry
from zeuxis.run.store import CHECKPOINT_EVERY
from zeuxis.search import SEARCHES
from zeuxis.spaces import Normal
from zeuxis.storage.checksummed import verified_bytes
from zeuxis.types import Batch, Evaluation, Event

LAST = {"cma-es": 60}  # generations of the short proof, where 24 are not enough for a difference to show


def every_search():
    names = [name for name in SEARCHES if not name.startswith("pymoo")]
    return [*names, "pymoo:GA"]


def build(name, variables):
    if name.startswith("pymoo"):
        pytest.importorskip("pymoo")
    return SEARCHES[name](Normal(variables), population=8)


def ask(search, generation):
    return search.ask(stream(7, generation, "ask"))


def scored(batch):
    x = batch.x
    turned = x.roll(1, dims=1)
    score = -(x - 0.5).square().sum(dim=1) + 0.3 * (x * turned).sum(dim=1)  # correlated, so that a covariance is learnt
    gradient = 1 - 2 * x + 0.3 * (turned + x.roll(-1, dims=1)) if batch.gradient else None
    looks = x[:, :16].half()
    return Evaluation(score, {"a": x[:, 0], "b": -x[:, 1]}, x[:, :2].clone(), gradient, looks)


def stored(event, path):
    """What the log gives back of a generation."""
    path.write_bytes(entry.pack(event))
    return entry.read(path)


def unbroken(name, variables, last, log):
    """Latents of every generation, the log as it is read back, the checkpoints as bytes, and the search at the end."""
    search, latents, told, states = build(name, variables), [], [], {}
    for generation in range(last):
        batch = ask(search, generation)
        evaluation = scored(batch)
        search.tell(batch, evaluation)
        x, score = search.best
        latents.append(batch.x.clone())
        frozen = Event(generation, 0, Batch(batch.x.clone(), batch.gradient), evaluation, x.clone(), score)
        told.append(stored(frozen, log / f"{generation:06d}.safetensors"))
        if generation % CHECKPOINT_EVERY == 0:
            states[generation] = checkpoint.pack(generation, search.state_dict())
    return latents, told, states, search


def broken_at(name, variables, stop, told, state):
    """A fresh search brought to where a run was broken off: `state` of the newest checkpoint, the rest from the log."""
    search, begin = build(name, variables), 0
    if state is not None:
        tensors, header = verified_bytes(state, Path("state"))
        search.load_state_dict({**tensors, **header["numbers"]})
        begin = header["generation"] + 1
    for generation in range(begin, stop):
        batch = ask(search, generation)
        assert torch.equal(batch.x, told[generation].batch.x)
        search.tell(batch, told[generation].evaluation)
    return search


def check(name, variables, last, stops, tmp_path):
    latents, told, states, whole = unbroken(name, variables, last, tmp_path)
    assert lost(whole) == []
    for stop in stops:
        newest = max((g for g in states if g < stop), default=None)
        for state in (None if newest is None else states[newest], None):
            search = broken_at(name, variables, stop, told, state)
            for generation in range(stop, last):
                batch = ask(search, generation)
                assert torch.equal(batch.x, latents[generation]), f"{name}: broken off at {stop}, other at {generation}"
                search.tell(batch, scored(batch))
            assert differing(search.state_dict(), whole.state_dict()) == []


def differing(one, other):
    """Names in which two states are not the same to the last bit and stride."""

    def same(a, b):
        tensors = isinstance(a, torch.Tensor)
        return torch.equal(a, b) and a.stride() == b.stride() if tensors else a == b

    return [name for name, value in one.items() if not same(value, other[name])]


def lost(search):
    """Tensors whose order in memory a checkpoint does not keep: products would round differently after it."""
    tensors = {name: value for name, value in search.state_dict().items() if isinstance(value, torch.Tensor)}
    return [name for name, value in tensors.items() if not value.is_contiguous()]


@pytest.mark.parametrize("name", every_search())
def test_a_run_broken_off_anywhere_is_the_unbroken_run(name, tmp_path):
    check(name, 64, LAST.get(name, 24), (13, 21), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("variables", [64, 512])
@pytest.mark.parametrize("name", every_search())
def test_long_runs_broken_off_at_five_places_are_the_unbroken_run(name, variables, tmp_path):
    check(name, variables, 100, (1, 20, 41, 60, 87), tmp_path)
