"""Text tower: token vectors, two transformer layers, one sentence vector; small enough to ship.

The token table starts as principal components of a sentence encoder's answers to single tokens (as model2vec does,
Tulkens and van Dongen 2024), so even before training the mean of the tokens is a usable sentence vector; the
transformer (Vaswani et al. 2017, arXiv 1706.03762) learns what the mean misses.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded


class TextLayer(nn.Module):
    """Pre-norm self-attention and MLP: (N, T, C), mask (N, T) -> (N, T, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(N, T, C), True where a token is -> (N, T, C)."""
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])  # (N, heads, T, C / heads)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, c))
        h: Tensor = self.mlp(self.norm2(x))
        return x + h


class TextTower(nn.Module):
    """Token numbers (N, T) -> unit sentence vectors (N, output). BadInput for sizes that no such network has."""

    def __init__(
        self, tokens: int, width: int = 128, layers: int = 2, heads: int = 4, output: int = 384,
        longest: int = 64, pad: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        bounded("heads", heads, 1, 64)
        for name, value, low, high in (
            ("tokens", tokens, 1, 2**20),
            ("width", width, 1, 4096),
            ("layers", layers, 0, 64),
            ("output", output, 1, 4096),
            ("longest", longest, 1, 4096),
            ("pad", pad, 0, tokens - 1),
        ):
            bounded(name, value, low, high)
        if width % heads:
            raise BadInput(f"Expected a width that {heads} heads can share, got {width}.")
        self.pad, self.longest = pad, longest
        self.tokens = nn.Embedding(tokens, width)
        self.weight = nn.Embedding(tokens, 1)  # log weight of a token in the mean: "a" says less than "truck"
        self.places = nn.Parameter(torch.zeros(longest, width))
        self.layers = nn.ModuleList(TextLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.direct = nn.Linear(width, output)  # from the weighted mean of the tokens
        self.deep = nn.Linear(width, output)  # from the transformer
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.deep.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) -> (N, output), each of length 1."""
        mask = tokens != self.pad  # (N, T)
        x = self.tokens(tokens)  # (N, T, C)
        share = self.weight(tokens).masked_fill(~mask[:, :, None], -torch.inf).softmax(1)  # (N, T, 1)
        mean = (share * x).sum(1)
        h = x + self.places[: x.shape[1]]
        for layer in self.layers:
            h = layer(h, mask)
        deep = (self.norm(h) * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return F.normalize(self.direct(mean) + self.deep(deep), dim=1)
