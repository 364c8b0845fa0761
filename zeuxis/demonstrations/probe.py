"""A linear classifier on a discriminator's features: what it learnt about pictures without being asked."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.data import read_images
from zeuxis.demonstrations.base import COLOURS, Picture, Settings, Shown, plot, rows_png
from zeuxis.demonstrations.trained import SOURCE, Products
from zeuxis.metrics.linear_head import accuracy_score
from zeuxis.rng import stream
from zeuxis.scorers.imagenet_judge import MobileNetJudge

KINDS = 10


def show(settings: Settings) -> Shown:
    """Accuracy of a linear head on pixels, on an untrained and on the trained discriminator, and on MobileNet v1."""
    model = Products()
    train, test, what = _pictures(model, settings)
    fresh = _untrained(model)
    judge = MobileNetJudge()
    spaces = {
        "pixels at 8x8": lambda x: F.adaptive_avg_pool2d(x, 8).flatten(1),
        "discriminator, untrained": lambda x: model.features(x, fresh),
        "discriminator, trained": model.features,
        "MobileNet v1, trained on ImageNet": judge.embed,
    }
    rows = []
    for name, features in spaces.items():
        found = accuracy_score(features(train[0]), train[1], features(test[0]), test[1], KINDS)
        rows.append((name, features(test[0][:2]).shape[1], found.share))

    def bars(axes) -> None:  # type: ignore[no-untyped-def]
        axes.barh([row[0] for row in rows][::-1], [row[2] for row in rows][::-1], color=COLOURS[1])
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"accuracy over {KINDS} kinds")

    shown = [(name, test[0][test[1] == k][:10]) for k, name in enumerate(what[1])]
    return Shown(
        "What a discriminator knows",
        f"Radford et al. 2016, section 5.1 (a linear classifier on a discriminator's features). {SOURCE}",
        (
            f"A linear head (least squares, zeuxis.metrics.linear_head) is fitted to features of {len(train[1]):,} "
            f"{what[0]} of {KINDS} kinds and tested on {len(test[1]):,} others. The features are the input of the "
            "discriminator's last layer; its weights stay as they are.",
            "The discriminator was told kind and colour by projection, so that it could learn to ask whether a picture "
            "fits its label. The same network before training shows what its shape alone gives, MobileNet what a "
            "classifier gives that has seen a million other pictures.",
        ),
        (
            Picture("accuracy.png", plot(bars, 1, (6.5, 2.2)), "Accuracy of linear heads."),
            Picture("pictures.png", rows_png(shown, 64), "Test pictures of each kind."),
        ),
        ("features", "numbers a picture", "accuracy"),
        tuple(rows),
    )


def _pictures(
    model: Products, settings: Settings
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[str, list[str]]]:
    """Training and test pictures with numbers of kinds: real ones where there are data, else generated ones."""
    count = settings.count(90, 3)
    if settings.data is None:
        kinds: dict[str, str] = {}
        for name in model.frequent(60):  # one name of each type: its most frequent colour
            kind = " ".join(name.split()[1:])
            kinds.setdefault(kind, name)
        names = list(kinds.values())[:KINDS]
        sets = [torch.cat([model.pictures(n, name, settings.seed, part) for name in names])
                for part, n in (("train", 2 * count), ("test", count))]  # fmt: skip
        labels = [torch.arange(KINDS).repeat_interleave(n) for n in (2 * count, count)]
        return (sets[0], labels[0]), (sets[1], labels[1]), ("generated pictures", names)
    found = []
    words = read_images("products", settings.data, "train").names["type"]
    kind_of = read_images("products", settings.data, "train").labels["type"]
    kinds_most = torch.bincount(kind_of).argsort(descending=True, stable=True)[:KINDS]
    for part, n in (("train", 2 * count), ("test", count)):
        images = read_images("products", settings.data, part)
        rows, numbers = [], []
        for place, kind in enumerate(kinds_most):
            here = (images.labels["type"] == kind).nonzero().flatten()
            rows.append(here[torch.randperm(len(here), generator=stream(settings.seed, part))[:n]])
            numbers.append(torch.full((len(rows[-1]),), place))
        found.append((images.batch(torch.cat(rows)) / 2 + 0.5, torch.cat(numbers)))
    return found[0], found[1], ("product photos", [words[int(k)] for k in kinds_most])


def _untrained(model: Products) -> torch.nn.Module:
    """A discriminator of the same shape with its first weights."""
    torch.manual_seed(0)
    fresh: torch.nn.Module = type(model.discriminator)(**model.of.model.parts["discriminator"])
    return fresh.eval()
