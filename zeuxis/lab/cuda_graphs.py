"""Adversarial steps as CUDA graphs: a GPU is told once what a step is, and from then on only to do it again.

A step of a small GAN is thousands of short kernels, and starting them one by one takes the host far longer than the
GPU needs for them. What a step draws is copied to where the graph reads it; everything else, both backward passes and
both optimisers included, is on the device. There is one graph for each set of lazy penalties that fall due together.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zeuxis.lab.adversarial_options import Options
from zeuxis.lab.draws import Drawn
from zeuxis.lab.objectives import OBJECTIVES
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.gan import ROUTED

if TYPE_CHECKING:
    from zeuxis.lab.adversarial import Adversarial

WARM = 3  # steps before a capture: libraries choose kernels, optimisers make their state
PLAIN = ("r1", "r2", "drift")  # penalties that draw nothing

Due = tuple[tuple[str, ...], ...]
Said = tuple[list[Tensor], dict[str, Tensor]]


def captures(lab: Lab, opt: Options, nets: dict[str, nn.Module]) -> bool:
    """Whether every step of this training is the same work on other numbers, on a GPU.

    It is not where something in it is decided on the host: networks that change with progress, weights and moments with
    an end, objectives with a state, what draws in the middle of a step.
    """
    growing = any(hasattr(net, "set_progress") and getattr(net, "stem", True) for net in nets.values())
    ending = any(of.weight_end is not None for of in opt.penalties.values())
    ending |= any(adam.beta2_end is not None for adam in opt.optimizers.values())
    drawing = bool(opt.style_mixing or opt.generator_penalties) or not set(opt.penalties) <= set(PLAIN)
    stateful = bool(OBJECTIVES[opt.objective](**opt.objective_options).state())
    routed = opt.architecture in ROUTED
    return lab.device.type == "cuda" and not (growing or ending or drawing or stateful or routed)


class Graphs:
    """The graphs of one training, made as they are needed."""

    def __init__(self, task: Adversarial) -> None:
        self.task, self.device = task, task.lab.device
        self.warmed: dict[Due, int] = {}
        self.captured: dict[Due, Captured] = {}
        self.failed = False
        # What is captured later must not touch the default stream.
        self.aside: torch.cuda.Stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    def step(self, drawn: list[Drawn], due: Due) -> Said:
        """What `Adversarial.compute` gives; the tensors are overwritten by the next step."""
        found = self.captured.get(due)
        if found is None and (self.failed or self.warmed.get(due, 0) < WARM):
            self.warmed[due] = self.warmed.get(due, 0) + 1
            return self._aside(drawn, due)
        if found is None:
            try:
                found = self.captured[due] = self.capture(drawn, due)
            except RuntimeError as error:
                self.failed = True
                why = str(error).partition("\n")[0][:160]
                warnings.warn(f"CUDA graphs cannot hold this training, so each step takes longer: {why}", stacklevel=2)
                return self._aside(drawn, due)
        return found.step(drawn)

    def _aside(self, drawn: list[Drawn], due: Due) -> Said:
        """A step by itself."""
        here = torch.cuda.current_stream(self.device)
        self.aside.wait_stream(here)
        with torch.cuda.stream(self.aside):
            found = self.task.compute(0, [of.to(self.device) for of in drawn], due, [torch.Generator()] * len(due))
        here.wait_stream(self.aside)
        return found

    def capture(self, drawn: list[Drawn], due: Due) -> Captured:
        """A graph of the step; nothing is computed yet."""
        graph, place = torch.cuda.CUDAGraph(), [of.to(self.device) for of in drawn]
        with torch.cuda.graph(graph, stream=self.aside, capture_error_mode="thread_local"):
            said, figures = self.task.compute(0, place, due, [torch.Generator()] * len(due))
        return Captured(graph, place, said, figures, self.task.nets)


class Captured:
    """One graph, where it reads what was drawn, and where it writes."""

    def __init__(
        self, graph: torch.cuda.CUDAGraph, place: list[Drawn], said: list[Tensor], figures: dict[str, Tensor],
        nets: dict[str, nn.Module],
    ) -> None:  # fmt: skip
        self.graph, self.said, self.figures = graph, said, figures
        self.place = [tensor for of in place for tensor in of.tensors()]
        self.slopes = [(p, p.grad) for net in nets.values() for p in net.parameters()]

    def step(self, drawn: list[Drawn]) -> Said:
        """The step on these numbers."""
        for place, tensor in zip(self.place, (t for of in drawn for t in of.tensors()), strict=True):
            place.copy_(tensor)
        self.graph.replay()
        for parameter, slope in self.slopes:  # those of this graph, for who looks at them
            parameter.grad = slope
        return self.said, self.figures
