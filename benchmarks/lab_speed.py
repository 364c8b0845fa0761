"""What the engine costs: each GAN and VQGAN recipe's step beside a bare one of its networks: docs/lab/index.md.

    python benchmarks/lab_speed.py --data PATH [--steps 6] [--only RECIPE...] [--out benchmarks/results/lab_speed.json]

The bare step is written out below, of picture to picture and VQGAN in `lab_speed_more.py`: no schedules, no states, no
figures for the log, no seeds of single steps. Both do the same arithmetic in turn in one process on one thread; the
ratio is of processor time, so that other work on the machine counts in neither. Augmentation, path length and style
mixing are the lab's own functions in both.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lab_speed_more import MORE
from torch import Tensor

from zeuxis.errors import ZeuxisError
from zeuxis.lab.adversarial import Adversarial
from zeuxis.lab.augment import diff_augment
from zeuxis.lab.ema import Average
from zeuxis.lab.recipe_files import load, names
from zeuxis.lab.tasks import TASKS
from zeuxis.lab.tasks.base import Lab
from zeuxis.nets.gan.base import mix_styles
from zeuxis.storage.files import atomic_write

D_LOSS = {
    "hinge": lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(),
    "non-saturating": lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(),
    "minimax": lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(),
    "least-squares": lambda r, f: ((r - 1).square().mean() + f.square().mean()) / 2,
    "wasserstein": lambda r, f: f.mean() - r.mean(),
    "relativistic": lambda r, f: F.softplus(f - r).mean(),
    "began": lambda r, f: 0.1 * f.mean() - r.mean(),
}
G_LOSS = {
    "hinge": lambda f: -f.mean(),
    "non-saturating": lambda f: F.softplus(-f).mean(),
    "minimax": lambda f: -F.softplus(f).mean(),
    "least-squares": lambda f: (f - 1).square().mean() / 2,
    "wasserstein": lambda f: -f.mean(),
    "began": lambda f: -f.mean(),
}


def slope(discriminator: Any, images: Tensor, y: Tensor) -> Tensor:
    images = images.detach().requires_grad_(True)
    (found,) = torch.autograd.grad(discriminator(images, y).sum(), images, create_graph=True)
    return found.square().sum((1, 2, 3))


class Bare:
    """A recipe's step as somebody would write it by hand."""

    def __init__(self, task: Adversarial) -> None:
        self.task, self.opt, self.batch = task, task.opt, task.lab.config.batch
        self.g, self.d = copy.deepcopy(task.generator), copy.deepcopy(task.discriminator)
        self.adams = [
            torch.optim.Adam(
                [p for p in net.parameters() if p.requires_grad], lr=adam.lr, betas=adam.betas, eps=adam.eps
            )
            for net, adam in zip((self.g, self.d), task.adams.values(), strict=True)
        ]
        self.average, self.count, self.rng = Average(self.g, 0.999), 0, torch.Generator().manual_seed(0)
        self.extras = {name: type(value)() for name, value in task.generator_penalties.items()}
        self.source = task.opt.objective_options.get("source", "non-saturating")  # of an auxiliary class

    def rows(self) -> Tensor:
        chances = self.task.draws.weight
        if chances is None:
            return torch.randint(len(self.task.train), (self.batch,), generator=self.rng)
        return torch.multinomial(chances, self.batch, replacement=True, generator=self.rng)

    def real(self) -> tuple[Tensor, Tensor]:
        rows = self.rows()
        x = self.task.train.batch(rows).to(memory_format=torch.channels_last)
        if self.opt.flip:
            x = torch.where(torch.rand(self.batch, 1, 1, 1, generator=self.rng) < 0.5, x.flip(3), x)
        return self.seen(x), self.task.y[rows]

    def seen(self, x: Tensor) -> Tensor:
        x = diff_augment(x, self.rng, self.task.draws.policy)
        return self.task.adaptive(x, self.rng) if self.task.adaptive else x

    def fake(self) -> tuple[Tensor, Tensor, Tensor]:
        y, z = self.task.y[self.rows()], torch.randn(self.batch, self.g.z_dim, generator=self.rng)
        share = self.opt.style_mixing
        return z, y, mix_styles(self.g, z, y, share, self.rng) if share else self.g(z, y)

    def d_step(self, last: bool) -> tuple[Tensor, Tensor, Tensor, Any]:
        real, y_real = self.real()
        with torch.set_grad_enabled(last):
            z, y, fake = self.fake()
        seen = self.seen(fake)
        frozen = self.d.frozen(seen) if hasattr(self.d, "frozen") else None
        known = {} if frozen is None else {"frozen": [f.detach() for f in frozen]}
        if self.task.objective.classifies:
            one, two = self.d(real, y_real, classify=True), self.d(seen.detach(), y, classify=True)
            on_real = one.logits
            loss = D_LOSS[self.source](on_real, two.logits)
            loss = loss + self.task.objective.weight * (
                one.class_loss() + (two.class_loss() if self.task.objective.fakes else 0)
            )
        else:
            on_real = self.d(real, y_real)
            loss = D_LOSS[self.opt.objective](on_real, self.d(seen.detach(), y, **known))
            if self.opt.mismatched:
                loss = (loss + D_LOSS[self.opt.objective](on_real, self.d(real, y_real.roll(1, 0)))) / 2
        for name, of in self.opt.penalties.items():
            if self.count % of.every == 0:
                given = (real, seen.detach(), y_real, y)
                value = on_real.square().mean() if name == "drift" else self.penalty(name, *given)
                loss = loss + of.weight * of.every * value
        self.update(1, loss)
        return z, fake, seen, (y, frozen)

    def penalty(self, name: str, real: Tensor, fake: Tensor, y_real: Tensor, y: Tensor) -> Tensor:
        if name == "gradient":
            between = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1, generator=self.rng))
            return ((slope(self.d, between, y_real) + 1e-12).sqrt() - 1).square().mean()
        return slope(self.d, *((real, y_real) if name == "r1" else (fake, y))).mean() / 2

    def update(self, which: int, loss: Tensor) -> None:
        self.adams[which].zero_grad(set_to_none=True)
        loss.backward()
        self.adams[which].step()

    def step(self) -> None:
        for k in range(self.opt.discriminator_steps):
            z, fake, seen, (y, frozen) = self.d_step(last=k == self.opt.discriminator_steps - 1)
        trained = [p for p in self.d.parameters() if p.requires_grad]
        for p in trained:
            p.requires_grad_(False)
        if self.task.objective.classifies:
            said = self.d(seen, y, classify=True)
            loss = G_LOSS[self.source](said.logits) + self.task.objective.of_generator * said.class_loss()
        elif self.task.objective.relativistic:
            other, y_other = self.real()
            with torch.no_grad():
                level = self.d(other, y_other)
            loss = F.softplus(level - self.d(seen, y)).mean()
        else:
            loss = G_LOSS[self.opt.objective](self.d(seen, y, **({} if frozen is None else {"frozen": frozen})))
        if self.opt.mode_seeking:
            half = len(z) // 2
            images = (fake[:half] - fake[half : 2 * half]).abs().mean((1, 2, 3))
            loss = (
                loss + self.opt.mode_seeking * ((z[:half] - z[half : 2 * half]).abs().mean(1) / (images + 1e-3)).mean()
            )
        for name, of in self.opt.generator_penalties.items():
            if self.count % of.every == 0:
                loss = loss + of.weight * of.every * self.extras[name](self.g, z, y, self.rng)
        self.update(0, loss)
        for p in trained:
            p.requires_grad_(True)
        self.average.update(self.g)
        self.count += 1


def ratio(name: str, data: Path, steps: int) -> dict[str, float | str]:
    """Median processor seconds of the engine's steps and of bare ones, in turn, without those of lazy penalties."""
    config = load(name)
    task: Any = TASKS[config.task](Lab(config, data, torch.device("cpu"), torch.float32))
    architecture = "vqgan" if config.task == "vqgan" else task.opt.architecture
    averages = {part: Average(task.nets[part], 0.999) for part in task.averaged}
    bare = MORE.get(architecture, Bare)(task)
    spent = {"engine": [], "bare": []}

    def engine(step: int) -> None:
        task.step(step, 0.999)
        for part, average in averages.items():
            average.update(task.nets[part])

    for net in vars(bare).values():
        if hasattr(net, "set_progress"):
            net.set_progress(0.999)
    for step in range(1, steps + 3):  # without the lazy penalties of step 0
        bare.count = step
        for which in ("engine", "bare") if step % 2 else ("bare", "engine"):
            begin = time.process_time()
            engine(step) if which == "engine" else bare.step()
            spent[which].append(time.process_time() - begin)
    median = {which: statistics.median(values[2:]) for which, values in spent.items()}
    images = getattr(task, "images_per_step", config.batch)
    return {"architecture": architecture, **median, "ratio": median["bare"] / median["engine"],
            "images_per_processor_second": images / median["engine"], "steps": steps}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/lab_speed.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    for name in args.only or [name for name in names() if load(name).task in ("adversarial", "translation", "vqgan")]:
        try:
            found = ratio(name, args.data, args.steps)
        except ZeuxisError as error:
            print(f"{name}: left out, {error}")
            continue
        known[name] = {key: round(v, 4) if isinstance(v, float) else v for key, v in found.items()}
        print(f"{name}: {found['ratio']:.3f}, {found['images_per_processor_second']:.1f} images/s", flush=True)
        atomic_write(args.out, (json.dumps(known, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main()
