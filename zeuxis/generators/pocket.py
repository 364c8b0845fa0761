"""The pocket generator: class- and term-conditional 32x32 images, weights inside the package."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.hub.pocket import pocket_path
from zeuxis.hub.weights import file_sha256, load_weights, read_facts
from zeuxis.nets.layers import Precisions, fold_batch_norm, placed
from zeuxis.nets.pocket_gan import PocketDiscriminator, PocketGenerator
from zeuxis.nets.trunk import TrunkClassifier
from zeuxis.spaces import ClassMix, Normal, Product, check

REACH = 1.1  # see ClassMix: further from all terms this network draws what no judge recognises


class Pocket:
    """Latent = z (64, standard normal) and an embedding (128) that starts at one of the terms and may mix them.

    Attributes `labels` (terms) and `classes` name the rows of the embedding table.
    """

    name = "pocket"
    resolution = 32

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or torch.device("cpu")
        path = pocket_path("generator")
        facts = read_facts(path)
        self.sha256 = file_sha256(path)
        self.classes, self.labels = tuple(facts["classes"]), tuple(facts["terms"])
        sizes = (len(self.classes), len(self.labels))
        net = PocketGenerator(*sizes, facts["z_dim"], facts["embed_dim"], tuple(facts["widths"]))
        load_weights(net, path).requires_grad_(False)
        self.term_class = torch.tensor(facts["term_class"])
        embeddings = net.embed(self.term_class, torch.arange(len(self.labels)))  # (T, E)
        mix = ClassMix(embeddings, self.labels, reach=REACH)
        self.space = Product(Normal(facts["z_dim"], bound=3.0, radius=0.9), mix)
        self._nets = Precisions(placed(net, self.device))
        self._judges: Precisions | None = None
        self.dtype = torch.float32

    def set_precision(self, dtype: torch.dtype) -> None:
        """Draw in `dtype`; images come out as float32 either way."""
        self.dtype = dtype

    def render(self, x: Tensor) -> Tensor:
        """`(N, 192) -> (N, 3, 32, 32)` float32 in [0, 1]. BadInput for another width, NaN or infinity."""
        z, embedding = self.space.decode(check(self.space, x).to(self.device))
        images: Tensor = self._nets[self.dtype](z, embedding)  # in [-1, 1]
        return (images.float() + 1) / 2

    def realism(self, images: Tensor) -> Tensor:
        """`(N, 3, 32, 32) -> (N,)`: mean over the discriminator's heads, whatever the class."""
        if self._judges is None:
            self._judges = self._load_discriminator()
        logits: Tensor = self._judges[self.dtype](images.to(self.device) * 2 - 1)  # (N, heads)
        return logits.float().mean(1)

    def describe(self, x: Tensor) -> str:
        """The terms that one latent `(192,)` mixes: "62 % fire truck, 25 % bus"."""
        return self.space.describe(x)

    def _load_discriminator(self) -> Precisions:
        path = pocket_path("discriminator")
        facts = read_facts(path)
        sizes = (len(facts["classes"]), len(facts["terms"]))
        net = PocketDiscriminator(TrunkClassifier(*sizes).trunk, *sizes, width=facts["head_width"])
        fold_batch_norm(load_weights(net, path)).requires_grad_(False)
        return Precisions(placed(net, self.device))
