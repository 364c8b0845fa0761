"""What reaches the terminal: all of it goes through here, and none of it moves the cursor or passes for another line.

Prompts, labels, file names and other programs' error texts come from files of strangers. A control character among them
could clear the screen, set the title or type for the user; a mark of direction could turn a path around.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from zeuxis.storage.reading import printable


class Plain(io.TextIOBase):
    """A text stream that writes control characters as `\\x1b`, but for line ends and tabs.

    It has no `buffer`, by which bytes would pass. `inner` is the stream itself, for the program's own colours and bars.
    """

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner

    def write(self, text: str) -> int:
        """Returns how many characters of `text` were taken: all."""
        self.inner.write(printable(text, lines=True))
        return len(text)

    def flush(self) -> None:
        """Of the stream itself."""
        self.inner.flush()

    def isatty(self) -> bool:
        """Of the stream itself."""
        return self.inner.isatty()

    def fileno(self) -> int:
        """Of the stream itself."""
        return self.inner.fileno()

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream itself; where that is ASCII, other letters become '?'."""
        return getattr(self.inner, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """Of the stream itself."""
        return getattr(self.inner, "errors", None)


@contextlib.contextmanager
def plain_output() -> Iterator[None]:
    """Within it standard output and standard error are `Plain`."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Unicode, a name that is no text: a '?'
    out, err = (None if stream is None else cast(TextIO, Plain(stream)) for stream in before)
    sys.stdout, sys.stderr = cast(Any, out), cast(Any, err)
    try:
        yield
    finally:  # what was put there meanwhile stays: after a broken pipe it keeps Python's exit quiet
        if sys.stdout is out:
            sys.stdout = before[0]
        if sys.stderr is err:
            sys.stderr = before[1]


def styled(stream: TextIO) -> TextIO:
    """The stream behind standard output or standard error, for colours and bars. What is not the program's own text
    has to be `printable` there.
    """
    return stream.inner if isinstance(stream, Plain) else stream


def rewrite_line(text: str, last: bool) -> None:
    """A line of progress on standard error that takes the place of the one before; on no terminal the last one alone.
    `text` is printable.
    """
    stream = styled(sys.stderr)
    if stream.isatty():
        stream.write(f"\r\x1b[K{text}" + "\n" * last)
        stream.flush()
    elif last:
        stream.write(f"{text}\n")
