"""Bare steps for `lab_speed.py` of the recipes that are no GANs of latents: CycleGAN, StarGAN and VQGAN.

Written out from the papers that the networks name, on copies of the task's networks: no schedules, no figures for the
log, no seeds of single steps. tests/lab/test_bare_steps.py holds their losses and weights against the engine's.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.lab.ema import Average


def adam(nets: list[nn.Module], lr: float, betas: tuple[float, float], eps: float = 1e-8) -> torch.optim.Adam:
    return torch.optim.Adam([p for net in nets for p in net.parameters() if p.requires_grad], lr, betas, eps)


def descend(optimizer: torch.optim.Adam, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def mirrored(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.where(torch.rand(len(x), 1, 1, 1, generator=rng) < 0.5, x.flip(3), x)


def pooled(pool: list[Tensor], fakes: Tensor, size: int, rng: torch.Generator | None = None) -> Tensor:
    """Fakes to show D, some exchanged for earlier ones of a pool of `size`: arXiv 1703.10593, section 4."""
    shown = list(fakes.detach())
    for k, fake in enumerate(shown):
        if len(pool) < size:
            pool.append(fake)
        elif torch.rand((), generator=rng) < 0.5:
            place = int(torch.randint(size, (), generator=rng))
            shown[k], pool[place] = pool[place], fake
    return torch.stack(shown)


class BareStar:
    """StarGAN: arXiv 1711.09020, Eqs. 5, 6 and 8."""

    def __init__(self, task: Any) -> None:
        self.task, self.opt, self.batch = task, task.opt, task.lab.config.batch
        self.g, self.d = copy.deepcopy(task.generator), copy.deepcopy(task.discriminator)
        self.of_g, self.of_d = (
            adam([net], of.lr, of.betas, of.eps) for net, of in zip((self.g, self.d), task.adams.values(), strict=True)
        )
        self.average, self.count, self.rng = Average(self.g, 0.999), 0, torch.Generator().manual_seed(0)
        self.domains = [(task.y == k).nonzero().flatten() for k in range(len(task.domains))]

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """As many pictures of each domain, one after the other; their domains, and others (N, 1)."""
        each, count = self.batch // len(self.domains), len(self.domains)
        rows = torch.cat([of[torch.randint(len(of), (each,), generator=self.rng)] for of in self.domains])
        x, y = self.task.train.batch(rows).to(memory_format=torch.channels_last), self.task.y[rows][:, None]
        target = (y + torch.randint(1, count, y.shape, generator=self.rng)) % count
        return mirrored(x, self.rng) if self.opt.flip else x, y, target

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        place = torch.rand(len(x), 1, 1, 1, generator=self.rng)
        between = torch.lerp(x, fake, place).requires_grad_(True)
        (found,) = torch.autograd.grad(self.d(between).sum(), between, create_graph=True)
        return ((found.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()

    def step(self) -> list[Tensor]:
        opt = self.opt
        for left in reversed(range(opt.discriminator_steps)):
            x, y, target = self.draw()
            with torch.set_grad_enabled(not left):
                fake = self.g(x, target)
            real = self.d(x, y, classify=True)
            d_loss = self.d(fake.detach()).mean() - real.logits.mean()
            classes = F.cross_entropy(real.classes[0], y[:, 0])
            penalty = opt.penalties["gradient"].weight * self.penalty(x, fake.detach())
            descend(self.of_d, d_loss + opt.classification * classes + penalty)
        self.d.requires_grad_(False)
        said = self.d(fake, target, classify=True)
        g_loss, classes = -said.logits.mean(), F.cross_entropy(said.classes[0], target[:, 0])
        cycle = F.l1_loss(self.g(fake, y), x)
        descend(self.of_g, g_loss + opt.classification * classes + opt.cycle * cycle)
        self.d.requires_grad_(True)
        self.average.update(self.g)
        return [d_loss, g_loss, cycle]


class BareCycle(BareStar):
    """CycleGAN: arXiv 1703.10593, Eqs. 1 to 3, identity (section 5.2) and the pool of earlier fakes (section 4)."""

    def __init__(self, task: Any) -> None:
        super().__init__(task)
        self.pools: list[list[Tensor]] = [[], []]

    def step(self) -> list[Tensor]:
        opt, (to_a, to_b), (of_a, of_b) = self.opt, self.g.nets, self.d.nets
        x = self.draw()[0]
        a, b = x.chunk(2)
        fakes = to_a(b), to_b(a)
        shown = [pooled(pool, fake, opt.pool, self.rng) for pool, fake in zip(self.pools, fakes, strict=True)]
        real, fake = torch.cat([of_a(a), of_b(b)]), torch.cat([of_a(shown[0]), of_b(shown[1])])
        d_loss = ((real - 1).square().mean() + fake.square().mean()) / 2
        descend(self.of_d, d_loss)
        self.d.requires_grad_(False)
        g_loss = (torch.cat([of_a(fakes[0]), of_b(fakes[1])]) - 1).square().mean() / 2
        cycle = F.l1_loss(torch.cat([to_a(fakes[1]), to_b(fakes[0])]), x)
        identity = F.l1_loss(torch.cat([to_a(a), to_b(b)]), x)
        descend(self.of_g, g_loss + opt.cycle * cycle + opt.identity * identity)
        self.d.requires_grad_(True)
        self.average.update(self.g)
        return [d_loss, g_loss, cycle, identity]


class BareVQGAN:
    """VQGAN before its discriminator: arXiv 2012.09841, Eq. 4; codes as in arXiv 1711.00937, appendix A.1, restarted as
    in arXiv 2005.00341, section 3. The features of MobileNet are compared as in arXiv 1801.03924, Eq. 1.
    """

    def __init__(self, task: Any) -> None:
        self.task, self.opt, self.batch = task, task.opt, task.lab.config.batch
        self.e, self.g = copy.deepcopy(task.encoder), copy.deepcopy(task.generator)
        self.book = self.g.quantize.embedding.weight
        self.counts, self.sums = torch.zeros(len(self.book)), torch.zeros_like(self.book)
        self.adam = adam([self.e, self.g], self.opt["lr"], (0.5, 0.9))
        self.averages = [Average(net, 0.999) for net in (self.e, self.g)]
        self.eyes, self.strides = task.perceptual.net, task.perceptual.strides
        self.count, self.rng = 0, torch.Generator().manual_seed(0)

    def features(self, x: Tensor) -> list[Tensor]:
        return [F.normalize(h, dim=1, eps=1e-6) for h in self.eyes.taps(x, self.strides)]

    def perceptual(self, drawn: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.features(x)
        found = self.features(drawn.clamp(-1, 1))
        return sum((a - b).square().sum(1).mean() for a, b in zip(found, wanted, strict=True)) / len(wanted)

    @torch.no_grad()
    def restart(self, rows: Tensor) -> None:
        least = self.opt["restart"] * len(rows) / len(self.book)
        dead = (self.counts < least).nonzero().flatten()
        if len(dead):
            self.book[dead] = rows[torch.randint(len(rows), (len(dead),), generator=self.rng)]
            self.counts[dead] = 2 * least
            self.sums[dead] = 2 * least * self.book[dead]

    @torch.no_grad()
    def follow(self, rows: Tensor, chosen: Tensor) -> None:
        rate = 1 - self.opt["codebook_decay"]
        self.counts.lerp_(torch.bincount(chosen, minlength=len(self.book)).float(), rate)
        self.sums.lerp_(torch.zeros_like(self.sums).index_add_(0, chosen, rows), rate)
        used = self.counts > 1e-5
        self.book[used] = self.sums[used] / self.counts[used, None]

    def step(self) -> list[Tensor]:
        opt = self.opt
        x = self.task.train.batch(torch.randint(len(self.task.train), (self.batch,), generator=self.rng))
        x = mirrored(x.to(memory_format=torch.channels_last), self.rng)
        grid = self.e(x)
        z = grid.permute(0, 2, 3, 1).reshape(-1, grid.shape[1])
        self.restart(z.detach())
        with torch.no_grad():
            chosen = (self.book.square().sum(1) - 2 * z @ self.book.T).argmin(1)
            code = self.book[chosen]
        commitment, straight = F.mse_loss(z, code), z + (code - z).detach()
        drawn = self.g(straight.reshape(len(x), *grid.shape[2:], -1).permute(0, 3, 1, 2))
        l1, perceptual = F.l1_loss(drawn, x), self.perceptual(drawn, x)
        descend(self.adam, opt["pixels"] * l1 + opt["perceptual"] * perceptual + opt["commitment"] * commitment)
        self.follow(z.detach(), chosen)
        for average, net in zip(self.averages, (self.e, self.g), strict=True):
            average.update(net)
        return [l1, perceptual, commitment]


MORE = {"cyclegan": BareCycle, "stargan": BareStar, "vqgan": BareVQGAN}
