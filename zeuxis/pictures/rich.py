"""What Jupyter shows of a run: a small table beside pictures, as one piece of HTML with everything in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

STYLE = "display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start;font-family:sans-serif"


def card(title: str, facts: Mapping[str, object], pictures: Mapping[str, bytes], width: int = 480) -> str:
    """A title, facts by name and PNGs by their description, each at most `width` pixels wide. All text is escaped."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in facts.items()
    )
    shown = "".join(
        f'<img alt="{escape(about, quote=True)}" style="max-width:{width}px;width:100%" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
        for about, png in pictures.items()
    )
    return f'<div style="{STYLE}"><div><b>{escape(title)}</b><table>{rows}</table></div>{shown}</div>'
