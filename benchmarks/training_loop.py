"""What the trainer costs beside a bare hand-written step of the same networks, and images/s of each GAN recipe.

    python benchmarks/training_loop.py --data PATH [--weights FOLDER] [--steps 12] [--out benchmarks/results]

Both loops do the same arithmetic in turn in one process; their ratio is of processor time, so that other work on the
machine counts in neither. Images/s are of this machine and of the number of threads that it prints.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from zeuxis.errors import ZeuxisError
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.augment import diff_augment
from zeuxis.lab.ema import Average
from zeuxis.lab.recipe_files import load, names
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.gan.stylegan2 import Discriminator, Generator
from zeuxis.rng import stream

EVERY, WEIGHT = 16, 1.0  # of R1 in stylegan2-products


class Bare:
    """stylegan2-products as somebody would write it by hand."""

    def __init__(self, task: Adversarial, batch: int) -> None:
        torch.manual_seed(21)
        opt = task.opt
        self.g, self.d = Generator(**task.facts, **opt.generator), Discriminator(**task.facts, **opt.discriminator)
        for net in (self.g, self.d):
            net.to(memory_format=torch.channels_last)
        adam = {"lr": 2e-3, "betas": (0.0, 0.99)}
        self.opt_g, self.opt_d = (
            torch.optim.Adam(self.g.parameters(), **adam),
            torch.optim.Adam(self.d.parameters(), **adam),
        )
        self.data, self.y, self.batch, self.count = task.train, task.y, batch, 0
        self.average, self.chances = Average(self.g, 0.999), task.weight

    def rows(self, rng: torch.Generator) -> torch.Tensor:
        return torch.multinomial(self.chances, self.batch, replacement=True, generator=rng)

    def step(self) -> None:
        rng = stream(21, "step", self.count)
        rows = self.rows(rng)
        x = self.data.pixels[rows].permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
        x = torch.where(torch.rand(self.batch, 1, 1, 1, generator=rng) < 0.5, x.flip(3), x)
        y_real, y = self.y[rows], self.y[self.rows(rng)]
        fake = self.g(torch.randn(self.batch, self.g.z_dim, generator=rng), y)
        real, seen = (diff_augment(images, rng, ("translation",)) for images in (x, fake))
        d_loss = F.softplus(-self.d(real, y_real)).mean() + F.softplus(self.d(seen.detach(), y)).mean()
        if self.count % EVERY == 0:
            real = real.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.d(real, y_real).sum(), real, create_graph=True)
            d_loss = d_loss + WEIGHT * EVERY * slope.square().sum((1, 2, 3)).mean() / 2
        self.opt_d.zero_grad(set_to_none=True)
        d_loss.backward()
        self.opt_d.step()
        self.d.requires_grad_(False)
        g_loss = F.softplus(-self.d(seen, y)).mean()
        self.opt_g.zero_grad(set_to_none=True)
        g_loss.backward()
        self.opt_g.step()
        self.d.requires_grad_(True)
        self.average.update(self.g)
        self.count += 1


def ratio(data: Path, steps: int) -> dict[str, float]:
    """Processor seconds of the engine's steps and of bare ones, in turn."""
    config = load("stylegan2-products")
    task = Adversarial(Lab(config, data, torch.device("cpu"), torch.float32))
    average, bare = Average(task.generator, 0.999), Bare(task, config.batch)
    spent = {"engine": 0.0, "bare": 0.0}

    def engine(step: int) -> None:
        task.step(step, 0.0)
        average.update(task.generator)

    for step in range(EVERY + steps):  # a whole round of the lazy penalty to warm up
        for name in ("engine", "bare") if step % 2 else ("bare", "engine"):
            begin = time.process_time()
            engine(step) if name == "engine" else bare.step()
            spent[name] += (time.process_time() - begin) * (step >= EVERY)
    return {**spent, "ratio": spent["bare"] / spent["engine"], "steps": steps}


def speed(name: str, data: Path, weights: Path | None, steps: int) -> dict[str, float] | None:
    """Images/s of one recipe: of the median step, beside processor seconds a step. None for what cannot start here."""
    config = load(name)
    try:
        task = Adversarial(Lab(config, data, torch.device("cpu"), torch.float32, weights))
    except ZeuxisError as error:
        print(f"{name}: left out, {error}")
        return None
    found, begin = [], time.process_time()
    for step in range(steps):
        start = time.perf_counter()
        task.step(step, 0.0)
        found.append(time.perf_counter() - start)
    median = sorted(found)[len(found) // 2]
    processor = (time.process_time() - begin) / steps
    return {"images_per_second": task.images_per_step / median, "processor_seconds": processor, "steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    found = {"threads": torch.get_num_threads(), "loop": ratio(args.data, args.steps), "recipes": {}}
    print(f"bare / engine processor time: {found['loop']['ratio']:.3f}")
    for name in itertools.filterfalse(lambda name: load(name).task != "adversarial", names()):
        figures = speed(name, args.data, args.weights, args.steps)
        if figures:
            found["recipes"][name] = figures
            print(f"{name}: {figures['images_per_second']:.1f} images/s")
    (args.out / "training_loop.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
