"""BigGAN-deep from a converted file: class-conditional pictures of 128, 256 or 512 px."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from zeuxis.errors import BadInput
from zeuxis.generators.base import as_rgb, check_colours
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.model_file import Model, build, read_model
from zeuxis.nets.biggan import BigGANDeep
from zeuxis.nets.imagenet_classes import find, labels
from zeuxis.nets.layers import Precisions, placed
from zeuxis.spaces import ClassMix, Product, SparseMix, TruncatedNormal, check

SPACES = ("embedding", "mix")


class BigGAN:
    """Latent = z (truncated normal in [-2, 2]) and class genes.

    truncation        z is multiplied by it and its statistics are used: (0, 1]; lower: higher fidelity, less diverse
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
        truncation: float = 0.5,
        exact_truncation: bool = False,
        space: str = "embedding",
        classes: Sequence[str] = (),
        ban: Sequence[str] = (),
    ) -> None:
        if space not in SPACES:
            raise BadInput(f"Expected space {' or '.join(SPACES)} for a BigGAN, got {space!r}.")
        self.device = device or torch.device("cpu")
        self.sha256 = file_sha256(path)
        check_colours(read_model(path))
        net = build(path, "generator")
        assert isinstance(net, BigGANDeep)
        self.resolution, self.truncation = net.img_resolution, truncation
        net.set_truncation(truncation, exact_truncation)
        self.labels = class_names(net.num_classes)
        self.kept = allowed(self.labels, classes, ban)
        kept_labels = tuple(self.labels[k] for k in self.kept)
        embeddings = net.embeddings.weight.T[self.kept]  # (K, E)
        self._embeddings = embeddings.to(self.device)
        genes = ClassMix(embeddings, kept_labels) if space == "embedding" else SparseMix(kept_labels)
        self.mixes = space == "mix"
        self.space = Product(TruncatedNormal(net.z_dim), genes)
        self._nets = Precisions(placed(net, self.device))
        for norm in net.norms():
            norm.mean, norm.deviation = norm.mean.to(self.device), norm.deviation.to(self.device)
        self.dtype = torch.float32

    @staticmethod
    def check_classes(model: Model, classes: Sequence[str], ban: Sequence[str]) -> None:
        """BadInput or UnknownName, as from the constructor."""
        allowed(class_names(model.parts["generator"].get("num_classes", 1000)), classes, ban)

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
