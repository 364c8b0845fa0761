"""CIFAR ResNets (He et al. 2016, arXiv 1512.03385, section 4.2) of akamaster/pytorch_resnet_cifar10: the judges of the
pocket models' figures. Their shortcuts have no weights, and images are normalised inside."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.nets.resnet import ResNet

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class CifarResNet(ResNet):
    """Images (N, 3, 32, 32) in [0, 1] -> logits (N, K). Depth is 6 * blocks + 2."""

    def __init__(self, blocks: int, classes: int = 10) -> None:
        widths = (16, 32, 64)
        super().__init__("basic", (blocks,) * 3, widths, widths, 16, 3, classes, shortcut="pad")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, K)."""
        mean, deviation = (torch.tensor(v, device=x.device)[:, None, None] for v in (MEAN, DEVIATION))
        return super().forward((x - mean) / deviation)


def from_state(state: Mapping[str, Tensor]) -> CifarResNet:
    """The network that a state dictionary describes; a "module." prefix is taken off. Strict."""
    plain = {name.removeprefix("module.").replace("linear.", "fc."): value for name, value in state.items()}
    blocks = len({name.split(".")[1] for name in plain if name.startswith("layer1.")})
    net = CifarResNet(blocks, plain["fc.bias"].shape[0])
    net.load_state_dict(plain)
    return net.eval().requires_grad_(False)
