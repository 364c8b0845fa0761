"""Published image classifiers as judges: a network that had nothing to do with the search says what it sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.model_file import build, file_sha256, read_model
from zeuxis.nets import imagenet_classes
from zeuxis.nets.exact import exact_convolutions
from zeuxis.nets.layers import placed
from zeuxis.nets.mobilenet import MobileNetV1, MobileNetV2
from zeuxis.nets.resnet import ResNet
from zeuxis.scorers import imagenet_words
from zeuxis.scorers.base import Prompt, Verdict
from zeuxis.scorers.preprocess import resize

CIFAR10 = (
    *(("airplane", "aeroplane", "plane"), ("automobile", "car"), ("bird",), ("cat",), ("deer",), ("dog",), ("frog",)),
    *(("horse",), ("ship",), ("truck", "lorry")),
)
BATCH = 32
SHOWN = 6  # classes that a note names one by one
PLACE = re.compile(r"\b(?:on|in|at|with|by|near|under|over|behind|between|beside|inside|from)\b", re.IGNORECASE)


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
        about = read_model(path).about
        net = build(path, "network")
        if not isinstance(net, ResNet | MobileNetV1 | MobileNetV2):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, expected a classifier")
        self.sha256 = file_sha256(path)
        self.mean, self.deviation = (_triple(about, key, path).to(self.device) for key in ("mean", "std"))
        self.size, self.resized = _sizes(about, path)
        self.rows, self.classes = _classes(list(labels) or about.get("labels", []), net.classes)
        self._by_words = _by_words(self.rows)
        if self.rows is imagenet_classes.names():
            self._by_words |= {tuple(word.split()): found for word, found in imagenet_words.groups().items()}
        self._longest = max(map(len, self._by_words), default=0)
        self.net = placed(net.fold() if isinstance(net, ResNet) else net, self.device)

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> AskedClasses:
        """Which class the positive words name: the longest name first, a plural counts as the word.

        Of several, the one before the first preposition: "strawberries on a plate" asks for strawberries.
        """
        texts = [phrase.text for phrase in prompt.phrases if phrase.weight > 0]
        heads = self._find([PLACE.split(text, maxsplit=1)[0] for text in texts])
        found = heads if len(heads) == 1 else self._find(texts)
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
        """The shortest edge to `resized` pixels, the middle `size` of them, normalised. BadInput for other shapes."""
        if images.dim() != 4 or images.shape[1] != 3 or min(images.shape) < 1:
            raise BadInput(f"Expected images (N, 3, H, W) in [0, 1], got {tuple(images.shape)}.")
        x = resize(images.to(self.device).float(), self.resized, crop=True)
        edge = (self.resized - self.size) // 2
        x = x[..., edge : edge + self.size, edge : edge + self.size]
        return ((x - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)

    def _find(self, texts: Sequence[str]) -> dict[tuple[int, ...], str]:
        """The classes that texts name, and by which word; longest names first.

        Of two names side by side the first describes the second ("an orange cat"), unless it is the more exact one
        ("a beagle dog").
        """
        found: dict[tuple[int, ...], str] = {}
        for words in map(_words, texts):
            spans: dict[
                int, tuple[int, tuple[int, ...], str]
            ] = {}  # first word -> (word after the last, classes, name)
            for length in range(min(self._longest, len(words)), 0, -1):
                for start in range(len(words) - length + 1):
                    key = self._key(words[start : start + length])
                    if key:
                        spans[start] = (start + length, self._by_words[key], " ".join(key))
                        words[start : start + length] = [""] * length  # "tiger shark" names no tiger
            for start in sorted(spans):
                end = spans[start][0] if start in spans else -1
                if end in spans:
                    del spans[end if set(spans[start][1]) <= set(spans[end][1]) else start]
            found |= {labels: word for _, labels, word in spans.values()}
        return found

    def _key(self, words: Sequence[str]) -> tuple[str, ...]:
        """The name that these words are, the last perhaps in the plural; () for none."""
        for last in _singulars(words[-1]):
            key = (*words[:-1], last)
            if key in self._by_words:
                return key
        return ()


def _words(text: str) -> list[str]:
    """Words in small letters; a comma or semicolon is one too, so that nothing reaches across it."""
    return re.findall(r"\w+(?:'\w+)?|[,;]", text.lower())


def _singulars(word: str) -> list[str]:
    """The word as it is, then what it may be the plural of."""
    found = [word]
    for ending, stem in (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            found.append(word.removesuffix(ending) + stem)
    return found


def _by_words(rows: tuple[tuple[str, ...], ...]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Words of a name -> the classes of that name. Where it is the first name of some, the others do not count."""
    found: dict[tuple[str, ...], list[tuple[bool, int]]] = {}
    for i, row in enumerate(rows):
        for place, name in enumerate(row):
            key = tuple(_words(name))
            if key and not (place and name in imagenet_words.NOT_MEANT):
                found.setdefault(key, []).append((place > 0, i))
    return {
        key: tuple(dict.fromkeys(i for later, i in entries if later == min(entries)[0]))
        for key, entries in found.items()
    }


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


def _triple(about: Any, key: str, path: Path) -> Tensor:
    value = about.get(key) if isinstance(about, dict) else None
    good = isinstance(value, list) and len(value) == 3 and all(isinstance(v, float) and 0 < v < 1 for v in value)
    if not good:
        raise WeightsRefused(path, f"its header has no {key} of three numbers between 0 and 1. Convert it again")
    return torch.tensor(value).view(1, 3, 1, 1)


def _sizes(about: Any, path: Path) -> tuple[int, int]:
    """Pixels that the network sees, and pixels of the shortest edge that they are cut from."""
    size, crop = about.get("size"), about.get("crop")
    if type(size) is not int or not 8 <= size <= 1024 or type(crop) is not float or not 0.5 <= crop <= 1:
        raise WeightsRefused(path, "its header has no size of the pictures that it was trained on. Convert it again")
    return size, round(size / crop)
