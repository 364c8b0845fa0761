"""VQGAN from a converted file: pictures from a grid of codes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.base import as_rgb, check_colours
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets.layers import Precisions, bounded, placed
from zeuxis.nets.vqgan import VQGAN as Net
from zeuxis.spaces import Categorical, CodeGrid, Space, check
from zeuxis.spaces.algebra import principal_axes

SPACES = ("grid", "codes")
MOST_GENES = 2**16  # a saved picture holds no more
LARGEST = 1e9  # a number in a code: squares and sums of them stay finite
GRID = 16  # places a side of the published networks: 256 pixels of 16 x 16 each


class VQGAN:
    """Latent = a grid of codes.

    space  "grid": a vector for each place, replaced by the nearest code, with a gradient; "codes": one gene for each
           place, the number of its code, without; codes lie in the order of their widest axis
    grid   places a side; the network is convolutional, so any number draws, and 16 is what it was trained at
    """

    name = "vqgan"

    def __init__(
        self, path: Path, device: torch.device | None = None, *, space: str = "grid", grid: int = GRID
    ) -> None:
        if space not in SPACES:
            raise BadInput(f"Expected space {' or '.join(SPACES)} for a VQGAN, got {space!r:.40}.")
        self.device = device or torch.device("cpu")
        self.path, self.sha256 = path, file_sha256(path)
        check_colours(read_model(path))
        net = build(path, "generator")
        if not isinstance(net, Net):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, which is no VQGAN")
        self.side = bounded("grid of a VQGAN", grid, 1, 64)
        self.resolution = self.side * net.factor
        codes = net.quantize.embedding.weight.detach().float().cpu()
        if float(codes.abs().max()) > LARGEST:
            raise WeightsRefused(
                path, f"has codes beyond {LARGEST:g}, which no trained codebook has. It may be damaged"
            )
        if space == "grid" and self.side**2 * net.embed > MOST_GENES:
            raise BadInput(
                f"Expected a grid of at most {MOST_GENES:,} genes, got {self.side} x {self.side} x {net.embed}. Take a "
                "smaller --generator-option grid=N, or --space codes."
            )
        _, axes = principal_axes(codes)
        self.codes = codes[(codes @ axes[:, 0]).argsort(stable=True)]  # (K, E)
        names = tuple(map(str, range(len(codes))))
        self._grid = CodeGrid(self.codes, self.side)
        self.space: Space = self._grid if space == "grid" else Categorical([names] * self.side**2)
        self._nets = Precisions(placed(net, self.device))
        self.dtype = torch.float32

    def set_precision(self, dtype: torch.dtype) -> None:
        """Draw in `dtype`; codes, norms and the picture stay float32."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        x = check(self.space, x).to(self.device)
        if isinstance(self.space, Categorical):
            x = self.codes.to(self.device)[self.space.decode(x)].flatten(1)
        images: Tensor = self._nets[self.dtype](self._grid.decode(x))  # nominally in [-1, 1]
        return as_rgb((images.float() / 2 + 0.5).clamp(0, 1))

    def describe(self, x: Tensor) -> str:
        """Nothing to say: codes have no names."""
        return ""
