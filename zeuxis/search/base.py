"""What a search is: ask for latents, be told their scores. It sees numbers only, never an image."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent
from zeuxis.search.operators import fittest
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation

State = dict[str, Tensor | int | float | str]
Option = int | float | str
CPU = torch.device("cpu")


@runtime_checkable
class Search(Protocol):
    """An ask/tell optimiser. Higher scores are better.

    `population` is the number of latents per generation. `start` `(M, D)`, when set before the first `ask`, takes the
    prior's place in the first generation. `best` is the best latent `(D,)` and its score ever told (or, from several
    objectives, the one to show).
    """

    name: str
    population: int
    start: Tensor | None

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        ...

    @property
    def population_x(self) -> Tensor:
        """The survivors `(M, D)`."""
        ...

    @property
    def population_score(self) -> Tensor:
        """Their scores `(M,)`."""
        ...

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

    _cuts_first = True  # a first generation larger than the population is cut to its best before `_survive`

    def __init__(self, space: Space, population: int, device: torch.device, name: str) -> None:
        self.space = space
        self.population = integer("population", population, 1)
        self.device = torch.device(device)
        self.name = name
        self.lower, self.upper = sent(space.lower, self.device), sent(space.upper, self.device)
        self.start: Tensor | None = None  # (M, D), what the first generation is to be instead of the prior
        self.generation = 0  # generations told
        self.population_x = torch.empty(0, space.dim, device=self.device)
        self.population_score = torch.empty(0, device=self.device)
        self._best_x = torch.empty(0, space.dim, device=self.device)
        self._best_score = torch.empty(0, device=self.device)
        self._asked: Batch | None = None

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.population

    @abstractmethod
    def _children(self, rng: torch.Generator) -> Tensor:
        """`(N, D)` latents to try, bred from `population_x`; never called in the first generation."""

    @abstractmethod
    def _survive(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """Survivors of `population_x` (empty in the first generation) and `x` `(N, D)`, `score` `(N,)`, no NaN."""

    def _first(self, rng: torch.Generator) -> Tensor:
        """`(N, D)`, the first generation: the prior; or `start`, filled up from the prior to a population."""
        if self.start is None:
            return self._prior(self.population, rng)
        start = self.space.clip(self.start.to(self.device, torch.float32))
        return torch.cat([start, self._prior(max(0, self.population - len(start)), rng)])

    def _prior(self, count: int, rng: torch.Generator) -> Tensor:
        """`(count, D)` draws from the prior."""
        return sent(self.space.sample(count, rng), self.device)

    def adopt(self, rows: Tensor, x: Tensor, score: Tensor) -> None:
        """Survivors `rows` `(K,)` become latents `x` `(K, D)` with `score` `(K,)`: what came of them elsewhere."""
        self.population_x = self.population_x.index_copy(0, rows, x)
        self.population_score = self.population_score.index_copy(0, rows, score)
        self._keep_best(x, score)

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
        score = score.nan_to_num(nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
        self._learn_from(evaluation)
        cut = self._cuts_first and not self.generation and len(x) > self.population
        kept = fittest(x, score, self.population) if cut else (x, score)
        self.population_x, self.population_score = self._survive(*kept)
        self._keep_best(x, score)
        self._asked = None
        self.generation += 1

    def _learn_from(self, evaluation: Evaluation) -> None:  # noqa: B027
        """For members that need more than scores: gradients, objectives, measures."""

    def _keep_best(self, x: Tensor, score: Tensor) -> None:
        top = score.argmax()[None]
        x, score = x[top], score[top]  # (1, D), (1,)
        if len(self._best_x):  # without a branch on the scores, so that a GPU need not be waited for
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

    @property
    def best_so_far(self) -> tuple[Tensor, Tensor]:
        """The same where it lies, `(1, D)` and `(1,)`: nothing waits for the device."""
        return self._best_x, self._best_score

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


def nested(prefix: str, state: State) -> State:
    """The state of a search inside another, its names behind `prefix`."""
    return {prefix + name: value for name, value in state.items()}


def unnested(prefix: str, state: Mapping[str, Tensor | int | float | str]) -> State:
    """What `nested` was given, out of the whole state."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def tensor(state: Mapping[str, Tensor | int | float | str], key: str, device: torch.device) -> Tensor:
    """The tensor `state[key]` on `device`, a copy; BadInput when it is missing."""
    value = state.get(key)
    if not isinstance(value, Tensor):
        raise BadInput(f"Expected a tensor {key!r} in the search's state, got {type(value).__name__}.")
    return value.detach().to(device, copy=True)
