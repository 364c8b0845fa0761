"""Choices: one of several options for each of a few places, as genes that any search can breed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.base import Bounded, Fixed, checked_shares


class Categorical(Bounded):
    """A product of finite sets: gene j in [0, 1] names option floor(gene * K_j) of place j.

    A discrete space with the interface of a continuous one: the prior is uniform over all combinations, and options
    that stand side by side are neighbours. Searches that need a gradient find none here.

    With `shares` `(J, K)` of options that are equally many in all places, each row summing to 1, an option has an
    interval of that length: gene j, uniform under the prior, draws option k as often as shares[j, k] says.
    """

    def __init__(self, options: Sequence[Sequence[str]], shares: Tensor | None = None) -> None:
        if not options or not all(options):
            raise BadInput("Expected at least one place, and at least one option for each.")
        self._ends: Fixed | None = None
        if shares is not None:
            checked = checked_shares(shares, len(options), len(options[0]))
            if len({len(place) for place in options}) > 1:
                raise BadInput("Expected as many options in each place, since their shares are given.")
            self._ends = Fixed(checked.cumsum(1))  # (J, K), where each option ends
            numbers = torch.arange(checked.shape[1])
            self._last = torch.where(checked > 0, numbers, 0).amax(1)  # (J,): that of gene 1
        self.options = tuple(tuple(place) for place in options)
        self.sizes = torch.tensor([len(place) for place in self.options])
        super().__init__(torch.zeros(len(self.options)), torch.ones(len(self.options)))

    def __repr__(self) -> str:
        return f"Categorical({', '.join(str(len(place)) for place in self.options)})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`, of the uniform distribution on [0, 1]."""
        return torch.full((self.dim,), 0.5)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`, of the uniform distribution on [0, 1]."""
        return torch.full((self.dim,), math.sqrt(1 / 12))

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, each combination as likely as any other."""
        return torch.rand(count, self.dim, generator=rng)

    def decode(self, x: Tensor) -> Tensor:
        """Genes `(N, D)` -> numbers of options `(N, D)` int64."""
        sizes = self.sizes.to(x.device)
        if self._ends is not None:
            (ends,) = self._ends.on(x.device)
            found = torch.searchsorted(ends, x.double().T.contiguous(), right=True).T  # intervals [begin, end)
            return found.minimum(self._last.to(x.device))
        return (x.double() * sizes).long().clamp_min(0).minimum(sizes - 1)

    def encode(self, chosen: Tensor) -> Tensor:
        """Numbers of options `(N, D)` -> genes in the middle of each option's interval `(N, D)`."""
        if self._ends is not None:
            (ends,) = self._ends.on(chosen.device)
            begins = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, :-1]], 1)
            return ((begins + ends) / 2).gather(1, chosen.T).T.float()
        return ((chosen.double() + 0.5) / self.sizes.to(chosen.device)).float()

    def words(self, x: Tensor) -> list[tuple[str, ...]]:
        """What each latent of `(N, D)` chooses, place by place."""
        rows = self.decode(x).tolist()
        return [tuple(place[k] for place, k in zip(self.options, row, strict=True)) for row in rows]

    def describe(self, x: Tensor) -> str:
        """What one latent `(D,)` chooses: "red, shoe, on grass"."""
        return ", ".join(word for word in self.words(x[None])[0] if word)
