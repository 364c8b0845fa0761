"""The page of a study: tables, figures and pictures in one file without scripts or requests; and tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zeuxis.pictures.writing import data_uri
from zeuxis.report.html import PAGES
from zeuxis.storage.files import atomic_write

WIDEST = 28  # letters of a cell on the terminal


@dataclass(frozen=True)
class TableView:
    """One table as people read it: `words` explain it, `file` is the CSV with its numbers. Cells are texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str = ""
    file: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [list(row) for row in self.rows]
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": rows,
            "words": self.words,
            "file": self.file,
        }


@dataclass(frozen=True)
class Shown:
    """A figure or an image grid: PNG or JPEG as data, what it shows in words for those who cannot see it, a caption."""

    data: str
    about: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with sentences, tables, figures, and pictures side by side. Empty parts are left out."""

    title: str
    words: tuple[str, ...] = ()
    tables: tuple[TableView, ...] = ()
    figures: tuple[Shown, ...] = ()
    pictures: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Page:
    """All that a page says. `made` are pairs of what and how; `files` names beside it."""

    brand: str
    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    command: str
    made: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = field(default_factory=tuple)


def write_page(folder: Path, page: Page) -> Path:
    """`report.html` of a study."""
    path = folder / "report.html"
    atomic_write(path, PAGES.get_template("evaluation.html").render(page=page).encode("utf-8", "replace"))
    return path


def png(data: bytes, about: str, caption: str = "") -> Shown:
    """A figure of PNG bytes."""
    return Shown(data_uri("png", data), about, caption)


def counted(number: int, noun: str, nouns: str = "") -> str:
    """ "1 phrase", "2 phrases"."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


def figure(value: float | None) -> str:
    """A number in a cell: four digits that count, "–" for none."""
    return "–" if value is None else f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def as_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal, columns aligned; long cells are cut."""
    lines = [[_cut(str(cell)) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[k]) for row in lines if k < len(row)) for k in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in lines]
    return "\n".join([*([title] if title else []), *text])


def _cut(cell: str) -> str:
    return cell if len(cell) <= WIDEST else f"{cell[: WIDEST - 1]}…"
