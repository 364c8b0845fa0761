"""Where the pocket models lie: inside the installed package."""

from __future__ import annotations

import os
from pathlib import Path

POCKET = Path(__file__).resolve().parent.parent / "pocket"


def pocket_path(name: str) -> Path:
    """`name`.safetensors of the pocket set; ZEUXIS_POCKET names another folder (to try fresh weights)."""
    return Path(os.environ.get("ZEUXIS_POCKET") or POCKET) / f"{name}.safetensors"
