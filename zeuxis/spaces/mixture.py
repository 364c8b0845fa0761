"""A space of few genes inside one of many: weights over some fixed draws of the prior.

z = sum_k w_k e_k / |w| with K fixed draws e_k of a standard normal prior and K weights w_k. Over the draws z is
standard normal whatever the weights, so a search over K genes keeps to the prior, and CMA-ES with its full covariance
works where the space itself has thousands of genes. Such rotations of fixed noise as a space to search in: Jajal et
al. (2025), https://arxiv.org/abs/2506.00299
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.spaces.base import Fixed, Space
from zeuxis.spaces.normal import Normal
from zeuxis.spaces.product import GAUSSIAN, Product, blocks, parts

LARGEST = 4096  # draws


class Mixture(Product):
    """`count` weights in place of the normal genes of `whole`; its other parts, such as labels, stay as they are.

    `expand` gives the latents of `whole`. BadInput for a space without normal genes, and for fewer than two draws.
    """

    def __init__(self, whole: Space, count: int, seed: int = 0) -> None:
        if type(count) is not int or not 2 <= count <= LARGEST:
            raise BadInput(f"Expected a mixture of 2 to {LARGEST} draws, got {count!r:.20}.")
        self._places = [(at, isinstance(part, GAUSSIAN)) for at, part in zip(blocks(whole), parts(whole), strict=True)]
        if not any(normal for _, normal in self._places):
            raise BadInput(f"Expected a space with normal genes for a mixture of draws, got {whole!r:.200}.")
        super().__init__(Normal(count), *(part for part in parts(whole) if not isinstance(part, GAUSSIAN)))
        self.whole = whole
        drawn = whole.sample(count, stream(seed, "mixture"))
        self._base = Fixed(torch.cat([drawn[:, at] for at, normal in self._places if normal], dim=1))

    def __repr__(self) -> str:
        return f"Mixture({self.whole!r}, {self.spaces[0].dim})"

    def expand(self, x: Tensor) -> Tensor:
        """`(N, D)` -> latents of `whole`, `(N, whole.dim)`."""
        (base,) = self._base.on(x.device)
        w, *rest = self.split(x)
        z = w / w.norm(dim=1, keepdim=True).clamp_min(1e-12) @ base  # (N, normal genes of whole)
        columns, taken = [], 0
        for at, normal in self._places:
            width = at.stop - at.start
            columns.append(z[:, taken : taken + width] if normal else rest.pop(0))
            taken += width * normal
        return self.whole.clip(torch.cat(columns, dim=1))

    def decode(self, x: Tensor) -> Any:
        """What `whole` decodes the expanded latents to."""
        return self.whole.decode(self.expand(x))

    def describe(self, x: Tensor) -> str:
        """What `whole` has to say of the expanded latent `(D,)`."""
        return self.whole.describe(self.expand(x[None])[0])
