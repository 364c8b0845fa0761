"""What a comparison found, as JSON and CSV, and the notes that keep a reader from misreading it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zeuxis import __version__
from zeuxis.evaluation.embedding import Embedded
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.measure import Result
from zeuxis.storage.checksummed import checksummed_json
from zeuxis.storage.files import atomic_write, make_folder

FORMAT = 1
COLUMNS = ("name", "value", "low", "high", "floor", "floor_n", "n", "reference_n", "better", "refused", "seconds")
DETAILS = ("name", "what", "of", "value")
COPIES = 0.01  # share of exact copies from which a note says so
NEARER = 0.05  # how far `nearer-train` may be above the same of test pictures


@dataclass(frozen=True)
class Compared:
    """The sets in one feature space, and every result."""

    generated: Embedded
    real: Embedded
    held_out: Embedded | None
    space: FeatureSpace
    results: list[Result]
    scorer: str = ""

    def notes(self) -> list[str]:
        """One sentence each: copying, guided networks, a distance that choosing by class has lowered, thin floors."""
        said = []
        by_name = {result.metric: result for result in self.results}
        copying = by_name.get("nearer-train")
        if copying is not None and copying.value is not None and copying.interval is not None:
            usual = 0.5 if copying.floor is None else copying.floor
            if copying.interval[0] > usual + NEARER or copying.more.get("copies", 0) > COPIES:
                copies = copying.more.get("copies", 0)
                said.append(
                    f"The pictures look memorised: {copying.value:.1%} are nearer to a training picture than to any "
                    f"held-out one ({usual:.1%} of real test pictures), {copies:.1%} equal one. Distances are low then "
                    "whatever the generator can."
                )
        if self.space.guided:
            said.append(f"{self.space.name} also guides searches and trainings here: not a held-out verdict.")
        distance = by_name.get("fd")
        if distance is not None and distance.value is not None:
            said.append(
                "A Frechet distance also falls when pictures are chosen by their class and none of them is better: "
                "read recall and clipped-density beside it."
            )
        thin = (r.floor_n and r.floor_n < r.settings["n"] for r in self.results if r.metric in ("fd", "mind", "recall"))
        if any(thin):
            said.append(
                "Some floors are of fewer pictures than the values, which makes them too high: give --held-out."
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        sets = {"generated": self.generated, "real": self.real, "held_out": self.held_out}
        return {
            "format": FORMAT,
            "zeuxis": __version__,
            "features": {"name": self.space.name, "weights": self.space.sha256, "resize": self.space.resize,
                         "guided": self.space.guided},
            "sets": {
                name: {"name": s.name, "split": s.split, "pictures": len(s), "left_out": list(s.left_out)}
                for name, s in sets.items() if s is not None
            },
            "scorer": self.scorer,
            "notes": self.notes(),
            "results": [result.to_dict() for result in self.results],
        }  # fmt: skip


def write_report(folder: Path, found: Compared) -> list[Path]:
    """metrics.json (checksummed, with every setting) and metrics.csv; both whole or not there."""
    make_folder(folder)
    files = {"metrics.json": checksummed_json(found.to_dict()), "metrics.csv": _csv(found.results).encode()}
    for name, content in files.items():
        atomic_write(folder / name, content)
    return [folder / name for name in files]


def details(results: list[Result]) -> list[tuple[str, str, str, float]]:
    """(name, what, of which, value): what a metric found beside its value."""
    rows: list[tuple[str, str, str, float]] = []
    for r in results:
        for what, value in r.more.items():
            if isinstance(value, dict):
                rows += [(r.name, what, str(key), float(v)) for key, v in value.items()]
            elif isinstance(value, list):
                rows += [(r.name, what, str(key), float(v)) for key, v in value]
            else:
                rows.append((r.name, what, "", float(value)))
    return rows


def _csv(results: list[Result]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for r in results:
        low, high = r.interval or ("", "")
        value, floor = ("" if x is None else x for x in (r.value, r.floor))
        counts = [r.floor_n, r.settings.get("n", ""), r.settings.get("reference_n", "")]
        writer.writerow([r.name, value, low, high, floor, *counts, r.better, r.refused, f"{r.seconds:.3f}"])
    return text.getvalue()
