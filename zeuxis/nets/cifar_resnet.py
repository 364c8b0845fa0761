"""CIFAR ResNets (He et al. 2016, arXiv 1512.03385, section 4.2): three stages of basic blocks, widths 16, 32, 64.

Layout of the akamaster/pytorch_resnet_cifar10 checkpoints: shortcuts without parameters (option A: every second pixel,
zero channels added evenly before and after).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions: (N, cin, H, W) -> (N, cout, H / stride, W / stride)."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.stride, self.extra = stride, cout - cin

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H / stride, W / stride)."""
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        side = self.extra // 2
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, side, self.extra - side))
        return F.relu(h + shortcut)


class CifarResNet(nn.Module):
    """Images (N, 3, 32, 32) in [0, 1] -> logits (N, K). Depth is 6 * blocks + 2."""

    def __init__(self, blocks: int, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stages, width = [], 16
        for out, stride in ((16, 1), (32, 2), (64, 2)):
            layers = [BasicBlock(width if i == 0 else out, out, stride if i == 0 else 1) for i in range(blocks)]
            stages.append(nn.Sequential(*layers))
            width = out
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, K)."""
        mean, deviation = (torch.tensor(v, device=x.device)[:, None, None] for v in (MEAN, DEVIATION))
        h = F.relu(self.bn1(self.conv1((x - mean) / deviation)))
        h = self.layer3(self.layer2(self.layer1(h)))
        logits: Tensor = self.linear(h.mean((2, 3)))
        return logits


def from_state(state: Mapping[str, Tensor]) -> CifarResNet:
    """The network that a state dictionary describes; a "module." prefix is taken off. Strict."""
    plain = {name.removeprefix("module."): value for name, value in state.items()}
    blocks = len({name.split(".")[1] for name in plain if name.startswith("layer1.")})
    net = CifarResNet(blocks, plain["linear.bias"].shape[0])
    net.load_state_dict(plain)
    return net.eval().requires_grad_(False)
