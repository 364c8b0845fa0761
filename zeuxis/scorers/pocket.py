"""Small dual encoders in the manner of CLIP: the pocket scorers, and whatever `zeuxis train` makes of their kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.header import vocabulary_of
from zeuxis.hub.model_file import Model, build_from, check_model, file_sha256, read_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.dual_encoder import DualEncoder, TextTower
from zeuxis.nets.layers import Precisions, fold_batch_norm, placed
from zeuxis.nets.wordpiece import WordPiece
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.phrases import similarity
from zeuxis.scorers.prompts import fill
from zeuxis.scorers.vocabulary import unfamiliar

SIZE = 32


@dataclass(frozen=True)
class PocketPrompt:
    """Unit embeddings `(P, E)` and weights `(P,)` of the phrases."""

    embeddings: Tensor
    weights: Tensor
    notes: tuple[str, ...] = ()


def lender(model: Model) -> Model:
    """The file with the text tower of a dual encoder: its own, else the pocket scorer's.

    WeightsRefused when it was trained with another one than that.
    """
    if "text" in model.parts:
        return model
    words = read_model(pocket_path("scorer"))
    if model.about.get("text_sha256") != words.tensors_sha256.get("text"):
        raise WeightsRefused(
            model.path, "holds no text tower and was not trained with the pocket scorer's. Export it with its own"
        )
    return words


def _check_fit(path: Path, tower: int, head: int) -> None:
    if tower != head:
        raise WeightsRefused(path, f"has a text tower whose vectors of {tower} numbers do not fit its head of {head}")


class EncoderScorer:
    """A dual encoder that the lab has trained; score = weighted cosines (`zeuxis.scorers.phrases`, Eq. 2)."""

    name = "dual-encoder"

    @staticmethod
    def check(path: Path) -> None:
        """WeightsRefused, as from loading the file, for whatever its header and shapes give away."""
        model = check_model(path, "encoder")
        words = check_model(lender(model).path, "text")
        shape = words.parts["text"]
        vocabulary_of(words, shape["tokens"])
        _check_fit(path, shape.get("output", 384), model.parts["encoder"].get("sentence", 384))

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        model = read_model(path)
        words = lender(model)
        self.sha256 = file_sha256(path)
        net, text = build_from(model, "encoder"), build_from(words, "text")
        if not isinstance(net, DualEncoder) or not isinstance(text, TextTower):
            raise WeightsRefused(path, "holds no dual encoder of images and sentences")
        _check_fit(path, text.direct.out_features, net.text_head.in_features)
        self.wordpiece = WordPiece(vocabulary_of(words, text.tokens.num_embeddings))
        net.text = text
        fold_batch_norm(net.trunk)
        self._nets = Precisions(placed(net, self.device))
        self.dtype = torch.float32

    def set_precision(self, dtype: torch.dtype) -> None:
        """Look at images in `dtype`; words, normalisation and cosine stay float32."""
        self.dtype = dtype

    def prepare(self, prompt: Prompt) -> PocketPrompt:
        """Each phrase as the mean of its sentence templates (Radford et al. 2021, section 3.1.4), or as its image."""
        notes: list[str] = []
        rows = [self._embed(phrase, prompt, notes) for phrase in prompt.phrases]
        weights = torch.tensor([phrase.weight for phrase in prompt.phrases], device=self.device)
        return PocketPrompt(torch.stack(rows), weights, tuple(notes))

    def score(self, images: Tensor, prepared: PocketPrompt) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] at any size -> `(N,)` in [-1, 1] for one positive phrase."""
        return similarity(self.embed_images(images), prepared.embeddings, prepared.weights)

    def embed_images(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1] -> unit vectors `(N, E)` float32."""
        x = images.to(self.device)
        if x.shape[-2:] != (SIZE, SIZE):
            x = F.interpolate(x, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return self._net(self.dtype).image(x * 2 - 1)

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> Tensor:
        """Sentences -> unit vectors `(P, E)` float32."""
        net = self._net(torch.float32)
        return net.words(self.wordpiece.batch(texts, net.text.longest).to(self.device))

    @torch.no_grad()
    def sentences(self, texts: list[str]) -> Tensor:
        """Unit sentence vectors of the text tower `(P, S)` float32, before any picture has a say."""
        text = self._net(torch.float32).text
        return F.normalize(text(self.wordpiece.batch(texts, text.longest).to(self.device)).float(), dim=1)

    def asked(self, prompt: Prompt) -> Tensor | None:
        """Where the positive words of a prompt lie among `sentences`: their weighted mean `(S,)`; None without any."""
        phrases = [phrase for phrase in prompt.phrases if phrase.text and phrase.weight > 0]
        if not phrases:
            return None
        weights = torch.tensor([phrase.weight for phrase in phrases], device=self.device)
        return weights @ self.sentences([phrase.text for phrase in phrases]) / weights.sum()

    def knows(self, word: str) -> bool:
        """Whether the text tower has word pieces for a word."""
        return self.wordpiece.pieces(word) != [self.wordpiece.unknown]

    def _net(self, dtype: torch.dtype) -> DualEncoder:
        net = self._nets[dtype]
        assert isinstance(net, DualEncoder)
        return net

    def _embed(self, phrase: Phrase, prompt: Prompt, notes: list[str]) -> Tensor:
        if phrase.image is not None:
            return self._embed_picture(phrase.image)
        self._check_words(phrase.text, prompt.strict, notes)
        texts = fill(phrase.text, prompt.sentences) if prompt.templates else [phrase.text]
        return F.normalize(self.embed_texts(texts).mean(0), dim=0)

    @torch.no_grad()
    def _embed_picture(self, image: Tensor) -> Tensor:
        """An image prompt (3, H, W) in [0, 1], seen in float32 whatever the precision -> (E,)."""
        small = F.interpolate(image[None].to(self.device), (SIZE, SIZE), mode="bicubic", antialias=True)
        return self._net(torch.float32).image(small.clamp(0, 1) * 2 - 1)[0]

    @property
    def longest(self) -> int:
        """Word pieces that the text tower reads."""
        return self._net(torch.float32).text.longest

    def _check_words(self, text: str, strict: bool, notes: list[str]) -> None:
        """Say what the text tower cannot take in: words past its length, in no alphabet it knows, or not English."""
        words = self.wordpiece.words(text)
        pieces = [self.wordpiece.pieces(word) for word in words]
        unknown = [word for word in words if not self.knows(word)]
        if len(unknown) == len(words):
            raise BadInput(
                f"The {self.name} scorer reads English and knows no word of {text[:60]!r}. Write it in English."
            )
        longest, used, kept = self.longest, 0, len(words)
        for place, piece in enumerate(pieces):
            used += len(piece)
            if used > longest:
                kept = place
                break
        cut = words[kept:]
        for found, what in ((unknown, "does not know"), (cut, f"reads {longest} word pieces and leaves out")):
            if found:
                sentence = f"The {self.name} scorer {what}: {' '.join(found)[:200]}"
                if strict:
                    raise BadInput(f"{sentence}. Leave --strict out, or shorten the phrase.")
                notes.append(sentence)
        if said := unfamiliar(text):
            notes.append(said)


class PocketScorer(EncoderScorer):
    """The one inside the package."""

    name = "pocket"

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__(pocket_path("scorer"), device)


class SecondPocketScorer(EncoderScorer):
    """Trained on the same data from another seed with other widths; the text tower, as distilled, is the first one's.

    For ensembles (`--scorer pocket --scorer pocket-second`), and as a scorer that did not guide.
    """

    name = "pocket-second"

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__(pocket_path("scorer_second"), device)
