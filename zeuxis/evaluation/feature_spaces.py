"""The networks in whose features sets of pictures are compared, by the word that a metric's name carries.

    mobilenet-v1      ships; guided no search and trained no generator here            160 pixels
    mobilenet-v2      ships; the scorer and some training recipes use it: "guided"   224 pixels
    inception         Inception-v3 of 2015-12-05, when its weights are there: only these make a FID, a KID
    dinov2:PLACE      DINOv2 (Oquab et al. 2023, arXiv 2304.07193), a transformers folder or a Hub id fetched before
    a file            any classifier that `--judge` takes: the input of its last layer

Every space resizes in one way of its own, so its word says that too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.hub.locate import locate, ready
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.layers import exact_convolutions
from zeuxis.registry import Entry, Table

Images = Tensor  # (N, 3, H, W): uint8, or float in [0, 1]

FEATURES = Table(
    "feature space",
    {
        "mobilenet-v1": Entry("zeuxis.evaluation.feature_spaces:mobilenet_v1", "MobileNet v1, ships, held out"),
        "mobilenet-v2": Entry(
            "zeuxis.evaluation.feature_spaces:mobilenet_v2", "MobileNet v2, ships", traits=("guided",)
        ),
        "inception": Entry("zeuxis.evaluation.feature_spaces:inception", "Inception-v3 as published FIDs use it"),
    },
    {"dinov2": Entry("zeuxis.evaluation.feature_spaces:dinov2", "DINOv2 from a transformers folder or a Hub id")},
)


@dataclass(frozen=True)
class FeatureSpace:
    """`word` in the names of metrics; `resize` how pictures are prepared; `sha256` of the weights.

    `guided`: a search or a training of this project uses the same features, so they are not held out.
    `embed` images -> `(N, D)` float32 on the CPU; `logits` such features -> `(N, K)`, None where nothing classifies.
    """

    name: str
    word: str
    resize: str
    sha256: str
    embed: Callable[[Images], Tensor]
    logits: Callable[[Tensor], Tensor] | None = None
    guided: bool = False

    @property
    def is_inception(self) -> bool:
        """Whether distances in it are called FID and KID."""
        return self.word == "inception"


def open_features(name: str, device: torch.device | None = None) -> FeatureSpace:
    """By its name in FEATURES, `dinov2:PLACE`, or the path of a classifier's file. UnknownName, MissingModel, ...."""
    place = device or torch.device("cpu")
    if name in FEATURES:
        found: FeatureSpace = FEATURES[name](device=place)
        return found
    if Path(name).expanduser().exists():
        return classifier(name, place)
    FEATURES.check(name)
    raise AssertionError("unreachable")


def as_float(images: Images) -> Tensor:
    """`(N, 3, H, W)` uint8 or float -> float32 in [0, 1]. BadInput for other shapes, NaN, or values outside."""
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape) < 1:
        raise BadInput(f"Expected pictures (N, 3, H, W), at least one, got {tuple(images.shape)}.")
    if images.dtype == torch.uint8:
        return images.float() / 255
    x = images.float()
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise BadInput("Expected pictures as bytes or as numbers from 0 to 1, got numbers outside or NaN.")
    return x


def mobilenet_v1(device: torch.device) -> FeatureSpace:
    """512 pooled features: no search and no training of this project uses them."""
    return _of_classifier("mobilenet-v1", "mobilenetv1", pocket_path("mobilenet_v1"), device)


def mobilenet_v2(device: torch.device) -> FeatureSpace:
    """1280 pooled features; the pocket scorer for products and some recipes use them."""
    return _of_classifier("mobilenet-v2", "mobilenetv2", pocket_path("mobilenet_v2"), device, guided=True)


def classifier(name: str, device: torch.device) -> FeatureSpace:
    """Any classifier's file that `--judge` takes: the input of its last layer, and its logits."""
    stem = re.sub(r"[^a-z0-9]", "", Path(name).name.partition(".")[0].lower())[:24] or "classifier"
    return _of_classifier(Path(name).name, f"own{stem}", Path(name).expanduser(), device)


def inception(device: torch.device) -> FeatureSpace:
    """2048 features as torch-fidelity computes them. MissingModel, with the command that fetches it, if not there."""
    from zeuxis.evaluation.inception_features import InceptionFeatures

    net = InceptionFeatures(ready("inception-fid", "features"), device)
    return FeatureSpace("inception", "inception", "299 pixels as TensorFlow 1", net.sha256, net, net.logits_of)


OLDER = (  # names in published files of DINOv2 -> those of newer versions of transformers
    *((rf"\.attention\.attention\.{name}\.", f".attention.{name[0]}_proj.") for name in ("query", "key", "value")),
    (r"\.attention\.output\.dense\.", ".attention.o_proj."),
)


def dinov2(place: str, device: torch.device) -> FeatureSpace:
    """The class token after the last normalisation, as Stein et al. 2023 (arXiv 2306.04675) compare sets with."""
    from zeuxis.hub.beside import of_a_network
    from zeuxis.scorers.folder import filled, folder_sha256, need_transformers, read_config, read_state
    from zeuxis.scorers.preprocess import Preprocess
    from zeuxis.scorers.preprocess_config import of_folder

    transformers = need_transformers("DINOv2")
    folder = locate(place, "features")
    if not folder.is_dir():
        raise BadInput(f"Expected a folder with DINOv2's config.json and weights, got the file {folder.name}.")
    config = read_config(folder, "hidden_size", "model_type")
    if config["model_type"] != "dinov2":
        raise WeightsRefused(folder / "config.json", f"describes a {str(config['model_type'])[:40]}, expected dinov2")
    state, file = read_state(folder)
    settings = of_a_network(config)
    net = filled(lambda: transformers.Dinov2Model(transformers.Dinov2Config(**settings)), state, file, OLDER)
    net = net.to(device).eval().requires_grad_(False)
    plain = Preprocess(0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), to=(256, 256), crop=(224, 224))
    prepare = of_folder(folder, plain)

    @torch.no_grad()
    def embed(images: Images) -> Tensor:
        output: Any = net(pixel_values=prepare(as_float(images).to(device)))
        return output.last_hidden_state[:, 0].float().cpu()  # type: ignore[no-any-return]

    word = f"dinov2{_size_of(int(config['hidden_size']))}"
    return FeatureSpace(f"dinov2:{Path(place).name}", word, _in_words(prepare), folder_sha256(folder, file), embed)


def _size_of(width: int) -> str:
    return {384: "s", 768: "b", 1024: "l", 1536: "g"}.get(width, f"x{width}")


def _of_classifier(name: str, word: str, path: Path, device: torch.device, *, guided: bool = False) -> FeatureSpace:
    from zeuxis.scorers.choose import make_judge
    from zeuxis.scorers.image_classifier import ImageClassifier

    if path.parent == pocket_path("mobilenet_v1").parent and word.startswith("mobilenet"):
        judge: Any = ImageClassifier(path, device)
    else:
        judge = make_judge(str(path), device)
    net = getattr(judge, "net", None)
    layers = (getattr(net, name, None) for name in ("fc", "head", "classes", "classifier"))
    head = next((layer for layer in layers if isinstance(layer, nn.Module)), None)
    if head is None or not hasattr(judge, "probabilities"):
        raise BadInput(
            f"Expected the file of a classifier for features, got {name}, which has no last layer of classes."
        )

    @torch.no_grad()
    def embed(images: Images) -> Tensor:
        x, found = as_float(images).to(device), []
        hook = head.register_forward_pre_hook(lambda _, given: found.append(given[0].flatten(1).float().cpu()))
        try:
            rows = []
            with exact_convolutions():
                for piece in torch.split(x, 32):
                    found.clear()
                    judge.probabilities(piece)
                    rows.append(found[0])  # a second one would be of the mirror image
        finally:
            hook.remove()
        return torch.cat(rows)

    @torch.no_grad()
    def logits(features: Tensor) -> Tensor:
        x = features.float().to(device)
        linear = isinstance(head, nn.Linear)
        parts = [head(piece if linear else piece[:, :, None, None]).flatten(1).cpu() for piece in torch.split(x, 4096)]
        return torch.cat(parts)

    prepare = getattr(judge, "preprocess", None)
    resize = _in_words(prepare) if prepare is not None else "32 pixels, bicubic, antialiased"
    return FeatureSpace(name, word, resize, judge.sha256, embed, logits, guided)


def _in_words(prepare: Any) -> str:
    cut = f", middle {prepare.crop[0]}" if prepare.crop is not None else ""
    how = {"shortest": "shortest edge ", "longest": "longest edge ", "squash": "", "none": "not resized "}
    return f"{how[prepare.resize]}{prepare.to[0]} pixels, {prepare.filter}, antialiased{cut}"
