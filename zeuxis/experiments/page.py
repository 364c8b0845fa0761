"""An experiment as files for people: `report.html` (one file, no scripts, no requests), figures, CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from zeuxis.compute.device import choose_device, software
from zeuxis.errors import MissingExtra, RunDamaged, ZeuxisError
from zeuxis.experiments.analysis import table, uneven
from zeuxis.experiments.cell import evaluator_names
from zeuxis.experiments.design import Cell, Design
from zeuxis.experiments.figures import curves_png, reversed_png
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.records import write_csv, write_parquet
from zeuxis.experiments.tables import STOPPED, cell_records, line_records, markdown
from zeuxis.generators.base import Generator
from zeuxis.generators.choose import make_generator
from zeuxis.pictures.grid import to_pixels
from zeuxis.pictures.writing import data_uri, sheet_png
from zeuxis.prompts.auto import settle
from zeuxis.report.html import PAGES, embed
from zeuxis.storage.files import atomic_write

PHRASES, ACROSS = 4, 192  # phrases whose pictures are shown, and pixels of each
Row = dict[str, Any]
Shown = tuple[str, int, list[tuple[str, float, str]]]  # phrase, population, and variant, score and picture of each


def write_results(folder: ExperimentFolder, *, parquet: bool = False) -> list[Path]:
    """Tables, figures and page of what an experiment holds so far; returns the files, the page first.

    Parquet files are written where pyarrow is installed; with `parquet` its absence is an error.
    """
    design = folder.design()
    cells_here, names = set(design.cells()), evaluator_names(design)
    rows = {cell: row for cell, row in folder.rows().items() if cell in cells_here and set(names) <= set(row)}
    priors = folder.priors()
    lost = sorted({cell.phrase for cell in rows if not set(names) <= set(priors.get(cell.phrase, {}))})
    if lost:
        raise RunDamaged(f"{folder.priors_path} has no scale for {lost[0]!r}. Run `zeuxis compare` again.")
    lines = table(design, rows, priors)
    warnings = {population: uneven(lines, population) for population in design.populations}
    for sentence in filter(None, warnings.values()):
        folder.say(sentence)
    cells, summary = cell_records(design, rows), line_records(lines)
    written = [write_csv(folder.path / "cells.csv", cells), write_csv(folder.path / "table.csv", summary)]
    try:
        written += [write_parquet(folder.path / "cells.parquet", cells)]
        written += [write_parquet(folder.path / "table.parquet", summary)]
    except MissingExtra:
        if parquet:
            raise
    figures: list[tuple[str, bytes, bytes]] = []
    for population in design.populations:
        if not any(line.population == population for line in lines):
            continue
        curves, turned = (draw(design, rows, lines, population) for draw in (curves_png, reversed_png))
        small = [draw(design, rows, lines, population, narrow=True) for draw in (curves_png, reversed_png)]
        figures += [(f"Best score by images, population {population}", curves, small[0])]
        figures += [(f"Mean reversed similarity by generation, population {population}", turned, small[1])]
        for name, data in ((f"curves-{population}.png", curves), (f"reversed-{population}.png", turned)):
            atomic_write(folder.path / name, data)
            written.append(folder.path / name)
        atomic_write(folder.path / f"table-{population}.md", markdown(design, lines, population).encode())
        written.append(folder.path / f"table-{population}.md")
    page = folder.path / "report.html"
    html = PAGES.get_template("experiment.html").render(
        design=design,
        lines=lines,
        warnings=warnings,
        evaluators=names,
        others=[name for name in names if name not in design.scorer],
        done=len(rows),
        stopped=any(line.spent.low < STOPPED for line in lines),
        figures=[(title, data_uri("png", wide), data_uri("png", narrow)) for title, wide, narrow in figures],
        pictures=best_pictures(folder, design, rows),
        command=design.command(folder.path),
        versions=", ".join(f"{name} {version}" for name, version in software().items()),
        files=", ".join(path.name for path in written if path.suffix in (".csv", ".parquet")),
    )
    atomic_write(page, html.encode())
    return [page, *written]


def best_pictures(folder: ExperimentFolder, design: Design, rows: Mapping[Cell, Row]) -> list[Shown]:
    """For a few phrases the best picture of each variant over its seeds, at the largest population that has runs.

    Drawn from the latents of the cells; none where they or the generator are no longer there.
    """
    sizes = [cell.population for cell in rows]
    found: list[Shown] = []
    generators: dict[str, Generator] = {}
    for phrase in design.phrases[:PHRASES] if sizes else ():
        shown = []
        for variant in design.variants:
            here = {c: row for c, row in rows.items() if (c.phrase, c.variant) == (phrase, variant)}
            here = {c: row for c, row in here.items() if c.population == max(sizes)}
            if not here:
                continue
            cell = max(here, key=lambda c: here[c]["curve"][-1])
            try:
                shown.append((variant, here[cell]["curve"][-1], _picture(folder, design, cell, generators)))
            except ZeuxisError:
                continue
        if shown:
            found.append((phrase, max(sizes), sorted(shown, key=lambda one: -one[1])))
    return found


def _picture(folder: ExperimentFolder, design: Design, cell: Cell, generators: dict[str, Generator]) -> str:
    """The picture that a cell chose, as data."""
    config, _ = settle(design.config(cell))
    options = config.generator_arguments()
    key = repr((config.generator, options))
    if key not in generators:
        generators[key] = make_generator(config.generator, choose_device(config.device), **options)
    generator = generators[key]
    with torch.no_grad():
        image = generator.render(folder.latents(cell)[:1].to(generator.device))
    return embed(sheet_png(to_pixels(image)[0]), ACROSS, ACROSS)
