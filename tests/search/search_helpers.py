"""What tests of several searches share: a space, and steps of a search on the sphere."""

import torch

from zeuxis.rng import stream
from zeuxis.search import SEARCHES
from zeuxis.spaces import ClassMix, Product, TruncatedNormal
from zeuxis.types import Evaluation

SPACE = Product(TruncatedNormal(5), ClassMix(torch.randn(5, 3, generator=stream(0, "embeddings")), tuple("abcde")))


def build(name, space=SPACE, population=8, **options):
    return SEARCHES[name](space, population=population, **options)


def sphere(x):
    return -(x - 0.5).square().sum(dim=1)


def step(search, generation, score=sphere, seed=7):
    batch = search.ask(stream(seed, generation, "ask"))
    search.tell(batch, Evaluation(score(batch.x)))
    return batch.x


def history(search, start, stop, **how):
    return [step(search, generation, **how) for generation in range(start, stop)]


def same(left, right):
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
