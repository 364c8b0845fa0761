"""Pictures are prepared as a model's files say: against transformers' processors, and OpenCLIP's way with Pillow."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.scorers.preprocess import HALF, Preprocess, resampled
from zeuxis.scorers.preprocess_config import of_folder, of_open_clip, of_timm, of_transformers

FILE = Path("preprocessor_config.json")
MEAN, STD = [0.2, 0.5, 0.7], [0.3, 0.25, 0.5]
PLAIN = {
    "CLIP": Preprocess(32),
    "Siglip": Preprocess(32, HALF, HALF, resize="squash", crop=None),
    "ConvNext": Preprocess(32, HALF, HALF),
}
FULL = {
    "CLIP": {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
    "Siglip": {"size": {"height": 32, "width": 32}},
    "ConvNext": {"size": {"shortest_edge": 32}, "crop_pct": 0.8},
}


def photo(height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (max(height // 6, 2), max(width // 6, 2), 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def oracle(kind, told, picture):
    transformers = pytest.importorskip("transformers", reason="needs the extra `clip`")
    name = f"{kind}ImageProcessorPil"
    if not hasattr(transformers, name):
        pytest.skip(f"this transformers has no {name}")
    return getattr(transformers, name)(**told)(images=[picture], return_tensors="pt")["pixel_values"]


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"image_mean": MEAN, "image_std": STD},
        {"do_normalize": False},
        {"do_rescale": False, "image_mean": [100.0, 110.0, 120.0], "image_std": [50.0, 60.0, 70.0]},
        {"rescale_factor": 1 / 127.5},
        {"resample": 0},
        {"resample": 1},
        {"resample": 2},
        {"resample": 4},
        {"resample": 5},
    ],
    ids=lambda changes: "-".join(f"{k}" for k in changes) or "plain",
)
@pytest.mark.parametrize("size", [(32, 32), (97, 97), (20, 20), (64, 90)])
def test_it_is_what_transformers_does(kind, changes, size):
    if kind == "ConvNext" and size == (32, 32):
        size = (40, 40)  # what 32 pixels are cut from
    told = {"resample": 3, "image_mean": [0.5] * 3, "image_std": [0.25] * 3} | FULL[kind] | changes
    picture = photo(*size)
    wanted = oracle(kind, told, picture)
    told["image_processor_type"] = f"{kind}ImageProcessor"
    prepare = of_transformers(told, PLAIN[kind], FILE)
    found = prepare(tensor(picture))
    unit = 1.0 if told.get("do_rescale") is False else 255 * told.get("rescale_factor", 1 / 255)
    unit = (255.0 if told.get("do_rescale") is False else unit) / min(prepare.deviation)  # a picture's 0 to 1
    same = size in ((32, 32), (40, 40)) or told["resample"] == 0
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() / unit < (2e-7 if same else 4 / 255)
    assert (found - wanted).abs().mean() / unit < (1e-7 if same else 0.75 / 255)


@pytest.mark.parametrize(
    ("kind", "told", "size"),
    [
        ("CLIP", {"do_resize": False, "crop_size": {"height": 32, "width": 32}}, (47, 60)),
        ("CLIP", {"do_resize": False, "crop_size": {"height": 32, "width": 32}}, (21, 33)),
        ("CLIP", {"do_resize": False, "do_center_crop": False}, (32, 32)),
        ("CLIP", {"size": {"shortest_edge": 32}, "do_center_crop": False}, (32, 32)),
        ("CLIP", {"size": {"height": 32, "width": 32}, "do_center_crop": False}, (32, 32)),
        ("CLIP", {"size": 32, "crop_size": 32}, (32, 45)),
        ("Siglip", {"do_resize": False}, (32, 32)),
        ("Siglip", {"size": 32, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}}, (32, 32)),
    ],
)
def test_switches_and_old_keys(kind, told, size):
    wanted = oracle(kind, told, photo(*size))
    found = of_transformers(told, PLAIN[kind], FILE)(tensor(photo(*size)))
    torch.testing.assert_close(found, wanted, atol=5e-7, rtol=0)


@pytest.mark.parametrize("filter", ["lanczos", "box", "hamming", "bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize("to", [(20, 33), (70, 90)])
def test_every_filter_is_pillows(filter, to):
    picture = photo(48, 60)
    wanted = np.array(picture.resize(to[::-1], getattr(Image.Resampling, filter.upper())))
    whole = resampled((tensor(picture) * 255).round().to(torch.uint8), to, filter)[0].permute(1, 2, 0)
    assert np.abs(whole.numpy().astype(int) - wanted).max() <= 1
    shown = tensor(picture).requires_grad_(True)
    floats = resampled(shown, to, filter)
    assert (floats[0].permute(1, 2, 0).detach().numpy() * 255 - wanted).__abs__().max() <= 4
    floats.sum().backward()
    assert bool(torch.isfinite(shown.grad).all()) and float(shown.grad.abs().sum()) > 0


def open_clip(told, picture, size=32):
    """OpenCLIP's evaluation, with Pillow."""
    width, height = picture.size
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    how = filters[told.get("interpolation", "bicubic")]
    if told.get("resize_mode") == "squash":
        out = picture.resize((size, size), how)
    elif told.get("resize_mode") == "longest":
        ratio = max(height, width) / size
        small = picture.resize((round(width / ratio), round(height / ratio)), how)
        out = Image.new("RGB", (size, size), (told.get("fill_color", 0),) * 3)
        out.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    else:
        short = min(height, width)
        small = picture.resize((int(size * width / short), int(size * height / short)), how)
        left, top = round((small.width - size) / 2), round((small.height - size) / 2)
        out = small.crop((left, top, left + size, top + size))
    mean, std = (torch.tensor(told[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    return (tensor(out) - mean) / std


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(32, 32), (32, 47), (75, 41), (20, 20)])
def test_open_clips_ways_to_resize(mode, interpolation, size):
    told = {"mean": MEAN, "std": STD, "resize_mode": mode, "interpolation": interpolation, "fill_color": 128}
    found = of_open_clip({**told, "size": [224, 224]}, PLAIN["CLIP"], FILE)(tensor(photo(*size)))
    exact = size == (32, 32) or (size[0] == 32 and mode == "shortest")
    assert (found - open_clip(told, photo(*size))).abs().max() * min(STD) < (2e-7 if exact else 4 / 255)


def test_timms_crop():
    told = {"input_size": [3, 32, 32], "crop_pct": 0.8, "interpolation": "bilinear", "mean": MEAN, "std": STD}
    prepare = of_timm(told, Preprocess(224), FILE)
    assert (prepare.to, prepare.crop, prepare.filter) == ((40, 40), (32, 32), "bilinear")
    picture = photo(40, 40)
    wanted = (tensor(picture)[..., 4:36, 4:36] - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(prepare(tensor(picture)), wanted)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"size": {"shortest_edge": 64}, "crop_size": 64}, "64 x 64 pixels, but the network takes 32 x 32"),
        ({"image_mean": [0.5, 0.5]}, "2 numbers"),
        ({"image_std": [0.5, 0.0, 0.5]}, "above 0"),
        ({"resample": 9}, "interpolation"),
        ({"size": {"longest_edge": 32}}, "shortest_edge, or height and width"),
        ({"crop_size": {"height": "a"}}, "pixels from 1"),
        ({"rescale_factor": math.inf}, "expected a number"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(told, said):
    with pytest.raises(WeightsRefused, match=said):
        of_transformers(told, PLAIN["CLIP"], FILE)


def test_pictures_of_another_size_are_refused_where_nothing_resizes_them():
    prepare = of_transformers({"do_resize": False, "do_center_crop": False}, PLAIN["CLIP"], FILE)
    with pytest.raises(BadInput, match="32 x 32 pixels"):
        prepare(torch.rand(1, 3, 48, 48))


def test_the_file_that_goes_with_the_weights_is_believed(tmp_path):
    plain = PLAIN["CLIP"]

    def told(name, content):
        (tmp_path / name).write_text(json.dumps(content))
        return of_folder(tmp_path, plain).mean

    assert of_folder(tmp_path, plain) == plain
    assert told("preprocessor_config.json", {"image_mean": [0.1] * 3}) == (0.1,) * 3
    assert told("open_clip_config.json", {"preprocess_cfg": {"mean": [0.2] * 3}}) == (0.2,) * 3
    assert told("config.json", {}) == (0.1,) * 3
    assert told("processor_config.json", {"image_processor": {"image_mean": [0.3] * 3}}) == (0.3,) * 3
    (tmp_path / "processor_config.json").write_text("{")
    with pytest.raises(WeightsRefused, match="no JSON"):
        of_folder(tmp_path, plain)


ODD = [
    None,
    True,
    0,
    -1,
    3,
    1e9,
    math.nan,
    "",
    "a" * 999,
    [],
    [32],
    [0.5, "a", 1],
    {},
    {"height": 32},
    [[1]],
    10**30,
    "squash",
]


@pytest.mark.parametrize("reader", [of_transformers, of_open_clip, of_timm])
def test_odd_values_are_understood_or_refused(reader):
    keys = ["do_resize", "size", "resample", "crop_size", "rescale_factor", "image_mean", "image_std", "crop_pct"]
    keys += ["mean", "std", "resize_mode", "interpolation", "fill_color", "input_size", "crop_mode"]
    refused = 0
    for key in keys:
        for value in ODD:
            try:
                assert reader({key: value}, PLAIN["CLIP"], FILE).size
            except WeightsRefused as error:
                assert len(str(error)) < 250
                refused += 1
    assert refused > 20
