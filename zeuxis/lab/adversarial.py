"""Adversarial training: architecture x objective x penalties x augmentation, each by its name in the recipe.

One batch of fakes serves both updates. Every number of a step is drawn from (seed, step), so a resumed run goes on as
if unbroken. What is generated takes its labels from the data, as they occur there or nearer to balance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import ImageSet, read_images
from zeuxis.errors import BadInput
from zeuxis.lab.adversarial_options import Adam, check_known, options_of
from zeuxis.lab.augment import diff_augment
from zeuxis.lab.exports import start_file, start_from, write_export
from zeuxis.lab.guidance import Guide
from zeuxis.lab.objectives import OBJECTIVES, mode_seeking
from zeuxis.lab.origin import of_images
from zeuxis.lab.parts import identity
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate
from zeuxis.lab.watch import Watch, standing_statistics
from zeuxis.nets.gan import ARCHITECTURES
from zeuxis.nets.gan.base import LatentGenerator
from zeuxis.nets.layers import placed
from zeuxis.rng import stream


class Adversarial:
    """Generator against discriminator; what the training loop calls a task."""

    averaged = ("generator",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, options_of(lab.config.options)
        opt = self.opt
        size = {"resolution": opt.resolution, "channels": opt.channels}
        self.train = read_images(lab.config.data, lab.data, "train", **size)
        self.test = read_images(lab.config.data, lab.data, "test", **size)
        names = tuple(self.train.labels) if opt.labels is None else opt.labels
        self.y, self.words = _conditions(self.train, names)  # (N, L)
        sizes = tuple(len(words) for words in self.words.values())
        self.origin = of_images(self.train, self.test)
        self.guide = Guide.of(opt.trunk, lab.weights, self.train, self.y, self.words, lab.device)
        self.notes: list[str] = []
        if self.guide:
            # the last bits of a fitted head may differ with the number of threads
            known = self.guide.trunk if lab.weights is None else self.guide.net
            self.origin["networks"] = {"trunk": identity(known)}
            if lab.weights is None:
                self.notes.append(
                    "The trunk is the package's, its class head fitted to these data; --weights has others."
                )
        if opt.guidance and self.guide is None:
            raise BadInput('Guidance needs a trained classifier: set trunk = "trunk" and give its folder by --weights.')
        if opt.mode_seeking and lab.config.batch < 2:
            raise BadInput("Mode seeking compares pairs within a batch: expected a batch of 2 at least, got 1.")
        self.weight = _row_weights(self.y, opt.balance)
        self.facts = {"resolution": self.train.resolution, "classes": list(sizes), "channels": self.train.channels}
        torch.manual_seed(lab.config.seed)  # initial weights; nothing else draws from the global generator
        generator, discriminator = self.build(self.guide.trunk if self.guide else None)
        if opt.start is not None:
            start_from(self, start_file(opt.start, lab.weights), generator, discriminator)
        self.generator, self.discriminator = placed(generator, lab.device), placed(discriminator, lab.device)
        self.nets: dict[str, nn.Module] = {"generator": self.generator, "discriminator": self.discriminator}
        self.optimizers: dict[str, Optimizer] = {name: self._optimizer(name) for name in self.nets}
        self.objective = OBJECTIVES[opt.objective]()
        self.penalties = {name: (PENALTIES[name], of) for name, of in opt.penalties.items()}
        self.watch = Watch(self.train, self.test, self.y, opt.watch, lab)
        self.settled = False
        self.images_per_step = lab.config.batch * opt.discriminator_steps

    def build(self, trunk: nn.Module | None = None) -> tuple[LatentGenerator, nn.Module]:
        """Fresh networks of the recipe's architecture. BadInput for options that it does not have."""
        opt = self.opt
        own = {} if trunk is None else {"trunk": trunk}
        try:
            kinds = ARCHITECTURES[opt.architecture]()
            check_known(kinds[0], opt.generator, f"option of the generator of {opt.architecture}")
            check_known(kinds[1], opt.discriminator, f"option of the discriminator of {opt.architecture}")
            generator: LatentGenerator = kinds[0](**self.facts, **opt.generator)
            discriminator: nn.Module = kinds[1](**self.facts, **opt.discriminator, **own)
        except BadInput:
            raise
        except Exception as error:  # a wrong option may make any step of a constructor fail
            said = str(error).partition("\n")[0][:200] or type(error).__name__
            raise BadInput(f"The architecture {opt.architecture!r} cannot be built: {said}.") from error
        return generator, discriminator

    def _optimizer(self, name: str) -> Optimizer:
        adam = self.opt.optimizers.get(name, Adam())
        weights = [p for p in self.nets[name].parameters() if p.requires_grad]
        return torch.optim.Adam(groups((weights, adam.lr, 0.0)), betas=adam.betas, eps=adam.eps)

    def _rows(self, rng: torch.Generator, count: int) -> Tensor:
        """Rows of the training set (count,)."""
        if self.weight is None:
            return torch.randint(0, len(self.train), (count,), generator=rng)
        return torch.multinomial(self.weight, count, replacement=True, generator=rng)

    def latents(self, rng: torch.Generator, count: int, *, pairs: bool = False) -> tuple[Tensor, Tensor]:
        """z (N, z_dim) and labels (N, L). With `pairs` the second half repeats the labels of the first."""
        rows = self._rows(rng, count)
        z, y = torch.randn(count, self.generator.z_dim, generator=rng), self.y[rows]
        if pairs:
            half = count // 2
            y = torch.cat([y[:half], y[:half], y[2 * half :]])
        return z.to(self.lab.device), y.to(self.lab.device)

    def step(self, step: int, progress: float) -> dict[str, float]:
        """`discriminator_steps` updates of the discriminator, then one of the generator on the last one's fakes."""
        opt, start, self.settled = self.opt, self.opt.decay_from, False
        for optimizer in self.optimizers.values():
            set_rate(optimizer, 1.0 if progress < start else 1 - 0.9 * (progress - start) / (1 - start))
        self.generator.train()
        self.discriminator.train()
        slopes = dict.fromkeys(self.penalties, torch.zeros(()))  # of all updates: a lazy penalty misses some
        for extra in range(opt.discriminator_steps - 1):
            rng = stream(self.lab.config.seed, "step", step, "discriminator", extra)
            *_, figures = self._discriminator_update(rng, step * opt.discriminator_steps + extra, pairs=False)
            slopes = {name: value + figures[name].detach() for name, value in slopes.items()}
        rng = stream(self.lab.config.seed, "step", step)
        last = (step + 1) * opt.discriminator_steps - 1
        z, y, fake, seen, frozen, figures = self._discriminator_update(rng, last, pairs=True)
        figures |= {name: (value + figures[name].detach()) / opt.discriminator_steps for name, value in slopes.items()}

        self.discriminator.requires_grad_(False)
        with self.lab.autocast():
            logits = self.discriminator(seen, y, **({} if frozen is None else {"frozen": frozen}))
            guided = self.guide.loss(frozen, y) if self.guide and opt.guidance and frozen is not None else None
        total = figures["g_loss"] = self.objective.generator(logits.float())
        if guided is not None:
            figures["guidance"] = guided
            total = total + opt.guidance * guided
        if opt.mode_seeking:
            half = len(z) // 2
            apart = mode_seeking(fake[:half], fake[half : 2 * half], z[:half], z[half : 2 * half])
            figures["mode_seeking"] = apart
            total = total + opt.mode_seeking * apart
        descend(self.optimizers["generator"], total)
        self.discriminator.requires_grad_(True)
        if self.guide:
            self.guide.trunk.requires_grad_(False)  # the part of the discriminator that is never trained
        return {name: float(value.detach()) for name, value in figures.items()}

    def _discriminator_update(self, rng: torch.Generator, update: int, *, pairs: bool) -> Any:
        """One update; what it drew and the fakes, with their graph, for the generator's."""
        rows = self._rows(rng, self.lab.config.batch)
        real = self.train.batch(rows).to(self.lab.device, memory_format=torch.channels_last)
        if self.opt.flip:
            mirrored = torch.rand(len(rows), 1, 1, 1, generator=rng) < 0.5
            real = torch.where(mirrored.to(real.device), real.flip(3), real)
        y_real = self.y[rows].to(self.lab.device)
        z, y = self.latents(rng, len(rows), pairs=pairs)
        with torch.set_grad_enabled(pairs), self.lab.autocast():
            fake = self.generator(z, y).float()
        real, seen = (diff_augment(x, rng, self.opt.augmentation) for x in (real, fake))
        frozen = None
        with self.lab.autocast():
            if hasattr(self.discriminator, "frozen"):
                frozen = self.discriminator.frozen(seen)  # type: ignore[operator]  # once for both: they never change
            known = {} if frozen is None else {"frozen": [f.detach() for f in frozen]}
            d_real = self.discriminator(real, y_real).float()
            d_fake = self.discriminator(seen.detach(), y, **known).float()
        figures = {"d_loss": self.objective.discriminator(d_real, d_fake)}
        total = figures["d_loss"]
        for name, (penalty, of) in self.penalties.items():
            if update % of.every == 0:
                value = penalty(self.discriminator, real, seen.detach(), y_real, y, rng)
                total = total + of.weight * of.every * value
                figures[name] = value * of.every  # so that the mean over a report's steps is the penalty's own
            else:
                figures[name] = torch.zeros(())
        descend(self.optimizers["discriminator"], total)
        figures |= {"D(real)": d_real.mean(), "D(fake)": d_fake.mean()}
        return z, y, fake, seen, frozen, figures

    @torch.no_grad()
    def draw(self, generator: nn.Module, z: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, R, R) float32 in [0, 1]."""
        with self.lab.autocast():
            images = [generator(a, b).float() for a, b in zip(torch.split(z, 64), torch.split(y, 64), strict=True)]
        return (torch.cat(images) / 2 + 0.5).clamp(0, 1)

    def _settled(self, nets: dict[str, nn.Module]) -> nn.Module:
        """The averaged generator with statistics of its batch norms that fit its weights: once a checkpoint."""
        if not self.settled:
            standing_statistics(self, nets["generator"])
            self.settled = True
        return nets["generator"]

    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """Held-out figures of the averaged generator; see `zeuxis.lab.watch`."""
        generator = self._settled(nets)
        return self.watch.figures(self, generator, self.guide)

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """A grid that always has the same latents, grey as RGB: each row one combination of labels."""
        z, y = self.watch.grid(self)
        return self.draw(nets["generator"].eval(), z, y).cpu().expand(-1, 3, -1, -1)

    @property
    def columns(self) -> int:
        """Pictures in a row of the sample grid."""
        return self.watch.columns

    def state(self) -> dict[str, Any]:
        """What the checkpoint keeps beside networks and optimisers; JSON-able."""
        return self.watch.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.watch.load_state(state)

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`NAME.safetensors`, the best by the held-out distance, and `NAME-last.safetensors`, the newest."""
        generator = self._settled(nets)
        names = [f"{self.opt.name}-last", *([self.opt.name] if self.watch.is_best else [])]
        return [write_export(self, generator, folder / f"{name}.safetensors") for name in names]


def _conditions(data: ImageSet, names: tuple[str, ...]) -> tuple[Tensor, dict[str, tuple[str, ...]]]:
    """Labels (N, L) and their words. BadInput for a label that the data do not have."""
    for name in names:
        if name not in data.labels:
            have = ", ".join(data.labels) or "none"
            raise BadInput(f"Expected labels of the data as conditions, got {name!r}. The data have: {have}.")
    if len(set(names)) < len(names):
        raise BadInput(f"Expected each label once, got labels = {list(names)[:8]}.")
    y = torch.stack([data.labels[name] for name in names], 1) if names else torch.zeros(len(data), 0, dtype=torch.long)
    return y, {name: data.names[name] for name in names}


def _row_weights(y: Tensor, balance: float) -> Tensor | None:
    """How often each row is shown (N,): its combination's count to the power of -`balance`; None for as it is."""
    if not balance or not y.shape[1]:
        return None
    _, place, counts = torch.unique(y, dim=0, return_inverse=True, return_counts=True)
    weights: Tensor = counts.double()[place].pow(-balance)
    return weights
