"""Any GAN that the training lab has exported, from its model file: what ships in the package and what users trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.base import as_judged, as_rgb, check_colours
from zeuxis.hub.model_file import Model, build, file_sha256, read_model
from zeuxis.hub.sentences import Sentences
from zeuxis.nets.gan.base import LatentGenerator, Texts
from zeuxis.nets.gan.biggan import Generator as BigGAN
from zeuxis.nets.layers import Precisions, fold_batch_norm, placed
from zeuxis.nets.stylegan_layers import truncate
from zeuxis.registry import unknown
from zeuxis.rng import stream
from zeuxis.spaces import ClassMix, Normal, Product, Space, Whitened, check

REACH = 1.1  # see ClassMix: further from all labels these networks draw what no judge recognises
MOST_SHOWN = 20  # classes that a message lists
MOST_ROWS = 10_000  # the distances between all of them are kept for a moment: 400 MB
SPACES = ("z", "w", "w+")  # the last two of networks with styles
STYLES = 10_000  # mapped samples that W's axes are taken from, as for the published StyleGANs
CENTRE = 32  # pairs z, -z, the mean of whose styles is the centre of truncation of one condition


class LabGenerator:
    """Latent = z (standard normal) and, with labels, an embedding that starts at one row of labels and may mix them.

    A row is a combination of labels that occurs in the training data ("red casual shoes"); rows are drawn as often as
    they occur there. `classes` keeps only rows with a label of that name, or with all the words of one of its entries;
    `ban` leaves such rows out. Attribute `labels` names the rows that are left.

    space       "z", as above; of a network with styles also "w", one style, or "w+", one for each layer (`Whitened`)
    truncation  psi, of a network with styles: how far from the mean style of the picture's own condition (in W and W+
                of all that are drawn), 1 is as trained, lower: higher fidelity, lower diversity. Of a BigGAN, in
                (0, 1]: z is multiplied by it, and the statistics gathered there are taken. None: as trained
    text        of a network that is told captions: the phrase that all pictures are drawn for, and the latent is z
                alone; in a run the words of its prompt. "" mixes captions of its training data
    """

    name = "lab"

    def __init__(
        self,
        path: Path,
        device: torch.device | None = None,
        *,
        space: str = "z",
        truncation: float | None = None,
        classes: Sequence[str] = (),
        ban: Sequence[str] = (),
        text: str = "",
    ) -> None:
        if space not in SPACES:
            raise BadInput(f"Expected space {', '.join(SPACES)} for {self.name}, got {space!r:.40}.")
        self.device = device or torch.device("cpu")
        self.path, self.sha256 = path, file_sha256(path)
        self.model = read_model(path)
        check_colours(self.model)
        net = build(path, "generator")
        if not isinstance(net, LatentGenerator):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, which is no generator of the training lab")
        self.resolution = net.resolution
        self.words, rows, counts = _rows(self.model.about, net.classes, path)
        self.told = self._read(net, str(text), bool(classes or ban)) if text else None  # (1, embed_dim)
        names = names_of_rows(self.words, rows)
        kept = kept_rows(self.words, rows, classes, ban)
        self.labels = tuple(names[k] for k in kept)
        self.rows, self.counts = rows[kept], counts[kept]
        self.space: Space = Normal(net.z_dim, bound=3.0, radius=0.9)
        if net.classes and self.told is None:
            shares = None if bool((self.counts == self.counts[:1]).all()) else self.counts.double()
            mix = ClassMix(net.embed(self.rows), self.labels, reach=REACH, shares=shares)
            self.space = Product(self.space, mix)
        self._nets = Precisions(placed(net, self.device))
        self._judges: Precisions | None = None
        self.dtype = torch.float32
        self.truncation = self._truncated(net, truncation)
        self._centre = torch.zeros(0)  # the mean style of W and W+
        z = torch.randn(CENTRE, net.z_dim, generator=stream(0, "centre")).to(self.device)
        self._pairs = torch.cat([z, -z])  # whose mean style is the centre elsewhere
        if space != "z":
            self.space = self._styles_space(space)

    def _truncated(self, net: LatentGenerator, psi: float | None) -> float:
        """Psi of the styles; a BigGAN is told it. BadInput for a network that has no truncation."""
        if psi is None:
            return 1.0
        if isinstance(net, BigGAN):
            net.truncate(psi)
        elif not self.layer_sizes():
            raise BadInput(f"Generator {self.name!r} is neither a StyleGAN nor a BigGAN: leave truncation out.")
        return psi

    def _styles_space(self, kind: str) -> Whitened:
        """W or W+ about the styles of draws from z and the labels. BadInput for a network without styles."""
        if not self.layer_sizes():
            raise BadInput(f"Generator {self.name!r} has no styles, so there is no space {kind}. Leave --space out.")
        x = self.space.sample(STYLES, stream(0, "styles"))
        with torch.no_grad():
            seen = torch.cat(
                [self._map(*self._decoded(piece)).cpu() for piece in torch.split(x, 1000)]
            )  # (STYLES, w_dim)
        self._centre = seen.mean(dim=0).to(self.device)
        return Whitened(seen, 1 if kind == "w" else len(self.layer_sizes()))

    def _read(self, net: LatentGenerator, text: str, chosen: bool) -> Tensor:
        """The condition (1, embed_dim) of a phrase. BadInput for a network that is told labels, or with `chosen`
        captions too; WeightsRefused for one that learnt another text tower.
        """
        if not isinstance(net.labels, Texts) or not net.labels.reads:
            raise BadInput(f"Generator {self.name!r} was trained on labels, not captions: leave the option text out.")
        if chosen:
            raise BadInput("Expected either a text or captions by --class and --ban, got both. Leave one out.")
        tower = Sentences(torch.device("cpu"))
        if self.model.about.get("text_sha256") != tower.sha256:
            raise WeightsRefused(self.path, "learnt another text tower than this version has. Train it again")
        return net.labels.of(tower([text]))

    @staticmethod
    def check_classes(model: Model, classes: Sequence[str], ban: Sequence[str]) -> None:
        """BadInput or UnknownName, as from the constructor, for classes that the file's header does not name."""
        facts = model.parts.get("generator", {}).get("classes", ())
        words, rows, _ = _rows(model.about, facts if isinstance(facts, list | tuple) else (), model.path)
        kept_rows(words, rows, classes, ban)

    @property
    def licence(self) -> str:
        """Of the data that it was trained on, in plain words."""
        return self.model.licence

    def set_precision(self, dtype: torch.dtype) -> None:
        """Draw in `dtype`; images come out as float32 either way."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1], grey ones as RGB. BadInput for another width, NaN or infinity."""
        if isinstance(self.space, Whitened) or (self.truncation != 1 and self.layer_sizes()):
            return self.draw(self.styles(x))
        images: Tensor = self._nets[self.dtype](*self._decoded(check(self.space, x)))  # nominally in [-1, 1]
        return as_rgb((images.float() / 2 + 0.5).clamp(0, 1))

    def layer_sizes(self) -> list[int]:
        """For each style the pixels of the layer that it steers; none of a network without styles."""
        net: Any = self._nets[torch.float32]
        return list(net.layer_sizes()) if hasattr(net, "layer_sizes") else []

    def styles(self, x: Tensor) -> Tensor:
        """`(N, D)` -> truncated styles `(N, L, w_dim)`, one for each of `layer_sizes`."""
        layers, x = len(self.layer_sizes()), check(self.space, x).to(self.device)
        if isinstance(self.space, Whitened):
            ws: Tensor = self.space.decode(x)  # (N, 1 or L, w_dim)
            return truncate(ws.expand(-1, layers, -1), self._centre, self.truncation)
        z, embedding = self._decoded(x)
        w = self._map(z, embedding)
        ws = w[:, None].repeat(1, layers, 1)
        return ws if self.truncation == 1 else truncate(ws, self._mean_styles(embedding, len(x)), self.truncation)

    def _map(self, z: Tensor, embedding: Tensor | None) -> Tensor:
        """z and the embeddings of conditions -> one style each `(N, w_dim)`."""
        net: Any = self._nets[torch.float32]
        return torch.as_tensor(net.map(z, embedding))

    def _mean_styles(self, embedding: Tensor | None, count: int) -> Tensor:
        """The mean style `(count, w_dim)` of each condition, over the same draws of z for all."""
        z = self._pairs
        if embedding is None:
            return self._map(z, None).mean(dim=0).expand(count, -1)
        ws = self._map(z.repeat(count, 1), embedding.repeat_interleave(len(z), dim=0))
        return ws.view(count, len(z), -1).mean(dim=1)

    def _decoded(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Latents (N, D) -> z (N, z_dim) and the embeddings of their conditions (N, E), None without labels."""
        decoded = self.space.decode(x.to(self.device))
        if isinstance(decoded, tuple):
            z, embedding = decoded
            return z, embedding
        return decoded, None if self.told is None else self.told.to(self.device).expand(len(x), -1)

    def draw(self, ws: Tensor) -> Tensor:
        """Styles `(N, L, w_dim)` -> `(N, 3, R, R)` float32 in [0, 1]."""
        net: Any = self._nets[self.dtype]
        return as_rgb((net.synthesise(ws.to(self.device)).float() / 2 + 0.5).clamp(0, 1))

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, R, R) -> (N,)`: the discriminator's logits, their mean over its heads, whatever the class."""
        if self._judges is None:
            self._judges = Precisions(placed(fold_batch_norm(build(self.path, "discriminator")), self.device))
        channels = self.model.parts["discriminator"].get("channels", 3)
        shown = as_judged(images.to(self.device), channels, self.name) * 2 - 1
        logits: Tensor = self._judges[self.dtype](shown)  # (N,) or (N, heads)
        return logits.float().flatten(1).mean(1) if logits.ndim > 1 else logits.float()

    @torch.no_grad()
    def label_kinds(self) -> dict[str, tuple[Tensor, Tensor]]:
        """For each kind of label, of several: that of every row (K,), and its part (K, E) of the row's embedding, up to
        a vector that is the same for all rows. {} for a network of one kind, or whose embedding is no sum of parts.
        """
        if self.told is not None or len(self.words) < 2:
            return {}
        net: Any = self._nets[torch.float32]
        rows = self.rows.to(self.device)
        alone = [rows * (torch.arange(rows.shape[1], device=self.device) == k) for k in range(rows.shape[1])]
        none, *found = (net.embed(y).float() for y in (rows * 0, *alone))
        if not torch.allclose(torch.stack(found).sum(0) - (len(found) - 1) * none, net.embed(rows).float(), atol=1e-4):
            return {}
        return {name: (self.rows[:, k], found[k].cpu()) for k, name in enumerate(self.words)}

    def describe(self, x: Tensor) -> str:
        """The labels that one latent `(D,)` mixes: "62 % red heels, 25 % red sandals"."""
        return self.space.describe(x)


def names_of_rows(words: dict[str, tuple[str, ...]], rows: Tensor) -> tuple[str, ...]:
    """Rows of labels (K, L), coarse before fine -> names: the words from fine to coarse, "red casual shoes".

    A coarse word that its fine one implies is left out ("fire truck", not "fire truck truck"); names that would be the
    same then have it after all.
    """
    kinds = list(words.values())
    if not kinds:
        return ("",) * len(rows)
    implied = len(kinds) > 1 and len(torch.unique(rows[:, -1])) >= 0.9 * len(rows)
    full = [" ".join(kind[k] for kind, k in zip(reversed(kinds), reversed(row), strict=True)) for row in rows.tolist()]
    short = [kinds[-1][row[-1]] for row in rows.tolist()] if implied else full
    often, fully = Counter(short), Counter(full)
    return tuple((f if often[s] > 1 == fully[f] else s).lower() for s, f in zip(short, full, strict=True))


def _rows(
    about: dict[str, Any], classes: Sequence[int], path: Path
) -> tuple[dict[str, tuple[str, ...]], Tensor, Tensor]:
    """Words of each kind of label, rows (K, L) and counts (K,) from the header. WeightsRefused for what cannot be."""
    raw, rows, counts = about.get("labels"), about.get("rows"), about.get("counts")
    if not classes:
        return {}, torch.zeros(1, 0, dtype=torch.long), torch.ones(1)
    good = isinstance(raw, dict) and isinstance(rows, list) and isinstance(counts, list)
    if not good or [len(w) if isinstance(w, list) else -1 for w in raw.values()] != list(classes):  # type: ignore[union-attr]
        raise WeightsRefused(path, "does not name the labels of its generator. Export it again")
    words = {str(name)[:60]: tuple(str(word)[:200] for word in of) for name, of in raw.items()}  # type: ignore[union-attr]
    whole = all(
        isinstance(row, list) and len(row) == len(classes)
        and all(type(k) is int and 0 <= k < count for k, count in zip(row, classes, strict=True))
        for row in rows  # type: ignore[union-attr]
    )  # fmt: skip
    positive = all(type(n) is int and 0 < n < 2**53 for n in counts)  # type: ignore[union-attr]
    if not whole or not positive or not 1 <= len(rows) == len(counts) <= MOST_ROWS:  # type: ignore[arg-type]
        raise WeightsRefused(path, "has rows of labels that its generator does not know. Export it again")
    return words, torch.tensor(rows, dtype=torch.long), torch.tensor(counts, dtype=torch.float64)


def kept_rows(
    words: Mapping[str, tuple[str, ...]], rows: Tensor, classes: Sequence[str], ban: Sequence[str]
) -> list[int]:
    """Numbers of the rows that `classes` asks for and `ban` does not forbid. UnknownName for what names none."""
    if not words and (classes or ban):
        raise BadInput("This generator was trained without classes: leave --class and --ban out.")
    names = names_of_rows(dict(words), rows)
    kept = set(range(len(rows)))
    if classes:
        kept = set().union(*(_matching(words, rows, names, entry) for entry in classes))
    for entry in ban:
        kept -= _matching(words, rows, names, entry)
    if not kept:
        raise BadInput("No label is left to draw from. Ask for more with --class, or ban fewer.")
    return sorted(kept)


def _matching(words: Mapping[str, Sequence[str]], rows: Tensor, names: Sequence[str], entry: str) -> set[int]:
    """Rows with a label `entry`, by name in the singular or plural; else with all its words in their name; or of the
    first kind of label the one with that number.

    "dog" is every kind of dog where the labels have kinds.
    """
    wanted = entry.lower().split()
    spelled = {" ".join(wanted), " ".join(wanted) + "s", " ".join(wanted).removesuffix("s")}
    labels = [[word.lower().replace("_", " ") for word in of] for of in words.values()]
    labelled = [(column, k) for column, of in enumerate(labels) for k, word in enumerate(of) if word in spelled]
    found = {row for column, k in labelled for row in (rows[:, column] == k).nonzero().flatten().tolist()}
    found = found or {k for k, name in enumerate(names) if name in spelled}
    found = found or {k for k, name in enumerate(names) if wanted and set(wanted) <= set(name.split())}
    if not found and labels and entry.isdecimal() and len(entry) < 10:
        found = set((rows[:, 0] == int(entry)).nonzero().flatten().tolist())
    if not found:
        first, *others = labels
        shown = [*first[:MOST_SHOWN], *(["..."] if len(first) > MOST_SHOWN else [])]
        raise unknown("class", entry[:60], shown, [*first, *(word for of in others for word in of), *names])
    return found
