"""MobileNet v2 and v3, EfficientNet: classifiers of inverted residual blocks, in float, under timm's names of tensors.

Sandler et al., "MobileNetV2" (2018), https://arxiv.org/abs/1801.04381 ; Howard et al., "Searching for MobileNetV3"
(2019), https://arxiv.org/abs/1905.02244 ; Tan and Le, "EfficientNet" (2019), https://arxiv.org/abs/1905.11946 . A block
widens by a 1x1 convolution, filters each channel alone, weighs the channels (squeeze and excitation) and narrows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.layers import bounded, dtype_of

Function = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Function] = {"relu": F.relu, "relu6": F.relu6, "silu": F.silu, "hard_swish": F.hardswish}
GATES: dict[str, Function] = {"sigmoid": torch.sigmoid, "hard_sigmoid": F.hardsigmoid}
KINDS = ("ds", "ir", "cn")  # depthwise separable, inverted residual, a plain convolution
WIDEST, MOST_STAGES, MOST_BLOCKS = 8192, 16, 64


class Convolution(nn.Conv2d):
    """A convolution that keeps the size divided by its stride; `same`: padded as TensorFlow does, more at the end."""

    def __init__(
        self, cin: int, cout: int, size: int, stride: int = 1, groups: int = 1, bias: bool = False, same: bool = False
    ) -> None:
        super().__init__(cin, cout, size, stride, 0 if same else size // 2, groups=groups, bias=bias)
        self.same = same

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        if self.same:
            k, s = self.kernel_size[0], self.stride[0]
            missing = [max((-(-n // s) - 1) * s + k - n, 0) for n in (x.shape[3], x.shape[2])]
            x = F.pad(x, [part for n in missing for part in (n // 2, n - n // 2)])
        return super().forward(x)


class SqueezeExcite(nn.Module):
    """Channels weighed by what all of them are on the whole map: Hu et al. 2018, https://arxiv.org/abs/1709.01507"""

    def __init__(self, width: int, inner: int, activation: str, gate: str) -> None:
        super().__init__()
        self.conv_reduce, self.conv_expand = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)
        self.activation: Function = ACTIVATIONS[activation]
        self.gate: Function = GATES[gate]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        whole = self.conv_reduce(x.mean((2, 3), keepdim=True))
        return x * self.gate(self.conv_expand(self.activation(whole)))


class Block(nn.Module):
    """One block of kind "ds", "ir" or "cn", with the input added where it has the output's shape."""

    def __init__(
        self, kind: str, cin: int, inner: int, cout: int, size: int, stride: int, squeeze: int, activation: str,
        squeeze_activation: str, gate: str, eps: float, same: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kind, self.activation = kind, ACTIVATIONS[activation]
        self.adds = kind != "cn" and stride == 1 and cin == cout
        if kind == "cn":
            self.conv, self.bn1 = Convolution(cin, cout, size, stride, same=same), nn.BatchNorm2d(cout, eps)
            return
        self.bn1 = nn.BatchNorm2d(inner, eps)
        if kind == "ir":
            self.conv_pw, self.bn2 = Convolution(cin, inner, 1), nn.BatchNorm2d(inner, eps)
            self.conv_pwl, self.bn3 = Convolution(inner, cout, 1), nn.BatchNorm2d(cout, eps)
        else:
            self.conv_pw, self.bn2 = Convolution(inner, cout, 1), nn.BatchNorm2d(cout, eps)
        self.conv_dw = Convolution(inner, inner, size, stride, groups=inner, same=same)
        self.se = SqueezeExcite(inner, squeeze, squeeze_activation, gate) if squeeze else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, H / stride, W / stride)."""
        act = self.activation
        if self.kind == "cn":
            return act(self.bn1(self.conv(x)))
        if self.kind == "ds":
            h = self.bn2(self.conv_pw(self.se(act(self.bn1(self.conv_dw(x))))))
        else:
            h = act(self.bn2(self.conv_dw(act(self.bn1(self.conv_pw(x))))))
            h = self.bn3(self.conv_pwl(self.se(h)))
        out: Tensor = x + h if self.adds else h
        return out


class EfficientNet(nn.Module):
    """Normalised images (N, 3, H, W) -> logits (N, classes).

    `stages` are lists of blocks, each a dictionary: kind, inner, out, size, stride, squeeze (0 for none), activation.
    `late`: the head convolution comes after the mean over the map, with a bias and no norm (MobileNet v3). `same`
    pads as TensorFlow does. BadInput for what no such network is.
    """

    def __init__(
        self,
        stem: int,
        stages: Sequence[Sequence[Mapping[str, Any]]],
        head: int,
        classes: int,
        activation: str,
        squeeze_activation: str = "relu",
        gate: str = "sigmoid",
        eps: float = 1e-5,
        same: bool = False,
        late: bool = False,
        stem_size: int = 3,
    ) -> None:
        super().__init__()
        for name, value in (("stem", stem), ("head", head)):
            bounded(name, value, 1, WIDEST)
        self.classes = bounded("classes", classes, 1, 2**16)
        bounded("stem_size", stem_size, 1, 7)
        chosen = (activation in ACTIVATIONS, squeeze_activation in ACTIVATIONS, gate in GATES)
        if not all(chosen) or not isinstance(eps, float) or not 0 < eps < 1:
            raise BadInput(f"Expected activations {', '.join(ACTIVATIONS)}, a gate {', '.join(GATES)} and 0 < eps < 1.")
        self.activation, self.late = ACTIVATIONS[activation], bool(late)
        self.conv_stem, self.bn1 = Convolution(3, stem, stem_size, 2, same=same), nn.BatchNorm2d(stem, eps)
        self.blocks, cin = nn.Sequential(), stem
        bounded("the number of stages", len(stages), 1, MOST_STAGES)
        for rows in stages:
            bounded("the number of blocks of a stage", len(rows), 1, MOST_BLOCKS)
            stage = []
            for row in rows:
                known = _row(row, cin)
                stage.append(
                    Block(**known, cin=cin, squeeze_activation=squeeze_activation, gate=gate, eps=eps, same=bool(same))
                )
                cin = known["cout"]
            self.blocks.append(nn.Sequential(*stage))
        self.conv_head = nn.Conv2d(cin, head, 1, bias=self.late)
        self.bn2 = nn.Identity() if self.late else nn.BatchNorm2d(head, eps)
        self.classifier = nn.Linear(head, classes)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, head): what the last layer sees."""
        x = x.to(dtype_of(self.conv_stem)).contiguous(memory_format=torch.channels_last)
        h = self.blocks(self.activation(self.bn1(self.conv_stem(x))))
        if self.late:
            return self.activation(self.conv_head(h.mean((2, 3), keepdim=True))).flatten(1)
        return self.activation(self.bn2(self.conv_head(h))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> logits (N, classes) float32."""
        return self.classifier(self.features(x)).float()  # type: ignore[no-any-return]


def _row(row: Mapping[str, Any], cin: int) -> dict[str, Any]:
    """One block's facts, checked."""
    if not isinstance(row, Mapping) or row.get("kind") not in KINDS or row.get("activation") not in ACTIVATIONS:
        raise BadInput(f"Expected a block with a kind ({', '.join(KINDS)}) and an activation, got {str(row)[:80]}.")
    found = {"kind": row["kind"], "activation": row["activation"]}
    for ours, name, low, high in (("cout", "out", 1, WIDEST), ("size", "size", 1, 11), ("stride", "stride", 1, 2),
                                  ("squeeze", "squeeze", 0, WIDEST), ("inner", "inner", 1, WIDEST)):  # fmt: skip
        found[ours] = bounded(f"{name} of a block", row.get(name), low, high)
    if found["kind"] == "ds" and found["inner"] != cin:
        raise BadInput(f"Expected {cin} channels in a depthwise separable block, got {found['inner']}.")
    return found
