"""What may be asked of a space whose genes stand for classes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.spaces.base import Space
from zeuxis.spaces.class_mix import ClassMix
from zeuxis.spaces.product import parts


@runtime_checkable
class HasClasses(Protocol):
    """A space in which each label has a place."""

    def one_of_each(self) -> Tensor:
        """`(K, D)`: each label alone."""
        ...


def class_sweep(space: Space, rng: torch.Generator) -> Tensor | None:
    """`(K, D)`: one latent for each label of a space, all else drawn from the prior; None where there are no labels."""
    labelled = [part for part in parts(space) if isinstance(part, HasClasses)]
    if len(labelled) != 1:
        return None
    each = labelled[0].one_of_each()
    return torch.cat([each if part is labelled[0] else part.sample(len(each), rng) for part in parts(space)], dim=1)


def room(space: Space) -> Tensor:
    """`(D,)`: how far a latent can go, in deviations of the prior: 1, or less for genes bound to the nearest label."""
    return torch.cat(
        [torch.full((part.dim,), part.room if isinstance(part, ClassMix) else 1.0) for part in parts(space)]
    )
