"""What a training says of itself for TensorBoard, where its package is installed: scalars and sample grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zeuxis.errors import Missing
from zeuxis.lab.history import Status, held_out
from zeuxis.report.training import newest_grid

NAME = "tensorboard"  # of the folder in that of the training


class TensorBoard:
    """A listener of the loop. Missing without the package; what a resumed training does again replaces what was."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise Missing("--tensorboard needs the package tensorboard. Install it: pip install tensorboard") from error
        self.kind: Any = SummaryWriter
        self.writer: Any = None
        self.grid: Path | None = None

    def __call__(self, status: Status) -> None:
        """Write what is new."""
        if status.happened == "start":
            self.writer = self.kind(str(status.folder / NAME), purge_step=status.images + 1)
            self.grid = newest_grid(status.folder)
        elif status.happened == "line":
            line = status.lines[-1]
            looks, images = set(held_out(status.lines)), int(line["images"])
            for name, value in line.items():
                if name != "images":
                    self.writer.add_scalar(f"{'held out' if name in looks else 'step'}/{name}", value, images)
            place = newest_grid(status.folder)
            if place is not None and place != self.grid:
                with Image.open(place) as picture:
                    self.writer.add_image("samples", np.asarray(picture.convert("RGB")), images, dataformats="HWC")
                self.grid = place
            self.writer.flush()
        elif status.happened == "end" and self.writer is not None:
            self.writer.close()
