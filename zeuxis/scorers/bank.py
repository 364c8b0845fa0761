"""Start banks: many draws of the prior, rendered and embedded once, so that a search starts from the best of them.

The start pool of FuseDream (Liu et al. 2021, https://arxiv.org/abs/2112.01573) as a matrix product: latents and image
embeddings of a generator lie in the cache, and a phrase costs one text embedding instead of thousands of pictures.

    bank.json         generator, scorer, their sha256, options, seed, how many rows are done and their checksums
    latents.npy       (N, D) float32, memory-mapped      embeddings.npy      (N, E) float16, unit rows, memory-mapped

Rows are written first and bank.json after them, so that a build that was killed leaves the bank as it was before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from zeuxis.compute.micro_batches import MICRO_BATCH, at_once, over_micro_batches
from zeuxis.errors import BadInput, MissingModel, RunDamaged
from zeuxis.hub.cache import cache_folder
from zeuxis.hub.pocket import first_sha256
from zeuxis.rng import stream
from zeuxis.scorers.bank_files import MOST, Rows, mapped, read_facts
from zeuxis.scorers.phrases import normalised, unit
from zeuxis.spaces import Space
from zeuxis.storage.checksummed import checksummed_json
from zeuxis.storage.files import atomic_write, make_folder, sweep, unwritable
from zeuxis.storage.lock import RunLock
from zeuxis.storage.reading import check_folder

CHUNK = 512  # rows between two marks of how far it is
SEED = 0
LEAST = 16
FORMAT = 1
FILES = ("bank.json", "latents.npy", "embeddings.npy")


class Draws(Protocol):
    """What a bank needs of a generator."""

    name: str
    sha256: str
    space: Space
    device: torch.device
    resolution: int

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, H, W)`."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A scorer of two towers: images and phrases in one space."""

    name: str
    sha256: str

    def prepare(self, prompt: Any) -> Any:
        """A prompt with `embeddings` `(P, E)` and `weights` `(P,)`."""
        ...

    def embed_images(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W) -> (N, E)`, unit rows."""
        ...


class Bank:
    """A bank on disk. `facts` are those of bank.json. RunDamaged for one that cannot be as it was written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        check_folder(folder, (), (*FILES, "lock"))
        self.facts = read_facts(folder / "bank.json", CHUNK)
        self.done, self.count = int(self.facts["done"]), int(self.facts["count"])
        self.latents, self.embeddings = (mapped(folder / f"{n}.npy", t, self.done) for n, t in _arrays(self.facts))

    @property
    def sha256(self) -> str:
        """Of what makes the bank, its rows among it by their own checksums: the same facts, the same rows."""
        kept = {name: value for name, value in self.facts.items() if name != "count"}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()

    def similarity(self, prepared: Any) -> Tensor:
        """`(N,)` float32: every row's score for a prepared prompt, by one matrix product (Eq. 2 of scorers.phrases)."""
        phrases, weights = unit(prepared.embeddings.cpu()), normalised(prepared.weights.cpu())
        aim = (phrases * weights[:, None]).sum(dim=0)  # (E,): a weighted sum of cosines is one product
        rows = torch.from_numpy(np.asarray(self.embeddings[: self.done], dtype=np.float32))
        return rows @ aim

    def best(self, score: Tensor, count: int) -> Tensor:
        """`(count, D)`, the latents with the highest score, best first."""
        rows = score.topk(min(count, len(score))).indices.sort().values.tolist()  # in file order, for the disk
        x = torch.from_numpy(np.array(self.latents[rows]))
        return x[score[rows].argsort(descending=True, stable=True)]

    def check(self) -> None:
        """RunDamaged unless all rows have the sha256 that they were written with."""
        digests = [*self.facts["chunks"], *filter(None, [self.facts.get("tail")])]
        for number, digest in enumerate(digests):
            if _digest(self.latents, self.embeddings, number, self.done) != digest:
                raise RunDamaged(f"{self.folder} is damaged in rows {number * CHUNK}.... Build the bank again.")


def bank_folder(generator: Draws, scorer: Embeds, options: Mapping[str, Any]) -> Path:
    """Where the bank of this generator, with these options, for this scorer lies."""
    weights = [first_sha256(generator.sha256), first_sha256(scorer.sha256)]
    what = json.dumps([*weights, generator.space.dim, _plain(options)], sort_keys=True)
    digest = hashlib.sha256(what.encode()).hexdigest()[:16]
    name = "".join(c if c.isalnum() or c in "-." else "-" for c in f"{generator.name}-{scorer.name}")
    return cache_folder() / "banks" / f"{name[:60]}-{digest}"


def open_bank(generator: Draws, scorer: object, options: Mapping[str, Any]) -> Bank:
    """The bank for a run, every row checked. MissingModel with the command that builds it, RunDamaged."""
    embeds = embedding_scorer(scorer)
    folder = bank_folder(generator, embeds, options)
    if not (folder / "bank.json").is_file():
        raise MissingModel(
            f"There is no start bank of {generator.name!r} for the scorer {embeds.name!r} with these options. Build it "
            f"once: zeuxis bank build {generator.name} --scorer {embeds.name}"
        )
    bank = Bank(folder)
    bank.check()
    return bank


def embedding_scorer(scorer: object) -> Embeds:
    """The scorer itself, if it has an embedding of images; else BadInput."""
    if not isinstance(scorer, Embeds):
        name = getattr(scorer, "name", type(scorer).__name__)
        raise BadInput(f"Expected a scorer with image embeddings for a bank, got {name!r}. Use pocket, CLIP or SigLIP.")
    return scorer


def all_banks() -> list[Bank]:
    """The banks in the cache, by name. RunDamaged for one that cannot be read."""
    return [Bank(path.parent) for path in sorted((cache_folder() / "banks").glob("*/bank.json"))]


@torch.no_grad()
def build_bank(
    generator: Draws,
    scorer: object,
    count: int,
    options: Mapping[str, Any],
    *,
    micro_batch: int = MICRO_BATCH,
    report: Callable[[int, int], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> Bank:
    """Render and embed `count` draws of the prior, going on where an earlier call was broken off or had fewer.

    Row r is a function of the seed and of r alone, so a bank that grew is the one that was built at once. A damaged
    bank is built from the beginning, which `say` hears. RunLocked while another process builds this one; RunUnwritable
    where the disk has no room for `count` rows, before any is drawn: what was there stays good.
    """
    embeds = embedding_scorer(scorer)
    if not LEAST <= count <= MOST:
        raise BadInput(f"Expected a bank of {LEAST} to {MOST:,} images, got {count:,}.")
    folder = bank_folder(generator, embeds, options)
    make_folder(folder)
    check_folder(folder, (), (*FILES, "lock"))
    lock = RunLock(folder, "build it later")
    try:
        sweep(folder)
        facts = _begin(folder, generator, embeds, count, options, say)
        with contextlib.ExitStack() as opened:
            files = []
            for name, what in _arrays(facts):
                files.append(Rows(folder / f"{name}.npy", what, count, facts["done"]))
                opened.callback(files[-1].close)
            _draw(folder, facts, files, generator, embeds, micro_batch, report)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        lock.release()
    return Bank(folder)


def _draw(
    folder: Path, facts: dict[str, Any], files: Sequence[Rows], generator: Draws, scorer: Embeds, size: int,
    report: Callable[[int, int], object] | None,
) -> None:  # fmt: skip
    """Rows from `facts["done"]` on, a chunk at a time; each counts when bank.json says so."""
    count = int(facts["count"])
    while facts["done"] < count or facts["written"] != count:
        number, skip = divmod(facts["done"], CHUNK)
        x = generator.space.sample(CHUNK, stream(SEED, "bank", number))[: count - number * CHUNK]
        if len(x) > skip:
            rows = x[skip:]
            for file, values in zip(files, (rows.numpy(), _embed(generator, scorer, rows, size)), strict=True):
                file.write(facts["done"], values)
        facts["done"] = number * CHUNK + len(x)
        latents, embeddings = (file.read(number * CHUNK, facts["done"]) for file in files)
        digest = _sha256(latents, embeddings)
        if facts["done"] % CHUNK == 0:
            facts["chunks"].append(digest)
        facts["tail"] = None if facts["done"] % CHUNK == 0 else digest
        facts["written"] = count
        kept = {name: value for name, value in facts.items() if name != "written"}
        atomic_write(folder / "bank.json", checksummed_json(kept))
        if report is not None:
            report(facts["done"], count)


def _embed(generator: Draws, scorer: Embeds, x: Tensor, size: int) -> np.ndarray[Any, Any]:
    """`(N, D)` -> `(N, E)` float16; a row that is no number becomes zero and is never the best."""
    pieces = over_micro_batches(
        lambda piece: scorer.embed_images(generator.render(piece)),
        x.to(generator.device), size, at_once(generator.device, generator.resolution),
    )  # fmt: skip
    e = torch.cat([rows[:count].float().cpu() for rows, count in pieces])
    found: np.ndarray[Any, Any] = torch.where(e.isfinite().all(dim=1, keepdim=True), e, 0.0).half().numpy()
    return found


def _begin(
    folder: Path, generator: Draws, scorer: Embeds, count: int, options: Mapping[str, Any],
    say: Callable[[str], object] | None,
) -> dict[str, Any]:  # fmt: skip
    """The facts of the bank so far, set to grow to `count`; fresh ones where there is none, or a damaged one.

    `written` is the count that bank.json has.
    """
    if (folder / "bank.json").exists():
        try:
            bank = Bank(folder)
            bank.check()
        except RunDamaged as error:
            if say is not None:
                say(f"{error} This is done now.")
        else:
            if count < bank.done:
                raise BadInput(f"The bank in {folder} holds {bank.done:,} images already, more than {count:,}.")
            return bank.facts | {"count": count, "written": bank.count}
    probe = scorer.embed_images(generator.render(generator.space.sample(1, stream(SEED)).to(generator.device)))
    models = {"generator": generator.name, "scorer": scorer.name}
    hashes = {"generator_sha256": generator.sha256, "scorer_sha256": scorer.sha256}
    sizes = {"dim": generator.space.dim, "width": probe.shape[1], "count": count, "done": 0, "written": 0}
    return {"format": FORMAT, **models, **hashes, **sizes, "seed": SEED, "options": _plain(options), "chunks": []}


def _arrays(facts: Mapping[str, Any]) -> list[tuple[str, tuple[Any, int]]]:
    return [("latents", (np.float32, int(facts["dim"]))), ("embeddings", (np.float16, int(facts["width"])))]


def _digest(latents: Any, embeddings: Any, number: int, count: int) -> str:
    rows = slice(number * CHUNK, min(count, (number + 1) * CHUNK))
    return _sha256(latents[rows].tobytes(), embeddings[rows].tobytes())


def _sha256(latents: bytes, embeddings: bytes) -> str:
    return hashlib.sha256(latents + embeddings).hexdigest()


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in sorted(options.items())}
