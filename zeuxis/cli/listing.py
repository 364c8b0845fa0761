"""`zeuxis list WHAT`: the names a run can be made of. Reads tables of strings; only metrics import something heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from zeuxis import configs
from zeuxis.errors import BadInput
from zeuxis.generators import FAMILIES, GENERATORS
from zeuxis.lab import recipe_files
from zeuxis.prompts import templates
from zeuxis.registry import Table, unknown
from zeuxis.scorers import JUDGES, SCORERS
from zeuxis.search import QUALITY_DIVERSITY, SEARCHES

NEEDS = {"train": "training pictures", "test": "held-out ones", "labels": "classes", "texts": "a phrase each",
         "logits": "features of a classifier"}  # fmt: skip
app = typer.Typer(add_completion=False, rich_markup_mode=None)


def with_licences(table: Table) -> Callable[[], dict[str, str]]:
    """Name -> one line and, for what ships, the licence of the data behind it."""

    def rows() -> dict[str, str]:
        licences = {name: entry.licence for name, entry in table.rows.items() if entry.licence}
        return {n: f"{about}  [{licences[n]}]" if n in licences else about for n, about in table.about().items()}

    return rows


def generators() -> dict[str, str]:
    """Those of the program and of plugins, then the kinds of published files that are read."""
    rows = with_licences(GENERATORS)()
    files = {n: about for n, about in FAMILIES.about().items() if n not in rows and not n.startswith("gan-")}
    own = templates.OF_GENERATOR
    rows = {n: f"{about}  [templates: {own[n]}]" if n in own else about for n, about in rows.items()}
    return rows | {name: f"{about}  [--generator FILE]" for name, about in files.items()}


def with_extras() -> dict[str, str]:
    """The searches, with what has to be installed for some of them."""
    extras = {**dict.fromkeys(QUALITY_DIVERSITY, "qd"), **{f"{name}:NAME": name for name in SEARCHES.prefixes}}
    return {
        name: f"{about}  [pip install 'zeuxis[{extras[name]}]']" if name in extras else about
        for name, about in SEARCHES.about().items()
    }


def metrics() -> dict[str, str]:
    """Those of `zeuxis metrics`, with how many pictures each needs and what else."""
    from zeuxis.evaluation.metrics import METRICS, USUAL

    rows = {}
    for name in METRICS:
        metric = METRICS[name]
        needs = f"{metric.least:,} pictures" + "".join(f", {NEEDS[need]}" for need in metric.needs)
        rows[name] = f"{metric.about}  [{needs}{'; usual' if name in USUAL else ''}]"
    return rows


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "generators": generators,
    "scorers": with_licences(SCORERS),
    "judges": with_licences(JUDGES),
    "searches": with_extras,
    "recipes": recipe_files.about,
    "configs": configs.about,
    "templates": templates.about,
    "metrics": metrics,
}


@app.command("list", epilog="Examples:\n\nzeuxis list generators\n\nzeuxis list configs")
def list_names(what: Annotated[str | None, typer.Argument(help=", ".join(KINDS), show_default=False)] = None) -> None:
    """List generators, scorers, judges, searches, recipes, configs, templates or metrics, one name to a line."""
    if what is None:
        raise BadInput(f"Expected what to list: {', '.join(KINDS)}.")
    if what not in KINDS:
        raise unknown("kind of list", what, list(KINDS))
    rows = KINDS[what]()
    width = max(map(len, rows))
    for name, about in rows.items():
        typer.echo(f"{name:<{width}}  {about}")
