"""What run.json, summary.json and archive.json may hold: types, bounds and what must fit together.

A checksum proves no author: a run folder may come from a stranger. What these models pass can be read without a
further look at types, and nothing that is allocated for it is larger than a run could have written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from zeuxis.config import MOST_STARTS
from zeuxis.storage.checksummed import Header, damaged
from zeuxis.storage.reading import printable

MOST_ROWS = 100_000  # pictures of a final population
MOST_CELLS = 256  # of an archive along each measure, as the searches take them
LONG, SHORT = 400_000, 10_000  # letters
AS_WRITTEN = ("config", "pictures")

LATENT = 400_000  # letters of a latent in base64
Words = Annotated[str, Field(max_length=SHORT)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Digest = Annotated[str, Field(min_length=1, max_length=200)]
Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]
MicroBatch = tuple[Count, Annotated[int, Field(ge=1, le=4096)]]


class Table(BaseModel):
    """A table of JSON; names of later versions are let through and not read."""

    model_config = ConfigDict(extra="allow", strict=True)


class Model(Table):
    """A network by name and content."""

    name: Words
    sha256: Digest


class Drawing(Model):
    """The generator."""

    resolution: Annotated[int, Field(ge=1, le=16_384)]


class Scoring(Model):
    """A scorer."""

    weight: Number


class Models(Table):
    """All networks of a run."""

    generator: Drawing
    scorers: Annotated[list[Scoring], Field(max_length=100)]
    judge: Model | None


class Chosen(Table):
    """How the number type was chosen."""

    precision: Literal["fp32", "bf16"]
    reason: Words
    correlation: float | None = None


class Decided(Table):
    """What the run decided for itself."""

    micro_batch: Annotated[list[Annotated[MicroBatch, Field(strict=False)]], Field(min_length=1, max_length=64)]
    gate: Chosen | None
    ranges: Annotated[list[Pair], Field(max_length=2)] = []
    scales: Annotated[list[Pair], Field(max_length=102)] = []


class Machine(Table):
    """What the run ran on."""

    device_name: Words
    cpu: Words
    threads: Count
    system: Words


class Started(Table):
    """Where the first generation came from."""

    bank_images: Count | None = None
    sweep_images: Count | None = None
    start_images: Count | None = None
    warm_images: Count | None = None
    warm_sha256: Digest | None = None
    labels: Annotated[list[Words], Field(max_length=SHORT)] = []
    latents: Annotated[list[Annotated[str, Field(max_length=LATENT)]], Field(max_length=MOST_STARTS)] = []


class Record(Table):
    """run.json. The configuration is for RunConfig to check."""

    prompt: Annotated[str, Field(max_length=LONG)]
    prompt_sha256: Digest
    config: dict[str, Any]
    software: Annotated[dict[Words, Words], Field(max_length=100)]
    machine: Machine
    models: Models
    start: Started = Started()
    decisions: Decided
    notes: Annotated[list[Annotated[str, Field(max_length=LONG)]], Field(max_length=SHORT)]
    run: Digest | None = None
    mark: Words | None = None


class Best(Table):
    """The best picture."""

    score: Number
    generation: Count
    description: Words


class Member(Table):
    """A picture of the final population."""

    score: Number | None
    description: Words


class Seen(Table):
    """The judge's view of it."""

    score: Number | None
    label: Words
    confidence: Number | None


class Judged(Table):
    """The judge's view of the population."""

    guide: Number | None
    mean: Number | None
    best: Number | None
    gap: Number | None
    best_label: Words
    population: Annotated[list[Seen], Field(max_length=MOST_ROWS)]


class JudgePeak(Table):
    """Where the judge's mean was highest."""

    generation: Count
    images: Count
    mean: Number
    last: Number


class Front(Table):
    """The front of a search with several objectives."""

    objectives: Annotated[list[Words], Field(min_length=2, max_length=16)]
    pick: Words
    members: Annotated[list[Count], Field(max_length=MOST_ROWS)]
    values: Annotated[list[list[Number | None]], Field(max_length=MOST_ROWS)]


class Figures(Table):
    """The archive in figures."""

    axes: Annotated[list[Words], Field(min_length=2, max_length=2)]
    ranges: Annotated[list[Pair], Field(min_length=2, max_length=2)]
    cells: Annotated[int, Field(ge=1, le=MOST_CELLS)]
    filled: Count
    coverage: Number
    qd_score: Number
    offset: Number

    @model_validator(mode="after")
    def _fits(self) -> Figures:
        if any(not low < high for low, high in self.ranges):
            raise ValueError("a range ends before it begins")
        return self


class Elite(Table):
    """A filled cell."""

    row: Count
    column: Count
    file: Words
    score: Number


class Archived(Figures):
    """archive.json: a picture's file follows from its cell, so that no other file can be named."""

    elites: Annotated[list[Elite], Field(max_length=MOST_CELLS**2)]

    @model_validator(mode="after")
    def _fits_cells(self) -> Archived:
        places = {(elite.row, elite.column) for elite in self.elites}
        if len(places) < len(self.elites):
            raise ValueError("a cell has two pictures")
        for elite in self.elites:
            if max(elite.row, elite.column) >= self.cells:
                raise ValueError(f"cell {elite.row}, {elite.column} of {self.cells} x {self.cells}")
            if elite.file != cell_file((elite.row, elite.column), self.cells):
                raise ValueError("a cell names the file of another one")
        return self


class Summary(Table):
    """summary.json."""

    reason: Annotated[str, Field(max_length=LONG)]
    generations: Count
    images: Count
    best: Best
    population: Annotated[list[Member], Field(max_length=MOST_ROWS)]
    judge: Judged | None
    judge_peak: JudgePeak | None = None
    front: Front | None = None
    archive: Figures | None = None
    pictures: Annotated[dict[Words, Digest], Field(max_length=3 * MOST_ROWS)] = {}
    run: Digest | None = None

    @model_validator(mode="after")
    def _fits(self) -> Summary:
        rows = len(self.population)
        if self.judge is not None and len(self.judge.population) != rows:
            raise ValueError("the judge saw another number of pictures")
        if self.front is not None:
            if len(self.front.values) != rows or any(member >= rows for member in self.front.members):
                raise ValueError("the front has other pictures than the population")
            if any(len(row) != len(self.front.objectives) for row in self.front.values):
                raise ValueError("the front has other objectives than it names")
        return self


def check(kind: type[Table], content: Header, path: Path) -> Header:
    """`content` with its texts on one line each and without control characters, but for its configuration, whose words
    are those that were searched for. RunDamaged where it is not what `kind` may hold.
    """
    try:
        kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:80]
        raise damaged(path, f"{place or 'it'}: {first['msg'][:160]}") from error
    return {name: value if name in AS_WRITTEN else _printable(value) for name, value in content.items()}


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {printable(name): _printable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return printable(value) if isinstance(value, str) else value


def cell_file(place: tuple[int, int], cells: int) -> str:
    """The file of the picture in a cell (row, column) of an archive of `cells` x `cells`."""
    digits = max(2, len(str(cells - 1)))
    return f"cells/{place[0]:0{digits}d}-{place[1]:0{digits}d}.png"
