"""What the recipes of the GAN lab reach, by judges that they never saw: docs/lab/index.md.

    python benchmarks/lab.py FOLDER... --data PATH --judges PATH [--count 2000]

FOLDER: an output of `zeuxis train`, called as its recipe. PATH of judges: mnist_lenet_acc0.991.pth (csinva) for MNIST,
cifar10_resnet20-12fca82f.th (akamaster) for CIFAR-10; other data are judged by MobileNet v1, which ships. Beside each
figure of generated pictures stands that of other real ones: of test pictures, or of training pictures against the test
split, at the same number. Adds to benchmarks/results/lab.json; writes docs/lab/images/RECIPE.png or .webp; prints the
table of all recipes.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from zeuxis.data import ImageSet, read_images
from zeuxis.generators.lab import LabGenerator
from zeuxis.hub.convert import convert
from zeuxis.hub.model_file import build
from zeuxis.lab.adversarial_options import options_of
from zeuxis.lab.adversarial_setup import conditioned
from zeuxis.lab.recipe_files import load, names
from zeuxis.metrics.agreement import class_agreement
from zeuxis.metrics.coverage import density_coverage
from zeuxis.metrics.frechet import frechet_distance
from zeuxis.metrics.health import descriptors, distances, near_duplicates
from zeuxis.metrics.linear_head import LinearHead
from zeuxis.metrics.precision_recall import precision_recall
from zeuxis.rng import stream
from zeuxis.scorers.image_classifier import ImageClassifier
from zeuxis.scorers.imagenet_judge import MobileNetJudge
from zeuxis.storage.files import atomic_write

ROOT = Path(__file__).resolve().parents[1]
JUDGES = {"mnist": "mnist_lenet_acc0.991.pth", "cifar10": "cifar10_resnet20-12fca82f.th"}
PAIRS = ("agreement", "recall", "coverage", "frechet", "duplicates")
SHIPPED = {"pocket-gan": "shipped as `pocket` before", "stylegan2-products": "ships as `pocket-products`"}
LARGEST = 200_000  # bytes of a sample sheet
Figures = dict[str, Any]


def judge_of(data: str, folder: Path) -> ImageClassifier | None:
    """The published classifier for these data, read by the restricted reader; None where there is none."""
    if data not in JUDGES or not (folder / JUDGES[data]).exists():
        return None
    with tempfile.TemporaryDirectory() as place:
        return ImageClassifier(convert(folder / JUDGES[data], Path(place) / "judge.safetensors"))


def real(images: ImageSet, count: int, name: str) -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, R, R) in [0, 1] and their places in the split."""
    rows = torch.randperm(len(images), generator=stream(0, "lab", name))[:count]
    return (images.batch(rows) / 2 + 0.5).expand(-1, 3, -1, -1), rows


@torch.no_grad()
def generated(model: LabGenerator, count: int) -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, R, R) in [0, 1] of rows of labels as often as in the training data, and the rows' numbers."""
    shares = model.counts.double()
    rows = torch.multinomial(shares, count, replacement=True, generator=stream(0, "lab", "rows"))
    net: Any = build(model.path, "generator")
    z = torch.randn(count, net.z_dim, generator=stream(0, "lab", "z"))
    y = model.rows[rows]
    drawn = [net(a, b) if net.classes else net(a) for a, b in zip(z.split(50), y.split(50), strict=True)]
    return (torch.cat(drawn).float() / 2 + 0.5).clamp(0, 1).expand(-1, 3, -1, -1), y


def evenness(counts: Tensor) -> float:
    """Entropy of class counts over that of equal ones."""
    share = counts.double() / counts.sum()
    share = share[share > 0]
    return float(-(share * share.log()).sum() / torch.tensor(float(len(counts))).log())


def by_judge(judge: ImageClassifier, fake: Tensor, y: Tensor, test: Tensor, labels: Tensor) -> Figures:
    """Agreement with the class asked for; without labels classes found and evenness. Beside real test pictures."""
    said, of_real = judge.probabilities(fake), judge.probabilities(test)
    found: Figures = {"judge": judge.sha256[:12], "agreement_real": class_agreement(of_real, labels).share}
    if y.shape[1]:
        agreement = class_agreement(said, y[:, 0])
        return found | {"agreement": agreement.share}
    counts, real_counts = (torch.bincount(x.argmax(1), minlength=said.shape[1]) for x in (said, of_real))
    found |= {"classes_found": int((counts >= len(fake) / len(counts) / 10).sum()), "counts": counts.tolist()}
    sure = {"sure": float(said.amax(1).mean()), "sure_real": float(of_real.amax(1).mean())}
    return found | sure | {"evenness": evenness(counts), "evenness_real": evenness(real_counts)}


def by_mobilenet(features: dict[str, Tensor], known: tuple[Tensor, int], y: Tensor, labels: Tensor) -> Figures:
    """Agreement of a linear head on MobileNet v1's features, fitted to training pictures, on the first label."""
    head = LinearHead(features["train"], *known)
    found: Figures = {"judge": "a linear head on MobileNet v1"}
    for name, of, wanted in (("", "fake", y[:, 0]), ("_real", "test", labels)):
        found[f"agreement{name}"] = class_agreement(head(features[of]), wanted).share
    return found


def distances_of(fake: Tensor, test: Tensor, train: Tensor) -> Figures:
    """Frechet distance, recall and coverage of generated and of training pictures against the test split."""
    found: Figures = {}
    for name, x in (("", fake), ("_real", train)):
        found[f"frechet{name}"] = frechet_distance(test, x)
        found[f"recall{name}"] = precision_recall(x, test).recall
        found[f"precision{name}"] = precision_recall(x, test).precision
        found[f"coverage{name}"] = density_coverage(x, test).coverage
    return found


def duplicates(images: Tensor) -> float:
    """The share of the first 1,000 that look like one before them."""
    shown = descriptors(images[:1000])
    return float(near_duplicates(distances(shown, shown)).double().mean())


def write_sheet(images: Tensor, columns: int, path: Path) -> None:
    """Pictures (N, 3, R, R) in [0, 1] in rows of `columns` as a PNG; as a WebP where that would be too large."""
    pixels = (images * 255).round().to(torch.uint8)
    r = images.shape[-1]
    grid = pixels.view(-1, columns, 3, r, r).permute(0, 3, 1, 4, 2).reshape(-1, columns * r, 3).numpy()
    picture = Image.fromarray(grid)
    if (grid == grid[..., :1]).all():
        picture = picture.convert("L")
    data = io.BytesIO()
    picture.save(data, "PNG", optimize=True)
    if data.tell() > LARGEST:
        path, data = path.with_suffix(".webp"), io.BytesIO()
        picture.save(data, "WEBP", quality=92, method=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, data.getvalue())


def sheet(model: LabGenerator, fake: Tensor, y: Tensor, path: Path) -> None:
    """Ten rows of pictures, by class where there are classes."""
    columns = 16 if model.resolution <= 32 else 12
    if y.shape[1]:
        top = torch.bincount(y[:, 0]).argsort(descending=True, stable=True)[:10].sort().values
        rows = [fake[y[:, 0] == k][:columns] for k in top]
        rows = [torch.cat([row, row.new_ones(columns - len(row), *row.shape[1:])]) for row in rows]
        fake = torch.cat(rows)
    write_sheet(fake[: 10 * columns if model.resolution <= 32 else 8 * columns], columns, path)


def collected(folders: Sequence[Path], out: Path, one: Callable[[Path], tuple[str, Figures]]) -> dict[str, Figures]:
    """What `out` holds, and of each folder what `one` finds, to four digits behind the point; written as it comes."""
    known: dict[str, Figures] = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    for folder in folders:
        name, found = one(folder)
        known[name] = {key: round(v, 4) if isinstance(v, float) else v for key, v in found.items()}
        print(name, json.dumps(known[name]))
        atomic_write(out, (json.dumps(known, indent=1, sort_keys=True) + "\n").encode())
    return known


def figures(folder: Path, data: Path, judges: Path, count: int) -> tuple[str, Figures]:
    """The recipe's name and all that is measured of it."""
    trained = json.loads((folder / "train.json").read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    options, name = trained["options"], folder.name
    if trained["task"] == "translation":
        raise SystemExit(f"{name} translates pictures: python benchmarks/lab_translators.py {folder} --data PATH")
    model = LabGenerator(folder / "export" / f"{options.get('name', 'generator')}.safetensors")
    size = {"resolution": model.resolution, "channels": options.get("channels")}
    train, test = (read_images(trained["data"], data, split, **size) for split in ("train", "test"))
    kept = tuple(train.labels)
    train, test = conditioned(train, test, options_of(options | {"texts": False}))
    count = min(count, len(test), len(train))
    fake, y = generated(model, count)
    (shown, rows), (known, known_rows) = real(test, count, "test"), real(train, count, "train")
    eyes = MobileNetJudge()
    features = {"fake": eyes.embed(fake), "test": eyes.embed(shown), "train": eyes.embed(known)}
    seconds = [line["seconds"] for line in lines if "seconds" in line]
    found: Figures = {
        "data": trained["data"], "pictures": len(train), "images": lines[-1]["images"], "planned": load(name).images,
        "resolution": model.resolution, "minutes": round(seconds[-1] / 60, 1) if seconds else None, "count": count,
    }  # fmt: skip
    asked = next(iter(model.words), kept[0] if kept else "")
    judge = judge_of(trained["data"], judges) if asked in kept else None  # no judge knows a domain
    labels = test.label(0)[0][rows] if test.labels else torch.zeros(count, dtype=torch.long)
    if judge:
        found |= by_judge(judge, fake, y, shown, labels)
    elif y.shape[1] and asked in kept:
        kinds, names = train.label(0)
        found |= by_mobilenet(features, (kinds[known_rows], len(names)), y, labels)
    found |= distances_of(features["fake"], features["test"], features["train"])
    found |= {"duplicates": duplicates(fake), "duplicates_real": duplicates(shown)}
    sheet(model, fake, y, ROOT / "docs" / "lab" / "images" / f"{name}.png")
    return name, found


def table(known: dict[str, Figures]) -> str:
    """All adversarial recipes of the package in Markdown, "other real pictures" in brackets."""
    head = (
        "recipe",
        "data",
        "images",
        "minutes",
        "judged",
        "agreement",
        "classes, evenness",
        "recall",
        "coverage",
        "Frechet",
    )
    lines = [f"| {' | '.join((*head, 'duplicates'))} |", "|---" * (len(head) + 1) + "|"]
    for name in (name for name in names() if load(name).task in ("adversarial", "translation")):
        found = known.get(name)
        if not found:
            page = "[its page](translation.md)" if load(name).task == "translation" else "not trained"
            said = SHIPPED.get(name, page)
            lines.append(f"| `{name}` | {load(name).data} | {said} |" + " |" * 8)
            continue
        pair = [f"{found[key]:.3g} ({found[f'{key}_real']:.3g})" if key in found else "" for key in PAIRS]
        classes = (
            f"{found['classes_found']}, {found['evenness']:.3f} ({found['evenness_real']:.3f})"
            if "evenness" in found
            else ""
        )
        cells = [
            f"`{name}`",
            found["data"],
            f"{found['images']:,}" + (f" of {load(name).images:,}" if found["images"] < load(name).images else ""),
            f"{found['minutes']:g}",
            f"{found['count']:,}",
            pair[0],
            classes,
            *pair[1:],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, default=Path())
    parser.add_argument("--judges", type=Path, default=Path())
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "lab.json")
    args = parser.parse_args()
    print(table(collected(args.folders, args.out, lambda of: figures(of, args.data, args.judges, args.count))))


if __name__ == "__main__":
    main()
