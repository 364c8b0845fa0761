"""What lies beside a weight file and has a say in what becomes of it: configuration, and how pictures are prepared."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from zeuxis.errors import WeightsRefused

CONFIG, PREPROCESSOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
MOST_BYTES = 2**22  # of a JSON file
CONVERSION = 2  # of this program: raise it when a layout writes something else from the same files


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds a dictionary; {} where there is none. WeightsRefused for one that is damaged."""
    if not path.is_file():
        return {}
    if path.stat().st_size > MOST_BYTES:
        raise WeightsRefused(path, f"has {path.stat().st_size:,} bytes, more than any configuration")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsRefused(path, f"is no JSON: {str(error)[:120]}") from error
    if not isinstance(found, dict):
        raise WeightsRefused(path, f"is a {type(found).__name__}, expected a dictionary")
    return found


def image_processor(folder: Path) -> dict[str, Any]:
    """How transformers prepares pictures for the model in `folder`: {} where no file says it.

    Newer versions write it into processor_config.json, and that counts where both are there.
    """
    inside = read_json(folder / PROCESSOR).get("image_processor")
    return inside if isinstance(inside, dict) else read_json(folder / PREPROCESSOR)


def conversion_key(source: Path, sha256: str, licence: str = "") -> str:
    """A name for the conversion of the weight file `source`, hex: a hash over all that decides what comes out.

    `sha256` is that of the weights. The files beside them count, and so does the version of the conversion.
    """
    digest = hashlib.sha256(f"conversion {CONVERSION}\nweights {sha256}\nlicence {licence}\n".encode())
    for name in (CONFIG, PREPROCESSOR, PROCESSOR):
        told = json.dumps(read_json(source.parent / name), sort_keys=True)
        digest.update(f"{name} {hashlib.sha256(told.encode()).hexdigest()}\n".encode())
    return digest.hexdigest()
