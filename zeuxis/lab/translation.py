"""Training from pictures to pictures of another domain, without pairs: CycleGAN, StarGAN and what is between them.

One step for all: a picture x of the domain c is drawn as one of another, c', and back. The generator's loss is the
adversarial one, plus `cycle` |G(G(x, c'), c) - x|, `identity` |G(x, c) - x| and `classification` times the cross
entropy of c'. Every number of a step is drawn from (seed, step), so a resumed run goes on as if unbroken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import read_images
from zeuxis.errors import BadInput
from zeuxis.hub.model_file import Part, write_model
from zeuxis.lab import adversarial_setup as setup
from zeuxis.lab.adversarial_options import Adam, check_known
from zeuxis.lab.augment import mirrored
from zeuxis.lab.domains import chosen
from zeuxis.lab.objectives import OBJECTIVES, Objective
from zeuxis.lab.origin import of_images
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks.base import Lab, descend
from zeuxis.lab.translation_parts import Pool, cycle_consistency, domain_classification, options_of
from zeuxis.lab.translation_watch import TranslationWatch
from zeuxis.lab.watch import standing
from zeuxis.nets.gan import TRANSLATORS
from zeuxis.nets.gan.base import Classified
from zeuxis.nets.layers import placed
from zeuxis.rng import derive, stream


class Translation:
    """Generator and discriminator of pictures in K domains; what the training loop calls a task."""

    averaged = ("generator",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, (opt := options_of(lab.config.options))
        size = {"resolution": opt.resolution, "channels": opt.channels}
        sets = (read_images(lab.config.data, lab.data, split, **size) for split in ("train", "test"))
        (self.train, self.domains), (self.test, held) = (
            chosen(images, opt.label, opt.domains, opt.where) for images in sets
        )
        if held != self.domains:
            raise BadInput(f"Expected the same domains in both splits, got {self.domains[:8]} and {held[:8]}.")
        self.y = self.train.labels[opt.label]  # (N,)
        self.origin = of_images(self.train, self.test)
        count = len(self.domains)
        self.facts = {"resolution": self.train.resolution, "classes": [count], "channels": self.train.channels}
        torch.manual_seed(lab.config.seed)  # initial weights
        self.generator, self.discriminator = (placed(net, lab.device) for net in self._networks())
        if opt.classification and not getattr(self.discriminator, "classifies", False):
            raise BadInput('The option classification needs architecture = "stargan". Choose it, or set it to 0.')
        trained: dict[str, nn.Module] = {"generator": self.generator, "discriminator": self.discriminator}
        pool = Pool(opt.pool, count, (self.train.channels, self.train.resolution, self.train.resolution))
        self.pool = pool.to(lab.device)
        self.nets: dict[str, nn.Module] = trained | {"pool": self.pool}
        self.adams = {name: opt.optimizers.get(name, Adam(betas=(0.5, 0.999))) for name in trained}
        self.optimizers: dict[str, Optimizer] = {n: setup.build_adam(trained[n], of) for n, of in self.adams.items()}
        self.objective: Objective = OBJECTIVES[opt.objective]()
        self.penalties = {name: (PENALTIES[name], of) for name, of in opt.penalties.items()}
        self.order = self.y.argsort(stable=True)  # rows by domain
        self.counts = torch.bincount(self.y, minlength=count)
        self.progress, self.diagnostics = 1.0, dict[str, float]()
        self.watch = TranslationWatch(self.train, self.test, opt.label, opt.watch, lab)
        self.images_per_step = lab.config.batch * opt.discriminator_steps
        self.columns = self.watch.columns

    def _networks(self) -> tuple[nn.Module, nn.Module]:
        """Fresh ones. BadInput for options that the architecture does not have."""
        built, kinds = [], TRANSLATORS[self.opt.architecture]()
        for kind, options, name in zip(
            kinds, (self.opt.generator, self.opt.discriminator), ("generator", "discriminator"), strict=True
        ):
            check_known(kind, options, f"option of the {name} of {self.opt.architecture}")
            built.append(kind(**self.facts, **options))
        return built[0], built[1]

    def _draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (N, C, R, R) of each domain as often, their domains (N, 1), and another for each (N, 1)."""
        count, domains = self.lab.config.batch, len(self.domains)
        y = (torch.arange(count) + torch.randint(domains, (1,), generator=rng)) % domains
        place = (torch.rand(count, generator=rng, dtype=torch.float64) * self.counts[y]).long()
        rows = self.order[(self.counts.cumsum(0) - self.counts)[y] + place.minimum(self.counts[y] - 1)]
        target = (y + 1 + torch.randint(domains - 1, (count,), generator=rng)) % domains
        images = self.train.batch(rows).to(self.lab.device, memory_format=torch.channels_last)
        if self.opt.flip:
            images = mirrored(images, torch.rand(count, 1, 1, 1, generator=rng) < 0.5)
        return images, y[:, None].to(self.lab.device), target[:, None].to(self.lab.device)

    def _translate(self, images: Tensor, y: Tensor) -> Tensor:
        with self.lab.autocast():
            return torch.as_tensor(self.generator(images, y)).float()

    def _judge(self, images: Tensor, y: Tensor) -> tuple[Tensor, Classified | None]:
        """Values of patches (N, P) in float32; and what else is said, where domains are to be told apart."""
        known = {"classify": True} if self.opt.classification else {}
        with self.lab.autocast():
            said = self.discriminator(images, y, **known)
        return (said.float().logits, said.float()) if isinstance(said, Classified) else (said.float(), None)

    def step(self, step: int, progress: float) -> dict[str, float]:
        """`discriminator_steps` updates of the discriminator, then one of the generator on the last one's pictures."""
        opt = self.opt
        torch.manual_seed(derive(self.lab.config.seed, "step", step, "layers"))
        self.progress = progress
        for name, optimizer in self.optimizers.items():
            setup.set_optimizer(optimizer, self.adams[name], opt, progress)
            self.nets[name].train()
        for k in range(opt.discriminator_steps - 1):
            rng = stream(self.lab.config.seed, "step", step, "discriminator", k)
            images, y, target = self._draw(rng)
            with torch.no_grad():
                fake = self._translate(images, target)
            self._discriminator_update(images, y, fake, target, rng, step * opt.discriminator_steps + k)
        rng = stream(self.lab.config.seed, "step", step)
        images, y, target = self._draw(rng)
        fake = self._translate(images, target)
        last = (step + 1) * opt.discriminator_steps - 1
        said, figures = self._discriminator_update(images, y, fake, target, rng, last)
        figures |= self._generator_update(images, y, fake, target)
        every, shown = self.lab.config.report_every, (step + 1) * self.images_per_step
        if shown // every > (shown - self.images_per_step) // every or shown >= self.lab.config.images:
            nets = {name: self.nets[name] for name in self.optimizers}
            self.diagnostics = standing(self.objective, said[0], said[1], nets)
        return {name: float(value) for name, value in figures.items()}

    def _discriminator_update(
        self, images: Tensor, y: Tensor, fake: Tensor, target: Tensor, rng: torch.Generator, update: int
    ) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
        """One update; the values of real and of generated pictures, and figures."""
        shown = self.pool.exchange(fake.detach(), target, rng)
        (on_real, classes), (on_fake, _) = self._judge(images, y), self._judge(shown, target)
        total = self.objective.discriminator(on_real, on_fake)
        figures = {"d_loss": total.detach()}
        if classes is not None:  # of real pictures only, Eq. 5
            figures["d_domain"] = loss = domain_classification(classes)
            total = total + self.opt.classification * loss
        for name, (penalty, of) in self.penalties.items():
            figures[name] = torch.zeros(())
            if update % of.every == 0:
                value = penalty(self.discriminator, images, shown, y, target, on_real, rng)
                weight = setup.eased(of.weight, of.weight_end, self.progress, self.opt.burn_in)
                total = total + weight * of.every * value
                figures[name] = value * of.every
        descend(self.optimizers["discriminator"], total)
        figures |= {"D(real)": on_real.mean(), "D(fake)": on_fake.mean()}
        return (on_real, on_fake), {name: value.detach() for name, value in figures.items()}

    def _generator_update(self, images: Tensor, y: Tensor, fake: Tensor, target: Tensor) -> dict[str, Tensor]:
        opt = self.opt
        self.discriminator.requires_grad_(False)
        on_fake, classes = self._judge(fake, target)
        total = self.objective.generator(on_fake)
        figures = {"g_loss": total}
        if opt.cycle:
            figures["cycle"] = cycle_consistency(self._translate(fake, y), images)
            total = total + opt.cycle * figures["cycle"]
        if opt.identity:
            figures["identity"] = cycle_consistency(self._translate(images, y), images)
            total = total + opt.identity * figures["identity"]
        if classes is not None:
            figures["g_domain"] = domain_classification(classes)
            total = total + opt.classification * figures["g_domain"]
        descend(self.optimizers["generator"], total)
        self.discriminator.requires_grad_(True)
        return {name: value.detach() for name, value in figures.items()}

    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """Held-out figures of the averaged generator; see `zeuxis.lab.translation_watch`."""
        return self.watch.figures(nets["generator"].eval())

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """Held-out pictures, always the same, and below each its translation to every domain, grey as RGB."""
        return self.watch.sheet(nets["generator"].eval()).cpu().expand(-1, 3, -1, -1)

    def state(self) -> dict[str, Any]:
        """What the checkpoint keeps beside networks, the pool and optimisers; JSON-able."""
        return self.watch.state() | ({"diagnostics": self.diagnostics} if self.diagnostics else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.watch.load_state(state)
        self.diagnostics = {str(name): float(value) for name, value in state.get("diagnostics", {}).items()}

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`NAME.safetensors`, the best by the held-out distance, and `NAME-last.safetensors`, the newest."""
        parts = {
            "generator": Part(self.facts | self.opt.generator, nets["generator"].state_dict()),
            "discriminator": Part(self.facts | self.opt.discriminator, self.discriminator.state_dict()),
        }
        config = self.lab.config
        trained = {"recipe": config.about, "seed": config.seed, "figures": self.watch.latest}
        about = {"label": self.opt.label, "domains": list(self.domains), "data": self.train.source, "trained": trained}
        names = [f"{self.opt.name}-last", *([self.opt.name] if self.watch.is_best else [])]
        family, licence = f"gan-{self.opt.architecture}", self.train.licence
        paths = [folder / f"{name}.safetensors" for name in names]
        return [write_model(path, family, parts, about=about, licence=licence) for path in paths]
