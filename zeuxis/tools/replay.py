"""Replay: draw a saved picture again from its own metadata, and say whether the pixels agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from zeuxis.compute.device import choose_device
from zeuxis.compute.micro_batches import micro_batches
from zeuxis.compute.precision import TYPES
from zeuxis.config import GENERATOR_OPTIONS
from zeuxis.errors import BadInput, RunDamaged
from zeuxis.generators import GENERATORS
from zeuxis.generators.base import Generator
from zeuxis.generators.choose import make_generator
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.catalogue import MODELS
from zeuxis.hub.pocket import first_sha256
from zeuxis.pictures.grid import to_pixels
from zeuxis.pictures.metadata import PictureInfo, read_picture
from zeuxis.plugins import trust
from zeuxis.run.folder import RunFolder

MOST_AT_ONCE = 256  # images that a picture of unknown origin may ask for


@dataclass(frozen=True)
class ReplayResult:
    """`max_difference` in steps of 0..255, `different` the part of the pixels that differ at all, in [0, 1].

    `pixels` `(H, W, 3)` uint8 is the picture as drawn now. `agrees` means not one pixel differs.
    """

    agrees: bool
    max_difference: int
    different: float
    info: PictureInfo
    pixels: np.ndarray
    notes: tuple[str, ...] = ()


def replay(png: str | Path, generator: Generator | str | None = None) -> ReplayResult:
    """Draw the picture of a PNG that a run has saved, with the generator it names, or the one given
    (as an object, or as `--generator` names it).

    BadInput when the file carries no such metadata, or the generator is not the one that drew it. Bits are only
    promised on the same kind of machine; elsewhere a difference of a few steps is rounding.
    """
    info, saved = read_picture(png)
    _check_own(Path(png))
    if not isinstance(generator, Generator):
        generator = load_generator(info, generator)
    check_latent(info, generator)
    pixels = _draw(info, generator)
    if pixels.shape != saved.shape:
        raise BadInput(f"Expected a picture of shape {pixels.shape}, got {saved.shape}. It was resized after saving.")
    gap = np.abs(pixels.astype(np.int16) - saved.astype(np.int16))
    different = float((gap.max(axis=2) > 0).mean())
    return ReplayResult(not gap.any(), int(gap.max()), different, info, pixels, _notes(info, generator))


def check_latent(info: PictureInfo, generator: Generator) -> None:
    """BadInput unless the latent of a picture is one of this generator, with the weights that drew it."""
    if first_sha256(generator.sha256) != first_sha256(info.sha256):
        raise BadInput(
            f"The picture was drawn by generator {info.generator!r} with weights {info.sha256[:12]}..., got "
            f"{generator.name!r} with {generator.sha256[:12]}.... Use the version of the weights that drew it."
        )
    if len(info.latent) != generator.space.dim:
        raise BadInput(
            f"Expected a latent of {generator.space.dim} genes for {generator.name!r}, got {len(info.latent)}."
        )


def _check_own(png: Path) -> None:
    """RunDamaged where the picture has the place of one that a run wrote, and is not that one."""
    place = png.absolute().parent
    run = RunFolder(place.parent)
    written = run.pictures_sha256 if run.exists() else {}
    of = [written[name]] if (name := f"{place.name}/{png.name}") in written else []
    if place.name == "top" and png.stem.isdigit():  # copies of them
        of = list(written.values())
    if of and file_sha256(png) not in of:
        raise RunDamaged(f"{png} is not a picture that the run wrote. Resume the run, which draws it again.")


def load_generator(info: PictureInfo, name: str | None = None) -> Generator:
    """The generator that a picture names, made with its options; `name` is one that the user vouches for instead.

    Only names of the package and of the catalogue: a stranger's file must not make us open other files.
    """
    if name is None and not GENERATORS.known(info.generator) and info.generator not in MODELS:
        raise BadInput(
            f"The picture names the generator {info.generator!r}, which is neither part of the program nor of an "
            "installed plugin nor in the catalogue. If you trust it, name it: zeuxis replay PNG --generator NAME"
        )
    if name is None and info.micro_batch > MOST_AT_ONCE:
        raise BadInput(
            f"The picture was drawn with {info.micro_batch} images at once, and would be again: that may take minutes "
            "and gigabytes. If you trust it, name its generator: zeuxis replay PNG --generator NAME"
        )
    trust(name)
    own = name is not None or info.generator in GENERATORS.rows  # whose other options may open no file
    options = {key: value for key, value in info.options.items() if own or key in GENERATOR_OPTIONS}
    return make_generator(name or info.generator, choose_device(_device(info)), **options)


def _device(info: PictureInfo) -> str:
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return info.device if present.get(info.device, False) else "cpu"


def _draw(info: PictureInfo, generator: Generator) -> np.ndarray:
    """`(H, W, 3)` uint8, in the same precision and micro-batch as it was drawn in."""
    latent = torch.tensor(info.latent, dtype=torch.float32, device=generator.device)[None]
    piece, _ = next(micro_batches(latent, info.micro_batch))
    generator.set_precision(TYPES[info.precision])
    with torch.no_grad():
        picture: np.ndarray = to_pixels(generator.render(piece)[:1])[0]
    return picture


def _notes(info: PictureInfo, generator: Generator) -> tuple[str, ...]:
    here = generator.device.type
    return (f"Drawn on {here}, saved on {info.device}: rounding may differ.",) if here != info.device else ()
