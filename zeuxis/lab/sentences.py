"""Sentences to distil on: captions, single words, nouns in templates, colours and scenes. Text only."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from zeuxis.data.npz import open_npz, read_xz
from zeuxis.data.packs import read_emoji_text, readable
from zeuxis.errors import BadInput
from zeuxis.evaluation.zero_shot import with_article
from zeuxis.lab.attributes import COLOURS, SCENES
from zeuxis.lab.phrases import TEMPLATES, Captioner


def training_sentences(data: Path, vocabulary: list[str], rng: torch.Generator) -> list[str]:
    """Shuffled, distinct sentences from what lies in the folder `data` and from the teacher's own words."""
    folder = data if data.is_dir() else data.parent
    nouns = _nouns(folder)
    words = [token for token in vocabulary if token.isalpha() and len(token) > 2]
    found = [*_captions(folder), *words, *nouns]

    def pick(items: list[str] | tuple[str, ...]) -> str:
        return items[int(torch.randint(0, len(items), (1,), generator=rng))]

    for word in words:
        found.append(pick(TEMPLATES).format(with_article(word), bare=word))
    for _ in range(25_000):
        draws = torch.rand(4, generator=rng).tolist()
        noun = pick(nouns) if draws[0] < 0.6 else pick(words)
        colour = int(draws[1] * 2 * len(COLOURS)) - len(COLOURS)
        scene = int(draws[2] * 2 * len(SCENES)) - len(SCENES)
        found.append(Captioner.text(noun, max(colour, -1), max(scene, -1), draws[3]))
    for _ in range(10_000):
        found.append(f"{pick(words)} {pick(words)}")
    distinct = list(dict.fromkeys(found))
    return [distinct[i] for i in torch.randperm(len(distinct), generator=rng).tolist()]


def _captions(folder: Path) -> list[str]:
    """COCO sentences, when they are there."""
    path = folder / "coco_val2017_captions.jsonl.xz"
    if not path.exists():
        return []
    try:
        lines = read_xz(path).decode("utf-8").splitlines()
        return [str(caption).strip() for line in lines for caption in json.loads(line)["captions"]]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f'Expected lines {{"captions": [...]}} in {path}, got something else. Copy it again.') from error


def _nouns(folder: Path) -> list[str]:
    """Search terms, classes, emoji names and keywords."""
    nouns: list[str] = []
    for name, keys in (("cifar10.npz", ("terms", "classes")), ("caltech93_64.npz", ("classes",))):
        if (folder / name).exists():
            with open_npz(folder / name, "data pack") as pack:
                nouns += [readable(str(n)) for key in keys for n in pack[key]]
    for split in ("train", "test"):
        for item in read_emoji_text(folder, split):
            nouns += [item.name, *item.keywords]
    if not nouns:
        raise BadInput(
            f"Expected a data pack (cifar10.npz, caltech93_64.npz, emoji64.json) in {folder}; found no nouns there."
        )
    return list(dict.fromkeys(nouns))
