"""The second pocket scorer: heads over the package's frozen picture features and its text tower, made for 64 pixels.

What it scores with is in three files: the heads (`scorer64`), the text tower and trunk (`scorer`), MobileNet v2.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.header import Model, vocabulary_of
from zeuxis.hub.model_file import build, check_model, file_sha256, read_model
from zeuxis.hub.pocket import first_sha256, pocket_path
from zeuxis.nets.aligned import AlignedHeads
from zeuxis.nets.dual_encoder import TextTower
from zeuxis.nets.layers import Precisions, placed
from zeuxis.nets.mobilenet import POCKET
from zeuxis.nets.picture_features import PictureFeatures
from zeuxis.nets.wordpiece import WordPiece
from zeuxis.scorers.pocket import EncoderScorer
from zeuxis.scorers.pocket_features import features_sha256, pocket_features


class AlignedScorer(EncoderScorer):
    """Heads that the lab has trained over the package's own features; score = weighted cosines (Eq. 2 of phrases)."""

    name = "aligned"

    @staticmethod
    def check(path: Path) -> None:
        """WeightsRefused, as from loading the file, for whatever its header and shapes give away."""
        _size(check_model(path, "heads"))

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        model, words = read_model(path), read_model(pocket_path("scorer"))
        heads, text = build(path, "heads"), build(words.path, "text")
        features = pocket_features(_size(model), self.device)
        if not isinstance(heads, AlignedHeads) or not isinstance(text, TextTower):
            raise WeightsRefused(path, "holds no heads of pictures and sentences")
        same = model.about.get("text_sha256") == words.tensors_sha256.get("text")
        if not same or model.about.get("features_sha256") != features_sha256(features):
            raise WeightsRefused(path, "was trained over other networks than this version has. Train or fetch it again")
        self.sha256 = _together(path, words.path, POCKET / "mobilenet_v2.safetensors")
        self.wordpiece = WordPiece(vocabulary_of(words, text.tokens.num_embeddings))
        self.text, self.heads = placed(text, self.device), placed(heads, self.device)
        self._features = Precisions(features)
        self.dtype = torch.float32

    def embed_images(self, images: Tensor) -> Tensor:
        """`(N, 3, H, W)` in [0, 1], any size -> unit vectors `(N, E)` float32; heads and cosine stay float32."""
        return self._seen(images, self.dtype)

    @torch.no_grad()
    def embed_texts(self, texts: list[str]) -> Tensor:
        """Sentences -> unit vectors `(P, E)` float32."""
        return self.heads.sentence(self.text(self.wordpiece.batch(texts, self.longest).to(self.device)))

    @property
    def longest(self) -> int:
        """Word pieces that the text tower reads."""
        return self.text.longest

    def _seen(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        net = self._features[dtype]
        assert isinstance(net, PictureFeatures)
        return self.heads.image(net(images.to(self.device).float()))

    @torch.no_grad()
    def _embed_picture(self, image: Tensor) -> Tensor:
        return self._seen(image[None], torch.float32)[0]


class PocketScorer64(AlignedScorer):
    """The one inside the package."""

    name = "pocket-64"

    def __init__(self, device: torch.device | None = None) -> None:
        super().__init__(pocket_path("scorer64"), device)


def _size(model: Model) -> int:
    """Pixels a side of what MobileNet sees. WeightsRefused for a header without."""
    size = model.about.get("size")
    if type(size) is not int or not 32 <= size <= 512:
        raise WeightsRefused(model.path, f"gives no input size from 32 to 512: {str(size)[:40]}. Export it again")
    return size


def _together(*paths: Path) -> str:
    """One SHA-256 for several files, hex: of their digests in this order."""
    digests = [first_sha256(file_sha256(path)) for path in paths]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
