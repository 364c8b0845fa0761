"""BigGAN and BigGAN-deep from a converted file: class-conditional pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import BadInput, WeightsRefused
from zeuxis.generators.base import as_rgb, check_colours
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.model_file import Model, build, read_model
from zeuxis.nets.biggan import BigGANDeep
from zeuxis.nets.biggan_classic import BigGANClassic
from zeuxis.nets.imagenet_classes import find, labels
from zeuxis.nets.layers import Precisions, placed
from zeuxis.spaces import ClassMix, Normal, Product, SparseMix, TruncatedNormal, check

SPACES = ("embedding", "mix")
TRUNCATION = (1.0, 0.5)  # by default, of BigGAN and of BigGAN-deep


class BigGAN:
    """Latent = z and class genes; z is normal, of BigGAN-deep truncated to [-2, 2].

    truncation        z is multiplied by it, and BigGAN-deep uses its statistics: (0, 1]; lower: higher fidelity, less
                      diverse. Default 0.5 for BigGAN-deep, 1 for the others, which have no statistics but those of 1
    exact_truncation  interpolate those statistics correctly, where the published port does not
    space             "embedding": the class embedding along its principal axes; "mix": a sparse mixture of classes
    classes, ban      names or numbers of the only classes to breed from, and of those never to
    """

    name = "biggan-deep"

    def __init__(
        self,
        path: Path,
        device: torch.device | None = None,
        *,
        truncation: float | None = None,
        exact_truncation: bool = False,
        space: str = "embedding",
        classes: Sequence[str] = (),
        ban: Sequence[str] = (),
    ) -> None:
        if space not in SPACES:
            raise BadInput(f"Expected space {' or '.join(SPACES)} for a BigGAN, got {space!r}.")
        self.device = device or torch.device("cpu")
        self.sha256 = file_sha256(path)
        model = read_model(path)
        check_colours(model)
        net = build(path, "generator")
        if not isinstance(net, BigGANDeep | BigGANClassic):
            raise WeightsRefused(path, f"holds a {type(net).__name__}, which is no BigGAN")
        deep = isinstance(net, BigGANDeep)
        self.truncation = TRUNCATION[deep] if truncation is None else truncation
        self.resolution = net.img_resolution
        net.set_truncation(self.truncation, exact_truncation)
        self.labels = labels_of(model)
        self.kept = allowed(self.labels, classes, ban)
        kept_labels = tuple(self.labels[k] for k in self.kept)
        embeddings = net.embeddings.weight.T[self.kept]  # (K, E)
        self._embeddings = embeddings.to(self.device)
        genes = ClassMix(embeddings, kept_labels) if space == "embedding" else SparseMix(kept_labels)
        self.mixes = space == "mix"
        self.space = Product(TruncatedNormal(net.z_dim) if deep else Normal(net.z_dim), genes)
        self._nets = Precisions(placed(net, self.device))
        for norm in net.norms():
            norm.mean, norm.deviation = norm.mean.to(self.device), norm.deviation.to(self.device)
        self.dtype = torch.float32

    @staticmethod
    def check_classes(model: Model, classes: Sequence[str], ban: Sequence[str]) -> None:
        """BadInput or UnknownName, as from the constructor."""
        allowed(labels_of(model), classes, ban)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Draw in `dtype`; conditions, statistics and the picture stay float32."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, D) -> (N, 3, R, R)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        z, genes = self.space.decode(check(self.space, x).to(self.device))
        embedding = genes @ self._embeddings if self.mixes else genes
        images: Tensor = self._nets[self.dtype](z * self.truncation, embedding)  # in [-1, 1]
        return as_rgb((images + 1) / 2)

    def describe(self, x: Tensor) -> str:
        """The classes that one latent `(D,)` mixes: "62 % Persian cat, 25 % lynx"."""
        return self.space.describe(x)


def labels_of(model: Model) -> tuple[str, ...]:
    """The names of a BigGAN's classes: those that the file states, else ImageNet's or numbers."""
    count, told = model.parts["generator"].get("num_classes", 1000), model.about.get("labels")
    if isinstance(told, list) and len(told) == count and all(isinstance(name, str) and name for name in told):
        return tuple(name[:200] for name in told)
    return class_names(count)


def class_names(count: int) -> tuple[str, ...]:
    """Names of a network's classes: ImageNet's where there are a thousand, else numbers."""
    return labels() if count == 1000 else tuple(map(str, range(count)))


def allowed(known: Sequence[str], classes: Sequence[str], ban: Sequence[str]) -> list[int]:
    """Numbers of the classes to breed from: `classes` (all, if none is named) without `ban`."""
    kept = find(classes, known) if classes else list(range(len(known)))
    banned = set(find(ban, known))
    left = [k for k in kept if k not in banned]
    if not left:
        raise BadInput("Every class is banned. Leave at least one to breed from.")
    return left
