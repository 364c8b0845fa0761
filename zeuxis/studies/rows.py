"""What a line of cells.jsonl may hold, by a schema for each study: a checksum does not say that a study wrote it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Annotated[list[Number], Field(min_length=1)]
Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]
Label = Annotated[str, Field(max_length=1000)]


class Line(BaseModel):
    """Lists named in `alike` have one length."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def alike(self) -> list[list[Any]]:
        """Lists that belong together, item by item."""
        return []

    @model_validator(mode="after")
    def _fits(self) -> Line:
        if len({len(of) for of in self.alike()}) > 1:
            raise ValueError("lists of different lengths")
        return self


class SeenLine(Line):
    """What a classifier saw in the pictures of a run."""

    label: list[Label]
    probability: Shares
    right: list[bool]
    top: list[bool]
    groups: dict[Label, list[bool]]
    known: bool

    def alike(self) -> list[list[Any]]:
        """A value for each picture."""
        return [self.label, self.probability, self.right, *([self.top] if self.top else []), *self.groups.values()]


class FoolingLine(Line):
    """Scores of the final population, and what was seen in it."""

    scores: Annotated[list[Number | None], Field(min_length=1)]
    images: Count
    seen: dict[Label, SeenLine]

    def alike(self) -> list[list[Any]]:
        """A value for each picture."""
        return [self.scores, *(one.label for one in self.seen.values())]


class SearchesLine(Line):
    """The curves of a run, and what the judge said at its looks."""

    images: Annotated[list[Annotated[int, Field(gt=0, lt=2**63)]], Field(min_length=1)]
    best: list[Number | None]
    mean: list[Number | None]
    generations: list[Count]
    looks: list[Annotated[int, Field(gt=0, lt=2**63)]]
    guide: list[Number | None]
    judge: list[Number | None]

    @model_validator(mode="after")
    def _curves(self) -> SearchesLine:
        looks = {len(of) for of in (self.generations, self.looks, self.guide, self.judge)}
        rising = self.images == sorted(self.images) and self.looks == sorted(self.looks)
        if len({len(of) for of in (self.images, self.best, self.mean)}) > 1 or len(looks) > 1 or not rising:
            raise ValueError("curves that are none")
        return self


class SimilarityLine(Line):
    """The curve of a run, percentiles of its scores, and which pictures are shown: generation, row, score."""

    images: Annotated[list[Annotated[int, Field(gt=0, lt=2**63)]], Field(min_length=1)]
    best: Numbers
    plateau: Number
    prior: Annotated[list[Number], Field(min_length=7, max_length=7)]
    all: Annotated[list[Number], Field(min_length=7, max_length=7)]
    last: Annotated[list[Number], Field(min_length=7, max_length=7)]
    shown: Annotated[list[tuple[Count, Count, Number]], Field(min_length=1, max_length=100)]
    samples: Annotated[dict[Label, Numbers], Field(min_length=1, max_length=3)]

    model_config = ConfigDict(extra="forbid", strict=False)  # JSON has no tuples

    def alike(self) -> list[list[Any]]:
        """A value for each generation."""
        return [self.images, self.best]


class LeakageLine(Line):
    """Shares of the colour in the pictures of a run."""

    inside: Shares
    outside: Shares
    flat: list[bool]

    def alike(self) -> list[list[Any]]:
        """A value for each picture."""
        return [self.inside, self.outside, self.flat]


class GeneratorsLine(Line):
    """Figures of a run."""

    best: Number
    mean: Number | None
    judge: Number | None
    recognised: Number | None
    different: Number
    images: Count


def is_line(kind: type[Line], row: Any) -> bool:
    """Whether a row is one that a study of this kind may have written."""
    try:
        kind.model_validate(row)
    except ValidationError:
        return False
    return True
