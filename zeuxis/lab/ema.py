"""Weight averaging (Polyak and Juditsky 1992; as in Karras et al. 2018): a slow copy of a network."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of the parameters of `net`; buffers are copied as they are.

    With `decay` per step it ramps up as (1 + t) / (10 + t), so that the first steps do not weigh for ever. With
    `half_life` in images it is that of Karras et al. 2020 (arXiv 2006.06676, appendix B): decay = 2^(-batch /
    half-life), the half-life at most `ramp` times the images shown so far.
    """

    def __init__(
        self, net: nn.Module, decay: float, half_life: int | None = None, ramp: float = 0.05, batch: int = 1
    ) -> None:
        self.decay, self.half_life, self.ramp, self.batch, self.steps = decay, half_life, ramp, batch, 0
        self.net = copy.deepcopy(net).eval().requires_grad_(False)

    def _decay(self) -> float:
        if self.half_life is None:
            return min(self.decay, (1 + self.steps) / (10 + self.steps))
        reach = min(float(self.half_life), self.ramp * self.steps * self.batch)
        return float(0.5 ** (self.batch / max(reach, 1e-8)))

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take one step towards `net`."""
        self.steps += 1
        mine: list[Tensor] = list(self.net.parameters())
        theirs = [p.detach() for p in net.parameters()]
        torch._foreach_lerp_(mine, theirs, 1 - self._decay())
        for a, b in zip(self.net.buffers(), net.buffers(), strict=True):
            a.copy_(b)
