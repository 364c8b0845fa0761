"""The frozen picture features of the package: its MobileNet v2 and the trunk of its first scorer."""

from __future__ import annotations

import torch

from zeuxis.errors import WeightsRefused
from zeuxis.hub.model_file import build, checksum
from zeuxis.hub.pocket import pocket_path
from zeuxis.nets.dual_encoder import DualEncoder
from zeuxis.nets.layers import fold_batch_norm, placed
from zeuxis.nets.mobilenet import load_pocket
from zeuxis.nets.picture_features import PictureFeatures


def pocket_features(size: int = 96, device: torch.device | None = None) -> PictureFeatures:
    """MobileNet v2 at `size` pixels with the pocket scorer's trunk, in eval mode. MissingModel or WeightsRefused."""
    path = pocket_path("scorer")
    encoder = build(path, "encoder")
    if not isinstance(encoder, DualEncoder):
        raise WeightsRefused(path, "holds no dual encoder of images and sentences. Reinstall zeuxis")
    net = PictureFeatures(load_pocket("v2"), encoder.trunk, size)
    fold_batch_norm(net.eval().trunk or net)
    return placed(net, device or torch.device("cpu")).eval()


def features_sha256(net: PictureFeatures) -> str:
    """SHA-256 of all weights of frozen features, before any change of precision, hex."""
    return checksum(net.state_dict())
