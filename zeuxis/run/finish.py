"""The end of a run: the final population one by one, the best picture, the judge's last word, and a summary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.errors import RunError
from zeuxis.run.archive import write_archive
from zeuxis.run.folder import Best
from zeuxis.run.healthy import unwrapped
from zeuxis.run.metadata import PictureInfo
from zeuxis.run.pictures import by_score, enlarged_png, grid_png, picture_png, score_label, to_pixels
from zeuxis.run.problem import Problem
from zeuxis.run.sealed import seal_json
from zeuxis.run.store import RunStore
from zeuxis.run.view import JudgeView
from zeuxis.search.archive import HasArchive
from zeuxis.search.base import Search
from zeuxis.search.pareto import HasFront
from zeuxis.storage.files import atomic_write


@dataclass(frozen=True)
class Summary:
    """What came out. `generations` counts the initial one; `description` is the best latent in words, perhaps ""."""

    folder: Path
    reason: str
    generations: int
    images: int
    best: Best
    description: str
    view: JudgeView | None


def finish(config: RunConfig, store: RunStore, search: Search, reason: str) -> Summary:
    """Write the last pictures and summary.json. RunError while no generation is done."""
    folder, problem = store.folder, store.problem
    done = folder.generations
    if done == 0:
        raise RunError(
            f"No generation of the run in {folder.path} is done yet, so there is nothing to show. Resume it."
        )
    last, best, search = folder.entry(done - 1), folder.best, unwrapped(search)
    order = _order(search, best)
    x, score = search.population_x[order], search.population_score[order].cpu()
    images = problem.render(x, done - 1)
    view = problem.view(images, score, done - 1)
    _draw(config, store, images, x, score, done - 1)
    _draw_best(config, store, best, done - 1)
    describe = problem.generator.describe
    summary = Summary(folder.path, reason, done, last.images_so_far, best, describe(best.latent), view)
    words = [describe(latent) for latent in x]
    content = _to_json(summary, score, words) | _front_to_json(search, order, tuple(last.evaluation.parts))
    archive = search.elites() if isinstance(search, HasArchive) else None
    if archive is not None:
        info = partial(_info, config, problem, generation=done - 1)
        content["archive"] = write_archive(store, archive, config.measures, done - 1, info)
    atomic_write(folder.summary_path, seal_json(content))
    store.flush()
    return summary


def _order(search: Search, best: Best) -> list[int]:
    """Rows of the population, best first; what a search picked from its front comes before higher scores."""
    order = by_score(search.population_score)
    if isinstance(search, HasFront):
        order.sort(key=lambda row: not torch.equal(search.population_x[row].cpu(), best.latent))
    return order


def _draw(config: RunConfig, store: RunStore, images: Tensor, x: Tensor, score: Tensor, generation: int) -> None:
    """The final grid, and each picture on its own with its metadata. Rows are sorted, best first."""
    pixels = to_pixels(images)
    store.picture(store.folder.final_grid, partial(grid_png, pixels, [score_label(s) for s in score.tolist()]))
    for rank, (picture, latent, s) in enumerate(zip(pixels, x, score.tolist(), strict=True)):
        info = _info(config, store.problem, latent, s, generation)
        store.picture(store.folder.individual_path(rank), partial(picture_png, picture, info))


def _draw_best(config: RunConfig, store: RunStore, best: Best, generation: int) -> None:
    """The best picture at its own resolution, and enlarged for people."""
    picture = to_pixels(store.problem.render(best.latent[None], generation))[0]
    info = _info(config, store.problem, best.latent, best.score, best.generation)
    store.picture(store.folder.best_image, partial(picture_png, picture, info))
    store.picture(store.folder.images / "best_x8.png", partial(enlarged_png, picture))


def _info(config: RunConfig, problem: Problem, latent: Tensor, score: float, generation: int) -> PictureInfo:
    gate = problem.decisions.gate
    return PictureInfo(
        prompt=problem.prompt.title,
        latent=tuple(latent.detach().cpu().tolist()),
        generator=problem.generator.name,  # never a path: it would tell where the file lay
        sha256=problem.generator.sha256,
        seed=config.seed,
        generation=generation,
        score=score,
        micro_batch=problem.decisions.micro_batch_at(generation),
        precision="fp32" if gate is None else gate.precision,
        device=problem.generator.device.type,
        options=config.generator_options(),
    )


def _to_json(summary: Summary, score: Tensor, words: list[str]) -> dict[str, Any]:
    best, view = summary.best, summary.view
    return {
        "reason": summary.reason,
        "generations": summary.generations,
        "images": summary.images,
        "best": {"score": best.score, "generation": best.generation, "description": summary.description},
        "population": [{"score": _number(s), "description": w} for s, w in zip(score.tolist(), words, strict=True)],
        "judge": None if view is None else _view_to_json(view),
    }


def _front_to_json(search: Search, order: list[int], names: tuple[str, ...]) -> dict[str, Any]:
    """The front of a search with several objectives, if it is one: `members` are ranks in the final population, along
    the front; `values` are the objectives of the whole population, by rank.
    """
    if not isinstance(search, HasFront):
        return {}
    rank = {row: place for place, row in enumerate(order)}
    values = [[_number(v) for v in row] for row in search.population_objectives[order].tolist()]
    members = [rank[row] for row in search.front.tolist()]
    return {"front": {"objectives": list(names), "pick": search.pick, "members": members, "values": values}}


def _view_to_json(view: JudgeView) -> dict[str, Any]:
    figures = {name: _number(getattr(view, name)) for name in ("guide", "mean", "best", "gap")}
    rows = zip(view.score.tolist(), view.label, view.confidence.tolist(), strict=True)
    population = [{"score": _number(s), "label": label, "confidence": _number(c)} for s, label, c in rows]
    return figures | {"best_label": view.best_label, "population": population}


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None  # JSON has no NaN
