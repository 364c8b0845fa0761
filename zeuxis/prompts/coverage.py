"""What a generator was trained to draw, in words, and whether a phrase is among it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import torch

from zeuxis.errors import MissingModel
from zeuxis.hub.header import Model
from zeuxis.hub.model_file import read_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets import imagenet_classes
from zeuxis.scorers import imagenet_words
from zeuxis.scorers.nouns import Nouns, head_of, imagenet, is_no_kind, kinds_of, singulars, words_of
from zeuxis.scorers.pocket import PocketScorer
from zeuxis.scorers.vocabulary import unfamiliar

KNOWN = 0.65  # cosine of sentence vectors from which a label stands for a phrase: "sneakers" to "casual shoes" is 0.79
ELSEWHERE = 0.8  # the same for a phrase that names a class of ImageNet which is none of the labels: "a laptop"
SHOWN = 3  # labels that a note names
SHORTEST = 3  # letters of either half of a word that is written apart: "hand bag"
COLOUR = "colour"  # the kind of label that names no thing
ALSO_CALLED = {  # labels and everyday words for them that are no part of their names
    "body wash and scrub": ("body wash", "shower gel"),
    "booties": ("boot", "ankle boot"),
    "casual shoes": ("sneaker", "trainer", "plimsoll", "loafer", "moccasin"),
    "duffel bag": ("duffel", "duffle bag", "holdall"),
    "face moisturisers": ("moisturiser", "moisturizer", "face cream"),
    "formal shoes": ("loafer", "dress shoe"),
    "handbags": ("purse", "tote", "tote bag"),
    "heels": ("stiletto",),
    "jewellery set": ("jewelry set",),
    "kajal and eyeliner": ("eyeliner", "eye liner", "kohl"),
    "key chain": ("keyring", "key ring", "keychain"),
    "ladybug": ("ladybird", "lady bird"),
    "perfume and body mist": ("cologne",),
    "sports shoes": ("sneaker", "trainer"),
    "sunscreen": ("sun cream", "sunblock"),
    "ties": ("necktie",),
    "trolley bag": ("suitcase",),
    "watches": ("wristwatch",),
}
GROUPS = {  # everyday words for several labels at once
    ("animal",): ("bird", "cat", "deer", "dog", "frog", "horse"),
    ("pet",): ("cat", "dog"),
    ("vehicle",): ("airplane", "automobile", "ship", "truck"),
    ("cosmetic", "makeup", "make-up", "make up"): (
        *("compact", "concealer", "eyeshadow", "foundation and primer", "highlighter and blush", "kajal and eyeliner"),
        *("lip gloss", "lip liner", "lipstick", "mascara", "nail polish"),
    ),
    ("footwear",): (
        *("booties", "casual shoes", "flats", "flip flops", "formal shoes", "heels", "sandals", "sports shoes"),
    ),
    ("headwear",): ("caps", "hat", "headband"),
    ("jewellery", "jewelry"): (
        *("bangle", "bracelet", "earrings", "jewellery set", "necklace and chains", "pendant", "ring"),
    ),
    ("luggage",): ("duffel bag", "rucksacks", "trolley bag"),
}
# Words of the package's labels that hardly anyone means as they do: "toy" as a dog, "foundation" as make-up.
ELSE_MEANT = ("foundation", "hangar queen", "highlighter", "liner", "machine", "mask", "packet", "queen", "toy")


@dataclass(frozen=True)
class Vocabulary:
    """The labels of a generator, in small letters. `what` says how many of what they are.

    `kinds` are those words of the first kind of label that stand with a label in the data: "automobile" with "taxi",
    a label of the only kind with itself; `colours` those that stand with such a word. Both are empty for files that are
    not the package's, `colours` also where pictures have no label for theirs.
    """

    labels: tuple[str, ...]
    what: str
    nouns: Nouns
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    colours: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def pocket_vocabulary(file: str, what: str) -> Vocabulary | None:
    """That of a generator of the package, None where its file is not here."""
    try:
        model = read_model(pocket_path(file))
    except MissingModel:
        return None
    found = model_vocabulary(model, what, ELSE_MEANT)
    return replace(found, kinds=_kinds(model), colours=_colours(model)) if found else None


def model_vocabulary(model: Model, what: str = "labels", but: Sequence[str] = ()) -> Vocabulary | None:
    """What the header of a generator's file says it can draw, `but` for some words; None where its labels are no words,
    or there are none.
    """
    facts = model.parts.get("generator", {})
    if 1000 in (facts.get("num_classes"), facts.get("c_dim")):
        return _imagenet()
    kinds = model.about.get("labels")
    named = _occurring(model.about) if isinstance(kinds, dict) else []
    return _vocabulary(tuple(sorted({_plain(word) for word in named} - set(but))), what)


def _occurring(about: Mapping[str, Any]) -> list[str]:
    """The labels but for colours, as far as some picture has them."""
    labels, rows = about["labels"], about.get("rows")
    at = [place for place, kind in enumerate(labels) if kind != COLOUR]
    words = list(labels.values())
    if rows is None:
        return [word for place in at for word in words[place]]
    return [words[place][k] for place in at for k in sorted({row[place] for row in rows})]


def _kinds(model: Model) -> dict[str, tuple[str, ...]]:
    """Label -> words of the first kind of label in the rows that have it; of files of the package alone."""
    words, found = list(model.about["labels"].values()), dict[str, dict[str, None]]()
    for row in model.about["rows"]:
        for of, k in zip(words, row, strict=True):
            found.setdefault(_plain(of[k]), {})[words[0][row[0]]] = None
    return {label: tuple(firsts) for label, firsts in found.items()}


def _colours(model: Model) -> dict[str, tuple[str, ...]]:
    """Word of the first kind of label -> the colours that it has in the data, in small letters."""
    words, found = model.about["labels"], dict[str, dict[str, None]]()
    if COLOUR not in words:
        return {}
    at, firsts = list(words).index(COLOUR), next(iter(words.values()))
    for row in model.about["rows"]:
        found.setdefault(firsts[row[0]], {})[_plain(words[COLOUR][row[at]])] = None
    return {kind: tuple(colours) for kind, colours in found.items()}


def _plain(word: str) -> str:
    return str(word).lower().replace("_", " ")


@cache
def _vocabulary(labels: tuple[str, ...], what: str) -> Vocabulary | None:
    if sum(bool(words_of(label)) and not _cryptic(label) for label in labels) * 2 <= len(labels):
        return None
    nouns = Nouns([(label, *_other_names(label, labels)) for label in labels])
    return Vocabulary(labels, f"{len(labels):,} {what}", nouns)


def _other_names(label: str, labels: Sequence[str]) -> list[str]:
    """Its singular, "perfume" of "perfume and body mist", "hand bag" for "handbags", and everyday words for it."""
    first, _, second = label.partition(" and ")
    half = singulars(first) if second and first not in (*labels, *ELSE_MEANT) else []
    word = singulars(label)[:2][-1]
    apart = [f"{word[:k]} {word[k:]}" for k in range(SHORTEST, len(word) - SHORTEST + 1)] if word.isalpha() else []
    groups = [word for words, of in GROUPS.items() if label in of and len({*of} & {*labels}) > 1 for word in words]
    return [*singulars(label)[1:], *half, *apart, *ALSO_CALLED.get(label, ()), *groups]


@cache
def _imagenet() -> Vocabulary:
    names = {name.lower() for row in imagenet_classes.names() for name in row}
    return Vocabulary(tuple(sorted(names | set(imagenet_words.groups()))), "the 1,000 classes of ImageNet", imagenet())


def _cryptic(label: str) -> bool:
    """Whether a label is no word to a reader: "n01440764", "7"."""
    return not any(word.isalpha() and len(word) > 1 for word in words_of(label))


@cache
def words() -> PocketScorer:
    """The text tower that phrases and labels are compared by."""
    return PocketScorer(torch.device("cpu"))


def closeness(text: str, vocabulary: Vocabulary) -> tuple[float, tuple[str, ...]]:
    """The cosine of a phrase to the nearest label, 1 where it names one; and the labels that come nearest."""
    near = vectors(vocabulary.labels) @ words().sentences([head_of(text)])[0]  # (K,)
    order = [vocabulary.labels[k] for k in near.argsort(descending=True, stable=True).tolist()]
    if named := vocabulary.nouns.asked([text]):
        return 1.0, tuple(dict.fromkeys((*named.values(), *order)))[:SHOWN]
    fitting = [label for label in order if not _sounds_like(text, label) and not unfamiliar(label)]
    if not fitting:
        return 0.0, ()
    return float(near[vocabulary.labels.index(fitting[0])]), tuple(fitting[:SHOWN])


def likeness(text: str, vocabulary: Vocabulary) -> float:
    """The cosine of a phrase to the nearest label, also where it names one."""
    return float((vectors(vocabulary.labels) @ words().sentences([head_of(text)])[0]).max())


def draws(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a phrase asks for something that a generator was trained on."""
    near, _ = closeness(text, vocabulary)
    if near == 1.0:
        return True
    kinds = kinds_of(text)
    if kinds and any(kinds & imagenet().named(label) for label in vocabulary.labels):
        return True
    return near >= (ELSEWHERE if kinds else KNOWN) and not is_no_kind(text)


def _sounds_like(text: str, label: str) -> bool:
    """Whether a label shares words or their beginnings with a phrase, but not what it is: "an elephant bird"."""
    *before, last = words_of(label) or [""]
    heads, said, beginnings = _head_words(text)
    if heads & set(singulars(last)):
        return False
    return bool(said & {*before, *singulars(last)}) or last[:4] in beginnings


@lru_cache(maxsize=64)
def _head_words(text: str) -> tuple[set[str], set[str], set[str]]:
    """Of what a phrase shows: its noun and its words, each as it may be in the singular, and how they begin."""
    shown = words_of(head_of(text)) or [""]
    said = {singular for word in shown for singular in singulars(word) if len(singular) >= 3}
    return set(singulars(shown[-1])), said, {word[:4] for word in said}


@cache
def vectors(labels: tuple[str, ...]) -> torch.Tensor:
    """`(K, E)` float32 sentence vectors of length one of `K` labels."""
    return words().sentences(list(labels))
