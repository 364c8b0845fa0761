"""StyleGAN3's input: Fourier features that the style moves and turns.

Karras et al., "Alias-free generative adversarial networks" (2021), section 3.2, https://arxiv.org/abs/2106.12423
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.nets.stylegan_layers import EqualLinear


class FourierInput(nn.Module):
    """Sines of learned frequencies, shifted and turned by w: (N, w_dim) -> (N, C, size, size). Section 3.2.

    `transform` (3, 3) moves and turns the whole picture, and may be set by the user; the identity leaves it as trained.
    """

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, w_dim: int, channels: int, size: int, sampling_rate: float, bandwidth: float) -> None:
        super().__init__()
        self.size, self.sampling_rate, self.bandwidth = size, sampling_rate, bandwidth
        self.weight = nn.Parameter(torch.zeros(channels, channels))
        self.affine = EqualLinear(w_dim, 4)
        self.register_buffer("transform", torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        self.register_buffer("freqs", torch.zeros(channels, 2))
        self.register_buffer("phases", torch.zeros(channels))

    def forward(self, w: Tensor) -> Tensor:
        """(N, w_dim) -> (N, C, size, size) float32."""
        t = term_by_term(self.affine, w)  # (N, 4): cosine, sine, shift x, shift y
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        cos, sin, zero, one = t[:, 0], t[:, 1], torch.zeros_like(t[:, 0]), torch.ones_like(t[:, 0])
        turn = torch.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], dim=1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -t[:, 2], zero, one, -t[:, 3], zero, zero, one], dim=1).view(-1, 3, 3)
        moved = turn @ shift @ self.transform[None]
        phases = self.phases + (self.freqs[None] @ moved[:, :2, 2:]).squeeze(2)  # (N, C)
        freqs = self.freqs[None] @ moved[:, :2, :2]  # (N, C, 2)
        above = freqs.norm(dim=2) - self.bandwidth
        amplitude = (1 - above / (self.sampling_rate / 2 - self.bandwidth)).clamp(0, 1)
        half = 0.5 * self.size / self.sampling_rate
        theta = torch.tensor([[[half, 0.0, 0.0], [0.0, half, 0.0]]], dtype=w.dtype, device=w.device)
        grid = F.affine_grid(theta, [1, 1, self.size, self.size], align_corners=False)  # (1, S, S, 2)
        # Products in this order: a far-shifted input has large phases, whose rounding is seen in the picture.
        x = (grid[:, :, :, None] @ freqs.transpose(1, 2)[:, None, None]).squeeze(3)  # (N, S, S, C)
        x = torch.sin((x + phases[:, None, None]) * (2 * math.pi)) * amplitude[:, None, None]
        x = x @ (self.weight / math.sqrt(self.weight.shape[1])).T
        image: Tensor = x.permute(0, 3, 1, 2).contiguous()
        return image


def term_by_term(linear: EqualLinear, x: Tensor) -> Tensor:
    """A linear layer whose sums are taken in the order of the inputs, each product added with one rounding (fused).

    Shifts of the input reach ten periods and more, so a last bit of these four sums is 1e-5 of a picture; matrix
    products differ in it from processor to processor. This is the order in which the published pictures' were
    summed, wherever it is computed. On other devices than a CPU, in training and under gradients: the plain layer.
    """
    if x.device.type != "cpu" or x.requires_grad or linear.training:
        out: Tensor = linear(x)
        return out
    weight, wide = (linear.weight * linear.weight_gain).double(), x.double()  # products are exact in float64
    total = torch.zeros(len(x), len(weight), dtype=x.dtype)
    for k in range(weight.shape[1]):
        total = torch.addcmul(total.double(), wide[:, k, None], weight[None, :, k]).to(x.dtype)
    return total + linear.bias * linear.bias_gain
