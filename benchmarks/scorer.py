"""Figures of the 64 px pocket scorer beside their ceilings: a supervised probe, a neighbour vote, same features.

    python benchmarks/scorer.py --data ../shared/data            every figure, about 15 minutes on one core
    python benchmarks/scorer.py --data ../shared/data --quick    ceilings as they are in the results

Writes benchmarks/results/scorer64.json: for each figure the share, the number of trials, its Wilson 95 % interval, the
ceiling and the share of it that the scorer reaches. Training features come from the cache of the lab when they are
there (zeuxis.lab.features).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.evaluation.retrieval import ensemble, vote
from zeuxis.lab.alignment_figures import Figures, TestSet, figures, shares, tasks_of, test_sets, titles, unseen_words
from zeuxis.lab.features import cached_features
from zeuxis.lab.imagined import pooled_span
from zeuxis.lab.pairs import read_sets
from zeuxis.metrics.intervals import wilson
from zeuxis.nets.layers import dtype_of
from zeuxis.rng import stream
from zeuxis.scorers.pocket64 import AlignedScorer, PocketScorer64
from zeuxis.scorers.pocket_features import features_sha256
from zeuxis.scorers.prompts import fill

MOST = {"cifar10": 16_000}
MOST_TEST = {"cifar10": 4_000}
OUT = Path(__file__).parent / "results" / "scorer64.json"


def probe(x: Tensor, labels: Tensor, test: Tensor, classes: int, epochs: int = 12) -> Tensor:
    """Multinomial logistic regression by AdamW on standardised features (N, D): logits (M, classes)."""
    rng = stream(0, "probe")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Linear(x.shape[1], classes)
    adam = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.1)
    steps = epochs * (len(x) // 256 + 1)
    for step in range(steps):
        rows = torch.randint(0, len(x), (256,), generator=rng)
        picked = x[rows].float()
        picked = picked + 0.3 * torch.randn(picked.shape, generator=rng)
        for group in adam.param_groups:
            group["lr"] = 1e-3 * (1 - step / steps)
        adam.zero_grad()
        F.cross_entropy(net(picked), labels[rows]).backward()
        adam.step()
    with torch.no_grad():
        return torch.cat([net(part.float()) for part in torch.split(test, 1000)])


def ceilings(scorer: AlignedScorer, tests: list[TestSet], folder: Path, identity: str) -> tuple[Figures, Figures]:
    """(supervised probe, vote of the 20 nearest) for every figure that has one."""
    net = scorer._features[torch.float32]
    kinds = dict(read_sets(folder, "train", MOST))
    probes: Figures = {}
    votes: Figures = {}
    for test in tests:
        x_test = scorer.heads.standard(test.features)
        if test.kind == "imagenet-sample":
            start, stop = pooled_span()
            pooled = test.features[:, start:stop].float()
            logits = net.mobilenet.head(pooled[:, :, None, None]).flatten(1)
            probes |= shares("imagenet", logits, test.images.label(0)[0])
            continue
        if test.kind not in kinds:
            continue
        images = kinds[test.kind]
        features = cached_features(images.pixels, net, identity, 1)
        x = torch.cat([scorer.heads.standard(part).half() for part in torch.split(features, 2000)])
        near = F.normalize(x.float(), dim=1)
        parts = {}
        for name, (labels, words) in tasks_of(test).items():
            which = -1 if name == "product_colours" else 0
            own = images.label(which)[0]
            logits = probe(x, own, x_test, len(words))
            parts[name] = (logits.log_softmax(1), labels)
            probes |= shares(name, logits, labels)
            votes |= shares(name, vote(near, own, x_test, len(words)), labels)
            print(name, probes.get(f"{name}_top1"), flush=True)
        if test.kind == "products":  # the probe's belief in the type and the colour of each title's product
            total = sum((log[:, labels] for log, labels in parts.values()), torch.zeros(()))
            probes |= titles(test.images, total)
    return probes, votes


@torch.no_grad()
def words_alone(scorer: AlignedScorer, test: TestSet) -> Figures:
    """The ceiling of unseen words: is a class that the word fits the nearest one for the text tower itself?"""

    def embed(texts: list[str]) -> Tensor:
        return scorer.text(scorer.wordpiece.batch(texts, scorer.longest))

    words = unseen_words(test)
    if not words:
        return {}
    _, names = next(iter(tasks_of(test).values()))
    there = torch.unique(test.images.label(0)[0])
    classes = ensemble(embed, [fill(names[k]) for k in there.tolist()])
    nearest = (ensemble(embed, [fill(word) for word in words]) @ classes.T).argmax(1)
    found = sum(int(there[k]) in right for k, right in zip(nearest.tolist(), words.values(), strict=True))
    return {f"unseen_{test.kind.replace('-', '_')}": (found / len(words), len(words))}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--file", type=Path, help="another scorer of this kind than the package's")
    parser.add_argument("--quick", action="store_true", help="take the ceilings from the results as they are")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    begin = time.monotonic()
    scorer = AlignedScorer(args.file) if args.file else PocketScorer64()
    net = scorer._features[torch.float32]
    identity = f"{net.size}/{features_sha256(net)}"
    with torch.no_grad():
        tests = test_sets(args.data, MOST_TEST, lambda pixels: cached_features(pixels, net, identity, 0))
        found = figures(tests, scorer.heads.image, scorer.embed_texts)
    if args.quick:  # they are figures of the frozen features, not of the heads
        kept = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
        kept = kept if kept.get("features") == identity else {}
        probes, votes = ({name: tuple(v) for name, v in kept.get(key, {}).items()} for key in ("probes", "votes"))
    else:
        probes, votes = ceilings(scorer, tests, args.data, identity)
    for test in tests:
        probes |= words_alone(scorer, test)
    rows = {}
    for name, (share, count) in found.items():
        rows[name] = {"share": round(share, 4), "trials": count}
        if not name.endswith("_p20"):  # a mean of precisions is no share of trials
            low, high = wilson(share, count)
            rows[name] |= {"low": round(low, 4), "high": round(high, 4)}
        for what, others in (("probe", probes), ("neighbours", votes)):
            if name in others:
                rows[name][what] = round(others[name][0], 4)
        if name in probes:
            rows[name]["of_probe"] = round(share / max(probes[name][0], 1e-9), 3)
        print(name, rows[name], flush=True)
    facts = {
        "features": identity,
        "probes": probes,
        "votes": votes,
        "sha256": scorer.sha256,
        "dtype": str(dtype_of(scorer.heads)),
        "seconds": round(time.monotonic() - begin),
    }
    args.out.write_text(json.dumps({"figures": rows} | facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
