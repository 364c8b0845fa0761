"""StyleGAN2, configuration F at full width, against the published way: per-image weights and grouped convolutions.

    python benchmarks/stylegan2.py --resolution 256 --batch 8 --pairs 5
    python benchmarks/stylegan2.py --resolution 256 --batch 8 --ways          time per block, both ways to compute it

One process, the same random weights and styles, runs in turns reference, fp32, bf16. `speedup` is the median over the
turns of reference time / our time by the clock, `on_cpu` the same by processor time, which a busy machine moves less;
beside them the largest difference of a picture over its largest value. `--ways` is what the rule in
zeuxis/nets/stylegan2.py (`Block.pays_single`) was chosen by: a block for the whole batch with activations scaled,
against image by image with weights scaled, in processor time.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.compute.device import machine, software
from zeuxis.nets.layers import Precisions, placed
from zeuxis.nets.stylegan2 import Block, StyleGAN2

RESULTS = Path(__file__).parent / "results"


def config_f(resolution: int) -> StyleGAN2:
    """The published widths, random weights that keep activations near deviation 1."""
    sizes = [2**i for i in range(2, int(math.log2(resolution)) + 1)]
    net = StyleGAN2(512, 0, 512, [min(32768 // size, 512) for size in sizes])
    generator = torch.Generator().manual_seed(0)
    fir = torch.tensor([1.0, 3.0, 3.0, 1.0])
    for name, value in net.state_dict().items():
        if name.endswith("resample_filter"):
            value.copy_(torch.outer(fir, fir) / 64)
        elif name.endswith("affine.bias"):
            value.fill_(1.0)
        else:
            wide = name.endswith(("weight", "const", "noise_const"))
            value.copy_(torch.randn(value.shape, generator=generator) * (1.0 if wide else 0.1))
    return placed(net.eval().requires_grad_(False), torch.device("cpu"))


class Reference:
    """The forward pass as published: every modulated convolution a grouped one, every step a new tensor, NCHW."""

    def __init__(self, net: StyleGAN2) -> None:
        self.state = {k.removeprefix("synthesis."): v.contiguous() for k, v in net.state_dict().items()}
        self.sizes = net.synthesis.sizes

    def linear(self, name: str, x: Tensor) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return F.linear(x, weight / math.sqrt(weight.shape[1]), self.state[f"{name}.bias"])

    def fir(self, x: Tensor, f: Tensor, pad: int) -> Tensor:
        x = F.pad(x, (pad, 1, pad, 1))
        return F.conv2d(x, (f * 4).flip((0, 1))[None, None].repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])

    def modulated(self, x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, up: bool = False) -> Tensor:
        n, cin = x.shape[:2]
        w = weight[None] * style[:, None, :, None, None]  # (N, out, in, k, k)
        if demodulate:
            w = w * (w.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
        x = x.reshape(1, n * cin, *x.shape[2:])
        if up:
            x = F.conv_transpose2d(x, w.transpose(1, 2).reshape(n * cin, -1, *w.shape[3:]), stride=2, groups=n)
        else:
            x = F.conv2d(x, w.reshape(-1, *w.shape[2:]), padding=w.shape[3] // 2, groups=n)
        return x.reshape(n, -1, *x.shape[2:])

    def layer(self, name: str, x: Tensor, w: Tensor, up: bool) -> Tensor:
        held = {key: self.state[f"{name}.{key}"] for key in ("weight", "noise_const", "noise_strength", "bias")}
        x = self.modulated(x, held["weight"], self.linear(f"{name}.affine", w), True, up)
        x = self.fir(x, self.state[f"{name}.resample_filter"], 1) if up else x
        x = x + held["noise_const"] * held["noise_strength"] + held["bias"][:, None, None]
        return F.leaky_relu(x, 0.2) * math.sqrt(2)

    def __call__(self, ws: Tensor) -> Tensor:
        x, image, number = self.state["b4.const"].repeat(len(ws), 1, 1, 1), None, 0
        for size in self.sizes:
            for name in ("conv1",) if size == 4 else ("conv0", "conv1"):
                x = self.layer(f"b{size}.{name}", x, ws[:, number], name == "conv0")
                number += 1
            if image is not None:
                n, c, h, w = image.shape
                spread = F.pad(image.reshape(n, c, h, 1, w, 1), (0, 1, 0, 0, 0, 1)).reshape(n, c, 2 * h, 2 * w)
                image = self.fir(spread, self.state[f"b{size}.resample_filter"], 2)
            style = self.linear(f"b{size}.torgb.affine", ws[:, number]) / math.sqrt(x.shape[1])
            colours = self.modulated(x, self.state[f"b{size}.torgb.weight"], style, False)
            colours = colours + self.state[f"b{size}.torgb.bias"][:, None, None]
            image = colours if image is None else image + colours
        assert image is not None
        return image


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(resolution: int, batch: int, pairs: int) -> list[dict[str, object]]:
    net = config_f(resolution)
    nets, reference = Precisions(net), Reference(net)
    z = torch.randn(batch, 512, generator=torch.Generator().manual_seed(1))
    ws = net.map(z)[:, None].repeat(1, net.num_ws, 1)
    works: dict[str, Callable[[], Tensor]] = {
        "reference fp32": lambda: reference(ws),
        "fp32": lambda: nets[torch.float32].synthesise(ws),  # type: ignore[operator]
        "bf16": lambda: nets[torch.bfloat16].synthesise(ws),  # type: ignore[operator]
    }
    images = {name: work() for name, work in works.items()}  # also warms up
    seconds = [{name: timed(work) for name, work in works.items()} for _ in range(pairs)]
    rows: list[dict[str, object]] = []
    for name in works:
        wall, cpu = ([turn["reference fp32"][k] / turn[name][k] for turn in seconds] for k in (0, 1))
        difference = (images[name] - images["reference fp32"]).abs().max() / images["reference fp32"].abs().max()
        rows.append(
            {
                "what": name,
                "ms_per_image": 1e3 / batch * statistics.median(turn[name][0] for turn in seconds),
                "speedup": statistics.median(wall),
                "speedup_turns": wall,
                "on_cpu": statistics.median(cpu),
                "largest_difference": float(difference),
            }
        )
    return rows


def both_ways(resolution: int, batch: int, pairs: int) -> list[dict[str, object]]:
    """Milliseconds of processor time per image of each block, whole batch and image by image."""
    net, rows = config_f(resolution), []
    nets = Precisions(net)
    ws = torch.randn(batch, 3, 512, generator=torch.Generator().manual_seed(1))
    for dtype in (torch.float32, torch.bfloat16):
        synthesis = nets[dtype].get_submodule("synthesis")
        for size in net.synthesis.sizes[1:]:
            block = synthesis.get_submodule(f"b{size}")
            assert isinstance(block, Block)
            shape = (batch, block.conv0.weight.shape[1], size // 2, size // 2)
            x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
            image = torch.randn(batch, 3, size // 2, size // 2)

            def whole(block: Block = block, x: Tensor = x, image: Tensor = image) -> object:
                return block(x, image, ws, True, False)

            def alone(block: Block = block, x: Tensor = x, image: Tensor = image) -> object:
                return [block(x[n : n + 1], image[n : n + 1], ws[n : n + 1], True, True) for n in range(batch)]

            turns = [(timed(whole), timed(alone)) for _ in range(pairs + 1)][1:]
            row: dict[str, object] = {"type": str(dtype).removeprefix("torch."), "pixels": size}
            for k, way in enumerate(("whole_batch_ms", "image_by_image_ms")):
                row[way] = 1e3 / batch * statistics.median(turn[k][1] for turn in turns)
            row["rule"] = "image by image" if block.pays_single else "whole batch"
            rows.append(row)
    return rows


def table(rows: list[dict[str, object]]) -> str:
    names = [name for name in rows[0] if not name.endswith("_turns")]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [f"{row[name]:.3g}" if isinstance(row[name], float) else str(row[name]) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ways", action="store_true", help="time blocks instead of networks")
    parser.add_argument("--out", type=Path, help="default: results/stylegan2[_ways]_RESOLUTION.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = (both_ways if args.ways else compare)(args.resolution, args.batch, args.pairs)
    print(table(rows))
    out = args.out or RESULTS / f"stylegan2{'_ways' if args.ways else ''}_{args.resolution}.json"
    facts = {"resolution": args.resolution, "batch": args.batch, "pairs": args.pairs, "rows": rows}
    where = {"machine": machine(torch.device("cpu")), "software": software()}
    out.write_text(json.dumps(facts | where, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
