"""A step of the engine beside a published implementation's own, networks and all, written down here from the papers.

    python benchmarks/lab_published.py --data PATH [--steps 6] [--only RECIPE...] [--one-draw]
        [--out benchmarks/results/lab_published.json]

`lab_speed.py` compares with a bare step of the same networks. Here networks are plain too: layers of torch, NCHW,
float32, Adam, at the widths, resolution, batch, steps of the discriminator and penalties of the recipe. Processor time
in turns in one process on one thread, the median over steps on which no lazy penalty falls. `ratio` is published over
engine: 1 is as fast, 1 / 1.3 = 0.77 the least that is aimed at. `whole` counts lazy penalties in.

The two do not do quite the same. The engine's fakes of the (last) update of D serve that of G as well; the published
step draws others for G where paper or authors do (`draws` 2), and so computes one more pass of G, which `--one-draw`
spares it. Both freeze D while G is trained. The engine always averages G's weights, the published step where the
paper does. A lazy penalty is a step of Adam of its own when published. Mode seeking and mismatched labels are of
other papers, but in the recipes, so in both. Where a network of ours is a cheaper relative of the paper's, or has
labels that the paper has not, the row says so. Perceptrons need more steps (60) for a figure that stands.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import published_networks as plain
import torch
import torch.nn.functional as F
from lab_speed import D_LOSS, G_LOSS, Bare
from lab_speed_more import pooled
from published_networks import Options, Pair
from torch import Tensor, nn

from zeuxis.errors import ZeuxisError
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.ema import Average
from zeuxis.lab.recipe_files import load
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.translation import Translation
from zeuxis.storage.files import atomic_write

WARM = 2  # turns that do not count


class Family(NamedTuple):
    """`draws` of fakes in a step with one update of D; whether the paper averages G; why sizes or work differ."""

    build: Callable[[Options], Pair]
    draws: int
    averaged: bool = False
    note: str = ""


LABEL = "label one-hot behind z, 10 numbers, ours 32"
FAMILIES = {
    "mlp-gan-mnist": Family(plain.mlp_gan, 2),
    "cgan-mlp-mnist": Family(
        plain.cgan_mlp, 2, note="labels one-hot, 10 numbers, ours a table of 32; dropout in G too"
    ),
    "dcgan-mnist": Family(plain.dcgan, 1),
    "dcgan-cifar10": Family(plain.dcgan, 1),
    "acgan-mnist": Family(plain.acgan, 1, note=LABEL),
    "acgan-cifar10": Family(plain.acgan, 1, note=LABEL),
    "wgan-gp-mnist": Family(plain.wgan_gp, 2, note="without labels, which ours has; skips of D convolve, then pool"),
    "sngan-cifar10": Family(plain.sngan, 2, note="skips of D convolve, then pool; ours pools first"),
    "began-products": Family(plain.began, 2),
    "progan-cats": Family(plain.progan, 2, True, "ours has more layers of colours"),
    "stylegan-products": Family(plain.stylegan, 2, True, "D convolves, then pools; ours strides as StyleGAN2 does"),
    "stylegan2-cifar10": Family(plain.stylegan2, 2, True, "noise, filters, doubling first, label bias; ours has none"),
    "r3gan-cifar10": Family(plain.r3gan, 2, True),
    "biggan-cifar10": Family(plain.biggan, 2, True),
    "cyclegan-shoes": Family(plain.cyclegan, 1),
}


def options_of(task: Any) -> Options:
    """The options of both networks, given or default, and sizes."""

    def of(net: nn.Module, own: dict[str, Any]) -> Options:
        return Options(**{n: p.default for n, p in inspect.signature(type(net)).parameters.items()} | own)

    g, d = of(task.generator, task.opt.generator), of(task.discriminator, task.opt.discriminator)
    return Options(g=g, d=d, mixing=getattr(task.opt, "style_mixing", 0.0), **task.facts)


def moved(x: Tensor) -> Tensor:
    """Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training", arXiv 2006.10738."""
    n, size, reach = len(x), x.shape[2], x.shape[2] // 8
    rows, columns = torch.randint(0, 2 * reach + 1, (2, n, 1)) + torch.arange(size)
    padded, place = F.pad(x, (reach,) * 4).permute(0, 2, 3, 1), torch.arange(n)[:, None, None]
    return padded[place, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2).contiguous()


class Published(Bare):
    """The step of a GAN: Goodfellow et al. 2014, arXiv 1406.2661, algorithm 1. Batches and penalties are `Bare`'s."""

    def __init__(self, task: Any, family: Family) -> None:
        self.task, self.opt, self.batch, self.draws = task, task.opt, task.lab.config.batch, family.draws
        self.rng, self.k, o = torch.Generator().manual_seed(0), 0.0, options_of(task)
        self.g, self.d = family.build(o)
        self.z_dim, self.pixels = getattr(o.g, "z_dim", 0), task.train.pixels.permute(0, 3, 1, 2).contiguous()
        self.adams = [
            torch.optim.Adam(net.parameters(), lr=of.lr, betas=of.betas, eps=of.eps)
            for net, of in zip((self.g, self.d), task.adams.values(), strict=True)
        ]
        self.average = copy.deepcopy(self.g).requires_grad_(False) if family.averaged else None
        source = task.opt.objective_options.get("source", "non-saturating")
        self.objective = source if task.opt.objective == "auxiliary-class" else task.opt.objective

    def images(self, rows: Tensor) -> Tensor:
        x = self.pixels[rows].float() / 127.5 - 1
        return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x) if self.opt.flip else x

    def seen(self, x: Tensor) -> Tensor:
        return moved(x) if self.opt.augmentation else x

    def fake(self) -> tuple[Tensor, Tensor, Tensor]:
        z, y = torch.randn(self.batch, self.z_dim), self.task.y[self.rows()]
        if self.opt.mode_seeking:  # pairs of one label
            y[self.batch // 2 :] = y[: self.batch // 2]
        return z, y, self.g(z, y)

    def judged(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor | float]:
        """Logits, and the loss of classes."""
        said = self.d(x, y)
        if isinstance(said, Tensor):
            return said, 0.0
        return said[0], self.opt.objective_options.get("weight", 1.0) * F.cross_entropy(said[1], y[:, 0])

    def d_loss(self, real: Tensor, fake: Tensor, y_real: Tensor, y: Tensor) -> Tensor:
        of, (on_real, one), (on_fake, two) = self.opt.penalties, self.judged(real, y_real), self.judged(fake, y)
        if self.objective == "began":  # section 3.4, gamma 0.5, rate 1e-3
            loss, balance = self.k * on_fake.mean() - on_real.mean(), on_fake.mean() - 0.5 * on_real.mean()
            self.k = min(max(self.k + 1e-3 * float(balance.detach()), 0.0), 1.0)
            return loss
        loss = D_LOSS[self.objective](on_real, on_fake) + one + two
        if self.opt.mismatched:  # Reed et al. 2016, arXiv 1605.05396
            loss = (loss + D_LOSS[self.objective](on_real, self.d(real, y_real.roll(1, 0)))) / 2
        if "drift" in of:
            loss = loss + of["drift"].weight * on_real.square().mean()
        if "gradient" in of:
            loss = loss + of["gradient"].weight * self.penalty("gradient", real, fake, y_real, y)
        return loss

    def g_loss(self, real: Tensor, y_real: Tensor, z: Tensor, y: Tensor, fake: Tensor) -> Tensor:
        opt, (logits, classes) = self.opt, self.judged(self.seen(fake), y)
        if self.objective == "relativistic":
            with torch.no_grad():
                level = self.d(real, y_real)
            return F.softplus(level - logits).mean()
        loss = G_LOSS[self.objective](logits) + classes
        if opt.mode_seeking:  # Mao et al. 2019, arXiv 1903.05628
            far, apart = ((x[: len(x) // 2] - x[len(x) // 2 :]).abs().flatten(1).mean(1) for x in (z, fake))
            loss = loss + opt.mode_seeking * (far / (apart + 1e-3)).mean()
        if "orthogonal" in opt.generator_penalties:  # arXiv 1809.11096, Eq. 3; neither labels nor norms
            named = [(n, p.flatten(1)) for n, p in self.g.named_parameters() if p.ndim > 1]
            grams = [p @ p.T for n, p in named if not any(part in n for part in ("embed", "gain", "norms"))]
            apart = sum((gram - gram.diagonal().diag()).square().sum() for gram in grams)
            loss = loss + opt.generator_penalties["orthogonal"].weight * apart
        return loss

    def step(self, due: bool) -> None:
        """One step, with the lazy penalties if they are `due`."""
        for left in reversed(range(self.opt.discriminator_steps)):
            rows = self.rows()
            real, y_real = self.seen(self.images(rows)), self.task.y[rows]
            with torch.set_grad_enabled(self.draws == 1 and not left):
                z, y, fake = self.fake()
            given = real, self.seen(fake.detach()), y_real, y
            self.update(1, self.d_loss(*given))
            if due:
                lazy = self.opt.penalties.items()
                self.update(1, sum(of.weight * of.every * self.penalty(name, *given) for name, of in lazy))
        if self.draws == 2:
            z, y, fake = self.fake()
        self.d.requires_grad_(False)
        self.update(0, self.g_loss(real, y_real, z, y, fake))
        self.d.requires_grad_(True)
        if self.average is not None:
            with torch.no_grad():
                for mine, of in zip(self.average.parameters(), self.g.parameters(), strict=True):
                    mine.lerp_(of, 0.001)


class PublishedCycle(Published):
    """The step of CycleGAN, arXiv 1703.10593, Eqs. 1 to 3, with the pool of 50 fakes of section 4."""

    def __init__(self, task: Any, family: Family) -> None:
        super().__init__(task, family)
        self.domains = [(task.y == k).nonzero().flatten() for k in range(2)]
        self.pools: list[list[Tensor]] = [[], []]

    def step(self, due: bool) -> None:
        opt, (to_x, to_y) = self.opt, self.g
        x, y = (self.images(rows[torch.randint(len(rows), (self.batch // 2,))]) for rows in self.domains)
        fakes = to_x(y), to_y(x)
        self.d.requires_grad_(False)
        loss = sum(G_LOSS["least-squares"](d(fake)) for d, fake in zip(self.d, fakes, strict=True))
        loss = loss + opt.cycle * (F.l1_loss(to_x(fakes[1]), x) + F.l1_loss(to_y(fakes[0]), y))
        self.update(0, loss + opt.identity * (F.l1_loss(to_x(x), x) + F.l1_loss(to_y(y), y)))
        self.d.requires_grad_(True)
        shown = (pooled(pool, fake, opt.pool) for pool, fake in zip(self.pools, fakes, strict=True))
        nets = zip(self.d, (x, y), shown, strict=True)
        self.update(1, sum(D_LOSS["least-squares"](d(real), d(fake)) for d, real, fake in nets))


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def measured(name: str, data: Path, steps: int, family: Family) -> dict[str, Any]:
    """Processor seconds of both, in turns; those of steps with lazy penalties apart."""
    config = load(name)
    kind, of = (Translation, PublishedCycle) if config.task == "translation" else (Adversarial, Published)
    task = kind(Lab(config, data, torch.device("cpu"), torch.float32))
    average, published = Average(task.generator, 0.999), of(task, family)

    def engine(step: int) -> None:
        task.step(step, 0.999)
        average.update(task.generator)

    every = max((of.every for of in task.opt.penalties.values()), default=1)
    plain = [step for step in range(1, 2 * (steps + WARM)) if every == 1 or step % every][: steps + WARM]
    due = [every] * (steps if every > 1 else 0)  # the same step again: it has all lazy penalties
    spent = {which: list[float]() for which in ("engine", "published")}
    for k, step in enumerate([*plain, *due]):
        for which in sorted(spent, reverse=bool(k % 2)):
            begin = time.process_time()
            engine(step) if which == "engine" else published.step(k >= len(plain))
            spent[which].append(time.process_time() - begin)
    median = {which: statistics.median(times[WARM : len(plain)]) for which, times in spent.items()}
    lazy = {which: statistics.median(times[len(plain) :] or [median[which]]) for which, times in spent.items()}
    whole = {which: ((every - 1) * median[which] + lazy[which]) / every for which in spent}
    sizes = {"G": count(task.generator), "G_published": count(published.g)}
    sizes |= {"D": count(task.discriminator), "D_published": count(published.d)}
    ratios = {key: of["published"] / of["engine"] for key, of in (("ratio", median), ("whole", whole))}
    return sizes | median | ratios | {"draws": family.draws, "steps": steps, "note": family.note}


def row(name: str, of: dict[str, Any]) -> str:
    cells = [f"`{name}`", f"{of['G']:,} / {of['G_published']:,}", f"{of['D']:,} / {of['D_published']:,}"]
    cells += [f"{of['engine']:.3f}", f"{of['published']:.3f}", f"{of['ratio']:.2f}", f"{of['whole']:.2f}"]
    return f"| {' | '.join([*cells, str(of['draws']), of['note']])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--only", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--one-draw", action="store_true", help="published fakes serve D and G, as the engine's do")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/lab_published.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    print("| recipe | G: ours / published | D | engine s | published s | ratio | whole | draws | |")
    print("|---" * 9 + "|")
    for name in args.only:
        try:
            family = FAMILIES[name]._replace(draws=1) if args.one_draw else FAMILIES[name]
            found = measured(name, args.data, args.steps, family)
        except ZeuxisError as error:
            print(f"{name}: left out, {error}")
            continue
        print(row(name, found), flush=True)
        known[name] = {key: round(v, 4) if isinstance(v, float) else v for key, v in found.items()}
        atomic_write(args.out, (json.dumps(known, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
