"""The pocket scorer: a small dual encoder in the manner of CLIP, weights inside the package."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.hub import weights
from zeuxis.hub.pocket import pocket_path
from zeuxis.hub.weights import file_sha256, load_weights, read_facts, read_tensors
from zeuxis.nets.dual_encoder import DualEncoder
from zeuxis.nets.layers import Precisions, fold_batch_norm, placed
from zeuxis.nets.text_tower import TextTower
from zeuxis.nets.trunk import Trunk
from zeuxis.nets.wordpiece import WordPiece
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.phrases import similarity
from zeuxis.scorers.prompts import fill

SIZE = 32
TEXT = "text."  # before the names of the text tower's tensors


@dataclass(frozen=True)
class PocketPrompt:
    """Unit embeddings `(P, E)` and weights `(P,)` of the phrases."""

    embeddings: Tensor
    weights: Tensor
    notes: tuple[str, ...] = ()


class PocketScorer:
    """score = weighted cosines of the image with the phrases (`zeuxis.scorers.phrases`, Eq. 2)."""

    name = "pocket"
    file = "scorer"  # of the pocket set

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        path, words = pocket_path(self.file), pocket_path("scorer")
        facts, language = read_facts(path), read_facts(words)
        self.sha256 = file_sha256(path)
        shape = language["text"]
        self.wordpiece = WordPiece(language["vocabulary"])
        text = TextTower(len(language["vocabulary"]), shape["width"], shape["layers"], shape["heads"])
        net = DualEncoder(Trunk(tuple(facts.get("trunk_widths", Trunk().widths))), text, facts["joint"])
        if path == words:
            load_weights(net, path)
        else:  # a scorer without a text tower of its own
            load_weights(text, words, TEXT)
            tensors = read_tensors(path) | {TEXT + name: value for name, value in text.state_dict().items()}
            weights.fill(net, tensors, path)
        net.requires_grad_(False)
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

    def _net(self, dtype: torch.dtype) -> DualEncoder:
        net = self._nets[dtype]
        assert isinstance(net, DualEncoder)
        return net

    def _embed(self, phrase: Phrase, prompt: Prompt, notes: list[str]) -> Tensor:
        if phrase.image is not None:
            with torch.no_grad():
                net = self._net(torch.float32)
                small = F.interpolate(phrase.image[None].to(self.device), (SIZE, SIZE), mode="bicubic", antialias=True)
                return net.image(small.clamp(0, 1) * 2 - 1)[0]
        self._check_words(phrase.text, prompt.strict, notes)
        texts = fill(phrase.text) if prompt.templates else [phrase.text]
        return F.normalize(self.embed_texts(texts).mean(0), dim=0)

    def _check_words(self, text: str, strict: bool, notes: list[str]) -> None:
        """Say what the text tower cannot take in: words past its length, and words in no alphabet it knows."""
        words = self.wordpiece.words(text)
        pieces = [self.wordpiece.pieces(word) for word in words]
        unknown = [w for w, p in zip(words, pieces, strict=True) if p == [self.wordpiece.unknown]]
        if len(unknown) == len(words):
            raise BadInput(f"The pocket scorer reads English and knows no word of {text[:60]!r}. Write it in English.")
        longest, used, kept = self._net(torch.float32).text.longest, 0, len(words)
        for place, piece in enumerate(pieces):
            used += len(piece)
            if used > longest:
                kept = place
                break
        cut = words[kept:]
        for found, what in ((unknown, "does not know"), (cut, f"reads {longest} word pieces and leaves out")):
            if found:
                sentence = f"The pocket scorer {what}: {' '.join(found)[:200]}"
                if strict:
                    raise BadInput(f"{sentence}. Leave --strict out, or shorten the phrase.")
                notes.append(sentence)


class SecondPocketScorer(PocketScorer):
    """Trained on the same data from another seed with other widths; the text tower, as distilled, is the first one's.

    For ensembles (`--scorer pocket --scorer pocket-second`), and as a scorer that did not guide.
    """

    name = "pocket-second"
    file = "scorer_second"
