"""What a generator was trained to draw, in words, and whether a phrase is among it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

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
COLOUR = "colour"  # the kind of label that names no thing
ALSO_CALLED = {
    "grey": ("gray",),
    "gold": ("golden",),
    "multi": ("multicoloured", "multicolored", "colourful", "colorful"),
}
ELSE_MEANT = ("foundation", "highlighter", "mask")  # first halves of labels that hardly anyone means by the word


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
    found = model_vocabulary(model, what)
    return replace(found, kinds=_kinds(model), colours=_colours(model)) if found else None


def model_vocabulary(model: Model, what: str = "labels") -> Vocabulary | None:
    """What the header of a generator's file says it can draw; None where its labels are no words, or there are none."""
    facts = model.parts.get("generator", {})
    if 1000 in (facts.get("num_classes"), facts.get("c_dim")):
        return _imagenet()
    kinds = model.about.get("labels")
    named = [of for kind, of in kinds.items() if kind != COLOUR] if isinstance(kinds, dict) else []
    return _vocabulary(tuple(sorted({_plain(word) for of in named for word in of})), what)


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
    nouns = Nouns([(label, *singulars(label)[1:], *_first_of_two(label, labels)) for label in labels])
    return Vocabulary(labels, f"{len(labels):,} {what}", nouns)


def _first_of_two(label: str, labels: Sequence[str]) -> tuple[str, ...]:
    """ "perfume" of "perfume and body mist", unless it is a label itself or mostly means something else."""
    first, _, second = label.partition(" and ")
    return tuple(singulars(first)) if second and first not in (*labels, *ELSE_MEANT) else ()


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
    near = _vectors(vocabulary.labels) @ words().sentences([head_of(text)])[0]  # (K,)
    order = [vocabulary.labels[k] for k in near.argsort(descending=True, stable=True).tolist()]
    if named := vocabulary.nouns.asked([text]):
        return 1.0, tuple(dict.fromkeys((*named.values(), *order)))[:SHOWN]
    fitting = [label for label in order if not _sounds_like(text, label) and not unfamiliar(label)]
    if not fitting:
        return 0.0, ()
    return float(near[vocabulary.labels.index(fitting[0])]), tuple(fitting[:SHOWN])


def kinds_near(texts: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """The kinds that phrases ask for, in the colours they name where there are such pictures; () where one asks for
    something else.

    Kinds are those of the labels that a phrase names, else of those that end in its last noun ("a red shoe": casual,
    formal and sports shoes), else of the nearest label.
    """
    found = dict[str, None]()
    for text in texts:
        if not draws(text, vocabulary):
            return ()
        named = vocabulary.nouns.asked([text])
        near = [vocabulary.labels[row] for rows in named for row in rows] or _of_that_head(text, vocabulary)
        near = near or list(closeness(text, vocabulary)[1][:1])
        kinds = dict.fromkeys(kind for label in near for kind in vocabulary.kinds.get(label, ()))
        found |= dict.fromkeys(_in_colours(text, tuple(kinds), vocabulary.colours))
    return tuple(found)


def _of_that_head(text: str, vocabulary: Vocabulary) -> list[str]:
    """The labels of several words whose last is that of the phrase; of "a clutch bag" the label before it."""
    *before, last = words_of(head_of(text)) or [""]
    heads = set(singulars(last))
    found = [label for label in vocabulary.labels if " " in label and heads & set(singulars(words_of(label)[-1]))]
    spans = vocabulary.nouns.spans(before).values() if found else ()
    told = [vocabulary.labels[row] for end, rows, _ in spans if end == len(before) for row in rows]
    return told or found


def _in_colours(text: str, kinds: tuple[str, ...], colours: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """`kinds`, each with the colours that a phrase names, where some have one of them."""
    known = sorted({colour for of in colours.values() for colour in of})
    names = Nouns([(colour, *ALSO_CALLED.get(colour, ())) for colour in known])
    said = {known[row] for _, rows, _ in names.spans(words_of(head_of(text))).values() for row in rows}
    pairs = tuple(f"{colour} {kind.lower()}" for kind in kinds for colour in colours.get(kind, ()) if colour in said)
    return pairs or kinds


def likeness(text: str, vocabulary: Vocabulary) -> float:
    """The cosine of a phrase to the nearest label, also where it names one."""
    return float((_vectors(vocabulary.labels) @ words().sentences([head_of(text)])[0]).max())


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
    *described, head = words_of(head_of(text)) or [""]
    if set(singulars(last)) & set(singulars(head)):
        return False
    said = {singular for word in (*described, head) for singular in singulars(word) if len(singular) >= 3}
    return bool(said & {*before, *singulars(last)}) or any(last[:4] == word[:4] for word in said)


@cache
def _vectors(labels: tuple[str, ...]) -> torch.Tensor:
    return words().sentences(list(labels))
