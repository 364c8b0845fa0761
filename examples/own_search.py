"""Bring your own search: derive from PopulationSearch and write what to try and whom to keep.

Usage: own_search.py [generations], or in this folder: zeuxis generate "a frog" --search own_search:walk
The run has its folder and report like any other; `zeuxis resume FOLDER` wants --search own_search:walk once more.
"""

import sys
from dataclasses import dataclass

import torch

from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.operators import fittest
from zeuxis.search.options import Member, Options, option
from zeuxis.workflows import generate


@dataclass(frozen=True)
class WalkOptions(Options):
    step: float = option(0.3, "length of the first steps, in deviations of the prior", low=0)


class Walk(PopulationSearch):
    """Steps away from each survivor; the best of old and new survive. Steps shrink when few of them help."""

    _state = ("length",)  # what it keeps beside its survivors: a resumed run goes on bit for bit

    def __init__(self, space, population=64, device=CPU, options=WalkOptions(), name="walk"):
        super().__init__(space, population, device, name)
        self.length = torch.full((), options.step, device=self.device)

    def _ask(self, rng):
        steps = torch.randn(self.population, self.space.dim, generator=rng).to(self.device, non_blocking=True)
        return self.population_x + self.length * self._deviation() * steps  # (N, D), clipped for us

    def _tell(self, x, score, evaluation):
        x, score = self._cut(x, score)  # a first generation may be larger
        if self.generation:
            helped = (score > self.population_score).float().mean()
            self.length = self.length * torch.where(helped > 0.2, 1.1, 0.9)  # the rule of a fifth (Rechenberg 1973)
        everyone, scores = torch.cat([self.population_x, x]), torch.cat([self.population_score, score])
        return fittest(everyone, scores, self.population)


walk = Member(Walk, WalkOptions, "walk")

if __name__ == "__main__":
    generations = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    summary = generate("a frog", search="own_search:walk", options={"step": 0.2}, generations=generations, seed=3)
    print(f"best {summary.best.score:.3f}: {summary.description} -> {summary.folder}")
