"""What makes a reconstruction good: pixels, features of a classifier, and a discriminator of patches.

Esser, Rombach and Ommer 2021, https://arxiv.org/abs/2012.09841 , Eqs. 4 to 7. In place of LPIPS' VGG there is MobileNet
v2, which is in the package: the mean over feature maps of the squared distance between their unit vectors, place by
place (Zhang et al. 2018, https://arxiv.org/abs/1801.03924 , Eq. 1, all weights 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zeuxis.errors import BadInput
from zeuxis.nets.gan.cyclegan import initialise, patches
from zeuxis.nets.layers import bounded, dtype_of, placed
from zeuxis.nets.mobilenet import load_pocket

STRIDES = (2, 4, 8, 16)  # of the feature maps; those of stride 32 have 2 x 2 places at 64 pixels
DELTA, STEEPEST = 1e-4, 1e4  # of the adaptive weight: added below, and its bound (the paper's published code)


class Perceptual:
    """Distance of pictures in MobileNet v2's feature maps, at their own size; the network is frozen."""

    def __init__(self, device: torch.device, strides: Sequence[int] = STRIDES) -> None:
        self.net, self.strides = placed(load_pocket("v2"), device), tuple(strides)

    def __call__(self, images: Tensor, real: Tensor) -> Tensor:
        """(N, C, R, R) in [-1, 1], twice -> scalar; the gradient is that of `images` alone."""
        with torch.no_grad():
            wanted = self._maps(real)
        pairs = zip(self._maps(images), wanted, strict=True)
        return torch.stack([(own - other).square().sum(1).mean() for own, other in pairs]).mean()

    def _maps(self, images: Tensor) -> list[Tensor]:
        rgb = images.clamp(-1, 1).expand(-1, 3, -1, -1)
        return [F.normalize(h.float(), dim=1, eps=1e-6) for h in self.net.taps(rgb, self.strides)]


class PatchDiscriminator(nn.Module):
    """Isola et al. 2017, https://arxiv.org/abs/1611.07004 , section 3.2: a value for each patch of the picture.

    Patches have 34 x 34 pixels with 2 `layers`, 70 x 70 with 3. Instance norm in place of batch norm.
    """

    def __init__(self, resolution: int, channels: int, width: int, layers: int) -> None:
        super().__init__()
        bounded("discriminator_width", width, 1, 1024)
        if resolution // 2 ** bounded("discriminator_layers", layers, 1, 6) < 3:
            raise BadInput(f"Expected fewer discriminator_layers for {resolution} pixels, got {layers}.")
        self.body = patches(channels, width, layers)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, R, R) in [-1, 1] -> values (N, P)."""
        values: Tensor = self.body(images.to(dtype_of(self)))
        return values.flatten(1)


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """Eq. 7: |slope of the reconstruction loss| / (|slope of the adversarial one| + delta) in the weights `last` of the
    decoder's last layer, scalars -> scalar without gradient.
    """
    of_rec = torch.autograd.grad(reconstruction, last, retain_graph=True)[0]
    of_adv = torch.autograd.grad(adversarial, last, retain_graph=True)[0]
    weight: Tensor = of_rec.norm() / (of_adv.norm() + DELTA)
    return weight.clamp(0, STEEPEST).detach()
