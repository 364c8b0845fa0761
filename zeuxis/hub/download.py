"""Downloads of catalogue files: resumed where they were cut, checked before they are used, never half there.

A file is written to NAME.part; what is there of it is asked for no more (HTTP Range). Only when size and hash are right
does it get its name.
"""

from __future__ import annotations

import http.client
import logging
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zeuxis import __version__
from zeuxis.errors import BadInput, MissingExtra, MissingModel, WeightsRefused
from zeuxis.hub import cache
from zeuxis.hub.catalogue import File, Model, size_in_words
from zeuxis.hub.network import DownloadFailed, check_contact, first_line, switched_off

CHUNK = 2**20
TRIES = 5  # that bring nothing, one after the other
TRIES_UNHEARD = 2  # of a server that has never sent anything
TIMEOUT = 30.0  # seconds without a byte
PATTERNS = ["config.json", "*.safetensors", "tokenizer*.json", "vocab.json", "merges.txt", "spiece.model",
            "tokenizer.model", "preprocessor_config.json", "processor_config.json", "open_clip_config.json",
            "special_tokens_map.json"]  # fmt: skip

Progress = Callable[[str, int, int | None], object]  # file, bytes so far, bytes in all


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To http and https only, and never from https to http."""

    max_redirections = 6

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """None of the other schemes that urllib knows."""
        old, new = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise DownloadFailed(f"{req.full_url} redirects to {newurl[:120]!r}, which is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def pull(model: Model, progress: Progress | None = None) -> Path:
    """Fetch every file of a model that is not here yet; the folder they are in. Checks what is here."""
    folder = cache.model_folder(model.name)
    if model.hub is not None:
        return pull_hub(model.hub, model.revision)
    for file in model.files:
        fetch(file, folder / file.name, progress)
    return folder


def fetch(file: File, path: Path, progress: Progress | None = None) -> Path:
    """One file to `path`. DownloadFailed, WeightsRefused (it is not the file it should be), or BadInput (no room)."""
    facts = {"bytes": file.bytes, "sha256": file.sha256, "prefix": file.prefix}
    if path.is_file():
        cache.checked(path, **facts)  # type: ignore[arg-type]
        return path
    if cache.offline():
        raise MissingModel(f"{file.url} was not fetched: {switched_off()}")
    cache.check_writable()
    check_contact(file.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    _room(path.parent, file)
    part = path.with_name(f"{path.name}.part")
    with _Alone(part):
        if not path.is_file():
            _transfer(file, part, progress)
            try:
                digest = cache.checked(part, **facts)  # type: ignore[arg-type]
            except WeightsRefused as error:
                part.unlink()
                raise WeightsRefused(
                    path, f"was downloaded and refused: it {error.reason.partition('.')[0]}"
                ) from error
            part.replace(path)
            cache.record(path, digest)
    return path


def _transfer(file: File, part: Path, progress: Progress | None) -> None:
    """All bytes into `part`, with as many tries as it takes while each brings some."""
    tries, most = 0, TRIES_UNHEARD
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            if _attempt(file, part, before, progress):
                return
            reason, most = "the connection was cut", TRIES
        except urllib.error.HTTPError as error:
            reason, most = f"the server answers {error.code} {error.reason}", TRIES
            if error.code == 416 and before:  # what we have is longer than the file: begin again
                part.unlink()
            elif error.code not in (408, 425, 429, 500, 502, 503, 504):
                raise DownloadFailed(f"{file.url}: {reason}. The file may have moved; see docs/models.md.") from error
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
            cause = getattr(error, "reason", error)
            reason = first_line(cause)
            if isinstance(cause, ssl.SSLCertVerificationError):  # no later try will be trusted either
                raise DownloadFailed(f"{file.url}: its certificate is not trusted ({reason}).") from error
        except OSError as error:
            raise BadInput(f"{part} cannot be written: {error}. Free some space, or set ZEUXIS_CACHE.") from error
        tries = 0 if part.is_file() and part.stat().st_size > before else tries + 1
        if tries >= most:
            raise DownloadFailed(f"{file.url}: {reason}. What has come is kept: the same command goes on from there.")
        time.sleep(min(8.0, _pause() * 2**tries))


def _attempt(file: File, part: Path, start: int, progress: Progress | None) -> bool:
    """One request; True when the file is complete."""
    headers = {"User-Agent": f"zeuxis/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    opener = urllib.request.build_opener(_Redirects)  # proxies as the environment says
    with opener.open(urllib.request.Request(file.url, headers=headers), timeout=TIMEOUT) as reply:
        if "text/html" in (reply.headers.get("Content-Type") or ""):
            raise DownloadFailed(f"{file.url} answers with a web page, not with a file. It may need a log-in.")
        if start and reply.status != 206:  # the server sends all of it again
            start = 0
        total = _total(reply, start)
        if file.bytes is not None and total is not None and total != file.bytes:
            raise DownloadFailed(f"{file.url} has {total:,} bytes, expected {file.bytes:,}: it is another file now.")
        with part.open("r+b" if start else "wb") as out:
            out.seek(start)
            out.truncate()
            done = _copy(reply, out, start, total, file, progress)
            out.flush()
            os.fsync(out.fileno())
    return done == total if total is not None else (file.bytes is None or done == file.bytes)


def _copy(reply: Any, out: Any, done: int, total: int | None, file: File, progress: Progress | None) -> int:
    most = file.bytes if file.bytes is not None else total
    while chunk := _read(reply):
        if done == 0 and chunk.lstrip()[:1] == b"<" and not file.name.endswith((".json", ".txt")):
            raise DownloadFailed(f"{file.url} answers with a web page, not with a file. It may need a log-in.")
        done += len(chunk)
        if most is not None and done > most:
            raise DownloadFailed(f"{file.url} sends more than the {most:,} bytes it should have.")
        out.write(chunk)
        if progress is not None:
            progress(file.name, done, most)
    return done


def _read(reply: Any) -> bytes:
    """A chunk; what came before a cut counts."""
    try:
        chunk: bytes = reply.read(CHUNK)
        return chunk
    except http.client.IncompleteRead as error:
        return bytes(error.partial)
    except (http.client.HTTPException, OSError):  # of the network: nothing is written here
        return b""


def _total(reply: Any, start: int) -> int | None:
    """Bytes of the whole file, as the server says."""
    spread = reply.headers.get("Content-Range", "")
    if reply.status == 206 and "/" in spread:
        place, _, total = spread.removeprefix("bytes ").partition("/")
        if place.partition("-")[0].strip() != str(start):
            raise DownloadFailed(f"The server sends bytes {place[:40]}, asked for those from {start}.")
        return int(total) if total.isdigit() else None
    length = reply.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def pull_hub(name: str, revision: str | None = None, *, local: bool = False) -> Path:
    """The folder of a model on the Hugging Face Hub; `local` only looks at what is here. No programs are fetched."""
    try:
        import huggingface_hub
        from huggingface_hub import constants
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtra("huggingface-hub", "clip", f"The model {name}") from error
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # what its log says, the error says
    here = local or cache.offline()
    try:
        if not here:
            check_contact(constants.ENDPOINT)
        patterns = PATTERNS
        if not here and not any(
            f.endswith(".safetensors") for f in huggingface_hub.list_repo_files(name, revision=revision)
        ):
            patterns = [*PATTERNS, "pytorch_model.bin", "open_clip_pytorch_model.bin"]
        elif here:
            patterns = [*PATTERNS, "*.bin"]
        return Path(
            huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=patterns, local_files_only=here)
        )
    except LocalEntryNotFoundError as error:
        how = f"It was not fetched: {switched_off()}" if cache.offline() else f"Fetch it: zeuxis models pull {name}"
        raise MissingModel(f"The model {name} is not here. {how}") from error
    except (HfHubHTTPError, ValueError) as error:
        raise DownloadFailed(f"The Hub does not give {name}: {first_line(error)}") from error
    except DownloadFailed:
        raise
    except ImportError as error:  # a SOCKS proxy without the package for it
        raise DownloadFailed(f"{name} was not fetched: {first_line(error)}.") from error
    except Exception as error:  # its HTTP client has errors of its own: proxies, certificates, time-outs, a full disk
        raise DownloadFailed(
            f"{name} could not be fetched from the Hub: {first_line(error)}. What has come is kept: the same command "
            "goes on from there."
        ) from error


def _room(folder: Path, file: File) -> None:
    free = shutil.disk_usage(folder).free
    if file.bytes is not None and free < file.bytes:
        raise BadInput(
            f"{file.name} needs {size_in_words(file.bytes)}, {folder} has {size_in_words(free)} left. "
            "Free some space, or set ZEUXIS_CACHE to another folder."
        )


def _pause() -> float:
    return float(os.environ.get("ZEUXIS_RETRY_SECONDS", "0.5"))


class _Alone:
    """One process at a time writes a .part: a lock file beside it, which dies with its holder."""

    def __init__(self, part: Path) -> None:
        self.path = part.with_name(f"{part.name}.lock")

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        try:
            import fcntl
        except ImportError:  # no locks on this system: the last one to finish wins, both have checked what they have
            return
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()
