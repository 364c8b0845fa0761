"""One cell of an experiment: a run without a folder, and the scores of evaluators that did not guide it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import RunConfig, make_config
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.experiments.design import Cell, Design
from zeuxis.generators.base import Generator
from zeuxis.metrics.diversity import effective_number
from zeuxis.prompts.auto import settle
from zeuxis.rng import stream
from zeuxis.run.loop import GRADIENT_COST
from zeuxis.run.prepare import Models, load_models, models_key, prepare_run
from zeuxis.run.session import Session
from zeuxis.scorers.base import Judge, Scorer
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.types import Event

PLAIN = {"judge": None, "augment": 0, "search": "random"}  # a run whose generator draws all that it has
MODELS = 4  # sets of networks that are kept beside the first
PRIOR = 256  # draws that the scale of each measure is taken from
Row = dict[str, Any]


@dataclass(frozen=True)
class Evaluator:
    """Something that scores images for a phrase; `role` is guide, judge or held_out."""

    name: str
    role: str
    scorer: Scorer | Judge
    prepared: dict[str, Any] = field(default_factory=dict)  # phrase -> the prompt as it was read

    def scores(self, images: Tensor, phrase: str) -> Tensor:
        """`(N, 3, H, W) -> (N,)` float32 on the CPU, in float32; NaN where it has no word for the phrase."""
        self.scorer.set_precision(torch.float32)
        if phrase not in self.prepared:
            self.prepared[phrase] = self.scorer.prepare(parse_prompt((phrase,)))
        asked = self.prepared[phrase]
        with torch.no_grad():
            return torch.cat([self.scorer.score(piece, asked).float().cpu() for piece in torch.split(images, 64)])


class Bench:
    """The networks of an experiment, loaded once per process."""

    def __init__(self, design: Design) -> None:
        self.design = design
        shared = {name: getattr(design, name) for name in ("generator", "scorer", "device", "precision", "micro_batch")}
        self.base = make_config(**shared, **PLAIN, prompt=(design.phrases[0],))
        models = load_models(self.base)
        self.device = models.generator.device
        evaluators = [*(("guide", scorer) for scorer in models.scorers)]
        evaluators += [("judge", make_judge(design.judge, self.device))] if design.judge is not None else []
        evaluators += [("held_out", _held_out(name, self.device)) for name in design.held_out]
        self.evaluators = [
            Evaluator(name, *evaluator) for name, evaluator in zip(evaluator_names(design), evaluators, strict=True)
        ]
        self._models, self._priors = {models.key: models}, dict[str, Tensor]()

    def precision(self) -> str:
        """ "bf16" or "fp32": what the gate decides on the first phrase, once for the whole experiment."""
        config = self.base.model_copy(update={"population": max(self.design.populations)})
        gate = prepare_run(config, self.models(self.base)).problem.decisions.gate
        assert gate is not None
        return gate.precision

    def check(self) -> None:
        """BadInput, Missing... for a variant that cannot be run."""
        for variant in self.design.variants:
            for population in self.design.populations:
                config = self.design.config(Cell(variant, self.design.phrases[0], 0, population))
                first = prepare_run(config, self.models(config)).new_search().ask(stream(config.seed, 0, "ask"))
                self._check_budget(variant, population, len(first.x) * (GRADIENT_COST if first.gradient else 1))

    def _check_budget(self, variant: str, population: int, first: int) -> None:
        """BadInput where the budget is spent before the first generation is done: there would be nothing to compare."""
        budget = self.design.budget(population)
        if first > budget:
            raise BadInput(
                f"{variant!r} draws {first} images in its first generation, and the budget is {population} x "
                f"{self.design.generations} = {budget} images. Give --generations {-(-first // population)} or more."
            )

    def prior(self, phrase: str) -> Row:
        """Mean and deviation of every evaluator's score over draws of the prior: the scale that gains are told in."""
        found: Row = {}
        drawer = settle(self.base.model_copy(update={"prompt": (phrase,)}))[0]  # of each phrase, where it chooses
        key = models_key(drawer)
        if key not in self._priors:
            generator = self.models(drawer).generator
            generator.set_precision(torch.float32)
            self._priors[key] = _render(generator, generator.space.sample(PRIOR, stream(0, "compare prior")))
        for name, score in self._seen(self._priors[key], phrase).items():
            found[name] = {"mean": float(score.mean()), "deviation": float(score.std())}
        return found

    def run(self, cell: Cell) -> tuple[Row, Tensor]:
        """The cell's row (curve, cost, and what `evaluate` says) and the latents that `evaluate` drew."""
        config = self.design.config(cell)
        session = Session(prepare_run(config, self.models(config)))
        problem, guides = (
            session.problem,
            [evaluator.scorer.name for evaluator in self.evaluators if evaluator.role == "guide"],
        )
        images, curve, plain = [], [], torch.tensor(-torch.inf)
        began, cpu = time.perf_counter(), time.process_time()
        for event in session:
            if event.images_so_far > self.design.budget(cell.population):
                break  # what a last generation drew beyond the budget does not count
            plain = torch.fmax(plain, self._plain(event, cell.phrase) if config.augment else guided(event, guides))
            problem.set_precision(problem.dtype)  # an evaluator may be the guide itself
            images.append(event.images_so_far)
            curve.append(round(float(plain), 5))
        if not curve:
            self._check_budget(cell.variant, cell.population, event.images_so_far)
        if not math.isfinite(curve[-1]):
            raise BadInput(
                f"No picture of {cell.variant!r} on {cell.phrase!r} could be scored: all scores are NaN. Try "
                "--precision fp32, or another scorer."
            )
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        x = torch.cat([session.search.best[0][None], session.search.population_x[: cell.population]]).cpu()
        row: Row = {"variant": cell.variant, "phrase": cell.phrase, "seed": cell.seed, "population": cell.population}
        row["ended"] = session.reason
        row |= steps(images, curve)
        row |= {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3)}
        return row | self.evaluate(cell, x), x

    def evaluate(self, cell: Cell, x: Tensor) -> Row:
        """Every evaluator's scores of latents `(1 + M, D)`: the chosen one, then the final population."""
        generator = self.models(self.design.config(cell)).generator
        generator.set_precision(torch.float32)
        pictures = _render(generator, x)
        found: Row = {"effective": round(effective_number(pictures[1:]), 3), "kept": len(pictures) - 1}
        for name, score in self._seen(pictures, cell.phrase).items():
            found[name] = {"best": round(float(score[0]), 5), "mean": round(float(score[1:].mean()), 5)}
        return found

    def models(self, config: RunConfig) -> Models:
        """The networks of a configuration, loaded when it is first met; the judge for one that stops by it."""
        config, _ = settle(config)
        key = models_key(config)
        if key not in self._models:
            for other in list(self._models)[1 : 1 - MODELS]:  # a default has classes of its own for each phrase
                del self._models[other]
            self._models[key] = load_models(config.model_copy(update={"judge": None}))
        models = self._models[key]
        if config.judge is None:
            return models
        judge: Any = next(evaluator.scorer for evaluator in self.evaluators if evaluator.role == "judge")
        return replace(models, judge=judge)

    def _plain(self, event: Event, phrase: str) -> Tensor:
        """The plain score of the picture that an augmented score likes best in this generation."""
        top = int(event.evaluation.score.nan_to_num(nan=-torch.inf).argmax())
        assert event.images is not None
        found = [
            evaluator.scores(event.images[top : top + 1], phrase)
            for evaluator in self.evaluators
            if evaluator.role == "guide"
        ]
        return torch.stack(found).sum(dim=0)[0]

    def _seen(self, images: Tensor, phrase: str) -> dict[str, Tensor]:
        return {evaluator.name: evaluator.scores(images, phrase) for evaluator in self.evaluators}


def guided(event: Event, guides: list[str]) -> Tensor:
    """The best plain score of a batch, whatever else the variant adds to its score: the sum of the guides' parts."""
    evaluation = event.evaluation
    parts = [evaluation.parts[name] for name in guides if name in evaluation.parts]
    score = torch.stack(parts).sum(dim=0) if parts else evaluation.score
    return score.nan_to_num(nan=-torch.inf).max().cpu()


def steps(images: list[int], curve: list[float]) -> Row:
    """A curve of the best so far with its images: where it begins, where it rises, and where the run ends."""
    last = len(curve) - 1
    kept = [k for k in range(len(curve)) if k in (0, last) or curve[k] > curve[k - 1]]
    return {"images": [images[k] for k in kept], "curve": [curve[k] for k in kept]}


def evaluator_names(design: Design) -> list[str]:
    """What the evaluators of a design are called in its rows, without loading one."""
    judge = [] if design.judge is None else [f"judge {Path(design.judge).name}"]
    return [*design.scorer, *judge, *(f"held-out {Path(name).name}" for name in design.held_out)]


@lru_cache(maxsize=1)
def bench(design_json: str) -> Bench:
    """The bench of this process."""
    return Bench(Design.model_validate_json(design_json))


def _render(generator: Generator, x: Tensor) -> Tensor:
    """`(N, D) -> (N, 3, H, W)` on the CPU."""
    with torch.no_grad():
        return torch.cat([generator.render(piece.to(generator.device)).cpu() for piece in torch.split(x, 16)])


def _held_out(name: str, device: torch.device) -> Scorer:
    """A scorer, or else a classifier, by name, file or folder."""
    try:
        return make_scorer(name, device)
    except ZeuxisError:
        return make_judge(name, device)
