"""What run.json holds beside the configuration: the exact models, and what the run decided for itself.

A resumed run must find the same models and decides the same. Nothing about the person or the computer's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zeuxis.compute.precision import Gate
from zeuxis.errors import RunDamaged
from zeuxis.hub.pocket import first_sha256
from zeuxis.scorers.base import Prompt
from zeuxis.search.archive import Ranges

MOST = 4096  # images at once


@dataclass
class Decisions:
    """`gate` is None until it is passed. `micro_batch` holds (generation, size): size from that generation on.

    `ranges` are the bounds of a quality-diversity archive, None where there is none. `scales` are mean and deviation
    over the prior of each scorer's contribution, None unless the scorers are standardised.
    """

    micro_batch: list[tuple[int, int]]
    gate: Gate | None = None
    notes: list[str] = field(default_factory=list)
    ranges: Ranges | None = None
    scales: list[tuple[float, float]] | None = None

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
        told = {name: value for name in ("ranges", "scales") if (value := getattr(self, name)) is not None}
        gate = None if self.gate is None else dict(vars(self.gate))  # asdict copies deeply, in every generation
        return {"micro_batch": self.micro_batch, "gate": gate, **told}

    @classmethod
    def from_json(cls, content: dict[str, Any], notes: list[str]) -> Decisions:
        """The inverse of `to_json`. RunDamaged for anything else."""
        try:
            sizes = [(int(since), int(size)) for since, size in content["micro_batch"]]
            gate = None if content["gate"] is None else Gate(**content["gate"])
            ranges = tuple((float(low), float(high)) for low, high in content.get("ranges", ()))
            scales = [(float(mean), float(deviation)) for mean, deviation in content.get("scales", ())]
        except (KeyError, TypeError, ValueError) as error:
            raise RunDamaged(f"The decisions in run.json are not ones that this version wrote: {error}.") from error
        if not sizes or sizes[0][0] != 0 or not all(1 <= size <= MOST for _, size in sizes):
            raise RunDamaged(
                f"Expected batches of 1 to {MOST} images from generation 0 on in run.json, got {sizes[:3]}."
            )
        return cls(sizes, gate, list(notes), ranges or None, scales or None)


def models(generator: Any, scorers: Sequence[Any], weights: Sequence[float], judge: Any | None) -> dict[str, Any]:
    """Name and sha256 of everything that turns a latent into a number."""
    return {
        "generator": _model(generator) | {"resolution": generator.resolution},
        "scorers": [_model(s) | {"weight": w} for s, w in zip(scorers, weights, strict=True)],
        "judge": None if judge is None else _model(judge),
    }


def same_models(one: Any, other: Any) -> bool:
    """Whether two records of `models` name the same weights, perhaps under the digests of different headers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_models(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_models, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return first_sha256(one) == first_sha256(other)
    return bool(one == other)


def other_models(one: Any, other: Any) -> str:
    """In words which of two records of `models` differ: "generator 'pocket' 75e5911f9 -> 30786f994"."""
    rows = [_by_role(models) for models in (one, other)]
    changed = []
    for role in dict.fromkeys((*rows[0], *rows[1])):
        then, now = (row.get(role) for row in rows)
        if not same_models(then, now):
            name = next((str(m["name"])[:60] for m in (now, then) if isinstance(m, dict) and "name" in m), "none")
            digests = [str(m.get("sha256"))[:9] if isinstance(m, dict) else "none" for m in (then, now)]
            changed.append(f"{role} {name!r} {' -> '.join(digests)}")
    return ", ".join(changed[:5]) or "in another order"


def _by_role(models: Any) -> dict[str, Any]:
    """Role -> record; scorers are numbered."""
    if not isinstance(models, dict):
        return {}
    scorers = models.get("scorers")
    numbered = {f"scorer {k}": m for k, m in enumerate(scorers, 1)} if isinstance(scorers, list) else {}
    return {role: m for role, m in models.items() if role != "scorers"} | numbered


def prompt_sha256(prompt: Prompt) -> str:
    """One hash for words, weights and the pixels of image prompts: the same hash, the same question."""
    digest = hashlib.sha256(repr((prompt.templates, prompt.strict)).encode())
    if prompt.sentences:
        digest.update(repr(prompt.sentences).encode())
    for phrase in prompt.phrases:
        digest.update(repr((phrase.text, phrase.weight)).encode())
        if phrase.image is not None:
            digest.update(phrase.image.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _model(model: Any) -> dict[str, str]:
    return {"name": model.name, "sha256": model.sha256}
