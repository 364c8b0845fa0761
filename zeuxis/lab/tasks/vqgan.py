"""VQGAN: an encoder, a codebook and a decoder that learn pictures, with a discriminator of patches at the end.

Esser, Rombach and Ommer, "Taming transformers for high-resolution image synthesis" (2021), section 3.1,
https://arxiv.org/abs/2012.09841 . The decoder is the one that draws published files (`zeuxis.nets.vqgan`), so an
export can be searched at once; what the paper's transformer models is here only counted: which codes stand where.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import read_images
from zeuxis.errors import BadInput
from zeuxis.hub.model_file import Part, write_model
from zeuxis.lab.augment import mirrored
from zeuxis.lab.objectives import Hinge
from zeuxis.lab.origin import of_images
from zeuxis.lab.quantiser import Usage, as_rows, follow, nearest, perplexity, quantised, restart
from zeuxis.lab.reconstruction import PatchDiscriminator, Perceptual, adaptive_weight
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate, triangular
from zeuxis.lab.vqgan_watch import VQGANWatch
from zeuxis.nets.layers import placed
from zeuxis.nets.vqgan import VQGAN as Generator
from zeuxis.nets.vqgan_encoder import CodeCounts, VQGANEncoder
from zeuxis.rng import stream
from zeuxis.spaces.algebra import principal_axes

DEFAULTS = {
    "codes": 512,
    "embed": 8,  # numbers of a code
    "z_channels": 64,
    "widths": [32, 32, 64, 96],  # a level for each size; a picture of R pixels has R / 2^(levels - 1) places a side
    "blocks": 1,
    "groups": 8,  # of the norms; published files have 32
    "attention": [],
    "codebook": "average",  # or "gradient"
    "codebook_decay": 0.99,
    "restart": 0.1,  # of its even share; a code that is used less starts again
    "commitment": 0.25,
    "pixels": 1.0,
    "perceptual": 1.0,
    "adversarial": 0.8,
    "adversarial_from": 0.75,  # progress; 1: never
    "discriminator_width": 32,
    "discriminator_layers": 2,
    "lr": 1e-3,
    "discriminator_lr": 2e-4,
    "flip": True,
    "resolution": 0,  # 0: the data set's own
    "counted": 2000,  # training pictures whose codes are counted, and whose axes are taken
    "axes": 64,  # of their grids; 0: none
    "watch": 300,
    "name": "vqgan",
}
BETAS = (0.5, 0.9)


class VQGAN:
    """Encoder, generator (codebook and decoder) and, from a later step on, a discriminator."""

    averaged = ("encoder", "generator")

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, (opt := lab.options(DEFAULTS))
        if opt["codebook"] not in ("average", "gradient"):
            raise BadInput(f'Expected codebook = "average" or "gradient", got {opt["codebook"]!r:.40}.')
        for share in ("codebook_decay", "adversarial_from", "restart"):
            if opt[share] > 1:
                raise BadInput(f"Expected {share} from 0 to 1, got {opt[share]}.")
        size = {"resolution": opt["resolution"] or None}
        self.train, self.test = (read_images(lab.config.data, lab.data, s, **size) for s in ("train", "test"))
        self.origin = of_images(self.train, self.test)
        torch.manual_seed(lab.config.seed)  # initial weights
        self.facts = {key: opt[key] for key in ("embed", "z_channels", "widths", "blocks", "attention", "groups")}
        self.facts |= {"img_channels": self.train.channels}
        generator, encoder = Generator(codes=opt["codes"], **self.facts), VQGANEncoder(**self.facts)
        if self.train.resolution % encoder.factor:
            raise BadInput(
                f"Expected a resolution that {encoder.factor} divides, since there are {len(opt['widths'])} levels, "
                f"got {self.train.resolution}."
            )
        self.side = self.train.resolution // encoder.factor
        self.generator, self.encoder = placed(generator, lab.device), placed(encoder, lab.device)
        self.book = generator.quantize.embedding.weight
        self.book.requires_grad_(opt["codebook"] == "gradient")
        self.usage = Usage(opt["codes"], opt["embed"]).to(lab.device)
        self.nets: dict[str, nn.Module] = {"encoder": self.encoder, "generator": self.generator, "usage": self.usage}
        learning = [p for net in (self.encoder, self.generator) for p in net.parameters() if p.requires_grad]
        adam = torch.optim.Adam(groups((learning, opt["lr"], 0.0)), betas=BETAS)
        self.optimizers: dict[str, Optimizer] = {"generator": adam}
        self.discriminator = self._discriminator()
        self.perceptual = Perceptual(lab.device) if opt["perceptual"] else None
        self.watch = VQGANWatch(self.train, self.test, opt["watch"], lab)
        self.columns = self.watch.columns
        self._read: Tensor | None = None  # codes of the counted pictures, once a checkpoint

    def _discriminator(self) -> PatchDiscriminator | None:
        opt = self.opt
        if not opt["adversarial"] or opt["adversarial_from"] >= 1:
            return None
        width, layers = opt["discriminator_width"], opt["discriminator_layers"]
        net = placed(PatchDiscriminator(self.train.resolution, self.train.channels, width, layers), self.lab.device)
        pairs = groups((list(net.parameters()), opt["discriminator_lr"], 0.0))
        self.nets["discriminator"] = net
        self.optimizers["discriminator"] = torch.optim.Adam(pairs, betas=BETAS)
        return net

    def _batch(self, rng: torch.Generator) -> Tensor:
        """Training pictures (N, C, R, R) in [-1, 1], half of them mirrored."""
        rows = torch.randint(len(self.train), (self.lab.config.batch,), generator=rng)
        images = self.train.batch(rows).to(self.lab.device, memory_format=torch.channels_last)
        if not self.opt["flip"]:
            return images
        return mirrored(images, torch.rand(len(rows), 1, 1, 1, generator=rng) < 0.5)

    def step(self, step: int, progress: float) -> dict[str, float]:
        """One batch: encoder and decoder, the codes, then the discriminator if its time has come."""
        opt, rng = self.opt, stream(self.lab.config.seed, "step", step)
        self._read = None
        for net in self.nets.values():
            net.train()
        set_rate(self.optimizers["generator"], triangular(progress, peak=0.05))  # the discriminator's stays: it is late
        images = self._batch(rng)
        with self.lab.autocast():
            vectors = self.encoder(images)
        rows = as_rows(vectors.float())
        restarted = restart(self.usage, self.book.data, rows, opt["restart"], rng)
        grid, chosen, of_codes, commitment = quantised(vectors.float(), self.book)
        with self.lab.autocast():
            drawn = torch.as_tensor(self.generator(grid)).float()
        figures = {"commitment": commitment, "codes": of_codes}
        total = self._reconstruction(drawn, images, figures)
        judged = self.discriminator if progress >= opt["adversarial_from"] else None
        if judged is not None:
            total = total + self._adversarial(judged, drawn, total, figures)
        total = total + opt["commitment"] * commitment + (of_codes if self.book.requires_grad else 0)
        descend(self.optimizers["generator"], total)
        follow(self.usage, self.book.data, rows, chosen, opt["codebook_decay"], move=opt["codebook"] == "average")
        if judged is not None:
            self._judge(judged, images, drawn.detach(), figures)
        found = {name: float(value.detach()) for name, value in figures.items()}
        used = torch.bincount(chosen, minlength=opt["codes"])
        return found | {"perplexity": perplexity(used), "restarted": float(restarted)}

    def _reconstruction(self, drawn: Tensor, images: Tensor, figures: dict[str, Tensor]) -> Tensor:
        """Its loss: pixels, and features where they count."""
        figures["l1"] = (drawn - images).abs().mean()
        total: Tensor = self.opt["pixels"] * figures["l1"]
        if self.perceptual is not None:
            with self.lab.autocast():
                figures["perceptual"] = self.perceptual(drawn, images)
            total = total + self.opt["perceptual"] * figures["perceptual"]
        return total

    def _adversarial(self, net: nn.Module, drawn: Tensor, rest: Tensor, figures: dict[str, Tensor]) -> Tensor:
        """Its weighted loss for the generator: Eqs. 5 to 7."""
        net.requires_grad_(False)
        with self.lab.autocast():
            said = net(drawn).float()
        net.requires_grad_(True)
        figures["g_loss"] = Hinge().generator(said)
        figures["weight"] = adaptive_weight(rest, figures["g_loss"], self.generator.decoder.conv_out.weight)
        loss: Tensor = self.opt["adversarial"] * figures["weight"] * figures["g_loss"]
        return loss

    def _judge(self, net: nn.Module, images: Tensor, drawn: Tensor, figures: dict[str, Tensor]) -> None:
        """One update of the discriminator."""
        with self.lab.autocast():
            on_real, on_fake = net(images).float(), net(drawn).float()
        figures["d_loss"] = Hinge().discriminator(on_real, on_fake) / 2
        figures |= {"D(real)": on_real.mean(), "D(fake)": on_fake.mean()}
        descend(self.optimizers["discriminator"], figures["d_loss"])

    @torch.no_grad()
    def chosen(self, nets: dict[str, nn.Module], images: Tensor) -> Tensor:
        """Pictures (N, C, R, R) in [-1, 1] -> the numbers of their codes (N, side * side), on the CPU."""
        codes = book_of(nets)
        with self.lab.autocast():
            parts = [nets["encoder"].eval()(part.to(self.lab.device)).float() for part in torch.split(images, 64)]
        return torch.cat([nearest(as_rows(part), codes).cpu() for part in parts]).reshape(len(images), -1)

    @torch.no_grad()
    def draw(self, nets: dict[str, nn.Module], chosen: Tensor) -> Tensor:
        """Numbers of codes (N, side * side) -> pictures (N, C, R, R) in [-1, 1], on the CPU."""
        codes, out = book_of(nets), []
        for part in torch.split(chosen, 64):
            grid = codes[part.to(codes.device)].reshape(len(part), self.side, self.side, -1).permute(0, 3, 1, 2)
            with self.lab.autocast():
                out.append(nets["generator"].eval()(grid).float().clamp(-1, 1).cpu())
        return torch.cat(out)

    def read(self, nets: dict[str, nn.Module]) -> Tensor:
        """The codes of some training pictures, always the same ones: (M, side * side)."""
        if self._read is None:
            picked = torch.randperm(len(self.train), generator=stream(0, "counted"))[: max(2, self.opt["counted"])]
            self._read = torch.cat([self.chosen(nets, self.train.batch(rows)) for rows in torch.split(picked, 256)])
        return self._read

    def counts(self, nets: dict[str, nn.Module]) -> Tensor:
        """How often each code stands in each place of these: (side * side, K) int32."""
        numbers = self.read(nets).T.contiguous()  # (P, M)
        found = torch.zeros(len(numbers), self.opt["codes"], dtype=torch.int32)
        return found.scatter_add_(1, numbers, torch.ones_like(numbers, dtype=torch.int32))

    def axes(self, nets: dict[str, nn.Module]) -> tuple[Tensor, Tensor]:
        """Mean (D,) and the widest axes (A, D) of their grids as rows of D = side * side * embed numbers; each axis as
        long as the standard deviation along it.
        """
        rows = book_of(nets).cpu()[self.read(nets)].flatten(1).double()  # (M, D)
        mean, axes = principal_axes(rows)
        axes = axes[:, : self.opt["axes"]].double()
        deviation = ((rows - mean) @ axes).std(dim=0)
        return mean.float(), (axes * deviation).T.float().contiguous()

    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """Held-out figures; see `zeuxis.lab.vqgan_watch`."""
        return self.watch.figures(partial(self.chosen, nets), partial(self.draw, nets), self.counts(nets))

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """Held-out pictures, always the same, below each its reconstruction, and draws from the counted codes."""
        sheet = self.watch.sheet(partial(self.chosen, nets), partial(self.draw, nets), self.counts(nets))
        return sheet.expand(-1, 3, -1, -1)

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`NAME.safetensors`: codebook and decoder, the encoder, and what was read of training pictures."""
        counted = CodeCounts(self.side**2, self.opt["codes"])
        counted.counts.copy_(self.counts(nets))
        parts = {
            "generator": Part({"codes": self.opt["codes"]} | self.facts, nets["generator"].state_dict()),
            "encoder": Part(self.facts, nets["encoder"].state_dict()),
            "counts": Part({"places": self.side**2, "codes": self.opt["codes"]}, counted.state_dict()),
        }
        if self.opt["axes"]:
            mean, axes = self.axes(nets)
            facts = {"places": self.side**2, "embed": self.opt["embed"], "axes": len(axes)}
            parts["axes"] = Part(facts, {"mean": mean, "axes": axes})
        config = self.lab.config
        trained = {"recipe": config.about, "seed": config.seed, "figures": self.watch.latest}
        about = {"data": self.train.source, "trained": trained}
        path = folder / f"{self.opt['name']}.safetensors"
        return [write_model(path, "vqgan", parts, about=about, licence=self.train.licence)]


def book_of(nets: dict[str, nn.Module]) -> Tensor:
    """The codes (K, E) among `nets`."""
    net = nets["generator"]
    assert isinstance(net, Generator)
    return net.quantize.embedding.weight.detach()
