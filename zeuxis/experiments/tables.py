"""The results of an experiment as records for CSV and Parquet files, and as Markdown for documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zeuxis.experiments.analysis import Estimate, Line, images_to, uneven
from zeuxis.experiments.cell import evaluator_names
from zeuxis.experiments.design import Cell, Design, is_warm
from zeuxis.experiments.records import Record

Row = dict[str, Any]
STOPPED = 0.9  # of the budget: a run that spent less was ended by a rule, not by a last generation too large for it


def cell_records(design: Design, rows: Mapping[Cell, Row]) -> list[Record]:
    """One record per cell, curves left out: identity, cost, images to the target, and every evaluator's scores."""
    ends = {
        (c.phrase, c.seed, c.population): row["curve"][-1] for c, row in rows.items() if c.variant == design.baseline
    }
    found: list[Record] = []
    for cell, row in sorted(rows.items()):
        target = ends.get((cell.phrase, cell.seed, cell.population))
        reached = None if target is None else images_to(row, target)
        record: Record = {"variant": cell.variant, "start": "warm" if is_warm(cell.variant) else "cold"}
        record |= {"phrase": cell.phrase, "seed": cell.seed, "population": cell.population}
        record |= {"images": row["images"][-1], "best_on_the_way": row["curve"][-1]}
        record |= {"images_to_target": None if reached in (None, float("inf")) else reached}
        record |= {"effective": row["effective"], "seconds": row["seconds"], "cpu_seconds": row["cpu_seconds"]}
        for name in evaluator_names(design):
            record |= {f"{name} best": row[name]["best"], f"{name} population": row[name]["mean"]}
        found.append(record)
    return found


def line_records(lines: Sequence[Line]) -> list[Record]:
    """One record per variant and population; an estimate becomes three columns."""
    found: list[Record] = []
    for line in lines:
        record: Record = {"variant": line.variant, "start": "warm" if line.warm else "cold"}
        record |= {"population": line.population, "pairs": line.pairs}
        estimates = {"best": line.best, "share_of_budget_to_target": line.share, "wins": line.wins}
        estimates |= {"share_of_budget_spent": line.spent}
        estimates |= {f"gain {name}": e for name, e in line.gain.items()}
        estimates |= {f"remains {name}": e for name, e in line.remains.items()}
        estimates |= {f"rise {name}": e for name, e in line.rise.items()}
        estimates |= {f"rise remains {name}": e for name, e in line.rise_remains.items()}
        estimates |= {f"score {name}": e for name, e in line.judged.items()}
        estimates |= {f"population {name}": e for name, e in line.population_judged.items()}
        for name, e in {**estimates, "effective": line.effective}.items():
            record |= {name: e.value, f"{name} low": e.low, f"{name} high": e.high}
        found.append(record | {"reached": line.reached, "seconds": line.seconds})
    return found


def markdown(design: Design, lines: Sequence[Line], population: int) -> str:
    """The table of one population for a document."""
    others = [name for name in evaluator_names(design) if name not in design.scorer]
    head = ["search", "runs", "best score", "share of budget to the target", "reached", "wins", "different images"]
    head += [f"{name}: chosen picture / population" for name in others]
    here = [line for line in lines if line.population == population]
    stopped = any(line.spent.low < STOPPED for line in here)  # by a rule
    head += ["budget spent"] if stopped else []
    rows = [head, ["---"] * len(head)]
    for line in here:
        name = f"`{line.variant}`" + (" (warm)" if line.warm else "")
        cells = [name, str(line.pairs), f"{line.best:.3f}", f"{line.share:.3f}", f"{line.reached:.0%}"]
        cells += [_percent(line.wins), f"{line.effective.value:.1f}"]
        cells += [f"{line.judged[o].value:.2f} / {line.population_judged[o].value:.2f}" for o in others]
        cells += [_percent(line.spent)] if stopped else []
        rows.append(cells)
    below = f"\n{warning}\n" if (warning := uneven(lines, population)) else ""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n" + below


def _percent(e: Estimate) -> str:
    return f"{e.value:.0%} ({e.low:.0%} .. {e.high:.0%})"
