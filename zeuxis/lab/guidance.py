"""A classifier that guides a generator: its frozen trunk is in the discriminator, its class head scores the fakes.

Classifier guidance as in StyleGAN-XL (Sauer et al. 2022, arXiv 2202.00273, section 3.3).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput
from zeuxis.lab.parts import load_trunk, package_trunk, with_classes
from zeuxis.nets.layers import placed
from zeuxis.nets.trunk import Trunk, TrunkClassifier


class Guide:
    """A trained TrunkClassifier, frozen."""

    def __init__(self, net: TrunkClassifier, device: torch.device) -> None:
        self.net = placed(net, device).requires_grad_(False)

    @classmethod
    def of(
        cls, name: str | None, weights: Path | None, data: ImageSet, y: Tensor, words: dict[str, tuple[str, ...]],
        device: torch.device,
    ) -> Guide | None:  # fmt: skip
        """The trunk `name`.safetensors in the folder `weights`, the package's where none is given; None for no name.

        BadInput if its classes are not the `words` of the first column of `y`, the labels (N, L) of `data`.
        """
        if name is None:
            return None
        if not y.shape[1]:
            raise BadInput(
                f"A trunk guides by classes, and the data or the option labels have none: leave out {name!r}."
            )
        wanted = next(iter(words.values()))
        if weights is None:
            return cls(with_classes(package_trunk("generator"), data, y[:, 0], len(wanted), device), device)
        path = weights / f"{name}.safetensors"
        net, classes = load_trunk(path)
        if list(classes) != list(wanted):
            raise BadInput(
                f"{path} knows the classes {', '.join(classes[:3])}, ..., the data have "
                f"{', '.join(wanted[:3])}, ... Train the trunk on the same data first."
            )
        return cls(net, device)

    @property
    def trunk(self) -> Trunk:
        """What the discriminator sees through."""
        return self.net.trunk

    def loss(self, maps: list[Tensor], y: Tensor) -> Tensor:
        """Cross entropy of the first label, from the trunk's maps of generated pictures."""
        return F.cross_entropy(self.net.classes(Trunk.pool(maps[-1])).float(), y[:, 0])

    @torch.no_grad()
    def right(self, images: Tensor, y: Tensor) -> int:
        """How many images (N, 3, R, R) in [-1, 1] are recognised as their first label."""
        return int((self.net(images)[0].argmax(1) == y[:, 0]).sum())
