"""Which kinds of picture, and in which colours, a phrase asks of a generator of the package."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from zeuxis.prompts.coverage import KNOWN, Vocabulary, closeness, draws, vectors, words
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.nouns import MEDIUM, PLACE, Nouns, imagenet, kinds_of, singulars, words_of

WITHIN = 0.12  # how far the cosine of a label to a phrase may be below that of the best of its family
SIDE_BY_SIDE = re.compile(r"\band\b|&", re.IGNORECASE)
APART = re.compile(r"[,;]|\b(?:that|which) (?:is|are)\b", re.IGNORECASE)
MADE = re.compile(r"\bmade (?:out )?(?:of|from)\b", re.IGNORECASE)
QUALITY = re.compile(r"\b(?:\d+k|u?hd|hdr|high resolution|high quality)\b", re.IGNORECASE)
DENIED = re.compile(  # "without a hat"; not "a no entry sign", "no show socks", "forget-me-not"
    r"(?<![-\w])(?:without|with no|and no|but not|(?<!\ba )(?<!\bthe )no(?! show)|not)\s+(?:(?:an?|any|the)\s+)?"
    rf"([^,;.]+?)(?=\s+(?:and|but)\b|\s+{PLACE.pattern}|[,;.]|$)",
    re.IGNORECASE,
)
FILLERS = frozenset(
    ("a", "an", "the", "some", "one", "in", "colour", "color", "all", "very", "light", "dark", "bright")
)
BAGS = ("backpacks", "clutches", "handbags", "rucksacks")  # labels that are bags without the word
COLOURS_TOO = {  # colours and words for them
    "gold": ("golden",),
    "grey": ("gray",),
    "lime green": ("lime",),
    "multi": ("multicolour", "multicolor", "multicoloured", "multicolored", "colourful", "colorful"),
    "navy blue": ("navy",),
    "off white": ("ivory",),
    "purple": ("violet",),
    "red": ("crimson", "scarlet"),
    "silver": ("silvery",),
    "turquoise blue": ("turquoise",),
}


@dataclass(frozen=True)
class Asked:
    """What to draw: names of kinds, or of kinds in a colour, () for all; what was asked for and is in no picture;
    whether all things that stand side by side in the phrases are among the kinds.
    """

    kinds: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class _Part:
    """One of the things that stand side by side in a phrase: `text` without its colours, and these."""

    text: str
    labels: tuple[str, ...]
    colours: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether it says nothing but colours."""
        return bool(self.colours) and not set(words_of(self.text)) - FILLERS


def kinds_near(texts: Sequence[str], vocabulary: Vocabulary) -> Asked:
    """The kinds that phrases ask for, in the colours they name where there are such pictures; all kinds where one asks
    for something else.

    Kinds are those of the labels that a phrase names, else of those that end in its noun ("a red shoe": casual, formal
    and sports shoes), else of those that are the same class of ImageNet, else of the nearest label.
    """
    found, missing, whole = dict[str, None](), dict[str, None](), True
    for text in _joined(texts, vocabulary):
        plain = QUALITY.sub("", MADE.sub("of", MEDIUM.sub("", text)))
        things = [[_part(part, vocabulary) for part in APART.split(side)] for side in SIDE_BY_SIDE.split(plain)]
        parts = _with_colours([part for of in things for part in of])
        known = [part for part in parts if part.labels]
        whole &= bool(known) and all(any(part.labels or part.plain for part in of) for of in things)
        known = known or _nearest(plain, parts, vocabulary)
        if not known:
            return Asked()
        for part in known:
            kinds = tuple(dict.fromkeys(kind for label in part.labels for kind in vocabulary.kinds.get(label, ())))
            pairs = _pairs(kinds, part.colours, vocabulary)
            found |= dict.fromkeys(pairs or kinds)
            wished = [(c, kind.lower()) for kind in kinds for c in part.colours if c not in words_of(kind)]
            missing |= {} if pairs else dict.fromkeys(f"{colour} {kind}" for colour, kind in wished)
    return Asked(tuple(found), tuple(missing), whole)


def drawn(text: str, vocabulary: Vocabulary) -> bool:
    """Whether a phrase asks for something that a generator was trained on, or for several such things."""
    return draws(text, vocabulary) or (bool(vocabulary.kinds) and kinds_near([text], vocabulary).whole)


def wanted_of(prompt: Prompt) -> list[Phrase]:
    """The phrases to move towards, as far as they do not say what is to be absent: of "a cat without a hat" the cat."""
    found = [replace(one, text=DENIED.sub("", one.text).strip(" ,;")) for one in prompt.phrases if one.weight > 0]
    return [phrase for phrase in found if phrase.text]


def denied_in(prompt: Prompt) -> list[tuple[str, str]]:
    """The phrases to move towards that say what is to be absent, and that: ("a cat without a hat", "hat")."""
    return [(p.text, away.group(1)) for p in prompt.phrases if p.weight > 0 for away in DENIED.finditer(p.text)]


def avoided_of(prompt: Prompt) -> list[str]:
    """What to move away from, and what phrases to move towards say is to be absent."""
    return [p.text for p in prompt.phrases if p.text and p.weight < 0] + [what for _, what in denied_in(prompt)]


def main_of(wanted: Sequence[Phrase]) -> list[str]:
    """Those of the greatest weight."""
    return [phrase.text for phrase in wanted if phrase.weight >= max(other.weight for other in wanted)]


def things_of(wanted: Sequence[Phrase]) -> list[str]:
    """Those of them that are no circumstance, "in the snow"."""
    return [text for text in main_of(wanted) if not PLACE.match(text)]


def _joined(texts: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """The phrases, those that are nothing but a colour behind the one before: "a shoe", "red"."""
    joined: list[str] = []
    for text in texts:
        if joined and _part(text, vocabulary).plain:
            joined[-1] = f"{joined[-1]}, {text}"
        else:
            joined.append(text)
    return joined


def _part(text: str, vocabulary: Vocabulary) -> _Part:
    """A thing in a phrase: the labels that it names or that end in its noun, and its colours; those of another thing
    beside it, "a man with a blue tie", do not count.
    """
    cut = PLACE.split(text)
    prepositions = [found.group().lower() for found in PLACE.finditer(text)]
    pieces = [_without_colours(piece, vocabulary) for piece in cut]
    plain = " ".join(word for piece, prep in zip(pieces, [*prepositions, ""], strict=True) for word in (piece[0], prep))
    named = vocabulary.nouns.asked([plain])
    labels = tuple(vocabulary.labels[row] for rows in named for row in rows)
    place = next((k for k, (piece, _) in enumerate(pieces) if named and vocabulary.nouns.find([piece])), 0)
    if not labels:
        labels = _family(pieces[0][0], vocabulary)
    colours = pieces[place][1]
    if not colours and prepositions[place : place + 1] == ["in"]:  # "a scarf in red"
        colours = pieces[place + 1][1]
    return _Part(plain, labels, colours)


def _without_colours(text: str, vocabulary: Vocabulary) -> tuple[str, tuple[str, ...]]:
    """The words of a text without the colours in it, and these; "cream" in "eye cream" is none."""
    said, names = words_of(text), _colours(vocabulary)
    left = list(said)
    for start, (end, _, _) in vocabulary.nouns.spans(said).items():
        left[start:end] = [""] * (end - start)
    spans = names.spans(left)
    gone = {place for start, (end, _, _) in spans.items() for place in range(start, end)}
    known = _known_colours(vocabulary)
    colours = tuple(known[row] for start in sorted(spans) for row in spans[start][1])
    return " ".join(word for place, word in enumerate(said) if place not in gone), colours


def _with_colours(parts: list[_Part]) -> list[_Part]:
    """With parts that are nothing but colours in the thing before, or, of "black and white shoes", behind them."""
    found, loose = list[_Part](), tuple[str, ...]()
    for part in parts:
        if not part.plain:
            found.append(_Part(part.text, part.labels, (*loose, *part.colours)))
            loose = ()
        elif found and found[-1].labels:
            found[-1] = _Part(found[-1].text, found[-1].labels, (*found[-1].colours, *part.colours))
        else:
            loose = (*loose, *part.colours)
    return found


def _family(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The labels that share their last words with one another and with the phrase, as far as they are near to it; of "a
    clutch bag" the label before the noun.
    """
    named = _family_names(vocabulary.labels).find([text])
    if len(named) != 1:
        return ()
    labels = list(_families(vocabulary.labels).values())[next(iter(named))[0]]
    told = [vocabulary.labels[row] for _, rows, _ in vocabulary.nouns.spans(words_of(text)).values() for row in rows]
    if own := tuple(label for label in told if label in labels):
        return own
    if len(classes := kinds_of(text)) == 1 and (own := tuple(one for one in labels if imagenet().named(one) & classes)):
        return own
    cosines = (vectors(vocabulary.labels) @ words().sentences([text])[0]).tolist()
    near = dict(zip(vocabulary.labels, cosines, strict=True))
    return tuple(label for label in labels if near[label] >= max(near[one] for one in labels) - WITHIN)


@cache
def _family_names(labels: tuple[str, ...]) -> Nouns:
    split = [family.split() for family in _families(labels)]
    return Nouns([[" ".join((*before, one)) for one in singulars(last)] for *before, last in split])


@cache
def _families(labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Last words that several labels of more words share -> those labels."""
    found: dict[str, list[str]] = {}
    for label in labels:
        said = words_of(label)
        for start in range(1, len(said)):
            found.setdefault(" ".join(said[start:]), []).append(label)
    shared = {words: tuple(of) for words, of in found.items() if len(of) > 1}
    if "bag" in shared:
        shared["bag"] += tuple(label for label in BAGS if label in labels)
    return shared


def _nearest(text: str, parts: Sequence[_Part], vocabulary: Vocabulary) -> list[_Part]:
    """Of a phrase that names no label those of its class of ImageNet, else the nearest; none for "a glove compartment",
    where a label describes something else.
    """
    if not draws(text, vocabulary):
        return []
    classes = kinds_of(text)
    labels = tuple(label for label in vocabulary.labels if imagenet().named(label) & classes)
    said = words_of(text)
    describes = vocabulary.nouns.spans(said) or _family_names(vocabulary.labels).spans(said)
    if not labels and not describes:
        near, order = closeness(text, vocabulary)
        labels = order[:1] if near >= KNOWN else ()
    return [_Part(text, labels, tuple(colour for part in parts for colour in part.colours))] if labels else []


def _pairs(kinds: Sequence[str], colours: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """Kinds in colours as far as there are such pictures; where there are none, in what a colour is a shade of."""
    base = [shade[-1] for colour in colours if len(shade := colour.split()) > 1]
    for said in (colours, base):
        of = [(kind.lower(), c) for kind in kinds for c in vocabulary.colours.get(kind, ()) if c in said]
        if pairs := tuple(f"{c} {kind}" for kind, c in of if c not in words_of(kind)):
            return pairs
    return ()


def _known_colours(vocabulary: Vocabulary) -> list[str]:
    return sorted({colour for of in vocabulary.colours.values() for colour in of})


def _colours(vocabulary: Vocabulary) -> Nouns:
    return _colour_names(tuple(_known_colours(vocabulary)))


@cache
def _colour_names(known: tuple[str, ...]) -> Nouns:
    return Nouns([(colour, *COLOURS_TOO.get(colour, ())) for colour in known])
