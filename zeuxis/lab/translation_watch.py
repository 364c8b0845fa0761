"""What a training from picture to picture measures between steps: a held-out distance, the way back, a sample sheet.

Distances are of MobileNet v1's pooled features between held-out pictures translated to a domain and that domain's
training pictures, by the kernel distance, which does not depend on how few pictures there are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zeuxis.data import ImageSet
from zeuxis.errors import BadInput, SearchStopped
from zeuxis.lab.tasks.base import Lab
from zeuxis.lab.watch import BestSoFar, PooledFeatures
from zeuxis.metrics.kernel import squared_mmd
from zeuxis.rng import stream


class TranslationWatch(BestSoFar):
    """Figures of a generator on up to `count` pictures of each domain, and the best distance so far."""

    measure = "kernel/mobilenet-v1"

    def __init__(self, train: ImageSet, test: ImageSet, label: str, count: int, lab: Lab) -> None:
        self.lab, self.names = lab, train.names[label]
        self.real = [_of(train, label, k, count) for k in range(len(self.names))]  # (M, C, R, R) in [-1, 1] each
        self.held = [_of(test, label, k, count) for k in range(len(self.names))]
        for images, name in zip(self.held + self.real, self.names * 2, strict=True):
            if len(images) < 2:
                raise BadInput(f"Expected two pictures of {name!r} at least in each split. Leave that domain out.")
        self.columns = 12
        super().__init__()
        self._pooled = PooledFeatures(lab.device)
        self._seen: tuple[list[Tensor], float] | None = None

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, R, R) in [-1, 1] -> MobileNet v1's pooled features (N, 512)."""
        return self._pooled.of_signed(images)

    def _others(self, domain: int) -> tuple[Tensor, Tensor]:
        """Held-out pictures of the other domains, and these domains (N, 1)."""
        parts = [(images, k) for k, images in enumerate(self.held) if k != domain]
        y = torch.cat([torch.full((len(images), 1), k) for images, k in parts])
        return torch.cat([images for images, _ in parts]), y

    @torch.no_grad()
    def translate(self, generator: nn.Module, images: Tensor, y: Tensor) -> Tensor:
        """(N, C, R, R) in [-1, 1] on any device, (N, 1) -> the same on the CPU, in [-1, 1]."""
        out = []
        for part, to in zip(torch.split(images, 64), torch.split(y, 64), strict=True):
            with self.lab.autocast():
                out.append(generator(part.to(self.lab.device), to.to(self.lab.device)).float().cpu())
        return torch.cat(out)

    def figures(self, generator: nn.Module) -> dict[str, float]:
        """Means over domains: `held_out_kernel`, beside it `untranslated_kernel` of the same pictures as they are;
        `back`, what differs after there and back, and `moved`, what the translation changes: mean over pixels, of 1.
        """
        if self._seen is None:
            real = [self.features(images) for images in self.real]
            floors = [squared_mmd(self.features(self._others(k)[0]), real[k]) for k in range(len(real))]
            self._seen = real, sum(floors) / len(floors)
        distances, back, moved = [], [], []
        for domain, own in enumerate(self._seen[0]):
            images, y = self._others(domain)
            fake = self.translate(generator, images, torch.full_like(y, domain))
            if not bool(torch.isfinite(fake).all()):
                raise SearchStopped("The averaged generator draws NaN. Lower the rates, or use fp32.")
            distances.append(squared_mmd(self.features(fake), own))
            back.append(float((self.translate(generator, fake, y) - images).abs().mean() / 2))
            moved.append(float((fake - images).abs().mean() / 2))
        found = {"held_out_kernel": distances, "untranslated_kernel": [self._seen[1]], "back": back, "moved": moved}
        self.latest = {name: round(sum(values) / len(values), 5) for name, values in found.items()}
        self.note(self.latest["held_out_kernel"])
        return dict(self.latest)

    def sheet(self, generator: nn.Module) -> Tensor:
        """(N, C, R, R) in [0, 1], rows of `columns`: sources of all domains in turn, then each as every domain."""
        turns = [self.held[k % len(self.held)] for k in range(2 * self.columns)]
        chosen = [images[(k // len(self.held)) % len(images)] for k, images in enumerate(turns)]
        rows = []
        for images in torch.split(torch.stack(chosen), self.columns):
            rows.append(images)
            for k in range(len(self.names)):
                rows.append(self.translate(generator, images, torch.full((len(images), 1), k)))
        return (torch.cat(rows) / 2 + 0.5).clamp(0, 1)


def _of(images: ImageSet, label: str, domain: int, count: int) -> Tensor:
    """Up to `count` random pictures of a domain, always the same: (M, C, R, R) in [-1, 1]."""
    rows = (images.labels[label] == domain).nonzero().flatten()
    rows = rows[torch.randperm(len(rows), generator=stream(0, "watch", domain))[:count]]
    return images.batch(rows)
