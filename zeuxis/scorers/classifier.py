"""Judges that are classifiers: the pocket judge, which shares no weights and no training run with the scorer."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.hub.pocket import pocket_path
from zeuxis.hub.weights import file_sha256, load_weights, read_facts
from zeuxis.nets.layers import placed
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.scorers.base import Prompt, Verdict
from zeuxis.scorers.pocket import PocketScorer

SIZE = 32
LEAST = 0.68  # cosine below which a phrase names none of the classes: "lorry" has 0.72 to truck, "sofa" 0.64 to cat


@dataclass(frozen=True)
class Asked:
    """The class a prompt asks for, -1 when the judge has no word for it; `notes` say how it was found."""

    label: int
    notes: tuple[str, ...] = ()


class PocketJudge:
    """CIFAR-10 classes. A prompt's class is found by its words, else by the nearest class name in the text tower.

    Only the word table is borrowed from the scorer for that; what the judge sees in a picture is its own.
    """

    name = "pocket"

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        path = pocket_path("judge")
        facts = read_facts(path)
        self.sha256 = file_sha256(path)
        self.classes: tuple[str, ...] = tuple(facts["classes"])
        self.net = SpeedrunNet(len(self.classes), tuple(facts["widths"]) or (64, 160, 256))
        load_weights(self.net, path).requires_grad_(False)
        placed(self.net, self.device)

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> Asked:
        """Which class the positive words ask for."""
        text = " ".join(phrase.text for phrase in prompt.phrases if phrase.weight > 0).lower()
        words = re.findall(r"[a-z]+", text)
        named = [label for label, name in enumerate(self.classes) if {name, name + "s"} & set(words)]
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
            logits: Tensor = self.net(x * 2 - 1)
        return logits.softmax(1)

    def verdict(self, images: Tensor, prepared: Asked) -> Verdict:
        """`(N, 3, H, W) -> Verdict`."""
        probability = self.probabilities(images)
        confidence, label = probability.max(1)
        asked = torch.full_like(confidence, torch.nan) if prepared.label < 0 else probability[:, prepared.label]
        return Verdict(asked, tuple(self.classes[k] for k in label.tolist()), confidence)

    def _nearest(self, text: str) -> Asked:
        scorer = PocketScorer(torch.device("cpu"))
        vectors = scorer.embed_texts([f"a photo of a {name}" for name in (text, *self.classes)])
        closeness = vectors[1:] @ vectors[0]
        best = int(closeness.argmax())
        if float(closeness[best]) < LEAST:
            return Asked(-1, (f"The judge knows {', '.join(self.classes)} only and has no verdict on this prompt.",))
        return Asked(best, (f"The judge takes this prompt for {self.classes[best]!r}.",))
