"""From the embedding of a prompt to a mixture of normal distributions over latents.

Bishop, "Mixture density networks", 1994, https://publications.aston.ac.uk/id/eprint/373/ ; as a prior from CLIP's
embeddings to latents in clip2latent (Pinkney and Li 2022), https://arxiv.org/abs/2210.02347 .
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

NARROWEST, WIDEST = 0.05, 1.5  # deviations of a normal distribution, in those of the prior


class WarmStart(nn.Module):
    """`embedding` numbers of a prompt to `parts` normal distributions with diagonal covariance over `genes`.

    Genes are in deviations of the prior about its mean.
    """

    def __init__(self, embedding: int, genes: int, hidden: int = 256, parts: int = 4) -> None:
        super().__init__()
        self.genes, self.parts = genes, parts
        self.trunk = nn.Sequential(nn.Linear(embedding, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.weight = nn.Linear(hidden, parts)
        self.place = nn.Linear(hidden, parts * genes)
        self.width = nn.Linear(hidden, parts * genes)

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings `(P, E)` -> log weights `(P, K)`, means and deviations `(P, K, D)`."""
        h = self.trunk(e)
        shape = (len(e), self.parts, self.genes)
        width = self.width(h).view(shape).exp().clamp(NARROWEST, WIDEST)
        return self.weight(h).log_softmax(dim=1), self.place(h).view(shape), width

    def log_density(self, e: Tensor, u: Tensor) -> Tensor:
        """Log density `(P, T)` of latents `(P, T, D)`, T of them for each embedding `(P, E)`."""
        weight, mean, width = self(e)
        z = (u[:, :, None] - mean[:, None]) / width[:, None]  # (P, T, K, D)
        density = -0.5 * z.square().sum(dim=-1) - width.log().sum(dim=-1)[:, None]
        found: Tensor = torch.logsumexp(density + weight[:, None], dim=2) - 0.5 * self.genes * math.log(2 * math.pi)
        return found
