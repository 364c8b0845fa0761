"""Judges that the lab has trained: the pocket judge, and classifiers of any classes from `zeuxis train`."""

from __future__ import annotations

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
from zeuxis.scorers.nouns import Nouns, head_of, is_no_kind, kinds_of, mentions_a_kind, several, singulars, words_of
from zeuxis.scorers.pocket import PocketScorer

SIZE = 32
LEAST = (
    0.85  # cosine below which a phrase names none of the classes: "frigate" has 0.87 to ship, "giraffe" 0.75 to horse
)
WIDE = {
    "vehicle",
    "vehicles",
    "animal",
    "animals",
    "pet",
    "pets",
    "creature",
    "mammal",
    "machine",
    "thing",
    "object",
    "product",
}
SHOWN = 12  # classes that a note names


@dataclass(frozen=True)
class Asked:
    """The class a prompt asks for, -1 when the judge has no word for it; `notes` say how it was found."""

    label: int
    notes: tuple[str, ...] = ()


class ClassifierJudge:
    """A classifier that the lab has trained, on classes of any name.

    A prompt's class is found by its nouns, else by the nearest class name in the pocket scorer's text tower. Only the
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
        self._spoken = [name.replace("_", " ").replace("-", " ").lower() for name in self.classes]
        self.nouns = Nouns([(name, *singulars(name)[1:]) for name in self._spoken])
        self.net = placed(net, self.device)

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> Asked:
        """Which class the positive words ask for: one that they name, else the one of its kind, else the nearest."""
        texts = [phrase.text for phrase in prompt.phrases if phrase.weight > 0]
        named = self.nouns.asked(texts)
        if len(named) == 1 and not self._beside_others(texts, next(iter(named))[0]):
            return Asked(next(iter(named))[0])
        if named or not any(map(words_of, texts)):
            return Asked(-1, ("The judge knows single classes only and has no verdict on this prompt.",))
        kinds = frozenset().union(*map(kinds_of, texts))
        found = self._of_kind(kinds) if kinds else self._nearest(texts)
        if found is None:
            listed = ", ".join(self.classes[:SHOWN]) + (", ..." if len(self.classes) > SHOWN else "")
            return Asked(-1, (f"The judge knows {listed} only and has no verdict on this prompt.",))
        return Asked(found, (f"The judge takes this prompt for {self.classes[found]!r}.",))

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

    def _beside_others(self, texts: list[str], label: int) -> bool:
        """Whether a phrase that names a class asks for something else as well: "a duck and a horse"."""
        own = kinds_of(self._spoken[label])
        parts = [part for text in texts for part in several(text) if not self.nouns.asked([part])]
        return any(kinds and not kinds <= own for kinds in map(kinds_of, parts))

    def _of_kind(self, kinds: frozenset[int]) -> int | None:
        """The narrowest class that ImageNet's `kinds` all belong to: "automobile" for those of "taxi"."""
        wider = [(len(own), k) for k, own in enumerate(map(kinds_of, self._spoken)) if kinds <= own]
        return min(wider)[1] if wider else None

    def _nearest(self, texts: list[str]) -> int | None:
        """The class whose name is nearest in the text tower, if it is near: for words that no table has.

        Not for "a dog house" or "a spaceship", which have the name of a class in them, nor for "an animal".
        """
        scorer, text = PocketScorer(torch.device("cpu")), " ".join(map(head_of, texts)).lower()
        known = [k for k, name in enumerate(self._spoken) if _says_something(scorer, name)]
        within = any(self._spoken[k] in text for k in known) or any(is_no_kind(t) or mentions_a_kind(t) for t in texts)
        if not known or within or set(words_of(text)) & WIDE or not _says_something(scorer, text):
            return None
        vectors = scorer.embed_texts([f"a photo of a {name}" for name in (text, *(self._spoken[k] for k in known))])
        closeness = vectors[1:] @ vectors[0]
        best = int(closeness.argmax())
        return known[best] if float(closeness[best]) >= LEAST else None


class PocketJudge(ClassifierJudge):
    """The one inside the package: CIFAR-10 classes. It shares no weights and no training run with the scorer."""

    name = "pocket"

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__(pocket_path("judge"), device)


def _says_something(scorer: PocketScorer, text: str) -> bool:
    """Whether the text tower can tell what is meant: by a word that it knows, and not by numbers alone."""
    return any(len(word) > 1 and word.isalpha() and scorer.knows(word) for word in scorer.wordpiece.words(text))
