"""What a saved picture says about itself: enough to draw it again. Read from strangers' files, so read with care."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zeuxis import __version__
from zeuxis.errors import BadInput
from zeuxis.storage.reading import read_bounded

KEY = "zeuxis"  # the iTXt chunk that holds all of it as JSON
_FOR_PEOPLE = re.compile(r"(final|grid|sheet|collage|curve|front|generation-\d+|.*_(x8|large))\.png")
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 4096 * 4096
MAX_GENES = 2**16

_Name = Annotated[str, Field(min_length=1, max_length=200)]
Option = bool | int | float | str | tuple[str, ...]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Option = bool | int | _Number | _Name | Annotated[list[_Name], Field(max_length=1000)]


@dataclass(frozen=True)
class PictureInfo:
    """`latent` holds the genes as float32; `score` is None where there is none; `device` is cpu, cuda or mps.

    `options` are those the generator was made with (truncation, space, ...): without them a latent means nothing.
    """

    prompt: str
    latent: tuple[float, ...]
    generator: str
    sha256: str
    seed: int
    generation: int
    score: float | None
    micro_batch: int
    precision: str
    device: str
    version: str = __version__
    options: dict[str, Option] = field(default_factory=dict)

    def to_png_info(self) -> PngInfo:
        """The text chunks of a PNG: all of it as JSON, the prompt and the program once more for other readers."""
        genes = np.asarray(self.latent, dtype="<f4")
        score = self.score if self.score is not None and math.isfinite(self.score) else None
        prompt = self.prompt.encode("utf-8", "replace").decode()  # a lone surrogate has no place in a file
        content = {"prompt": prompt, "latent": base64.b64encode(genes.tobytes()).decode(), "score": score}
        info = PngInfo()
        info.add_itxt(KEY, json.dumps(asdict(self) | content, sort_keys=True))
        info.add_itxt("Description", prompt)
        info.add_text("Software", f"Zeuxis {self.version}")
        return info


class _Stored(BaseModel):
    """The JSON in the chunk, with every field bounded."""

    model_config = ConfigDict(extra="ignore", strict=True)

    prompt: Annotated[str, Field(max_length=400_000)]
    latent: Annotated[str, Field(max_length=4 * (MAX_GENES * 4 // 3 + 1))]
    generator: _Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    generation: Annotated[int, Field(ge=0, lt=2**63)]
    score: Annotated[float, Field(allow_inf_nan=False)] | None
    micro_batch: Annotated[int, Field(ge=1, le=4096)]
    precision: Annotated[str, Field(pattern=r"^(fp32|bf16)$")]
    device: Annotated[str, Field(pattern=r"^(cpu|cuda|mps)$")]
    version: _Name
    options: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")], _Option], Field(max_length=20)] = {}


def read_metadata(path: str | Path) -> PictureInfo:
    """What a PNG saved by a run says about itself. BadInput for any other file."""
    return read_picture(path)[0]


def read_picture(path: str | Path) -> tuple[PictureInfo, np.ndarray]:
    """Metadata and pixels `(H, W, 3)` uint8 of a PNG saved by a run. BadInput for any other file."""
    text, pixels = _open(Path(path))
    if text is None and _FOR_PEOPLE.fullmatch(Path(path).name):
        raise BadInput(
            f"{path} is an image grid, a figure or an enlarged copy: it carries no latent. Take best.png or "
            "final-0000.png of the run's folder images, or top/01.png."
        )
    if text is None:
        raise BadInput(
            f"{path} does not say how it was made: it has no {KEY!r} metadata. Was it saved by another program, or did "
            "a messenger or an editor strip it? Use the file from the run folder."
        )
    try:
        stored = _Stored.model_validate_json(text)
        genes = np.frombuffer(base64.b64decode(stored.latent, validate=True), dtype="<f4")
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} carries metadata that no run wrote: {_first_line(error)}.") from error
    if not 1 <= len(genes) <= MAX_GENES or not np.isfinite(genes).all():
        raise BadInput(f"{path} carries a latent of {len(genes)} genes that are not all numbers; no run wrote that.")
    rest = stored.model_dump(exclude={"latent", "options"})
    options = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.options.items()}
    return PictureInfo(**rest, options=options, latent=tuple(genes.tolist())), pixels


def _open(path: Path) -> tuple[str | None, np.ndarray]:
    """The metadata chunk and the pixels, with sizes checked before anything is decoded."""
    data = io.BytesIO(read_bounded(path, MAX_BYTES, "PNG file"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a decompression bomb is only a warning to Pillow
            with Image.open(data, formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS or image.mode != "RGB":
                    raise BadInput(
                        f"{path} is {image.width} x {image.height} in {image.mode}; runs save RGB of at most "
                        f"{MAX_PIXELS:,} pixels. Use a file from a run folder."
                    )
                image.load()
                text = image.info.get(KEY)
                return (str(text) if isinstance(text, str) else None), np.asarray(image)
    except BadInput:
        raise
    except UnidentifiedImageError as error:  # Pillow would name a memory address
        raise BadInput(f"{path} is not a readable PNG: its content is of another kind. Use a PNG of a run.") from error
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError, MemoryError) as error:
        raise BadInput(
            f"{path} is not a readable PNG: {_first_line(error)}. Use the file from the run folder."
        ) from error


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
