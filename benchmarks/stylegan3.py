"""StyleGAN3 against the published way on a CPU: per-image weights, grouped convolutions, filters over inserted zeros.

    python benchmarks/stylegan3.py --config t --resolution 256 --batch 4 --pairs 5
    python benchmarks/stylegan3.py --config r --resolution 256 --width 0.5

The layer plan (sizes, cutoffs, filters) follows section 3 of the paper at full width, with random weights; `--width`
thins the channels. One process, the same weights and styles, runs in turns reference, fp32, bf16; the figures are
medians of processor time ratios with their least and largest, beside the largest difference of a picture over its
largest value. Both sides divide styles by each picture's own root mean square here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from published import measure
from torch import Tensor

from zeuxis.compute.device import machine, software
from zeuxis.nets.layers import Precisions, placed
from zeuxis.nets.stylegan3 import Layer, StyleGAN3

RESULTS = Path(__file__).parent / "results"
LAYERS, CRITICAL, MARGIN, TAPS = 14, 2, 10, 6  # of the published networks


def plan(config: str, resolution: int, width: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The input and the layers of configuration T or R: appendix C of the paper."""
    base, most = (32768, 512) if config == "t" else (65536, 1024)
    kernel = 3 if config == "t" else 1
    last_cutoff, last_stop = resolution / 2, resolution / 2 * 2**0.3
    share = [min(i / (LAYERS - CRITICAL), 1) for i in range(LAYERS + 1)]
    cutoff = [2 * (last_cutoff / 2) ** e for e in share]
    stop = [2**2.1 * (last_stop / 2**2.1) ** e for e in share]
    rate = [2 ** math.ceil(math.log2(min(2 * s, resolution))) for s in stop]
    size = [r + 2 * MARGIN for r in rate]
    size[-2:] = [resolution] * 2
    channels = [max(4, round(width * min(base / 2 / c, most))) for c in cutoff]
    channels[-1] = 3
    source = {"channels": channels[0], "size": size[0], "sampling_rate": rate[0], "bandwidth": cutoff[0]}
    layers = []
    for i in range(LAYERS + 1):
        before, rgb = max(i - 1, 0), i == LAYERS
        inner = max(rate[before], rate[i]) * (1 if rgb else 2)
        up, down = inner // rate[before], inner // rate[i]
        taps = (1 if rgb else TAPS * up, 1 if rgb else TAPS * down)
        total = (size[i] - 1) * down + 1 - (size[before] + (1 if rgb else kernel) - 1) * up + sum(taps) - 2
        low = (total + up) // 2
        layers.append(
            {
                "name": f"L{i}_{size[i]}_{channels[i]}",
                "rgb": rgb,
                "in_channels": channels[before],
                "out_channels": channels[i],
                "conv_kernel": 1 if rgb else kernel,
                "up_factor": up,
                "down_factor": down,
                "up_taps": [taps[0]],
                "down_taps": [taps[1]] * (2 if config == "r" and i < LAYERS - CRITICAL else 1),  # radial filters
                "in_size": size[before],
                "out_size": size[i],
                "padding": [low, total - low, low, total - low],
                "conv_clamp": 256,
            }
        )
    return source, layers


def network(config: str, resolution: int, width: float) -> StyleGAN3:
    """Random weights; the filters are windowed cosines, whose values are as good as any for speed."""
    source, layers = plan(config, resolution, width)
    net = StyleGAN3(512, 0, 512, resolution, source, layers)
    rng = torch.Generator().manual_seed(0)
    for name, value in net.state_dict().items():
        if name.endswith(("up_filter", "down_filter")):
            line = torch.hann_window(value.shape[0] + 2, periodic=False)[1:-1]
            f = line if value.ndim == 1 else torch.outer(line, line)
            value.copy_(f / f.sum())
        elif name.endswith("affine.bias"):
            value.fill_(1.0)
        elif name.endswith(("magnitude_ema", "transform")):
            continue
        else:
            value.copy_(torch.randn(value.shape, generator=rng) * (0.1 if name.endswith("bias") else 1.0))
    net.synthesis.input.freqs.mul_(source["bandwidth"] / 3)
    return placed(net.eval().requires_grad_(False), torch.device("cpu"))


class Reference:
    """The forward pass from its semantics, step by step, NCHW."""

    def __init__(self, net: StyleGAN3, over_batch: bool = False) -> None:
        self.net, self.over_batch = net, over_batch
        self.layers = [layer for layer in net.synthesis.children() if isinstance(layer, Layer)]
        self.weights = [layer.weight.detach().clone().contiguous() for layer in self.layers]

    def filtered(self, x: Tensor, f: Tensor, up: int, down: int, padding: tuple[int, int]) -> Tensor:
        """Zeros after every pixel, padding, the filter, every `down`th pixel."""
        n, c, h, w = x.shape
        x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
        x = F.pad(x, (*padding, *padding))
        f = (f * up**f.ndim).flip(list(range(f.ndim)))
        if f.ndim == 2:
            x = F.conv2d(x, f[None, None].repeat(c, 1, 1, 1), groups=c)
        else:
            x = F.conv2d(x, f[None, None, None].repeat(c, 1, 1, 1), groups=c)
            x = F.conv2d(x, f[None, None, :, None].repeat(c, 1, 1, 1), groups=c)
        return x[:, :, ::down, ::down]

    def layer(self, layer: Layer, weight: Tensor, x: Tensor, w: Tensor) -> Tensor:
        style, n = layer.affine(w), len(x)
        if layer.rgb:
            kernels = weight[None] * (style / math.sqrt(weight[0].numel()))[:, None, :, None, None]
        else:
            weight = weight * weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
            style = style * style.square().mean(dim=(0, 1) if self.over_batch else 1, keepdim=True).rsqrt()
            kernels = weight[None] * style[:, None, :, None, None]  # (N, out, in, k, k)
            kernels = kernels * (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        kernels = kernels * layer.magnitude_ema.rsqrt()
        x = x.reshape(1, -1, *x.shape[2:])
        x = F.conv2d(x, kernels.flatten(0, 1), padding=weight.shape[2] - 1, groups=n)
        x = x.reshape(n, -1, *x.shape[2:]) + layer.bias[:, None, None]
        if not layer.rgb:
            x = self.filtered(x, layer.up_filter, layer.up, 1, layer.padding)
            x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        x = x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)
        return x if layer.rgb else self.filtered(x, layer.down_filter, 1, layer.down, (0, 0))

    def __call__(self, ws: Tensor) -> Tensor:
        x: Tensor = self.net.synthesis.input(ws[:, 0])
        for i, (layer, weight) in enumerate(zip(self.layers, self.weights, strict=True)):
            x = self.layer(layer, weight, x, ws[:, i + 1])
        return x * self.net.synthesis.output_scale


def draws(config: str, resolution: int, batch: int, width: float) -> dict[str, Any]:
    """The reference and ours in both types, on the same styles."""
    net = network(config, resolution, width)
    nets, reference = Precisions(net), Reference(net)
    z = torch.randn(batch, 512, generator=torch.Generator().manual_seed(1))
    ws = net.map(z)[:, None].repeat(1, net.num_ws, 1)
    return {
        "reference": lambda: reference(ws),
        "fp32": lambda: nets[torch.float32].synthesise(ws),  # type: ignore[operator]
        "bf16": lambda: nets[torch.bfloat16].synthesise(ws),  # type: ignore[operator]
    }


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=["t", "r"], default="t")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--width", type=float, default=1.0, help="share of the published channels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    rows = measure(draws(given.config, given.resolution, given.batch, given.width), given.pairs)
    print("| variant | times as fast as the reference | least to largest | largest difference, relative |")
    print("|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['ratio']:.2f} | {row['least']:.2f} to {row['most']:.2f} | {row['relative']:.1e} |")
    facts = vars(given) | {"threads": torch.get_num_threads(), "load": os.getloadavg()[0], "rows": rows}
    where = {"machine": machine(torch.device("cpu")), "software": software()}
    out = RESULTS / f"stylegan3-{given.config}_{given.resolution}.json"
    out.write_text(json.dumps(facts | where, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
