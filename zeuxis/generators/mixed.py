"""A generator searched through weights of a few of its draws (`zeuxis.spaces.mixture`): the option `mixture` of any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.spaces import Mixture, Space, check
from zeuxis.spaces.mixture import LARGEST

OPTION = "mixture"


class Mixed:
    """`generator` with the space `Mixture(generator.space, count)`; all else is that of the generator itself."""

    def __init__(self, generator: Generator, count: int) -> None:
        self.generator = generator
        self.name, self.sha256, self.device = generator.name, generator.sha256, generator.device
        self.resolution, self._mixture = generator.resolution, Mixture(generator.space, count)
        self.space: Space = self._mixture

    def __getattr__(self, name: str) -> Any:
        if name in ("generator", "_mixture"):  # while it is being unpickled or copied
            raise AttributeError(name)
        return getattr(self.generator, name)

    def render(self, x: Tensor) -> Tensor:
        """`(N, D)` weights and other genes -> `(N, 3, H, W)`."""
        return self.generator.render(self._mixture.expand(check(self.space, x).to(self.device)))

    def set_precision(self, dtype: torch.dtype) -> None:
        """Compute in `dtype` from now on."""
        self.generator.set_precision(dtype)

    def describe(self, x: Tensor) -> str:
        """What the generator says of the latent that the weights `(D,)` stand for."""
        return self.generator.describe(self._mixture.expand(x[None])[0])

    def styles(self, x: Tensor) -> Tensor:
        """Weights `(N, D)` -> the styles of a generator that has them."""
        found: Tensor = getattr(self.generator, "styles")(self._mixture.expand(x))  # noqa: B009
        return found


def without_mixture(options: Mapping[str, Any]) -> tuple[dict[str, Any], int | None]:
    """The options that are the generator's own, and the number of draws, None without one. BadInput for no number."""
    rest = dict(options)
    count = rest.pop(OPTION, None)
    if count is not None and (type(count) is not int or not 2 <= count <= LARGEST):
        raise BadInput(f"Expected the option {OPTION} to be a whole number from 2 to {LARGEST}, got {count!r:.40}.")
    return rest, count
