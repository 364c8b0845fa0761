"""Grids of codes: what a VQGAN draws from, as vectors that a search moves and the nearest code replaces."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces.base import Bounded, Fixed, checked_shares, positive
from zeuxis.spaces.normal import Normal

MOST_DISTANCES = 4096 * 2**14  # held at once, in a book of however many codes


class CodeGrid(Bounded):
    """A grid of places, each a vector of the codebook's width; `decode` puts the nearest code in its place.

    The prior is a code for each place, drawn by itself: all alike, or as often as they stand there in real pictures.
    The gradient passes as if nothing had been replaced (van den Oord, Vinyals and Kavukcuoglu, "Neural discrete
    representation learning", 2017, section 3.1; so VQGAN-CLIP).
    """

    def __init__(self, codes: Tensor, side: int, shares: Tensor | None = None) -> None:
        """`codes` `(K, E)`; the grid has `side` x `side` places. `shares` `(side * side, K)`, each row sums to 1, say
        how often a code is drawn in a place.
        """
        if codes.ndim != 2 or not len(codes) or not bool(torch.isfinite(codes).all()):
            raise BadInput(f"Expected finite codes (K, E), got {tuple(codes.shape)}. The weight file may be damaged.")
        positive(side=side)
        self.codes, self.side = codes.detach().to("cpu", torch.float32), side
        self._shares = None if shares is None else checked_shares(shares, side * side, len(codes))
        self._codes = Fixed(self.codes, self.codes.square().sum(dim=1))
        low, high = (edge.repeat(side * side) for edge in (self.codes.amin(dim=0), self.codes.amax(dim=0)))
        super().__init__(low, high)

    def __repr__(self) -> str:
        return f"CodeGrid({self.side} x {self.side}, {len(self.codes)} codes of {self.codes.shape[1]})"

    @cached_property
    def prior_mean(self) -> Tensor:
        """`(D,)`: the mean code in each place."""
        if self._shares is not None:
            return (self._shares @ self.codes.double()).float().flatten()
        return self.codes.mean(dim=0).repeat(self.side**2)

    @cached_property
    def prior_std(self) -> Tensor:
        """`(D,)`: the deviation of the codes in each place."""
        if self._shares is not None:
            codes = self.codes.double()
            mean = self._shares @ codes  # (P, E)
            square = (self._shares @ codes.square() - mean.square()).clamp_min(0)
            return square.sqrt().float().flatten()
        return self.codes.std(dim=0, correction=0).repeat(self.side**2)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        """`(N, D)` float32, a code drawn for each place."""
        if self._shares is not None and count:
            drawn = torch.multinomial(self._shares, count, replacement=True, generator=rng)  # (P, N)
            return self.codes[drawn.T].flatten(1)
        return self.codes[torch.randint(len(self.codes), (count, self.side**2), generator=rng)].flatten(1)

    def nearest(self, x: Tensor) -> Tensor:
        """`(N, D)` -> numbers of the nearest codes `(N, side * side)`."""
        codes, length = self._codes.on(x.device)
        rows = x.detach().float().reshape(-1, codes.shape[1])
        most = max(1, min(4096, MOST_DISTANCES // len(codes)))
        pieces = [(length - 2 * piece @ codes.T).argmin(dim=1) for piece in torch.split(rows, most)]
        return torch.cat(pieces).reshape(len(x), self.side**2)

    def decode(self, x: Tensor) -> Tensor:
        """`(N, D)` -> codes `(N, E, side, side)`; the gradient goes straight through."""
        codes, _ = self._codes.on(x.device)
        found = codes[self.nearest(x)].flatten(1)
        grid = x + (found - x).detach()
        return grid.reshape(len(x), self.side, self.side, -1).permute(0, 3, 1, 2)


class GridAxes(Normal):
    """Coordinates of a grid of codes along principal axes of the grids of real pictures, in their deviations.

    A grid is mean + x A, each place then replaced by the nearest code: what stands together in real pictures stands
    together here, as far as a normal distribution can say. The prior is N(0, 1) per gene.
    """

    def __init__(self, grid: CodeGrid, mean: Tensor, axes: Tensor) -> None:
        """`mean` `(D,)` of the genes of `grid`, `axes` `(A, D)`, each as long as the deviation along it."""
        if axes.ndim != 2 or mean.shape != (grid.dim,) or axes.shape[1] != grid.dim:
            raise BadInput(
                f"Expected a mean ({grid.dim},) and axes (A, {grid.dim}), got {tuple(mean.shape)} and "
                f"{tuple(axes.shape)}. The weight file may be damaged."
            )
        super().__init__(len(axes))
        self.grid = grid
        self._axes = Fixed(mean.detach().to("cpu", torch.float32), axes.detach().to("cpu", torch.float32))

    def __repr__(self) -> str:
        return f"GridAxes({self.dim}, {self.grid!r})"

    def decode(self, x: Tensor) -> Tensor:
        """`(N, A)` -> codes `(N, E, side, side)`; the gradient goes straight through."""
        mean, axes = self._axes.on(x.device)
        return self.grid.decode(x @ axes + mean)
