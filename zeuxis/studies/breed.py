"""The runs of a study: ordinary run folders, taken up where they ended, not touched again once they have.

A run's pictures are read back from its folder, so that what is measured is what lies there.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zeuxis.config import RunConfig
from zeuxis.errors import RunError
from zeuxis.experiments.worker import asked
from zeuxis.prompts.auto import settle
from zeuxis.run.folder import RunFolder
from zeuxis.run.prepare import Models, check_config, load_models, models_key
from zeuxis.run.session import open_session
from zeuxis.storage.files import make_folder

_LATEST: dict[str, Models] = {}  # networks of the run before


def breed(config: RunConfig, place: Path) -> RunFolder:
    """The run of this configuration in `place`, finished: at once where it is already. RunError, BadInput, ..."""
    if not is_finished(config, place):
        make_folder(place.parent)
        check_config(config)  # before networks are loaded
        with open_session(config, place, loaded=_models(config)) as session:
            for _ in session:
                if asked() and not session.reason:
                    raise KeyboardInterrupt  # on the way out its state is saved
            session.finish()
    return RunFolder(place)


def _models(config: RunConfig) -> Models:
    """Those of the run before, where this one names the same: a study's runs differ in phrase, search and seed."""
    config = settle(config)[0]
    named = f"{models_key(config)} {config.judge}"
    if named not in _LATEST:
        _LATEST.clear()
        _LATEST[named] = load_models(config)
    return _LATEST[named]


def is_finished(config: RunConfig, place: Path) -> bool:
    """Whether `place` holds this run, ended by its own rules, with every picture of its final population."""
    folder = RunFolder(place)
    try:
        if not folder.exists() or settle(config, folder.record["config"])[0] != folder.config:
            return False
        summary = folder.summary()
        for path in folder.individuals():
            folder.picture(path)
        folder.check_population(len(summary["population"]))
        return not str(summary["reason"]).startswith("Interrupted")
    except RunError:
        return False


def population(folder: RunFolder) -> tuple[Tensor, list[float | None]]:
    """The final population, best first: pixels uint8 `(N, 3, H, W)`, and the score of each, None where it has none."""
    members = folder.summary()["population"]
    pixels = decoded(folder.picture(folder.individual_path(rank)) for rank in range(len(members)))
    return pixels, [member["score"] for member in members]


def decoded(files: Iterable[bytes]) -> Tensor:
    """PNGs of one size -> uint8 `(N, 3, H, W)`."""
    rows = [np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGB")) for data in files]
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).contiguous()
