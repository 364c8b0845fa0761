"""MobileNets: v1 (Howard et al. 2017, arXiv 1704.04861) and v2 (Sandler et al. 2018, arXiv 1801.04381).

Written from the papers to hold the networks that Google published for 8-bit arithmetic (Jacob et al. 2018, arXiv
1712.05877): weights lie in the file as bytes, are turned into floats once on loading, and stay fixed. Batch norms are
merged into the convolutions already. Images are in [-1, 1]; output i is class i of `imagenet_classes` (TensorFlow's
"background" output, its number 0, is not kept, so its class i + 1 is class i here).

Pictures and kernels are turned by half a turn inside, and maps turned back: TensorFlow pads even lengths at the end
alone, which torch does only by a copy of the map; turned it is a padding of both sides whose last row nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, overload

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from zeuxis.errors import BadInput, MissingModel, WeightsRefused

POCKET = Path(__file__).resolve().parent.parent / "pocket"
# Table 1 of the first paper after the stem: (channels, stride) of each depthwise separable block, at width 1. The last
# stride is printed as 2; the text's 7x7 map before pooling and the published networks have 1.
V1_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
# Table 2 of the second: (expansion t, channels c, repeats n, stride s of the first repeat).
V2_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class ByteConv(nn.Module):
    """A convolution with TensorFlow's SAME padding, of maps turned by half a turn:

    (N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride)), turned as well. `size` is odd. kernel = scale *
    (weight - zero) with 8-bit weights (Jacob et al., eq. 1), turned too, computed when they are loaded.
    """

    weight: Tensor
    scale: Tensor
    zero: Tensor
    kernel: Tensor

    def __init__(self, cin: int, cout: int, size: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.size, self.stride, self.groups, self.keep_fp32 = size, stride, groups, False
        shape = (cout, cin // groups, size, size)
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.uint8))
        self.register_buffer("scale", torch.zeros(()))
        self.register_buffer("zero", torch.zeros((), dtype=torch.int32))
        self.register_buffer("kernel", torch.zeros(shape), persistent=False)
        self.bias = nn.Parameter(torch.zeros(cout), requires_grad=False)
        self.register_load_state_dict_post_hook(_set_kernel)  # type: ignore[no-untyped-call]

    def compute_in(self, dtype: torch.dtype) -> None:
        """Convolve in `dtype` from now on, unless `keep_fp32` is set: see `zeuxis.nets.layers.cast_copy`."""
        if not self.keep_fp32:
            self.kernel = self.kernel.to(dtype)
            self.bias = nn.Parameter(self.bias.to(dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        if self.size == self.stride == self.groups == 1 and x.device.type == "cpu":  # a sixth faster on one thread
            return F.linear(x.permute(0, 2, 3, 1), self.kernel.flatten(1), self.bias).permute(0, 3, 1, 2)
        pad = [_same(length, self.size, self.stride) for length in x.shape[2:]]
        return F.conv2d(x, self.kernel, self.bias, self.stride, pad, groups=self.groups)


def _set_kernel(conv: nn.Module, _: Any) -> None:
    """What the loaded bytes stand for, in float32."""
    assert isinstance(conv, ByteConv)
    conv.kernel = _turned((conv.weight.float() - conv.zero) * conv.scale)


def _turned(x: Tensor) -> Tensor:
    """Rows and columns (N, C, H, W) from the end."""
    return x.flip(2, 3)


def _same(length: int, size: int, stride: int) -> int:
    """Zeros on each side of an edge of a turned map. On an even length with stride 2 those behind are not reached."""
    missing = max((-(-length // stride) - 1) * stride + size - length, 0)
    return missing - missing // 2


def _relu6(x: Tensor) -> Tensor:
    return F.relu6(x, inplace=True)  # x always comes fresh from a convolution, whose gradient does not need it


class _MobileNet(nn.Module):
    """What both share: `_trunk` up to the last convolution, the mean over the map, one linear layer."""

    stem: ByteConv
    head: ByteConv

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        for what, number, most in (("input size", size, 1024), ("number of classes", classes, 2**16)):
            if type(number) is not int or not 1 <= number <= most:
                raise BadInput(f"Expected a whole {what} from 1 to {most}, got {number!r}.")
        self.size, self.classes = size, classes

    def _trunk(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, C) float32: the mean of the last feature map. BadInput for other shapes."""
        return self._trunk(self._images(x)).float().mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> logits (N, classes), float32. Made for H = W = `size`; any size runs."""
        logits: Tensor = self.head(self.features(x)[:, :, None, None])
        return logits.flatten(1)

    def _images(self, x: Tensor) -> Tensor:
        """The images turned, in the number type and memory layout that the convolutions take."""
        if x.dim() != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 1 or not x.is_floating_point():
            raise BadInput(f"Expected float images (N, 3, H, W) in [-1, 1], got {x.dtype} {tuple(x.shape)}.")
        return _turned(x.to(self.stem.kernel.dtype)).contiguous(memory_format=torch.channels_last)

    def _head(self, width: int) -> ByteConv:
        head = ByteConv(width, self.classes)
        head.keep_fp32 = True  # bfloat16 would round logits near 10 to steps of 1/16
        return head


class SeparableBlock(nn.Module):
    """Depthwise 3x3, then pointwise 1x1, each with ReLU6: (N, cin, H, W) -> (N, cout, H / stride, W / stride)."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ByteConv(cin, cin, 3, stride, groups=cin)
        self.pointwise = ByteConv(cin, cout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        return _relu6(self.pointwise(_relu6(self.depthwise(x))))


class MobileNetV1(_MobileNet):
    """Howard et al. 2017: 13 depthwise separable convolutions. `width` multiplies every number of channels.

    Features: 1024 * width. The shipped network has width 0.5 and was trained at 160 pixels. BadInput for nonsense.
    """

    def __init__(self, width: float = 0.5, size: int = 160, classes: int = 1000) -> None:
        super().__init__(size, classes)
        if isinstance(width, bool) or not isinstance(width, int | float) or not 0.05 <= width <= 2:
            raise BadInput(f"Expected a width multiplier from 0.05 to 2, got {width!r}.")
        cin = max(int(32 * width), 8)
        self.stem = ByteConv(3, cin, 3, 2)
        blocks = []
        for channels, stride in V1_BLOCKS:
            cout = max(int(channels * width), 8)
            blocks.append(SeparableBlock(cin, cout, stride))
            cin = cout
        self.blocks = nn.Sequential(*blocks)
        self.head = self._head(cin)

    def _trunk(self, x: Tensor) -> Tensor:
        h: Tensor = self.blocks(_relu6(self.stem(x)))  # (N, 1024 * width, H / 32, W / 32)
        return h


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1 without activation: (N, cin, H, W) -> (N, cout, H / stride, W / stride).

    The input is added where it has the shape of the output (section 3.3 of the second paper).
    """

    def __init__(self, cin: int, cout: int, stride: int, expansion: int) -> None:
        super().__init__()
        within = cin * expansion
        self.expand = ByteConv(cin, within) if expansion > 1 else None
        self.depthwise = ByteConv(within, within, 3, stride, groups=within)
        self.project = ByteConv(within, cout)
        self.adds = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """(N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        h: Tensor = x if self.expand is None else _relu6(self.expand(x))
        h = self.project(_relu6(self.depthwise(h)))
        return x + h if self.adds else h


class MobileNetV2(_MobileNet):
    """Sandler et al. 2018, width 1: 17 inverted residuals; 1280 features. The shipped one was trained at 224 pixels.

    `channels` holds the strides at which `taps` can read, and how many channels the map has there.
    """

    channels: ClassVar[dict[int, int]] = {2: 16, 4: 24, 8: 32, 16: 96, 32: 320}

    def __init__(self, size: int = 224, classes: int = 1000) -> None:
        super().__init__(size, classes)
        self.stem = ByteConv(3, 32, 3, 2)
        blocks, cin, stride = [], 32, 2
        self.last_at: dict[int, int] = {}  # stride of the map so far -> number of the last block that leaves it
        for expansion, cout, repeats, first in V2_STAGES:
            stride *= first
            for i in range(repeats):
                blocks.append(InvertedResidual(cin, cout, first if i == 0 else 1, expansion))
                cin = cout
            self.last_at[stride] = len(blocks) - 1
        self.blocks = nn.Sequential(*blocks)
        self.last = ByteConv(cin, 1280)
        self.head = self._head(1280)

    def _trunk(self, x: Tensor) -> Tensor:
        return _relu6(self.last(self.blocks(_relu6(self.stem(x)))))  # (N, 1280, H / 32, W / 32)

    def taps(self, x: Tensor, at: Sequence[int] = (4, 8, 16, 32)) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> maps (N, channels[s], ceil(H / s), ceil(W / s)) for each stride s of `at`.

        They are the outputs of the last block at that stride, linear bottlenecks before any activation; differentiable
        with respect to x. BadInput for other shapes and strides.
        """
        if not at or not set(at) <= set(self.channels):
            raise BadInput(f"Expected strides out of {list(self.channels)}, got {list(at)}.")
        h, found = _relu6(self.stem(self._images(x))), {}
        stops = {self.last_at[s]: s for s in at}
        for i in range(max(stops) + 1):
            h = self.blocks[i](h)
            if i in stops:
                found[stops[i]] = _turned(h)
        return [found[s] for s in at]


@overload
def load_pocket(version: Literal["v1"]) -> MobileNetV1: ...


@overload
def load_pocket(version: Literal["v2"]) -> MobileNetV2: ...


def load_pocket(version: Literal["v1", "v2"]) -> MobileNetV1 | MobileNetV2:
    """The network that ships in the package, in eval mode, without gradients to its weights.

    BadInput for another version, MissingModel and WeightsRefused for a broken installation.
    """
    if version not in ("v1", "v2"):
        raise BadInput(f"Expected the MobileNet v1 or v2, got {version!r}.")
    net = MobileNetV1() if version == "v1" else MobileNetV2()
    path = POCKET / f"mobilenet_{version}.safetensors"
    if not path.is_file():
        raise MissingModel(f"Expected a weight file at {path}, found none. Reinstall zeuxis.")
    try:
        net.load_state_dict({name.removeprefix("network."): value for name, value in load_file(path).items()})
    except (SafetensorError, RuntimeError) as error:
        raise WeightsRefused(path, f"is damaged: {str(error)[:200]}. Reinstall zeuxis") from error
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
    return net.eval().requires_grad_(False)
