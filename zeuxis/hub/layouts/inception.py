"""Inception-v3 of 2015-12-05 as pytorch-fid and torch-fidelity publish it: one state dictionary of 566 tensors."""

from __future__ import annotations

from torch import Tensor

from zeuxis.errors import WeightsRefused
from zeuxis.hub.checkpoint import Checkpoint, Raw
from zeuxis.hub.model_file import Part

LAST, HEAD = "Mixed_7c.branch_pool.conv.weight", "fc.weight"
CLASSES = 1008  # of the network of 2015-12-05; torchvision's has 1000
ADVICE = "Use pt_inception-2015-12-05-6726825d.pth: zeuxis models pull inception-fid"


def claims(raw: Raw) -> bool:
    """A state dictionary with the names of an Inception-v3, whichever."""
    return isinstance(raw.content, dict) and LAST in raw.content


def translate(raw: Raw) -> Checkpoint:
    """The tensors as they are, without the counters. WeightsRefused for torchvision's Inception."""
    tensors = {}
    for name, value in raw.content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise WeightsRefused(raw.file, f"is a {type(value).__name__}, expected a tensor", str(name)[:80])
        if name.startswith("AuxLogits."):
            raise WeightsRefused(raw.file, f"belongs to torchvision's Inception, not to the one of FID. {ADVICE}", name)
        if not name.endswith("num_batches_tracked"):
            tensors[name] = value.detach().float().contiguous()
    head = tensors.get(HEAD)
    if head is None:
        raise WeightsRefused(raw.file, f"is missing. {ADVICE}", HEAD)
    if head.shape != (CLASSES, 2048):
        raise WeightsRefused(raw.file, f"has shape {tuple(head.shape)}, expected {(CLASSES, 2048)}. {ADVICE}", HEAD)
    about = {"layout": "pytorch-fid", "licence": "Apache-2.0"}
    return Checkpoint("inception", {"network": Part({"classes": CLASSES}, tensors)}, about)
