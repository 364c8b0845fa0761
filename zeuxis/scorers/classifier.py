"""Judges that the lab has trained: the pocket judge, and classifiers of any classes from `zeuxis train`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.header import names_of
from zeuxis.hub.model_file import build_from, check_model, file_sha256, read_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.layers import placed
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.nets.trunk import TrunkClassifier
from zeuxis.scorers.base import Prompt, Verdict
from zeuxis.scorers.pocket import PocketScorer

SIZE = 32
LEAST = 0.68  # cosine below which a phrase names none of the classes: "lorry" has 0.72 to truck, "sofa" 0.64 to cat
SHOWN = 12  # classes that a note names


@dataclass(frozen=True)
class Asked:
    """The class a prompt asks for, -1 when the judge has no word for it; `notes` say how it was found."""

    label: int
    notes: tuple[str, ...] = ()


class ClassifierJudge:
    """A classifier that the lab has trained, on classes of any name.

    A prompt's class is found by its words, else by the nearest class name in the pocket scorer's text tower. Only the
    word table is borrowed from there; what the judge sees in a picture is its own.
    """

    name = "classifier"

    @staticmethod
    def check(path: Path) -> None:
        """WeightsRefused, as from loading the file, for whatever its header and shapes give away."""
        model = check_model(path, "network")
        names_of(model, "classes", model.parts["network"].get("classes", 10))

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        model = read_model(path)
        net = build_from(model, "network")
        if not isinstance(net, SpeedrunNet | TrunkClassifier):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, expected a classifier that the lab has trained")
        self.sha256 = file_sha256(path)
        outputs = net.head.out_features if isinstance(net, SpeedrunNet) else net.classes.out_features
        self.classes = names_of(model, "classes", outputs)
        self.net = placed(net, self.device)

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> Asked:
        """Which class the positive words ask for."""
        text = " ".join(phrase.text for phrase in prompt.phrases if phrase.weight > 0).lower()
        words = _words(text)
        named = self._named(words)
        if len(named) == 1:
            return Asked(named[0])
        if not words or len(named) > 1:
            return Asked(-1, ("The judge knows single classes only and has no verdict on this prompt.",))
        return self._nearest(text)

    def score(self, images: Tensor, prepared: Asked) -> Tensor:
        """`(N, 3, H, W) -> (N,)`: the probability of the class asked for, NaN without one."""
        return self.verdict(images, prepared).score

    def probabilities(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size -> `(N, K)` float32."""
        x = images.to(self.device).float()
        if x.shape[-2:] != (SIZE, SIZE):
            x = F.interpolate(x, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        with torch.no_grad():
            out = self.net(x * 2 - 1)
        logits: Tensor = out[0] if isinstance(out, tuple) else out  # a trunk names terms as well
        return logits.softmax(1)

    def verdict(self, images: Tensor, prepared: Asked) -> Verdict:
        """`(N, 3, H, W) -> Verdict`."""
        probability = self.probabilities(images)
        confidence, label = probability.max(1)
        asked = torch.full_like(confidence, torch.nan) if prepared.label < 0 else probability[:, prepared.label]
        return Verdict(asked, tuple(self.classes[k] for k in label.tolist()), confidence)

    def _named(self, words: list[str]) -> list[int]:
        """The classes whose names stand in `words`: longest names first, each word read once, plurals as the word."""
        left, found = list(words), []
        names = [(label, _words(name)) for label, name in enumerate(self.classes)]
        for label, name in sorted(names, key=lambda pair: -len(pair[1])):
            places = [i for i in range(len(left) - len(name) + 1) if _same(left[i : i + len(name)], name)]
            if name and places:
                found.append(label)
                for i in places:
                    left[i : i + len(name)] = [""] * len(name)  # "fire truck" names no truck
        return found

    def _nearest(self, text: str) -> Asked:
        scorer = PocketScorer(torch.device("cpu"))
        known = [k for k, name in enumerate(self.classes) if _says_something(scorer, name)]
        listed = ", ".join(self.classes[:SHOWN]) + (", ..." if len(self.classes) > SHOWN else "")
        none = Asked(-1, (f"The judge knows {listed} only and has no verdict on this prompt.",))
        if not known or not _says_something(scorer, text):
            return none
        names = [self.classes[k].replace("_", " ") for k in known]
        vectors = scorer.embed_texts([f"a photo of a {name}" for name in (text, *names)])
        closeness = vectors[1:] @ vectors[0]
        best = int(closeness.argmax())
        if float(closeness[best]) < LEAST:
            return none
        return Asked(known[best], (f"The judge takes this prompt for {self.classes[known[best]]!r}.",))


class PocketJudge(ClassifierJudge):
    """The one inside the package: CIFAR-10 classes. It shares no weights and no training run with the scorer."""

    name = "pocket"

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__(pocket_path("judge"), device)


def _says_something(scorer: PocketScorer, text: str) -> bool:
    """Whether the text tower can tell what is meant: by a word that it knows, and not by numbers alone."""
    return any(len(word) > 1 and word.isalpha() and scorer.knows(word) for word in scorer.wordpiece.words(text))


def _words(text: str) -> list[str]:
    """Words of a prompt or of a class's name, which may be that of a folder: "red_car", "07-seven"."""
    return re.findall(r"[a-z]+|[^\W_a-z]+", text.lower())


def _same(words: list[str], name: list[str]) -> bool:
    return words[:-1] == name[:-1] and words[-1] in (name[-1], f"{name[-1]}s")
