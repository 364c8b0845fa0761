"""Adapter: Blank and Deb, "pymoo: multi-objective optimization in Python", 2020, https://pymoo.org (version 0.6).

`pymoo:NAME` runs a single-objective algorithm of pymoo by ask and tell. pymoo cannot give its state, so ours holds the
first latents, the seed of every generation and every score: loading it tells a fresh algorithm the whole log again.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput, MissingExtra, SearchStopped
from zeuxis.registry import Entry, Table
from zeuxis.search.base import CPU, PopulationSearch
from zeuxis.search.options import Option, OptionInfo, check
from zeuxis.spaces import Space
from zeuxis.types import Evaluation

_AT = "pymoo.algorithms.soo.nonconvex."
# PatternSearch is left out: it draws from a generator of its own that no seed reaches, so no run of it can be repeated.
ALGORITHMS = Table(
    "algorithm of pymoo",
    {
        "BRKGA": Entry(_AT + "brkga:BRKGA", "biased random key genetic algorithm"),
        "CMAES": Entry(_AT + "cmaes:CMAES", "covariance matrix adaptation"),
        "DE": Entry(_AT + "de:DE", "differential evolution"),
        "EPPSO": Entry(_AT + "pso_ep:EPPSO", "particle swarm with evolving parameters"),
        "ES": Entry(_AT + "es:ES", "evolution strategy"),
        "G3PCX": Entry(_AT + "g3pcx:G3PCX", "generalised generation gap with parent-centric crossover"),
        "GA": Entry(_AT + "ga:GA", "genetic algorithm"),
        "ISRES": Entry(_AT + "isres:ISRES", "improved stochastic ranking evolution strategy"),
        "NelderMead": Entry(_AT + "nelder:NelderMead", "simplex"),
        "NicheGA": Entry(_AT + "ga_niching:NicheGA", "genetic algorithm with niches"),
        "PSO": Entry(_AT + "pso:PSO", "particle swarm"),
        "SRES": Entry(_AT + "sres:SRES", "stochastic ranking evolution strategy"),
    },
)

WORST = 1e30  # what pymoo is told for a score that is not a number: finite, since some of its formulas subtract
UNSAFE = ("restart_from_best",)  # a string that pymoo evaluates as code


class PymooSearch(PopulationSearch):
    """One algorithm of pymoo, started from the prior. Generations may be of any size (NelderMead asks one latent)."""

    _state = ("first_x", "seeds", "counts", "scores")

    def __init__(
        self, algorithm: str, space: Space, population: int = 64, device: torch.device = CPU, **options: Option
    ) -> None:
        super().__init__(space, population, device, f"pymoo:{algorithm}")
        self._kind = _algorithm(algorithm)
        self._options = check(self.name, _plain_options(self._kind), options)
        self._seed = 0  # of the generation asked
        self.first_x = torch.empty(0, space.dim, device=self.device)
        self.seeds = torch.empty(0, dtype=torch.int64)  # of each generation told, and how many latents it had;
        self.counts = torch.empty(0, dtype=torch.int64)
        self.scores = torch.empty(0, device=self.device)  # of all of them, one after the other

    def _first(self, rng: torch.Generator) -> Tensor:
        self.first_x = super()._first(rng)
        if len(self.first_x) > self.population:
            raise BadInput(
                f"{self.name} starts from at most {self.population} latents, its population, got {len(self.first_x)}. "
                "Raise the population, or choose a search of our own."
            )
        self._seed = _draw(rng)
        self._begin()
        return self._infill()

    def _ask(self, rng: torch.Generator) -> Tensor:
        self._seed = _draw(rng)
        return self._infill()

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        self.seeds = torch.cat([self.seeds, torch.tensor([self._seed])])
        self.counts = torch.cat([self.counts, torch.tensor([len(score)])])
        self.scores = torch.cat([self.scores, score])
        self._advance(score)
        return self._reached()

    def _reached(self) -> tuple[Tensor, Tensor]:
        """The algorithm's own survivors and their scores."""
        pop = self._running.pop
        x = torch.as_tensor(np.stack(pop.get("X")), dtype=torch.float32, device=self.device)
        told = torch.as_tensor(-np.stack(pop.get("F"))[:, 0], dtype=torch.float32, device=self.device)
        return self.space.clip(x), torch.where(told <= -WORST, -torch.inf, told)

    def _begin(self) -> None:
        """A fresh algorithm whose first generation is `_first_x`."""
        from pymoo.core.problem import Problem
        from pymoo.core.termination import NoTermination

        lower, upper = (bound.double().cpu().numpy() for bound in (self.lower, self.upper))
        self._problem = Problem(n_var=self.space.dim, n_obj=1, xl=lower, xu=upper)
        self._running = self._kind(**self._sized(), **self._options)
        self._running.initialization.sampling = self.first_x.double().cpu().numpy()
        self._running.setup(self._problem, seed=self._seed, termination=NoTermination())
        if hasattr(self._running, "noise_handler"):  # CMAES: pycma would seed and use numpy's global generator
            self._running.options |= {"seed": float("nan"), "randn": self._randn}

    def _sized(self) -> dict[str, int]:
        """The arguments by which this algorithm takes its population size."""
        known = _parameters(self._kind)
        if "n_elites" in known:  # BRKGA, in its own proportions
            shares = {"n_elites": 0.2, "n_offsprings": 0.7, "n_mutants": 0.1}
            return {name: max(1, round(share * self.population)) for name, share in shares.items()}
        size = "n_offsprings" if "rule" in known else "pop_size"  # the ES family is sized by its offspring
        return {size: self.population} if size in known else {}

    def _randn(self, *shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        numbers: np.ndarray[Any, np.dtype[np.float64]] = self._running.random_state.standard_normal(shape)
        return numbers

    def _infill(self) -> Tensor:
        """`(N, D)`, what the algorithm asks under the seed of this generation."""
        if self._running.termination.force_termination:
            raise SearchStopped(
                f"{self.name} has ended of itself after {self.generation} generations (converged). "
                "Keep its best, or go on from another seed or with another search."
            )
        self._running.random_state = np.random.default_rng(self._seed)
        self._asking = self._running.ask()
        x = np.atleast_2d(self._asking.get("X")).astype(np.float32)
        return self.space.clip(torch.as_tensor(x, device=self.device))

    def _advance(self, score: Tensor) -> None:
        """Tell the scores; pymoo minimises."""
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        cost = (-score.double()).clamp(max=WORST)[:, None].cpu().numpy()
        Evaluator(skip_already_evaluated=False).eval(StaticProblem(self._problem, F=cost), self._asking)
        self._running.tell(infills=self._asking)

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Tell a fresh algorithm the whole log again. BadInput if it does not arrive where the log did."""
        super().load_state_dict(state)
        for generation, (seed, score) in enumerate(
            zip(self.seeds.tolist(), torch.split(self.scores, self.counts.tolist()), strict=True)
        ):
            self._seed = seed
            if not generation:
                self._begin()
            self._infill()
            self._advance(score)
        if len(self.seeds) and not torch.equal(self._reached()[0], self.population_x):
            raise BadInput(
                f"{self.name} told the log again did not arrive where the run had. "
                "Use the versions of pymoo, numpy and zeuxis that run.json names, and the same options."
            )


def _draw(rng: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=rng))


def _algorithm(name: str) -> Any:
    """pymoo's class of that name."""
    ALGORITHMS.check(name)
    try:
        from pymoo.config import Config
    except ImportError as error:
        raise MissingExtra("pymoo", "pymoo", f"The search pymoo:{name}") from error
    Config.warnings["not_compiled"] = False
    return ALGORITHMS[name]


def _parameters(kind: Any) -> dict[str, Any]:
    """Argument -> default over the constructor and those of its parents, which take the rest as **kwargs."""
    stop = importlib.import_module("pymoo.core.algorithm").Algorithm
    kinds = [cls for cls in kind.__mro__[::-1] if issubclass(cls, stop) and cls is not stop]
    if kind.__name__ == "DE":  # hands its **kwargs to Variant
        kinds.append(importlib.import_module("pymoo.algorithms.soo.nonconvex.de").Variant)
    arguments = [p for cls in kinds for p in inspect.signature(cls).parameters.values()]
    return {p.name: p.default for p in arguments if p.default is not p.empty}


def _plain_options(kind: Any) -> dict[str, OptionInfo]:
    """Those arguments of pymoo's constructor that are plain values and not the population's size; of any range."""
    hidden = (*UNSAFE, "pop_size", "n_elites", "n_mutants", "n_offsprings")
    plain = {k: v for k, v in _parameters(kind).items() if isinstance(v, int | float | str) and k not in hidden}
    kinds = {k: type(v) if isinstance(v, bool | str) else float for k, v in plain.items()}
    return {k: OptionInfo(kinds[k], v, low=-math.inf, high=math.inf) for k, v in plain.items()}


class Family:
    """`pymoo:NAME`; options are those of pymoo's constructor that are plain values."""

    def __call__(
        self, algorithm: str, space: Space, population: int = 64, device: torch.device = CPU, **options: Option
    ) -> PymooSearch:
        """The search that runs this algorithm."""
        return PymooSearch(algorithm, space, population, device, **options)

    def options(self, algorithm: str) -> dict[str, OptionInfo]:
        """Option -> type and default."""
        return _plain_options(_algorithm(algorithm))


pymoo = Family()
