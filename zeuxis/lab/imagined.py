"""Features of ImageNet classes of which there is no picture, from the weights of a classifier that knows them.

Under the model of linear discriminant analysis (Fisher 1936), class c has the mean m + S w_c where S is the covariance
of the features and w_c the class's weight vector. Added to what is left of a real picture without its own class, it
stands in for a picture of class c, and the name of the class can be learned.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.nets.picture_features import BLOCKS, PictureFeatures


def pooled_span() -> tuple[int, int]:
    """Where the classifier's own features stand among all: first and last + 1."""
    names = list(BLOCKS)
    start = sum(BLOCKS[name] for name in names[: names.index("pooled")])
    return start, start + BLOCKS["pooled"]


class Imagined:
    """`shift` (1000, D): where each class's mean lies from the mean of all, in standard deviations."""

    def __init__(self, net: PictureFeatures, standard: Tensor, numbers: Tensor) -> None:
        """`standard` (N, D) standardised features of real pictures, `numbers` (N,) their classes, at least two."""
        start, stop = pooled_span()
        head = net.mobilenet.head
        weight = head.kernel.flatten(1).float()  # (1000, 1280)
        weight = weight - weight.mean(0)
        pooled = standard[:, start:stop]
        covariance = (standard - standard.mean(0)).T @ (pooled - pooled.mean(0)) / len(standard)  # (D, 1280)
        raw = weight @ covariance.T  # (1000, D)
        known = torch.unique(numbers)
        means = torch.stack([standard[numbers == k].mean(0) for k in known.tolist()])
        self.centre = means.mean(0)
        wanted = means - self.centre
        guess = raw[known] - raw[known].mean(0)
        self.scale = float((wanted * guess).sum() / guess.square().sum())
        self.agreement = float(torch.nn.functional.cosine_similarity(wanted, guess).mean())
        self.shift = self.scale * (raw - raw[known].mean(0))
        self.offset = torch.zeros(int(known.max()) + 1, standard.shape[1])
        self.offset[known] = wanted

    def draw(self, standard: Tensor, numbers: Tensor, wanted: Tensor, keep: Tensor) -> Tensor:
        """Real pictures (B, D) of classes `numbers` (B,) as if they were of the classes `wanted` (B,): (B, D).

        `keep` (B,) in [0, 1]: how much of what is particular to the picture stays; 0 gives the mean of the class.
        """
        rest = standard - self.offset[numbers] - self.centre
        return self.centre + keep[:, None] * rest + self.shift[wanted]
