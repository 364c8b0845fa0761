"""Bring your own score: a scorer is three methods. This one likes pictures that are bright above and dark below.

Usage: own_scorer.py [generations]
"""

import sys

import torch

from zeuxis.generators import GENERATORS
from zeuxis.run import Problem, run
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.search import SEARCHES


class Horizon:
    """Mean brightness of the upper half minus that of the lower half: (N, 3, H, W) -> (N,)."""

    name, sha256, device = "horizon", "none", torch.device("cpu")

    def prepare(self, prompt):
        return None

    def score(self, images, prepared):
        half = images.shape[2] // 2
        return images[:, :, :half].mean((1, 2, 3)) - images[:, :, half:].mean((1, 2, 3))

    def set_precision(self, dtype):
        pass


generations = int(sys.argv[1]) if len(sys.argv) > 1 else 40
generator = GENERATORS["pocket"](device=torch.device("cpu"))
problem = Problem(generator, [Horizon()], [1.0], Prompt((Phrase("bright above"),)))
search = SEARCHES["ga"](generator.space, population=32)
with torch.no_grad():
    *_, event = run(problem, search, seed=3, generations=generations)
print(f"best {event.best_score:.3f} after {event.images_so_far} images: {generator.describe(event.best_latent)}")
