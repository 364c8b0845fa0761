"""Words as the text towers expect them: entities, curly quotes and mis-decoded letters put right (as ftfy does)."""

from __future__ import annotations

import html
import unicodedata

QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "′": "'", "″": '"'}
)
LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
BROKEN = ("Ã", "Â", "â€", "ðŸ", "Ä", "Å", "Ð")  # what UTF-8 looks like when it was read as Windows-1252


def tidy(text: str) -> str:
    """Clean text. Entities are unescaped twice, because captions on the web often are escaped twice."""
    text = html.unescape(html.unescape(text))
    text = _decoded(text).translate(QUOTES).translate(LIGATURES)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _decoded(text: str) -> str:
    """Undo a wrong decoding, where the text shows the marks of one and can be read the other way."""
    for _ in range(2):
        if not any(mark in text for mark in BROKEN):
            break
        for encoding in ("cp1252", "latin-1"):
            try:
                text = text.encode(encoding).decode("utf-8")
                break
            except (UnicodeEncodeError, UnicodeDecodeError):
                continue
        else:
            break
    return text
