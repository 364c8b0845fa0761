"""CLIP's tokenizer: byte pair encoding (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909), from what is there.

OpenAI's .pt holds none. Beside it may lie transformers' files, or the table of merges that OpenAI's and OpenCLIP's
programs carry, bpe_simple_vocab_16e6.txt.gz; else the tokenizer of a CLIP that was fetched is taken: OpenAI's networks
and most of OpenCLIP's share one.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from pathlib import Path
from typing import Any

from zeuxis.errors import Missing, WeightsRefused
from zeuxis.hub.catalogue import MODELS
from zeuxis.hub.locate import locate
from zeuxis.hub.tokenizer import read_tokenizer
from zeuxis.scorers.folder import BPE_TABLE

MOST_BYTES = 2**24  # of the table, unpacked; the published one has 3 MB
FETCHED = "clip-vit-b-32"
WORDS = 49_408  # tokens of the one that is shared
BYTES = [*range(33, 127), *range(161, 173), *range(174, 256)]  # those that are printed as they are


def clip_tokenizer(transformers: Any, folder: Path, words: int) -> Any:
    """The tokenizer for the weights in `folder` with `words` tokens. WeightsRefused, with what to do, without one.

    An OpenCLIP checkpoint may lie inside its transformers folder, so the folder above counts as well.
    """
    for place in (folder, folder.parent, folder.parent / "hf"):
        if (place / "tokenizer.json").is_file() or (place / "merges.txt").is_file():
            return read_tokenizer(transformers.CLIPTokenizer, place)
        if (place / BPE_TABLE).is_file():
            return _from_table(transformers, place / BPE_TABLE, words)
    if words == WORDS and FETCHED in MODELS:
        try:
            return read_tokenizer(transformers.CLIPTokenizer, locate(FETCHED, "scorer"))
        except (Missing, WeightsRefused):
            pass
    raise WeightsRefused(
        folder,
        f"holds no tokenizer: expected tokenizer.json, or vocab.json and merges.txt, or {BPE_TABLE} beside the "
        f"weights; zeuxis models pull {FETCHED} fetches one that OpenAI's files share",
    )


def _from_table(transformers: Any, path: Path, words: int) -> Any:
    try:
        with gzip.open(path, "rb") as file:
            raw = file.read(MOST_BYTES + 1)
        vocabulary, merges = tables(raw.decode("utf-8"), words)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise WeightsRefused(path, f"is no table of merges: {str(error)[:120]}") from error
    with tempfile.TemporaryDirectory() as place:
        Path(place, "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        Path(place, "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
        return read_tokenizer(transformers.CLIPTokenizer, Path(place))


def tables(text: str, words: int) -> tuple[dict[str, int], list[str]]:
    """Token -> number and the merges, from OpenAI's table. ValueError for one that does not give `words` tokens.

    256 bytes, the same at the end of a word, a token for each merge, and two marks.
    """
    count = words - 2 * 256 - 2
    merges = text.split("\n")[1 : count + 1] if count >= 0 else []
    if len(text) > MOST_BYTES or len(merges) != count or not all(len(line.split()) == 2 for line in merges):
        raise ValueError(f"expected {max(count, 0):,} merges for {words:,} tokens")
    others = [byte for byte in range(256) if byte not in BYTES]
    letters = [*map(chr, BYTES), *(chr(256 + n) for n in range(len(others)))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(line.split()) for line in merges)]
    return {token: n for n, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}, merges
