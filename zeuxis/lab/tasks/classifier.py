"""Supervised classification: trains the pocket judge (SpeedrunNet) and the trunk (classes and terms)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import read_images
from zeuxis.errors import BadInput
from zeuxis.hub.model_file import Part, write_model
from zeuxis.lab.augment import flip_and_shift
from zeuxis.lab.origin import of_images
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate, triangular
from zeuxis.nets.layers import placed
from zeuxis.nets.speedrun import SpeedrunNet
from zeuxis.nets.trunk import TrunkClassifier
from zeuxis.rng import stream

DEFAULTS = {
    "net": "speedrun",  # speedrun | trunk
    "name": "judge",  # of the exported file
    "lr": 0.375,
    "momentum": 0.85,
    "weight_decay": 1.33e-3,
    "norm_lr_factor": 64.0,  # airbench: the biases of the norms learn 64 times faster
    "label_smoothing": 0.2,
    "terms_weight": 0.0,  # loss weight of the fine labels
    "peak": 0.23,
    "end": 0.07,
    "widths": [],
}


class Classifier:
    """Cross entropy with label smoothing, Nesterov SGD, flip and shift; one shuffled pass after another."""

    averaged = ("net",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, lab.options(DEFAULTS)
        self.train = read_images(lab.config.data, lab.data, "train", resolution=32, channels=3)
        self.test = read_images(lab.config.data, lab.data, "test", resolution=32, channels=3)
        self.labels, self.classes = self.train.label(0)
        self.origin = of_images(self.train, self.test)
        self.terms, self.term_names = self.train.label(-1)  # the classes again where a set has no finer label
        net = placed(self._net(), lab.device)
        norms = [p for n, p in net.named_parameters() if "norm" in n and n.endswith("bias") and p.requires_grad]
        ids = {id(p) for p in norms}
        rest = [p for p in net.parameters() if p.requires_grad and id(p) not in ids]
        factor, decay = self.opt["norm_lr_factor"], self.opt["weight_decay"]
        pairs = groups((rest, self.opt["lr"], decay), (norms, self.opt["lr"] * factor, decay / factor))
        sgd = torch.optim.SGD(pairs, lr=self.opt["lr"], momentum=self.opt["momentum"], nesterov=True)
        self.nets: dict[str, nn.Module] = {"net": net}
        self.optimizers: dict[str, Optimizer] = {"net": sgd}

    def _net(self) -> nn.Module:
        widths = {"widths": tuple(self.opt["widths"])} if self.opt["widths"] else {}
        torch.manual_seed(self.lab.config.seed)  # initial weights; nothing else draws from the global generator
        if self.opt["net"] == "speedrun":
            net = SpeedrunNet(len(self.classes), **widths)
            net.init_whitening(self.train.batch(torch.arange(min(5000, len(self.train)))))
            return net
        if self.opt["net"] == "trunk":
            return TrunkClassifier(len(self.classes), len(self.term_names), **widths)
        raise BadInput(f"Expected net = 'speedrun' or 'trunk', got {self.opt['net']!r}.")

    def _rows(self, step: int) -> Tensor:
        """The rows of this step: passes over a shuffled data set, each pass in its own order."""
        size, per_pass = self.lab.config.batch, len(self.train) // self.lab.config.batch
        epoch, place = divmod(step, max(per_pass, 1))
        order = torch.randperm(len(self.train), generator=stream(self.lab.config.seed, "epoch", epoch))
        return order[place * size : (place + 1) * size]

    def step(self, step: int, progress: float) -> dict[str, float]:
        """Cross entropy of one batch."""
        set_rate(self.optimizers["net"], triangular(progress, self.opt["peak"], end=self.opt["end"]))
        rows = self._rows(step)
        images = flip_and_shift(self.train.batch(rows), stream(self.lab.config.seed, "augment", step))
        images = images.to(self.lab.device, memory_format=torch.channels_last)
        net = self.nets["net"].train()
        with self.lab.autocast():
            out = net(images)
        classes, terms = out if isinstance(out, tuple) else (out, None)
        smooth = self.opt["label_smoothing"]
        loss = F.cross_entropy(classes.float(), self.labels[rows].to(self.lab.device), label_smoothing=smooth)
        losses = {"classes": float(loss.detach())}
        if terms is not None and self.opt["terms_weight"]:
            fine = F.cross_entropy(terms.float(), self.terms[rows].to(self.lab.device), label_smoothing=smooth)
            losses["terms"] = float(fine.detach())
            loss = loss + self.opt["terms_weight"] * fine
        descend(self.optimizers["net"], loss)
        return losses

    @torch.no_grad()
    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """Top-1 accuracy on the test split, of the averaged and of the last weights."""
        figures, labels = {}, self.test.label(0)[0]
        for name, net in (("accuracy", nets["net"]), ("accuracy_last", self.nets["net"])):
            right = 0
            for rows in torch.split(torch.arange(len(self.test)), 500):
                images = self.test.batch(rows).to(self.lab.device, memory_format=torch.channels_last)
                with self.lab.autocast():
                    out = net.eval()(images)
                logits = out[0] if isinstance(out, tuple) else out
                right += int((logits.argmax(1).cpu() == labels[rows]).sum())
            figures[name] = right / len(self.test)
        return figures

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """A classifier draws nothing."""
        return None

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """The averaged network; of a TrunkClassifier with its heads."""
        net, path = nets["net"], folder / f"{self.opt['name']}.safetensors"
        about = {"classes": list(self.classes), "data": self.train.source, "data_licence": self.train.licence}
        facts: dict[str, object] = {"classes": len(self.classes)}
        if isinstance(net, TrunkClassifier):
            facts |= {"terms": len(self.term_names), "widths": list(net.trunk.widths)}
            about["terms"] = list(self.term_names)
        elif isinstance(net, SpeedrunNet):
            facts["widths"] = list(net.widths)
        return [write_model(path, self.opt["net"], {"network": Part(facts, net.state_dict())}, about=about)]
