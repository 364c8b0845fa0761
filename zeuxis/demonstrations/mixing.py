"""Style mixing: what coarse, middle and fine layers decide."""

from __future__ import annotations

import torch
from torch import Tensor

from zeuxis.demonstrations.base import Picture, Settings, Shown, rows_png
from zeuxis.demonstrations.trained import SOURCE, Products
from zeuxis.metrics.health import descriptors
from zeuxis.tools.mixing import GROUPS

ROW = "black casual shoes"
COLUMNS = ("red handbags", "blue sunglasses", "white sports shoes", "brown belts", "red heels")


def mixed(row: Tensor, column: Tensor, sizes: list[int], group: str) -> Tensor:
    """w of the row with the column's in the layers of one group: (N, w_dim) twice -> (N, L, w_dim)."""
    low, high = GROUPS[group]
    taken = torch.tensor([low <= size <= high for size in sizes])[:, None]
    return torch.where(taken, column[:, None], row[:, None])


def show(settings: Settings) -> Shown:
    """One picture with the coarse, middle or fine styles of others, and how far each group moves it."""
    model = Products()
    known = [name for name in COLUMNS if name in model.of.labels]
    sizes = model.net.layer_sizes()
    row = model.styles(model.z(1, settings.seed, "row"), ROW)
    column = torch.cat([model.styles(model.z(1, settings.seed, name), name) for name in known])
    rows = [("the others", model.draw(column)), ("the picture", model.draw(row.expand(len(column), -1)))]
    for group, (low, high) in GROUPS.items():
        pixels = f"{low or 4} to {high} px" if high < 2**20 else f"{low} px"
        made = model.draw(mixed(row.expand_as(column), column, sizes, group))
        rows.append((f"their {group}\nstyles, {pixels}", made))

    count, table = settings.count(120, 8), []
    names = model.frequent(12)
    one, two = (
        torch.cat([model.styles(model.z(count // 4, settings.seed, which, name), name) for name in order])
        for which, order in (("one", names), ("two", [*names[5:], *names[:5]]))
    )
    plain, other = descriptors(model.draw(one)), descriptors(model.draw(two))
    for group in GROUPS:
        seen = descriptors(model.draw(mixed(one, two, sizes, group)))
        away, left = ((seen - x).square().mean(1).sqrt().mean() for x in (plain, other))
        table.append((group, float(away), float(left)))
    return Shown(
        "Coarse, middle, fine",
        f"Karras, Laine and Aila 2019, arXiv 1812.04948, section 3.1 and figure 3. {SOURCE}",
        (
            "Each layer of a StyleGAN has a style of its own. One picture keeps its w but in one group of layers, "
            "which get the w of another: coarse ones (4 and 8 pixels) bring its outline, middle ones (16 and 32) its "
            "colours and parts, the fine ones (64) hardly more than shades.",
            "This generator was trained without mixing regularisation, so groups are bound to each other more than in "
            "the paper. `zeuxis mix` makes such tables of any StyleGAN.",
        ),
        (Picture("pictures.png", rows_png(rows, 128), f"{ROW.capitalize()}, with styles of others."),),
        ("layers taken from another", "distance from the picture, RMS at 32 px", "distance from the other"),
        tuple(table),
    )
