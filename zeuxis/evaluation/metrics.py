"""METRICS: every figure of a set of generated pictures, by a name that says how it was measured.

A metric's `compute` takes a `Sample` and gives an `Estimate`. `zeuxis.evaluation.measure` adds floor, interval and the
full name: `fd10k-test-mobilenetv1` is the Frechet distance of 10,000 generated pictures to the test split in MobileNet
v1's features, resized in that space's own way.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.metrics.agreement import Agreement, class_agreement
from zeuxis.metrics.clip_score import clip_scores
from zeuxis.metrics.clipped import Clipped
from zeuxis.metrics.frechet import frechet_to_infinity
from zeuxis.metrics.inception_score import inception_score
from zeuxis.metrics.intervals import Z, bootstrap
from zeuxis.metrics.linear_head import LinearHead, accuracy_score
from zeuxis.metrics.memorisation import Nearest, nearest_rows, ratio_of
from zeuxis.metrics.neighbours import neighbours, radii
from zeuxis.metrics.rows import check_rows
from zeuxis.metrics.shared import ALL, Shared, Shares
from zeuxis.metrics.squares import Part
from zeuxis.metrics.vendi import bandwidth, vendi
from zeuxis.registry import Entry, Table
from zeuxis.rng import stream

FIRST = 2000  # rows of a Vendi score: eigenvalues take their third power


@dataclass(frozen=True)
class Sample:
    """What metrics are computed from: `generated` `(N, D)` and `reference` `(M, D)` features, and what there is else.

    `train` and `test` `(L, D)` rows that the generator may have learned from and rows that it cannot have; labels int64
    with the same `classes`; `logits` of a space that classifies; `images` and `texts` `(N, E)`, embeddings of the dual
    encoder `scorer`; `sigma` the kernel's width; `parts` of the rows are those that intervals come from; `wanted` names
    the metrics that will be asked for; `beside` is a sample whose reference may be the same.
    """

    generated: Tensor
    reference: Tensor
    train: Tensor | None = None
    test: Tensor | None = None
    generated_labels: Tensor | None = None
    reference_labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    logits: Callable[[Tensor], Tensor] | None = None
    images: Tensor | None = None
    texts: Tensor | None = None
    scorer: str = ""
    sigma: float | None = None
    parts: tuple[Part, ...] = ()
    wanted: frozenset[str] = ALL
    beside: Sample | None = None

    @cached_property
    def scale(self) -> float:
        """The kernel's width: of the reference, unless it was given."""
        return self.sigma if self.sigma is not None else bandwidth(self.reference)

    @cached_property
    def shared(self) -> Shared:
        """What the metrics below read: every pair of rows is looked at once for all of them, and for all parts."""
        sigma = None
        with contextlib.suppress(BadInput):  # copies of one picture: RKE says so
            sigma = self.scale if "rke" in self.wanted else None
        known = None if self.beside is None else self.beside.shared
        return Shared(self.generated, self.reference, self.parts, wanted=self.wanted, sigma=sigma, known=known)

    @cached_property
    def clipped(self) -> Clipped:
        """Of as many rows of both: fewer generated ones fill no ball, so nothing would be clipped."""
        sets = self.generated, self.reference
        count = min(map(len, sets))
        if len(sets[0]) == len(sets[1]):
            return self.shared.clipped
        one, two = (x if len(x) == count else x[torch.randperm(len(x), generator=stream(0, "clipped"))[:count]]
                    for x in sets)  # fmt: skip
        return Shared(one, two, wanted=frozenset({"clipped-density"})).clipped

    @cached_property
    def nearest(self) -> Nearest:
        """Distances of the generated rows to training and to held-out ones."""
        known = self.shared.nearest[0] if self.train is self.reference else None
        return nearest_rows(self.generated, _there(self.train), _there(self.test), to_train=known)

    @cached_property
    def authentic(self) -> Tensor:
        """Which generated rows are farther from their nearest training row than that is from its own: bool `(N,)`."""
        train = _there(self.train)
        check_rows({"training": train}, 2, "for the distance between two of them")
        if train is self.reference:
            (near, where), own = self.shared.nearest, self.shared.nearest_real
        else:
            near, where = (x[:, 0] for x in neighbours(self.generated, train, 1))
            own = radii(train, 1)
        return near > own[where]

    @cached_property
    def agreement(self) -> Agreement:
        """Of a linear head that was trained on the reference."""
        head = LinearHead(self.reference, _there(self.reference_labels), len(self.classes))
        return class_agreement(head(self.generated), _there(self.generated_labels))

    @cached_property
    def accuracy(self) -> Agreement:
        """On the reference, of a linear head that was trained on the generated rows."""
        return accuracy_score(self.generated, _there(self.generated_labels), self.reference,
                              _there(self.reference_labels), len(self.classes))  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A value, its interval where the metric has one of its own, and what else it found."""

    value: float
    interval: tuple[float, float] | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """One row of METRICS.

    name      begins the full name; `inception_name` replaces it in Inception's features
    needs     what the Sample must have beside features: "train", "test", "labels", "logits", "texts"
    compute   Sample -> Estimate; `of_part` the value of the part with this number, where it has `parts`
    better    "lower", "higher", or "" where neither is; `least` rows a set, and `per_column` for each column, else it
              is refused for `reason`
    paired    whether it compares with the reference, and so has a floor and a split in its name
    share     whether it lies in [0, 1], and its interval with it
    copying   whether its floor is of test rows, which cannot be copies
    """

    name: str
    about: str
    compute: Callable[[Sample], Estimate]
    better: str
    least: int
    reason: str
    needs: tuple[str, ...] = ()
    paired: bool = True
    share: bool = False
    copying: bool = False
    inception_name: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    of_part: Callable[[Sample, int], float] | None = None
    per_column: int = 0

    def fewest(self, sample: Sample) -> int:
        """The rows that it needs in these features."""
        return max(self.least, self.per_column * sample.generated.shape[1])

    @property
    def parts(self) -> bool:
        """Whether its interval comes from parts of the sets."""
        return self.of_part is not None


def _there(value: Tensor | None) -> Tensor:
    if value is None:
        raise BadInput("Expected a sample with all that the metric needs, got one without labels or held-out rows.")
    return value


def _to_infinity(sample: Sample) -> Estimate:
    found = frechet_to_infinity(sample.reference, sample.generated)
    half = Z * found.error
    return Estimate(found.value, (found.value - half, found.value + half), {"points": [list(p) for p in found.points]})


def _inception_score(sample: Sample) -> Estimate:
    assert sample.logits is not None
    mean, deviation = inception_score(sample.logits(sample.generated))
    half = Z * deviation / 10**0.5
    return Estimate(mean, (mean - half, mean + half), {"deviation_of_splits": deviation})


def _by_class(found: Agreement, classes: tuple[str, ...]) -> Estimate:
    shares = {name: share for name, share in zip(classes, found.by_class.tolist(), strict=True) if share == share}
    return Estimate(found.share, found.interval, {"by_class": shares})


def _clip(sample: Sample) -> Estimate:
    scores = clip_scores(_there(sample.images), _there(sample.texts))
    return Estimate(float(scores.mean()), bootstrap(scores))


def _row(name: str, about: str, of: Callable[[Sample, int], float], better: str, least: int, reason: str,
         **more: Any) -> Metric:  # fmt: skip
    """A metric of all rows, part 0, and of each part."""
    return Metric(name, about, lambda sample: Estimate(of(sample, 0)), better, least, reason, of_part=of, **more)


def _of(share: Callable[[Shares], float]) -> Callable[[Sample, int], float]:
    return lambda sample, part: share(sample.shared.shares(part))


def _vendi(sample: Sample) -> Estimate:
    order = torch.randperm(len(sample.generated), generator=stream(0, "vendi"))  # they may be sorted by class
    return Estimate(vendi(sample.generated[order[:FIRST]], sample.scale))


def _rke(sample: Sample, part: int) -> float:
    sigma = sample.scale  # without one this says why
    return sample.shared.renyi(part) if sigma else math.nan


def _ratio(sample: Sample, part: int) -> float:
    rows = sample.shared.rows(part)[0]
    return ratio_of(Nearest(*(x[rows] for x in sample.nearest))).ratio


def _copying(sample: Sample) -> Estimate:
    found = ratio_of(sample.nearest)
    return Estimate(found.nearer, found.nearer_interval, {"copies": found.copies})


def _authentic(sample: Sample, part: int) -> float:
    return float(sample.authentic[sample.shared.rows(part)[0]].double().mean())


_COVARIANCE = "a covariance needs many rows, and the bias of few hides every difference"
_BALLS = "k-th neighbours of so few rows are far away, so that balls hold nearly everything"
_FEW = "a figure of so few has too wide an interval"
_K3: dict[str, Any] = {"settings": {"k": 3}}
_K5: dict[str, Any] = {"settings": {"k": 5}}

_ALL = (
    _row("fd", "Frechet distance", lambda s, p: s.shared.frechet(p), "lower", 200, _COVARIANCE,
         inception_name="fid"),
    Metric("fd-infinity", "Frechet distance at infinitely many", _to_infinity, "lower", 1000,
           "of fewer rows than columns the distance is no line in 1 / n", inception_name="fid-infinity",
           settings={"sizes": 15, "drawn_from": "both sets, from the larger of a tenth and D rows"}, per_column=4),
    _row("kd", "kernel distance, unbiased", lambda s, p: s.shared.kernel(p), "lower", 100, _FEW,
         inception_name="kid", settings={"kernel": "(x.y / D + 1)^3", "rows": "all, in blocks of 5,000 and more"}),
    _row("mind", "sliced Wasserstein, 3 D times the mean square", lambda s, p: s.shared.sliced(p), "lower",
         100, _FEW, settings={"directions": 1000, "seed": 0}),
    Metric("is", "Inception score in this space's classes", _inception_score, "higher", 500,
           "it is the mean of ten parts", ("logits",), paired=False, settings={"splits": 10}),
    _row("precision", "generated rows among real ones", _of(lambda b: b.precision_recall.precision), "higher",
         100, _BALLS, share=True, **_K3),
    _row("recall", "real rows among generated ones", _of(lambda b: b.precision_recall.recall), "higher",
         100, _BALLS, share=True, **_K3),
    _row("density", "real balls a generated row is in, over k", _of(lambda b: b.density_coverage.density),
         "higher", 100, _BALLS, **_K5),
    _row("coverage", "real balls with a generated row", _of(lambda b: b.density_coverage.coverage), "higher",
         100, _BALLS, share=True, **_K5),
    Metric("clipped-density", "share of good pictures",
           lambda s: Estimate(s.clipped.density, s.clipped.density_interval), "higher", 100, _BALLS,
           settings={"k": 5, "rows": "as many of both"}),
    Metric("clipped-coverage", "share of reality covered",
           lambda s: Estimate(s.clipped.coverage, s.clipped.coverage_interval), "higher", 100, _BALLS,
           settings={"k": 5, "rows": "as many of both"}),
    Metric("vendi", "effective number, order 1", _vendi, "higher", 50, _FEW,
         paired=False, settings={"kernel": "gaussian", "rows": f"at most {FIRST:,}, at random"}),
    _row("rke", "effective number, order 2", _rke, "higher", 50, _FEW, paired=False,
         settings={"kernel": "gaussian"}),
    Metric("nearer-train", "nearer to a training row than to a held-out one",
           _copying, "", 100, _FEW, ("train", "test"), copying=True),
    _row("distance-ratio", "distance to training rows over that to held-out ones", _ratio, "", 100,
         _FEW, needs=("train", "test"), copying=True),
    _row("authentic", "AuthPct / 100", _authentic, "", 100, _FEW,
         needs=("train",), share=True, copying=True),
    Metric("class-agreement", "taken for its class by a linear head of real rows",
           lambda s: _by_class(s.agreement, s.classes), "higher", 100, _FEW, ("labels",)),
    Metric("linear-cas", "real rows rightly classed by a linear head of generated rows",
           lambda s: _by_class(s.accuracy, s.classes), "higher", 100, _FEW, ("labels",)),
    Metric("clip-score", "100 times the cosine of picture and text", _clip, "higher", 50, _FEW, ("texts",),
           paired=False),
)  # fmt: skip

METRICS = Table("metric", {metric.name: Entry(metric, metric.about, traits=metric.needs) for metric in _ALL})
USUAL = ("fd", "fd-infinity", "kd", "mind", "precision", "recall", "density", "coverage", "clipped-density",
         "clipped-coverage", "vendi", "rke", "nearer-train", "distance-ratio", "authentic", "class-agreement",
         "linear-cas")  # fmt: skip
