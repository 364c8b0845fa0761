"""The generators of the package, with what goes with each: words, scorer, judge, start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from zeuxis.prompts.coverage import Vocabulary, pocket_vocabulary

AUTO = "auto"


@dataclass(frozen=True)
class Member:
    """A generator of the package: the file with its words and what they are, the scorer and judge, and start."""

    file: str
    what: str
    scorer: str
    judge: str
    start: Literal["prior", "labels"]  # where the kinds are not chosen by the phrase
    held_out: str  # the scorer that --stop-on-disagreement stops by

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What it can draw."""
        return pocket_vocabulary(self.file, self.what)


MEMBERS = {
    "pocket": Member(
        file="generator",
        what="kinds of animal and vehicle",
        scorer="pocket",
        judge="pocket",
        start="prior",
        held_out="pocket-second",
    ),
    "pocket-products": Member(
        file="products",
        what="kinds of product",
        scorer="pocket-64",
        judge="mobilenet-v1",
        start="labels",
        held_out="pocket",
    ),
    "pocket-things": Member(
        file="things",
        what="kinds of things",
        scorer="pocket-64",
        judge="mobilenet-v1",
        start="prior",
        held_out="pocket",
    ),
}


def enumerated(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def member_of(generator: str) -> Member:
    """The generator of the package with that name; for any other `pocket`, whose scorer and judge serve it as well."""
    return MEMBERS.get(generator, MEMBERS["pocket"])


def suited(given: Mapping[str, Any], generator: str, *names: str) -> dict[str, Any]:
    """`given` with what suits its generator (`generator` if none is given) as "scorer" and "judge", as far as these are
    among `names` and "auto" or missing. Where the phrase chooses the generator, a judge that knows all of them.
    """
    of = given.get("generator", generator)
    member = member_of(of) if isinstance(of, str) else MEMBERS["pocket"]
    own = {"scorer": (member.scorer,), "judge": MEMBERS["pocket-products"].judge if of == AUTO else member.judge}
    return {**given, **{n: own[n] for n in names if given.get(n, AUTO) in (AUTO, (AUTO,), [AUTO])}}
