"""The smallest instance of every command that writes, and what must be the same whatever happened on the way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from command_stock import PROMPT, Stock

TOYS = ["--generator", "toy", "--scorer", "toy", "--judge", "toy", "--device", "cpu", "--precision", "fp32"]
SMALL = ["--search", "cma-ga", "--population", "4", "--augment", "0", "--view-every", "4"]
CLOCK = {"images_per_second", "seconds", "cpu_seconds", "check", "spent"}

Result = dict[str, str]


@dataclass(frozen=True)
class Command:
    """`words(stock)` are its arguments, `result(place)` all that must be the same whatever happened on the way.

    `prepare(stock, place)` puts what it goes on from into its place; `files` are single files that it writes whole.
    """

    name: str
    words: Callable[[Stock], list[str]]
    result: Callable[[Path], Result]
    prepare: Callable[[Stock, Path], None] = lambda stock, place: None


def sha256(path: Path) -> str:
    """Of a file; of a picture that is drawn with Pillow as well, the encoders are deterministic."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_of(*patterns: str) -> Callable[[Path], Result]:
    """The bytes of the files that match."""

    def result(place: Path) -> Result:
        found = sorted({path for pattern in patterns for path in place.glob(pattern) if path.is_file()})
        return {str(path.relative_to(place)): sha256(path) for path in found}

    return result


def run_result(place: Path) -> Result:
    """Log, newest checkpoint, pictures, summary, animation; that there are a report and a record."""
    run = place / "run"
    found = files_of(*(f"run/{name}" for name in ("log/*", "images/*", "top/*", "summary.json", "best.gif")))(place)
    newest = max((run / "checkpoint").glob("*.safetensors"))
    record = json.loads((run / "run.json").read_text())
    found["record"] = json.dumps([record["config"], record["decisions"], record["prompt"]])
    return found | {newest.name: sha256(newest), "report": str((run / "report.html").stat().st_size > 1000)}


def without_clock(row: object) -> object:
    """A table without what the clock wrote into it."""
    if isinstance(row, dict):
        return {key: without_clock(value) for key, value in row.items() if key not in CLOCK}
    return row


def compare_result(place: Path) -> Result:
    """Rows, priors, design, latents, the table without its seconds."""
    out = place / "out"
    found = files_of("out/latents/*", "out/design.json", "out/priors.json")(place)
    found = {name: value for name, value in found.items() if not name.endswith(".part")}
    lines = {}
    for line in (out / "cells.jsonl").read_text().splitlines():
        with contextlib.suppress(ValueError):  # a line that a kill broke off stays, and counts for nothing
            row = json.loads(line)
            lines[str([row[k] for k in ("variant", "phrase", "seed", "population")])] = without_clock(row)
    found["rows"] = json.dumps(lines, sort_keys=True)
    head, *rest = [line.split(",") for line in (out / "table.csv").read_text().splitlines()]
    kept = [at for at, name in enumerate(head) if "second" not in name]
    return found | {"table": json.dumps([[row[at] for at in kept if at < len(row)] for row in [head, *rest]])}


def train_result(place: Path) -> Result:
    """Checkpoint, exports, samples and the log without its clock."""
    from safetensors import safe_open

    from zeuxis.storage.checksummed import verified

    out = place / "out"
    found = files_of("out/export/*", "out/train.json", "out/machine.json", "out/samples/*")(place)
    for name in ("export/classifier.safetensors",):
        if (out / name).exists():
            with safe_open(out / name, "pt") as file:
                assert file.metadata()
    tensors, header = verified(out / "checkpoint.safetensors")
    progress = without_clock(json.loads(header["progress"]))
    lines = [without_clock(json.loads(line)) for line in (out / "log.jsonl").read_text().splitlines()]
    digest = hashlib.sha256(b"".join(key.encode() + t.numpy().tobytes() for key, t in sorted(tensors.items())))
    strides = [str(t.stride()) for _, t in sorted(tensors.items())]
    return found | {"state": digest.hexdigest() + "".join(strides), "log": json.dumps([progress, lines])}


def bank_result(place: Path) -> Result:
    """All files of the one bank."""
    return files_of("cache/banks/*/bank.json", "cache/banks/*/*.npy")(place)


def pull_result(place: Path) -> Result:
    """The file, and what was recorded of it."""
    records = json.loads((place / "cache/records.json").read_text())
    told = {name: row["sha256"] for name, row in records.items() if isinstance(row, dict)}
    left = [path.name for path in (place / "cache/models").rglob("*.part*") if path.suffix != ".lock"]
    return files_of("cache/models/tiny/network.pkl")(place) | {"records": json.dumps(told), "left": str(left)}


def metrics_result(place: Path) -> Result:
    """The figures without their seconds."""
    told = json.loads((place / "out/metrics.json").read_text())
    rows = (place / "out/metrics.csv").read_text().splitlines()
    figures = [without_clock(row) for row in told.pop("results")]
    return {"json": json.dumps([told, figures]), "csv": json.dumps([row.rpartition(",")[0] for row in rows])}


def copy_run(stock: Stock, place: Path) -> None:
    """The stock's run, for a command that goes on with it."""
    shutil.copytree(stock.folder / "run", place / "run")


ONE_FILE = {
    "configuration": (lambda s: ["generate", PROMPT, *TOYS, "--seed", "1", "--write-config", "out.toml"], "out.toml"),
    "convert": (lambda s: ["convert", str(s.weights), "--out", "out.safetensors"], "out.safetensors"),
    "replay": (lambda s: ["replay", str(s.pictures[0]), "--save", "out.png"], "out.png"),
    "sample": (lambda s: ["sample", "--generator", "toy", "--seeds", "0-3", "--each", "--out", "out.png"], "out*/*"),
    "mix": (lambda s: ["mix", "--rows", "0-1", "--columns", "4-5", "--out", "out.png"], "out.png"),
    "interpolate": (
        lambda s: ["interpolate", "--generator", "toy", "--seeds", "0-1", "--frames", "3", "--out", "out.gif"],
        "out.gif",
    ),
    "arithmetic": (lambda s: ["arithmetic", f"{s.pictures[0]} + {s.pictures[1]}", "--out", "out.png"], "out*.png"),
    "project": (
        lambda s: [
            *("project", str(s.pictures[0]), "--generator", "toy", "--steps", "2", "--draws", "4", "--starts", "1"),
            *("--device", "cpu", "--out", "out.png"),
        ],
        "out*.png",
    ),
    "reference": (
        lambda s: [
            *("metrics", str(s.folder / "data/dark"), str(s.folder / "data/light"), "--metrics", "vendi"),
            *("--draws", "0", "--device", "cpu", "--save-reference", "out.safetensors"),
        ],
        "out.safetensors",
    ),
    "demo": (lambda s: ["demo", "surface", "--effort", "0.01", "--out", "out"], "out/*"),
}
COMMANDS = [
    Command(
        "generate",
        lambda s: ["generate", PROMPT, *TOYS, *SMALL, "--generations", "5", "--seed", "7", "--gif", "--out", "run"],
        run_result,
    ),
    Command("resume", lambda s: ["resume", "run", "--generations", "7", "--gif"], run_result, copy_run),
    Command(
        "compare",
        lambda s: [
            *("compare", *TOYS, "--search", "ga", "--search", "best-of-n", "--phrase", PROMPT),
            *("--seeds", "1", "--population", "4", "--generations", "4", "--baseline", "ga", "--out", "out"),
        ],
        compare_result,
    ),
    Command(
        "train",
        lambda s: ["train", str(s.recipe), "--data", str(s.folder / "data"), "--out", "out", "--device", "cpu"],
        train_result,
    ),
    Command("bank", lambda s: ["bank", "build", "toy", "--images", "36", "--device", "cpu"], bank_result),
    Command("pull", lambda s: ["models", "pull", "tiny"], pull_result),
    Command(
        "metrics",
        lambda s: [
            *("metrics", str(s.folder / "data/dark"), str(s.folder / "data/light"), "--metrics", "vendi,nearer-train"),
            *("--draws", "2", "--device", "cpu", "--out", "out"),
        ],
        metrics_result,
    ),
    *(Command(name, words, files_of("out.*", pattern)) for name, (words, pattern) in ONE_FILE.items()),
]
RESUMABLE = ("generate", "resume", "compare", "train", "bank", "pull", "metrics")
