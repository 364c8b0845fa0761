"""What tests of studies share: small ones of the toys, and a look at whole folders."""

import hashlib
import re
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.pictures.writing import sheet_png

TOY = ("--generator", "toy", "--scorer", "toy", "--population", "4", "--precision", "fp32")


def evaluate(*words):
    """`zeuxis evaluate ...` in this process."""
    return CliRunner().invoke(app, ["evaluate", *map(str, words)], env={"COLUMNS": "200"})


def without_figures(monkeypatch, module):
    """Figures take a second each, and are not what is tested."""
    blank = sheet_png(np.zeros((2, 2, 3), np.uint8))
    for name in [name for name in vars(module) if name.endswith("_png") and name != "grid_png"]:
        monkeypatch.setattr(module, name, lambda *what, **how: blank)


def check_page(path):
    """The text of a page that opens offline: no script, nothing from elsewhere, its policy before its title."""
    text = path.read_text(encoding="utf-8")
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'; img-src data:;", text)
    assert text.index("Content-Security-Policy") < text.index("<title") < text.index("<style")
    assert not re.search(r"<(script|iframe|object|link|form|base)\b|\son\w+=|@import|url\(", text)
    found = re.findall(r"\s(?:src|srcset|href)=\"([^\"]{0,40})", text)
    assert found and all(place.startswith("data:image/") for place in found), found
    return text


def contents(folder, *but):
    """Every file with its content, without those of these names."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name not in (*but, "lock")
    }
