"""VQGAN from a converted file or an export of the lab: pictures from a grid of codes."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.base import as_rgb, check_colours
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.model_file import build, read_model
from zeuxis.nets.layers import Precisions, bounded, placed
from zeuxis.nets.vqgan import VQGAN as Net
from zeuxis.nets.vqgan_encoder import CodeAxes, CodeCounts
from zeuxis.spaces import Categorical, CodeGrid, GridAxes, Space, check
from zeuxis.spaces.algebra import principal_axes

SPACES = ("axes", "grid", "codes")
MOST_GENES = 2**16  # a saved picture holds no more
LARGEST = 1e9  # a number in a code: squares and sums of them stay finite
PRIORS = ("counted", "uniform")
GRID = 16  # places a side of the published networks: 256 pixels of 16 x 16 each


class VQGAN:
    """Latent = a grid of codes.

    space  "grid": a vector for each place, replaced by the nearest code, with a gradient; "codes": one gene for each
           place, the number of its code, without; codes lie in the order of their widest axis; "axes": coordinates
           along principal axes of the grids of real pictures, which a file may have; if not given, axes or else grid
    grid   places a side; the network is convolutional, so any number draws; if not given, as many as it was trained
           at, which is 16 where the file does not say
    prior  "counted": each code as often as it stands in that place of real pictures, where the file has counted that
           and the grid is its own; "uniform": all codes alike
    """

    name = "vqgan"

    def __init__(
        self, path: Path, device: torch.device | None = None, *, space: str | None = None, grid: int | None = None,
        prior: str = "counted",
    ) -> None:  # fmt: skip
        if space is not None and space not in SPACES:
            raise BadInput(f"Expected space {' or '.join(SPACES)} for a VQGAN, got {space!r:.40}.")
        if prior not in PRIORS:
            raise BadInput(f"Expected prior {' or '.join(PRIORS)} for a VQGAN, got {prior!r:.40}.")
        self.device = device or torch.device("cpu")
        self.path, self.sha256 = path, file_sha256(path)
        model = read_model(path)
        check_colours(model)
        net = build(path, "generator")
        if not isinstance(net, Net):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, which is no VQGAN")
        counts = _counts(path, net.codes) if "counts" in model.parts else None
        own = GRID if counts is None else math.isqrt(len(counts))
        self.side = bounded("grid of a VQGAN", own if grid is None else grid, 1, 64)
        self.resolution = self.side * net.factor
        codes = net.quantize.embedding.weight.detach().float().cpu()
        if float(codes.abs().max()) > LARGEST:
            raise WeightsRefused(
                path, f"has codes beyond {LARGEST:g}, which no trained codebook has. It may be damaged"
            )
        if space not in ("codes", "axes") and self.side**2 * net.embed > MOST_GENES:
            raise BadInput(
                f"Expected a grid of at most {MOST_GENES:,} genes, got {self.side} x {self.side} x {net.embed}. Take a "
                "smaller --generator-option grid=N, or --space codes."
            )
        _, axes = principal_axes(codes)
        order = (codes @ axes[:, 0]).argsort(stable=True)
        self.codes = codes[order]  # (K, E)
        counted = counts is not None and prior == "counted" and self.side == own
        shares = counts[:, order].double() if counted and counts is not None else None  # (P, K)
        names = tuple(map(str, range(len(codes))))
        self._grid = CodeGrid(self.codes, self.side, shares)
        self.space: Space = self._grid
        if space == "codes":
            self.space = Categorical([names] * self.side**2, shares)
        elif "axes" in model.parts and self.side == own and space != "grid":
            self.space = _axes(path, self._grid)
        elif space == "axes":
            raise BadInput(f"{path.name} has no axes of grids of {self.side} x {self.side} places. Take --space grid.")
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
        grid = self.space.decode(x) if isinstance(self.space, GridAxes) else self._grid.decode(x)
        images: Tensor = self._nets[self.dtype](grid)  # nominally in [-1, 1]
        return as_rgb((images.float() / 2 + 0.5).clamp(0, 1))

    def describe(self, x: Tensor) -> str:
        """Nothing to say: codes have no names."""
        return ""


def _counts(path: Path, codes: int) -> Tensor:
    """How often each code stands in each place of real pictures `(P, K)`. WeightsRefused for what cannot be counts."""
    net = build(path, "counts")
    if not isinstance(net, CodeCounts):
        raise WeightsRefused(path, f"holds a {type(net).__name__}, expected counts of codes")
    counts = net.counts
    if counts.shape[1] != codes or math.isqrt(len(counts)) ** 2 != len(counts):
        raise WeightsRefused(path, f"counts {tuple(counts.shape)} codes, expected a square grid of {codes} codes")
    if bool((counts < 0).any()) or not bool((counts.sum(1, dtype=torch.int64) > 0).all()):
        raise WeightsRefused(path, "counts codes less often than never, or none in a place. It may be damaged")
    return counts


def _axes(path: Path, grid: CodeGrid) -> GridAxes:
    """The axes in the file, of this grid. WeightsRefused for what cannot be."""
    net = build(path, "axes")
    if not isinstance(net, CodeAxes):
        raise WeightsRefused(path, f"holds a {type(net).__name__}, expected axes of a grid")
    if len(net.mean) != grid.dim:
        raise WeightsRefused(path, f"has axes of {len(net.mean)} numbers, expected {grid.dim}")
    if max(float(net.mean.abs().max()), float(net.axes.abs().max())) > LARGEST:
        raise WeightsRefused(path, f"has axes beyond {LARGEST:g}, which no codebook reaches. It may be damaged")
    return GridAxes(grid, net.mean, net.axes)
