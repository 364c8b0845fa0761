"""WordPiece tokens (Wu et al. 2016): greedy longest match on lower-case words, cut by the uncased BERT rules.

Devlin et al. 2019, arXiv 1810.04805.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

PAD, UNKNOWN = "[PAD]", "[UNK]"
LONGEST_WORD = 100  # characters; longer ones are unknown, as in BERT


def _is_ideograph(character: str) -> bool:
    name = unicodedata.name(character, "") if character > "\u2e7f" else ""
    return name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH"))


class WordPiece:
    """Text -> token numbers. `vocabulary` in order of number; continuation pieces start with ##."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        self.index = {token: i for i, token in enumerate(self.vocabulary)}
        self.pad, self.unknown = self.index[PAD], self.index[UNKNOWN]

    def words(self, text: str) -> list[str]:
        """Lower case, accents off, split at blanks and around every punctuation mark and Chinese character."""
        plain = unicodedata.normalize("NFD", text.lower())
        out: list[str] = [""]
        for character in plain:
            kind = unicodedata.category(character)
            if kind == "Mn" or (kind[0] == "C" and not character.isspace()) or character == "\ufffd":
                continue
            if character.isspace():
                out.append("")
            elif kind[0] == "P" or (kind[0] == "S" and character.isascii()) or _is_ideograph(character):
                out += [character, ""]
            else:
                out[-1] += character
        return [word for word in out if word]

    def pieces(self, word: str) -> list[int]:
        """One word as token numbers; the whole word is unknown when a rest finds no piece."""
        if len(word) > LONGEST_WORD:
            return [self.unknown]
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.index:
                    break
            else:
                return [self.unknown]
            found.append(self.index[piece])
            start = end
        return found

    def encode(self, text: str) -> list[int]:
        """All tokens of `text`, none cut, no special marks."""
        return [number for word in self.words(text) for number in self.pieces(word)]

    def batch(self, texts: Iterable[str], longest: int) -> Tensor:
        """Texts -> int64 (N, T), padded; tokens past `longest` are left out (the caller warns)."""
        rows = [self.encode(text)[:longest] or [self.unknown] for text in texts]
        width = max(len(row) for row in rows)
        return torch.tensor([row + [self.pad] * (width - len(row)) for row in rows])
