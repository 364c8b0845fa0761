"""The pocket generators: what the training lab has exported into the package."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from zeuxis.generators.lab import LabGenerator
from zeuxis.hub.model_file import Model, read_model
from zeuxis.hub.pocket import pocket_path


class Pocket(LabGenerator):
    """CIFAR-10, 32x32. Latent = z (64) and an embedding (64) of one of the 396 search terms, which may mix them."""

    name = "pocket"
    file = "generator"  # of the pocket set

    def __init__(
        self,
        device: torch.device | None = None,
        *,
        space: str = "z",
        truncation: float | None = None,
        classes: Sequence[str] = (),
        ban: Sequence[str] = (),
    ) -> None:
        super().__init__(pocket_path(self.file), device, space=space, truncation=truncation, classes=classes, ban=ban)

    @classmethod
    def header(cls) -> Model:
        """What its file says of itself."""
        return read_model(pocket_path(cls.file))


class PocketProducts(Pocket):
    """Shop photos on white, 64x64. Latent = z (64) and an embedding (64) of one type and colour that occur together."""

    name = "pocket-products"
    file = "products"


class PocketThings(Pocket):
    """Photos of 24 kinds of things, 64x64. Latent = z (64) and an embedding (64) of one kind, which may mix them."""

    name = "pocket-things"
    file = "things"
