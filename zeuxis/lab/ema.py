"""Weight averaging (Polyak and Juditsky 1992; as in Karras et al. 2018): a slow copy of a network."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of the parameters of `net`; buffers are copied as they are.

    The decay ramps up as (1 + t) / (10 + t), so that the first steps do not weigh for ever.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take one step towards `net`."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        mine: list[Tensor] = list(self.net.parameters())
        theirs = [p.detach() for p in net.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - decay)
        for a, b in zip(self.net.buffers(), net.buffers(), strict=True):
            a.copy_(b)
