"""Phrases about pictures of `zeuxis.lab.pairs`, false ones among them, and how true each is of every picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zeuxis.lab.attributes import COLOURS, SCENES
from zeuxis.lab.pairs import SOURCES, Pairs
from zeuxis.lab.phrases import TEMPLATES
from zeuxis.lab.shop_words import COLOUR_WORDS
from zeuxis.scorers.prompts import with_article

PRODUCTS = SOURCES.index("products")
OF_ANYTHING = ("{}", "something {}", "a {} thing", "a photo of something {}", "the colour {}", "it is {}")
PAIRS = ("shoe", "sneaker", "heel", "flop", "sandal", "sock", "earring", "bootie")
SPELLINGS = {"grey": "gray", "multicoloured": "multicolored"}


@dataclass
class Captions:
    """P phrases; noun, colour, scene, title (P,): what must be true of a picture, -1 where anything may be so."""

    texts: list[str]
    noun: Tensor
    colour: Tensor
    scene: Tensor
    title: Tensor


def plural(noun: str) -> str:
    """ "flip flops", "watches"; words in -s and phrases with "of" stay."""
    if noun.endswith("s") or " of " in noun:
        return noun
    if noun.endswith(("ch", "sh", "x")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"


def phrase(noun: str, colour: int = -1, scene: int = -1, draws: tuple[float, float, float] = (0.0, 1.0, 1.0)) -> str:
    """ "a photo of a pair of blue sneakers on a white background": draws choose template, number and spelling.

    Without a noun: "something blue".
    """
    word = COLOUR_WORDS[colour] if colour >= 0 else ""
    if word and draws[2] < 0.25:
        word = SPELLINGS.get(word, word)
    if not noun:
        return OF_ANYTHING[int(draws[0] * len(OF_ANYTHING))].format(word)
    name = noun
    paired = draws[1] < 0.1 and noun.endswith(PAIRS)
    if draws[1] < 0.25:
        name = plural(noun)
    bare = f"{word} {name}" if word else name
    whole = f"a pair of {bare}" if paired else with_article(bare)
    tail = f" {SCENES[scene]}" if scene >= 0 else ""
    template = TEMPLATES[int(draws[0] * len(TEMPLATES))]
    return template.format(whole + tail, bare=(whole if paired else bare) + tail)


class Writer:
    """Writes phrases about `pairs`; their tables are turned into lists once, which is what makes it quick."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self.fits = [[k for k in row if k >= 0] for row in pairs.fits.tolist()]
        self.own, self.title, self.source = pairs.own.tolist(), pairs.title.tolist(), pairs.source.tolist()
        self.colours, self.scenes = _places(pairs.colours), _places(pairs.scenes)

    def true(self, rows: list[int], rng: torch.Generator) -> Captions:
        """One true phrase for each picture."""
        draws = torch.rand(len(rows), 8, generator=rng).tolist()
        texts, found = [], []
        for row, d in zip(rows, draws, strict=True):
            fits, colours, places = self.fits[row], self.colours[row], self.scenes[row]
            noun, own, title = fits[int(d[0] ** 1.5 * len(fits))], self.own[row], self.title[row]  # finer ones oftener
            shop = self.source[row] == PRODUCTS
            if shop and d[1] < 0.2 and self.pairs.titles[title]:
                texts.append(self.pairs.titles[title])
                found.append((fits[0], own, -1, title))
                continue
            if shop and d[7] < 0.4 and colours:  # any other true word for the colour
                own = colours[int(d[6] * len(colours))]
            if own >= 0 and d[2] > 0.95:  # of nothing but its colour
                texts.append(phrase("", own, draws=(d[5], 1.0, d[7])))
                found.append((-1, own, -1, -1))
                continue
            colour = own if d[2] < (0.75 if shop else 0.4) else -1
            scene = places[int(d[3] * len(places))] if places and d[4] < (0.04 if shop else 0.25) else -1
            texts.append(phrase(self.pairs.nouns[noun], colour, scene, (d[5], d[6] if shop else 1.0, d[7])))
            found.append((noun, colour, scene, -1))
        return Captions(texts, *torch.tensor(found).unbind(1))

    def foils(self, rows: list[int], true: Captions, count: int, rng: torch.Generator) -> Captions:
        """Phrases with one thing changed: the colour (65 %), the scene or the noun; products twice as often."""
        nouns, hues, places = true.noun.tolist(), true.colour.tolist(), true.scene.tolist()
        alike: dict[int, list[int]] = {}
        for at, row in enumerate(rows):
            alike.setdefault(self.source[row], []).append(at)
        shops = alike.get(PRODUCTS, [])
        texts, found = [], []
        for d in torch.rand(count, 6, generator=rng).tolist():
            at = int(d[0] * (len(rows) + len(shops)))
            at = shops[at - len(rows)] if at >= len(rows) else at
            source = self.source[rows[at]]
            shop = source == PRODUCTS
            noun, colour, scene = nouns[at], hues[at], places[at]
            if d[1] < 0.65:
                colour, scene = int(d[2] * (len(COLOUR_WORDS) if shop and d[3] < 0.4 else len(COLOURS))), -1
            elif d[1] < 0.8 and not shop:
                scene = int(d[2] * len(SCENES))
            else:
                noun = nouns[alike[source][int(d[2] * len(alike[source]))]]
            name = self.pairs.nouns[noun] if noun >= 0 else ""
            if not name:
                colour, scene = max(colour, 0), -1
            texts.append(phrase(name, colour, scene, (d[3], d[4] if shop else 1.0, d[5])))
            found.append((noun, colour, scene, -1))
        return Captions(texts, *torch.tensor(found).reshape(-1, 4).unbind(1))


def _places(table: Tensor) -> list[list[int]]:
    """Bool (N, K) -> for each row the numbers of its true entries."""
    out: list[list[int]] = [[] for _ in range(len(table))]
    for row, k in table.nonzero().tolist():
        out[row].append(k)
    return out


def joined(one: Captions, two: Captions) -> Captions:
    """The phrases of both, `one`'s first."""
    cat = torch.cat
    return Captions(one.texts + two.texts, cat([one.noun, two.noun]), cat([one.colour, two.colour]),
                    cat([one.scene, two.scene]), cat([one.title, two.title]))  # fmt: skip


def truth(pairs: Pairs, rows: Tensor, captions: Captions, alike: float = 0.3) -> tuple[Tensor, Tensor]:
    """How true phrase j is of picture i, (N, P) in [0, 1]; and bool (N, P): its noun is.

    A title is true of its own picture, and `alike` of others that share its type and colour.
    """
    noun = (pairs.fits[rows][:, :, None] == captions.noun).any(1) | (captions.noun < 0)  # (N, P)
    colour = (captions.colour < 0) | pairs.colours[rows][:, captions.colour.clamp(min=0)]
    scene = (captions.scene < 0) | pairs.scenes[rows][:, captions.scene.clamp(min=0)]
    fits = (noun & colour & scene).float()
    titled = captions.title >= 0
    own = (pairs.title[rows][:, None] == captions.title).float()
    return torch.where(titled, torch.maximum(own, alike * fits), fits), noun
