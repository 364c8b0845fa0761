"""What the files of a published model say about the pictures that it was trained on -> `Preprocess`.

    preprocessor_config.json     transformers' image processors, also inside processor_config.json
    open_clip_config.json        OpenCLIP's "preprocess_cfg"
    config.json                  timm's "pretrained_cfg"

Where a file says nothing, the defaults of the family count. WeightsRefused, in one sentence, for what cannot be.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from zeuxis.errors import WeightsRefused
from zeuxis.hub.beside import CONFIG, PREPROCESSOR, image_processor, read_json
from zeuxis.scorers.preprocess import CLIP_DEVIATION, CLIP_MEAN, HALF, MODES, Preprocess

OPEN_CLIP = "open_clip_config.json"
PILLOW = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers
MOST_PIXELS = 4096


def of_folder(folder: Path, plain: Preprocess) -> Preprocess:
    """How the files in `folder` say that pictures are prepared; `plain`, the family's way, where they say nothing.

    A transformers folder (with a config.json) is believed what transformers' files say, another one what OpenCLIP's.
    """
    theirs = read_json(folder / OPEN_CLIP).get("preprocess_cfg")
    readers = [(image_processor(folder), of_transformers, PREPROCESSOR), (theirs, of_open_clip, OPEN_CLIP)]
    for told, reader, name in readers if (folder / CONFIG).is_file() else reversed(readers):
        if isinstance(told, dict) and told:
            return reader(told, plain, folder / name)
    return plain


def of_transformers(told: dict[str, Any], plain: Preprocess, file: Path) -> Preprocess:
    """An image processor of transformers, as it is saved; `plain` is what counts where it says nothing."""
    plain = _defaults(str(told.get("image_processor_type", told.get("feature_extractor_type", ""))), plain)
    found = replace(plain, filter=_filter(plain.filter if told.get("resample") is None else told["resample"], file))
    pct = told.get("crop_pct")
    convnext = pct is not None or str(told.get("image_processor_type", "")).startswith("ConvNext")
    if not _flag(told, "do_resize", True):
        found = replace(found, resize="none")
    elif told.get("size") is not None:
        found = _resized(told["size"], found, file)
    if convnext and found.resize == "shortest":
        edge = found.to[0] if told.get("size") is not None else (plain.crop or plain.to)[0]
        found = _convnext(found, edge, _number(0.875 if pct is None else pct, "crop_pct", file), file)
    elif not _flag(told, "do_center_crop", plain.crop is not None):
        found = replace(found, crop=None)
    else:
        found = replace(found, crop=_pair(told.get("crop_size") or plain.crop or plain.size, "crop_size", file))
    if _flag(told, "do_pad", False) and told.get("pad_size") is not None:
        raise WeightsRefused(file, "asks for do_pad, which is not supported; expected one that resizes or crops")
    factor = _number(told.get("rescale_factor") or 1 / 255, "rescale_factor", file)
    scale = 255.0 if not _flag(told, "do_rescale", True) else 255 * factor
    found = replace(found, scale=1.0 if math.isclose(scale, 1, rel_tol=1e-6) else scale)
    if not _flag(told, "do_normalize", True):
        return _checked(replace(found, mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0)), file)
    return _checked(_normalised(found, told.get("image_mean"), told.get("image_std"), file), file)


def of_open_clip(told: dict[str, Any], plain: Preprocess, file: Path) -> Preprocess:
    """OpenCLIP's "preprocess_cfg". Its size is not used: OpenCLIP, too, takes the network's own."""
    mode = told.get("resize_mode") or "shortest"
    if mode not in MODES[:3]:
        raise WeightsRefused(file, f"has resize_mode {str(mode)[:40]!r}, expected {', '.join(MODES[:3])}")
    name = told.get("interpolation") or "bicubic"
    fill = told.get("fill_color", 0)
    fill = fill[0] if isinstance(fill, list) and fill else fill
    crop = None if mode == "squash" else plain.crop or (plain.size, plain.size)
    found = replace(plain, resize=mode, filter=_filter("bicubic" if name == "random" else name, file), crop=crop,
                    rounds=True, fill=_number(fill, "fill_color", file) / 255)  # fmt: skip
    return _checked(_normalised(found, told.get("mean"), told.get("std"), file), file)


def of_timm(told: dict[str, Any], plain: Preprocess, file: Path) -> Preprocess:
    """timm's "pretrained_cfg", as its evaluation reads it: https://github.com/huggingface/pytorch-image-models"""
    size = told.get("input_size")
    pixels = _pair(size[-2:] if isinstance(size, list) and len(size) == 3 else plain.size, "input_size", file)
    share = _number(told.get("crop_pct") or 0.875, "crop_pct", file)
    mode = {"center": "shortest", "squash": "squash", "border": "longest"}.get(str(told.get("crop_mode") or "center"))
    if mode is None or not 0.1 <= share <= 1 or pixels[0] != pixels[1]:
        raise WeightsRefused(file, "prepares pictures in a way that is not supported (crop_mode, crop_pct, input_size)")
    edge = math.floor(pixels[0] / share)
    name = told.get("interpolation") or plain.filter
    found = replace(plain, size=pixels[0], resize=mode, to=(edge, edge), crop=pixels, rounds=True,
                    filter=_filter("bicubic" if name == "random" else name, file))  # fmt: skip
    return _checked(_normalised(found, told.get("mean"), told.get("std"), file), file)


def _defaults(kind: str, plain: Preprocess) -> Preprocess:
    """What transformers' processor of that name does where its file says nothing: sizes stay the network's."""
    if kind.startswith(("CLIP", "Bit")):
        return replace(plain, mean=CLIP_MEAN, deviation=CLIP_DEVIATION, resize="shortest", crop=plain.crop or (0, 0))
    if kind.startswith(("Siglip", "ViT")):
        name = "bilinear" if kind.startswith("ViT") else "bicubic"
        return replace(plain, mean=HALF, deviation=HALF, resize="squash", crop=None, filter=name)
    return plain


def _resized(size: Any, found: Preprocess, file: Path) -> Preprocess:
    """`size` as transformers has it: a number, (height, width), or a dictionary of either."""
    if isinstance(size, dict):
        named = {key: value for key, value in size.items() if value is not None}
        if set(named) == {"shortest_edge"}:
            return replace(found, resize="shortest", to=_pair(named["shortest_edge"], "size", file))
        if set(named) != {"height", "width"}:
            raise WeightsRefused(file, f"has size {str(size)[:80]}, expected shortest_edge, or height and width")
        size = [named["height"], named["width"]]
    if isinstance(size, list):
        return replace(found, resize="squash", to=_pair(size, "size", file))
    return replace(found, to=_pair(size, "size", file))


def _convnext(found: Preprocess, edge: int, share: float, file: Path) -> Preprocess:
    """ConvNeXt's way: below 384 pixels the edge / share is cut to the edge, from there on nothing is cut."""
    if not 0.1 <= share <= 1:
        raise WeightsRefused(file, f"has crop_pct {share:g}, expected a share from 0.1 to 1")
    if edge >= 384:
        return replace(found, resize="squash", to=(edge, edge), crop=None)
    wide = int(edge / share)
    return replace(found, to=(wide, wide), crop=(edge, edge))


def _normalised(found: Preprocess, mean: Any, deviation: Any, file: Path) -> Preprocess:
    mean = found.mean if mean is None else _triple(mean, "mean", file)
    deviation = found.deviation if deviation is None else _triple(deviation, "std", file)
    if min(deviation) <= 0:
        raise WeightsRefused(file, f"has the deviation {deviation}, expected three numbers above 0")
    return replace(found, mean=mean, deviation=deviation)


def _checked(found: Preprocess, file: Path) -> Preprocess:
    """WeightsRefused unless square pictures come out as the network takes them, as far as that can be known."""
    out = found.crop or (None if found.resize == "none" else found.to)
    if out is not None and found.size and out != (found.size, found.size):
        raise WeightsRefused(
            file, f"prepares pictures of {out[0]} x {out[1]} pixels, but the network takes {found.size} x {found.size}"
        )
    return found


def _flag(told: dict[str, Any], name: str, otherwise: bool) -> bool:
    value = told.get(name)
    return value if isinstance(value, bool) else otherwise


def _filter(value: Any, file: Path) -> str:
    """Pillow's number or name of an interpolation."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(PILLOW):
        return PILLOW[value]
    name = str(value).lower().rpartition(".")[2]  # "InterpolationMode.BICUBIC"
    name = {"cubic": "bicubic", "linear": "bilinear", "antialias": "lanczos", "nearest-exact": "nearest"}.get(
        name, name
    )
    if name not in PILLOW:
        raise WeightsRefused(file, f"has the interpolation {str(value)[:40]!r}, expected {', '.join(PILLOW)}")
    return name


def _pair(value: Any, name: str, file: Path) -> tuple[int, int]:
    """(height, width) from a number, a list of two, or a dictionary."""
    if isinstance(value, dict):
        named = {key: v for key, v in value.items() if v is not None}
        edge = named.get("shortest_edge")
        value = [named.get("height", edge), named.get("width", edge)]
    pair = value if isinstance(value, list | tuple) else [value, value]
    if len(pair) != 2 or not all(type(v) is int and 0 < v <= MOST_PIXELS for v in pair):
        raise WeightsRefused(file, f"has {name} {str(value)[:60]}, expected pixels from 1 to {MOST_PIXELS}")
    return int(pair[0]), int(pair[1])


def _triple(value: Any, name: str, file: Path) -> tuple[float, ...]:
    numbers = value if isinstance(value, list | tuple) else [value]
    numbers = [*numbers] * 3 if len(numbers) == 1 else numbers
    if len(numbers) != 3:
        raise WeightsRefused(file, f"has a {name} of {len(numbers)} numbers, expected one for each of three colours")
    return tuple(_number(v, name, file) for v in numbers)


def _number(value: Any, name: str, file: Path) -> float:
    real = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not real:
        raise WeightsRefused(file, f"has {name} {str(value)[:40]!r}, expected a number")
    return float(value)
