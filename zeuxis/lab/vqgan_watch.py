"""What a VQGAN's training measures between steps: reconstructions of held-out pictures, the use of its codes, draws.

Distances are of MobileNet v1's pooled features to held-out pictures; the perceptual loss sees through v2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.lab.quantiser import perplexity
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.watch import PooledFeatures
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.rng import stream

Chosen = Callable[[Tensor], Tensor]  # pictures (N, C, R, R) in [-1, 1] -> codes (N, P)
Drawn = Callable[[Tensor], Tensor]  # and back
ROWS = 2  # pairs of rows in the sample grid


class VQGANWatch:
    """Figures on `count` pictures of the test split."""

    def __init__(self, train: ImageSet, test: ImageSet, count: int, lab: Lab) -> None:
        if min(len(test), len(train)) < 2 or count < 2:
            raise BadInput("Expected two pictures at least in each split, and watch = 2 or more.")
        self.lab, self.train, self.test = lab, train, test
        self.columns = 20 if train.resolution <= 32 else 12
        self.held = test.batch(torch.randperm(len(test), generator=stream(0, "watch"))[:count])
        self.latest: dict[str, float] = {}
        self._pooled = PooledFeatures(lab.device)
        self._known: tuple[Tensor, float, float] | None = None

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, R, R) in [-1, 1] -> MobileNet v1's pooled features (N, 512)."""
        return self._pooled.of_signed(images)

    def _fixed(self) -> tuple[Tensor, float, float]:
        """Features of the held-out pictures; their distance to as many training pictures; and their mean difference to
        the mean training picture, of 1.
        """
        if self._known is None:
            rows = torch.randperm(len(self.train), generator=stream(0, "watch", "train"))[: max(len(self.held), 1000)]
            others = self.train.batch(rows)
            real = self.features(self.held)
            floor = frechet_distance(real, self.features(others[: len(self.held)]))
            self._known = real, floor, float((self.held - others.mean(0)).abs().mean() / 2)
        return self._known

    def figures(self, chosen: Chosen, drawn: Drawn, counts: Tensor) -> dict[str, float]:
        """`held_out_l1`, the mean difference of pixels, of 1, beside `mean_picture_l1`; how many codes held-out
        pictures use (`held_out_perplexity`, `used`); Frechet distances of reconstructions, of draws from the counted
        codes and of draws from all codes alike, beside `real_frechet`, that of as many training pictures.
        """
        codes = chosen(self.held)
        again = drawn(codes)
        if not bool(torch.isfinite(again).all()):
            raise SearchStopped("The averaged decoder draws NaN. Lower the rate, or use fp32.")
        real, floor, mean_l1 = self._fixed()
        used = torch.bincount(codes.flatten(), minlength=counts.shape[1])
        found = {"held_out_l1": float((again - self.held).abs().mean() / 2), "mean_picture_l1": mean_l1}
        found |= {"held_out_perplexity": perplexity(used), "used": float((used > 0).sum())}
        found["held_out_frechet"] = frechet_distance(real, self.features(again))
        found["prior_frechet"] = frechet_distance(real, self.features(drawn(draws(counts, len(self.held)))))
        found["uniform_frechet"] = frechet_distance(
            real, self.features(drawn(draws(torch.ones_like(counts), len(self.held))))
        )
        found["real_frechet"] = floor
        self.latest = {name: round(value, 5) for name, value in found.items()}
        return dict(self.latest)

    def sheet(self, chosen: Chosen, drawn: Drawn, counts: Tensor) -> Tensor:
        """(N, C, R, R) in [0, 1], rows of `columns`: pictures, their reconstructions, in turn; draws at the end."""
        rows: list[Tensor] = []
        for images in torch.split(self.held[: ROWS * self.columns], self.columns):
            rows += [images, drawn(chosen(images))]
        rows.append(drawn(draws(counts, 2 * self.columns)))
        return (torch.cat(rows) / 2 + 0.5).clamp(0, 1)


def draws(counts: Tensor, number: int) -> Tensor:
    """Codes (number, P), always the same, each place by itself as often as it was counted (P, K)."""
    picked = torch.multinomial(counts.double(), number, replacement=True, generator=stream(0, "draws"))  # (P, number)
    return picked.T.contiguous()
