"""The toy scorer and the toy judge: they read colours, no weights needed. The offline seam for tests and examples.

An image is embedded as six numbers, the colour of what stands out and the colour of the ground, each minus mid grey.
A phrase is embedded alike: its first colour word is what stands out, its second the ground ("a red disc on white").
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.scorers.base import Phrase, Prompt, Verdict
from zeuxis.scorers.phrases import similarity

COLOURS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.7, 0.1),
    "blue": (0.1, 0.1, 0.9),
    "yellow": (0.9, 0.9, 0.1),
    "cyan": (0.1, 0.9, 0.9),
    "magenta": (0.9, 0.1, 0.9),
    "black": (0.05, 0.05, 0.05),
    "white": (0.95, 0.95, 0.95),
}


class ToyScorer:
    """Cosine between the colours of an image and the colour words of a prompt, in [-1, 1] for one phrase."""

    name = "toy"
    sha256 = hashlib.sha256(b"zeuxis toy scorer 1").hexdigest()  # raise the number when a score changes

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.dtype = torch.float32

    def prepare(self, prompt: Prompt) -> tuple[Tensor, Tensor]:
        """Prompt -> embeddings `(P, 6)` and weights `(P,)`. BadInput for a phrase without a colour word."""
        embeddings = torch.stack([_embed_phrase(phrase) for phrase in prompt.phrases])
        return embeddings.to(self.device), torch.tensor([p.weight for p in prompt.phrases], device=self.device)

    def score(self, images: Tensor, prepared: tuple[Tensor, Tensor]) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> `(N,)` float32."""
        return similarity(embed_images(images.to(self.device), self.dtype), *prepared)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Read the pixels in `dtype`; the cosine stays float32."""
        self.dtype = dtype


class ToyJudge:
    """Says the colour that stands out. Its score is the probability of the first colour word of the prompt."""

    name = "toy"
    sha256 = hashlib.sha256(b"zeuxis toy judge 1").hexdigest()

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.dtype = torch.float32
        self.labels = tuple(COLOURS)
        self.palette = torch.tensor(list(COLOURS.values()), device=self.device)  # (K, 3)

    def prepare(self, prompt: Prompt) -> int | None:
        """Prompt -> the label asked for, None when no word of it names a colour."""
        words = colour_words(" ".join(p.text for p in prompt.phrases if p.weight > 0))
        return self.labels.index(words[0]) if words else None

    def score(self, images: Tensor, prepared: int | None) -> Tensor:
        """`(N, 3, H, W) -> (N,)`: the probability of what was asked for, NaN without a word for it."""
        return self.verdict(images, prepared).score

    def verdict(self, images: Tensor, prepared: int | None) -> Verdict:
        """`(N, 3, H, W) -> Verdict`, a softmax over the distances to the known colours."""
        seen = embed_images(images.to(self.device), self.dtype)[:, :3] + 0.5
        distance = (seen[:, None, :] - self.palette).norm(dim=2)  # (N, K)
        probability = torch.softmax(-8 * distance, dim=1)
        confidence, label = probability.max(dim=1)
        asked = torch.full_like(confidence, torch.nan) if prepared is None else probability[:, prepared]
        return Verdict(asked, tuple(self.labels[k] for k in label.tolist()), confidence)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Read the pixels in `dtype`."""
        self.dtype = dtype


def colour_words(text: str) -> list[str]:
    """The colour words of a phrase, in order: "A Red disc on white" -> ["red", "white"]."""
    return [word for word in text.lower().replace(",", " ").split() if word in COLOURS]


def embed_images(images: Tensor, dtype: torch.dtype) -> Tensor:
    """`(N, 3, H, W)` in [0, 1] -> `(N, 6)` float32: the colour that stands out and the ground's, minus mid grey."""
    pixels = images.to(dtype)
    edge = torch.cat((pixels[:, :, 0], pixels[:, :, -1], pixels[:, :, :, 0], pixels[:, :, :, -1]), dim=2)
    ground = edge.mean(dim=2)  # (N, 3)
    distance = ((pixels - ground[:, :, None, None]) ** 2).sum(dim=1, keepdim=True) + 1e-4  # (N, 1, H, W)
    shape = (distance * pixels).mean(dim=(2, 3)) / distance.mean(dim=(2, 3))
    return torch.cat((shape, ground), dim=1).float() - 0.5


def _embed_phrase(phrase: Phrase) -> Tensor:
    """Words or an image -> `(6,)`. What the words leave open is zero."""
    if phrase.image is not None:
        return embed_images(phrase.image[None], torch.float32)[0].cpu()
    words = colour_words(phrase.text)
    if not words:
        raise BadInput(
            f"The toy scorer reads colours only, and found none in {phrase.text[:80]!r}. Known: {', '.join(COLOURS)}."
        )
    colours = [torch.tensor(COLOURS[word]) - 0.5 for word in words[:2]]
    return torch.cat((*colours, torch.zeros(6 - 3 * len(colours))))
