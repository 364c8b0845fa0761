"""Stand-ins for the studio's tests: an artist without networks, and a person who clicks."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from zeuxis.rng import stream
from zeuxis.spaces import Normal
from zeuxis.studio.breeding import Breeding
from zeuxis.studio.family import Family
from zeuxis.studio.genome import Variation

GENES, FEATURES = 32, 12


@dataclass(frozen=True)
class Looks:
    pixels: np.ndarray
    scores: torch.Tensor
    features: torch.Tensor


class ToyArtist:
    """Features are a smooth function of the genes. The hidden `target` is what a person has in mind; words tell it as
    far as the cosine `words` goes, and score by that.
    """

    def __init__(self, seed, words=0.9):
        rng = stream(seed, "toy artist")
        self.first = torch.randn(GENES, 64, generator=rng) / GENES**0.5
        self.second = torch.randn(64, FEATURES, generator=rng) / 8
        self.target = self.features(torch.randn(1, GENES, generator=rng))[0]
        other = torch.randn(FEATURES, generator=rng)
        other = normalize(other - (other @ self.target) * self.target, dim=0)
        self.said = words * self.target + (1 - words**2) ** 0.5 * other
        self.images = 0

    def features(self, x):
        return normalize(torch.tanh(x @ self.first) @ self.second, dim=1)

    def look(self, genomes):
        found = self.features(genomes[:, 0])
        self.images += len(found)
        return Looks(np.zeros((len(found), 4, 4, 3), np.uint8), found @ self.said, found)

    def wanted(self, features):
        return features @ self.target


def breeding(artist, seed=0, **settings):
    return Breeding(Variation(Normal(GENES)), artist.look, Family(), seed=seed, **settings)
