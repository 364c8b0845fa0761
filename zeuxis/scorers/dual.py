"""What scorers of two towers share (CLIP, OpenCLIP, SigLIP): prompts to embeddings, pictures to embeddings, cosine.

Radford et al. 2021, https://arxiv.org/abs/2103.00020 : sections 2.3 (cosine) and 3.1.4 (prompt ensembles).
"""

from __future__ import annotations

import copy
import html
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.scorers.base import Phrase, Prompt, Scorer, Verdict
from zeuxis.scorers.phrases import similarity, unit
from zeuxis.scorers.preprocess import Preprocess
from zeuxis.scorers.prompts import fill
from zeuxis.scorers.vocabulary import not_english

QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "′": "'", "″": '"'}
)
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
BROKEN = ("Ã", "Â", "â€", "ðŸ", "Ä", "Å", "Ð")  # what UTF-8 looks like when it was read as Windows-1252


def tidy(text: str) -> str:
    """Clean text. Entities are unescaped twice, because captions on the web often are escaped twice."""
    text = html.unescape(html.unescape(text))
    text = _decoded(text).translate(QUOTES).translate(LIGATURES)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _decoded(text: str) -> str:
    """Undo a wrong decoding, where the text shows the marks of one and can be read the other way."""
    for _ in range(2):
        if not any(mark in text for mark in BROKEN):
            break
        for encoding in ("cp1252", "latin-1"):
            try:
                text = text.encode(encoding).decode("utf-8")
                break
            except (UnicodeEncodeError, UnicodeDecodeError):
                continue
        else:
            break
    return text


@dataclass(frozen=True)
class DualPrompt:
    """`embeddings` `(P, E)` of the phrases, their `weights` `(P,)`, and sentences about what was cut."""

    embeddings: Tensor
    weights: Tensor
    notes: tuple[str, ...]


class DualScorer(ABC):
    """A member gives the two towers, the tokenizer and the way pictures are prepared. Words are embedded in float32."""

    name: str
    sha256: str
    family: str
    longest: int  # tokens
    english = False  # whether it was trained on English captions alone

    def __init__(self, net: nn.Module, preprocess: Preprocess, device: torch.device | None) -> None:
        self.device = device or torch.device("cpu")
        self.net = net.to(self.device).eval().requires_grad_(False)
        self.preprocess = preprocess
        self.dtype = torch.float32
        self._reduced: dict[torch.dtype, nn.Module] = {}

    @abstractmethod
    def image_features(self, net: nn.Module, pixels: Tensor) -> Tensor:
        """Prepared pixels `(N, 3, S, S)` -> `(N, E)`, not normalised."""

    @abstractmethod
    def read(self, texts: list[str]) -> Tensor:
        """Sentences -> `(P, E)` float32, not normalised."""

    @abstractmethod
    def cut_words(self, text: str) -> str:
        """The end of `text` that the tower cannot take in, as the user wrote it; "" when all of it fits."""

    def set_precision(self, dtype: torch.dtype) -> None:
        """Look at pictures in `dtype`; words, normalisation and cosine stay float32."""
        self.dtype = dtype

    def prepare(self, prompt: Prompt) -> DualPrompt:
        """Each phrase as the mean of its sentence templates, or as its image. BadInput if strict and words are cut."""
        notes: list[str] = []
        rows = [self._embed(phrase, prompt, notes) for phrase in prompt.phrases]
        weights = torch.tensor([phrase.weight for phrase in prompt.phrases], device=self.device)
        return DualPrompt(torch.stack(rows), weights, tuple(dict.fromkeys(notes)))

    def score(self, images: Tensor, prepared: DualPrompt) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size -> `(N,)` float32 in [-1, 1] for one positive phrase."""
        return similarity(self.embed_images(images), prepared.embeddings, prepared.weights)

    def embed_images(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> unit vectors `(N, E)` float32; the gradient flows."""
        pixels = self.preprocess(images.to(self.device))
        return unit(self.image_features(self._tower(), pixels.to(self.dtype)).float())

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> Tensor:
        """Sentences -> unit vectors `(P, E)` float32."""
        return unit(self.read([tidy(text) for text in texts]))

    def _tower(self) -> nn.Module:
        """The networks in the precision that is set."""
        if self.dtype == torch.float32:
            return self.net
        if self.dtype not in self._reduced:
            self._reduced[self.dtype] = copy.deepcopy(self.net).to(self.dtype)
        return self._reduced[self.dtype]

    def _embed(self, phrase: Phrase, prompt: Prompt, notes: list[str]) -> Tensor:
        if phrase.image is not None:
            with torch.no_grad():
                pixels = self.preprocess(phrase.image[None].to(self.device))
                return unit(self.image_features(self.net, pixels).float())[0]
        if self.english and (said := not_english(phrase.text)):
            notes.append(said)
        texts = fill(phrase.text, prompt.sentences) if prompt.templates else [phrase.text]
        fitting = [text for text in texts if not self.cut_words(tidy(text))]
        if not fitting:  # the templates are left out before the user's own words are
            texts = [phrase.text]
            if cut := self.cut_words(tidy(phrase.text)):
                said = f"{self.name} reads {self.longest} tokens and leaves out: {cut[:300]!r}"
                if prompt.strict:
                    raise BadInput(f"{said}. Shorten the phrase, or leave --strict out.")
                notes.append(said)
        return F.normalize(self.embed_texts(fitting or texts).mean(0), dim=0)


def cut_after(text: str, ends: list[int], kept: int) -> str:
    """What of `text` lies behind the first `kept` tokens, whose ends in characters are `ends`."""
    return text[ends[kept - 1] :].strip() if len(ends) > kept > 0 else ""


SCALE = 100.0  # CLIP's logit scale: Radford et al. 2021, section 2.5
OTHERS = ("a photo", "a blurry picture", "an abstract pattern", "a face", "an animal", "a vehicle", "a building",
          "a landscape", "food", "a piece of furniture")  # fmt: skip


class DualJudge:
    """The probability of the prompt against everyday alternatives, by softmax over scaled cosines."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer: Any = scorer
        self.name, self.sha256, self.device = scorer.name, scorer.sha256, scorer.device

    def set_precision(self, dtype: torch.dtype) -> None:
        """The judge always looks in float32."""

    def prepare(self, prompt: Prompt) -> Any:
        """The prompt as the scorer prepares it."""
        return self.scorer.prepare(prompt), F.normalize(self.scorer.embed_texts(list(OTHERS)), dim=1), prompt.title

    def score(self, images: Tensor, prepared: Any) -> Tensor:
        """`(N, 3, H, W) -> (N,)`: the probability of the prompt."""
        return self.verdict(images, prepared).score

    @torch.no_grad()
    def verdict(self, images: Tensor, prepared: Any) -> Verdict:
        """`(N, 3, H, W) -> Verdict`; labels are the prompt or the nearest alternative."""
        asked, others, title = prepared
        own = self.scorer.score(images, asked)  # (N,)
        rest = self.scorer.embed_images(images) @ others.T  # (N, K)
        probability = (SCALE * torch.cat([own[:, None], rest], dim=1)).softmax(dim=1)
        confidence, label = probability.max(dim=1)
        names = (title, *OTHERS)
        return Verdict(probability[:, 0], tuple(names[k] for k in label.tolist()), confidence)
