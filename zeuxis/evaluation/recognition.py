"""From what classifiers saw in bred pictures to tables: positive, negative, accuracy, first five, groups, confusion.

Wilson's intervals count every picture as a trial of its own. Pictures of one run are alike, so beside them stands an
interval over runs wherever there are several; the wider of the two is what is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.evaluation.held_out import Seen
from zeuxis.metrics.intervals import of_runs, wilson


@dataclass(frozen=True)
class Accuracy:
    """`positive` of `count` pictures; intervals of 95 %, over pictures and over runs, None for fewer than two runs."""

    positive: int
    count: int
    interval: tuple[float, float]
    over_runs: tuple[float, float] | None = None

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.positive / self.count

    @property
    def span(self) -> tuple[float, float]:
        """The interval to show: over runs where there are several, never narrower than that over pictures."""
        low, high = self.over_runs or self.interval
        return min(low, self.interval[0]), max(high, self.interval[1])

    @property
    def negative(self) -> int:
        """The others."""
        return self.count - self.positive


def accuracy(runs: Sequence[Sequence[bool]]) -> Accuracy | None:
    """Of the hits of each run; None without pictures."""
    runs = [run for run in runs if len(run)]
    count, positive = sum(map(len, runs)), sum(map(sum, runs))
    if not count:
        return None
    over = of_runs([sum(run) / len(run) for run in runs], within=(0.0, 1.0))
    return Accuracy(positive, count, wilson(positive / count, count), over)


def of_groups(seen: Sequence[Seen]) -> dict[str, Accuracy]:
    """Group -> the share of pictures whose first guess belongs to it, over the runs of all classes in it."""
    names = dict.fromkeys(name for one in seen for name in one.groups)
    found = {name: accuracy([one.groups[name] for one in seen if name in one.groups]) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def confusion(seen: Mapping[str, Sequence[Seen]]) -> dict[str, dict[str, int]]:
    """Class -> what its pictures were taken for, the most frequent first."""
    return {
        name: dict(Counter(label for one in runs for label in one.label).most_common()) for name, runs in seen.items()
    }


@torch.no_grad()
def predict(net: nn.Module, images: Tensor, batch: int = 250) -> Tensor:
    """Images (N, 3, 32, 32) in [0, 1] -> class numbers (N,)."""
    return torch.cat([net(piece).argmax(1) for piece in torch.split(images, batch)])


def recognised(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images (N, ...) that `net` takes for their labels (N,)."""
    if not len(images) or labels.shape != (len(images),):
        raise BadInput(
            f"Expected a label for each of at least one picture, got {len(images)} and {len(labels)} labels."
        )
    return float((predict(net, images) == labels).float().mean())
