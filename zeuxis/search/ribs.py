"""Adapter: Tjanaka et al., "pyribs: a bare-bones Python library for quality diversity optimization", 2023,
https://arxiv.org/abs/2303.00191 (package ribs, version 0.11 and 0.12).

What the quality-diversity searches share. They are told two measures beside the score and keep the best latent of each
cell of a grid over the measures. The archive is our own, the emitters are pyribs'. These cannot give their
state, so ours holds the first latents, the seed of every generation and all that was told: loading it tells fresh
emitters the whole log again.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput, MissingExtra
from zeuxis.rng import stream
from zeuxis.search.archive import Archive, Grid, Ranges, parse_ranges, spanned
from zeuxis.search.base import PopulationSearch
from zeuxis.search.grid_archive import NOT_ADDED, Array, GridArchive
from zeuxis.search.options import Options, option
from zeuxis.spaces import Space, SparseMix, Whitened, parts
from zeuxis.types import Evaluation

LOST = -1e30  # the improvement that an emitter is told for a latent without score or measures: ranks last, is finite
MEASURES = 2


@dataclass(frozen=True)
class ArchiveOptions(Options):
    """Those of all searches that keep an archive."""

    cells: int = option(16, "cells of the archive along each of the two measures", low=1, high=256)
    ranges: str = option("", "bounds of both measures, like 0..1,-0.1..0.1; empty: taken from the first generation")
    offset: float = option(0.0, "what the QD score counts from")


class RibsSearch(PopulationSearch):
    """An archive and emitters of pyribs. Genes are in deviations of the prior; the first generation is the prior.

    `ranges` are the bounds of the archive. Those left open ("") are taken from the first generation that could be
    measured; a run sets them from a larger sample of the prior. `population_x` are the best elites.
    A member says with which emitters the search goes on from a first archive.
    """

    _state = ("first_x", "spread", "seeds", "counts", "scores", "measures")

    def __init__(self, space: Space, population: int, device: torch.device, options: ArchiveOptions, name: str) -> None:
        super().__init__(space, population, device, name)
        _check_space(name, space)
        self.emitters_module = _import(name)
        self.cells, self.offset = options.cells, options.offset
        self.ranges: Ranges | None = parse_ranges(options.ranges)
        self.spread = self._deviation()  # (D,)
        self._rng = np.random.default_rng(0)  # all that pyribs draws comes from here; set anew each generation
        self._seed = 0  # of the generation asked
        self.first_x = torch.empty(0, space.dim, device=self.device)
        self.seeds = torch.empty(0, dtype=torch.int64)  # of each generation told, and how many latents it had;
        self.counts = torch.empty(0, dtype=torch.int64)
        self.scores = torch.empty(0, device=self.device)  # of all of them, one after the other,
        self.measures = torch.empty(0, MEASURES, device=self.device)  # and their measures
        self._archive: GridArchive | None = None  # what the emitters see
        self._results: GridArchive | None = None  # what is kept: the same one, but for CMA-MAE
        self._running: list[Any] = []  # emitters

    @abstractmethod
    def _emitters(self) -> list[Any]:
        """Emitters that together ask `population` latents, started from the archive, which holds an elite."""

    def _open(self, lowest: float) -> tuple[GridArchive, GridArchive]:
        """The archive that emitters see and the one that keeps the results; `lowest` is the lowest score so far."""
        archive = self._grid_archive()
        return archive, archive

    def _grid_archive(self, soft: tuple[float, float] | None = None) -> GridArchive:
        """An empty archive; `soft` are learning rate and least value of its thresholds."""
        assert self.ranges is not None
        return GridArchive(Grid(self.cells, self.ranges), self.spread.cpu().double().numpy(), self._rng, soft=soft)

    def _learn(self, status: Array, value: Array) -> None:
        """What the emitters learn from what became of the latents `(N,)` of a generation, and their improvement."""

    def _first(self, rng: torch.Generator) -> Tensor:
        self.first_x = super()._first(rng)
        self._seed = _draw(rng)
        return self.first_x

    def _ask(self, rng: torch.Generator) -> Tensor:
        self._seed = _draw(rng)
        return self._propose()

    def _propose(self) -> Tensor:
        """`(N, D)`, what the emitters ask under the seed of this generation; the prior while there is no elite."""
        self._rng.bit_generator.state = np.random.PCG64(self._seed).state
        if self._archive is None or self._archive.empty:
            return self._prior(self.population, stream(self._seed, "prior"))
        if not self._running:
            self._running = self._emitters()
        y = np.concatenate([emitter.ask() for emitter in self._running])  # (N, D), in deviations
        return self.space.clip(self._genes(y))

    def _tell(self, x: Tensor, score: Tensor, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        came = None if evaluation.measures is None else tuple(evaluation.measures.shape)
        if evaluation.measures is None or came != (len(x), MEASURES):
            raise BadInput(
                f"Expected measures of shape {(len(x), MEASURES)} for {self.name}, got {came}. Name two: "
                "--measure brightness --measure 'white cat|black cat'; in Python Evaluation(score, measures=...)."
            )
        measures = evaluation.measures.detach().to(self.device, torch.float32)
        self.seeds = torch.cat([self.seeds, torch.tensor([self._seed])])
        self.counts = torch.cat([self.counts, torch.tensor([len(x)])])
        self.scores, self.measures = torch.cat([self.scores, score]), torch.cat([self.measures, measures])
        self._absorb(x, score, measures)
        return self._best_elites()

    def _absorb(self, x: Tensor, score: Tensor, measures: Tensor) -> None:
        """The archive, then the emitters. A latent without a score or a measure is a failure, and in no cell."""
        told = x.cpu().numpy()
        s, m = score.cpu().double().numpy(), measures.cpu().double().numpy()
        known = np.isfinite(s) & np.isfinite(m).all(axis=1)
        status, value = np.full(len(s), NOT_ADDED), np.full(len(s), LOST)
        if known.any():
            if self._archive is None or self._results is None:
                self.ranges = self.ranges or spanned(measures)
                self._archive, self._results = self._open(float(s[known].min()))
            rows = slice(None) if known.all() else known
            status[rows], value[rows] = self._archive.add(told[rows], s[rows], m[rows])
            if self._results is not self._archive:
                self._results.add(told[rows], s[rows], m[rows])
        if self._running:
            self._learn(status, value)

    def _best_elites(self) -> tuple[Tensor, Tensor]:
        kept = self._results
        if kept is None:
            return self.first_x[:0], torch.empty(0, device=self.device)
        score = kept.score[kept.order]
        best = np.argsort(-score, kind="stable")[: self.population]
        return torch.from_numpy(kept.x[kept.order[best]]).to(self.device), self._on_device(score[best])

    def elites(self) -> Archive | None:
        """The archive so far; None while nothing could be scored and measured."""
        kept = self._results
        if kept is None or self.ranges is None:
            return None
        cells = np.sort(kept.order)
        cell = torch.from_numpy(np.stack(np.unravel_index(cells, (self.cells,) * MEASURES), axis=1)).long()
        score, measures = (self._on_device(of[cells]).cpu() for of in (kept.score, kept.measures))
        genes = torch.from_numpy(kept.x[cells])
        return Archive(Grid(self.cells, self.ranges), cell, genes, score, measures, self.offset)

    def _genes(self, y: Array) -> Tensor:
        """Deviations `(K, D)` -> genes `(K, D)`."""
        return torch.from_numpy((y * self.spread.cpu().double().numpy()).astype(np.float32)).to(self.device)

    def _on_device(self, values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def load_state_dict(self, state: Mapping[str, Tensor | int | float | str]) -> None:
        """Tell a fresh archive the whole log again. BadInput if it does not arrive where the log did."""
        super().load_state_dict(state)
        self._archive, self._results, self._running = None, None, []
        counts = self.counts.tolist()
        log = zip(
            self.seeds.tolist(), torch.split(self.scores, counts), torch.split(self.measures, counts), strict=True
        )
        for generation, (seed, score, measures) in enumerate(log):
            self._seed = seed
            self._absorb(self._propose() if generation else self.first_x, score, measures)
        if not torch.equal(self._best_elites()[0], self.population_x):
            raise BadInput(
                f"{self.name} told the log again did not arrive where the run had. "
                "Use the versions of ribs, numpy and zeuxis that run.json names, and the same options."
            )


def _draw(rng: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=rng))


def _import(name: str) -> Any:
    """`ribs.emitters`."""
    try:
        return importlib.import_module("ribs.emitters")
    except ImportError as error:
        raise MissingExtra("ribs", "qd", f"The search {name}") from error


def _check_space(name: str, space: Space) -> None:
    """BadInput for a space in which mutation without a gradient leads nowhere: W+, or a gene for each class."""
    for part in parts(space):
        if isinstance(part, Whitened) and part.layers > 1:
            raise BadInput(
                f"Expected a space of one style for {name}, got W+: {part.layers} styles, {part.dim:,} genes. Mutated "
                "at random, so many genes lead away from all that looks real. Use --space w or --space z."
            )
        if isinstance(part, SparseMix) and part.dim > 1:
            raise BadInput(
                f"Expected a space of one style for {name}, got a mixture with a gene for each of {part.dim:,} classes."
                " Use --space embedding where the generator has it, or a single class: --class NAME."
            )
