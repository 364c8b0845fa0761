"""Features drawn from mixtures whose classes are known."""

import torch

from zeuxis.rng import stream


def drawn(count, seed=0, width=8, shift=0.0):
    """Standard normal rows (count, width), float64."""
    return torch.randn(count, width, generator=stream(seed, "drawn"), dtype=torch.float64) + shift


def mixture(count, seed=0, classes=5, width=8):
    """Rows about `classes` centres 6 apart, and their labels, evenly."""
    labels = torch.arange(count) % classes
    return drawn(count, seed, width) + 6 * torch.eye(classes, width, dtype=torch.float64)[labels], labels
