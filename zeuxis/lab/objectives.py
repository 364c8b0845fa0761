"""GAN objectives on what a discriminator says of pictures, by the name that recipes use.

One signature: `discriminator(real, fake) -> loss`, `generator(fake) -> loss`; scalars to be minimised. Higher means
more real in every output, so an autoencoder's is minus its error. What an objective needs beyond that it declares:

    output       "logits", or "energy" for minus the reconstruction errors (N,) of an autoencoder
    relativistic `generator(fake, real)`: also the logits of other real pictures
    classifies   `real` and `fake` are `Classified`: logits, logits of classes, labels
    threshold    above it a picture counts as called real; None where only differences mean something

An objective with a state has `after_step(figures) -> figures`, `state()` (JSON-able) and `load_state(state)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.nets.gan.base import Classified
from zeuxis.registry import Entry, Table

OBJECTIVES = Table(
    "GAN objective",
    {
        "hinge": Entry("zeuxis.lab.objectives:Hinge", "Lim and Ye 2017, arXiv 1705.02894"),
        "non-saturating": Entry("zeuxis.lab.objectives:NonSaturating", "Goodfellow et al. 2014, arXiv 1406.2661"),
        "minimax": Entry("zeuxis.lab.objectives:Minimax", "Goodfellow et al. 2014, Eq. 1: it saturates"),
        "least-squares": Entry("zeuxis.lab.objectives:LeastSquares", "Mao et al. 2017, arXiv 1611.04076"),
        "wasserstein": Entry("zeuxis.lab.objectives:Wasserstein", "Arjovsky et al. 2017, arXiv 1701.07875"),
        "relativistic": Entry("zeuxis.lab.objectives:Relativistic", "Jolicoeur-Martineau 2019; Huang et al. 2024"),
        "energy": Entry("zeuxis.lab.objectives:Energy", "Zhao, Mathieu and LeCun 2017, arXiv 1609.03126"),
        "began": Entry("zeuxis.lab.objectives:Equilibrium", "Berthelot et al. 2017, arXiv 1703.10717"),
        "auxiliary-class": Entry("zeuxis.lab.objectives:AuxiliaryClass", "Odena et al. 2017, arXiv 1610.09585"),
    },
)


class Objective:
    """What every objective has; each overrides what it needs."""

    output: ClassVar[str] = "logits"
    relativistic: ClassVar[bool] = False
    classifies: ClassVar[bool] = False
    threshold: float | None = 0.0
    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]

    def after_step(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """Adapt to the figures of a step ("D(real)", "D(fake)", losses); figures of its own, for the log."""
        return {}

    def state(self) -> dict[str, Any]:
        """For the checkpoint, JSON-able."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""


class Hinge(Objective):
    """D: mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))); G: -mean D(G(z))."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real and of generated pictures -> scalar."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Logits of generated pictures -> scalar."""
        return -fake.mean()


class NonSaturating(Objective):
    """Section 3, with log sigmoid written as softplus. D: -log s(D(x)) - log(1 - s(D(G(z)))); G: -log s(D(G(z)))."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real and of generated pictures -> scalar."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Logits of generated pictures -> scalar."""
        return F.softplus(-fake).mean()


class Minimax(NonSaturating):
    """Eq. 1, the same for both. D as in `NonSaturating`; G: log(1 - s(D(G(z)))), flat where D is sure of itself."""

    def generator(self, fake: Tensor) -> Tensor:
        """Logits of generated pictures -> scalar."""
        return -F.softplus(fake).mean()


class LeastSquares(Objective):
    """Eq. 9, labels 0 and 1. D: (D(x) - 1)^2 / 2 + D(G(z))^2 / 2; G: (D(G(z)) - 1)^2 / 2."""

    threshold: float | None = 0.5

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Outputs for real and for generated pictures -> scalar."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, fake: Tensor) -> Tensor:
        """Outputs for generated pictures -> scalar."""
        return (fake - 1).square().mean() / 2


class Wasserstein(Objective):
    """D: mean D(G(z)) - mean D(x), an estimate of minus the distance; G: -mean D(G(z)). Needs a penalty on slopes."""

    threshold: float | None = None

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Values of real and of generated pictures -> scalar."""
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Values of generated pictures -> scalar."""
        return -fake.mean()


class Relativistic(Objective):
    """Each picture against one of the other kind: D: softplus(-(D(x) - D(G(z)))); G: softplus(-(D(G(z)) - D(x'))).

    Jolicoeur-Martineau 2019 (arXiv 1807.00734), as R3GAN pairs them (Huang et al. 2024, arXiv 2501.05441, Eq. 2); x'
    are other real pictures than x.
    """

    relativistic: ClassVar[bool] = True
    threshold: float | None = None

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Logits of real and of generated pictures, of one shape -> scalar."""
        return F.softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """Logits of generated and of other real pictures, of one shape -> scalar."""
        return F.softplus(real - fake).mean()


class Energy(Objective):
    """With the energy E = -D, a reconstruction error: D: E(x) + max(0, margin - E(G(z))); G: E(G(z))  (Eqs. 1, 2)."""

    output: ClassVar[str] = "energy"
    threshold: float | None = None

    def __init__(self, margin: float = 0.3) -> None:
        self.margin = positive("margin", margin)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Minus the energies of real and of generated pictures -> scalar."""
        return -real.mean() + F.relu(self.margin + fake).mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Minus the energies of generated pictures -> scalar."""
        return -fake.mean()


class Equilibrium(Objective):
    """BEGAN, section 3.4, with L = -D: D: L(x) - k L(G(z)); G: L(G(z)); k += rate (gamma L(x) - L(G(z))), in [0, 1].

    `gamma` in (0, 1] is the diversity ratio E L(G(z)) / E L(x) that is held; smaller gives cleaner, fewer pictures.
    `convergence` in the log is the paper's measure L(x) + |gamma L(x) - L(G(z))|, smaller is better.
    """

    output: ClassVar[str] = "energy"
    threshold: float | None = None

    def __init__(self, gamma: float = 0.5, rate: float = 1e-3) -> None:
        self.gamma, self.rate, self.k = positive("gamma", gamma, most=1.0), positive("rate", rate, most=1.0), 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Minus the errors of real and of generated pictures -> scalar."""
        return self.k * fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        """Minus the errors of generated pictures -> scalar."""
        return -fake.mean()

    def after_step(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """Move k towards the equilibrium."""
        real, fake = -float(figures["D(real)"]), -float(figures["D(fake)"])
        balance = self.gamma * real - fake
        self.k = min(max(self.k + self.rate * balance, 0.0), 1.0)
        return {"k": self.k, "convergence": real + abs(balance)}

    def state(self) -> dict[str, Any]:
        """k, in [0, 1]."""
        return {"k": self.k}

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.k = float(state.get("k", 0.0))


SOURCES = {
    "non-saturating": NonSaturating, "minimax": Minimax, "hinge": Hinge, "least-squares": LeastSquares,
    "wasserstein": Wasserstein,
}  # fmt: skip


class AuxiliaryClass(Objective):
    """Source and class: L_S of another objective, L_C = -log P(c | x) (Eqs. 2, 3).

    D minimises L_S + `weight` L_C, G its own L_S + `generator_weight` L_C. AC-GAN itself has the `source`
    "non-saturating", one weight, and D's class loss on pictures of both kinds. With "wasserstein", `generator_weight`
    0.1 and `fakes` false (D learns classes from real pictures alone) it is how WGAN-GP is told labels (Gulrajani et al.
    2017, the supervised runs of section 5.4 and their published program).
    """

    classifies: ClassVar[bool] = True

    def __init__(
        self, weight: float = 1.0, generator_weight: float | None = None, source: str = "non-saturating",
        fakes: bool = True,
    ) -> None:  # fmt: skip
        self.weight = positive("weight", weight)
        self.of_generator = self.weight if generator_weight is None else positive("generator_weight", generator_weight)
        if not isinstance(source, str) or source not in SOURCES:
            raise BadInput(f"Expected a source of {', '.join(SOURCES)}, got {repr(source)[:40]}.")
        if not isinstance(fakes, bool):
            raise BadInput(f"Expected fakes to be true or false, got {repr(fakes)[:40]}.")
        self.source, self.fakes = SOURCES[source](), fakes
        self.threshold = self.source.threshold

    def discriminator(self, real: Classified, fake: Classified) -> Tensor:
        """Of real and of generated pictures -> scalar."""
        source = self.source.discriminator(real.logits, fake.logits)
        return source + self.weight * (real.class_loss() + (fake.class_loss() if self.fakes else 0))

    def generator(self, fake: Classified) -> Tensor:
        """Of generated pictures -> scalar."""
        return self.source.generator(fake.logits) + self.of_generator * fake.class_loss()


def positive(name: str, value: float, most: float = 1e6) -> float:
    """`value` if it is a number in (0, most]; BadInput for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise BadInput(f"Expected {name} above 0 and at most {most:g}, got {repr(value)[:40]}.")
    return float(value)


def called_right(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's accuracy: the share of pictures on their own side of the threshold, without one of pairs
    whose real picture is the higher. Logits of real and of generated pictures (N,) or (N, heads) -> scalar in [0, 1].
    """
    real, fake = (x.detach().flatten(1).mean(1) if x.ndim > 1 else x.detach() for x in (real, fake))
    if objective.threshold is None:
        return (real[:, None] > fake[None]).float().mean()
    return torch.cat([real > objective.threshold, fake < objective.threshold]).float().mean()


def mode_seeking(one: Tensor, two: Tensor, z_one: Tensor, z_two: Tensor) -> Tensor:
    """Mode seeking (Mao et al. 2019, arXiv 1903.05628), as a loss: mean over pairs of |z1 - z2| / |G(z1) - G(z2)|.

    Pairs (N, C, H, W) of one condition with their latents (N, D), mean absolute differences; at most 100. Large when a
    class collapses to one picture.
    """
    size = min(len(one), len(two))
    images = (one[:size] - two[:size]).abs().mean((1, 2, 3))
    latents = (z_one[:size] - z_two[:size]).abs().mean(1)
    return (latents / (images + 1e-3)).mean().clamp(max=100.0)
