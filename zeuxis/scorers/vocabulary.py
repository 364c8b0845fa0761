"""Words that a scorer of English captions cannot know: other languages, keyboard noise, names, spelling mistakes.

A word counts as English when it stands in `english.txt` (where the list comes from is said there), in a name of an
ImageNet class or among a few newer words, or is an inflection or a compound of such words. Word pieces alone would
not tell: "giraffe" is cut into as many as "merkel".
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from zeuxis.nets import imagenet_classes
from zeuxis.scorers.weights import quoted

SHORTEST = 3  # letters of a word that is looked up
COMPOUND = 7  # letters from which a word may be made of two: "cellphone", but "camion" is no "cam ion"
SHARE = 0.5  # of the words of a phrase: with so many foreign ones it is in another language
SHOWN = 5  # words that a note names
LIKE = 0.8  # difflib's ratio from which a known word is offered: "giraf" and "giraffe" have 0.83

# Everyday words that are newer than the list, or that it takes for names.
NEWER = (
    "adidas anime app avatar barbie beanie bbq bmx boba cosplay cyberpunk drone duffel emoji frisbee gopro hoodie "
    "ipad iphone kawaii lego manga minecraft nike playstation pokemon sari segway selfie steampunk styrofoam tesla "
    "topping webcam wifi xbox labradoodle goldendoodle cockapoo shiba corgi burka hijab parmesan patty pony entree "
    "cityscape bokeh photorealistic voxel lowpoly vaporwave synthwave headshot jeggings romper jumpsuit clipart "
    "frying capybara stormtrooper flowery eatery ramen checkered piercing camper kayaker greenery wildfire tabletop "
    "lily wii nintendo closeup countertop para retro gothic burgundy scape tiered onstage superhero supervillain "
    "tshirt undecorated parasail ferris arabic latin backsplash wheelie bodysuit skatepark stemware cooktop "
    "flatscreen hotdog falafel baguette biohazard sauropod bento rex duffle fleece sweatpants hatchback chequered "
    "curbside workspace flatbread homebuilt clocktower"
)
# Adjectives of places and times, makers, and other names that say how a thing looks.
DESCRIBING = (
    "american british english french german dutch italian spanish swiss czech greek roman japanese chinese indian "
    "african asian european egyptian persian siamese arabian mexican russian turkish irish scottish welsh swedish "
    "danish norwegian finnish polish thai korean victorian tudor georgian edwardian christmas halloween easter "
    "christian catholic buddhist muslim jewish hindu celtic viking aztec mayan santa claus christ buddha sunday "
    "monday tuesday wednesday thursday friday saturday january february april june july august september october "
    "november december olympic atlantic pacific arctic antarctic caribbean ottoman toyota honda bmw mercedes audi "
    "ferrari porsche volkswagen boeing airbus harley google microsoft pepsi cola disney venus jupiter saturn neptune "
    "uranus dvd usb gps led atm suv vip xxl usa hdr rgb jpg png isis tibetan australian canadian brazilian nordic "
    "bengal"
)
# Articles, prepositions and the like of other languages in Latin letters, as far as they are no English words.
FOREIGN = (
    "ein eine einen einem einer eines der das dem den und mit auf vor hinter unter neben vom zum zur aus bei ist im "
    "am un une les des du et avec sur dans sous est aux chez le la una uno unos unas el los las con sobre bajo junto "
    "y il lo gli della dello delle dei nel nella nello sul sulla di um uma uns umas dos das nas ao een het op met "
    "naast onder och av med och til na pod nad oraz przy bir ve ile de"
)
_BY_NAME = re.compile(r"\b(?:by|style of)\s+((?:[A-Z][\w'-]+)(?:\s+[A-Z][\w'-]+)*)")
_ENDINGS = (  # and what may have stood in their place
    ("s", ("",)), ("es", ("", "is")), ("ies", ("y", "ie")), ("ves", ("f", "fe")), ("ed", ("", "e")), ("ied", ("y",)),
    ("ing", ("", "e")), ("ings", ("", "e")), ("er", ("", "e")), ("ers", ("", "e")), ("est", ("", "e")),
    ("ier", ("y",)), ("iest", ("y",)), ("ly", ("", "e")), ("ily", ("y",)), ("y", ("", "e")), ("ness", ("",)),
    ("iness", ("y",)), ("less", ("",)), ("ful", ("",)), ("like", ("",)), ("ish", ("", "e")), ("able", ("", "e")),
    ("ist", ("", "e")), ("ists", ("", "e")), ("men", ("man",)), ("ry", ("",)), ("or", ("", "e")), ("ors", ("", "e")),
)  # fmt: skip


def not_english(text: str) -> str:
    """A sentence where most words of a phrase are those of another language, one with Latin letters; else ""."""
    said = _words(text)
    foreign = [word for word in said if _plain(word) in _foreign()]
    strange = [word for word in said if _is_strange(_plain(word)) and word not in foreign]
    share = (len(foreign) + len(strange)) / max(1, len(said))
    if foreign and (share > SHARE or (share == SHARE and strange)):
        return f"{quoted(text)} does not look like English, which the scorer was trained on: say it in English."
    return ""


def unfamiliar(text: str) -> str:
    """What a scorer of English captions will hardly understand of a phrase, in one sentence; "" for nothing.

    Words in other alphabets than the Latin one are left to the scorer, which has no letters for them.
    """
    if said := not_english(text):
        return said
    strange = [word for word in _words(text) if _is_strange(_plain(word))]
    listed = list(dict.fromkeys([*_after_by(text), *strange]))
    if not listed:
        return ""
    return (
        f"The scorer was trained on everyday English and may not know {_listed(listed)}: check the spelling"
        f"{_nearest(strange)}, or say in common words what is to be seen."
    )


def _nearest(strange: list[str]) -> str:
    """The known words that unknown ones may be misspellings of; "" where none is near."""
    near = dict.fromkeys(filter(None, map(_known_near, map(_plain, strange[:SHOWN]))))
    return f" (nearest known: {_listed(list(near))})" if near else ""


@cache
def _known_near(word: str) -> str:
    """The known word that is spelled most like it, from the same first letter; "" for none."""
    known = [other for other in _english() if other[0] == word[0] and abs(len(other) - len(word)) <= 2]
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=LIKE)), "")


def _after_by(text: str) -> list[str]:
    """Names after "by": whose picture or design it is to be."""
    found = [word for names in _BY_NAME.findall(text) for word in _words(names)]
    return [word for word in found if _plain(word) not in _describing()]


def _is_strange(word: str) -> bool:
    return len(word) >= SHORTEST and word not in _describing() and not _is_english(word)


def _is_english(word: str) -> bool:
    known = _english()
    if any(stem in known for stem in _stems(word)):
        return True
    cuts = range(SHORTEST, len(word) - SHORTEST + 1) if len(word) >= COMPOUND else ()
    return any(word[:cut] in known and any(stem in known for stem in _stems(word[cut:])) for cut in cuts)


def _stems(word: str) -> Iterator[str]:
    """The word, and what it may be an inflection of."""
    yield word
    for ending, before in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 2:
            yield from (stem + letters for letters in before)
            if len(stem) > SHORTEST and stem[-1] == stem[-2]:
                yield stem[:-1]  # "running"


@cache
def _english() -> frozenset[str]:
    lines = Path(__file__).with_name("english.txt").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    classes = {_plain(word) for row in imagenet_classes.names() for name in row for word in _words(name)}
    return frozenset(listed | classes | set(NEWER.split()))


@cache
def _describing() -> frozenset[str]:
    return frozenset(DESCRIBING.split())


@cache
def _foreign() -> frozenset[str]:
    return frozenset(FOREIGN.split())


def _words(text: str) -> list[str]:
    """Words in Latin letters as typed, without numbers; "close-up" is two, "men's" is "men"."""
    found = re.findall(r"[^\W\d_]+", re.sub(r"(?:n['’]t|['’]\w{1,2})\b", "", text))
    return [word for word in found if all(unicodedata.name(c, "").startswith("LATIN") for c in word)]


def _plain(word: str) -> str:
    """In small letters, without accents."""
    apart = unicodedata.normalize("NFD", word.lower())
    return "".join(c for c in apart if not unicodedata.combining(c))


def _listed(words: list[str]) -> str:
    more = ", ..." if len(words) > SHOWN else ""
    return ", ".join(repr(word[:40]) for word in words[:SHOWN]) + more
