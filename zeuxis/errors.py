"""The exception tree. Each error says what was expected, what came, and what to do next.

    ZeuxisError                 anything this package refuses; `exit_code` is what the CLI returns
    |-- BadInput          2     a phrase, number, file or combination that cannot work
    |   `-- UnknownName   2     a name that no table holds (near names are suggested)
    |-- Missing           3     something that has to be installed or downloaded first
    |   |-- MissingExtra  3     an optional package
    |   `-- MissingModel  3     a weight file
    |-- RunError          2     a run folder that cannot be used
    |   |-- RunLocked     2     another process is writing it
    |   |-- RunDamaged    2     a file in it is truncated, flipped or missing
    |   `-- RunUnwritable 2     disk full, read-only, removed while running
    |-- WeightsRefused    2     a weight file that is damaged, hostile, or not what its header or hash promises
    `-- SearchStopped     2     the search cannot go on (every score NaN, generations in a row)

The digit is the exit code of the command line.
"""

from __future__ import annotations

from pathlib import Path


class ZeuxisError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 2


class BadInput(ZeuxisError, ValueError):
    """The caller gave something that cannot work."""


class UnknownName(BadInput):
    """A name that is in no table."""


class Missing(ZeuxisError):
    """Something must be installed or downloaded first."""

    exit_code = 3


class MissingExtra(Missing, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the package {package}. Install it: pip install 'zeuxis[{extra}]'")


class MissingModel(Missing):
    """A weight file is not there."""


class RunError(ZeuxisError):
    """A run folder cannot be used."""


class RunLocked(RunError):
    """Another living process is writing this run folder."""


class RunDamaged(RunError):
    """A file of a run folder does not hold what it promises."""


class RunUnwritable(RunError, OSError):
    """The run folder cannot be written (disk full, read-only, removed)."""


class WeightsRefused(ZeuxisError):
    """A weight file is damaged, asks for code to be run, or is not the file it says it is.

    `file`, `tensor` (its name, or "") and `reason` say what was refused and why.
    """

    def __init__(self, file: str | Path, reason: str, tensor: str = "") -> None:
        self.file, self.tensor, self.reason = Path(file), tensor, reason
        super().__init__(f"{self.file.name}: {f'{tensor}: ' if tensor else ''}{reason}")


class SearchStopped(ZeuxisError):
    """The search cannot go on."""


def unreadable(error: ValueError | RecursionError) -> str:
    """Why a text in TOML or JSON could not be read, in words and not in those of Python."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeError):
        return "it is no text in UTF-8"
    said = str(error)[:160].rstrip(".")
    return "a number in it has too many digits" if "int_max_str_digits" in str(error) else said
