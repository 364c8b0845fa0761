"""What a training from picture to picture has beside a GAN's: its options, its losses, the pool of earlier fakes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationError
from torch import Tensor, nn

from zeuxis.config import in_words
from zeuxis.errors import BadInput
from zeuxis.lab.adversarial_options import Adam, Penalty, Strict
from zeuxis.lab.objectives import OBJECTIVES
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks.base import plain_name
from zeuxis.nets.gan import TRANSLATORS
from zeuxis.nets.gan.base import Classified
from zeuxis.registry import unknown


class Options(Strict):
    """The `[options]` of a recipe of the task "translation"."""

    architecture: str
    generator: dict[str, Any] = Field({}, description="options of the architecture's generator")
    discriminator: dict[str, Any] = Field({}, description="options of the architecture's discriminator")
    label: str = Field("class", description="the label of the data whose names are the domains")
    domains: tuple[str, ...] = Field((), description="names of that label; all that occur if not given")
    where: dict[str, tuple[str, ...]] = Field({}, description="other labels and the names that are kept of each")
    objective: str = "least-squares"
    penalties: dict[str, Penalty] = Field({}, description="of the discriminator's slope")
    cycle: float = Field(10.0, ge=0, le=1e6, description="weight of the difference after there and back again")
    identity: float = Field(0.0, ge=0, le=1e6, description="weight of the change of what is of the domain already")
    classification: float = Field(0.0, ge=0, le=1e6, description="weight of the domain's cross entropy")
    pool: int = Field(0, ge=0, le=1000, description="earlier fakes of each domain that the discriminator sees again")
    flip: bool = Field(True, description="mirror half of the pictures")
    resolution: int | None = Field(None, description="pixels; the data set's own if not given")
    channels: int | None = None
    discriminator_steps: int = Field(1, ge=1, le=100)
    optimizers: dict[str, Adam] = Field({}, description="of generator and discriminator")
    decay_from: float = Field(1.0, ge=0, le=1, description="the rates fall linearly to a tenth from this progress on")
    burn_in: float = Field(0.0, ge=0, le=1, description="progress in which what has an end comes to it, by a cosine")
    name: str = "translator"  # of the exported file
    watch: int = Field(200, ge=2, description="pictures of each domain in each held-out figure")


def options_of(raw: dict[str, Any]) -> Options:
    """The recipe's options, checked. BadInput, UnknownName."""
    try:
        options = Options.model_validate(raw)
    except ValidationError as error:
        known = [name for table in (Options, Adam, Penalty) for name in table.model_fields]
        raise BadInput(
            f"Wrong options of the task translation: {in_words(error, known)} Known: {', '.join(Options.model_fields)}."
        ) from error
    plain_name(options.name)
    TRANSLATORS.check(options.architecture)
    OBJECTIVES.check(options.objective)
    kind = OBJECTIVES[options.objective]
    if kind.output != "logits" or kind.relativistic or kind.classifies:
        fitting = [n for n in OBJECTIVES if OBJECTIVES[n].output == "logits"]
        fitting = [n for n in fitting if not (OBJECTIVES[n].relativistic or OBJECTIVES[n].classifies)]
        raise BadInput(f"Expected one of the objectives {', '.join(fitting)} for translation, got {options.objective}.")
    for name in options.penalties:
        PENALTIES.check(name)
    for name in options.optimizers:
        if name not in ("generator", "discriminator"):
            raise unknown("network in optimizers", name, ("generator", "discriminator"))
    return options


def cycle_consistency(again: Tensor, images: Tensor) -> Tensor:
    """Zhu et al. 2017, Eq. 2: the mean of |G(G(x, c'), c) - x| over pictures (N, C, H, W) and pixels -> scalar.

    With G(x, c) in place of what came back, x of the domain c, it is the identity loss of section 5.2.
    """
    return F.l1_loss(again, images)


def domain_classification(said: Classified) -> Tensor:
    """Choi et al. 2018, Eqs. 2 and 3: the mean of -log D(c | x), c the domain that pictures have or should have."""
    return said.class_loss()


class Pool(nn.Module):
    """Earlier fakes that the discriminator is shown again (Shrivastava et al. 2017, arXiv 1612.07828, section 2.3).

    `size` pictures of each of K domains. They are buffers, so a checkpoint holds them.
    """

    images: Tensor
    filled: Tensor

    def __init__(self, size: int, domains: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.zeros(domains, size, *shape))
        self.register_buffer("filled", torch.zeros(domains, dtype=torch.long))

    @torch.no_grad()
    def exchange(self, fakes: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        """Fakes (N, C, H, W) of the domains (N, 1) -> as many of the same domains: while the pool fills they are kept
        and shown; then each is shown itself, or, half of the time, exchanged for a random one of the pool.
        """
        if not self.size:
            return fakes
        draws, places = torch.rand(len(fakes), generator=rng), torch.randint(self.size, (len(fakes),), generator=rng)
        shown, filled = fakes.clone(), self.filled.tolist()
        for k, (domain, draw, place) in enumerate(zip(y[:, 0].tolist(), draws.tolist(), places.tolist(), strict=True)):
            if filled[domain] < self.size:
                self.images[domain, filled[domain]] = fakes[k]
                filled[domain] += 1
            elif draw < 0.5:
                shown[k] = self.images[domain, place]
                self.images[domain, place] = fakes[k]
        self.filled.copy_(torch.tensor(filled))
        return shown
