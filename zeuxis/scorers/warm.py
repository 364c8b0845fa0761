"""A warm start without a bank at hand: a small network from the prompt to where its good latents lie.

It is trained on the bank's best latents of many phrases and on the winners of runs (HyperNoise, 2025,
https://arxiv.org/abs/2508.09968 , amortises a search in the same way), and it belongs to one generator with its options
and to one scorer, whose frozen text encoder reads the prompt. File: `zeuxis.hub.model_file`, family "warm-start".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput, MissingModel, WeightsRefused
from zeuxis.hub.model_file import Model, Part, build_from, file_sha256, read_model, write_model
from zeuxis.hub.pocket import first_sha256
from zeuxis.nets import imagenet_classes
from zeuxis.nets.warm_start import WarmStart
from zeuxis.rng import stream
from zeuxis.scorers.bank import Bank, Draws, Embeds
from zeuxis.scorers.phrases import normalised, unit
from zeuxis.scorers.prompts import parse_prompt
from zeuxis.spaces import ClassMix, Space, parts

FAMILY, PART = "warm-start", "start"
FILE = "warm.safetensors"  # beside the bank, where no other place is told
BEST = 32  # latents of the bank that a phrase is taught with
STEPS, BATCH, RATE = 1500, 32, 2e-3
COOLEST = 0.2  # factor on the deviations of the first latent drawn; that of the last is 1
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey", "orange", "pink", "purple")
PLACES = ("on grass", "in the snow", "on the sea", "in the sky", "at night", "on a white background")
MOST_LABELS, MOST_PHRASES = 400, 1200

Winners = Sequence[tuple[Any, Tensor]]  # a prompt, and latents (T, D) that a search found for it


def aim(prepared: Any) -> Tensor:
    """The direction `(E,)` that a prepared prompt asks for: the weighted sum of its phrases, of length 1."""
    found: Tensor = (unit(prepared.embeddings.cpu()) * normalised(prepared.weights.cpu())[:, None]).sum(dim=0)
    return F.normalize(found, dim=0)


def phrases_of(space: Space) -> list[str]:
    """At most 1,200 phrases on the labels of a space, without any on classes of ImageNet: plain, with colour or place.

    Of many labels some are taken, evenly; each is named plainly before any gets a colour.
    """
    mix = next((part for part in parts(space) if isinstance(part, ClassMix)), None)
    names = mix.labels if mix is not None else tuple(row[0] for row in imagenet_classes.names())
    labels = [name.lower().replace("_", " ") for name in _evenly(names, MOST_LABELS)]
    plain = [f"a photo of a {label}" for label in labels]
    more = [f"a {colour} {label}" for label in labels for colour in COLOURS]
    more += [f"a {label} {place}" for label in labels for place in PLACES]
    return plain + _evenly(more, MOST_PHRASES - len(plain))


def _evenly(rows: Sequence[str], most: int) -> list[str]:
    """At most so many of them, evenly."""
    return [rows[k * len(rows) // most] for k in range(most)] if len(rows) > most else list(rows)


def fit(
    generator: Draws,
    scorer: Embeds,
    options: Mapping[str, Any],
    bank: Bank,
    path: Path,
    *,
    winners: Winners = (),
    phrases: Sequence[str] | None = None,
    steps: int = STEPS,
    report: Callable[[int, int], object] | None = None,
) -> Path:
    """Train the network on the bank's best latents for `phrases` and on winners, and write it to `path`. RunUnwritable.

    The phrases are `phrases_of` the space where none are given.
    """
    space = generator.space
    mean, deviation = space.prior_mean, space.prior_std.clamp_min(1e-6)
    phrases = phrases_of(space) if phrases is None else phrases
    aims, latents = [], []
    for text in phrases:
        prepared = scorer.prepare(parse_prompt((text,)))
        aims.append(aim(prepared))
        latents.append(bank.best(bank.similarity(prepared), BEST))
    for prompt, found in winners:
        aims.append(aim(scorer.prepare(prompt)))
        latents.append(found[torch.arange(BEST) % len(found)])
    e, u = torch.stack(aims), (torch.stack(latents) - mean) / deviation  # (P, E), (P, T, D)
    facts = {"embedding": e.shape[1], "genes": space.dim}
    net = _trained(facts, e, u, steps, report)
    about = {
        "generator": generator.name, "generator_sha256": generator.sha256, "scorer": scorer.name,
        "scorer_sha256": scorer.sha256, "options": _said(options), "bank_sha256": bank.sha256,
        "phrases": len(phrases), "runs": len(winners),
    }  # fmt: skip
    return write_model(path, FAMILY, {PART: Part(facts, net.state_dict())}, about=about, dtype=torch.float32)


def _trained(
    facts: Mapping[str, int], e: Tensor, u: Tensor, steps: int, report: Callable[[int, int], object] | None
) -> WarmStart:
    """Maximum likelihood, Adam with a rate that falls to 0 along a half cosine."""
    rng = stream(0, "warm-start")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = WarmStart(**facts)
    with torch.no_grad():  # the means begin at latents of different phrases, so that the parts take different ones
        net.place.bias.copy_(u[torch.randperm(len(u), generator=rng)[torch.arange(net.parts) % len(u)], 0].flatten())
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with torch.enable_grad():
        for step in range(steps):
            rows = torch.randint(len(e), (min(BATCH, len(e)),), generator=rng)
            loss = -net.log_density(e[rows], u[rows]).mean() / net.genes
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if report is not None and (step + 1) % 100 == 0:
                report(step + 1, steps)
    return net.eval()


class Warm:
    """A trained network at hand for a run. `sha256` is that of its file."""

    def __init__(self, model: Model) -> None:
        net = build_from(model, PART)
        if not isinstance(net, WarmStart):
            raise WeightsRefused(model.path, "holds no warm start. Make one: zeuxis bank warm GENERATOR")
        self.net, self.sha256, self.scorer_sha256 = net, file_sha256(model.path), str(model.about["scorer_sha256"])

    @torch.no_grad()
    def draw(self, prepared: Any, count: int, space: Space, rng: torch.Generator) -> Tensor:
        """`(count, D)` latents for a prepared prompt: parts of the mixture by their weights, the first near the means.

        The deviations rise from COOLEST to the whole, so that there is both what is most probable and what differs.
        """
        weight, mean, width = (t[0] for t in self.net(aim(prepared)[None]))
        reached = weight.exp().double().cumsum(0)
        drawn = torch.rand(count, generator=rng, dtype=torch.float64)
        part = torch.searchsorted(reached, drawn).clamp(max=len(weight) - 1)
        heat = torch.linspace(COOLEST, 1.0, count)[:, None]
        u = mean[part] + heat * width[part] * torch.randn(count, space.dim, generator=rng)
        return space.clip(space.prior_mean + space.prior_std.clamp_min(1e-6) * u)


def open_warm(path: Path, generator: Draws, scorers: Sequence[Any], options: Mapping[str, Any]) -> tuple[Warm, int]:
    """The network of a file for this run, and which of its scorers reads the prompt for it.

    MissingModel or WeightsRefused for a file that is none; BadInput for one of another generator, of other options or
    another space, or of a scorer that is not among those of the run.
    """
    if not path.is_file():
        raise MissingModel(f"Expected a warm start at {path}, found none. Make one: zeuxis bank warm {generator.name}")
    model = read_model(path)
    about = model.about
    if model.family != FAMILY or PART not in model.parts or not {"generator_sha256", "scorer_sha256"} <= set(about):
        raise WeightsRefused(path, f"holds {model.family}, no warm start. Make one: zeuxis bank warm {generator.name}")
    made = str(about.get("generator"))[:80]
    if first_sha256(str(about["generator_sha256"])) != first_sha256(generator.sha256):
        raise BadInput(
            f"Expected a warm start of the generator {generator.name!r}, got {path.name} of {made!r} with other "
            f"weights. Make one: zeuxis bank warm {generator.name}"
        )
    theirs, genes = about.get("options"), model.parts[PART].get("genes")
    if theirs != _said(options) or genes != generator.space.dim:
        raise BadInput(
            f"Expected a warm start for {generator.space.dim} genes and the options {_said(options) or 'none'}, got "
            f"{path.name} for {genes} and {str(theirs)[:200] or 'none'}. Give the options that it was made with."
        )
    wanted = first_sha256(str(about["scorer_sha256"]))
    rows = [row for row, scorer in enumerate(scorers) if first_sha256(scorer.sha256) == wanted]
    if not rows:
        raise BadInput(
            f"Expected a warm start for one of the scorers {', '.join(s.name for s in scorers)}, got {path.name} for "
            f"{str(about.get('scorer'))[:80]!r}. Name that one as well, or make another: zeuxis bank warm "
            f"{generator.name} --scorer {scorers[0].name}"
        )
    return Warm(model), rows[0]


def _said(options: Mapping[str, Any]) -> str:
    """Options in a line, the same for the same ones."""
    return ", ".join(
        f"{name}={list(value) if isinstance(value, tuple) else value}" for name, value in sorted(options.items())
    )
