"""A picture as its Fourier spectrum, with decorrelated frequencies and colours; no network, no weights.

Olah, Mordvintsev and Schubert, "Feature visualization", Distill (2017), https://distill.pub/2017/feature-visualization/
(section "Preconditioning and parameterization"), as Lucid and Aphantasia use it. Natural pictures have amplitudes that
fall with 1 / frequency (Field, "Relations between the statistics of natural images and the response properties of
cortical cells", 1987), so genes of one deviation each weigh alike. Colour axes: Ohta, Kanade and Sakai, "Color
information for region segmentation" (1980), near the principal axes of photographs.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded
from zeuxis.spaces import Fixed, Normal, check

# Brightness, red against blue, green against magenta: unit vectors times their deviations in 1,000 photographs of
# ImageNet (0.443, 0.126 and 0.063 of [0, 1]), that of brightness set to 1.
COLOURS = (
    (0.577, 0.577, 0.577),
    (0.201, 0.000, -0.201),
    (-0.058, 0.116, -0.058),
)
CONTRAST = 2.0  # of the logits
COLOURFUL = 1.5  # colours weigh more than in photographs, so that strong ones are within reach


class FFTImage:
    """Genes: real and imaginary parts of the lowest frequencies of three decorrelated colours, standard normal.

    resolution   pixels a side, 16 to 1024
    frequencies  cycles per picture up to which there are genes, below half the resolution; fewer: smoother, and faster
                 to search without a gradient
    decay        amplitudes fall with 1 / frequency to this power, 0 to 4: 1 in photographs, 1.5 in Aphantasia
    """

    name = "fft"

    def __init__(
        self,
        device: torch.device | None = None,
        *,
        resolution: int = 64,
        frequencies: int = 16,
        decay: float = 1.5,
    ) -> None:
        self.resolution = bounded("resolution of fft", resolution, 16, 1024)
        most = min(64, self.resolution // 2 - 1)  # 64 of them are 49,536 genes
        self.frequencies = bounded("frequencies of fft", frequencies, 1, most)
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay <= 4:
            raise BadInput(f"Expected decay of fft from 0 to 4, got {decay!r:.40}.")
        self.device = device or torch.device("cpu")
        self.exact = torch.float32 if self.device.type == "mps" else torch.float64  # rounding must not show
        self.dtype = torch.float32
        self.sha256 = hashlib.sha256(b"zeuxis fft image 1").hexdigest()  # raise the number when a pixel changes
        across, down = self.frequencies + 1, 2 * self.frequencies + 1
        self._shape = (3, down, across, 2)
        self.space = Normal(3 * down * across * 2, bound=4.0)
        ky = torch.arange(down, dtype=torch.float64)
        ky = torch.minimum(ky, down - ky)  # 0, 1, ..., F, F, ..., 1 as the transform orders them
        k = torch.hypot(ky[:, None], torch.arange(across, dtype=torch.float64)[None]).clamp_min(1)  # cycles
        twice = torch.full((across,), 4.0, dtype=torch.float64)  # of the power: real and imaginary part, both signs
        twice[0] = 1.0
        scale = k**-decay / (k ** (-2 * decay) * twice).sum().sqrt()  # so that a colour's deviation over a picture is 1
        self._fixed = Fixed(scale, torch.tensor(COLOURS, dtype=torch.float64))

    def set_precision(self, dtype: torch.dtype) -> None:
        """Colour in `dtype`; the transform stays exact, and images come out as float32."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        x = check(self.space, x).to(self.device, self.exact)
        scale, colours = (value.to(self.exact) for value in self._fixed.on(self.device))
        parts = x.reshape(len(x), *self._shape) * scale[:, :, None]
        spectrum = torch.view_as_complex(parts.contiguous())  # (N, 3, 2 F + 1, F + 1)
        half, first = self.resolution // 2 + 1, self.frequencies + 1
        wide = torch.nn.functional.pad(spectrum, (0, half - first))
        gap = wide.new_zeros(len(x), 3, self.resolution - wide.shape[2], half)
        wide = torch.cat([wide[:, :, :first], gap, wide[:, :, first:]], dim=2)  # (N, 3, R, R / 2 + 1)
        planes = torch.fft.irfft2(wide, s=(self.resolution, self.resolution), norm="forward")  # (N, 3, R, R)
        weight = colours * torch.tensor([1.0, COLOURFUL, COLOURFUL], dtype=self.exact, device=self.device)[:, None]
        pixels = (planes[:, :, None] * weight[None, :, :, None, None]).sum(dim=1)  # (N, colour, R, R)
        return torch.sigmoid((CONTRAST * pixels).to(self.dtype)).float()

    def describe(self, x: Tensor) -> str:
        """Nothing to say: frequencies have no names."""
        return ""
