"""Dual encoder in the manner of CLIP (Radford et al. 2021, arXiv 2103.00020): two towers, one joint space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded
from zeuxis.nets.trunk import Trunk


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


class DualEncoder(nn.Module):
    """Images (N, 3, 32, 32) in [-1, 1] and token numbers (N, T) -> unit vectors (N, E) in one space.

    `log_scale` is the learned inverse temperature of the contrastive loss, exp(log_scale) <= 100.
    """

    def __init__(self, trunk: Trunk, text: TextTower, joint: int = 128, sentence: int = 384) -> None:
        super().__init__()
        self.trunk, self.text = trunk, text
        self.image_head = nn.Linear(2 * trunk.widths[-1], joint)
        self.text_head = nn.Linear(sentence, joint)
        first, last = nn.Linear(sentence, 2 * joint), nn.Linear(2 * joint, joint)
        self.text_bend = nn.Sequential(first, nn.GELU(), last)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.zeros_(last.weight)

    def image(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, E); normalised in float32."""
        return F.normalize(self.image_head(self.trunk(x)).float(), dim=1)

    def sentence(self, s: Tensor) -> Tensor:
        """Sentence vectors of the text tower (N, S) -> (N, E)."""
        return F.normalize((self.text_head(s) + self.text_bend(s)).float(), dim=1)

    def words(self, tokens: Tensor) -> Tensor:
        """(N, T) -> (N, E)."""
        return self.sentence(self.text(tokens))


def without_text(joint: int, widths: Sequence[int], sentence: int = 384) -> DualEncoder:
    """A dual encoder whose text tower is still to come: in a file it is a part of its own, which files may share.

    Set `.text` before asking for `words`. BadInput for sizes that no such network has.
    """
    bounded("joint", joint, 1, 4096)
    bounded("sentence", sentence, 1, 4096)
    return DualEncoder(Trunk(widths), cast(TextTower, nn.Identity()), joint, sentence)
