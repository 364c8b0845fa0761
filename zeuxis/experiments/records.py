"""Records as files for programs, CSV and Parquet, and logs of checked lines that survive a kill. No torch is needed."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zeuxis.errors import MissingExtra
from zeuxis.storage.checksummed import checked_line
from zeuxis.storage.files import atomic_write, open_plain, unwritable

Record = dict[str, str | int | float | bool | None]


def write_csv(path: Path, records: Sequence[Record]) -> Path:
    """`csv_text` in a file."""
    atomic_write(path, csv_text(records).encode())
    return path


def csv_text(records: Sequence[Record]) -> str:
    """Comma-separated, one header line. A text that a spreadsheet would take for a formula begins with "'"."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _no_formula(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def check_parquet() -> None:
    """MissingExtra where no Parquet file can be written."""
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtra("pyarrow", "parquet", "A Parquet file")


def write_parquet(path: Path, records: Sequence[Record]) -> Path:
    """The same as Parquet, a column for each name with one type. MissingExtra without pyarrow."""
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        if re.search("map segment|allocate memory", str(error)):  # it is there, and the memory for it is not
            raise MemoryError(str(error)) from error
        raise MissingExtra("pyarrow", "parquet", "A Parquet file") from error
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: _column(arrow, [record.get(name) for record in records]) for name in names}
    data = io.BytesIO()
    parquet.write_table(arrow.table(columns), data)
    atomic_write(path, data.getvalue())
    return path


def _column(arrow: Any, values: list[Any]) -> Any:
    """Of one type: numbers beside texts, or larger than 64 bits, become texts."""
    try:
        return arrow.array(values)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError):
        return arrow.array([None if value is None else str(value) for value in values])


def append_checked(path: Path, *contents: Mapping[str, Any], key: str = "") -> None:
    """Lines with their checksums, on disk on return; a line before them that a kill broke off is ended first."""
    try:
        with os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), "r+b") as file:
            if file.seek(0, os.SEEK_END) and not _ends_whole(file):
                file.write(b"\n")
            file.write("".join(f"{checked_line(dict(content), key)}\n" for content in contents).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(path, error) from error


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _ends_whole(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
