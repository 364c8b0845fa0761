"""Breeding by hand: favourites, children, suggestions, locks and bans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zeuxis.errors import BadInput
from zeuxis.rng import stream
from zeuxis.studio.family import Family, Looks, Picture, Table
from zeuxis.studio.genome import Variation
from zeuxis.studio.taste import Taste, learn, standard

PARENTS = 6  # of what is suggested
MOST_PARENTS = 4  # that a suggested picture names
ALIKE = 0.995  # cosine of features from which two pictures are one
BANNED = 0.97  # the same of a child and a banned picture
MOST_CHOICES = 200  # that a taste is learnt from, the newest ones
AGAINST = 4  # pictures that a banned one loses against
SAID = 5.0  # units of utility (see taste) that a deviation of the prompt's score is worth
OPERATORS = ("children", "mutate", "cross", "mix styles")


@dataclass
class Breeding:
    """A family of pictures of one generator. `look(genomes)` draws and scores; `seed` makes it repeatable.

    `size` pictures lie on a table, each the best of `pool` candidates. `weight` in [0, 1] is how much the learnt taste
    counts beside the prompt's score; `rounds` are bred for a suggestion without asking.
    """

    variation: Variation
    look: Callable[[Tensor], Looks]
    family: Family
    seed: int = 0
    size: int = 12
    weight: float = 0.5
    pool: int = 4
    rounds: int = 4
    _learnt: tuple[tuple[int, int, float], Taste] | None = None  # where, and what

    def begin(self, genomes: Tensor | None = None, operator: str = "draw") -> Table:
        """A first table: these genomes `(N, G, D)`, filled up with draws of the prior; at most `size` of them."""
        given = self.variation.draws(0, stream(0)) if genomes is None else genomes[: self.size]
        count = self.size - len(given)
        drawn = self.variation.draws(count, stream(self.seed, "draw", len(self.family.pictures)))
        both = torch.cat([given, drawn])
        looks = self.look(both)
        made = [Picture(-1, x, operator if k < len(given) else "draw") for k, x in enumerate(both)]
        numbers = [self.family.keep(one, looks, k) for k, one in enumerate(made)]
        order = [*self.family.ranked(numbers[: len(given)]), *self.family.ranked(numbers[len(given) :])]
        return self.family.lay(Table(tuple(order), about=operator))

    def favour(self, number: int) -> Table:
        """Favour a picture on the table, or no longer. It was picked out of all that are no favourites."""
        now = self._on_table(number)
        if number in now.favourites:
            kept = tuple(other for other in now.favourites if other != number)
            choices = tuple(choice for choice in now.choices if choice[0] != number)
            return self.family.lay(replace(now, favourites=kept, choices=choices, about="favourite taken back"))
        out = (number, *now.favourites, *now.banned)
        others = tuple(other for other in now.shown if other not in out)
        kept, choices = (*now.favourites, number), (*now.choices, (number, others))
        return self.family.lay(replace(now, favourites=kept, choices=choices, about="favourite"))

    def prefer(self, number: int, other: int) -> Table:
        """Of two pictures this one: a choice, and nothing else."""
        now, choice = self.family.table, (self.family.known(number), (self.family.known(other),))
        return self.family.lay(replace(now, choices=(*now.choices, choice), about="comparison"))

    def ban(self, number: int) -> Table:
        """Never like this one: it leaves the table, and no child is laid that looks like it."""
        now = self._on_table(number)
        others = tuple(other for other in now.shown if other != number)
        shown = now.shown if now.plane else others  # the places of a plane stay where they are
        favourites = tuple(other for other in now.favourites if other != number)
        choices = (*now.choices, *((other, (number,)) for other in others[:AGAINST]))
        banned = (*now.banned, number)
        table = replace(now, shown=shown, favourites=favourites, banned=banned, choices=choices, about="ban")
        return self.family.lay(table)

    def lock(self, name: str) -> Table:
        """Keep a part of the parents as it is, or no longer."""
        if name not in self.variation.locks:
            known = ", ".join(self.variation.locks) or "none"
            raise BadInput(f"This generator has no part {name[:40]!r} to lock; those it has: {known}.")
        now = self.family.table
        locks = tuple(lock for lock in now.locks if lock != name) if name in now.locks else (*now.locks, name)
        return self.family.lay(replace(now, locks=locks, about=f"{'lock' if name in locks else 'unlock'} {name}"))

    def forget(self) -> Table:
        """Forget what was learnt of the picks."""
        return self.family.lay(replace(self.family.table, choices=(), about="taste forgotten"))

    def children(self, strength: float, operator: str = "children", parents: Sequence[int] = ()) -> Table:
        """Lay children of the favourites (or `parents`) beside them; `strength` in [0, 1].

        `operator`: "mutate" one parent each, "cross" two, "mix styles" of two, or "children": of one parent mutants,
        of several crosses that are mutated a little. Of `pool` candidates for each place the best by score and taste
        are laid that differ from one another. BadInput without a favourite, or where the operator needs two.
        """
        now = self.family.table
        chosen = [self.family.known(number) for number in (parents or now.favourites)]
        if operator not in OPERATORS or not chosen:
            raise BadInput("Pick at least one picture first: a click favours it.")
        if operator in ("cross", "mix styles") and len(chosen) < 2:
            raise BadInput(f"Pick two pictures to {operator}.")
        kept = chosen[: self.size // 2]
        free = self.size - len(kept)
        made = [self._child(chosen, operator, strength, k) for k in range(self.pool * free)]
        return self._lay_best(made, kept, operator)

    def suggest(self, strength: float) -> Table:
        """Lay what score and taste make of the best pictures so far, bred some rounds without asking.

        A synthetic fitness between a person's picks saves most of them (Llora et al., "Combating user fatigue in
        iGAs", GECCO 2005).
        """
        family, now = self.family, self.family.table
        fitness = self.fitness(torch.tensor([p.score for p in family.pictures]), torch.stack(family.features))
        fitness[list(now.banned)] = -torch.inf
        parents = fitness.argsort(descending=True, stable=True)[:PARENTS].tolist()
        pool = [replace(family.pictures[number], parents=(number,)) for number in parents]
        for turn in range(self.rounds):
            weaker = strength * (1 - turn / (self.rounds + 1))
            made = [self._suggestion(pool, weaker, turn, k) for k in range(self.pool * self.size)]
            if turn < self.rounds - 1:
                looks = self.look(torch.stack([one.genome for one in made]))
                fitness = self.fitness(looks.scores, looks.features)
                pool = [made[k] for k in self._different(fitness, looks.features, [], PARENTS)]
        return self._lay_best(made, parents[:1], "suggest")

    def pair(self) -> tuple[int, int]:
        """Two pictures of the table to compare: the best by score and taste, and the one most likely to be better by a
        draw of the taste from what the picks leave open.
        """
        shown = [number for number in self.family.table.shown if number not in self.family.table.banned]
        if len(shown) < 2:
            raise BadInput("Two pictures are needed to compare them. Make children first.")
        taste, features = self.taste(), torch.stack([self.family.features[number] for number in shown])
        scores = self._said(torch.tensor([self.family.pictures[number].score for number in shown]))
        mean = 2 * (1 - self.weight) * scores + 2 * self.weight * taste(features)
        rng = stream(self.seed, "pair", len(self.family.tables))
        drawn = (taste.drawn(features, 1, rng)[0] - taste(features)) * self.weight + mean
        first = int(mean.argmax())
        drawn[first] = -torch.inf
        return shown[first], shown[int(drawn.argmax())]

    def fitness(self, scores: Tensor, features: Tensor) -> Tensor:
        """What children are chosen by, `(N,)`: 2 (1 - w) score + 2 w taste, in the taste's units of utility."""
        return 2 * (1 - self.weight) * self._said(scores) + 2 * self.weight * self.taste()(features)

    def taste(self) -> Taste:
        """What was learnt of the picks on the way to this table, beside what the score explains."""
        family = self.family
        at = (family.at, len(family.pictures), self.weight)
        if self._learnt is not None and self._learnt[0] == at:
            return self._learnt[1]
        features = torch.stack(family.features) if family.features else torch.zeros(1, 1)
        choices = family.table.choices[-MOST_CHOICES:] if family.at >= 0 else ()
        scores = self._said(torch.tensor([p.score for p in family.pictures])) if self.weight < 1 else None
        taste = learn(features, choices, scores)
        self._learnt = (at, taste)
        return taste

    def _said(self, scores: Tensor) -> Tensor:
        """Scores in units of utility: standardised as those of all pictures so far."""
        known = torch.tensor([p.score for p in self.family.pictures])
        both = torch.cat([known[known.isfinite()], scores])
        return SAID * standard(both, len(both) - len(scores))[len(both) - len(scores) :]

    def _lay_best(self, made: Sequence[Picture], kept: Sequence[int], about: str) -> Table:
        looks = self.look(torch.stack([one.genome for one in made]))
        fitness = self.fitness(looks.scores, looks.features)
        best = self._different(fitness, looks.features, kept, self.size - len(kept))
        numbers = [self.family.keep(made[k], looks, k) for k in best]
        now = self.family.table
        shown = (*kept, *numbers)
        laid = replace(now, shown=shown, favourites=(), about=about, generation=now.generation + 1, plane=None)
        return self.family.lay(laid)

    def _child(self, parents: Sequence[int], operator: str, strength: float, k: int) -> Picture:
        now, vary = self.family.table, self.variation
        rng = stream(self.seed, "child", len(self.family.tables), k)
        first = parents[k % len(parents)]
        others = [other for other in parents if other != first]
        second = others[int(torch.randint(len(others), (), generator=rng))] if others else first
        a, b = self.family.pictures[first].genome, self.family.pictures[second].genome
        how, of = operator, (first, second)
        if operator == "mix styles":
            child = vary.mix_styles(a, b, rng, now.locks)
        elif operator == "cross":
            child = vary.cross(a, b, rng, now.locks)
        elif operator == "children" and others and k % 3:
            how, child = "cross", vary.cross(a, b, rng, now.locks)
            child = vary.mutate(child, 0.5 * strength, rng, now.locks)
        else:
            how, of, child = "mutate", (first, first), vary.mutate(a, strength, rng, now.locks)
        return Picture(-1, child, how, tuple(dict.fromkeys(of)), strength, generation=now.generation + 1)

    def _suggestion(self, pool: Sequence[Picture], strength: float, turn: int, k: int) -> Picture:
        now = self.family.table
        rng = stream(self.seed, "suggest", len(self.family.tables), turn, k)
        a, b = pool[k % len(pool)], pool[int(torch.randint(len(pool), (), generator=rng))]
        child = a.genome if a is b else self.variation.cross(a.genome, b.genome, rng, now.locks)
        child = self.variation.mutate(child, strength, rng, now.locks)
        of = tuple(dict.fromkeys((*a.parents, *b.parents)))[:MOST_PARENTS]
        return Picture(-1, child, "suggest", of, strength, generation=now.generation + 1)

    def _different(self, fitness: Tensor, features: Tensor, kept: Sequence[int], count: int) -> list[int]:
        """Rows of the fittest that look unlike what lies there, unlike one another and unlike the banned."""
        unit, known = normalize(features, dim=1), self.family.features
        taken = [normalize(known[number], dim=0) for number in kept]
        banned = [known[number] for number in dict.fromkeys(self.family.table.banned)]
        never = torch.zeros(len(unit), dtype=torch.bool)
        if banned:
            never = (unit @ normalize(torch.stack(banned), dim=1).T > BANNED).any(dim=1)
        chosen: list[int] = []
        spare: list[int] = []
        for row in fitness.argsort(descending=True, stable=True).tolist():
            if never[row]:
                continue
            if any(float(unit[row] @ other) > ALIKE for other in taken):
                spare.append(row)
                continue
            chosen.append(row)
            taken.append(unit[row])
            if len(chosen) == count:
                break
        return [*chosen, *spare][:count]

    def _on_table(self, number: int) -> Table:
        if number not in self.family.table.shown or number in self.family.table.banned:
            raise BadInput(f"Picture {number} is not on the table.")
        return self.family.table
