"""Class-conditional GAN: the pocket generator against a projection discriminator on RGB and frozen features.

One batch of fakes serves both updates. The frozen classifier behind the features also guides: cross entropy of the
asked class on generated images (classifier guidance, StyleGAN-XL, Sauer et al. 2022, arXiv 2202.00273, section 3.3).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.errors import BadInput
from zeuxis.evaluation.frechet import frechet_distance
from zeuxis.hub.weights import save_weights
from zeuxis.lab.augment import diff_augment
from zeuxis.lab.data import read_images
from zeuxis.lab.losses import hinge_discriminator, hinge_generator, mode_seeking
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate
from zeuxis.lab.tasks.classifier import load_trunk
from zeuxis.nets.layers import fold_spectrum, normalise_spectrum, placed
from zeuxis.nets.pocket_gan import PocketDiscriminator, PocketGenerator
from zeuxis.nets.trunk import Trunk, TrunkClassifier
from zeuxis.rng import stream

DEFAULTS = {
    "trunk": "trunk",  # weight file of the frozen classifier, in --weights
    "z_dim": 64,
    "embed_dim": 128,
    "widths": [192, 160, 96, 48],
    "head_width": 48,
    "lr_generator": 4e-4,
    "lr_discriminator": 4e-4,
    "beta1": 0.0,
    "beta2": 0.99,
    "policy": ["translation"],
    "guidance": 0.05,  # weight of the classifier's cross entropy
    "mode_seeking": 0.1,  # weight of the loss that keeps two latents of one class apart
    "decay_from": 0.6,  # the rates fall linearly to a tenth from here on
}


def generator_of(nets: dict[str, nn.Module]) -> PocketGenerator:
    """The generator among `nets`."""
    net = nets["generator"]
    assert isinstance(net, PocketGenerator)
    return net


class ConditionalGAN:
    """Hinge loss, spectral normalisation, differentiable augmentation; Adam with beta1 = 0."""

    averaged = ("generator",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, lab.options(DEFAULTS)
        self.train = read_images(lab.config.data, lab.data, "train")
        self.test = read_images(lab.config.data, lab.data, "test")
        self.guide = placed(self._guide(), lab.device).requires_grad_(False)
        torch.manual_seed(lab.config.seed)  # initial weights; nothing else draws from the global generator
        sizes = (len(self.train.classes), len(self.train.term_names))
        generator = PocketGenerator(*sizes, self.opt["z_dim"], self.opt["embed_dim"], tuple(self.opt["widths"]))
        self.discriminator = placed(self._discriminator(self.guide.trunk), lab.device)
        self.nets: dict[str, nn.Module] = {
            "generator": placed(generator, lab.device),
            "discriminator": self.discriminator,
        }
        self.optimizers: dict[str, Optimizer] = {
            name: torch.optim.Adam(
                groups(([p for p in net.parameters() if p.requires_grad], self.opt[f"lr_{name}"], 0.0)),
                betas=(self.opt["beta1"], self.opt["beta2"]),
            )
            for name, net in self.nets.items()
        }

    def _guide(self) -> TrunkClassifier:
        path = (self.lab.weights or Path()) / f"{self.opt['trunk']}.safetensors"
        net, classes = load_trunk(path)
        if classes != list(self.train.classes):
            raise BadInput(
                f"{path} knows the classes {', '.join(classes[:3])}, ..., the data have "
                f"{', '.join(self.train.classes[:3])}, ... Train the trunk on the same data first."
            )
        return net

    def _discriminator(self, trunk: Trunk) -> PocketDiscriminator:
        """On `trunk`; its own layers spectrally normalised."""
        sizes = (len(self.train.classes), len(self.train.term_names))
        net = PocketDiscriminator(trunk, *sizes, width=self.opt["head_width"])
        normalise_spectrum(net.pixels)
        normalise_spectrum(net.heads)
        return net

    def _latents(self, rng: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """z (N, z_dim), classes (N,), terms (N,): labels as they occur in the data."""
        rows = torch.randint(0, len(self.train), (count,), generator=rng)
        z = torch.randn(count, self.opt["z_dim"], generator=rng)
        device = self.lab.device
        return z.to(device), self.train.labels[rows].to(device), self.train.terms[rows].to(device)

    def _pairs(self, rng: torch.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """As `_latents`, but the second half repeats the labels of the first: pairs that differ in z only."""
        z, classes, terms = self._latents(rng, count)
        half = count // 2
        classes, terms = (torch.cat([k[:half], k[:half], k[2 * half :]]) for k in (classes, terms))
        return z, classes, terms

    def step(self, step: int, progress: float) -> dict[str, float]:
        """One update of the discriminator, then one of the generator, on the same fakes."""
        generator, discriminator = generator_of(self.nets).train(), self.discriminator.train()
        start = self.opt["decay_from"]
        for optimizer in self.optimizers.values():
            set_rate(optimizer, 1.0 if progress < start else 1 - 0.9 * (progress - start) / (1 - start))
        rng = stream(self.lab.config.seed, "step", step)
        rows = torch.randint(0, len(self.train), (self.lab.config.batch,), generator=rng)
        real = self.train.batch(rows).to(self.lab.device, memory_format=torch.channels_last)
        real = torch.where((torch.rand(len(rows), 1, 1, 1, generator=rng) < 0.5).to(real.device), real.flip(3), real)
        labels = self.train.labels[rows].to(self.lab.device), self.train.terms[rows].to(self.lab.device)
        z, classes, terms = self._pairs(rng, len(rows))
        policy = tuple(self.opt["policy"])
        with self.lab.autocast():
            fake = generator(z, generator.embed(classes, terms)).float()
        real, seen = diff_augment(real, rng, policy), diff_augment(fake, rng, policy)

        with self.lab.autocast():
            frozen = discriminator.trunk.stages(seen)  # once for both updates: the trunk never changes
            d_real = discriminator(real, *labels).float()
            d_fake = discriminator.judge(
                [discriminator.pixels(seen.detach()), *(f.detach() for f in frozen)], classes, terms
            )
        d_loss = hinge_discriminator(d_real, d_fake.float())
        descend(self.optimizers["discriminator"], d_loss)

        discriminator.requires_grad_(False)
        with self.lab.autocast():
            logits = discriminator.judge([discriminator.pixels(seen), *frozen], classes, terms)
            asked = self.guide.classes(Trunk.pool(frozen[-1]))
        g_loss = hinge_generator(logits.float())
        guidance = F.cross_entropy(asked.float(), classes)
        half = len(z) // 2
        apart = mode_seeking(fake[:half], fake[half : 2 * half], z[:half], z[half : 2 * half])
        total = g_loss + self.opt["guidance"] * guidance + self.opt["mode_seeking"] * apart
        descend(self.optimizers["generator"], total)
        discriminator.requires_grad_(True)
        discriminator.trunk.requires_grad_(False)
        figures = {"d_loss": d_loss, "g_loss": g_loss, "guidance": guidance, "mode_seeking": apart}
        figures |= {"D(real)": d_real.mean(), "D(fake)": d_fake.float().mean()}
        return {name: float(value.detach()) for name, value in figures.items()}

    @torch.no_grad()
    def _standing_statistics(self, generator: PocketGenerator, batches: int = 24) -> None:
        """Batch-norm statistics of the averaged weights: plain means over fresh batches (BigGAN, section 4.1)."""
        norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative average
        generator.train()
        for index in range(batches):
            z, classes, terms = self._latents(stream(0, "standing", index), 128)
            with self.lab.autocast():
                generator(z, generator.embed(classes, terms))
        generator.eval()
        for norm in norms:
            norm.momentum = 0.1

    @torch.no_grad()
    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """How often the guide recognises the asked class, and the Frechet distance of trunk features to test images.

        Both look through the network that guided the training: good for watching, too kind as a verdict.
        """
        generator = generator_of(nets)
        self._standing_statistics(generator)
        found, fake, real = 0, [], []
        for index in range(16):
            z, classes, terms = self._latents(stream(0, "evaluate", index), 125)
            with self.lab.autocast():
                pooled = self.guide.trunk(generator(z, generator.embed(classes, terms)).float())
                found += int((self.guide.classes(pooled).argmax(1) == classes).sum())
                rows = torch.arange(index * 125, (index + 1) * 125) % len(self.test)
                real.append(self.guide.trunk(self.test.batch(rows).to(self.lab.device)).float().cpu())
            fake.append(pooled.float().cpu())
        distance = frechet_distance(torch.cat(real), torch.cat(fake))
        return {"recognised_by_guide": found / 2000, "trunk_frechet_2k": distance}

    @torch.no_grad()
    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """Twenty images of each of the first ten classes that have any, one class a row."""
        present = torch.tensor(sorted(set(self.train.labels.tolist()))[:10])
        classes = present.repeat_interleave(20)
        rng = stream(0, "samples")
        of_class = [(self.train.labels == c).nonzero().squeeze(1) for c in present]
        picks = torch.cat([o[torch.randint(0, len(o), (20,), generator=rng)] for o in of_class])
        z = torch.randn(len(classes), self.opt["z_dim"], generator=rng).to(self.lab.device)
        generator = generator_of(nets).eval()
        with self.lab.autocast():
            images: Tensor = generator(z, generator.embed(classes.to(z.device), self.train.terms[picks].to(z.device)))
        return (images.float().cpu() + 1) / 2

    @torch.no_grad()
    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """Generator (averaged, standing statistics); discriminator (spectral normalisation folded, with its trunk)."""
        generator = generator_of(nets)
        self._standing_statistics(generator)
        facts = {
            "classes": list(self.train.classes),
            "terms": list(self.train.term_names),
            "term_class": self.train.term_class().tolist(),
            "data": self.train.source,
        }
        names = ("z_dim", "embed_dim", "widths")
        shape = {"family": "pocket_generator"} | {name: self.opt[name] for name in names}
        paths = [save_weights(generator, folder / "generator.safetensors", shape | facts)]
        plain = self._discriminator(Trunk(self.guide.trunk.widths))
        plain.load_state_dict(self.discriminator.state_dict())
        fold_spectrum(plain.eval())
        shape = {"family": "pocket_discriminator", "head_width": self.opt["head_width"]}
        shape["trunk_widths"] = list(self.guide.trunk.widths)
        return [*paths, save_weights(plain, folder / "discriminator.safetensors", shape | facts)]
