"""A plane of children: 25 pictures around a favourite, spanned by two others; pick one, zoom in, zoom out.

Koyama, Sato and Goto, "Sequential Gallery for interactive visual design optimization" (2020),
https://arxiv.org/abs/2005.04107 : picking of a grid on a plane and zooming into it takes fewer steps than sliders.
Theirs lies flat; here the noise of a latent goes along great circles, so that its length stays that of the prior
(`genome.Variation.on_plane`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from zeuxis.errors import BadInput
from zeuxis.rng import stream

if TYPE_CHECKING:
    from zeuxis.studio.breeding import Breeding
    from zeuxis.studio.family import Family, Table

ACROSS = 5
WIDEST, NARROWEST = 2.0, 1 / 64  # of the half width of what is shown; 1 reaches the two pictures that span the plane
FARTHEST = 16.0  # from the centre that u and v may be
NEAR = 0.02  # share of the centre's length: a picture as near as this spans nothing


@dataclass(frozen=True)
class Plane:
    """A plane through three pictures, by their numbers, and what is shown of it.

    At (0, 0) lies `centre`, at (1, 0) `first`, at (0, 1) `second`. The grid reaches from (u - span, v - span) at its
    upper left to (u + span, v + span).
    """

    centre: int
    first: int
    second: int
    u: float = 0.0
    v: float = 0.0
    span: float = 1.0

    @property
    def through(self) -> tuple[int, int, int]:
        """The three pictures."""
        return self.centre, self.first, self.second

    def places(self) -> list[tuple[float, float]]:
        """(u, v) of the 25 pictures, row by row."""
        steps = [2 * k / (ACROSS - 1) - 1 for k in range(ACROSS)]
        return [(self.u + self.span * x, self.v + self.span * y) for y in steps for x in steps]


def begin_plane(breeding: Breeding) -> Table:
    """Lay a plane around the favourite picked last, or around what is best by score and taste.

    The other two favourites picked before it span the plane; else those of the table that are best and that lie far
    enough away. BadInput where nothing lies on the table.
    """
    family = breeding.family
    now = family.table
    shown = [number for number in now.shown if number not in now.banned]
    if not shown:
        raise BadInput("There is no picture to lay a plane around. Draw pictures first.")
    scores = torch.tensor([family.pictures[number].score for number in shown])
    fitness = breeding.fitness(scores, torch.stack([family.features[number] for number in shown]))
    ranked = [shown[k] for k in fitness.argsort(descending=True, stable=True).tolist()]
    order = [*reversed(now.favourites), *(number for number in ranked if number not in now.favourites)]
    centre, others = order[0], [number for number in order[1:] if _apart(breeding, order[0], number)]
    others += [_drawn(breeding, k) for k in range(2 - len(others))]
    return _lay(breeding, Plane(centre, others[0], others[1]), "plane")


def zoom(breeding: Breeding, closer: bool) -> Table:
    """Show half of the plane around the favourite picked last, or around the middle; or twice of it.

    BadInput off a plane, and at the ends.
    """
    now = breeding.family.table
    plane = now.plane
    if plane is None:
        raise BadInput("Lay a plane first: pick a picture and press Plane.")
    span = plane.span * (0.5 if closer else 2.0)
    if not NARROWEST <= span <= WIDEST:
        raise BadInput("There is no closer look at this plane." if closer else "There is no wider look at this plane.")
    places = dict(zip(now.shown, plane.places(), strict=True))
    picked = [places[number] for number in now.favourites if number in places]
    u, v = picked[-1] if picked else (plane.u, plane.v)
    if max(abs(u), abs(v)) > FARTHEST:
        raise BadInput("That is too far from the picture that this plane lies around. Lay a new one around it.")
    return _lay(breeding, replace(plane, u=u, v=v, span=span), "zoom in" if closer else "zoom out")


def _lay(breeding: Breeding, plane: Plane, about: str) -> Table:
    """Draw what is new of a plane, and lay all 25; pictures that lay there before keep their numbers."""
    from zeuxis.studio.family import Picture

    family, now = breeding.family, breeding.family.table
    known = _known(family, plane)
    a, b, c = (family.pictures[number].genome for number in plane.through)
    fresh = [place for place in plane.places() if place not in known]
    if fresh:
        genomes = torch.stack([breeding.variation.on_plane(a, b, c, u, v, now.locks) for u, v in fresh])
        looks = breeding.look(genomes)
        strength = min(1.0, plane.span)
        for row, place in enumerate(fresh):
            one = Picture(-1, genomes[row], "plane", plane.through, strength, generation=now.generation + 1)
            known[place] = family.keep(one, looks, row)
    shown = tuple(known[place] for place in plane.places())
    kept = tuple(number for number in now.favourites if number in shown)
    laid = replace(now, shown=shown, favourites=kept, about=about, generation=now.generation + 1, plane=plane)
    return family.lay(laid)


def _known(family: Family, plane: Plane) -> dict[tuple[float, float], int]:
    """Numbers of the pictures by their places on this plane: of the tables that led here, and the three that span it.

    Places are sums of powers of two, so equal ones are equal to the bit.
    """
    known = {(0.0, 0.0): plane.centre}
    if not family.table.locks:  # what is locked is the centre's, so the other two do not lie on the plane
        known |= {(1.0, 0.0): plane.first, (0.0, 1.0): plane.second}
    at = family.at
    while at >= 0:
        table = family.tables[at]
        there = table.plane
        if there is None or there.through != plane.through or table.locks != family.table.locks:
            break
        known |= dict(zip(there.places(), table.shown, strict=True))
        at = table.before
    return known


def _apart(breeding: Breeding, one: int, other: int) -> bool:
    a, b = (breeding.family.pictures[number].genome for number in (one, other))
    return float((a - b).norm()) > NEAR * max(float(a.norm()), 1e-6)


def _drawn(breeding: Breeding, k: int) -> int:
    """A new picture, to span a plane where the table has none."""
    from zeuxis.studio.family import Picture

    family = breeding.family
    genome = breeding.variation.draws(1, stream(breeding.seed, "plane", len(family.pictures), k))
    one = Picture(-1, genome[0], "draw", generation=family.table.generation + 1)
    return family.keep(one, breeding.look(genome), 0)
