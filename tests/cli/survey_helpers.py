"""The programs in `benchmarks/` that kill commands and take things away from them, for tests of a few of each."""

import importlib
import sys
from pathlib import Path

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


def program(name):
    """A module of `benchmarks/`, which import one another by name."""
    sys.path.insert(0, BENCHMARKS)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(BENCHMARKS)
