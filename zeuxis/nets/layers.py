"""Small parts that several networks share. Images inside networks are in [-1, 1], channels last."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import spectral_norm

from zeuxis.errors import BadInput

Net = TypeVar("Net", bound=nn.Module)
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)  # what computes in a smaller number type


def bounded(name: str, value: Any, low: int, high: int) -> int:
    """`value` if it is a whole number in [low, high]; BadInput for what a forged file may say."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadInput(f"Expected {name} from {low} to {high}, got {repr(value)[:40]}.")
    return value


def checked_dropout(value: Any) -> float:
    """`value` if it is a probability below 1; BadInput for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise BadInput(f"Expected dropout from 0 to below 1, got {repr(value)[:40]}.")
    return float(value)


def conv(cin: int, cout: int, size: int = 3, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the image size at stride 1."""
    return nn.Conv2d(cin, cout, size, stride, padding=(size - stride + 1) // 2, bias=bias)


def conv_bn(cin: int, cout: int, act: type[nn.Module] = nn.SiLU) -> nn.Sequential:
    """3x3 convolution, batch norm, activation."""
    return nn.Sequential(conv(cin, cout, bias=False), nn.BatchNorm2d(cout), act())


class Residual(nn.Module):
    """x + two conv_bn layers: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(width, width), conv_bn(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        h: Tensor = self.body(x)
        return x + h


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and bias are linear in a condition (de Vries et al. 2017; BigGAN, Brock et al. 2019).

    Written as one multiply-add when the statistics are fixed (eval mode).
    """

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.gain = nn.Linear(condition, width, bias=False)
        self.bias = nn.Linear(condition, width, bias=False)
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(N, C, H, W), (N, condition) -> (N, C, H, W)."""
        gain: Tensor = 1 + self.gain(y).float()  # (N, C)
        bias: Tensor = self.bias(y).float()
        if not self.training:
            assert self.norm.running_mean is not None and self.norm.running_var is not None
            scale = gain * (self.norm.running_var.float() + self.norm.eps).rsqrt()
            shift = bias - self.norm.running_mean.float() * scale
            return x * scale.to(x.dtype)[:, :, None, None] + shift.to(x.dtype)[:, :, None, None]
        h: Tensor = self.norm(x)
        return h * gain.to(x.dtype)[:, :, None, None] + bias.to(x.dtype)[:, :, None, None]


def upsample(x: Tensor) -> Tensor:
    """Nearest neighbour, (N, C, H, W) -> (N, C, 2H, 2W)."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def normalise_spectrum(net: nn.Module) -> nn.Module:
    """Spectral normalisation on every convolution, linear layer and embedding (Miyato et al. 2018), in place."""
    for module in list(net.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding) and not parametrize.is_parametrized(module):
            spectral_norm(module, eps=1e-6)
    return net


def fold_spectrum(net: nn.Module) -> nn.Module:
    """Bake the current spectral normalisation into plain weights, in place; for shipping and for speed."""
    for module in list(net.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return net


def fold_batch_norm(net: nn.Module) -> nn.Module:
    """Merge every batch norm that directly follows a convolution in a Sequential into that convolution, in place."""
    for parent in list(net.modules()):
        if isinstance(parent, nn.Sequential):
            for i in range(len(parent) - 1):
                first, second = parent[i], parent[i + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    parent[i], parent[i + 1] = fuse_conv_bn_eval(first.eval(), second.eval()), nn.Identity()
    return net


def cast_copy(net: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy whose convolutions and linear layers compute in `dtype`; norms and tables stay as they are.

    A module that knows better what to keep has a method `compute_in(dtype)`, which is called in place of that.
    """
    copied = copy.deepcopy(net).requires_grad_(False)
    for module in copied.modules():
        compute_in = getattr(module, "compute_in", None)
        if callable(compute_in):
            compute_in(dtype)
        elif isinstance(module, WEIGHTED) and not getattr(module, "keep_fp32", False):
            module.to(dtype)
    return copied


def dtype_of(net: nn.Module) -> torch.dtype:
    """The type of the first parameter: what the network takes in."""
    return next(net.parameters()).dtype


def placed(net: Net, device: torch.device) -> Net:
    """`net` itself, moved to `device`, convolution weights channels last.

    On a GPU float32 is to mean float32, in the whole process: cuDNN would round to TF32, which moves a picture by 1e-3
    where float32 moves it by 1e-6. Who wants speed takes bfloat16.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs
    return net


class Precisions:
    """A network in several number types: copies are made when first asked for."""

    def __init__(self, net: nn.Module) -> None:
        self.copies: dict[torch.dtype, nn.Module] = {torch.float32: net}

    def __getitem__(self, dtype: torch.dtype) -> nn.Module:
        if dtype not in self.copies:
            self.copies[dtype] = cast_copy(self.copies[torch.float32], dtype)
        return self.copies[dtype]


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Inside, float32 convolutions are float32; afterwards the setting is what it was."""
    settings = torch.backends.cudnn.conv  # type: ignore[attr-defined]  # not in torch's stubs
    before = settings.fp32_precision
    settings.fp32_precision = "ieee"
    try:
        yield
    finally:
        settings.fp32_precision = before
