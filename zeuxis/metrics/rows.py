"""What every metric asks of its rows, before it computes: width, number, and numbers that are numbers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from zeuxis.errors import BadInput

PIECE = 4096  # rows checked at once


def check_rows(sets: Mapping[str, Tensor], least: int = 1, reason: str = "") -> None:
    """BadInput in one sentence unless all `sets`, by a word for their rows, are (N, D) of one D, finite, N >= `least`.

    `reason` follows the number of rows that is expected: "for a covariance".
    """
    for name, rows in sets.items():
        if rows.ndim != 2 or not rows.shape[1]:
            raise BadInput(f"Expected {name} rows (N, D), got the shape {tuple(rows.shape)}.")
    if len({rows.shape[1] for rows in sets.values()}) > 1:
        got = " and ".join(f"{tuple(rows.shape)} {name}" for name, rows in sets.items())
        raise BadInput(f"Expected rows of one width, got {got}: they are features of two networks or layers.")
    for name, rows in sets.items():
        if len(rows) < least:
            why = f" {reason}" if reason else ""
            raise BadInput(f"Expected at least {least} {name} rows{why}, got {len(rows)}. Give more pictures.")
    for name, rows in sets.items():
        check_finite(rows, name)


def check_finite(rows: Tensor, name: str) -> None:
    """BadInput if any row of (N, ...) holds NaN or infinity; the sentence counts them and names the first."""
    pieces = torch.split(rows.flatten(1), PIECE)  # the check needs as much memory as what it checks
    wrong = torch.cat([~torch.isfinite(piece).all(1) for piece in pieces])
    if bool(wrong.any()):
        raise BadInput(
            f"Expected numbers in every {name} row, got NaN or infinity in {int(wrong.sum())} of {len(rows)}, the "
            f"first in row {int(wrong.nonzero()[0])} (counted from 0). Leave these pictures out."
        )


def check_labels(labels: Tensor, count: int, classes: int) -> None:
    """BadInput unless `labels` are `count` whole numbers from 0 to `classes` - 1."""
    if labels.shape != (count,):
        raise BadInput(f"Expected one label for each of {count} rows, got the shape {tuple(labels.shape)}.")
    if count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise BadInput(
            f"Expected labels from 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}. Check the names."
        )
