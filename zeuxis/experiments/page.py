"""An experiment as files for people: `report.html` (one file, no scripts, no requests), figures, CSV and Parquet."""

from __future__ import annotations

from pathlib import Path

from zeuxis.errors import MissingExtra
from zeuxis.experiments.analysis import Line, table
from zeuxis.experiments.cell import evaluator_names
from zeuxis.experiments.figures import curves_png, reversed_png
from zeuxis.experiments.folder import ExperimentFolder
from zeuxis.experiments.tables import cell_records, line_records, markdown, write_csv, write_parquet
from zeuxis.report.html import PAGES, data_uri
from zeuxis.search import SEARCHES
from zeuxis.storage.files import atomic_write

CLASSICS = ("ga-thesis", "de-rand", "de-best")  # those of the thesis's own figure


def write_results(folder: ExperimentFolder, *, parquet: bool = False) -> list[Path]:
    """Tables, figures and page of what an experiment holds so far; returns the files, the page first.

    Parquet files are written where pyarrow is installed; with `parquet` its absence is an error.
    """
    design = folder.design()
    rows = {cell: row for cell, row in folder.rows().items() if cell in set(design.cells())}
    lines = table(design, rows, folder.priors())
    cells, summary = cell_records(design, rows), line_records(lines)
    written = [write_csv(folder.path / "cells.csv", cells), write_csv(folder.path / "table.csv", summary)]
    try:
        written += [write_parquet(folder.path / "cells.parquet", cells)]
        written += [write_parquet(folder.path / "table.parquet", summary)]
    except MissingExtra:
        if parquet:
            raise
    figures: list[tuple[str, bytes]] = []
    for population in design.populations:
        if not any(line.population == population for line in lines):
            continue
        curves = curves_png(design, rows, lines, population)
        classics = [v for v in dict.fromkeys((*CLASSICS, *_best(lines, population))) if v in design.variants]
        turned = reversed_png(design, rows, classics, population)
        figures += [(f"Best score by images, population {population}", curves)]
        figures += [(f"Mean reversed similarity by generation, population {population}", turned)]
        for name, data in ((f"curves-{population}.png", curves), (f"reversed-{population}.png", turned)):
            atomic_write(folder.path / name, data)
            written.append(folder.path / name)
        atomic_write(folder.path / f"table-{population}.md", markdown(design, lines, population).encode())
        written.append(folder.path / f"table-{population}.md")
    page = folder.path / "report.html"
    names = evaluator_names(design)
    html = PAGES.get_template("experiment.html").render(
        design=design,
        lines=lines,
        evaluators=names,
        others=[name for name in names if name not in design.scorer],
        done=len(rows),
        figures=[(title, data_uri("png", data)) for title, data in figures],
    )
    atomic_write(page, html.encode())
    return [page, *written]


def _best(lines: list[Line], population: int) -> list[str]:
    """The best variant without gradients that started cold."""
    plain = [x.variant for x in lines if x.population == population and not x.warm]
    return [variant for variant in plain if variant.split()[0] not in SEARCHES.with_trait("gradient")][:1]
