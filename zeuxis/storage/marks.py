"""Marks: what a user of this computer has said himself, recognised when it comes back in a file.

A mark is the HMAC-SHA256 (Krawczyk, Bellare, Canetti, RFC 2104, 1997) of some words under a secret of the user, 32
random bytes that only he can read. Who does not know the secret can make no mark for other words. Without a place for
the secret there are no marks, and whoever asks for one is told so by "".
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from zeuxis.errors import RunUnwritable
from zeuxis.storage.files import atomic_write, make_folder, open_plain

SIZE = 32  # bytes of the secret
DIGITS = 32  # of a mark: 128 bits


def secret_path() -> Path:
    """Where the user's secret is: in `ZEUXIS_DATA`, else in the user's data folder."""
    return Path(os.environ.get("ZEUXIS_DATA") or platformdirs.user_data_dir("zeuxis")) / "secret"


def mark(words: Sequence[str]) -> str:
    """The mark of these words; "" where no secret can be kept. The secret is made when it is first needed."""
    secret = _secret() or _new_secret()
    return _digest(secret, words) if secret else ""


def marked(words: Sequence[str], given: object) -> bool:
    """Whether `given` is the mark that this user has put on these words."""
    secret = _secret()
    if not secret or not isinstance(given, str):
        return False
    return hmac.compare_digest(_digest(secret, words).encode(), given.encode("utf-8", "replace"))


def _digest(secret: bytes, words: Sequence[str]) -> str:
    return hmac.new(secret, json.dumps(list(words)).encode(), hashlib.sha256).hexdigest()[:DIGITS]


def _secret() -> bytes:
    """The secret; b"" where there is none, or others can read or could have written it."""
    with contextlib.suppress(OSError, ValueError):
        handle = open_plain(secret_path(), os.O_RDONLY)
        with os.fdopen(handle, "rb") as file:
            facts, data = os.fstat(handle), file.read(SIZE + 1)
        own = os.name == "nt" or (facts.st_uid == os.getuid() and not stat.S_IMODE(facts.st_mode) & 0o077)
        if own and len(data) == SIZE:
            return data
    return b""


def _new_secret() -> bytes:
    """A secret where there is none; of two processes at once both take the one that came last. b"" where none can be
    kept.
    """
    path = secret_path()
    with contextlib.suppress(OSError, ValueError, RunUnwritable):
        make_folder(path.parent)
        atomic_write(path, secrets.token_bytes(SIZE), mode=0o600)
        return _secret()
    return b""
