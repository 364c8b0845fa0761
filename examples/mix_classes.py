"""Walk from one class to another in the embedding, and read the mixture back. Usage: mix_classes.py [steps]"""

import sys
from pathlib import Path

import torch

from zeuxis.generators.pocket import Pocket
from zeuxis.lab.curves import save_grid
from zeuxis.rng import stream

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 8

generator = Pocket()
z_space, terms = generator.space.spaces
z = z_space.sample(6, stream(11, "z"))  # six pictures, one row each
start, end = (terms.places[terms.labels.index(name)] for name in ("fire truck", "tabby cat"))
rows = []
for share in torch.linspace(0, 1, steps):
    x = torch.cat([z, ((1 - share) * start + share * end).expand(len(z), -1)], dim=1)
    print(f"{share:.2f}: {generator.describe(x[0])}")
    with torch.no_grad():
        rows.append(generator.render(x))
images = torch.stack(rows, dim=1).flatten(0, 1)  # (6 * steps, 3, 32, 32)
save_grid(images, Path("mixed.png"), columns=steps, scale=3)
print("wrote mixed.png")
