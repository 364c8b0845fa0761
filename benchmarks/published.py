"""BigGAN-deep against a straightforward port of its reference: speed as a ratio, pictures side by side.

    python benchmarks/published.py --case biggan-512 --batch 2 --pairs 5
    python benchmarks/stylegan2.py        the same for StyleGAN2

Random weights, the same on both sides, one process, pairs in turns; the figure is the median of the ratios with their
least and largest, beside the largest difference of a picture in [-1, 1]. BigGAN's reference computes spectral
normalisation and all 128 colour channels in every forward pass and applies its norms in five element-wise steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.compute.device import machine, software
from zeuxis.hub.checkpoint import Raw
from zeuxis.hub.layouts import biggan as layout
from zeuxis.hub.weights import fill
from zeuxis.nets import NETWORKS
from zeuxis.nets.biggan import BigGANDeep
from zeuxis.nets.layers import cast_copy, placed

HERE = Path(__file__).parent / "results"
CPU = torch.device("cpu")
Draw = Callable[[], Tensor]


def random_biggan(size: int) -> tuple[dict[str, Tensor], dict]:
    """A state dictionary in the published layout, its spectral norms converged."""
    config = layout.published(size)
    rng = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        net = BigGANDeep(**{k: v for k, v in config.items() if k != "output_dim"})
    state: dict[str, Tensor] = {}
    for name, place in net.state_dict().items():
        shape = (128, *place.shape[1:]) if "conv_to_rgb" in name else tuple(place.shape)
        value = torch.randn(shape, generator=rng)
        plain = name.startswith("embeddings") or not name.endswith(".weight") or name == "generator.bn.weight"
        if name.endswith("running_vars"):
            state[name] = value.square() * 0.1 + 0.5
        elif plain:
            state[name] = 0.1 * value + (1.0 if name == "generator.bn.weight" else 0.0)
        else:
            u, matrix = F.normalize(torch.randn(shape[0], generator=rng), dim=0), value.flatten(1)
            for _ in range(10):
                v = F.normalize(matrix.T @ u, dim=0)
                u = F.normalize(matrix @ v, dim=0)
            state |= {f"{name}_orig": value, f"{name}_u": u, f"{name}_v": v}
    return state, config


class AsShipped:
    """The reference's forward pass from its semantics: sigma in every layer of every pass, norms step by step."""

    def __init__(self, state: dict[str, Tensor], config: dict, truncation: float) -> None:
        self.state, self.config, self.at = state, config, round(truncation / 0.02)

    def weight(self, name: str) -> Tensor:
        w = self.state[f"{name}.weight_orig"]
        sigma = torch.dot(self.state[f"{name}.weight_u"], w.flatten(1) @ self.state[f"{name}.weight_v"])
        return w / sigma

    def conv(self, name: str, x: Tensor) -> Tensor:
        w = self.weight(name)
        return F.conv2d(x, w, self.state.get(f"{name}.bias"), padding=w.shape[2] // 2)

    def norm(self, name: str, x: Tensor, condition: Tensor | None) -> Tensor:
        mean, var = (self.state[f"{name}.running_{kind}"][self.at][:, None, None] for kind in ("means", "vars"))
        if condition is None:
            return F.batch_norm(
                x, mean.flatten(), var.flatten(), self.state[f"{name}.weight"], self.state[f"{name}.bias"], eps=1e-4
            )
        gain = 1 + F.linear(condition, self.weight(f"{name}.scale"))[:, :, None, None]
        bias = F.linear(condition, self.weight(f"{name}.offset"))[:, :, None, None]
        return (x - mean) / torch.sqrt(var + 1e-4) * gain + bias

    def attention(self, name: str, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        theta = self.conv(f"{name}.snconv1x1_theta", x).view(n, -1, h * w)
        phi = F.max_pool2d(self.conv(f"{name}.snconv1x1_phi", x), 2).view(n, -1, h * w // 4)
        g = F.max_pool2d(self.conv(f"{name}.snconv1x1_g", x), 2).view(n, -1, h * w // 4)
        mixed = torch.bmm(g, torch.softmax(torch.bmm(theta.transpose(1, 2), phi), dim=-1).transpose(1, 2))
        return x + self.state[f"{name}.gamma"] * self.conv(f"{name}.snconv1x1_o_conv", mixed.view(n, c // 2, h, w))

    def block(self, name: str, x: Tensor, condition: Tensor, up: bool, cin: int, cout: int) -> Tensor:
        short, width = x, self.config["channel_width"]
        h = self.conv(f"{name}.conv_0", F.relu(self.norm(f"{name}.bn_0", x, condition)))
        h = F.relu(self.norm(f"{name}.bn_1", h, condition))
        h = F.interpolate(h, scale_factor=2, mode="nearest") if up else h
        h = self.conv(f"{name}.conv_1", h)
        h = self.conv(f"{name}.conv_2", F.relu(self.norm(f"{name}.bn_2", h, condition)))
        h = self.conv(f"{name}.conv_3", F.relu(self.norm(f"{name}.bn_3", h, condition)))
        short = short[:, : cout * width] if cin != cout else short
        return h + (F.interpolate(short, scale_factor=2, mode="nearest") if up else short)

    def __call__(self, z: Tensor, embedding: Tensor) -> Tensor:
        condition = torch.cat([z, embedding], dim=1)
        x = F.linear(condition, self.weight("generator.gen_z"), self.state["generator.gen_z.bias"])
        x = x.view(-1, 4, 4, 16 * self.config["channel_width"]).permute(0, 3, 1, 2).contiguous()
        place = 0
        for i, (up, cin, cout) in enumerate(self.config["layers"]):
            if i == self.config["attention_layer_position"]:
                x = self.attention(f"generator.layers.{place}", x)
                place += 1
            x = self.block(f"generator.layers.{place}", x, condition, up, cin, cout)
            place += 1
        x = self.conv("generator.conv_to_rgb", F.relu(self.norm("generator.bn", x, None)))
        return torch.tanh(x[:, :3])


def biggan(size: int, batch: int) -> dict[str, Draw]:
    state, config = random_biggan(size)
    part = layout.translate(Raw(Path("random"), state, config)).parts["generator"]
    ours = fill(NETWORKS["biggan-deep/generator"](**part.facts), part.tensors, Path("random")).requires_grad_(False)
    ours.set_truncation(0.5)
    placed(ours, CPU)
    reduced = cast_copy(ours, torch.bfloat16)
    shipped = AsShipped(state, config, 0.5)
    rng = torch.Generator().manual_seed(1)
    z = 0.5 * torch.randn(batch, 128, generator=rng).clamp(-2, 2)
    embedding = state["embeddings.weight"].T[torch.randint(1000, (batch,), generator=rng)]
    return {
        "reference": lambda: shipped(z, embedding),
        "fp32": lambda: ours(z, embedding),
        "bf16": lambda: reduced(z, embedding),
    }


@torch.no_grad()
def measure(draws: dict[str, Draw], pairs: int) -> dict[str, dict[str, float]]:
    """Process time of the reference over that of each variant, taken in turns; the first round only warms up."""
    images = {name: draw() for name, draw in draws.items()}
    scale = float(images["reference"].abs().max())
    times: dict[str, list[float]] = {name: [] for name in draws}
    for _ in range(pairs):
        for name, draw in draws.items():
            started = time.process_time()
            draw()
            times[name].append(time.process_time() - started)
    found = {}
    for name in draws:
        ratios = [a / b for a, b in zip(times["reference"], times[name], strict=True)]
        gap = float((images[name] - images["reference"]).abs().max())
        found[name] = {"ratio": statistics.median(ratios), "least": min(ratios), "most": max(ratios),
                       "difference": gap, "relative": gap / scale,
                       "seconds": statistics.median(times[name])}  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="+", default=["biggan-128", "biggan-512"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    results = {}
    print("| case | variant | times as fast as the reference | least to largest | largest difference |")
    print("|---|---|---|---|---|")
    for case in given.case:
        size = case.removeprefix("biggan-")
        draws = biggan(int(size), given.batch)
        results[case] = measure(draws, given.pairs)
        for name, row in results[case].items():
            spread = f"{row['least']:.2f} to {row['most']:.2f}"
            print(f"| {case} | {name} | {row['ratio']:.2f} | {spread} | {row['difference']:.1e} |", flush=True)
    HERE.mkdir(exist_ok=True)
    facts = {"batch": given.batch, "pairs": given.pairs, "threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    out = HERE / f"published-{'-'.join(given.case)}.json"
    out.write_text(json.dumps({"results": results, **facts, "machine": machine(CPU), "software": software()}, indent=1))


if __name__ == "__main__":
    main()
