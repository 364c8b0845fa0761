"""Names of new run folders: when, what, seed. Inside a run, files are named by number, never by the prompt."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

from zeuxis.config import RunConfig
from zeuxis.storage.files import make_folder

RUNS = Path("runs")
LONGEST = 40


def fresh_folder(config: RunConfig, parent: Path = RUNS) -> Path:
    """Makes a new folder like `runs/20260131-140502-a-red-fire-truck-7`; a number is added where that is taken."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug(' '.join(config.prompt))}-{config.seed}"
    path, count = parent / name, 1
    while not make_folder(path):
        count += 1
        path = parent / f"{name}-{count}"
    return path


def slug(text: str) -> str:
    """Any text as 1 to 40 characters of a-z, 0-9 and hyphens; "run" when nothing is left."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-") or "run"
