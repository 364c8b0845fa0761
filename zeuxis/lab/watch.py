"""What a GAN training measures between steps: held-out distance, the best checkpoint, signs of collapse.

Distances are of MobileNet v1's pooled features to pictures of the test split; no discriminator here sees through that
network. Grey pictures are shown to it as RGB.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.lab.objectives import Objective, called_right
from zeuxis.lab.tasks.base import Lab
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.diversity import vendi_score
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.health import descriptors, distances, near_duplicates
from zeuxis.rng import stream
from zeuxis.scorers.imagenet_judge import MobileNetJudge

if TYPE_CHECKING:
    from zeuxis.lab.adversarial import Adversarial
    from zeuxis.lab.guidance import Guide

ROWS, NEIGHBOURS = 10, 5
FEW = 64  # pictures of which the effective number is counted
DUPLICATES, COVERAGE, SATURATION = 0.2, 0.1, 0.99  # shares at which the collapse alarm sounds


class PooledFeatures:
    """MobileNet v1's pooled features; the network is loaded when they are first asked for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._judge: MobileNetJudge | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Images (N, C, R, R) in [0, 1] -> (N, 512) on the CPU."""
        if self._judge is None:
            self._judge = MobileNetJudge(self.device)
        return self._judge.embed(images.expand(-1, 3, -1, -1)).cpu()

    def of_signed(self, images: Tensor) -> Tensor:
        """Images (N, C, R, R) in [-1, 1], clamped -> (N, 512) on the CPU."""
        return self((images / 2 + 0.5).clamp(0, 1))


def standing_statistics(task: Adversarial, generator: nn.Module, batches: int = 24) -> None:
    """Batch-norm statistics of the averaged weights: plain means over fresh batches (BigGAN, section 4.1)."""
    norms: list[Any] = [m for m in generator.modules() if hasattr(m, "reset_running_stats")]
    generator.eval()
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    generator.train()
    torch.manual_seed(0)  # for noise in its layers
    with torch.no_grad():
        for index in range(batches):
            z, y = task.latents(stream(0, "standing", index), 128)
            with task.lab.autocast():
                generator(z, y)
    generator.eval()
    for norm in norms:
        norm.momentum = 0.1


@torch.no_grad()
def standing(objective: Objective, real: Tensor, fake: Tensor, nets: dict[str, nn.Module]) -> dict[str, float]:
    """How the networks stand against each other after a step: the discriminator's accuracy on its batch, and the
    length of both gradients, as their last backward pass left them.
    """
    found = {"D accuracy": float(called_right(objective, real, fake))}
    for name, net in nets.items():
        slopes = [p.grad for p in net.parameters() if p.grad is not None]
        found[f"{name} gradient"] = float(torch.stack(torch._foreach_norm(slopes)).norm()) if slopes else 0.0
    return found


class BestSoFar:
    """The least held-out distance of a training, whether the newest is it, and the newest figures.

    `measure` says what the distance is.
    """

    measure: str

    def __init__(self) -> None:
        self.best, self.is_best = math.inf, True
        self.latest: dict[str, float] = {}

    def note(self, distance: float) -> None:
        """A new distance."""
        self.is_best = distance < self.best
        self.best = min(self.best, distance)

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        best = None if math.isinf(self.best) else self.best
        return {"best": best, "by": self.measure, "is_best": self.is_best, "latest": self.latest}

    def load_state(self, state: dict[str, Any]) -> None:
        """From the checkpoint. The best by another measure says nothing here."""
        known = state.get("by") == self.measure and state.get("best") is not None
        self.best = float(state["best"]) if known else math.inf
        self.is_best = bool(state.get("is_best", True))
        self.latest = {str(name): float(value) for name, value in state.get("latest", {}).items()}


class Watch(BestSoFar):
    """Figures of a generator on `count` pictures, the best distance so far, and the alarm."""

    measure = "frechet/mobilenet-v1"  # the picture is prepared as the judge prepares it

    def __init__(self, train: ImageSet, test: ImageSet, y: Tensor, count: int, lab: Lab) -> None:
        self.train, self.test, self.lab = train, test, lab
        if len(test) < 2:
            raise BadInput(
                f"Expected two held-out pictures at least, got {len(test)}. Add pictures, "
                "to the test split where there is one."
            )
        self.count = min(count, len(test))
        found, counts = torch.unique(y, dim=0, return_counts=True) if y.shape[1] else (y[:1], torch.tensor([len(y)]))
        self.combinations = found, counts
        self.columns = 20 if train.resolution <= 32 else 12
        super().__init__()
        self._pooled = PooledFeatures(lab.device)
        self._real: Tensor | None = None
        self._effective: float | None = None

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, R, R) in [0, 1] -> MobileNet v1's pooled features (N, 512)."""
        return self._pooled(images)

    def figures(self, task: Adversarial, generator: nn.Module, guide: Guide | None) -> dict[str, float]:
        """Held-out figures by name; notes whether this is the best so far."""
        z, y = task.latents(stream(0, "evaluate"), self.count)
        images = task.draw(generator, z, y)
        if not bool(torch.isfinite(images).all()):
            raise SearchStopped("The averaged generator draws NaN. Lower the rates, or use fp32.")
        if self._real is None:
            rows = torch.randperm(len(self.test), generator=stream(0, "held out"))[: self.count]
            self._real = self.features(self.test.batch(rows) / 2 + 0.5)
        fake = self.features(images)
        found = {"held_out_frechet": frechet_distance(self._real, fake)}
        found["coverage"] = density_coverage(fake, self._real, k=min(NEIGHBOURS, len(self._real) - 1)).coverage
        shown = descriptors(images[:500])
        found["duplicates"] = float(near_duplicates(distances(shown, shown)).double().mean())
        found["effective"] = vendi_score(distances(shown[:FEW], shown[:FEW]))
        found["effective_real"] = self._effective_real()
        found["saturation"] = self._saturation(task, images[:500], y[:500])
        if guide is not None:
            parts = zip(torch.split(images, 125), torch.split(y, 125), strict=True)
            found["recognised_by_guide"] = sum(guide.right(x * 2 - 1, c) for x, c in parts) / len(images)
        collapsed = found["coverage"] < COVERAGE, found["duplicates"] > DUPLICATES, found["saturation"] > SATURATION
        found["collapse_signs"] = float(sum(collapsed))
        self.note(found["held_out_frechet"])
        self.latest = {name: round(value, 4) for name, value in found.items()}
        return found

    def _effective_real(self) -> float:
        """The effective number of as many held-out pictures: what `effective` may come to."""
        if self._effective is None:
            rows = torch.randperm(len(self.test), generator=stream(0, "held out"))[: min(FEW, self.count)]
            real = descriptors(self.test.batch(rows) / 2 + 0.5)
            self._effective = vendi_score(distances(real, real))
        return self._effective

    def _saturation(self, task: Adversarial, images: Tensor, y: Tensor) -> float:
        """How sure the discriminator is: the share of pairs whose training picture has the higher logit, 0.5 at best.

        Near 1 nothing is left to learn from it, or it knows the training set by heart.
        """
        discriminator = task.discriminator.eval()
        rows = torch.randperm(len(self.train), generator=stream(0, "saturation"))[: len(images)]
        real = self.train.batch(rows).to(self.lab.device)
        with torch.no_grad():
            on_real = _logits(discriminator, real, task.y[rows].to(self.lab.device))
            on_fake = _logits(discriminator, images * 2 - 1, y)
        return float((on_real[:, None] > on_fake[None]).double().mean())

    def grid(self, task: Adversarial) -> tuple[Tensor, Tensor]:
        """Latents of the sample grid: ten rows of labels (the most frequent combinations), always the same."""
        rng = stream(0, "samples")
        found, counts = self.combinations
        top = counts.argsort(descending=True, stable=True)
        rows = found[top[:: max(1, len(top) // (8 * ROWS))][:ROWS]]
        y = rows.repeat_interleave(self.columns, dim=0) if found.shape[1] else found[:1].expand(ROWS * self.columns, 0)
        z = torch.randn(len(y), task.generator.z_dim, generator=rng)
        if getattr(task.generator, "shares_latents", False):  # the same thing in every domain, below each other
            z = z[: self.columns].repeat(len(y) // self.columns, 1)
        return z.to(self.lab.device), y.to(self.lab.device)


def _logits(discriminator: nn.Module, images: Tensor, y: Tensor) -> Tensor:
    """One number a picture: the mean over heads (N,)."""
    parts = [discriminator(a, b).float() for a, b in zip(torch.split(images, 100), torch.split(y, 100), strict=True)]
    logits = torch.cat(parts)
    return logits.mean(1) if logits.ndim == 2 else logits
