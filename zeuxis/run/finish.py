"""The end of a run: the final population one by one, the best picture, the archive, the judge, and a summary."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.errors import RunError
from zeuxis.pictures.grid import by_score, enlarged_png, grid_png, picture_png, score_label, to_pixels
from zeuxis.pictures.metadata import PictureInfo
from zeuxis.run.folder import RunFolder
from zeuxis.run.history import Best
from zeuxis.run.paths import FORMAT
from zeuxis.run.problem import Problem
from zeuxis.run.schema import cell_file
from zeuxis.run.stopping import JudgePeak
from zeuxis.run.store import RunStore
from zeuxis.scorers.measures import parse_measure
from zeuxis.search.archive import Archive, HasArchive
from zeuxis.search.base import Search
from zeuxis.search.diversity_control import unwrapped
from zeuxis.search.pareto import HasFront
from zeuxis.storage.checksummed import Header, checksummed_json
from zeuxis.storage.files import atomic_write, make_folder, sweep
from zeuxis.types import JudgeEvaluation

AT_ONCE = 64  # pictures of an archive held in memory

Info = Callable[[Tensor, float], PictureInfo]  # latent (D,) and score -> what its picture says about itself


@dataclass(frozen=True)
class Summary:
    """What came out. `generations` counts the initial one; `description` is the best latent in words, perhaps ""."""

    folder: Path
    reason: str
    generations: int
    images: int
    best: Best
    description: str
    judged: JudgeEvaluation | None

    def _repr_html_(self) -> str:
        """What Jupyter shows: that of the folder."""
        return RunFolder(self.folder)._repr_html_()


def finish(config: RunConfig, store: RunStore, search: Search, reason: str, peak: JudgePeak | None = None) -> Summary:
    """Write the last pictures and summary.json, the judge's `peak` in it. RunError while no generation is done."""
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
    judged = problem.judge_images(images, score, done - 1, torch.float32)
    _draw(config, store, images, x, score, done - 1)
    _draw_best(config, store, best, done - 1)
    describe = problem.generator.describe
    summary = Summary(folder.path, reason, done, last.images_so_far, best, describe(best.latent), judged)
    words = [describe(latent) for latent in x]
    content = _to_json(summary, score, words) | {"judge_peak": None if peak is None else asdict(peak)}
    content |= _front_to_json(search, order, tuple(last.evaluation.parts))
    archive = search.elites() if isinstance(search, HasArchive) else None
    if archive is not None:
        info = partial(_info, config, problem, generation=done - 1)
        content["archive"] = write_archive(store, archive, config.measures, done - 1, info)
    store.flush()  # the pictures first: the summary says what they are
    own = {"run": folder.key} if folder.key else {}
    atomic_write(folder.summary_path, checksummed_json(content | {"pictures": store.pictures_sha256()} | own))
    folder.forget_pictures()
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
        options=config.generator_arguments(),
    )


def _to_json(summary: Summary, score: Tensor, words: list[str]) -> dict[str, Any]:
    best, judged = summary.best, summary.judged
    return {
        "reason": summary.reason,
        "generations": summary.generations,
        "images": summary.images,
        "best": {"score": best.score, "generation": best.generation, "description": summary.description},
        "population": [{"score": _number(s), "description": w} for s, w in zip(score.tolist(), words, strict=True)],
        "judge": None if judged is None else _judged_to_json(judged),
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


def _judged_to_json(judged: JudgeEvaluation) -> dict[str, Any]:
    figures = {name: _number(getattr(judged, name)) for name in ("guide", "mean", "best", "gap")}
    rows = zip(judged.score.tolist(), judged.label, judged.confidence.tolist(), strict=True)
    population = [{"score": _number(s), "label": label, "confidence": _number(c)} for s, label, c in rows]
    return figures | {"best_label": judged.best_label, "population": population}


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None  # JSON has no NaN


def write_archive(store: RunStore, archive: Archive, measures: Sequence[str], generation: int, info: Info) -> Header:
    """Draw every elite and write `archive.json`; returns its figures without the elites. `measures` are as given."""
    folder, problem = store.folder, store.problem
    make_folder(folder.path / "cells")
    sweep(folder.path / "cells")
    places = [(row, column) for column, row in archive.cell.tolist()]
    names = [cell_file(place, archive.grid.cells) for place in places]
    scores = archive.score.tolist()
    for start in range(0, len(names), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        pixels = to_pixels(problem.render(archive.x[rows], generation))
        for name, picture, latent, score in zip(names[rows], pixels, archive.x[rows], scores[rows], strict=True):
            store.picture(folder.path / name, partial(picture_png, picture, info(latent, score)))
    figures = _figures(archive, measures)
    if scores and min(scores) < archive.offset:
        problem.decisions.note(
            f"Some cells score below {archive.offset:g}, where the QD score counts from, so filling them lowers it. "
            "Give a lower one to compare by it: --option offset=-1"
        )
    elites = [
        {
            "row": row,
            "column": column,
            "file": name,
            "score": score,
            "measures": measured,
            "description": problem.generator.describe(latent),
        }
        for (row, column), name, score, measured, latent in zip(
            places, names, scores, archive.measures.tolist(), archive.x, strict=True
        )
    ]
    store.flush()  # the pictures first: archive.json names none that is not there
    own = {"run": folder.key} if folder.key else {}
    atomic_write(folder.archive_path, checksummed_json({"format": FORMAT, **figures, **own, "elites": elites}))
    return figures


def _figures(archive: Archive, measures: Sequence[str]) -> Header:
    return {
        "measures": list(measures),
        "axes": [parse_measure(text).axis for text in measures],
        "ranges": [list(bounds) for bounds in archive.grid.ranges],
        "cells": archive.grid.cells,
        "filled": len(archive.score),
        "coverage": archive.coverage,
        "qd_score": archive.qd_score,
        "offset": archive.offset,
    }
