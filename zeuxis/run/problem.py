"""The problem: generator + scorers + prompt, as one function from latents to scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from zeuxis.compute.micro_batches import MICRO_BATCH, at_once, over_micro_batches, within_memory
from zeuxis.compute.precision import TYPES, Gate, choose
from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator
from zeuxis.metrics.health import descriptors, excess, health
from zeuxis.rng import stream
from zeuxis.run.record import Decisions
from zeuxis.run.stopping import GUIDE, HELD_OUT
from zeuxis.scorers.augment import Augmented
from zeuxis.scorers.base import Judge, Prompt, Scorer
from zeuxis.scorers.combine import DISAGREEMENT, Combined, CombinedPrompt, disagreement
from zeuxis.scorers.drift import Drift
from zeuxis.scorers.judging import Observers
from zeuxis.scorers.measures import Measures
from zeuxis.scorers.realism import Realism
from zeuxis.search.archive import spanned
from zeuxis.spaces import Fixed
from zeuxis.types import Batch, Evaluated, Evaluation, JudgeEvaluation

GATE_IMAGES = 16  # a rank correlation over fewer says little
RANGE_IMAGES = 256  # draws of the prior that the ranges of an archive are taken from

T = TypeVar("T")
Scored = tuple[Tensor, dict[str, Tensor], Tensor | None, Tensor | None]  # images, parts, slopes and measures of a piece


class Problem:
    """What a run tries to solve: score s(x) = sum of w_k s_k(image of x) over the scorers, higher is better.

    `augment` views are added to each scorer's score, `realism` is the weight of the generator's discriminator,
    `norm_prior` that of the penalty for latents longer than the prior's and `drift` that of the penalty for pictures
    unlike the prior's. With `standardise`, each s_k but the drift counts in deviations from its mean over the prior.
    With `disagreement` k it does so as well, and the scorers' sum becomes its lower confidence bound: less k times
    their spread. Scorers of weight 0 are held out: every `held_out_every` generations (0: never) their mean is told.
    `describe` adds descriptors to evaluations; `measures` are told to the search beside the score.
    Images are rendered and scored `micro_batch` at a time. `decisions` is what a resumed run must decide alike.
    """

    def __init__(
        self,
        generator: Generator,
        scorers: Sequence[Scorer],
        weights: Sequence[float],
        prompt: Prompt,
        *,
        judge: Judge | None = None,
        augment: int = 0,
        realism: float = 0.0,
        norm_prior: float = 0.0,
        drift: float = 0.0,
        standardise: bool = False,
        disagreement: float = 0.0,
        held_out_every: int = 0,
        describe: bool = False,
        measures: Measures | None = None,
        micro_batch: int = MICRO_BATCH,
        seed: int = 0,
        decisions: Decisions | None = None,
    ) -> None:
        told = list(zip(scorers, weights, strict=True))
        held_out = [s for s, weight in told if not weight and held_out_every]
        told = [(s, weight) for s, weight in told if weight or not held_out_every]
        members: list[Scorer] = [Augmented(s, augment) if augment else s for s, _ in told]
        if realism:
            members.append(Realism(generator))
        if drift:
            members.append(Drift(generator))
        self.generator = generator
        self.scorer = Combined(members, [*(w for _, w in told), *(weight for weight in (realism, drift) if weight)])
        self.disagreement = disagreement
        self.standardise = standardise or disagreement > 0
        named = zip(self.scorer.names, told, strict=False)  # without realism and drift
        self._ensemble = {name: weight for name, (_, weight) in named if weight}
        self.prompt = prompt
        self.measures = measures
        self.seed = seed
        self.norm_prior = norm_prior
        self.describe = describe
        self.decisions = decisions or Decisions([(0, micro_batch)])
        self._observers = Observers(judge, held_out, held_out_every, prompt, self.decisions.note)
        self.dtype = torch.float32
        self._at_once = at_once(generator.device, generator.resolution)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Generator and scorers compute in `dtype` from now on; the judge as it is asked."""
        self.dtype = dtype
        self.generator.set_precision(dtype)
        self.scorer.set_precision(dtype)

    def prepare(self) -> None:
        """Read the prompt. BadInput for one that a scorer cannot read; a judge that cannot is left out and noted."""
        observed = self._observers.prepare()
        measured = () if self._prepared_measures is None else self._prepared_measures.notes
        for note in (*self.prompt.notes, *self._prepared.notes, *measured, *observed):
            self.decisions.note(note)

    @cached_property
    def _prepared(self) -> CombinedPrompt:
        """Prepared in float32 whatever the precision, so that it is the same after a resume."""
        self.scorer.set_precision(torch.float32)
        prepared = self.scorer.prepare(self.prompt)
        self.scorer.set_precision(self.dtype)
        return prepared

    @cached_property
    def _prepared_measures(self) -> Measures | None:
        """Prepared like the prompt: once, in float32."""
        if self.measures is not None:
            self.scorer.set_precision(torch.float32)
            self.measures.prepare()
            self.scorer.set_precision(self.dtype)
        return self.measures

    def gate(self, population: int, precision: str = "auto") -> Gate:
        """Choose the precision for good: as told, as decided before, or by scoring the first population in both types.

        The gate's images are not counted in the budget.
        """
        if precision in TYPES:
            self.decisions.gate = Gate("bf16" if precision == "bf16" else "fp32", "as configured")
        elif self.decisions.gate is None:
            self.scorer.generation(stream(self.seed, 0, "augment"))
            x = self.generator.space.sample(max(population, GATE_IMAGES), stream(self.seed, 0, "ask"))
            self.decisions.gate = choose(self, x, self.decisions.micro_batch_at(0))
        self.set_precision(TYPES[self.decisions.gate.precision])
        return self.decisions.gate

    def choose_ranges(self) -> None:
        """Choose the ranges of the archive for good: as told, as decided before, or from draws of the prior.

        The same draws whatever the seed of the run, so that archives of several seeds can be compared. Their images
        are not counted in the budget, and a note says so.
        """
        if self.measures is None or self.decisions.ranges is not None:
            return
        told = [measure.range for measure in self.measures.measures]
        if None in told:
            sample = self._within_memory(0, self._measured_prior, RANGE_IMAGES, keep=True)
            self.decisions.note(
                f"The ranges of the archive were taken from {RANGE_IMAGES} images of the prior, which the budget does "
                "not count."
            )
            told = [range or span for range, span in zip(told, spanned(sample), strict=True)]
        self.decisions.ranges = tuple(range for range in told if range is not None)

    def choose_scales(self) -> None:
        """Choose mean and deviation of each scorer for good, if they are to be standardised: of draws of the prior.

        The same draws whatever the seed of the run; not counted in the budget, and a note says so.
        """
        if not self.standardise or self.decisions.scales is not None:
            return
        self.scorer.generation(stream(0, "scales"))
        x = self.generator.space.sample(RANGE_IMAGES, stream(0, "ranges"))
        told, _ = self._within_memory(0, partial(self._evaluate, Batch(x)), RANGE_IMAGES, keep=True)
        parts = [told.parts[name].double() for name in self.scorer.names]
        weights = [abs(weight) or 1.0 for weight in self.scorer.weights]
        self.decisions.scales = [
            (0.0, 1.0) if name == Drift.name else (float(part.mean()), max(float(part.std()) / weight, 1e-6))
            for name, part, weight in zip(self.scorer.names, parts, weights, strict=True)
        ]
        self.decisions.note(
            f"Each scorer counts in its deviations over {RANGE_IMAGES} images of the prior, which the budget does not "
            "count."
        )

    def _measured_prior(self, size: int) -> Tensor:
        """Measures `(N, M)` of draws of the prior, which need no scores."""
        measures = self._prepared_measures
        assert measures is not None
        x = self.generator.space.sample(RANGE_IMAGES, stream(0, "ranges")).to(self.generator.device)
        return self._over(lambda piece: measures(self.generator.render(piece)), x, size)

    def evaluate(self, batch: Batch, generation: int) -> Evaluated:
        """Render and score a batch. A score that is not a finite number, or of an image that is not, becomes NaN."""
        started = time.perf_counter()
        self.scorer.generation(stream(self.seed, generation, "augment"))
        work = partial(self._evaluate, batch)
        evaluation, images = self._within_memory(generation, work, len(batch.x), keep=True)
        score = evaluation.score.cpu()  # waits for the device, so that the clock is right
        seconds = time.perf_counter() - started
        shown, u = descriptors(images).cpu(), self._deviations(batch.x.cpu())
        told = replace(evaluation, descriptors=shown.half()) if self.describe else evaluation
        figures = health(shown, score, u).to_dict() | self._held_out_figures(images, score, generation)
        return Evaluated(told, images, seconds, figures)

    def _held_out_figures(self, images: Tensor, score: Tensor, generation: int) -> dict[str, float]:
        """Means of the held-out scorers and of the score `(N,)`, in the generations in which they are asked."""
        if not self._observers.due(generation):
            return {}
        work = partial(self._observers.mean, images, threads=self._at_once)
        known = score[score.isfinite()].double()
        return {HELD_OUT: self._within_memory(generation, work, len(images)), GUIDE: float(known.mean())}

    def _deviations(self, x: Tensor) -> Tensor:
        """Latents `(N, D)` in deviations of the prior about its mean."""
        mean, deviation = self._prior.on(x.device)
        return (x - mean) / deviation

    @cached_property
    def _prior(self) -> Fixed:
        space = self.generator.space
        return Fixed(space.prior_mean, space.prior_std.clamp_min(1e-6))

    def scores(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N,)` on the CPU, as generation 0 would score them."""
        work = partial(self._evaluate, Batch(x))
        return self._within_memory(0, work, len(x), keep=True)[0].score.cpu()

    def render(self, x: Tensor, generation: int) -> Tensor:
        """`(N, D) -> (N, 3, H, W)`, the images of these latents exactly as `generation` renders them."""

        work = partial(self._over, self.generator.render, x.to(self.generator.device))
        return self._within_memory(generation, work, len(x))

    @torch.no_grad()
    def _over(self, work: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
        """`work` of latents `(N, D)`, `size` of them at a time: `(N, ...)`."""
        return torch.cat([rows[:count] for rows, count in over_micro_batches(work, x, size, self._at_once)])

    def judge_images(
        self, images: Tensor, score: Tensor, generation: int, dtype: torch.dtype | None = None, most: int = 0
    ) -> JudgeEvaluation | None:
        """The judge's evaluation of images `(N, 3, H, W)` with guiding scores `(N,)`, of `most` of them (0: of all).

        None without a judge. Computed in `dtype`, by default in that of the problem.
        """
        how: dict[str, Any] = {"dtype": dtype or self.dtype, "threads": self._at_once, "most": most}
        work = partial(self._observers.judged, images, score, generation, **how)
        return self._within_memory(generation, work, len(images))

    def _evaluate(self, batch: Batch, size: int) -> tuple[Evaluation, Tensor]:
        prepared, looks = self._prepared, self._prepared_measures  # made here, not in a thread

        def work(piece: Tensor) -> Scored:
            x = piece.detach().requires_grad_(batch.gradient)
            image = self.generator.render(x)
            parts = self.scorer.parts(image, prepared)
            for name, (mean, deviation) in zip(self.scorer.names, self.decisions.scales or (), strict=False):
                parts[name] = (parts[name] - mean) / deviation
            if self.disagreement and self.decisions.scales is not None:
                members = [parts[name] for name in self._ensemble]
                parts[DISAGREEMENT] = disagreement(members, list(self._ensemble.values()), self.disagreement)
            if self.norm_prior:
                parts["norm prior"] = -self.norm_prior * excess(self._deviations(x)).square()
            slope = self._slope(parts, x) if batch.gradient else None
            places = None if looks is None else looks(image.detach())
            return image.detach(), {name: part.detach() for name, part in parts.items()}, slope, places

        with torch.set_grad_enabled(batch.gradient):
            rows = batch.x.to(self.generator.device)
            pieces = over_micro_batches(work, rows, size, self._at_once)
        images = torch.cat([image[:count] for (image, *_), count in pieces])  # (N, 3, H, W)
        names = pieces[0][0][1]
        columns = {name: torch.cat([parts[name][:count] for (_, parts, *_), count in pieces]) for name in names}
        score = torch.stack(list(columns.values())).sum(dim=0)  # (N,)
        known = score.isfinite() & images.flatten(1).sum(dim=1).isfinite()
        score = torch.where(known, score, torch.nan)
        slopes = [slope[:count] for (_, _, slope, _), count in pieces if slope is not None]
        places = [place[:count] for (*_, place), count in pieces if place is not None]
        measures, gradient = (torch.cat(found) if found else None for found in (places, slopes))
        return Evaluation(score, columns, measures, gradient), images

    def _slope(self, parts: dict[str, Tensor], x: Tensor) -> Tensor:
        """d score / d x, `(N, D)`."""
        score = torch.stack(list(parts.values())).sum()
        if not score.requires_grad:
            raise BadInput(
                f"Expected a score with a gradient, but generator {self.generator.name!r} or scorer "
                f"{self.scorer.name!r} gives none. Choose a search that does not ask for gradients."
            )
        return torch.autograd.grad(score, x)[0]

    def _within_memory(self, generation: int, work: Callable[[int], T], rows: int, *, keep: bool = False) -> T:
        """`within_memory` with this generation's micro-batch; `keep`: a new size holds from it on, and is noted."""

        def smaller(size: int) -> None:
            if keep:
                self.decisions.set_micro_batch(generation, size)
                self.decisions.note(f"Out of memory in generation {generation}: {size} images at once from here on.")

        size, device = self.decisions.micro_batch_at(generation), self.generator.device
        return within_memory(work, size, rows, device, smaller)
