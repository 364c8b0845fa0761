"""What recipes from picture to picture reach: docs/lab/translation.md.

    python benchmarks/lab_translators.py FOLDER... --data PATH

FOLDER: an output of `zeuxis train cyclegan-shoes` or `stargan-handbags`. All held-out pictures are translated to every
domain but their own. The judge is a linear head on MobileNet v1's features, fitted to training pictures by domain,
which no training hears. The kernel distance is that of MobileNet v1's pooled features to the held-out pictures of the
domain; beside it stand the same pictures untranslated, and training pictures of that domain. Adds to
benchmarks/results/lab_translators.json; writes docs/lab/images/RECIPE.png or .webp; prints the table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from lab import ROOT, collected, write_sheet
from torch import Tensor

from zeuxis.data import read_images
from zeuxis.lab.domains import chosen
from zeuxis.lab.recipe_files import load
from zeuxis.lab.translation_parts import options_of
from zeuxis.metrics.agreement import class_agreement
from zeuxis.metrics.kernel import squared_mmd
from zeuxis.metrics.linear_head import LinearHead
from zeuxis.scorers.imagenet_judge import MobileNetJudge
from zeuxis.tools.translate import open_translator, translated

Figures = dict[str, Any]
COLUMNS = 12


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def sources(images: Tensor, y: Tensor) -> Tensor:
    """COLUMNS pictures (COLUMNS, 3, R, R), of the domains in turn."""
    domains = int(y.max()) + 1
    rows = [(y == k % domains).nonzero().flatten() for k in range(COLUMNS)]
    return images[torch.stack([row[(k // domains) % len(row)] for k, row in enumerate(rows)])]


@torch.no_grad()
def figures(folder: Path, data: Path) -> tuple[str, Figures]:
    """The recipe's name and all that is measured of it."""
    trained = json.loads((folder / "train.json").read_text(encoding="utf-8"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    opt = options_of(trained["options"])
    translator = open_translator(str(folder / "export" / f"{opt.name}.safetensors"), torch.device("cpu"))
    size = {"resolution": translator.resolution, "channels": opt.channels}
    sets = (read_images(trained["data"], data, split, **size) for split in ("train", "test"))
    pair = [chosen(images, opt.label, opt.domains, opt.where)[0] for images in sets]
    (train, y_train), (test, y) = (
        ((images.batch(torch.arange(len(images))) / 2 + 0.5).expand(-1, 3, -1, -1), images.labels[opt.label])
        for images in pair
    )
    eyes, count = MobileNetJudge(), len(translator.domains)
    of_train, of_test = eyes.embed(train), eyes.embed(test)
    head = LinearHead(of_train, y_train, count)
    kernel: dict[str, list[float]] = {"kernel": [], "kernel_untranslated": [], "kernel_real": []}
    said, wanted, back, moved, rows = [], [], [], [], [sources(test, y)]
    for domain in range(count):
        others, home = test[y != domain], y[y != domain]
        fake = translated(translator, others, domain)
        seen = eyes.embed(fake)
        said.append(head(seen))
        wanted += [domain] * len(fake)
        for name, x in zip(kernel, (seen, of_test[y != domain], of_train[y_train == domain]), strict=True):
            kernel[name].append(squared_mmd(x, of_test[y == domain]))
        again = torch.stack([translated(translator, fake[k : k + 1], int(of))[0] for k, of in enumerate(home)])
        back.append(float((again - others).abs().mean()))
        moved.append(float((fake - others).abs().mean()))
        rows.append(translated(translator, rows[0], domain))
    write_sheet(torch.cat(rows), COLUMNS, ROOT / "docs" / "lab" / "images" / f"{folder.name}.png")
    return folder.name, {
        "domains": list(translator.domains), "images": summary["images"], "planned": load(folder.name).images,
        "minutes": round(summary["seconds"] / 60, 1), "held_out": len(test), "translated": len(wanted),
        "agreement": class_agreement(torch.cat(said), torch.tensor(wanted)).share,
        "agreement_real": class_agreement(head(of_test), y).share,
        "back": mean(back), "moved": mean(moved), **{name: mean(values) for name, values in kernel.items()},
    }  # fmt: skip


def table(known: dict[str, Figures]) -> str:
    """All that were measured, in Markdown."""
    head = ("recipe", "images", "minutes", "translated", "agreement", "kernel", "untranslated", "back", "moved")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, of in known.items():
        part = f" of {of['planned']:,}" if of["images"] < of["planned"] else ""
        agreement = f"{of['agreement']:.2f} ({of['agreement_real']:.2f})"
        kernel = f"{of['kernel']:.2f} ({of['kernel_real']:.2f})"
        cells = (f"`{name}`", f"{of['images']:,}{part}", f"{of['minutes']:g}", f"{of['translated']}", agreement, kernel)
        rest = (f"{of['kernel_untranslated']:.2f}", f"{of['back']:.3f}", f"{of['moved']:.3f}")
        lines.append(f"| {' | '.join(cells + rest)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "lab_translators.json")
    args = parser.parse_args()
    print(table(collected(args.folders, args.out, lambda folder: figures(folder, args.data))))


if __name__ == "__main__":
    main()
