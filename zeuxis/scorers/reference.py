"""Numbers that others published for their networks, and the same numbers from the file that is here.

A hash says that a file is the published one; these say that it computes what was published: names of tensors, the
activation, the tokenizer, the preparation. Sources, all of them public tests of other implementations:

99991/NPCLIP (MIT), commit 28bbf32c: features of OpenAI's ViT-B/32 for three texts and CLIP.png (clip_vit_b_32.npz)
elixir-nx/bumblebee (Apache-2.0), tests of Clip, ClipVision and ResNet: inputs of one value everywhere
huggingface/transformers (Apache-2.0), tests of clip and siglip: picture 39769 of COCO val2017
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.pictures.reading import read_rgb
from zeuxis.scorers.choose import make_judge, make_scorer
from zeuxis.storage.reading import printable

Row = Sequence[float]


@dataclass(frozen=True)
class Check:
    """What is computed, what was published, and how far apart they may be.

    of         "texts": embeddings before normalisation; "pixels", "picture": those of an input or a picture;
               "logits": scaled similarities, a row for each input; "classes": a classifier's outputs
    published  rows of numbers, columns `start`, `start` + 1, ...; or the name under which clip_vit_b_32.npz has them
    pixels     values that fill a whole input, after its normalisation
    picture    the name of a picture file that the user gives, as its publisher calls it
    """

    of: str
    published: Sequence[Row] | str
    tolerance: float
    texts: Sequence[str] = ()
    pixels: Sequence[float] = ()
    picture: str = ""
    start: int = 0

    @property
    def about(self) -> str:
        """In words."""
        seen = f"the picture {self.picture}" if self.picture else " and ".join(f"pixels of {v:g}" for v in self.pixels)
        said = ", ".join(map(repr, self.texts))
        of = {"texts": "embeddings of", "logits": "similarities of", "classes": "logits of"}.get(
            self.of, "embedding of"
        )
        return f"{of} {' and '.join(part for part in (seen, said) if part)}"


CATS = "000000039769"
REFERENCES: dict[str, tuple[Check, ...]] = {
    "clip-vit-b-32": (
        Check("texts", "texts", 2e-3, texts=("a diagram", "a dog", "a cat")),
        Check("picture", "picture", 5e-2, picture="CLIP.png"),
        Check("pixels", ((-0.3381, -0.0196, -0.4053),), 2e-3, pixels=(0.5,), start=1),
        Check("logits", ((22.7866, 23.2389), (22.8397, 22.8406)), 2e-2, pixels=(0.25, 0.75),
              texts=("a photo of a cat", "a photo of a dog")),
        Check("logits", ((24.5701, 19.3049),), 0.2, picture=CATS, texts=("a photo of a cat", "a photo of a dog")),
    ),
    "siglip-b-16-224": (
        Check("logits", ((-0.7567, -10.3354),), 0.2, picture=CATS, texts=("a photo of 2 cats", "a photo of 2 dogs")),
    ),
    "resnet-50": (
        Check("classes", ((-6.6223, -6.2090, -5.8592),), 2e-3, pixels=(0.5,)),
        Check("classes", ((-11.1069, -9.7877, -8.3777),), 0.2, picture=CATS),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One check: what it was, the largest difference, the allowed one; `missing` says why it was not made."""

    about: str
    difference: float
    tolerance: float
    missing: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the numbers are those that were published; NaN is not."""
        return bool(self.missing) or self.difference <= self.tolerance


def compare(name: str, pictures: Sequence[Path] = (), file: Path | None = None) -> Iterator[Compared]:
    """Every check of the catalogue model `name`, made with it or with `file`; pictures are known by their file names.

    BadInput for a model without published numbers, MissingModel with the command that fetches it, and whatever refuses
    the file.
    """
    if name not in REFERENCES:
        raise BadInput(f"No numbers are published for {name[:60]}, only for {', '.join(REFERENCES)}.")
    given = {path.stem: path for path in pictures}
    make = make_judge if any(check.of == "classes" for check in REFERENCES[name]) else make_scorer
    made: Any = make(name if file is None else str(file))
    for check in REFERENCES[name]:
        stem = Path(check.picture).stem
        if stem and stem not in given:
            yield Compared(check.about, 0.0, check.tolerance, f"give it with --picture: a file called {stem}")
            continue
        published = _published(check)
        found = _values(check, made, given.get(stem))[:, check.start : check.start + published.shape[1]]
        if found.shape != published.shape:
            what = f"gives {tuple(found.shape)} numbers for {check.about}, expected {tuple(published.shape)}"
            raise WeightsRefused(file or name, what)
        yield Compared(check.about, float((found.cpu() - published).abs().max()), check.tolerance)


def _published(check: Check) -> Tensor:
    """The published numbers of a check, (rows, columns) in float32."""
    if isinstance(check.published, str):
        with np.load(Path(__file__).with_name("clip_vit_b_32.npz"), allow_pickle=False) as file:
            return torch.from_numpy(file[check.published])
    return torch.tensor(check.published)


@torch.no_grad()
def _values(check: Check, made: Any, picture: Path | None) -> Tensor:
    """The numbers that a check compares, (rows, columns)."""
    if check.of == "texts":
        return torch.as_tensor(made.read(list(check.texts)).float())
    size = made.preprocess.size or made.size
    if picture is not None:
        pixels = made.preprocess(_bytes(picture).to(made.device))
    else:
        pixels = torch.cat([torch.full((1, 3, size, size), value) for value in check.pixels]).to(made.device)
    if check.of == "classes":
        return torch.as_tensor(made.net(pixels.contiguous(memory_format=torch.channels_last)).float())
    seen = made.image_features(made.net, pixels).float()
    if check.of != "logits":
        return torch.as_tensor(seen)
    said = made.read(list(check.texts)).float()
    bias = getattr(made.net, "logit_bias", 0.0)
    scaled = made.net.logit_scale.exp() * torch.nn.functional.normalize(seen) @ torch.nn.functional.normalize(said).T
    return torch.as_tensor(scaled + bias)


def _bytes(path: Path) -> Tensor:
    """A picture as bytes (1, 3, H, W) at its own size, as the publishers' programs hand it on."""
    return torch.from_numpy(np.array(read_rgb(path))).permute(2, 0, 1)[None]


def report(name: str, found: Sequence[Compared], say: Callable[[str], None]) -> int:
    """A line for each check, and how many were made. WeightsRefused, with the first that does not agree."""
    for row in found:
        if row.missing:
            say(f"{name}: {printable(row.about)}: not compared; {row.missing}")
        else:
            verdict = "as published" if row.agrees else "NOT as published"
            say(f"{name}: {printable(row.about)}: {row.difference:.2g} apart, {row.tolerance:g} allowed: {verdict}")
    wrong = [row for row in found if not row.agrees]
    if wrong:
        raise WeightsRefused(
            name,
            f"computes other numbers than were published: the {wrong[0].about} are {wrong[0].difference:.3g} apart, "
            f"{wrong[0].tolerance:g} is allowed. Get the file again, and its config and tokenizer with it",
        )
    return sum(not row.missing for row in found)
