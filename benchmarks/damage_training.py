"""Trainings and model files that `damage.py` damages, and the commands that read them, called in this process."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from damage_base import Result, digest, replaced
from safetensors.torch import load_file

CPU = torch.device("cpu")
LATENT = {"z_dim": 4, "embed_dim": 2}
NETS = {"generator": LATENT | {"width": 2}, "discriminator": {"width": 2}, "objective": "non-saturating"}
GAN = {"architecture": "dcgan", "name": "gan", "watch": 20, "resolution": 16, "labels": [], "flip": False} | NETS


def digits(work: Path) -> Path:
    """A folder with a few grey squares in the place of MNIST."""
    place = work / "digits"
    if not place.exists():
        place.mkdir()
        rng, arrays = np.random.default_rng(0), {}
        for split, count in (("train", 20), ("test", 20)):
            images = rng.integers(0, 255, (count, 28, 28)).astype(np.uint8)
            arrays |= {f"{split}_images": images, f"{split}_labels": np.arange(count) % 10}
        np.savez(place / "mnist.npz", **arrays)
    return place


def train_gan(folder: Path, images: int, said: list[str], other: bool = False) -> list[Path]:
    """A GAN of a few hundred weights, one step between two checkpoints; `other`: by another recipe."""
    from zeuxis.config import TrainConfig
    from zeuxis.lab.train import train

    fields = {"data": "mnist", "batch": 4, "ema": 0.9, "checkpoint_every": 4, "report_every": 4, "options": GAN}
    fields |= {"seed": 8, "precision": "bf16"} if other else {"seed": 7, "precision": "fp32"}
    config = TrainConfig(task="adversarial", images=images, **fields)  # type: ignore[arg-type]
    with small_training():
        return train(config, digits(folder.parent.parent), folder, device=CPU, say=said.append)


@contextlib.contextmanager
def small_training() -> Iterator[None]:
    """Features of MobileNet v1 as pooled pixels, one batch of standing statistics, no curves."""
    from zeuxis.lab import adversarial, curves, watch

    def pooled(self: Any, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images.float().cpu(), 4).flatten(1)

    places: list[tuple[Any, str, Any]] = [(watch.Watch, "features", pooled), (curves, "draw", lambda folder: None)]
    places += [(curves, "save_grid", functools.partial(curves.save_grid, scale=1))]
    few = functools.partial(watch.standing_statistics, batches=1)
    with replaced([*places, (adversarial, "standing_statistics", few)]):
        yield


def make_training(folder: Path, other: bool) -> None:
    """Three steps, each with a checkpoint."""
    train_gan(folder, 12, [], other)


def train_again(folder: Path, file: Path, images: int = 12) -> Result:
    """`zeuxis train` again: what is exported, the checkpoint and the log, without what the clock says."""
    said: list[str] = []
    files = train_gan(folder, images, said)
    told: dict[str, object] = {path.name: digest(path) for path in files}
    told |= {"weights": [(k, v.tolist()) for k, v in load_file(folder / "checkpoint.safetensors").items()]}
    clock = ("seconds", "images_per_second", "check")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    told["log"] = [{k: v for k, v in line.items() if k not in clock} for line in lines]
    summary = json.loads((folder / "summary.json").read_text())
    told["summary"] = {k: v for k, v in summary["figures"].items() if k not in clock} | {"images": summary["images"]}
    told["recipe"], told["machine"] = ((folder / name).read_text() for name in ("train.json", "machine.json"))
    return Result(told, [text for text in said if "thread" not in text])


def train_on(folder: Path, file: Path) -> Result:
    """`zeuxis train` with more images."""
    return train_again(folder, file, 20)


def sample(folder: Path, file: Path) -> Result:
    """A generator from the damaged file, or from the best export: what it draws."""
    from zeuxis.generators.choose import make_generator

    exported = file.suffix == ".safetensors" and not file.name.startswith("checkpoint")
    generator = make_generator(str(folder / (file if exported else "export/gan.safetensors")), CPU)
    return Result(hashlib.sha256(generator.render(torch.ones(2, 4)).numpy().tobytes()).hexdigest())
