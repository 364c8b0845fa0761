"""From the user's words to a Prompt: phrases with weights, negative phrases, images, sentence templates.

Templates: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
https://arxiv.org/abs/2103.00020 (section 3.1.4: embeddings averaged over several sentences per phrase).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.pictures.reading import read_rgb
from zeuxis.scorers.base import Phrase, Prompt
from zeuxis.scorers.templates import PLACE, SETS, USUAL
from zeuxis.scorers.weights import check_colon, quoted, split_weight

MAX_BYTES = 10_000  # of UTF-8 in one phrase
MAX_PHRASES = 32  # in one prompt, images included
IMAGE_SIDE = 512  # pixels; no scorer looks at more

_CHOICE = re.compile(r"\[[^\[\]|]+\|[^\[\]]+\]")  # "[red|green]", as other programs write alternatives
_BAR = re.compile(r"(?<!\\)\|")
# Marks that change the direction of text, zero-width spaces, the soft hyphen and the byte order mark.
_MARKS = frozenset("\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def parse_prompt(
    prompt: Sequence[str],
    negative: Sequence[str] = (),
    image_prompt: Sequence[str] = (),
    *,
    templates: bool = True,
    sentences: Sequence[str] = (),
    strict: bool = False,
) -> Prompt:
    """Read a prompt: "a red truck:1.5 | snow:0.5", negative phrases, and image files as prompts.

    '|' separates phrases; a last ':number' is a weight (default 1, |weight| <= 100), every other colon is
    text, and '\\:' and '\\|' are always text. A negative phrase pushes away; its weight is written without a
    minus. `templates`, their `sentences` and `strict` are passed on to the scorer. What the clean-up took out is in
    `notes`.

    BadInput for blank phrases, over 10 kB in a phrase, over 32 phrases, weights that are not finite, too large or
    written with a comma, a phrase that is both wanted and avoided, a prompt with nothing to move towards, and image
    files that cannot be read.
    """
    notes: list[str] = []
    _note_single_words(_listed(prompt), notes)
    for text in _listed(prompt):
        if text.strip() == "-":
            raise BadInput(
                "Expected a phrase, got '-': standard input is not read. Put phrases in a file: --prompts FILE"
            )
        if found := _CHOICE.search(text):
            meant = "{" + found[0][1:-1] + "}"
            notes.append(f"{quoted(found[0])} is cut at its '|': {quoted(meant)} makes a prompt of each word.")
    positive, away, files = _split(prompt, notes), _split(negative, notes), _listed(image_prompt)
    if not 0 < (count := len(positive) + len(away) + len(files)) <= MAX_PHRASES:
        raise BadInput(f"Expected 1 to {MAX_PHRASES} phrases and images in a prompt, got {count:,}. {_advice(count)}")
    phrases = [_phrase(text, notes) for text in positive]
    phrases += [_away(_phrase(text, notes)) for text in away]
    _check_repeated(phrases, notes)
    weighted = [_image_weight(file) for file in files]
    _check_direction([p.weight for p in phrases] + [weight for _, weight in weighted])
    phrases += [Phrase(weight=weight, image=read_image(file, notes)) for file, weight in weighted]
    return Prompt(tuple(phrases), templates, strict, tuple(dict.fromkeys(notes)), tuple(sentences))


def clean(text: str, notes: list[str] | None = None) -> str:
    """NFC text, single spaces, without control characters, lone surrogates and invisible marks.

    What is taken out is counted in a sentence added to `notes`; white space needs none.
    """
    # Two halves of a surrogate pair that arrived as two characters are one character.
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    kept = "".join(c for c in text if not _unwanted(c))
    result = unicodedata.normalize("NFC", " ".join(kept.split()))
    if notes is not None and (removed := len(text) - len(kept)):
        notes.append(f"Removed {removed} control, invisible or broken character(s) from {quoted(result)}.")
    return result


def _unwanted(c: str) -> bool:
    return c in _MARKS or (unicodedata.category(c) in ("Cc", "Cs") and not c.isspace())


def _listed(texts: Sequence[str]) -> Sequence[str]:
    return (texts,) if isinstance(texts, str) else texts  # a lone str would be read letter by letter


def _advice(count: int) -> str:
    return "Keep the phrases that matter most." if count else 'Say what to look for, e.g. "a red fire truck".'


def _split(texts: Sequence[str], notes: list[str]) -> list[str]:
    found: list[str] = []
    for text in _listed(texts):
        if len(text) > MAX_BYTES * MAX_PHRASES:  # before any work is done on it
            raise _too_long(text, len(text))
        found += _BAR.split(clean(text, notes))
    return found


def _phrase(text: str, notes: list[str]) -> Phrase:
    if (size := len(text.encode())) > MAX_BYTES:
        raise _too_long(text, size)
    words, weight = split_weight(text.strip())
    check_colon(text.strip(), words, weight, notes)
    if weight is not None and words[-1:].isdigit():
        notes.append(f"Read {quoted(text)} as {quoted(words)} with weight {weight:g}; '\\:' keeps the colon as text.")
    words = words.replace("\\:", ":").replace("\\|", "|")
    if all(unicodedata.category(c) in ("Zs", "Cf") for c in words):
        raise BadInput(
            f"Expected words in every phrase, got a blank one ({quoted(text)}). Say what the picture is to show, on "
            "both sides of a '|' and before a ':weight'."
        )
    return Phrase(words, 1.0 if weight is None else weight)


def _note_single_words(prompt: Sequence[str], notes: list[str]) -> None:
    """What an unquoted phrase becomes on a command line."""
    words = [text.strip() for text in prompt]
    if all_single_words(words):
        listed = ", ".join(map(quoted, words[:6])) + (", ..." if len(words) > 6 else "")
        notes.append(f"Read {len(words)} phrases of one word each: {listed}. Put quotes around them to make it one.")


def all_single_words(texts: Sequence[str]) -> bool:
    """Whether these are several phrases of one word each, without weights."""
    return len(texts) > 1 and all(re.fullmatch(r"[^\W\d_][\w'-]*", text) for text in texts)


def _check_repeated(phrases: Sequence[Phrase], notes: list[str]) -> None:
    """BadInput for a phrase that is both wanted and avoided; a note for one that stands twice."""
    seen: dict[str, Phrase] = {}
    for phrase in phrases:
        first = seen.setdefault(_bare(phrase.text), phrase)
        if first.weight * phrase.weight < 0:
            raise BadInput(
                f"Expected other words to avoid than to move towards, got {quoted(phrase.text)} as both. Leave one out."
            )
        if first is not phrase:
            notes.append(f"{quoted(phrase.text)} stands in the prompt twice: its weights add up.")
        if not phrase.weight:
            notes.append(f"{quoted(phrase.text)} has weight 0, so the search takes no notice of it.")


def _bare(text: str) -> str:
    """A phrase in small letters without its article."""
    return re.sub(r"^(?:an?|the) ", "", text.lower())


def _away(phrase: Phrase) -> Phrase:
    if phrase.weight < 0:
        raise BadInput(
            f"Expected a weight of 0 or more for the negative phrase {quoted(phrase.text)}, got {phrase.weight:g}. "
            "A negative phrase already pushes away: leave the minus out."
        )
    return Phrase(phrase.text, 0.0 - phrase.weight)


def _check_direction(weights: list[float]) -> None:
    if any(weight > 0 for weight in weights):
        return
    came = "only negative ones" if any(weight < 0 for weight in weights) else "only weights of 0"
    raise BadInput(
        f"Expected at least one phrase or image with a weight above 0, got {came}. "
        'Add something to move towards, e.g. "a photo".'
    )


def _too_long(text: str, size: int) -> BadInput:
    return BadInput(
        f"Expected at most {MAX_BYTES:,} bytes in a phrase and {MAX_PHRASES} phrases in a prompt, "
        f"got {size:,} bytes beginning {quoted(text)}. Shorten it, or split it with '|'."
    )


# ---------------------------------------------------------------- images as prompts


def read_image(path: str | Path, notes: list[str] | None = None) -> Tensor:
    """An image file as `(3, H, W)` float32 in [0, 1], at most 512 pixels a side, the aspect kept.

    Read by zeuxis.pictures.reading: upright, on white, the first frame. BadInput for what it refuses.
    """
    picture = read_rgb(path, notes=notes)
    picture.thumbnail((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255  # (H, W, 3) -> (3, H, W)


def _image_weight(file: str) -> tuple[str, float]:
    try:
        if Path(file).exists():  # a file may be called "a:1"
            return file, 1.0
    except (OSError, ValueError):
        pass  # no such name can exist; reading it says so
    name, weight = split_weight(file)
    return name, 1.0 if weight is None else weight


# ---------------------------------------------------------------- sentence templates

TEMPLATES = SETS[USUAL]

_MEDIUM = re.compile(
    r"(?:[\w-]+ ){0,3}(?:photo|photograph|picture|image|painting|drawing|sketch|portrait|illustration|render)s? "
    r"(?:of|with|that|showing)\b",
    re.IGNORECASE,
)
_NO_ARTICLE = re.compile(
    r"the|th[ioe]se?|that|my|your|his|her|its|our|their|some|any|every|each|all|both|no|many|several|few"
    r"|one|two|three|four|five|six|seven|eight|nine|ten|dozens|hundreds|i|you|he|she|it|we|they|there|who|what"
    r"|in|on|at|under|over|near|behind|between|inside|outside|from|with|without|some(?:body|one|thing)"
)
_MASS = re.compile(r"water|snow|grass|sand|ice|fire|smoke|rain|fog|sunlight|food|rice|music|furniture|clothing")
_PLURAL = re.compile(
    r"(?!(?:gas|lens|canvas|atlas|pancreas|cosmos|chaos|rhinoceros)$).*(?<![sui])s"
    r"|people|\w*men|children|mice|geese|feet|teeth|cattle"
)
_HEAD_ENDS = re.compile(r"[,.;:!?]|\b(?:of|in|on|at|with|by|near|under|over|from|for|to|behind|between|that|and)\b")
_VOWEL_SOUND = re.compile(
    r"[ai]|e(?!u|w)|o(?!n(?:e|ce)\b)|u(?!ni(?!m|n)|s[aeiu]|r[aeio]|k|f|t[aei]|biq)|x-|hour|honest|honou?r|heir"
)


def fill(text: str, templates: Sequence[str] = ()) -> list[str]:
    """The sentences whose embeddings stand for one phrase: as typed where "{}" is among the templates (() are the usual
    ones), then each template, none twice.

    "fire truck" and "a fire truck" both become "a photo of a fire truck". A phrase that already names its
    medium ("a painting of a ship") is left as typed.
    """
    if _MEDIUM.match(text):
        return [text]
    noun, templates = with_article(text), templates or TEMPLATES
    typed = [text] if PLACE in templates else []
    return list(dict.fromkeys(typed + [template.replace(PLACE, noun) for template in templates]))


def with_article(text: str) -> str:
    """`text` with the indefinite article that English asks for, by approximation.

    "a"/"an" is put right by sound; plurals, numbers, names, "the ..." and other scripts stay as they are.
    """
    first, _, rest = text.partition(" ")
    noun = rest if first.lower() in ("a", "an") and rest else text
    if noun is text and not _takes_article(text):
        return text
    return f"{'an' if _VOWEL_SOUND.match(noun.lower()) else 'a'} {noun}"


def _takes_article(text: str) -> bool:
    words = _HEAD_ENDS.split(text, maxsplit=1)[0].split()
    if not words or _NO_ARTICLE.fullmatch(words[0]) or not re.fullmatch(r"[a-z][a-z'-]*", words[0]):
        return False
    return not _PLURAL.fullmatch(words[-1]) and not _MASS.fullmatch(words[-1])
