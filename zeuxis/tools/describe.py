"""From a picture to words: the phrases of a vocabulary, then phrases bred against a scorer.

The other half of Galatolo, Cimino and Vaglini, "Generating images from caption and vice versa via CLIP-guided
generative latent space search" (2021), https://arxiv.org/abs/2102.01645 , with a space of words in place of a language
model's: one template, property, colour, noun and place each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.compute.device import choose_device
from zeuxis.errors import BadInput, ZeuxisError
from zeuxis.nets import imagenet_classes
from zeuxis.pictures.metadata import PictureInfo, read_metadata
from zeuxis.pictures.reading import read_rgb, square
from zeuxis.prompts.members import MEMBERS
from zeuxis.rng import stream
from zeuxis.scorers.base import Phrase, Prompt, Scorer
from zeuxis.scorers.choose import make_scorer
from zeuxis.scorers.prompts import with_article
from zeuxis.scorers.vocabulary import unfamiliar
from zeuxis.search import SEARCHES
from zeuxis.spaces import Categorical
from zeuxis.spaces.algebra import nonnegative_fit
from zeuxis.tools.replay import load_generator
from zeuxis.types import Evaluation

AUTO, HELD_OUT = "pocket-64", {"pocket-64": "pocket"}  # the scorer by default; who checks it, else pocket-64
SIDE = 512  # pixels; no scorer looks at more
WARM = 24  # nouns of the best single phrases that the first generation is made of
MIXED = 32  # phrases that the best mixture may hold
SAME = 2  # bred phrases shown with one noun

TEMPLATES = (
    "{}", "a photo of {}", "a picture of {}", "a close view of {}", "a dark photo of {}", "a bright photo of {}",
    "a blurry photo of {}", "a drawing of {}", "a painting of {}",
)  # fmt: skip
PROPERTIES = (
    "", "small", "large", "old", "new", "long", "short", "round", "square", "flat", "striped", "checked", "spotted",
    "floral", "plain", "shiny", "dark", "bright", "leather", "metal", "wooden", "plastic", "glass", "cotton", "denim",
    "furry", "fluffy", "wet", "rusty", "toy", "young", "wild", "flying", "running", "sitting", "sleeping", "parked",
    "open", "closed", "folded",
)  # fmt: skip
COLOURS = (
    "", "black", "white", "grey", "silver", "brown", "beige", "red", "maroon", "pink", "orange", "gold", "yellow",
    "green", "olive", "turquoise", "blue", "navy blue", "purple",
)  # fmt: skip
PLACES = (
    "", "on a white background", "on grass", "in the snow", "in the water", "in the sky", "on a road", "on sand",
    "in a forest", "in a field", "on a table", "on a wall", "at night", "at sunset", "in the sun", "in fog",
    "in a city", "at sea", "from the side", "from the front", "from above", "with a dark background", "in a room",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A phrase, its score, how many deviations of the vocabulary's phrases that is above their mean; and the score of
    a scorer that did not choose it.
    """

    phrase: str
    score: float
    above: float
    held_out: float


@dataclass(frozen=True)
class Description:
    """`said` are the phrases of the vocabulary, best first, `bred` those that the search found.

    `ceiling` is the score of the best mixture of the vocabulary's phrases: about as much of the picture as this scorer
    can put into these words; NaN for a scorer without embeddings. `origin` says what a picture of a run was made for.
    """

    scorer: str
    held_out: str
    phrases: int
    tried: int
    said: tuple[Row, ...]
    bred: tuple[Row, ...]
    ceiling: float
    origin: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def describe(
    picture: Path,
    scorer: str | None = None,
    *,
    device: torch.device | None = None,
    generations: int = 30,
    population: int = 64,
    top: int = 8,
    seed: int = 0,
) -> Description:
    """A picture file in words. BadInput for no picture, UnknownName and the like for a scorer that is none.

    Without a name the scorer is the one that goes with the picture's generator, else `pocket-64`.
    """
    rgb = read_rgb(picture)
    image = torch.from_numpy(square(rgb, min(SIDE, *rgb.size))).permute(2, 0, 1).float() / 255
    notes: list[str] = []
    info = _info(picture)
    member = MEMBERS.get(info.generator) if info is not None else None
    name = scorer or (member.scorer if member is not None else AUTO)
    device = device or choose_device("auto")
    guide = Scores(image, make_scorer(name, device))
    check = Scores(image, make_scorer(HELD_OUT.get(name, AUTO), device))
    space = Categorical((TEMPLATES, PROPERTIES, COLOURS, nouns(), PLACES))
    phrases = [with_article(noun) for noun in nouns()]
    score = guide(phrases)
    read = score[score.isfinite()]  # a scorer may have no word for some
    mean = float(read.mean()) if len(read) else float("nan")
    deviation = float(read.std().clamp_min(1e-9)) if len(read) > 1 else float("nan")
    order = score.argsort(descending=True, stable=True).tolist()[: len(read)]

    def rows(found: Sequence[tuple[str, float]]) -> tuple[Row, ...]:
        checked = check([text for text, _ in found]).tolist()
        return tuple(Row(t, s, (s - mean) / deviation, c) for (t, s), c in zip(found, checked, strict=True))

    bred, tried = breed(guide, space, order[:WARM], generations, population, seed, top)
    return Description(
        name, check.scorer.name, len(phrases), tried,
        rows([(phrases[k], float(score[k])) for k in order[:top]]), rows(bred), guide.ceiling(phrases),
        () if info is None else _origin(info, notes), tuple(notes),
    )  # fmt: skip


class Scores:
    """What a scorer makes of phrases for one picture; each is embedded once."""

    def __init__(self, image: Tensor, scorer: Scorer) -> None:
        self.scorer, self.image = scorer, image[None].to(scorer.device)
        self._known: dict[str, float] = {}
        self._embeds: Any = scorer if hasattr(scorer, "embed_texts") and hasattr(scorer, "embed_images") else None
        with torch.no_grad():
            self._seen = None if self._embeds is None else F.normalize(self._embeds.embed_images(self.image), dim=1)[0]

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> Tensor:
        """`(N,)` scores on the CPU; -inf for a phrase that the scorer cannot read."""
        fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
        if self._embeds is None:
            self._known |= {text: self._one(text) for text in fresh}
        for first in range(0, len(fresh), 256) if self._embeds is not None else ():
            piece = fresh[first : first + 256]
            assert self._seen is not None
            self._known |= dict(zip(piece, (self._embedded(piece) @ self._seen).tolist(), strict=True))
        return torch.tensor([self._known[text] for text in texts])

    def _embedded(self, texts: list[str]) -> Tensor:
        return F.normalize(self._embeds.embed_texts(texts).float(), dim=1)

    def _one(self, text: str) -> float:
        try:
            prepared = self.scorer.prepare(Prompt((Phrase(text),), templates=False))
        except BadInput:
            return float("-inf")
        return float(self.scorer.score(self.image, prepared)[0])

    @torch.no_grad()
    def ceiling(self, texts: Sequence[str]) -> float:
        """The cosine of the picture with the nearest mixture of phrases, none of a negative weight; NaN without."""
        if self._seen is None:
            return float("nan")
        seen = self._seen.double()
        rows = torch.cat([self._embedded(list(texts[k : k + 256])) for k in range(0, len(texts), 256)]).double()
        mixed = nonnegative_fit(rows, seen, MIXED) @ rows
        return round(float(F.cosine_similarity(mixed, seen, dim=0)), 9)  # the last bits of least squares vary


def breed(
    score: Scores, space: Categorical, warm: Sequence[int], generations: int, population: int, seed: int, top: int
) -> tuple[list[tuple[str, float]], int]:
    """The best phrases that a genetic algorithm finds, and how many it tried.

    The first generation has the nouns numbered `warm`, one half of it plain, the other with words that are drawn; a
    mutation chooses a word anew.
    """
    search = SEARCHES["ga"](space, population=population, mutation="uniform", mutation_prob=0.3)
    x = space.sample(population, stream(seed, "warm"))
    if warm:
        chosen = space.decode(x)
        chosen[: population // 2] = 0  # the plain template and no other word
        chosen[:, 3] = torch.tensor([warm[k % max(1, population // 2) % len(warm)] for k in range(population)])
        x = space.encode(chosen)
    search.start = x
    found: dict[str, tuple[float, str]] = {}
    for generation in range(generations + 1):
        batch = search.ask(stream(seed, generation, "ask"))
        words = space.words(batch.x)
        texts = list(map(sentence, words))
        scores = score(texts)
        search.tell(batch, Evaluation(scores))
        found |= {t: (float(s), w[3]) for t, s, w in zip(texts, scores, words, strict=True)}
    best: list[tuple[str, float]] = []
    often: dict[str, int] = {}
    for text, (value, noun) in sorted(found.items(), key=lambda item: -item[1][0]):
        if not math.isfinite(value):
            break
        often[noun] = often.get(noun, 0) + 1
        if often[noun] <= SAME and len(best) < top:
            best.append((text, value))
    return best, len(found)


def sentence(words: tuple[str, ...]) -> str:
    """("a photo of {}", "old", "red", "truck", "on grass") -> "a photo of an old red truck on grass"."""
    template, described, colour, noun, place = words
    thing = with_article(" ".join(word for word in (described, colour, noun) if word))
    return " ".join(word for word in (template.format(thing), place) if word)


@cache
def nouns() -> tuple[str, ...]:
    """What the generators of the package were trained on, and the classes of ImageNet, as far as they are English."""
    own = {label for member in MEMBERS.values() if (of := member.vocabulary) for label in of.labels}
    named = {row[0].lower() for row in imagenet_classes.names()}
    return tuple(sorted(word for word in own | named if not unfamiliar(word)))


def _info(picture: Path) -> PictureInfo | None:
    """What a picture of a run says about itself; None for any other."""
    try:
        return read_metadata(picture)
    except BadInput:
        return None


def _origin(info: PictureInfo, notes: list[str]) -> tuple[tuple[str, str], ...]:
    """What the picture was made for, and its latent in words where its generator has some."""
    rows = [("made for", info.prompt), ("drawn by", f"{info.generator}, seed {info.seed}")]
    try:
        generator = load_generator(info)
        if len(info.latent) == generator.space.dim:
            words = generator.describe(torch.tensor(info.latent))
            rows += [("its latent", words)] if words else []
    except ZeuxisError as error:
        notes.append(f"Its latent is not read: {error}")
    return tuple(rows)
