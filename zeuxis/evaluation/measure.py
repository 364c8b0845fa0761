"""Values with their floors and intervals: what stands in a table of metrics.

**Floor**: the same metric of real pictures against the same reference, at the same number. **Interval**: 95 %, the
metric's own, else from parts of both sets, drawn without replacement. A metric below its least number of rows is
refused with the reason.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.evaluation.arrange import Sets
from zeuxis.evaluation.feature_spaces import FeatureSpace
from zeuxis.evaluation.metrics import METRICS, Metric, Sample
from zeuxis.metrics.intervals import around, parts

DRAWS = 10  # parts of the sets, for the intervals
PART = 5000  # rows of a part at most; else half of them


@dataclass(frozen=True)
class Result:
    """One line of the table: `name` in full, `metric` its row of METRICS.

    `value` is None where the metric was refused, and `refused` the sentence that says why.

    `floor` is of `floor_n` real rows, fewer than `n` where there were no more; None without any.
    """

    name: str
    metric: str
    about: str
    better: str
    value: float | None
    interval: tuple[float, float] | None = None
    floor: float | None = None
    floor_n: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    refused: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return found | {"interval": list(self.interval) if self.interval else None}


def measure(
    sets: Sets, space: FeatureSpace, names: Sequence[str], *, draws: int = DRAWS,
    report: Callable[[str], None] | None = None,
) -> list[Result]:  # fmt: skip
    """Every metric of `names`, in that order. UnknownName for another; what cannot be computed is refused in words."""
    metrics: list[Metric] = [METRICS[name] for name in names]
    counts = len(sets.sample.generated), len(sets.sample.reference)
    share = min(0.5, PART / max(counts))
    pairs = zip(parts(counts[0], draws, 1, share), parts(counts[1], draws, 2, share), strict=True)
    sets = replace(sets, sample=replace(sets.sample, parts=tuple(pairs), wanted=frozenset(names)))
    wanted = {metric.name: _refusal(metric, sets.sample) for metric in metrics}
    by_parts: dict[str, list[float]] = {m.name: [] for m in metrics if m.parts and not wanted[m.name]}
    spent = dict.fromkeys(wanted, 0.0)
    for part in range(1, draws + 1):  # part by part, so that what is computed of one can be forgotten with the next
        for metric in (m for m in metrics if m.name in by_parts):
            begun = time.perf_counter()
            by_parts[metric.name].append(_of_part(metric, sets.sample, part))
            spent[metric.name] += time.perf_counter() - begun
    kept = [metric for metric in metrics if not wanted[metric.name]]
    floors = _floors([m for m in kept if not m.copying], sets.floor, sets.sample)
    floors |= _floors([m for m in kept if m.copying], sets.uncopied, sets.sample)
    found = []
    for metric in metrics:
        if report is not None:
            report(metric.name)
        floor, of_parts = floors.get(metric.name, (None, 0)), by_parts.get(metric.name, [])
        found.append(_result(metric, sets, space, wanted[metric.name], of_parts, share, floor, spent[metric.name]))
    return found


def full_name(metric: Metric, n: int, split: str, space: FeatureSpace, scorer: str = "") -> str:
    """`fd10k-test-mobilenetv1`; without the split where the metric looks at no reference. With texts the `scorer`
    stands in the place of the features.
    """
    short = f"{n // 1000}k" if n >= 1000 and n % 1000 == 0 else str(n)
    name = metric.inception_name if space.is_inception and metric.inception_name else metric.name
    return "-".join(
        [
            f"{name}{short}",
            *([split] if metric.paired and split else []),
            word_of(scorer) if _told(metric) else space.word,
        ]
    )


def _floors(
    metrics: list[Metric], real: Callable[[], Sample | None], beside: Sample
) -> dict[str, tuple[float | None, int]]:
    """Value and number of rows of each metric that real rows in place of the generated ones have."""
    sample = real() if metrics else None
    if sample is None:
        return {}
    sample = replace(sample, parts=(), wanted=frozenset(metric.name for metric in metrics),
                     beside=beside)  # fmt: skip
    allowed = [metric for metric in metrics if not _refusal(metric, sample)]
    found = {metric.name: _value(metric, sample) for metric in allowed}
    counts = {m.name: len(_there(sample.images) if _told(m) else sample.generated) for m in allowed}
    return {name: (value, counts[name]) for name, value in found.items() if value is not None}


def _told(metric: Metric) -> bool:
    """Whether it compares pictures with texts, by a scorer and not in the features."""
    return "texts" in metric.needs


def word_of(scorer: str) -> str:
    """A scorer's name as a part of a metric's: letters, digits and dots."""
    return "".join(c for c in Path(scorer).name.lower() if c.isalnum() or c == ".") or "scorer"


def _there(value: Tensor | None) -> Tensor:
    assert value is not None
    return value


def _result(
    metric: Metric, sets: Sets, space: FeatureSpace, refused: str, of_parts: list[float], share: float,
    floor: tuple[float | None, int], spent: float,
) -> Result:  # fmt: skip
    sample = sets.sample
    n = len(sample.generated)
    name = full_name(metric, n, sets.split, space, sample.scorer)
    if refused:
        return Result(name, metric.name, metric.about, metric.better, None, refused=refused)
    begun = time.perf_counter()
    try:
        value = metric.compute(sample)
    except BadInput as error:
        return Result(name, metric.name, metric.about, metric.better, None, refused=f"{metric.name}: {error}")
    settings = {"n": n, "reference_n": len(sample.reference), "reference_split": sets.split, "features": space.name,
                "resize": space.resize, "guided": space.guided} | metric.settings  # fmt: skip
    if _told(metric):
        settings |= {"reference_n": 0, "reference_split": "", "features": sample.scorer, "resize": "the scorer's own"}
        settings["guided"] = True  # no scorer is held out by itself
    if metric.name in ("vendi", "rke"):
        settings["sigma"] = sample.scale
    interval = around(value.value, of_parts, share) if metric.parts else value.interval
    if metric.share and interval is not None:
        interval = max(interval[0], 0.0), min(interval[1], 1.0)
    seconds = spent + time.perf_counter() - begun
    told = (name, metric.name, metric.about, metric.better)
    return Result(*told, value.value, interval, *floor, settings, seconds, more=value.more)


def _value(metric: Metric, sample: Sample) -> float | None:
    """The value alone; None where this sample has none."""
    try:
        return metric.compute(sample).value
    except BadInput:
        return None


def _of_part(metric: Metric, sample: Sample, part: int) -> float:
    """NaN where this part has none."""
    assert metric.of_part is not None
    try:
        return metric.of_part(sample, part)
    except BadInput:
        return math.nan


def _refusal(metric: Metric, sample: Sample) -> str:
    """Why this metric cannot be had of this sample, in one sentence; "" where it can."""
    have = {
        "train": sample.train is not None,
        "test": sample.test is not None,
        "labels": sample.generated_labels is not None and sample.reference_labels is not None,
        "logits": sample.logits is not None,
        "texts": sample.images is not None and sample.texts is not None,
    }
    words = {
        "train": "pictures that the generator may have learned from",
        "test": "other real pictures: give --held-out FOLDER, or a reference with two splits",
        "labels": "both sets sorted into sub-folders of the same classes, two at least",
        "logits": "a feature space that classifies",
        "texts": "--scorer NAME, and captions or classes of the generated pictures",
    }
    for need in metric.needs:
        if not have[need]:
            return f"{metric.name} needs {words[need]}."
    fewest = min(len(sample.generated), len(sample.reference) if metric.paired else len(sample.generated))
    least = metric.fewest(sample)
    if fewest < least:
        return f"{metric.name} needs {least:,} pictures a set and there are {fewest:,}: {metric.reason}."
    return ""
