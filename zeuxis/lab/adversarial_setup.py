"""What an adversarial training is made of before its first step: networks, optimisers, labels; and its schedules."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput
from zeuxis.lab.adaptive_augment import Adaptive
from zeuxis.lab.adversarial_options import Adam, Options, check_known
from zeuxis.lab.augment import ADAPTIVE
from zeuxis.lab.domains import captioned, renamed, second_domain, selected
from zeuxis.lab.guidance import Guide
from zeuxis.lab.objectives import OBJECTIVES, Objective
from zeuxis.lab.parts import identity
from zeuxis.lab.penalties import GENERATOR_PENALTIES, check_styles
from zeuxis.lab.tasks.base import Lab, groups, set_rate
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.nets.gan.base import LatentGenerator


def conditioned(train: ImageSet, test: ImageSet, opt: Options) -> tuple[ImageSet, ImageSet]:
    """The data that the recipe makes of both splits: the kinds that `where` names, under the words that `rename`
    gives them, captions or a second domain as labels. BadInput where it cannot."""
    if opt.where:
        train, test = selected(train, test, opt.where)
    if opt.rename:
        train, test = renamed(train, opt.rename), renamed(test, opt.rename)

    def relabelled(images: ImageSet) -> ImageSet:
        images = captioned(images) if opt.texts else images
        return second_domain(images, opt.second_domain) if opt.second_domain else images

    return relabelled(train), relabelled(test)


def build_networks(
    opt: Options, facts: dict[str, Any], trunk: nn.Module | None = None
) -> tuple[LatentGenerator, nn.Module]:
    """Fresh networks of the recipe's architecture. BadInput for options that it does not have."""
    own = {} if trunk is None else {"trunk": trunk}
    try:
        kinds = ARCHITECTURES[opt.architecture]()
        check_known(kinds[0], opt.generator, f"option of the generator of {opt.architecture}")
        check_known(kinds[1], opt.discriminator, f"option of the discriminator of {opt.architecture}")
        generator: LatentGenerator = kinds[0](**facts, **opt.generator)
        discriminator: nn.Module = kinds[1](**facts, **opt.discriminator, **own)
    except BadInput:
        raise
    except Exception as error:  # a wrong option may make any step of a constructor fail
        said = str(error).partition("\n")[0][:200] or type(error).__name__
        raise BadInput(f"The architecture {opt.architecture!r} cannot be built: {said}.") from error
    return generator, discriminator


def build_guide(
    opt: Options, lab: Lab, train: ImageSet, y: Tensor, words: dict[str, tuple[str, ...]]
) -> tuple[Guide | None, dict[str, str], list[str]]:
    """The classifier that guides, what its weights are, and sentences on it; BadInput for options it lacks."""
    guide = Guide.of(opt.trunk, lab.weights, train, y, words, lab.device)
    if opt.guidance and guide is None:
        raise BadInput('Guidance needs a trained classifier: set trunk = "trunk" and give its folder by --weights.')
    if opt.mismatched and not y.shape[1]:
        raise BadInput(
            "The option mismatched needs labels: without them a real picture with the label of another is real."
        )
    if opt.mode_seeking and lab.config.batch < 2:
        raise BadInput("Mode seeking compares pairs within a batch: expected a batch of 2 at least, got 1.")
    if guide is None:
        return None, {}, []
    # the last bits of a fitted head may differ with the number of threads
    networks = {"trunk": identity(guide.trunk if lab.weights is None else guide.net)}
    own = "The trunk is the package's, its class head fitted to these data; --weights has others."
    return guide, networks, [own] if lab.weights is None else []


def build_objective(opt: Options, discriminator: nn.Module, kinds: int) -> Objective:
    """The objective; BadInput where the discriminator does not give what it needs, or there are no labels."""
    objective: Objective = OBJECTIVES[opt.objective](**opt.objective_options)
    output = getattr(discriminator, "output", "logits")
    if output != objective.output:
        said = {"logits": "logits", "energy": "reconstruction errors"}
        fitting = [n for n in OBJECTIVES if OBJECTIVES[n].output == output and not OBJECTIVES[n].classifies]
        raise BadInput(
            f"The objective {opt.objective} needs {said[objective.output]}, the discriminator of {opt.architecture} "
            f"gives {said[output]}. Choose objective = {' or '.join(map(repr, fitting))}, or another architecture."
        )
    if objective.classifies and not (getattr(discriminator, "classifies", False) and kinds):
        raise BadInput(
            f"The objective {opt.objective} needs labels and a discriminator that classifies, which {opt.architecture} "
            'with these labels has not. Choose data with labels and architecture = "acgan", or "wgan-gp" whose '
            "discriminator has the option classify = true."
        )
    return objective


def build_extras(opt: Options, generator: nn.Module) -> tuple[Adaptive | None, dict[str, Any]]:
    """Adaptive augmentation, if asked for, and the generator's penalties by name. BadInput for what does not fit."""
    if opt.style_mixing:
        check_styles(generator, "The option style_mixing")
    penalties = {name: GENERATOR_PENALTIES[name]() for name in opt.generator_penalties}
    for penalty in penalties.values():
        penalty.check(generator)
    if ADAPTIVE not in opt.augmentation:
        return None, penalties
    given = opt.adaptive.model_dump(exclude={"p_end"})
    return Adaptive(**given, fixed=opt.adaptive.p_end is not None), penalties


def build_adam(net: nn.Module, adam: Adam, *, captured: bool = False) -> Optimizer:
    """Adam over the weights that are trained; one that is `captured` in a CUDA graph keeps its rate on the device."""
    weights = [p for p in net.parameters() if p.requires_grad]
    found = torch.optim.Adam(groups((weights, adam.lr, 0.0)), betas=adam.betas, eps=adam.eps, capturable=captured)
    for group in found.param_groups if captured else ():
        group["lr"] = torch.tensor(group["lr"], device=weights[0].device)
    return found


def eased(start: float, end: float | None, progress: float, burn_in: float) -> float:
    """From `start` to `end` by half a cosine while `progress` is below `burn_in`; `start` for ever without an end."""
    if end is None:
        return start
    share = min(progress / burn_in, 1.0) if burn_in else 1.0
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


class Scheduled(Protocol):
    """Options that say how rates change with progress."""

    @property
    def decay_from(self) -> float:
        """Progress from which the rates fall."""
        ...

    @property
    def burn_in(self) -> float:
        """Progress in which what has an end comes to it."""
        ...


def set_optimizer(optimizer: Optimizer, adam: Adam, opt: Scheduled, progress: float) -> None:
    """Rate and second moment of this step: the burn-in, then a linear fall to a tenth from `decay_from` on."""
    start = opt.decay_from
    factor = 1.0 if progress < start else 1 - 0.9 * (progress - start) / (1 - start)
    if adam.lr_end is not None:
        factor *= eased(adam.lr, adam.lr_end, progress, opt.burn_in) / adam.lr
    set_rate(optimizer, factor)
    if adam.beta2_end is not None:
        for group in optimizer.param_groups:
            group["betas"] = (adam.betas[0], eased(adam.betas[1], adam.beta2_end, progress, opt.burn_in))


def conditions(data: ImageSet, names: tuple[str, ...]) -> tuple[Tensor, dict[str, tuple[str, ...]]]:
    """Labels (N, L) and their words. BadInput for a label that the data do not have."""
    for name in names:
        if name not in data.labels:
            have = ", ".join(data.labels) or "none"
            raise BadInput(f"Expected labels of the data as conditions, got {name!r}. The data have: {have}.")
    if len(set(names)) < len(names):
        raise BadInput(f"Expected each label once, got labels = {list(names)[:8]}.")
    y = torch.stack([data.labels[name] for name in names], 1) if names else torch.zeros(len(data), 0, dtype=torch.long)
    return y, {name: data.names[name] for name in names}
