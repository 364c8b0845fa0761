"""Spaces: what a search may breed. A space knows its prior, its bounds and what its genes mean.

A latent is one flat row of genes, float32 `(D,)`. Bounds are finite, so no search can run away; samples are
drawn on the CPU from the generator handed in, so the same seed gives the same latents on every device.
"""

from zeuxis.spaces.base import Fixed, Space, check
from zeuxis.spaces.categorical import Categorical
from zeuxis.spaces.class_mix import ClassMix
from zeuxis.spaces.codebook import CodeGrid, GridAxes
from zeuxis.spaces.mixture import Mixture
from zeuxis.spaces.normal import Normal, TruncatedNormal
from zeuxis.spaces.product import HasClasses, Product, balls, blocks, class_sweep, gaussian, parts, room
from zeuxis.spaces.sparse_mix import SparseMix
from zeuxis.spaces.whitened import Whitened

__all__ = [
    "Categorical",
    "ClassMix",
    "CodeGrid",
    "Fixed",
    "GridAxes",
    "HasClasses",
    "Mixture",
    "Normal",
    "Product",
    "Space",
    "SparseMix",
    "TruncatedNormal",
    "Whitened",
    "balls",
    "blocks",
    "check",
    "class_sweep",
    "gaussian",
    "parts",
    "room",
]
