"""Metrics of two sets and of parts of them that share what they compute: distances of pairs, rows along directions.

Every pair is looked at once. Every figure is that of the metric's own function on the same rows, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from zeuxis.metrics.clipped import Clipped, calibrated, clipped_radii
from zeuxis.metrics.coverage import DensityCoverage
from zeuxis.metrics.frechet import frechet_distance, frechet_of_pairs
from zeuxis.metrics.kernel import KernelSums, block_mmd
from zeuxis.metrics.neighbours import Balls, Nearby, Within, held_by_neighbours
from zeuxis.metrics.precision_recall import PrecisionRecall, harmonic
from zeuxis.metrics.rows import check_rows
from zeuxis.metrics.squares import Part, Squares, Visitor, marked
from zeuxis.metrics.vendi import RenyiSums, rke
from zeuxis.metrics.wasserstein import mind_of_parts

K_SHARES, K = 3, 5  # neighbours for precision and recall, and for density and coverage
BLOCKED = 10_000  # rows from which the kernel distance is a mean over blocks
APART = 20_000  # rows from which parts are so much smaller than the sets that each is computed by itself
LISTED = 24  # neighbours of a row that are in a part on average: with fewer than 7 of them it is looked up again
FEW = 1.2  # rows per feature up to which a Frechet distance is cheaper from pairs of rows than from covariances
SHARES = frozenset({"precision", "recall", "density", "coverage", "clipped-density", "clipped-coverage"})
COPIES = frozenset({"nearer-train", "distance-ratio", "authentic"})
ALL = SHARES | COPIES | {"kd", "rke"}


class Shares(NamedTuple):
    """Of one part."""

    precision_recall: PrecisionRecall
    density_coverage: DensityCoverage


class Own:
    """What is known of the pairs within one set `rows` `(N, D)`: neighbours, and sums over `parts` of its rows."""

    def __init__(self, rows: Tensor, parts: Sequence[Tensor], wanted: frozenset[str], sigma: float | None) -> None:
        self.rows, self.parts, self.wanted = rows, parts, wanted
        squares = Squares(rows, rows)
        marks = marked([(part, part) for part in parts], 0, len(rows))
        share = min((len(part) / len(rows) for part in parts), default=1.0)
        self.near = Nearby(squares, max(K, K_SHARES) + 1, int(LISTED / share) if len(parts) > 1 else 0)
        self.kernel, visitors = KernelSums(squares, marks, marks, own=True), list[Visitor]()
        self.renyi = None if sigma is None or "rke" not in wanted else RenyiSums(marks, sigma)
        visitors += [self.near] if wanted & (SHARES | COPIES) else []
        visitors += [self.kernel] if "kd" in wanted else []
        visitors += [self.renyi] if self.renyi is not None else []
        if visitors:
            squares.visit(*visitors)


class Shared:
    """Of `generated` `(N, D)` and `real` `(M, D)` rows; part 0 is all of them, others are `parts`, from 1 on.

    Only what the metrics `wanted` need is computed; `sigma` is for RKE. `known` what an earlier one found within the
    same real rows. BadInput for rows of two widths, NaN or infinity.
    """

    def __init__(
        self, generated: Tensor, real: Tensor, parts: Sequence[Part] = (), *, wanted: frozenset[str] = ALL,
        sigma: float | None = None, known: Shared | None = None,
    ) -> None:  # fmt: skip
        check_rows({"generated": generated, "real": real})
        self.generated, self.real, self.wanted, self.sigma = generated, real, wanted, sigma
        self.parts: list[Part] = [(torch.arange(len(generated)), torch.arange(len(real))), *parts]
        self._apart = max(len(generated), len(real)) >= APART
        self._together = self.parts[:1] if self._apart else self.parts
        self._known = known if known is not None and known.real is real else None
        self._latest: tuple[int, Shared] | None = None

    def rows(self, part: int) -> Part:
        """Numbers of the generated and the real rows that are in it."""
        return self.parts[part]

    def shares(self, part: int = 0) -> Shares:
        """Precision and recall, density and coverage."""
        return self._of_part(part).shares() if part and self._apart else self._counted[part]

    def kernel(self, part: int = 0) -> float:
        """`block_mmd`."""
        if part and self._apart:
            return self._of_part(part).kernel()
        if not part and max(len(self.generated), len(self.real)) >= BLOCKED:
            return block_mmd(self.generated, self.real)
        made, real = (own.kernel.unlike()[part] for own in (self._made, self._own))
        return float(made + real - 2 * self._across[1].mean()[part])

    def renyi(self, part: int = 0) -> float:
        """`rke` of the generated rows, with the width that was given."""
        assert self.sigma is not None
        if part and self._apart:
            return rke(self.generated[self.parts[part][0]], self.sigma)
        assert self._made.renyi is not None
        return self._made.renyi.of_parts()[part]

    def frechet(self, part: int = 0) -> float:
        """`frechet_distance`."""
        if not part:
            return frechet_distance(self.real, self.generated)
        made, real = self.parts[part]
        if min(len(made), len(real)) > FEW * self.real.shape[1] or self._squares.kept is None:
            return frechet_distance(self.real[real], self.generated[made])
        return frechet_of_pairs(self._squares, (made, real))

    def sliced(self, part: int = 0) -> float:
        """`mind`."""
        return self._sliced[part]

    @cached_property
    def clipped(self) -> Clipped:
        """Of all rows."""
        short = clipped_radii(self._reach[0][:, 1])
        own = held_by_neighbours(self._own.near, short) - 1  # in its own ball every row is
        balls, held = self._across[0].counts[2], self._across[0].counts[1]
        return calibrated(balls.of_rows, held.of_others, own, K)

    @cached_property
    def nearest(self) -> tuple[Tensor, Tensor]:
        """Of the generated rows to all real ones: distance and number, each `(N,)`."""
        found, where = self._across[2].exact([0])
        return found[:, 0], where[:, 0]

    @cached_property
    def nearest_real(self) -> Tensor:
        """Distance of each real row to its nearest other one: `(M,)`."""
        return self._own.near.exact([1])[0][:, 0]

    @cached_property
    def _squares(self) -> Squares:
        return Squares(self.generated, self.real, keep=True)

    @cached_property
    def _made(self) -> Own:
        needed = self.wanted & {"recall", "kd", "rke"}
        return Own(self.generated, [part[0] for part in self._together], frozenset(needed), self.sigma)

    @cached_property
    def _own(self) -> Own:
        if self._known is not None and not self.parts[1:] and self.wanted <= self._known.wanted:
            return self._known._own
        return Own(self.real, [part[1] for part in self._together], self.wanted - {"rke"}, None)

    @cached_property
    def _reach(self) -> list[Tensor]:
        """Radii of the real balls of each part for `K_SHARES` and `K` neighbours: `(M, 2)`."""
        first = self._own.near.exact([K_SHARES, K])[0]
        return [first, *(self._own.near.radii_of_part(part[1], [K_SHARES, K]) for part in self._together[1:])]

    @cached_property
    def _across(self) -> tuple[Within, KernelSums, Nearby]:
        squares = self._squares
        balls = self._balls() if self.wanted & SHARES else []
        marks = [marked(self._together, side, len(x)) for side, x in enumerate((self.generated, self.real))]
        found = Within(squares, balls), KernelSums(squares, marks[0], marks[1]), Nearby(squares, 1)
        visitors: list[Visitor] = [found[0]] if balls else []
        visitors += [found[1]] if "kd" in self.wanted else []
        visitors += [found[2]] if self.wanted & COPIES else []
        squares.visit(*visitors)
        return found

    def _balls(self) -> list[Balls]:
        """Of each part: real ones for shares, for density and clipped, and the generated ones for recall."""
        found = []
        for place, (part, reach) in enumerate(zip(self._together, self._reach, strict=True)):
            made, real = (None, None) if not place else self._among(part)
            short = clipped_radii(reach[:, 1]) if not place else torch.full_like(reach[:, 1], torch.nan)
            found += [Balls(reach[:, 0], among=made), Balls(reach[:, 1], among=made), Balls(short, among=made)]
            own = torch.full((len(self.generated),), torch.nan)
            if "recall" in self.wanted:
                near = self._made.near
                own = near.radii_of_part(part[0], [K_SHARES])[:, 0] if place else near.exact([K_SHARES])[0][:, 0]
            found.append(Balls(own, about_rows=True, among=real))
        return found

    def _among(self, part: Part) -> tuple[Tensor, Tensor]:
        marks = [torch.zeros(len(x), dtype=torch.bool) for x in (self.generated, self.real)]
        for mark, rows in zip(marks, part, strict=True):
            mark[rows] = True
        return marks[0], marks[1]

    @cached_property
    def _counted(self) -> list[Shares]:
        found = []
        for place, (made, real) in enumerate(self._together):
            shares, balls, _, own = self._across[0].counts[4 * place : 4 * place + 4]
            precision = int((shares.of_rows > 0).sum()) / len(made)
            recall = int((own.of_others > 0).sum()) / len(real)
            density = int(balls.of_rows.sum()) / len(made) / K
            coverage = int((balls.of_others > 0).sum()) / len(real)
            both = PrecisionRecall(precision, recall, harmonic(precision, recall))
            found.append(Shares(both, DensityCoverage(density, coverage)))
        return found

    @cached_property
    def _sliced(self) -> list[float]:
        return mind_of_parts(self.generated, self.real, self.parts)

    def _of_part(self, part: int) -> Shared:
        """By itself; that of the part asked for last is kept."""
        if self._latest is None or self._latest[0] != part:
            made, real = self.parts[part]
            wanted = self.wanted & (SHARES | {"kd"})
            self._latest = part, Shared(self.generated[made], self.real[real], wanted=wanted)
        return self._latest[1]
