"""Alignment of frozen picture features with a frozen text tower: two heads, trained on cached vectors.

Losses and latent mixup: `zeuxis.lab.pair_losses`; ImageNet classes without pictures: `zeuxis.lab.imagined`.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput
from zeuxis.hub.model_file import Part, write_model
from zeuxis.hub.sentences import Sentences
from zeuxis.lab.alignment_figures import figures, test_sets
from zeuxis.lab.captions import Writer, joined, truth
from zeuxis.lab.features import cached_features
from zeuxis.lab.imagined import Imagined
from zeuxis.lab.origin import fingerprint
from zeuxis.lab.pair_losses import mixed, pairwise_sigmoid, soft_infonce
from zeuxis.lab.pairs import SOURCES, class_nouns, class_number, collect, read_sets, with_classes
from zeuxis.lab.shop_words import KINDS
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate, triangular
from zeuxis.nets.aligned import AlignedHeads
from zeuxis.rng import derive, stream
from zeuxis.scorers.pocket_features import features_sha256, pocket_features
from zeuxis.scorers.prompts import with_article

DEFAULTS = {
    "size": 96,  # pixels a side of what MobileNet sees
    "joint": 256,
    "hidden": 512,
    "lr": 1e-3,
    "weight_decay": 0.05,
    "loss": "infonce",  # or "sigmoid"
    "mixup": 0.0,  # share of the steps whose vectors are mixed in pairs
    "imagined": 0.3,  # share of a batch: the thousand ImageNet classes, most without pictures
    "names": 0.5,  # weight of the cross-entropy among the names of the thousand classes
    "alike": 0.0,  # how true a phrase is that the sentence encoder finds the same as the picture's own
    "foils": 320,
    "shares": [0.40, 0.34, 0.14, 0.07, 0.05],  # of the rest of a batch, in the order of SOURCES
    "most": {},  # kind -> pictures of its training split that are used
    "most_test": {},
    "sentence_noise": 0.01,  # of each of the 384 numbers; new words must land near their neighbours
    "feature_noise": 0.3,  # standard deviations
    "name": "scorer64",
    "cache": "",  # folder of the features; "": the user's cache
}
LICENCE = (
    "weights trained on pictures for research only (ImageNet, Tiny ImageNet) and on shop photos of unclear rights; "
    "NOTICE names all"
)


class Alignment:
    """Only the heads learn. `averaged`: the moving average of them is evaluated and exported."""

    averaged = ("heads",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, lab.options(DEFAULTS)
        if self.opt["loss"] not in ("infonce", "sigmoid"):
            raise BadInput(f"Expected the loss infonce or sigmoid, got {self.opt['loss']!r}.")
        self.folder = lab.data if lab.data.is_dir() else lab.data.parent
        self.net = pocket_features(self.opt["size"], lab.device)
        self.identity = f"{self.net.size}/{features_sha256(self.net)}"
        self.cache = Path(self.opt["cache"]) if self.opt["cache"] else None
        sets = read_sets(self.folder, "train", self.opt["most"])
        if not sets:
            raise BadInput(f"Expected a data set with nouns in {self.folder}: {', '.join(SOURCES)}. Found none.")
        self.origin = {
            "sets": {kind: len(images) for kind, images in sets},
            "content": fingerprint([images for _, images in sets]),
            "networks": {"image and text features of the package": self.identity},
        }
        self.pairs = collect(sets, self.folder)
        features = torch.cat([self.features(images.pixels, 1) for _, images in sets])
        self.sentences = Sentences(lab.device)
        torch.manual_seed(lab.config.seed)
        heads = AlignedHeads(features.shape[1], self.opt["joint"], self.opt["hidden"], self.sentences.width)
        sample = features[torch.randperm(len(features), generator=stream(0, "moments"))[:20_000]].float()
        heads.mean.copy_(sample.mean(0))
        heads.deviation.copy_(sample.std(0).clamp(min=0.01))
        self.standard = torch.cat([heads.standard(part).half() for part in torch.split(features, 2000)])
        self.sources = {
            k: (self.pairs.source == k).nonzero().flatten() for k in torch.unique(self.pairs.source).tolist()
        }
        self._imagine(sets)
        self.writer = Writer(self.pairs)
        self.test = test_sets(self.folder, self.opt["most_test"], lambda pixels: self.features(pixels, 0))
        decay = [p for n, p in heads.named_parameters() if n.endswith("weight")]
        plain = [p for n, p in heads.named_parameters() if not n.endswith("weight")]
        rate = self.opt["lr"]
        adam = torch.optim.AdamW(groups((decay, rate, self.opt["weight_decay"]), (plain, rate, 0.0)))
        self.nets: dict[str, nn.Module] = {"heads": heads.to(lab.device)}
        self.optimizers: dict[str, Optimizer] = {"heads": adam}

    def features(self, pixels: Tensor, view: int) -> Tensor:
        """Cached features of uint8 pictures: float16 (N, D)."""
        return cached_features(pixels, lambda x: self.net(x.to(self.lab.device)), self.identity, view, self.cache)

    def _imagine(self, sets: list[tuple[str, ImageSet]]) -> None:
        """Rows for the thousand ImageNet classes after those of the pictures; they need Tiny ImageNet's pictures."""
        images = dict(sets).get("tiny-imagenet")
        self.imagined: Imagined | None = None
        self.class_of = torch.full((len(self.standard),), -1)
        if images is None or not self.opt["imagined"]:
            return
        labels, names = images.label(0)
        self.numbers = torch.tensor([class_number(name) for name in names])[labels]
        self.base = self.sources[SOURCES.index("tiny-imagenet")]
        kept = torch.randperm(len(self.base), generator=stream(1, "moments"))[:16_000]
        self.imagined = Imagined(self.net, self.standard[self.base[kept]].float(), self.numbers[kept])
        self.pairs = with_classes(self.pairs)
        self.class_of = torch.full((len(self.standard) + 1000,), -1)
        self.class_of[self.base], self.class_of[-1000:] = self.numbers, torch.arange(1000)
        self.class_names = [
            [name for name in class_nouns(c) if name not in KINDS] or class_nouns(c) for c in range(1000)
        ]

    def _rows(self, rng: torch.Generator) -> Tensor:
        """Numbers of pictures, then of imagined ones."""
        count = self.lab.config.batch
        extra = int(count * self.opt["imagined"]) if self.imagined else 0
        shares = torch.tensor([self.opt["shares"][k] for k in self.sources])
        picked = torch.multinomial(shares, count - extra, replacement=True, generator=rng)
        draws = torch.rand(count - extra, generator=rng)
        rows = torch.empty(count - extra, dtype=torch.int64)
        for k, mine in enumerate(self.sources.values()):
            here = picked == k
            rows[here] = mine[(draws[here] * len(mine)).long()]
        return torch.cat([rows, len(self.standard) + torch.randint(0, 1000, (extra,), generator=rng)])

    def _seen(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Standardised features (B, D) of rows; noise of the recipe's strength on top."""
        real = rows < len(self.standard)
        x = self.standard[rows.clamp(max=len(self.standard) - 1)].float()
        if self.imagined is not None and not bool(real.all()):
            base = torch.randint(0, len(self.base), (int((~real).sum()),), generator=rng)
            wanted = rows[~real] - len(self.standard)
            keep = torch.rand(len(base), generator=rng)
            x[~real] = self.imagined.draw(self.standard[self.base[base]].float(), self.numbers[base], wanted, keep)
        noise: float = self.opt["feature_noise"]
        return x + noise * torch.randn(x.shape, generator=rng)

    def _batch(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Standardised features (N, D), sentence vectors (P, S), truth (N, P), ImageNet classes (N,), -1 for none.

        Phrase i < N is of picture i.
        """
        rows = self._rows(rng)
        true = self.writer.true(rows.tolist(), rng)
        real = rows[rows < len(self.standard)]
        phrases = joined(true, self.writer.foils(real.tolist(), true, self.opt["foils"], rng))
        fits, noun = truth(self.pairs, rows, phrases)
        x, s = self._seen(rows, rng), self.sentences(phrases.texts)
        if self.opt["alike"]:
            alike = ((s[: len(x)] @ s.T - 0.6) / 0.4).clamp(min=0)
            fits = torch.maximum(fits, self.opt["alike"] * alike * ~noun)
        return x, s + self.opt["sentence_noise"] * torch.randn(s.shape, generator=rng), fits, self.class_of[rows]

    def _names_loss(self, x: Tensor, number: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy of pictures among one name of each of the thousand classes."""
        draws = torch.rand(1000, generator=rng).tolist()
        names = [of[int(d**2 * len(of))] for of, d in zip(self.class_names, draws, strict=True)]
        template = ("{}", "a photo of {}")[int(2 * torch.rand((), generator=rng))]
        s = self.sentences([template.format(with_article(name)) for name in names]).to(self.lab.device)
        heads, known = heads_of(self.nets), number >= 0
        x, number = x[known].to(self.lab.device), number[known].to(self.lab.device)
        scale = heads.log_scale.exp().clamp(max=100)
        return F.cross_entropy(scale * heads.joined(x) @ heads.sentence(s).T, number)

    def _loss(self, x: Tensor, s: Tensor, fits: Tensor) -> Tensor:
        """Of N pictures and P phrases, the first N of them true; `fits` (N, P) in [0, 1]."""
        heads = heads_of(self.nets).train()
        x, s, fits = x.to(self.lab.device), s.to(self.lab.device), fits.to(self.lab.device)
        logits = heads.log_scale.exp().clamp(max=100) * heads.joined(x) @ heads.sentence(s).T  # (N, P)
        if self.opt["loss"] == "sigmoid":
            return pairwise_sigmoid(logits + heads.bias, fits)
        return soft_infonce(logits, fits)

    def step(self, step: int, progress: float) -> dict[str, float]:
        """One batch; mixed in pairs (FuseMix) in a share of the steps."""
        set_rate(self.optimizers["heads"], triangular(progress, peak=0.1))
        rng = stream(self.lab.config.seed, "step", step)
        torch.manual_seed(derive(self.lab.config.seed, "dropout", step))
        x, s, fits, number = self._batch(rng)
        names = torch.zeros(())
        if self.imagined is not None and self.opt["names"]:
            names = self._names_loss(x, number, rng)
        if float(torch.rand((), generator=rng)) < self.opt["mixup"]:
            x, s, fits = mixed(x, s, fits, rng)
        loss = self._loss(x, s, fits)
        descend(self.optimizers["heads"], loss + self.opt["names"] * names)
        return {
            "loss": float(loss.detach()),
            "names": float(names.detach()),
            "scale": float(heads_of(self.nets).log_scale.exp().detach()),
        }

    @torch.no_grad()
    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """The figures of the model card, on the test splits."""
        heads = heads_of(nets).eval()
        device = self.lab.device

        def embed(texts: list[str]) -> Tensor:
            return heads.sentence(self.sentences(texts).to(device)).cpu()

        found = figures(self.test, lambda x: heads.image(x.to(device)).cpu(), embed)
        return {name: share for name, (share, _) in found.items()}

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """A scorer draws nothing."""
        return None

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`scorer64.safetensors`: the heads, and which text tower and picture features they go with."""
        heads = heads_of(nets)
        facts = {"features": len(heads.mean), "joint": self.opt["joint"], "hidden": self.opt["hidden"]}
        facts["sentence"] = heads.text_head.in_features
        about = {
            "size": self.net.size,
            "text_sha256": self.sentences.sha256,
            "features_sha256": features_sha256(self.net),
        }
        parts = {"heads": Part(facts, heads.state_dict())}
        return [write_model(folder / f"{self.opt['name']}.safetensors", "aligned", parts, about=about, licence=LICENCE)]


def heads_of(nets: dict[str, nn.Module]) -> AlignedHeads:
    """The heads among `nets`."""
    net = nets["heads"]
    assert isinstance(net, AlignedHeads)
    return net
