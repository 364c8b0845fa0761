"""What a search is: ask for latents, be told their scores. It sees numbers only, never an image."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.rng import sent
from zeuxis.search.operators import fittest
from zeuxis.search.options import OptionInfo
from zeuxis.spaces import Space
from zeuxis.types import Batch, Evaluation

State = dict[str, Tensor | int | float | str]
CPU = torch.device("cpu")
POPULATION = OptionInfo(int, 64, low=1)


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
    """The part that all searches here share, and the one to derive from: order of calls, NaN, the best so far, state.

    A member writes `_ask` (what to try next) and `_tell` (whom to keep), and names in `_state` what else it must keep
    to go on: `("mean",)` is the attribute `self.mean`, `("climber.steps",)` is kept as "steps", `("finder as find",)`
    as "find". Each is a tensor, a number, a text, or a search, whose own state is kept behind "find.". What the classes
    it derives from name is kept as well. Tensors live on `device`.
    """

    _state: tuple[str, ...] = ("generation", "population_x", "population_score", "best_x", "best_score")

    def __init__(self, space: Space, population: int, device: torch.device, name: str) -> None:
        self.space = space
        self.population: int = POPULATION.check("population", population)
        self.device = torch.device(device)
        self.name = name
        self.lower, self.upper = sent(space.lower, self.device), sent(space.upper, self.device)
        self.start: Tensor | None = None  # (M, D), what the first generation is to be instead of the prior
        self.generation = 0  # generations told
        self.population_x = torch.empty(0, space.dim, device=self.device)
        self.population_score = torch.empty(0, device=self.device)
        self.best_x = torch.empty(0, space.dim, device=self.device)  # (1, D) and (1,) once told; nothing waits for
        self.best_score = torch.empty(0, device=self.device)  # the device to read them
        self._asked: Batch | None = None

    @property
    def batch(self) -> int:
        """How many latents a usual generation has."""
        return self.population

    @abstractmethod
    def _ask(self, rng: torch.Generator) -> Tensor | Batch:
        """`(N, D)` latents to try, not yet clipped; or a `Batch` as it is. Never called in the first generation."""

    @abstractmethod
    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        """The survivors of `population_x` (empty in the first generation) and `x` `(N, D)`, and their scores.

        `score` `(N,)` is -inf where there is no number; `evaluation` has what else was told: parts, measures, gradient.
        """

    def _first(self, rng: torch.Generator) -> Tensor:
        """`(N, D)`, the first generation: the prior; or `start`, filled up from the prior to a population."""
        if self.start is None:
            return self._prior(self.population, rng)
        start = self.space.clip(self.start.to(self.device, torch.float32))
        return torch.cat([start, self._prior(max(0, self.population - len(start)), rng)])

    def _prior(self, count: int, rng: torch.Generator) -> Tensor:
        """`(count, D)` draws from the prior."""
        return sent(self.space.sample(count, rng), self.device)

    def _deviation(self) -> Tensor:
        """`(D,)`, the deviation of the prior per gene, above 0: the unit in which most steps are measured."""
        return sent(self.space.prior_std.clamp_min(1e-6), self.device)

    def _cut(self, x: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """A first generation that is larger than the population, cut to its best."""
        return fittest(x, score, self.population) if len(x) > self.population else (x, score)

    def begin(self, x: Tensor, score: Tensor) -> None:
        """Go on from latents `x` `(N, D)` with `score` `(N,)` that another search has found, as from a generation told.

        The best of them are the survivors now.
        """
        self.population_x, self.population_score = fittest(x, score, self.population)
        self._keep_best(x, score)
        self.generation = max(1, self.generation)

    def adopt(self, rows: Tensor, x: Tensor, score: Tensor) -> None:
        """Survivors `rows` `(K,)` become latents `x` `(K, D)` with `score` `(K,)`: what came of them elsewhere."""
        self.population_x = self.population_x.index_copy(0, rows, x)
        self.population_score = self.population_score.index_copy(0, rows, score)
        self._keep_best(x, score)

    def ask(self, rng: torch.Generator) -> Batch:
        """The next generation; asked again before `tell`, the same batch again."""
        if self._asked is None:
            wanted = self._ask(rng) if self.generation else Batch(self._first(rng))
            self._check_asked(wanted)
            self._asked = wanted if isinstance(wanted, Batch) else Batch(self.space.clip(wanted))
        return self._asked

    def _class_name(self) -> str:
        return f"the search {type(self).__module__}.{type(self).__qualname__}"

    def _check_asked(self, wanted: Any) -> None:
        """BadInput where a search's own `_ask` gave no latents."""
        x = wanted.x if isinstance(wanted, Batch) else wanted
        if not isinstance(x, Tensor) or x.ndim != 2 or not len(x) or x.shape[1] != self.space.dim:
            got = f"a tensor {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise BadInput(f"Expected {self._class_name()} to ask for latents (N, {self.space.dim}), got {got}.")
        if x.dtype != torch.float32:
            raise BadInput(f"Expected {self._class_name()} to ask for torch.float32 latents, got {x.dtype}.")

    def _check_told(self, kept: Any) -> None:
        """BadInput where a search's own `_tell` gave no survivors."""
        x, score = kept if isinstance(kept, tuple) and len(kept) == 2 else (None, None)
        if not isinstance(x, Tensor) or not isinstance(score, Tensor) or x.shape[:1] != score.shape or x.ndim != 2:
            got = [tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__ for one in (x, score)]
            raise BadInput(
                f"Expected {self._class_name()} to keep latents (M, {self.space.dim}) and their scores (M,), "
                f"got {got[0]} and {got[1]}."
            )

    def tell(self, batch: Batch, evaluation: Evaluation) -> None:
        """Keep the fit. A score that is not a finite number ranks below all others and is never the best."""
        if self._asked is None:
            raise BadInput("tell() without ask(): ask for a batch, score it, then tell; each batch is told once.")
        x = self._fitting(batch, evaluation)
        score = evaluation.score.detach().to(self.device, torch.float32)
        score = score.nan_to_num(nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)
        kept = self._tell(x, score, evaluation)
        self._check_told(kept)
        self.population_x, self.population_score = kept
        self._keep_best(x, score)
        self._asked = None
        self.generation += 1

    def _keep_best(self, x: Tensor, score: Tensor) -> None:
        top = score.argmax()[None]
        x, score = x.index_select(0, top), score.index_select(0, top)  # (1, D), (1,)
        if len(self.best_x):  # without a branch on the scores, so that a GPU need not be waited for
            better = score > self.best_score
            x, score = torch.where(better[:, None], x, self.best_x), torch.where(better, score, self.best_score)
        self.best_x, self.best_score = x, score

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
        return self.best_x[0], float(self.best_score[0])

    def state_dict(self) -> State:
        """The state as of the last `tell`."""
        state: State = {"search": self.name, "population": self.population}
        for key, owner, name in self._kept():
            value = getattr(owner, name)
            state |= nested(f"{key}.", value.state_dict()) if isinstance(value, PopulationSearch) else {key: value}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Go on from `state`."""
        mine = (self.name, self.population, self.space.dim)
        theirs = (state.get("search"), state.get("population"), tensor(state, "population_x", self.device).shape[-1])
        if mine != theirs:
            raise BadInput(
                f"Expected the state of search {mine[0]!r} with population {mine[1]} and {mine[2]} genes, "
                f"got {theirs[0]!r}, {theirs[1]} and {theirs[2]}. Build the search with the options of that run."
            )
        for key, owner, name in self._kept():
            value = getattr(owner, name)
            if isinstance(value, PopulationSearch):
                value.load_state_dict(unnested(f"{key}.", state))
            elif isinstance(value, Tensor):
                setattr(owner, name, tensor(state, key, value.device))
            else:
                low = 0 if isinstance(value, int) else -math.inf
                setattr(owner, name, OptionInfo(type(value), value, low=low, high=math.inf).check(key, state.get(key)))
        self._asked = None

    def _kept(self) -> Iterator[tuple[str, Any, str]]:
        """What `_state` names, over all classes: key, and whose attribute of which name it is."""
        for kind in reversed(type(self).__mro__):
            for entry in vars(kind).get("_state", ()):
                path, _, key = entry.partition(" as ")
                owner, _, name = path.rpartition(".")
                yield key or name, getattr(self, owner) if owner else self, name


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
