"""Sentences as vectors of the package's text tower: what text-conditioned networks of the lab are told."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.hub.header import vocabulary_of
from zeuxis.hub.model_file import build, checksum, read_model, tensors_of
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.dual_encoder import TextTower
from zeuxis.nets.wordpiece import WordPiece

BLOCK = 8  # texts; 16 take four fifths of the time, one alone four times as long


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
            found = self._found(new)
            start, stop = len(self._number), len(self._number) + len(new)
            if stop > len(self._vectors):  # twice the room, so that copying stays rare
                room = torch.empty(max(2 * stop, 4096), self.width)
                room[:start] = self._vectors[:start]
                self._vectors = room
            self._vectors[start:stop] = found
            self._number |= dict(zip(new, range(start, stop), strict=True))
        return self._vectors[[self._number[text] for text in texts]]

    @torch.no_grad()
    def _found(self, texts: list[str]) -> Tensor:
        """Blocks of one shape: beside other texts, or more of them, the last bits of a product may differ.

        A training that was cut asks for texts in other company than the unbroken one, and has to end as it does.
        """
        found = torch.empty(len(texts), self.width)
        rows: dict[int, list[tuple[int, Tensor]]] = {}  # by the number of tokens
        for i, text in enumerate(texts):
            tokens = self.wordpiece.batch([text], self.tower.longest)[0]
            rows.setdefault(len(tokens), []).append((i, tokens))
        for alike in rows.values():
            for start in range(0, len(alike), BLOCK):
                part = alike[start : start + BLOCK]
                block = torch.stack([row for _, row in part] + [part[-1][1]] * (BLOCK - len(part)))
                found[[i for i, _ in part]] = self.tower(block.to(self.device))[: len(part)].cpu()
        return found
