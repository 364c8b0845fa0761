"""Published image classifiers as judges: a network that had nothing to do with the search says what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.model_file import build, file_sha256, read_model
from zeuxis.nets import imagenet_classes
from zeuxis.nets.efficientnet import EfficientNet
from zeuxis.nets.layers import exact_convolutions, placed
from zeuxis.nets.lenet import LeNet
from zeuxis.nets.mobilenet import MobileNetV1, MobileNetV2
from zeuxis.nets.resnet import ResNet
from zeuxis.scorers import imagenet_words
from zeuxis.scorers.base import Prompt, Verdict
from zeuxis.scorers.nouns import Nouns, imagenet
from zeuxis.scorers.preprocess import Preprocess
from zeuxis.scorers.preprocess_config import of_timm, of_transformers

CIFAR10 = (
    *(("airplane", "aeroplane", "plane"), ("automobile", "car"), ("bird",), ("cat",), ("deer",), ("dog",), ("frog",)),
    *(("horse",), ("ship",), ("truck", "lorry")),
)
BATCH = 32
SHOWN = 6  # classes that a note names one by one


@dataclass(frozen=True)
class AskedClasses:
    """The classes a prompt asks for: several where they share a name (crane, cat), none without a word for it."""

    labels: tuple[int, ...]
    notes: tuple[str, ...] = ()


class ImageClassifier:
    """A classifier of ImageNet, CIFAR-10 or classes of its own. `path` is a converted file; `labels` name its classes.

    score = the probability of the class that the words of the prompt name, whole words only.
    """

    name = "image-classifier"

    def __init__(self, path: Path, device: torch.device | None = None, labels: Sequence[str] = ()) -> None:
        self.device = device or torch.device("cpu")
        model = read_model(path)
        about = model.about
        net = build(path, "network")
        if not isinstance(net, ResNet | EfficientNet | MobileNetV1 | MobileNetV2 | LeNet):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, expected a classifier")
        self.sha256 = file_sha256(path)
        self.preprocess = _preprocess(about, model.known_as)
        self.size = (self.preprocess.crop or self.preprocess.to)[0]  # pixels that the network sees of a square picture
        self.rows, self.classes = _classes(list(labels) or about.get("labels", []), net.classes)
        self.nouns = imagenet() if self.rows is imagenet_classes.names() else Nouns(self.rows)
        self.net = placed(net.fold() if isinstance(net, ResNet) else net, self.device)

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> AskedClasses:
        """Which class the positive words name, as `zeuxis.scorers.nouns` finds it."""
        found = self.nouns.asked([phrase.text for phrase in prompt.phrases if phrase.weight > 0])
        if len(found) == 1:
            ((labels, word),) = found.items()
            return AskedClasses(labels, self._notes(word, labels))
        why = "names none of them" if not found else f"names {len(found)} of them"
        return AskedClasses(
            (), (f"The judge knows {len(self.classes)} classes; this prompt {why}, so it has no verdict on it.",)
        )

    def _notes(self, word: str, labels: tuple[int, ...]) -> tuple[str, ...]:
        """What the judge looks for, where it is not just the class of that name."""
        names = [self.classes[k] for k in labels]
        *first, last = names if len(names) <= SHOWN else [*names[:SHOWN], f"{len(names) - SHOWN} more"]
        listed = f"{', '.join(first)} or {last}" if first else last
        if self.rows is imagenet_classes.names() and word in imagenet_words.approximate():
            return (f"The judge knows no {word}; it looks for the nearest: {listed}.",)
        return (f"The judge looks for {listed}.",) if len(names) > 1 else ()

    def score(self, images: Tensor, prepared: AskedClasses) -> Tensor:
        """`(N, 3, H, W) -> (N,)`: the probability of what was asked for, NaN without a word for it."""
        return self.verdict(images, prepared).score

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size -> `(N, K)` float32."""
        found = []
        with exact_convolutions():
            for piece in torch.split(images, BATCH):
                found.append(self.net(self._shown(piece)).softmax(1))
        return torch.cat(found)

    def verdict(self, images: Tensor, prepared: AskedClasses) -> Verdict:
        """`(N, 3, H, W) -> Verdict`."""
        probability = self.probabilities(images)
        confidence, label = probability.max(1)
        asked = torch.full_like(confidence, torch.nan)
        if prepared.labels:
            asked = probability[:, list(prepared.labels)].sum(1).clamp(max=1)
        return Verdict(asked, tuple(self.classes[k] for k in label.tolist()), confidence)

    def _shown(self, images: Tensor) -> Tensor:
        """Prepared as in the network's training. BadInput for other shapes."""
        if images.dim() != 4 or images.shape[1] != 3 or min(images.shape) < 1:
            raise BadInput(f"Expected images (N, 3, H, W) in [0, 1], got {tuple(images.shape)}.")
        x = self.preprocess(images.to(self.device).float())
        return x.contiguous(memory_format=torch.channels_last)


def _classes(labels: object, count: int) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """All names of each class, and the one it is called by. Classes without names are called by their number."""
    if labels == "imagenet-1k" and count == 1000:
        return imagenet_classes.names(), imagenet_classes.labels()
    if labels == "cifar-10" and count == 10:
        return CIFAR10, tuple(row[0] for row in CIFAR10)
    if not isinstance(labels, list) or not labels:
        return ((),) * count, tuple(f"class {i}" for i in range(count))
    if len(labels) != count or not all(isinstance(name, str) and name.strip() for name in labels):
        raise BadInput(f"Expected {count} names of classes, one for each output of the network, got {len(labels)}.")
    rows = tuple(tuple(name.strip() for name in label.split(",") if name.strip()) for label in labels)
    first = [row[0] if row else f"class {i}" for i, row in enumerate(rows)]
    return rows, tuple(name if first.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(first))


def _preprocess(about: dict[str, Any], path: Path) -> Preprocess:
    """How pictures are prepared: what the publisher's own files said, else the normalisation and size of the header."""
    size, resized = _sizes(about, path)
    mean, deviation = (_triple(about, key, path) for key in ("mean", "std"))
    plain = Preprocess(size, mean, deviation, to=(resized, resized))
    for key, reader in (("preprocessor", of_transformers), ("pretrained_cfg", of_timm)):
        told = about.get(key)
        if isinstance(told, dict) and told:
            return replace(reader(told, replace(plain, size=0), path), size=0)  # these networks take any size
    return plain


def _triple(about: dict[str, Any], key: str, path: Path) -> tuple[float, ...]:
    value = about.get(key)
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(v, float) and 0 < v < 1 for v in value):
        raise WeightsRefused(path, f"its header has no {key} of three numbers between 0 and 1. Convert it again")
    return tuple(value)


def _sizes(about: dict[str, Any], path: Path) -> tuple[int, int]:
    """Pixels that the network sees, and pixels of the shortest edge that they are cut from."""
    size, crop = about.get("size"), about.get("crop")
    if type(size) is not int or not 8 <= size <= 1024 or type(crop) is not float or not 0.5 <= crop <= 1:
        raise WeightsRefused(path, "its header has no size of the pictures that it was trained on. Convert it again")
    return size, round(size / crop)
