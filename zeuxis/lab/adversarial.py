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

from zeuxis.data import read_images
from zeuxis.lab import adversarial_setup as setup
from zeuxis.lab.adversarial_options import Adam, Penalty, idle, options_of
from zeuxis.lab.cuda_graphs import Graphs, captures
from zeuxis.lab.domains import CAPTION, read_texts
from zeuxis.lab.draws import Drawn, Draws
from zeuxis.lab.exports import start_file, start_from, write_export
from zeuxis.lab.objectives import mode_seeking
from zeuxis.lab.origin import of_images
from zeuxis.lab.penalties import PENALTIES
from zeuxis.lab.tasks.base import Lab, descend
from zeuxis.lab.watch import Watch, standing, standing_statistics
from zeuxis.nets.gan.base import Classified, LatentGenerator, mix_styles
from zeuxis.nets.layers import placed
from zeuxis.rng import derive, stream


class Adversarial:
    """Generator against discriminator; what the training loop calls a task."""

    averaged = ("generator",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, (opt := options_of(lab.config.options))
        size = {"resolution": opt.resolution, "channels": opt.channels}
        train, test = (read_images(lab.config.data, lab.data, s, **size) for s in ("train", "test"))
        self.train, self.test = setup.conditioned(train, test, opt)
        names = tuple(self.train.labels) if opt.labels is None else opt.labels
        self.y, self.words = setup.conditions(self.train, names)  # (N, L)
        sizes = tuple(len(words) for words in self.words.values())
        self.origin = of_images(self.train, self.test)
        self.guide, networks, self.notes = setup.build_guide(opt, lab, self.train, self.y, self.words)
        self.notes += idle(opt, labelled=bool(sizes))
        if networks:
            self.origin["networks"] = networks
        self.facts = {"resolution": self.train.resolution, "classes": list(sizes), "channels": self.train.channels}
        torch.manual_seed(lab.config.seed)  # initial weights
        generator, discriminator = self.build(self.guide.trunk if self.guide else None)
        if opt.texts:
            read_texts(self.words[CAPTION], generator, discriminator)
        if opt.start is not None:
            start_from(self, start_file(opt.start, lab.weights), generator, discriminator)
        self.generator, self.discriminator = placed(generator, lab.device), placed(discriminator, lab.device)
        self.nets: dict[str, nn.Module] = {"generator": self.generator, "discriminator": self.discriminator}
        self.adams = {name: opt.optimizers.get(name, Adam()) for name in self.nets}
        captured = captures(lab, opt, self.nets)
        self.optimizers: dict[str, Optimizer] = {
            name: setup.build_adam(self.nets[name], of, captured=captured) for name, of in self.adams.items()
        }
        self.objective = setup.build_objective(opt, self.discriminator, len(sizes))
        self.penalties = {name: (PENALTIES[name], of) for name, of in opt.penalties.items()}
        self.adaptive, self.generator_penalties = setup.build_extras(opt, self.generator)
        self.draws = Draws(lab, opt, self.train, self.y, self.generator.z_dim, self.adaptive)
        self.graphs = Graphs(self) if captured and self.draws.resident is not None else None
        self.progress, self.settled, self.diagnostics = 1.0, False, dict[str, float]()
        self.watch = Watch(self.train, self.test, self.y, opt.watch, lab)
        self.images_per_step = lab.config.batch * opt.discriminator_steps

    def build(self, trunk: nn.Module | None = None) -> tuple[LatentGenerator, nn.Module]:
        """Fresh networks of the recipe's architecture. BadInput for options that it does not have."""
        return setup.build_networks(self.opt, self.facts, trunk)

    def latents(self, rng: torch.Generator, count: int, *, pairs: bool = False) -> tuple[Tensor, Tensor]:
        """z (N, z_dim) and labels (N, L). With `pairs` the second half repeats the labels of the first."""
        z, y = self.draws.latents(rng, count, pairs=pairs)
        return z.to(self.lab.device), y.to(self.lab.device)

    def generate(self, z: Tensor, y: Tensor, where: int) -> Tensor:
        """Fakes (N, C, R, R) float32 for training; some with the styles of a second latent, drawn for `where`."""
        if not self.opt.style_mixing:
            return torch.as_tensor(self.generator(z, y)).float()
        rng = stream(self.lab.config.seed, "mixing", where)
        return mix_styles(self.generator, z, y, self.opt.style_mixing, rng).float()

    def _begin(self, step: int, progress: float) -> None:
        """Schedules and modes of this step."""
        self.progress, self.settled = progress, False
        torch.manual_seed(derive(self.lab.config.seed, "step", step, "layers"))  # for dropout, noise
        for name, optimizer in self.optimizers.items():
            setup.set_optimizer(optimizer, self.adams[name], self.opt, progress)
        for net in self.nets.values():
            net.train()
            _tell(net, progress)
        if self.adaptive and self.opt.adaptive.p_end is not None:
            self.adaptive.p = setup.eased(self.opt.adaptive.p, self.opt.adaptive.p_end, progress, self.opt.burn_in)

    def _weight(self, of: Penalty) -> float:
        return setup.eased(of.weight, of.weight_end, self.progress, self.opt.burn_in)

    def _judge(self, images: Tensor, y: Tensor, **known: Any) -> Any:
        """What the discriminator says, in float32: logits, or `Classified` where the objective asks for classes."""
        if self.objective.classifies:
            known["classify"] = True
        with self.lab.autocast():
            return self.discriminator(images, y, **known).float()

    def step(self, step: int, progress: float) -> dict[str, float]:
        """`discriminator_steps` updates of the discriminator, then one of the generator on the last one's fakes."""
        seed, count = self.lab.config.seed, self.opt.discriminator_steps
        self._begin(step, progress)
        rngs = [stream(seed, "step", step, "discriminator", k) for k in range(count - 1)] + [stream(seed, "step", step)]
        drawn = [self.draws.update(rng, pairs=k == count - 1) for k, rng in enumerate(rngs)]
        if self.objective.relativistic:
            drawn.append(self.draws.others(stream(seed, "step", step, "others")))
        due = tuple(
            tuple(name for name, (_, of) in self.penalties.items() if (step * count + k) % of.every == 0)
            for k in range(count)
        )
        said, figures = self.graphs.step(drawn, due) if self.graphs else self.compute(step, drawn, due, rngs)
        return self._end(step, said, figures)

    def compute(
        self, step: int, drawn: list[Drawn], due: tuple[tuple[str, ...], ...], rngs: list[torch.Generator]
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The step itself on what was `drawn` for it: logits of real and generated pictures, figures.

        `due` names for each update the penalties that it computes, `rngs` are for those that draw.
        """
        opt = self.opt
        slopes = dict.fromkeys(self.penalties, torch.zeros(()))  # of all updates: a lazy penalty misses some
        first = step * opt.discriminator_steps
        for k in range(opt.discriminator_steps - 1):
            *_, figures = self._discriminator_update(drawn[k], due[k], rngs[k], first + k, graded=False)
            slopes = {name: value + figures[name].detach() for name, value in slopes.items()}
        k = opt.discriminator_steps - 1
        z, y, fake, seen, frozen, said, figures = self._discriminator_update(
            drawn[k], due[k], rngs[k], first + k, graded=True
        )
        figures |= {name: (value + figures[name].detach()) / opt.discriminator_steps for name, value in slopes.items()}

        self.discriminator.requires_grad_(False)
        judged = [self._judge(seen, y, **({} if frozen is None else {"frozen": frozen}))]
        with self.lab.autocast():
            guided = self.guide.loss(frozen, y) if self.guide and opt.guidance and frozen is not None else None
        if self.objective.relativistic:
            others = drawn[-1]
            with torch.no_grad():
                real = self.draws.augmented(self.draws.real(others), others.real)
                judged.append(self._judge(real, others.y_real.to(real.device)))
        total = figures["g_loss"] = self.objective.generator(*judged)
        if guided is not None:
            figures["guidance"] = guided
            total = total + opt.guidance * guided
        if opt.mode_seeking:
            half = len(z) // 2
            apart = mode_seeking(fake[:half], fake[half : 2 * half], z[:half], z[half : 2 * half])
            figures["mode_seeking"] = apart
            total = total + opt.mode_seeking * apart
        total = total + self._generator_penalty(step, figures)
        descend(self.optimizers["generator"], total)
        self.discriminator.requires_grad_(True)
        if self.guide:
            self.guide.trunk.requires_grad_(False)  # the part of the discriminator that is never trained
        return said, figures

    def _generator_penalty(self, step: int, figures: dict[str, Tensor]) -> Tensor | float:
        """The lazy penalties of the generator that are due, on latents of their own."""
        total: Tensor | float = 0.0
        for name, of in self.opt.generator_penalties.items():
            figures[name] = torch.zeros(())
            if step % of.every == 0:
                rng = stream(self.lab.config.seed, "step", step, name)
                z, y = self.latents(rng, self.lab.config.batch)
                value = self.generator_penalties[name](self.generator, z, y, rng)
                total = total + self._weight(of) * of.every * value
                figures[name] = value * of.every
        return total

    def _end(self, step: int, said: list[Tensor], figures: dict[str, Tensor]) -> dict[str, float]:
        """Let what adapts adapt; on steps after which the log has a line, look at both networks."""
        values = [value.detach() for value in figures.values()]
        if self.lab.device.type != "cpu":  # one wait in place of one for each
            values = list(torch.stack([value.to(self.lab.device).float() for value in values]).cpu().unbind())
        seen = dict(zip(figures, values, strict=True)) | {"images": torch.tensor(self.images_per_step)}
        found = {name: float(value) for name, value in seen.items() if name not in ("sign", "images")}
        for part in (self.objective, self.adaptive, *self.nets.values()):
            adapt = getattr(part, "after_step", None)
            found |= adapt(seen) or {} if adapt else {}
        every, images = self.lab.config.report_every, (step + 1) * self.images_per_step
        if images // every > (images - self.images_per_step) // every or images >= self.lab.config.images:
            self.diagnostics = standing(self.objective, said[0], said[1], self.nets)
        return found

    def _discriminator_update(
        self, drawn: Drawn, due: tuple[str, ...], rng: torch.Generator, update: int, *, graded: bool
    ) -> Any:
        """One update; what it drew and the fakes, `graded` with their graph, for the generator's; logits, figures."""
        device = self.lab.device
        assert drawn.z is not None and drawn.y is not None
        y_real, z, y = drawn.y_real.to(device), drawn.z.to(device), drawn.y.to(device)
        real = self.draws.real(drawn)
        with torch.set_grad_enabled(graded), self.lab.autocast():
            fake = self.generate(z, y, update)
        real, seen = self.draws.augmented(real, drawn.real), self.draws.augmented(fake, drawn.fake)
        frozen = None
        if hasattr(self.discriminator, "frozen"):
            with self.lab.autocast():
                frozen = self.discriminator.frozen(seen)  # type: ignore[operator]  # once for both: they never change
        known = {} if frozen is None else {"frozen": [f.detach() for f in frozen]}
        on_real, on_fake = self._judge(real, y_real), self._judge(seen.detach(), y, **known)
        figures = {"d_loss": self.objective.discriminator(on_real, on_fake)}
        if self.opt.mismatched:  # Reed et al. 2016, arXiv 1605.05396, algorithm 1
            false = self.objective.discriminator(on_real, self._judge(real, y_real.roll(1, 0)))
            figures["d_loss"] = (figures["d_loss"] + false) / 2
        total = figures["d_loss"]
        said = [x.logits if isinstance(x, Classified) else x for x in (on_real, on_fake)]
        for name, (penalty, of) in self.penalties.items():
            figures[name] = torch.zeros(())
            if name in due:
                value = penalty(self.discriminator, real, seen.detach(), y_real, y, said[0], rng)
                total = total + self._weight(of) * of.every * value
                figures[name] = value * of.every  # so that the mean over a report's steps is the penalty's own
        descend(self.optimizers["discriminator"], total)
        figures |= {"D(real)": said[0].mean(), "D(fake)": said[1].mean(), "sign": said[0].detach().sign().mean()}
        return z, y, fake, seen, frozen, said, figures

    @torch.no_grad()
    def draw(self, generator: nn.Module, z: Tensor, y: Tensor) -> Tensor:
        """Images (N, C, R, R) float32 in [0, 1]."""
        _tell(generator, self.progress)
        with self.lab.autocast():
            images = [generator(a, b).float() for a, b in zip(torch.split(z, 64), torch.split(y, 64), strict=True)]
        return (torch.cat(images) / 2 + 0.5).clamp(0, 1)

    def _settled(self, nets: dict[str, nn.Module]) -> nn.Module:
        """The averaged generator with statistics of its batch norms that fit its weights: once a checkpoint."""
        _tell(nets["generator"], self.progress)
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

    def _stateful(self) -> dict[str, Any]:
        """Parts with a state of their own, by the name that it has in the checkpoint."""
        parts = {"objective": self.objective, "augmentation": self.adaptive}
        parts |= {f"penalty/{name}": penalty for name, penalty in self.generator_penalties.items()}
        return {name: part for name, part in parts.items() if part is not None and part.state()}

    def state(self) -> dict[str, Any]:
        """What the checkpoint keeps beside networks and optimisers; JSON-able."""
        kept = {name: part.state() for name, part in self._stateful().items()}
        kept |= {"progress": self.progress}
        return self.watch.state() | kept | ({"diagnostics": self.diagnostics} if self.diagnostics else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.watch.load_state(state)
        for name, part in self._stateful().items():
            part.load_state(state.get(name, {}))
        self.diagnostics = {str(name): float(value) for name, value in state.get("diagnostics", {}).items()}
        self.progress = float(state.get("progress", 1.0))  # of the last step: a line of the log may come first
        for net in self.nets.values():
            _tell(net, self.progress)

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`NAME.safetensors`, the best by the held-out distance, and `NAME-last.safetensors`, the newest."""
        generator = self._settled(nets)
        names = [f"{self.opt.name}-last", *([self.opt.name] if self.watch.is_best else [])]
        return [write_export(self, generator, folder / f"{name}.safetensors") for name in names]


def _tell(net: nn.Module, progress: float) -> None:
    """The share of images shown, in [0, 1], to a network that changes with it."""
    if hasattr(net, "set_progress"):
        net.set_progress(progress)  # type: ignore[operator]
