"""Sentences that a phrase is put into, in named sets: the scorer averages their embeddings (zeuxis.scorers.prompts).

Each has one {} in the place of the phrase, which gets its article there. Nothing heavy is imported, so that the sets
can be listed.
"""

from __future__ import annotations

import re

from zeuxis.errors import BadInput
from zeuxis.registry import unknown

PLACE = "{}"
USUAL = "photo"  # the set that is taken where nothing is said
MOST, LONGEST = 64, 400  # sentences; letters of one
SETS: dict[str, tuple[str, ...]] = {
    USUAL: (
        "{}",
        "a photo of {}",
        "a picture of {}",
        "a small photo of {}",
        "a bright photo of {}",
        "a dark photo of {}",
        "a blurry photo of {}",
        "a clear photo of {}",
        "a close view of {}",
        "a photo showing {}",
        "an image with {} in the middle",
    ),
    "product": (
        "{}",
        "{} on a white background",
        "a photo of {} on a white background",
        "a product photo of {}",
        "a shop photo of {}",
        "a picture of {} for sale",
        "a close view of {}",
        "an image with {} in the middle",
    ),
    "small": ("{}", "a photo of {}", "a small photo of {}", "a blurry photo of {}", "a picture of {}"),
    "picture": ("{}", "a picture of {}", "an image of {}", "a painting of {}", "a poster of {}", "a pattern of {}"),
    "plain": ("{}",),
}
_ARTICLE = re.compile(r"\ban? (?=\{\})", re.IGNORECASE)


def sentences_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """The sentences of sets by name and of texts with one {}, in order, none twice; () for the usual set alone.

    "a photo of a {}" is read as "a photo of {}": the phrase brings its article. UnknownName, BadInput.
    """
    if tuple(names) == (USUAL,):
        return ()
    found: list[str] = []
    for name in names:
        found += SETS[name] if name in SETS else [_checked(name)]
    if not 1 <= len(found) <= MOST:
        raise BadInput(f"Expected 1 to {MOST} sentences as templates, got {len(found)}.")
    return tuple(dict.fromkeys(found))


def _checked(text: str) -> str:
    if "{" not in text and "}" not in text:
        raise unknown("set of sentence templates (or a text with {} in it)", text, list(SETS))
    if text.count(PLACE) != 1 or text.replace(PLACE, "").count("{") or text.replace(PLACE, "").count("}"):
        raise BadInput(f"Expected a template with {PLACE} once, in the place of the phrase, got {text[:80]!r}.")
    if len(text) > LONGEST:
        raise BadInput(f"Expected a template of at most {LONGEST} letters, got {len(text):,}. Shorten it.")
    return _ARTICLE.sub("", " ".join(text.split()))
