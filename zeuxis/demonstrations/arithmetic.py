"""A - B + C: a colour taken from shoes and given to handbags, in the styles and in features of the discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.demonstrations.base import Picture, Settings, Shown, rows_png
from zeuxis.demonstrations.trained import SOURCE, Products
from zeuxis.scorers.imagenet_judge import MobileNetJudge

A, B, C, WANTED = "red casual shoes", "black casual shoes", "black handbags", "red handbags"
OTHERS = ("blue handbags", "white casual shoes", "brown wallets", "black heels", "silver watches", "blue flip flops")
SHOWN = 8


def show(settings: Settings) -> Shown:
    """Both sums, and how often what comes out is nearer to `WANTED` than to its three terms."""
    model, count = Products(), settings.count(96, 8)
    names = (A, B, C, WANTED)
    w = {name: model.styles(model.z(count, settings.seed, name), name) for name in names}
    sums = {"in styles": w[C] + w[A].mean(0) - w[B].mean(0)}
    drawn = {name: model.draw(points) for name, points in (w | sums).items()}
    judge = MobileNetJudge()
    means = torch.stack([judge.embed(drawn[name]).mean(0) for name in names])
    found = {name: nearest(judge.embed(drawn[name]), means) for name in (C, "in styles", WANTED)}

    bank = {name: model.pictures(count // 2, name, settings.seed, "bank") for name in (*names, *OTHERS)}
    labels = [name for name, images in bank.items() for _ in images]
    images = torch.cat(list(bank.values()))
    features = {name: model.features(drawn[name]) for name in names}
    aim = features[A].mean(0) - features[B].mean(0) + features[C].mean(0)
    bank_features = model.features(images)
    order = torch.cosine_similarity(bank_features - bank_features.mean(0), (aim - bank_features.mean(0))[None]).argsort(
        descending=True
    )
    first = order[: max(SHOWN, count // 4)].tolist()
    right = sum(labels[k] == WANTED for k in first) / len(first)

    terms = {"A": A, "B": B, "C": C}
    pictures = [(f"{letter}:\n{name}", drawn[name][:SHOWN]) for letter, name in terms.items()]
    pictures += [("A - B + C\nin styles", drawn["in styles"][:SHOWN])]
    pictures += [("nearest to\nA - B + C\nin features of D", images[first[:SHOWN]])]
    table = [(f"{name}, share nearest to {WANTED}", share) for name, share in found.items()]
    table += [(f"first {len(first)} of {len(images)} by features of D that are {WANTED}", right)]
    table += [("the same by chance", labels.count(WANTED) / len(labels))]
    return Shown(
        "A − B + C",
        f"Radford, Metz and Chintala 2016, arXiv 1511.06434, section 6.3.2. {SOURCE}",
        (
            f"{A} − {B} + {C}: what is left of the first two is red, and it is added to handbags. In styles the mean "
            "difference is added to each handbag's own w, so that each keeps its shape. The generator was told type "
            "and colour in training; that adding them works for means of w is found, not asked for.",
            "The discriminator was never asked for colours. Its features, the input of its last layer, add up to some "
            f"extent too: of pictures of {len(bank)} names those are shown whose features point most like the sum.",
        ),
        (Picture("pictures.png", rows_png(pictures), "Terms and results."),),
        ("by MobileNet v1's features, against the means of A, B, C", "share"),
        tuple(table),
    )


def nearest(features: Tensor, means: Tensor) -> float:
    """The share of rows (N, D) that are nearest to the last of the means (K, D)."""
    return float((torch.cdist(features, means).argmin(1) == len(means) - 1).double().mean())
