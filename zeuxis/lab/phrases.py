"""Phrases for images: nouns in sentence templates, with colours and scenes that were measured in the picture.

`read_nouned` gives the pictures of Caltech-101 and of the emoji with the nouns that fit them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.data import read_images
from zeuxis.data.packs import read_emoji_text
from zeuxis.evaluation.zero_shot import with_article as article
from zeuxis.lab.attributes import COLOURS, SCENES

TEMPLATES = (
    "{}", "a photo of {}", "a picture of {}", "an image of {}", "a small photo of {}", "a blurry photo of {}",
    "a low resolution photo of {}", "a close-up photo of {}", "a good photo of {}", "a cropped photo of {}",
    "a bright photo of {}", "a photo of one {bare}", "this is {}", "there is {} in the picture", "{} in the middle",
    "i see {}", "a snapshot of {}", "a thumbnail of {}", "photograph of {}", "{bare}", "show me {}",
)  # fmt: skip

CLASS_WORDS = {
    "airplane": ("airplane", "aeroplane", "plane", "aircraft"),
    "automobile": ("automobile", "car", "motorcar"),
    "bird": ("bird",),
    "cat": ("cat", "house cat"),
    "deer": ("deer",),
    "dog": ("dog",),
    "frog": ("frog", "toad"),
    "horse": ("horse",),
    "ship": ("ship", "boat"),
    "truck": ("truck",),
}
HELD_OUT = ("lorry", "puppy")  # words of the data set that never occur in a training phrase: the test of new words


@dataclass(frozen=True)
class Caption:
    """A phrase and what must be true of an image for it to fit: noun (number), colour and scene (-1: any)."""

    text: str
    noun: int
    colour: int = -1
    scene: int = -1


class Captioner:
    """Writes phrases for images whose nouns, colour (N,) and scenes (N, S) are known.

    `nouns[k]` are the words for noun k; each image has one or more nouns that fit it.
    """

    def __init__(self, nouns: list[tuple[str, ...]], colours: Tensor, scenes: Tensor) -> None:
        self.nouns, self.colours, self.scenes = nouns, colours, scenes

    def write(self, image: int, noun: int, rng: torch.Generator) -> Caption:
        """One phrase for image number `image` about its noun number `noun`."""
        draws = torch.rand(5, generator=rng).tolist()
        words = self.nouns[noun]
        name = words[int(draws[0] * len(words))]
        colour = int(self.colours[image])
        found = self.scenes[image].nonzero().flatten().tolist()
        colour = colour if draws[1] < 0.45 else -1
        scene = found[int(draws[2] * len(found))] if found and draws[3] < 0.4 else -1
        return Caption(self.text(name, colour, scene, draws[4]), noun, colour, scene)

    @staticmethod
    def text(name: str, colour: int = -1, scene: int = -1, draw: float = 0.0) -> str:
        """ "a red fire truck under a blue sky", in the template that `draw` in [0, 1) picks."""
        bare = f"{COLOURS[colour]} {name}" if colour >= 0 else name
        tail = f" {SCENES[scene]}" if scene >= 0 else ""
        template = TEMPLATES[int(draw * len(TEMPLATES))]
        return template.format(article(bare) + tail, bare=bare + tail)


def read_nouned(folder: Path, split: str, size: int = 32) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Caltech and emoji pictures on plain grounds: uint8 (N, size, size, 3), and the words for each.

    Empty when the packs are not in `folder`.
    """
    pixels = [torch.empty(0, size, size, 3, dtype=torch.uint8)]
    words: list[tuple[str, ...]] = []
    if (folder / "caltech93_64.npz").exists():
        found = read_images("caltech", folder, split, resolution=size)
        pixels.append(found.pixels)
        numbers, nouns = found.label(0)
        words += [(nouns[k],) for k in numbers.tolist()]
    texts = read_emoji_text(folder, split)
    if texts and (folder / "emoji64.npz").exists():
        pixels.append(read_images("emoji", folder, split, resolution=size).pixels)
        words += [(text.name, *text.keywords[:3]) for text in texts]
    return torch.cat(pixels), words
