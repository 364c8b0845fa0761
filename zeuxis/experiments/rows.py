"""What lines of cells.jsonl and priors.json may hold, by a schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from zeuxis.experiments.design import Cell

Row = dict[str, Any]


class Seen(BaseModel):
    """An evaluator's figures of a cell."""

    best: float
    mean: float


class Scale(BaseModel):
    """The scale of an evaluator's scores on a phrase."""

    mean: float
    deviation: float


class Done(BaseModel):
    """A line of cells.jsonl; every table in it is an evaluator's."""

    model_config = ConfigDict(extra="allow", strict=True)

    variant: str
    phrase: str
    seed: int
    population: int
    images: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(min_length=1)]
    curve: Annotated[list[float], Field(min_length=1)]
    seconds: float
    cpu_seconds: float
    effective: float

    @model_validator(mode="after")
    def _fits(self) -> Done:
        if len(self.images) != len(self.curve) or self.images != sorted(self.images):
            raise ValueError("a curve that is none")
        for value in (self.model_extra or {}).values():
            if isinstance(value, dict):
                Seen.model_validate(value)
        return self


PRIORS = TypeAdapter(dict[str, dict[str, Scale]])


def cell_of(row: Row) -> Cell:
    """The cell that a row is about. KeyError for a row of something else."""
    return Cell(row["variant"], row["phrase"], row["seed"], row["population"])


def first_fault(error: Exception) -> str:
    """What is wrong, in a line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg'][:160]}".removeprefix(": ")
    return str(error)[:300].rstrip(".")
