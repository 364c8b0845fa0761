"""Trained networks that a recipe builds on: those in the folder --weights, else those inside the package.

The package keeps the pocket trunk in the discriminator of its generator, without its heads. A class head for the data
at hand is then fitted in closed form: linear discriminant analysis (Fisher 1936) of the trunk's features.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from zeuxis.data import ImageSet
from zeuxis.errors import MissingModel, WeightsRefused
from zeuxis.hub.header import names_of
from zeuxis.hub.model_file import build, checksum, read_model, tensors_of
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.dual_encoder import TextTower
from zeuxis.nets.layers import placed
from zeuxis.nets.trunk import Trunk, TrunkClassifier
from zeuxis.rng import stream

MOST = 5_000  # pictures that a class head is fitted to
RIDGE = 1e-3  # of the mean variance, so that features that never vary do no harm; more for few pictures
UNCHECKED = ("num_batches_tracked",)  # not exported


def load_trunk(path: Path) -> tuple[TrunkClassifier, list[str]]:
    """A trunk and its heads from the file that a recipe with net = "trunk" exported, and the names of its classes."""
    if not path.is_file():
        raise MissingModel(
            f"Expected the trained trunk at {path}. Train it: zeuxis train pocket-trunk --data PATH, then give its "
            "export folder as --weights; or leave --weights away to use the trunk of the package."
        )
    model, net = read_model(path), build(path, "network")
    if not isinstance(net, TrunkClassifier):
        raise WeightsRefused(path, f"holds a network of the family {model.family}, expected a trunk: net = 'trunk'")
    classes = names_of(model, "classes", net.classes.out_features)
    return net.requires_grad_(True), list(classes)


def load_text(path: Path) -> TextTower:
    """The text tower in `path`. MissingModel if it is not there."""
    if not path.is_file():
        raise MissingModel(
            f"Expected {path}. Train it: zeuxis train pocket-text --data PATH, then give its export folder as "
            "--weights; or leave --weights away to use the text tower of the package."
        )
    tower = build(path, "text")
    if not isinstance(tower, TextTower):
        raise WeightsRefused(path, f"holds {type(tower).__name__}, expected a text tower")
    return tower


def package_trunk(name: str) -> Trunk:
    """The trunk inside a model of the package: of "generator" the pocket trunk, of a scorer its image tower's.

    A name that the package does not have stands for its first scorer.
    """
    name = name if pocket_path(name).is_file() else "scorer"
    path = pocket_path(name)
    part = "discriminator" if name == "generator" else "encoder"
    facts = read_model(path).parts[part]
    trunk = Trunk(facts["trunk_widths" if name == "generator" else "widths"])
    given = {k.removeprefix("trunk."): v for k, v in tensors_of(path, part).items() if k.startswith("trunk.")}
    missing = [key for key in trunk.load_state_dict(given, strict=False).missing_keys if not key.endswith(UNCHECKED)]
    if missing:
        raise WeightsRefused(path, f"its trunk lacks {missing[0]}")
    return trunk.eval()


@torch.no_grad()
def with_classes(trunk: Trunk, data: ImageSet, labels: Tensor, count: int, device: torch.device) -> TrunkClassifier:
    """`trunk` with a head for `count` classes, fitted to pictures (N, 32, 32, 3) and their numbers (N,).

    Logits log p_c - m_c S m_c / 2 + x S m_c: m_c the mean of class c, S the inverse of the covariance within classes.
    """
    rows = torch.randperm(len(data), generator=stream(0, "class head"))[:MOST]
    trunk = placed(trunk, device).eval()
    x = torch.cat([trunk(data.batch(part).to(device)).double().cpu() for part in torch.split(rows, 250)])  # (M, D)
    y = labels[rows]
    sums = torch.zeros(count, x.shape[1], dtype=torch.float64).index_add_(0, y, x)
    number = torch.bincount(y, minlength=count).double()
    means = torch.where(number[:, None] > 0, sums / number[:, None].clamp(min=1), x.mean(0))
    rest = x - means[y]
    covariance = rest.T @ rest / max(len(x) - 1, 1)
    ridge = RIDGE if len(x) >= 10 * len(covariance) else max(RIDGE, len(covariance) / len(x))  # few rows: no inverse
    covariance += (ridge * covariance.diagonal().mean() + 1e-6) * torch.eye(len(covariance), dtype=torch.float64)
    weight = torch.linalg.solve(covariance, means.T).T  # (K, D)
    net = TrunkClassifier(count, 0, trunk.widths)
    net.trunk.load_state_dict(trunk.state_dict())
    nn.init.zeros_(net.terms.weight)
    nn.init.zeros_(net.terms.bias)
    net.classes.weight.copy_(weight)
    net.classes.bias.copy_(((number + 1) / (number + 1).sum()).log() - (weight * means).sum(1) / 2)
    return net.eval()


def identity(net: nn.Module) -> str:
    """SHA-256 of a network's weights."""
    return checksum(net.state_dict())
