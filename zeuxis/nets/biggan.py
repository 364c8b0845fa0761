"""BigGAN-deep: Brock, Donahue and Simonyan, "Large scale GAN training for high fidelity natural image synthesis"
(2019), https://arxiv.org/abs/1809.11096 , appendix B; as DeepMind published it and Hugging Face ported it.

Spectral normalisation is folded into the weights, the colour convolution computes the 3 channels that are used, and
every conditional batch norm is one multiply-add whose factors come from a single matrix product for the whole network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.biggan_layers import Attention, Block, Conv, Linear, Norm
from zeuxis.nets.layers import bounded


class _Body(nn.Module):
    """The published names begin with "generator."."""

    layers: nn.ModuleList
    bn: Norm
    conv_to_rgb: Conv

    def __init__(self, gen_z: Linear) -> None:
        super().__init__()
        self.gen_z = gen_z


class BigGANDeep(nn.Module):
    """z (N, z_dim) and a class embedding (N, class_embed_dim) -> images (N, img_channels, R, R) in [-1, 1].

    `layers` are rows [upsample, in, out] in multiples of `channel_width`; the attention stands before row
    `attention_layer_position`. Call `set_truncation` before drawing.
    """

    def __init__(
        self,
        z_dim: int,
        class_embed_dim: int,
        channel_width: int,
        num_classes: int,
        layers: Sequence[Sequence[int]],
        attention_layer_position: int,
        eps: float = 1e-4,
        n_stats: int = 51,
        img_channels: int = 3,
    ) -> None:
        super().__init__()
        for name, value, low, high in (
            ("z_dim", z_dim, 1, 4096),
            ("class_embed_dim", class_embed_dim, 1, 4096),
            ("channel_width", channel_width, 1, 1024),
            ("num_classes", num_classes, 1, 1_000_000),
            ("n_stats", n_stats, 2, 1001),
            ("img_channels", img_channels, 1, 3),
            ("the number of blocks", len(layers), 1, 64),
            ("attention_layer_position", attention_layer_position, 0, 64),
        ):
            bounded(name, value, low, high)
        if not all(len(row) == 3 and 1 <= int(row[1]) <= 64 and 1 <= int(row[2]) <= int(row[1]) for row in layers):
            raise BadInput(
                "Expected layers as rows [upsample, in, out] with in >= out, both in multiples of the width."
            )
        if sum(bool(row[0]) for row in layers) > 9 or not 0 < float(eps) < 1:
            raise BadInput(f"Expected at most 9 doublings and 0 < eps < 1, got eps {eps}.")
        self.z_dim, self.num_classes, self.n_stats = z_dim, num_classes, n_stats
        self.width, condition = channel_width, z_dim + class_embed_dim
        self.first = int(layers[0][1]) * channel_width
        self.img_resolution = 4 * 2 ** sum(bool(row[0]) for row in layers)
        self.embeddings = Linear(num_classes, class_embed_dim, bias=False)
        self.generator = _Body(Linear(condition, 4 * 4 * self.first))
        blocks: list[nn.Module] = []
        for i, (up, cin, cout) in enumerate(layers):
            if i == attention_layer_position:
                blocks.append(Attention(int(cin) * channel_width))
            blocks.append(Block(int(cin) * channel_width, int(cout) * channel_width, condition, n_stats, eps, bool(up)))
        self.generator.layers = nn.ModuleList(blocks)
        last = int(layers[-1][2]) * channel_width
        self.generator.bn = Norm(last, n_stats, eps, None)
        self.generator.conv_to_rgb = Conv(last, img_channels, 3)

    def norms(self) -> list[Norm]:
        """Every norm in the order of use, the last one without condition."""
        blocks = [block.norms() for block in self._layers() if isinstance(block, Block)]
        return [*(norm for norms in blocks for norm in norms), self.generator.bn]

    def set_truncation(self, truncation: float, exact: bool = False) -> None:
        """Use the batch statistics gathered at this truncation, in (0, 1]."""
        low, high, share = statistics_at(truncation, self.n_stats, exact)
        for norm in self.norms():
            norm.at(low, high, share)

    def forward(self, z: Tensor, embedding: Tensor) -> Tensor:
        """(N, z_dim) already multiplied by the truncation, (N, class_embed_dim) -> (N, C, R, R) float32 in [-1, 1]."""
        condition = torch.cat([z, embedding], dim=1)
        factors = [norm.factors(condition) for norm in self.norms()]
        x = self.generator.gen_z(condition)
        x = x.view(-1, 4, 4, self.first).permute(0, 3, 1, 2).to(self.generator.conv_to_rgb.weight.dtype)
        used = 0
        for layer in self._layers():
            if isinstance(layer, Block):
                x = layer(x, factors[used : used + 4])
                used += 4
            else:
                x = layer(x)
        x = self.generator.conv_to_rgb(self.generator.bn.relu(x, factors[-1]))
        return torch.tanh(x.float())

    def _layers(self) -> list[nn.Module]:
        return list(self.generator.layers)


def statistics_at(truncation: float, n_stats: int, exact: bool) -> tuple[int, int, float]:
    """Which two rows of statistics to mix, and the share of the first.

    The published port divides in floating point and gives the fraction to the wrong neighbour; pictures in papers and
    galleries were made so, and that is the default. `exact` interpolates as one would.
    """
    step = 1.0 / (n_stats - 1)
    if not step <= truncation <= 1:
        raise BadInput(f"Expected a truncation from {step:g} to 1, got {truncation}.")
    if exact:
        place = round(truncation / step, 6)
        low = min(int(place), n_stats - 2)
        return low, low + 1, 1 - (place - low)
    fraction, whole = math.modf(truncation / step)
    low = int(whole)
    return (low, min(low + 1, n_stats - 1), fraction) if fraction else (low, low, 1.0)
