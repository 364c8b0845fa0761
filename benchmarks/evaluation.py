"""What an evaluation costs beside its networks, and how much memory 50,000 pictures need.

    python benchmarks/evaluation.py features --rows 50000 --width 2048
    python benchmarks/evaluation.py folder --pictures 50000
    python benchmarks/evaluation.py cost --pictures 2000 --network mobilenet-v1
    python benchmarks/evaluation.py fooling

`features`: two sets of random features; peak resident memory while each metric runs. Sizes, directions and rows that
change only the time are fewer than usual. `folder`: a folder of small PNGs against as many others, killed once by
SIGKILL; peak memory, and which pieces of features were computed again. `cost`: processor time of `zeuxis metrics`, in
the network with the resizing before it, and beside it: reading files, metrics, page. Networks `inception` and `dinov2`
are of the true shape (DINOv2 ViT-B/14) with random weights, on which their cost does not depend. `fooling`: the same of
one class of `zeuxis evaluate fooling`. Libraries for figures and tables are loaded before the clock starts: 1 to 2 s.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

MIB = 2**20
USUAL = "fd,kd,mind,precision,recall,density,coverage,clipped-density,clipped-coverage,vendi,rke"


class Peak:
    """Within `with`: the largest resident memory, looked at every 10 ms."""

    def __enter__(self) -> Peak:
        self.most, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            self.most = max(self.most, resident())


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MIB


def features(args: argparse.Namespace) -> None:
    from zeuxis.metrics.frechet import frechet_distance, frechet_to_infinity
    from zeuxis.metrics.inception_score import inception_score
    from zeuxis.metrics.kernel import block_mmd
    from zeuxis.metrics.linear_head import LinearHead
    from zeuxis.metrics.neighbours import inside, neighbours
    from zeuxis.metrics.wasserstein import mind

    def drawn(seed: int) -> torch.Tensor:
        x = torch.empty(args.rows, args.width)
        for piece in torch.split(x, 1000):
            torch.randn(piece.shape, generator=torch.Generator().manual_seed(seed), out=piece).clamp_(min=0)
            seed += 2
        return x

    print(f"imports: {resident():.0f} MiB")
    x, y = drawn(0), drawn(1)
    print(f"two sets of {args.rows:,} x {args.width:,}: {resident():.0f} MiB")
    balls, labels = torch.rand(args.rows) * args.width**0.5, torch.arange(args.rows) % 10
    work: dict[str, Callable[[], Any]] = {
        "balls about 1,024 rows": lambda: inside(x[:1024], y, balls),
        "neighbours of 1,024 rows": lambda: neighbours(x[:1024], y, 4),
        "sliced, 50 directions": lambda: mind(x, y, directions=50),
        "linear head": lambda: LinearHead(x, labels, 10),
        "inception score of 1,008 logits": lambda: inception_score(x[:, :1008]),
        "kernel": lambda: block_mmd(x, y),
        "frechet": lambda: frechet_distance(y, x),
        "frechet to infinity, 3 sizes": lambda: frechet_to_infinity(y, x, sizes=3),
    }
    for name, run in work.items():
        began = time.process_time()
        with Peak() as peak:
            run()
        print(f"{name}: peak {peak.most:.0f} MiB, {time.process_time() - began:.0f} s", flush=True)
    print(f"largest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def drawn_pictures(folder: Path, count: int, seed: int, side: int = 16) -> Path:
    """PNGs of smooth noise, half of them in each of two classes."""
    rng = np.random.default_rng(seed)
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
    for k in range(count):
        small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        small.resize((side, side)).save(folder / ("one", "two")[k % 2] / f"{k:05}.png", compress_level=1)
    return folder


def folder(args: argparse.Namespace) -> None:
    from zeuxis.hub.pocket import pocket_path

    with tempfile.TemporaryDirectory() as place:
        sets = [drawn_pictures(Path(place) / name, args.pictures, k) for k, name in enumerate(("made", "real"))]
        words = [sys.executable, "-m", "zeuxis", "metrics", *map(str, sets), "--features", str(pocket_path("judge"))]
        words += ["--metrics", args.metrics, "--draws", "2", "--out", f"{place}/out", "--quiet"]
        environment = {**os.environ, "ZEUXIS_CACHE": f"{place}/cache"}
        cache = Path(place) / "cache/features-of-sets"
        first = subprocess.Popen(words, env=environment)
        while first.poll() is None and len(list(cache.glob("[!.]*"))) < args.pictures // 2000:
            time.sleep(0.1)
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = {path.name: path.stat().st_mtime_ns for path in cache.glob("[!.]*")}
        began = time.perf_counter()
        subprocess.run(words, env=environment, check=True)
        again = sum((cache / name).stat().st_mtime_ns != at for name, at in before.items())
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"2 x {args.pictures:,} pictures: peak {peak:.0f} MiB; killed after {len(before)} pieces of 1,000, of "
              f"which {again} were computed again; the rest took {time.perf_counter() - began:.0f} s")  # fmt: skip


class Timed:
    """Processor time within functions that were wrapped, nested calls counted once."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            self._depth += 1
            began = time.process_time()
            try:
                return function(*given, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.process_time() - began

        return timed


def network(name: str, place: Path) -> Any:
    from zeuxis.evaluation.feature_spaces import FeatureSpace, open_features

    torch.manual_seed(0)
    if name == "inception":
        from zeuxis.evaluation.inception_features import InceptionFeatures
        from zeuxis.nets.inception import Inception

        net = object.__new__(InceptionFeatures)
        net.device, net.batch, net.net = torch.device("cpu"), 32, Inception().eval().fold()
        return FeatureSpace("inception", "inception", "299 pixels as TensorFlow 1", "0", net, net.logits_of)
    if name == "dinov2":
        import transformers
        from safetensors.torch import save_file

        config = transformers.Dinov2Config(image_size=518, patch_size=14)
        place.mkdir()
        (place / "config.json").write_text(json.dumps(config.to_dict() | {"model_type": "dinov2"}))
        save_file(transformers.Dinov2Model(config).state_dict(), place / "model.safetensors")
        return open_features(f"dinov2:{place}")
    return open_features(name)


def load_libraries() -> None:
    from zeuxis.experiments.metrics_page import write_metrics
    from zeuxis.experiments.records import write_parquet
    from zeuxis.report.search_figures import pairs_png

    pairs_png({"a": ((0.1, 0.0, 0.2), (0.1, 0.0, 0.2))}, ("one", "two"), "value")
    with tempfile.TemporaryDirectory() as place:
        write_parquet(Path(place) / "a.parquet", [{"a": 1}])
    assert write_metrics


def cost(args: argparse.Namespace) -> None:
    from zeuxis.evaluation import compare
    from zeuxis.evaluation.picture_sets import FolderPictures
    from zeuxis.experiments.metrics_page import write_metrics

    load_libraries()
    with tempfile.TemporaryDirectory() as place:
        os.environ["ZEUXIS_CACHE"] = f"{place}/cache"
        sets = [drawn_pictures(Path(place) / name, args.pictures, k, 64) for k, name in enumerate(("made", "real"))]
        timed = {name: Timed() for name in ("network", "reading files", "metrics", "page")}
        space = network(args.network, Path(place) / "network")
        object.__setattr__(space, "embed", timed["network"].wrapped(space.embed))
        compare.open_features = lambda *what: space
        FolderPictures.read = timed["reading files"].wrapped(FolderPictures.read)  # type: ignore[method-assign]
        compare.measure = timed["metrics"].wrapped(compare.measure)
        began = time.process_time()
        found = compare.compare_sets(sets[0], str(sets[1]), metrics=USUAL.split(","))
        timed["page"].wrapped(write_metrics)(Path(place) / "out", found, "")
        said(f"metrics, {args.network}", timed, time.process_time() - began)


def fooling(args: argparse.Namespace) -> None:
    """One class, 1,280 images a run."""
    from zeuxis import workflows
    from zeuxis.evaluation import held_out
    from zeuxis.studies import carry, fooling_answer

    assert fooling_answer
    load_libraries()
    timed = {"network": Timed(), "page": Timed()}
    for owner, name in ((torch.nn.Module, "__call__"), (held_out.HeldOut, "see")):
        setattr(owner, name, timed["network"].wrapped(getattr(owner, name)))
    carry._write = timed["page"].wrapped(carry._write)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "classes.txt").write_text("cat\n")
        began = time.process_time()
        workflows.evaluate("fooling", place / "fooling", classes=str(place / "classes.txt"),
                           repetitions=args.repetitions, budget=1280, search=["default"])  # fmt: skip
        said("fooling", timed, time.process_time() - began)


def said(what: str, timed: dict[str, Timed], whole: float) -> None:
    networks = timed["network"].seconds
    parts = {name: part.seconds for name, part in timed.items() if name != "network"}
    parts["the rest"] = whole - networks - sum(parts.values())
    listed = ", ".join(f"{name} {seconds:.2f} s ({seconds / networks:.1%})" for name, seconds in parts.items())
    print(f"{what}: {networks:.1f} s in the network, {whole - networks:.2f} s beside it "
          f"({(whole - networks) / networks:.1%}): {listed}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("features", "folder", "cost", "fooling"))
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--metrics", default="fd,kd")
    parser.add_argument("--network", default="mobilenet-v1", help="inception, dinov2, or what --features takes")
    parser.add_argument("--repetitions", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    {"features": features, "folder": folder, "cost": cost, "fooling": fooling}[args.what](args)


if __name__ == "__main__":
    main()
