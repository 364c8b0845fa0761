"""What a run decided for itself, kept in run.json so that a resumed run decides the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from zeuxis.errors import RunDamaged
from zeuxis.search.archive import Ranges

Chosen = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Gate:
    """How the precision was chosen. Seconds are for one micro-batch, rendered and scored.

    `correlation` is Spearman's between the scores in both types, `error` the largest difference of a score over the
    spread (highest minus lowest score in fp32). Both are None where the gate had no need to compare.
    """

    precision: Chosen
    reason: str
    fp32_seconds: float | None = None
    bf16_seconds: float | None = None
    correlation: float | None = None
    error: float | None = None


@dataclass
class Decisions:
    """`gate` is None until it is passed. `micro_batch` holds (generation, size): size from that generation on.

    `ranges` are the bounds of a quality-diversity archive, None where there is none.
    """

    micro_batch: list[tuple[int, int]]
    gate: Gate | None = None
    notes: list[str] = field(default_factory=list)
    ranges: Ranges | None = None

    def micro_batch_at(self, generation: int) -> int:
        """Images rendered at once in this generation."""
        return [size for since, size in self.micro_batch if since <= generation][-1]

    def set_micro_batch(self, generation: int, size: int) -> None:
        """This size from `generation` on."""
        self.micro_batch = [entry for entry in self.micro_batch if entry[0] < generation] + [(generation, size)]

    def note(self, sentence: str) -> None:
        """Something the user should know, said once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def to_json(self) -> dict[str, Any]:
        """For run.json; `notes` stand there on their own."""
        ranges = {} if self.ranges is None else {"ranges": self.ranges}
        return {"micro_batch": self.micro_batch, "gate": None if self.gate is None else asdict(self.gate), **ranges}

    @classmethod
    def from_json(cls, content: dict[str, Any], notes: list[str]) -> Decisions:
        """The inverse of `to_json`. RunDamaged for anything else."""
        try:
            sizes = [(int(since), int(size)) for since, size in content["micro_batch"]]
            gate = None if content["gate"] is None else Gate(**content["gate"])
            ranges = tuple((float(low), float(high)) for low, high in content.get("ranges", ()))
        except (KeyError, TypeError, ValueError) as error:
            raise RunDamaged(f"The decisions in run.json are not ones that this version wrote: {error}.") from error
        if not sizes or sizes[0][0] != 0 or min(size for _, size in sizes) < 1:
            raise RunDamaged(f"Expected micro-batches of at least 1 from generation 0 on in run.json, got {sizes}.")
        return cls(sizes, gate, list(notes), ranges or None)
