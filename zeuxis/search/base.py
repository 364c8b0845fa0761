"""What a search is: ask for latents, be told their scores. It sees numbers only, never an image."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation

State = dict[str, Tensor | int | float | str]
Option = int | float | str
CPU = torch.device("cpu")


@runtime_checkable
class Search(Protocol):
    """An ask/tell optimiser. Higher scores are better.

    `population` is the number of latents per generation. `population_x` `(M, D)` and `population_score` `(M,)` are the
    survivors, `best` the best latent `(D,)` and its score ever told (or, from several objectives, the one to show).
    """

    name: str
    population: int
    population_x: Tensor
    population_score: Tensor

    def ask(self, rng: torch.Generator) -> Batch:
        """The next generation. `rng` is a fresh CPU generator per generation: `stream(seed, generation, "ask")`."""
        ...

    def tell(self, batch: Batch, evaluation: Evaluation) -> None:
        """What the batch was worth. BadInput without an `ask` before, or when shapes do not fit."""
        ...

    @property
    def best(self) -> tuple[Tensor, float]:
        """The best latent `(D,)` and its score so far."""
        ...

    def state_dict(self) -> State:
        """All that a fresh search needs to go on bit for bit, as of the last `tell`."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`. BadInput when it belongs to another search, space or population."""
        ...


class PopulationSearch(ABC):
    """The part that all searches here share: order of calls, NaN, the best so far, the state.

    A member writes `_children` (what to try next) and `_survive` (whom to keep). State tensors live on `device`.
    """

    def __init__(self, space: Space, population: int, device: torch.device, name: str) -> None:
        self.space = space
        self.population = integer("population", population, 1)
        self.device = torch.device(device)
        self.name = name
        self.lower, self.upper = space.lower.to(self.device), space.upper.to(self.device)
        self.generation = 0  # generations told
        self.population_x = torch.empty(0, space.dim, device=self.device)
        self.population_score = torch.empty(0, device=self.device)
        self._best_x = torch.empty(0, space.dim, device=self.device)
        self._best_score = torch.empty(0, device=self.device)
        self._asked: Batch | None = None

    @abstractmethod
    def _children(self, rng: torch.Generator) -> Tensor:
        """`(N, D)` latents to try, bred from `population_x`; never called in the first generation."""

    @abstractmethod
    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """Survivors of `population_x` (empty in the first generation) and `x` `(N, D)`, `score` `(N,)`, no NaN."""

    def _first(self, rng: torch.Generator) -> Tensor:
        """`(N, D)`, the first generation: the prior."""
        return self.space.sample(self.population, rng).to(self.device)

    def ask(self, rng: torch.Generator) -> Batch:
        """The next generation; asked again before `tell`, the same batch again."""
        if self._asked is None:
            self._asked = Batch(self.space.clip(self._children(rng)) if self.generation else self._first(rng))
        return self._asked

    def tell(self, batch: Batch, evaluation: Evaluation) -> None:
        """Keep the fit. A score that is not a finite number ranks below all others and is never the best."""
        if self._asked is None:
            raise BadInput("tell() without ask(): ask for a batch, score it, then tell; each batch is told once.")
        x = self._fitting(batch, evaluation)
        score = evaluation.score.detach().to(self.device, torch.float32)
        score = torch.where(score.isfinite(), score, -torch.inf)
        self.population_x, self.population_score = self._survive(x, score)
        self._keep_best(x, score)
        self._asked = None
        self.generation += 1

    def _keep_best(self, x: Tensor, score: Tensor) -> None:
        top = score.argmax()[None]
        x, score = x[top], score[top]  # (1, D), (1,)
        if self.generation:  # without a branch on the scores, so that a GPU need not be waited for
            better = score > self._best_score
            x, score = torch.where(better[:, None], x, self._best_x), torch.where(better, score, self._best_score)
        self._best_x, self._best_score = x, score

    def _fitting(self, batch: Batch, evaluation: Evaluation) -> Tensor:
        """The batch's latents on our device, if shapes are those of the batch that was asked."""
        want = tuple(self._asked.x.shape) if self._asked else ()
        got, scores = tuple(batch.x.shape), tuple(evaluation.score.shape)
        if got != want or scores != want[:1]:
            raise BadInput(
                f"Expected latents {want} and scores {want[:1]}, as asked, got {got} and {scores}. "
                "Tell the batch that ask() gave, one score per row."
            )
        return batch.x.detach().to(self.device, torch.float32)

    @property
    def best(self) -> tuple[Tensor, float]:
        """The best latent `(D,)` and its score so far (-inf while every score was NaN)."""
        if not self.generation:
            raise BadInput("There is no best latent yet: tell the scores of a first batch.")
        return self._best_x[0], float(self._best_score[0])

    def state_dict(self) -> State:
        """The state as of the last `tell`."""
        return {
            "search": self.name,
            "population": self.population,
            "generation": self.generation,
            "population_x": self.population_x,
            "population_score": self.population_score,
            "best_x": self._best_x,
            "best_score": self._best_score,
        }

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        mine = (self.name, self.population, self.space.dim)
        x = tensor(state, "population_x", self.device)
        theirs = (state.get("search"), state.get("population"), x.shape[-1])
        if mine != theirs:
            raise BadInput(
                f"Expected the state of search {mine[0]!r} with population {mine[1]} and {mine[2]} genes, "
                f"got {theirs[0]!r}, {theirs[1]} and {theirs[2]}. Build the search with the options of that run."
            )
        self.generation = int(number("generation", state.get("generation"), 0))
        self.population_x = x
        self.population_score = tensor(state, "population_score", self.device)
        self._best_x = tensor(state, "best_x", self.device)
        self._best_score = tensor(state, "best_score", self.device)
        self._asked = None


S = TypeVar("S")


def build(
    kind: Callable[..., S],
    name: str,
    space: Space,
    population: int,
    device: torch.device,
    options: Mapping[str, Option],
) -> S:
    """`kind(space, population, device, name=name, **options)`; BadInput lists the known options for an unknown one."""
    known = options_of(kind)
    unknown = [option for option in options if option not in known]
    if unknown:
        listed = ", ".join(f"{option}={default}" for option, default in known.items()) or "none"
        raise BadInput(f"Search {name!r} has no option {unknown[0]!r}. Known options and defaults: {listed}.")
    return kind(space, population, device, name=name, **options)


def options_of(kind: Callable[..., object]) -> dict[str, Option]:
    """Option -> default, read from the keyword arguments of the constructor."""
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "name"}


def number(name: str, value: object, low: float, high: float = 1e9) -> float:
    """`value` if it is a number in [low, high], else BadInput."""
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise BadInput(f"Expected {name} to be a number from {low:g} to {high:g}, got {value!r}.")


def integer(name: str, value: object, low: int, high: float = 1e9) -> int:
    """`value` if it is a whole number in [low, high], else BadInput."""
    whole = number(name, value, low, high)
    if whole != int(whole):
        raise BadInput(f"Expected {name} to be a whole number, got {value!r}.")
    return int(whole)


def choice(name: str, value: object, known: tuple[str, ...]) -> str:
    """`value` if it is one of `known`, else BadInput."""
    if value not in known:
        raise BadInput(f"Expected {name} to be one of {', '.join(known)}, got {value!r}.")
    return str(value)


def tensor(state: Mapping[str, Tensor | int | float | str], key: str, device: torch.device) -> Tensor:
    """The tensor `state[key]` on `device`, a copy; BadInput when it is missing."""
    value = state.get(key)
    if not isinstance(value, Tensor):
        raise BadInput(f"Expected a tensor {key!r} in the search's state, got {type(value).__name__}.")
    return value.detach().to(device, copy=True)
