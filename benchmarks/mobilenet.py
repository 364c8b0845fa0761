"""Every figure of the MobileNet model cards, recomputed: python benchmarks/mobilenet.py --data PATH

PATH holds imagenet1000_128.npz, tinyimagenet160_64.npz, cifar10.npz, products64.npz with products64.json.xz, and
weights/mobilenet_*.npz with the reference logits. Pictures are enlarged bicubically to the size of the network (160
and 224 pixels). Writes benchmarks/results/mobilenet.json. About five minutes on one core; --most bounds a set.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zeuxis.data import ImageSet, read_images
from zeuxis.hub.pocket import pocket_path
from zeuxis.metrics.intervals import wilson
from zeuxis.nets import imagenet_classes
from zeuxis.nets.mobilenet import load_pocket
from zeuxis.scorers import imagenet_words
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.image_classifier import ImageClassifier

HERE = Path(__file__).parent / "results"
REFERENCE = {"v1": "mobilenet_v1_0.5_160.npz", "v2": "mobilenet_v2_1.0_224.npz"}
MACHINE = {"crane": 517}  # two classes are called so; in Tiny ImageNet it is the machine
Figures = dict[str, object]


def share(hits: Tensor) -> Figures:
    """A share of hits (N,), how many there were, and the 95 % interval (Wilson)."""
    value = float(hits.float().mean())
    interval = [round(max(v, 0.0), 4) for v in wilson(value, len(hits))]  # rounding may give -1e-17
    return {"value": round(value, 4), "interval": interval, "n": len(hits)}


def within(data: ImageSet, most: int) -> Tensor:
    """Rows of at most `most` pictures, evenly spread over the set."""
    return torch.arange(0, len(data), max(1, -(-len(data) // most)))


def probabilities(judge: ImageClassifier, data: ImageSet, rows: Tensor) -> Tensor:
    """(len(rows), 1000)."""
    return torch.cat([judge.probabilities((data.batch(piece) + 1) / 2) for piece in rows.split(16)])


def best(probability: Tensor, groups: Sequence[Sequence[int]], count: int) -> Tensor:
    """Whether one of the first `count` guesses for each picture is among its own group of classes (N,)."""
    guesses = probability.topk(count, 1).indices.tolist()
    return torch.tensor([bool(set(row) & set(group)) for row, group in zip(guesses, groups, strict=True)])


def reference(version: str, folder: Path) -> float:
    """Largest difference from the reference logits, on noise."""
    net, size = load_pocket(version), 160 if version == "v1" else 224
    noise = np.random.RandomState(0).randint(0, 256, (2, 3, size, size)).astype(np.float32)
    expected = torch.from_numpy(np.load(folder / "weights" / REFERENCE[version])["ref_logits"])[:, 1:]
    with torch.no_grad():
        return float((net((torch.from_numpy(noise) - 128) / 128) - expected).abs().max())


def imagenet_figures(judge: ImageClassifier, folder: Path, most: int) -> Figures:
    """One picture of each class at 128 pixels."""
    data = read_images("imagenet-sample", folder / "imagenet1000_128.npz", "test")
    rows = within(data, most)
    probability, own = probabilities(judge, data, rows), [[int(k)] for k in rows]
    return {"top1": share(best(probability, own, 1)), "top5": share(best(probability, own, 5))}


def tiny_figures(judge: ImageClassifier, folder: Path, most: int) -> Figures:
    """Tiny ImageNet's test split at 64 pixels: among its 160 classes, and among all 1,000."""
    data = read_images("tiny-imagenet", folder / "tinyimagenet160_64.npz", "test")
    rows = within(data, most)
    (labels, words), names = data.label(0), imagenet_classes.labels()
    number = torch.tensor([MACHINE[word] if word in MACHINE else names.index(word) for word in words])
    probability = probabilities(judge, data, rows)
    few, own = probability[:, number], [[int(k)] for k in labels[rows]]
    many = [[int(number[k])] for k in labels[rows]]
    return {
        **{f"top{k}_of_160": share(best(few, own, k)) for k in (1, 5)},
        **{f"top{k}_of_1000": share(best(probability, many, k)) for k in (1, 5)},
    }


def cifar_figures(judge: ImageClassifier, folder: Path, most: int) -> Figures:
    """CIFAR-10 test pictures: guesses within the group of a class, and the likeliest of the ten groups."""
    data = read_images("cifar10", folder / "cifar10.npz", "test")
    rows = within(data, most)
    labels, words = data.label(0)
    groups = [imagenet_words.groups()[word] for word in words]
    probability = probabilities(judge, data, rows)
    own = [groups[int(k)] for k in labels[rows]]
    sums = torch.stack([probability[:, list(group)].sum(1) for group in groups], 1)
    right, first = sums.argmax(1) == labels[rows], best(probability, own, 1)
    return {
        "top1": share(first),
        "top5": share(best(probability, own, 5)),
        "likeliest_of_10_groups": share(right),
        "top1_by_class": {word: share(first[labels[rows] == k]) for k, word in enumerate(words)},
        "likeliest_by_class": {word: share(right[labels[rows] == k]) for k, word in enumerate(words)},
    }


def product_figures(judge: ImageClassifier, folder: Path, most: int) -> Figures:
    """Shop photos: guesses within the group that the name of their type asks for, where there is one."""
    data = read_images("products", folder / "products64.npz", "test")
    key = next(name for name in data.labels if "type" in name)
    labels, words = data.labels[key], data.names[key]
    groups = [judge.prepare(Prompt((Phrase(word),))).labels for word in words]
    rows = torch.tensor([i for i in within(data, most).tolist() if groups[int(labels[i])]])
    probability = probabilities(judge, data, rows)
    own = [groups[int(k)] for k in labels[rows]]
    first = best(probability, own, 1)
    kinds = [k for k in range(len(words)) if int((labels[rows] == k).sum()) >= 20]
    return {
        "top1": share(first),
        "top5": share(best(probability, own, 5)),
        "top1_by_type": {words[k]: share(first[labels[rows] == k]) for k in kinds},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=HERE / "mobilenet.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: Figures = {"most": arguments.most}
    for version in ("v1", "v2"):
        judge = ImageClassifier(pocket_path(f"mobilenet_{version}"))
        most = arguments.most if version == "v1" else min(arguments.most, 2000)  # v2 is six times as slow
        found[version] = {"sha256": judge.sha256, "reference_logits": reference(version, arguments.data)}
        for name, figures in (
            ("imagenet_sample_128px", imagenet_figures),
            ("tiny_imagenet_test_64px", tiny_figures),
            ("cifar10_test_32px", cifar_figures),
            ("products_test_64px", product_figures),
        ):
            found[version][name] = figures(judge, arguments.data, most)
            print(version, name, json.dumps(found[version][name]), flush=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
