"""Where the pocket models lie: inside the installed package; and which of their files hold the same weights."""

from __future__ import annotations

import os
from pathlib import Path

POCKET = Path(__file__).resolve().parent.parent / "pocket"


def pocket_path(name: str) -> Path:
    """`name`.safetensors of the pocket set; ZEUXIS_POCKET names another folder (to try fresh weights)."""
    return Path(os.environ.get("ZEUXIS_POCKET") or POCKET) / f"{name}.safetensors"


# The header of a file may be rewritten while every tensor stays what it is. SHA-256 of such a file -> that of the first
# file with these weights, which older runs, pictures and start banks name. Whoever rewrites a header adds a row.
SAME_WEIGHTS = {
    "85a1d013bed61e06e6d1d861498c2f8dcbb202d26768f174a6505c6d21e961f4": (  # judge
        "42c0600160ea3ee0a401852ae5b375d3e8859820da1ed3a628057f459b3e8371"
    ),
    "4f8a2960a93ac951417d79647bb6604b7e860d3668f391df5a39d99f21757337": (  # scorer
        "1c8834caa4bcf22fadaa9f7d584579835ad3c31bb7b45f14f0e8b2dd34076871"
    ),
    "f1147c37897f6764effac15e2d3bc703d9de20c0ee2503449f567e817886efe3": (  # scorer_second
        "4f2003d736754fc222663ffb0f03bc17684033efdcaf32e0180bf00d2081e95f"
    ),
}


def first_sha256(sha256: str) -> str:
    """The digest under which these weights were first known: equal for two files with the same weights."""
    return SAME_WEIGHTS.get(sha256, sha256)
