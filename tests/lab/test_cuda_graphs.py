"""Captured steps: which trainings can be captured, and that a step needs nothing but what was drawn for it.

No GPU is needed: in place of a graph stands the step itself, told to read where a graph would.
"""

import pytest
import torch
from lab_helpers import recipe

from zeuxis.lab import cuda_graphs
from zeuxis.lab.adaptive_augment import Adaptive, _recoloured, _warped, recolour, warp
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.adversarial_options import options_of
from zeuxis.lab.cuda_graphs import WARM, Graphs, captures
from zeuxis.lab.tasks.base import Lab
from zeuxis.rng import stream

CPU = torch.device("cpu")


class Again:
    """What a graph does, without one: the step on the tensors that it was captured with."""

    def __init__(self, task, place, due):
        self.task, self.parts, self.due = task, place, due
        self.place = [tensor for of in place for tensor in of.tensors()]

    def step(self, drawn):
        for place, tensor in zip(self.place, (t for of in drawn for t in of.tensors()), strict=True):
            place.copy_(tensor)
        return self.task.compute(0, self.parts, self.due, [None] * len(self.due))


class OnCpu(Graphs):
    """Graphs with `Again` in place of a capture."""

    def __init__(self, task):
        self.task, self.device, self.warmed, self.captured, self.failed = task, CPU, {}, {}, False

    def _aside(self, drawn, due):
        return self.task.compute(0, [of.to(CPU) for of in drawn], due, [None] * len(due))

    def capture(self, drawn, due):
        return Again(self.task, [of.to(CPU) for of in drawn], due)


def task_of(name, data, weights, **options):
    config = recipe(name)
    changes = {"options": dict(config.options) | options}
    return Adversarial(Lab(config.model_copy(update=changes), data, CPU, torch.float32, weights))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pocket", {}),
        ("stylegan2", {"augmentation": ("translation", "adaptive"), "adaptive": {"p": 0.5, "cutout": 0.5}}),
        ("stylegan2", {"discriminator_steps": 2, "penalties": {"r1": {"weight": 1.0, "every": 3}}}),
        ("r3gan", {"augmentation": ("colour", "cutout")}),
        ("projected", {}),
        ("acgan", {}),
    ],
)
def test_a_captured_step_is_the_step(data, weights, name, options):
    plain, other = (task_of(name, data, weights, **options) for _ in range(2))
    other.graphs = OnCpu(other)
    captured = 0
    for number in range(2 * WARM + 4):
        assert plain.step(number, 0.0) == other.step(number, 0.0)
        captured += set(other.graphs.captured) == set(other.graphs.warmed)  # each set of penalties has its graph
        if captured == 2:
            break
    assert any(isinstance(of, Again) for of in other.graphs.captured.values())


def test_each_set_of_penalties_has_its_graph_and_none_before_it_is_warm(data, weights):
    task = task_of("stylegan2", data, weights, penalties={"r1": {"weight": 1.0, "every": 2}})
    task.graphs = OnCpu(task)
    for number in range(2 * WARM):
        task.step(number, 0.0)
    assert not task.graphs.captured and set(task.graphs.warmed.values()) == {WARM}
    for number in range(2 * WARM, 2 * WARM + 2):
        task.step(number, 0.0)
    assert set(task.graphs.captured) == {(("r1",),), ((),)}


def test_a_step_that_cannot_be_captured_is_computed_as_before(data, weights):
    plain, other = (task_of("stylegan2", data, weights, penalties={}) for _ in range(2))
    other.graphs = OnCpu(other)

    def refused(drawn, due):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    other.graphs.capture = refused
    with pytest.warns(UserWarning, match=r"takes longer: operation not permitted when stream is capturing$"):
        for number in range(WARM + 3):
            assert plain.step(number, 0.0) == other.step(number, 0.0)
    assert other.graphs.failed


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("pocket", {}, True),
        ("stylegan2", {}, True),
        ("projected", {}, True),
        ("projected", {"generator": {"stem": 16}}, False),  # another network after half of the training
        ("wgan-gp", {}, False),  # its penalty draws
        ("progan", {}, False),  # it grows
        ("began", {}, False),  # its loss has a state
        ("cogan", {}, False),  # rows go where their labels say
        ("stylegan2", {"style_mixing": 0.9}, False),
        ("stylegan2", {"generator_penalties": {"path-length": {"weight": 2.0}}}, False),
        ("stylegan2", {"penalties": {"r1": {"weight": 1.0, "weight_end": 0.1}}}, False),
        ("stylegan2", {"optimizers": {"generator": {"beta2_end": 0.9}}}, False),
    ],
)
def test_what_is_the_same_work_at_every_step_is_captured_on_a_gpu(data, weights, name, options, expected):
    task = task_of(name, data, weights, **options)
    opt = options_of(dict(task.lab.config.options))
    on_gpu = Lab(task.lab.config, data, torch.device("cuda"), torch.float32, weights)
    assert captures(on_gpu, opt, task.nets) is expected
    assert captures(task.lab, opt, task.nets) is False and task.graphs is None


def test_all_pictures_at_once_are_changed_like_those_alone_that_change():
    augment, x = Adaptive(p=0.4, cutout=1.0), torch.rand(24, 3, 16, 16) * 2 - 1
    moves, maps, _ = augment.numbers(24, 16, stream(0, "numbers"))
    still = (moves == torch.eye(3)).flatten(1).all(1)
    assert 0 < int(still.sum()) < 24
    dense = torch.where(still[:, None, None, None], x, _warped(x, moves))
    assert torch.allclose(warp(x, moves), dense, atol=1e-6)
    same = (maps == torch.eye(4)).flatten(1).all(1)
    dense = torch.where(same[:, None, None, None], x, _recoloured(x, maps))
    assert torch.allclose(recolour(x, maps), dense, atol=1e-6)


def test_it_is_not_asked_for_where_there_is_no_gpu(data, weights):
    assert task_of("pocket", data, weights).graphs is None
    assert cuda_graphs.WARM >= 3  # torch's own advice
