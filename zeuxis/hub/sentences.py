"""Sentences as vectors of the package's text tower: what text-conditioned networks of the lab are told."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.hub.header import vocabulary_of
from zeuxis.hub.model_file import build, checksum, read_model, tensors_of
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.dual_encoder import TextTower
from zeuxis.nets.wordpiece import WordPiece


def text_sha256() -> str:
    """SHA-256 of the tower's weights; they are read only where their file, of an older version, does not say it."""
    path = pocket_path("scorer")
    return read_model(path).tensors_sha256.get("text") or checksum(tensors_of(path, "text", verify=False))


class Sentences:
    """The pocket scorer's text tower with a memory: texts -> vectors (P, `width`) on the CPU."""

    def __init__(self, device: torch.device) -> None:
        path = pocket_path("scorer")
        tower, model = build(path, "text"), read_model(path)
        assert isinstance(tower, TextTower)
        self.tower, self.device, self.width = tower.to(device), device, tower.direct.out_features
        self.wordpiece = WordPiece(vocabulary_of(model, tower.tokens.num_embeddings))
        self.sha256 = text_sha256()
        self._number: dict[str, int] = {}
        self._vectors = torch.empty(0, self.width)

    def __call__(self, texts: list[str]) -> Tensor:
        """Texts -> (P, width), each of length 1."""
        new = [text for text in dict.fromkeys(texts) if text not in self._number]
        if new:
            with torch.no_grad():
                found = self.tower(self.wordpiece.batch(new, self.tower.longest).to(self.device)).cpu()
            start, stop = len(self._number), len(self._number) + len(new)
            if stop > len(self._vectors):  # twice the room, so that copying stays rare
                room = torch.empty(max(2 * stop, 4096), self.width)
                room[:start] = self._vectors[:start]
                self._vectors = room
            self._vectors[start:stop] = found
            self._number |= dict(zip(new, range(start, stop), strict=True))
        return self._vectors[[self._number[text] for text in texts]]
