"""What a phrase shows, by its nouns: "a green sports car parked in the snow" is a sports car, "a dog house" no dog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from zeuxis.nets import imagenet_classes
from zeuxis.scorers import imagenet_words

PLACE = re.compile(
    r"\b(?:on|in|at|with|by|near|under|over|behind|between|beside|inside|from|above|below|across|against|among|around"
    r"|next to|in front of|without|through|during|for|to)\b",
    re.IGNORECASE,
)
MEDIUM = re.compile(
    r"^.*?\b(?:photo|photograph|picture|image|painting|drawing|sketch|portrait|illustration|render|rendering|close-?up|view"
    r"|shot|watercolou?r|pair|group|herd|flock|pack|lots|couple|bunch) of\b",
    re.IGNORECASE,
)
# Words that may follow a noun without making it the first half of another one ("a dog house").
AFTER = (
    "and or is are was that which who while as of asleep awake alone outside outdoors indoors only up down close "
    "closeup photo photograph photography picture image portrait painting drawing sketch illustration art render "
    "cartoon icon head face body side , ;"
)
NOUNS_IN_ING_OR_ED = (
    "crossing building ring ceiling king wing string clothing wedding pudding railing icing lighting awning "
    "earring swing spring thing wrapping dressing training racing meeting parking "
    "sled bed shed seed weed feed breed speed steed reed"
)
# What is called by the name of a kind of thing and is none.
NO_KIND = (
    "sea horse, rocking horse, hobby horse, trojan horse, clothes horse, pommel horse, hot dog, corn dog, prairie "
    "dog, balloon dog, space ship, rocket ship, cable car, bumper car, rail car, railway car, train car, tram car, "
    "street car, dining car, sleeping car, polar cat, paper plane, guinea pig, flying fox, sea lion, teddy bear, "
    "water bear, mechanical bull, lady bird, angry bird, computer mouse, hand truck, baseball bat, koala bear, gravy "
    "boat, sea cow, sea animal, marine animal, stuffed animal, plush animal, toy animal, balloon animal, space vehicle"
)
NO_KIND_EITHER = "spaceship starship toadstool seahorse ladybird jailbird jellyfish starfish catfish doghouse"


class Nouns:
    """The names of some classes. `rows` are all names of each class; `groups` are words for several classes."""

    def __init__(self, rows: Sequence[Sequence[str]], groups: Mapping[str, tuple[int, ...]] | None = None) -> None:
        self.by_words = _by_words(rows)
        self.by_words |= {tuple(word.split()): found for word, found in (groups or {}).items()}
        self._longest = max(map(len, self.by_words), default=0)

    def asked(self, texts: Iterable[str]) -> dict[tuple[int, ...], str]:
        """The classes that phrases ask for, and by which word.

        Where they name several, those before the first preposition: "strawberries on a plate" asks for strawberries.
        """
        texts = [MEDIUM.sub("", text) for text in texts]
        heads = self.find(PLACE.split(text, maxsplit=1)[0] for text in texts)
        return heads if len(heads) == 1 else self.find(texts)

    def find(self, texts: Iterable[str]) -> dict[tuple[int, ...], str]:
        """The classes that phrases name, and by which word; longest names first, a plural counts as the word.

        Of two names side by side the first describes the second ("an orange cat"), unless it is the more exact one
        ("a beagle dog"). A name before another noun describes it: "a bird cage" is no bird.
        """
        found: dict[tuple[int, ...], str] = {}
        for words in map(words_of, texts):
            spans = self.spans(words)
            for start in sorted(spans):
                end, labels, word = spans.get(start, (-1, (), ""))
                if end not in spans:
                    continue
                if set(labels) <= set(spans[end][1]):
                    spans[start] = (spans.pop(end)[0], labels, word)
                else:
                    del spans[start]
            found |= {labels: word for start, (end, labels, word) in spans.items() if _stands_alone(words, start, end)}
        return found

    def named(self, name: str) -> frozenset[int]:
        """The classes of that very name, all of its words."""
        words = words_of(name)
        return frozenset(self.by_words.get(self._key(words), ()) if words else ())

    def spans(self, words: Sequence[str]) -> dict[int, tuple[int, tuple[int, ...], str]]:
        """First word -> (the word after the last, classes, name)."""
        left, spans = list(words), {}
        for length in range(min(self._longest, len(left)), 0, -1):
            for start in range(len(left) - length + 1):
                if key := self._key(left[start : start + length]):
                    spans[start] = (start + length, self.by_words[key], " ".join(key))
                    left[start : start + length] = [""] * length  # "tiger shark" names no tiger
        return spans

    def _key(self, words: Sequence[str]) -> tuple[str, ...]:
        """The name that these words are, the last perhaps in the plural; () for none."""
        for last in singulars(words[-1]):
            key = (*words[:-1], last)
            if key in self.by_words:
                return key
        return ()


@cache
def imagenet() -> Nouns:
    """The thousand classes of ImageNet, and everyday words for groups of them."""
    return Nouns(imagenet_classes.names(), imagenet_words.groups())


def mentions_a_kind(text: str) -> bool:
    """Whether a class of ImageNet is named anywhere in a phrase, be it as a part of another name: "a plane ticket"."""
    return bool(imagenet().spans(words_of(text)))


def several(text: str) -> list[str]:
    """What stands side by side in a phrase: "a duck and a horse" -> ["a duck", "a horse"]."""
    return [part for part in re.split(r"\band\b|[,;&]", head_of(text)) if part.strip()]


def kinds_of(text: str) -> frozenset[int]:
    """The ImageNet classes of what a phrase asks for; none where it names nothing that they know, or several things."""
    found = imagenet().asked([text])
    return frozenset(next(iter(found))) if len(found) == 1 else frozenset()


def head_of(text: str) -> str:
    """What a phrase shows, without its medium and its place: "a black cat" of "a photo of a black cat on a sofa"."""
    core = PLACE.split(MEDIUM.sub("", text), maxsplit=1)[0]
    return core.strip() or text


def is_no_kind(text: str) -> bool:
    """Whether a phrase speaks of something that is only called by the name of a kind: "a hot dog"."""
    words = words_of(head_of(text))
    if any(singular in NO_KIND_EITHER.split() for word in words[-1:] for singular in singulars(word)):
        return True
    return any(_no_kind(words, place) for place in range(1, len(words)))


def _no_kind(words: Sequence[str], place: int) -> bool:
    return any(f"{words[place - 1]} {word}" in NO_KIND.split(", ") for word in singulars(words[place]))


def words_of(text: str) -> list[str]:
    """Words in small letters; a comma or semicolon is one too, so that nothing reaches across it."""
    return re.findall(r"\w+(?:'\w+)?|[,;]", text.lower())


def singulars(word: str) -> list[str]:
    """The word as it is, then what it may be the plural of."""
    found = [word]
    for ending, stem in (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("men", "man"), ("mice", "mouse")):
        if word.endswith(ending) and len(word) > len(ending) + 1 - (ending == "mice"):
            found.append(word.removesuffix(ending) + stem)
    return found


def _stands_alone(words: Sequence[str], start: int, end: int) -> bool:
    """Whether the name from `start` to `end` is what is shown, and no part of another name."""
    if start and end - start == 1 and _no_kind(words, start):
        return False
    after = words[end] if end < len(words) else ";"
    if after in AFTER.split() or PLACE.fullmatch(after):
        return True
    return after.endswith(("ing", "ed")) and after not in NOUNS_IN_ING_OR_ED.split()


def _by_words(rows: Sequence[Sequence[str]]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Words of a name -> the classes of that name. Where it is the first name of some, the others do not count."""
    found: dict[tuple[str, ...], list[tuple[bool, int]]] = {}
    for i, row in enumerate(rows):
        for place, name in enumerate(row):
            key = tuple(words_of(name))
            if key and not (place and name in imagenet_words.NOT_MEANT):
                found.setdefault(key, []).append((place > 0, i))
    return {
        key: tuple(dict.fromkeys(i for later, i in entries if later == min(entries)[0]))
        for key, entries in found.items()
    }
