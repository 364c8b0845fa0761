"""Style mixing: Karras et al., "A style-based generator architecture" (2019), section 3.1 and figure 3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zeuxis.errors import BadInput
from zeuxis.generators.base import Generator, layer_sizes
from zeuxis.pictures.enlarge import Enlarge
from zeuxis.pictures.grid import grid, to_pixels
from zeuxis.pictures.writing import check_picture_place, encoded
from zeuxis.tools.sheets import MICRO_BATCH, latents_of, save

GROUPS = {
    "coarse": (0, 8),
    "middle": (16, 32),
    "fine": (64, 2**30),
}  # pixels of the layers that take the column's style


@torch.no_grad()
def mix(
    generator: Generator,
    rows: Sequence[int],
    columns: Sequence[int],
    styles: str,
    out: Path,
    *,
    enlarge: Enlarge | None = None,
) -> Path:
    """A table: each row's picture with the coarse, middle or fine styles of each column's. BadInput without styles."""
    check_picture_place(out)
    if styles not in GROUPS:
        raise BadInput(f"Expected styles {', '.join(GROUPS)}, got {styles[:40]!r}.")
    source: Any = generator
    if not layer_sizes(generator):
        raise BadInput(
            f"Generator {generator.name!r} has no styles to mix. StyleGANs have: pocket-products, or one of "
            "`zeuxis models list --kind generator`."
        )
    low, high = GROUPS[styles]
    layers = [i for i, size in enumerate(layer_sizes(generator)) if low <= size <= high]
    if not layers:
        raise BadInput(f"{generator.name} draws {generator.resolution} pixels and has no {styles} layers.")
    a, b = source.styles(latents_of(generator, rows)), source.styles(latents_of(generator, columns))
    top = to_pixels(source.draw(b))  # (K, H, W, 3)
    cells, labels = [np.full_like(top[0], 24), *top], [styles]
    labels += [f"seed {seed}" for seed in columns]
    for seed, row in zip(rows, a, strict=True):
        table = row.expand(len(columns) + 1, -1, -1).clone()  # the row itself, then one per column
        table[1:, layers] = b[:, layers]
        drawn = [to_pixels(source.draw(piece)) for piece in table.split(MICRO_BATCH)]
        cells += list(np.concatenate(drawn))
        labels += [f"seed {seed}", *[""] * len(columns)]
    return save(out, encoded(grid(np.stack(cells), labels, len(columns) + 1, enlarge), out))
