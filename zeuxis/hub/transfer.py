"""One file over HTTP into NAME.part: resumed only where it is known to be the same file, whole only when it surely is.

Beside it NAME.part.json keeps what the server called the file (ETag or date), how long it is, and the SHA-256 of what
had come when it was last written. A .part that does not fit it, or has none, is begun anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zeuxis import __version__
from zeuxis.hub.catalogue import File
from zeuxis.hub.network import DownloadFailed, first_line
from zeuxis.storage.files import unwritable

CHUNK = 2**20
TRIES = 5  # that bring nothing, one after the other
MOST_TRIES = 200  # in all, of a server that sends a little each time
TRIES_UNHEARD = 2  # of a server that has never sent anything
TIMEOUT = 30.0  # seconds without a byte
SLOWEST, SLOW_FOR = 1000.0, 60.0  # bytes a second on the average of so many seconds
NOTED_EVERY = 64 * 2**20  # bytes between two notes of how far it is
AGAIN = (408, 425, 429, 500, 502, 503, 504)  # answers after which another try may help

Progress = Callable[[str, int, int | None], object]  # file, bytes so far, bytes in all


class _Cut(Exception):
    """The connection ended before the file did."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To http and https only, and never from https to http."""

    max_redirections = 6

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """None of the other schemes that urllib knows."""
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise DownloadFailed(f"{req.full_url} redirects to {newurl[:120]!r}, which is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def transfer(file: File, part: Path, progress: Progress | None) -> str:
    """All bytes into `part`, with as many tries as it takes while each brings some; the SHA-256 of them.

    DownloadFailed where they do not come, or it cannot be known that they all came; RunUnwritable on a full disk.
    """
    tries, most = 0, TRIES_UNHEARD
    for _ in range(MOST_TRIES):
        before = _size(part)
        try:
            return attempt(file, part, progress)
        except _Cut as error:
            reason, most = str(error), TRIES
        except urllib.error.HTTPError as error:
            error.close()
            reason, most = f"the server answers {error.code} {first_line(error.reason)}", TRIES
            if error.code == 416:  # what we have is longer than the file, or not of it: begin again
                discard(part)
            elif error.code not in AGAIN:
                raise DownloadFailed(f"{file.url}: {reason}. The file may have moved; see docs/models.md.") from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
            cause = getattr(error, "reason", error)
            reason = first_line(cause)
            if isinstance(cause, ssl.SSLCertVerificationError):  # no later try will be trusted either
                raise DownloadFailed(f"{file.url}: its certificate is not trusted ({reason}).") from error
        except OSError as error:
            raise unwritable(part, error) from error
        tries = 0 if _size(part) > before else tries + 1
        if tries >= most:
            break
        time.sleep(min(8.0, float(os.environ.get("ZEUXIS_RETRY_SECONDS", "0.5")) * 2**tries))
    kept = "What has come is kept: the same command goes on from there." if _size(part) else "Nothing has come of it."
    raise DownloadFailed(f"{file.url}: {reason}. {kept}")


def attempt(file: File, part: Path, progress: Progress | None) -> str:
    """One request; the SHA-256 of the whole file. _Cut, or what urllib raises, where it does not come whole."""
    note, digest = _begun(file, part)
    start = note["bytes"]
    headers = {"User-Agent": f"zeuxis/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if note["validator"]:
            headers["If-Range"] = note["validator"]
    opener = urllib.request.build_opener(_Redirects)  # proxies as the environment says
    with opener.open(urllib.request.Request(file.url, headers=headers), timeout=TIMEOUT) as reply:
        _check_reply(file, reply)
        if start and reply.status != 206:  # the server sends all of it again, or the file has changed
            start, digest = 0, hashlib.sha256()
        total = _total(reply, start)
        name = _validator(reply)
        other = name != note["validator"] if name else None not in (total, note.get("total")) and total != note["total"]
        if start and other:
            discard(part)
            raise _Cut("the file was changed on the server while it was fetched")
        if file.bytes is not None and total not in (None, file.bytes):
            raise DownloadFailed(f"{file.url} has {total:,} bytes, expected {file.bytes:,}: it is another file now.")
        ended = total is not None or getattr(reply, "chunked", False)  # whether the reply says where its end is
        if not ended and file.bytes is None and file.sha256 is None:
            raise DownloadFailed(
                f"{file.url}: the server does not say how long the file is, so that it cannot be known whether all of "
                "it came. Fetch it in another way."
            )
        note = {"url": file.url, "validator": name or (note["validator"] if start else ""), "total": total}
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            out.truncate()
            try:
                done = _copy(reply, out, start, total, file, progress, digest, note)
            finally:
                out.flush()
                os.fsync(out.fileno())
    found = str(digest.hexdigest())
    wanted = total if total is not None else file.bytes
    if wanted is not None and done < wanted:
        raise _Cut("the connection was cut")
    if file.sha256 is not None and found != file.sha256 and (start or not ended):
        discard(part)  # of two states of the file, or not all of it
        raise _Cut("what came is not the file that it should be")
    return found


def discard(part: Path) -> None:
    """What has come of a file is gone."""
    for path in (part, _note_path(part)):
        path.unlink(missing_ok=True)


def _copy(reply: Any, out: Any, done: int, total: int | None, file: File, progress: Progress | None, digest: Any,
          note: dict[str, Any]) -> int:  # fmt: skip
    """The bytes of a reply behind the `done` that are there; how many there are then. _Cut at what is no proper end."""
    most = file.bytes if file.bytes is not None else total
    noted, seen, since = done, done, time.monotonic()
    _write_note(out.name, note, done, digest)  # while there is room for it
    try:
        while True:
            chunk, cut = _read(reply)
            if done == 0 and chunk.lstrip()[:1] == b"<" and not file.name.endswith((".json", ".txt")):
                raise DownloadFailed(f"{file.url} answers with a web page, not with a file. It may need a log-in.")
            done += len(chunk)
            if most is not None and done > most:
                done = 0  # none of it is to be trusted
                raise DownloadFailed(f"{file.url} sends more than the {most:,} bytes it should have.")
            try:
                out.write(chunk)
                out.flush()
            except OSError:
                done -= len(chunk)
                raise
            digest.update(chunk)
            if progress is not None:
                progress(file.name, done, most)
            if cut:
                raise _Cut(cut)
            if not chunk:
                return done
            if time.monotonic() - since > SLOW_FOR:
                if done - seen < SLOWEST * SLOW_FOR:
                    raise DownloadFailed(
                        f"{file.url} sends less than {SLOWEST / 1000:g} kB a second. What has come is kept: the same "
                        "command goes on from there."
                    )
                seen, since = done, time.monotonic()
            if done - noted >= NOTED_EVERY:
                noted = done
                _write_note(out.name, note, done, digest)
    finally:
        _write_note(out.name, note, done, digest)


def _read(reply: Any) -> tuple[bytes, str]:
    """A chunk, and why it is the last although the file has not ended ("" where it has not been cut)."""
    try:
        return reply.read1(CHUNK), ""  # what is there, rather than to wait for all of it
    except http.client.IncompleteRead as error:
        return bytes(error.partial), "the connection was cut"
    except (http.client.HTTPException, ValueError) as error:  # ValueError: a chunk whose length is no number
        return b"", f"the reply is damaged ({first_line(error)})"
    except OSError as error:  # of the network: nothing is written here
        return b"", f"the connection was cut ({first_line(error)})"


def _check_reply(file: File, reply: Any) -> None:
    if "text/html" in (reply.headers.get("Content-Type") or ""):
        raise DownloadFailed(f"{file.url} answers with a web page, not with a file. It may need a log-in.")
    coding = (reply.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding != "identity":
        raise DownloadFailed(f"{file.url} comes compressed ({coding[:40]}), though it was asked for as it is.")
    if reply.status not in (200, 206):
        raise DownloadFailed(f"{file.url}: the server answers {reply.status}, which is no file.")


def _total(reply: Any, start: int) -> int | None:
    """Bytes of the whole file, as the server says."""
    spread = reply.headers.get("Content-Range", "")
    if reply.status == 206:
        place, _, total = spread.removeprefix("bytes ").partition("/")
        if place.partition("-")[0].strip() != str(start):
            raise DownloadFailed(f"The server sends bytes {place[:40] or 'of no known place'}, asked from {start}.")
        if total.isdigit():
            return int(total)
    if getattr(reply, "chunked", False):  # what Content-Length says does not count then
        return None
    length = reply.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def _validator(reply: Any) -> str:
    """What the server calls this state of the file: a strong ETag, else its date; "" for neither."""
    tag = (reply.headers.get("ETag") or "").strip()
    return tag if tag and not tag.startswith("W/") else (reply.headers.get("Last-Modified") or "").strip()


def _begun(file: File, part: Path) -> tuple[dict[str, Any], Any]:
    """What is known of the `.part` that is here, and the hash of its bytes; none of it where it is not to be trusted.

    Without a name of the server's for the file and without a hash of it to come, two tries may be of two files.
    """
    fresh: dict[str, Any] = {"bytes": 0, "validator": ""}
    try:
        note = json.loads(_note_path(part).read_text(encoding="utf-8"))
        size, validator, wanted = int(note["bytes"]), str(note["validator"]), note["sha256"]
        if note["url"] == file.url and 0 < size <= _size(part) and (validator or file.sha256):
            digest, left = hashlib.sha256(), size
            with part.open("rb") as come:
                while left and (chunk := come.read(min(CHUNK, left))):
                    digest.update(chunk)
                    left -= len(chunk)
            if not left and digest.hexdigest() == wanted:
                return {"bytes": size, "validator": validator, "total": note.get("total")}, digest
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # no note, or none of ours
    with contextlib.suppress(OSError):
        discard(part)
    return fresh, hashlib.sha256()


def _write_note(part: str, note: dict[str, Any], done: int, digest: Any) -> None:
    """How far it is. On a full disk it takes the room of the note that is there; a damaged one counts as none."""
    place = _note_path(Path(part))
    fresh = place.with_name(f"{place.name}.new")
    text = json.dumps(note | {"bytes": done, "sha256": digest.hexdigest()})
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
            with place.open("r+", encoding="utf-8") as old:
                old.write(f"{text:<{os.fstat(old.fileno()).st_size}}")


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
