"""Contrastive training of the dual encoder (CLIP, Radford et al. 2021) on pictures and phrases about them.

Several phrases of a batch can be true of one picture, so the targets are shared among all that are (as in UniCL,
Yang et al. 2022, arXiv 2204.03610). Foils, the same noun with a wrong colour or scene, make the adjectives count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zeuxis.data import ImageSet, read_images, to_signed
from zeuxis.evaluation import zero_shot
from zeuxis.hub.header import vocabulary_of
from zeuxis.hub.model_file import Part, checksum, read_model, tensors_of, write_model
from zeuxis.hub.pocket import pocket_path
from zeuxis.lab.attributes import COLOURS, SCENES, main_colour, scenes
from zeuxis.lab.augment import flip_and_shift
from zeuxis.lab.origin import of_images
from zeuxis.lab.pair_losses import infonce_parts
from zeuxis.lab.parts import identity, load_text, load_trunk, package_trunk
from zeuxis.lab.phrases import CLASS_WORDS, HELD_OUT, Caption, Captioner, read_nouned
from zeuxis.lab.tasks.base import Lab, descend, groups, set_rate, triangular
from zeuxis.nets.dual_encoder import DualEncoder
from zeuxis.nets.layers import placed
from zeuxis.nets.wordpiece import WordPiece
from zeuxis.rng import stream

DEFAULTS = {
    "joint": 128,
    "lr": 1e-3,
    "lr_trunk": 5e-4,
    "weight_decay": 0.02,
    "extra": 32,  # Caltech and emoji pictures in a batch
    "foils": 96,  # phrases with a wrong colour or scene in a batch
    "same_class": 0.15,  # how true another term of the same class is
    "name": "scorer",  # of the exported file
    "with_text": True,  # export the text tower as well; it stays as it was distilled
    "sentence_noise": 0.03,  # of the frozen text tower's vectors: new words must land near their neighbours
}

UNSEEN = {word for words in zero_shot.SYNONYMS.values() for word in words} | set(HELD_OUT)
KEPT_OUT = re.compile(rf"\b({'|'.join(map(re.escape, sorted(UNSEEN)))})\b", re.IGNORECASE)


@dataclass
class Nouns:
    """All nouns; number k is (words, class). The first ones are the classes, then the terms, then the rest."""

    words: list[tuple[str, ...]]
    of_class: Tensor  # (K,), -1 for nouns outside the classes


def collect_nouns(train: ImageSet, extra: list[tuple[str, ...]]) -> tuple[Nouns, list[list[int]], list[list[int]]]:
    """Nouns, and for each CIFAR and each extra picture the numbers of the nouns that fit it."""
    (labels, classes), (terms, term_names) = train.label(0), train.label(-1)
    words = [CLASS_WORDS.get(name, (name,)) for name in classes]
    number = {word: k for k, names in enumerate(words) for word in names}
    of_class = list(range(len(words)))
    term_number = []
    for term, label in zip(term_names, train.term_class().tolist(), strict=True):
        if KEPT_OUT.search(term):
            term_number.append(label)
            continue
        if term not in number:
            number[term] = len(words)
            words.append((term,))
            of_class.append(label)
        term_number.append(number[term])
    mine = [[c, term_number[t]] for c, t in zip(labels.tolist(), terms.tolist(), strict=True)]
    others = []
    for names in extra:
        fitting = [name for name in names if not KEPT_OUT.search(name)] or ["thing"]
        for name in fitting:
            if name not in number:
                number[name] = len(words)
                words.append((name,))
                of_class.append(-1)
        others.append([number[name] for name in fitting])
    return Nouns(words, torch.tensor(of_class)), mine, others


def encoder_of(nets: dict[str, nn.Module]) -> DualEncoder:
    """The dual encoder among `nets`."""
    net = nets["encoder"]
    assert isinstance(net, DualEncoder)
    return net


class Contrastive:
    """Symmetric soft-target InfoNCE with a learned temperature; the text tower stays as distilled, its head learns."""

    averaged = ("encoder",)

    def __init__(self, lab: Lab) -> None:
        self.lab, self.opt = lab, lab.options(DEFAULTS)
        self.notes: list[str] = []
        self.train = read_images(lab.config.data, lab.data, "train", resolution=32, channels=3)
        self.test = read_images(lab.config.data, lab.data, "test", resolution=32, channels=3)
        folder = lab.data if lab.data.is_dir() else lab.data.parent
        extra, words = read_nouned(folder, "train")
        self.nouns, mine, others = collect_nouns(self.train, words)
        spoken = ImageSet(extra, captions=tuple(", ".join(names) for names in words))
        self.origin = of_images(self.train, self.test, spoken)
        self.pixels = torch.cat([self.train.pixels, extra])
        self.fitting = mine + others
        self.colours, self.scenes = main_colour(self.pixels), scenes(self.pixels)
        self.test_colours = main_colour(self.test.pixels)
        self.classes = torch.cat([self.train.label(0)[0], torch.full((len(extra),), -2)])
        self.captioner = Captioner(self.nouns.words, self.colours, self.scenes)
        torch.manual_seed(lab.config.seed)
        net, self.vocabulary = self._towers()
        self.wordpiece = WordPiece(self.vocabulary)
        net.text.requires_grad_(False)
        trunk = list(net.trunk.parameters())
        heads = [p for n, p in net.named_parameters() if p.requires_grad and not n.startswith("trunk.")]
        decay = self.opt["weight_decay"]
        adam = torch.optim.AdamW(groups((trunk, self.opt["lr_trunk"], decay), (heads, self.opt["lr"], decay)))
        self.nets: dict[str, nn.Module] = {"encoder": placed(net, lab.device)}
        self.optimizers: dict[str, Optimizer] = {"encoder": adam}
        self._sentences: dict[str, Tensor] = {}

    def _towers(self) -> tuple[DualEncoder, list[str]]:
        folder, given = self.lab.weights or Path(), self.lab.weights is not None
        trunk = load_trunk(folder / "trunk.safetensors")[0].trunk if given else package_trunk(self.opt["name"])
        path = folder / "text.safetensors" if given else pocket_path("scorer")
        text, model = load_text(path), read_model(path)
        self.text_facts, self.text_sha256 = model.parts["text"], checksum(tensors_of(path, "text", verify=False))
        self.origin["networks"] = {"trunk": identity(trunk), "text tower": self.text_sha256}
        if not given:
            self.notes.append("The trunk and the text tower are those of the package; --weights has others.")
        towers = DualEncoder(trunk, text, self.opt["joint"], text.direct.out_features)
        return towers, list(vocabulary_of(model, text.tokens.num_embeddings))

    def _sentence_vectors(self, texts: list[str], net: DualEncoder) -> Tensor:
        """Frozen text tower with a memory: texts -> (P, 384)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._sentences]
        if new:
            with torch.no_grad():
                found = net.text(self.wordpiece.batch(new, net.text.longest).to(self.lab.device)).cpu()
            self._sentences |= dict(zip(new, found, strict=True))
        return torch.stack([self._sentences[text] for text in texts]).to(self.lab.device)

    def _rows(self, rng: torch.Generator) -> Tensor:
        extra = min(self.opt["extra"], len(self.pixels) - len(self.train), self.lab.config.batch)
        common = torch.randint(0, len(self.train), (self.lab.config.batch - extra,), generator=rng)
        if not extra:
            return common
        return torch.cat([common, torch.randint(len(self.train), len(self.pixels), (extra,), generator=rng)])

    def _captions(self, rows: list[int], rng: torch.Generator) -> list[Caption]:
        """One true phrase for each picture, then foils: a picture's noun with a random colour or scene."""
        out = []
        for row in rows:
            fits = self.fitting[row]
            out.append(self.captioner.write(row, fits[int(torch.randint(0, len(fits), (1,), generator=rng))], rng))
        for index in torch.randint(0, len(rows), (self.opt["foils"],), generator=rng).tolist():
            draws = torch.rand(4, generator=rng).tolist()
            noun = out[index].noun
            colour = int(draws[0] * len(COLOURS)) if draws[1] < 0.7 else -1
            scene = int(draws[0] * len(SCENES)) if draws[1] >= 0.7 else -1
            name = self.nouns.words[noun][int(draws[2] * len(self.nouns.words[noun]))]
            out.append(Caption(self.captioner.text(name, colour, scene, draws[3]), noun, colour, scene))
        return out

    def _truth(self, rows: Tensor, captions: list[Caption]) -> Tensor:
        """How true caption j is of picture i: (N, P) in [0, 1]."""
        nouns = torch.tensor([c.noun for c in captions])
        colours = torch.tensor([c.colour for c in captions])
        places = torch.tensor([c.scene for c in captions])
        fits = torch.zeros(len(rows), len(captions))
        for i, row in enumerate(rows.tolist()):
            fits[i] = torch.isin(nouns, torch.tensor(self.fitting[row])).float()
        same = self.nouns.of_class[nouns][None] == self.classes[rows][:, None]
        fits = torch.maximum(fits, self.opt["same_class"] * same.float())
        colour_ok = (colours < 0)[None] | (colours[None] == self.colours[rows][:, None])
        scene_ok = (places < 0)[None] | self.scenes[rows][:, places.clamp(min=0)]
        return fits * colour_ok * scene_ok

    def step(self, step: int, progress: float) -> dict[str, float]:
        """One batch of pictures against its phrases and foils."""
        set_rate(self.optimizers["encoder"], triangular(progress, peak=0.1))
        rng = stream(self.lab.config.seed, "step", step)
        rows = self._rows(rng)
        captions = self._captions(rows.tolist(), rng)
        truth = self._truth(rows, captions).to(self.lab.device)
        images = flip_and_shift(to_signed(self.pixels[rows]), rng).to(
            self.lab.device, memory_format=torch.channels_last
        )
        net = encoder_of(self.nets).train()
        sentences = self._sentence_vectors([c.text for c in captions], net)
        noise = torch.randn(sentences.shape, generator=rng).to(sentences.device) * self.opt["sentence_noise"]
        with self.lab.autocast():
            seen = net.image(images)
        words = net.sentence(sentences + noise)
        logits = net.log_scale.exp().clamp(max=100) * seen @ words.T  # (N, P)
        to_text, to_image = infonce_parts(logits, truth)
        descend(self.optimizers["encoder"], (to_text + to_image) / 2)
        return {
            "to_text": float(to_text.detach()),
            "to_image": float(to_image.detach()),
            "scale": float(net.log_scale.exp().detach()),
        }

    @torch.no_grad()
    def evaluate(self, nets: dict[str, nn.Module]) -> dict[str, float]:
        """The zero-shot figures of the model card, on the test split."""
        net = encoder_of(nets).eval()
        rows = torch.split(torch.arange(len(self.test)), 500)
        with self.lab.autocast():
            images = torch.cat([net.image(self.test.batch(r).to(self.lab.device)).cpu() for r in rows])
        labels, classes = self.test.label(0)

        def embed(texts: list[str]) -> Tensor:
            return net.words(self.wordpiece.batch(texts, net.text.longest).to(self.lab.device)).cpu()

        top1, top5 = zero_shot.term_retrieval(images, *self.test.label(-1), embed)
        words, precision = zero_shot.synonym_accuracy(images, labels, classes, embed)
        nouns = [classes[k] for k in labels.tolist()]
        return {
            "zero_shot": zero_shot.class_accuracy(images, labels, classes, embed),
            "terms_top1": top1,
            "terms_top5": top5,
            "synonyms": words,
            "synonyms_p100": precision,
            "colours": zero_shot.colour_accuracy(images, nouns, self.test_colours, COLOURS, embed),
        }

    def samples(self, nets: dict[str, nn.Module]) -> Tensor | None:
        """A scorer draws nothing."""
        return None

    def export(self, nets: dict[str, nn.Module], folder: Path) -> list[Path]:
        """`scorer.safetensors`: both towers and heads with the vocabulary; or without the text tower, named instead."""
        net, path = encoder_of(nets), folder / f"{self.opt['name']}.safetensors"
        shape = {"joint": self.opt["joint"], "widths": list(net.trunk.widths), "sentence": net.text_head.in_features}
        state = {name: value for name, value in net.state_dict().items() if not name.startswith("text.")}
        parts = {"encoder": Part(shape, state)}
        about: dict[str, object] = {
            "text_sha256": self.text_sha256,
            "data": self.train.source,
            "data_licence": self.train.licence,
        }
        if self.opt["with_text"]:
            parts["text"] = Part(self.text_facts, net.text.state_dict())
            about["vocabulary"] = self.vocabulary
        return [write_model(path, "dual-encoder", parts, about=about)]
