"""Downloads of catalogue files: resumed where they were cut, checked before they are used, never half there.

A file is written to NAME.part (zeuxis.hub.transfer). Only when size and hash are right does it get its name; a hash
that nobody published is remembered from the first download, and every later one is held to it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

from zeuxis.errors import MissingExtra, MissingModel, RunUnwritable, WeightsRefused
from zeuxis.hub import cache
from zeuxis.hub.cache import file_sha256
from zeuxis.hub.catalogue import File, Model, size_in_words
from zeuxis.hub.network import DownloadFailed, check_contact, first_line, switched_off
from zeuxis.hub.transfer import Progress, discard, transfer
from zeuxis.storage.files import make_folder, sync, unwritable

PATTERNS = ["config.json", "*.safetensors", "tokenizer*.json", "vocab.json", "merges.txt", "spiece.model",
            "tokenizer.model", "preprocessor_config.json", "processor_config.json", "open_clip_config.json",
            "special_tokens_map.json"]  # fmt: skip


def pull(model: Model, progress: Progress | None = None, *, accept_changed: bool = False) -> Path:
    """Fetch every file of a model that is not here yet; the folder they are in. Checks what is here.

    With `accept_changed` a file that is fetched again may be another than the first time.
    """
    folder = cache.model_folder(model.name)
    if model.hub is not None:
        folder = pull_hub(model.hub, model.revision)
        for file in model.published:
            _check_published(folder / file.name, file)
        return folder
    for file in model.files:
        if accept_changed and not (folder / file.name).exists():
            cache.forget(folder / file.name)
        fetch(file, folder / file.name, progress)
    return folder


def _check_published(path: Path, file: File) -> None:
    """WeightsRefused for a file from the Hub that is not the published one."""
    if path.is_file() and file.sha256 is not None and (digest := file_sha256(path)) != file.sha256:
        reason = f"has sha256 {digest[:12]}..., expected {file.sha256[:12]}.... Delete it and pull it again"
        raise WeightsRefused(path, reason)


def fetch(file: File, path: Path, progress: Progress | None = None) -> Path:
    """One file to `path`. DownloadFailed, WeightsRefused (not the file it should be), RunUnwritable (no room)."""
    if path.is_file():
        cache.checked(path, bytes=file.bytes, sha256=file.sha256, prefix=file.prefix)
        with contextlib.suppress(OSError):
            discard(path.with_name(f"{path.name}.part"))  # of a process that was killed when it was whole
        return path
    if cache.offline():
        raise MissingModel(f"{file.url} was not fetched: {switched_off()}")
    cache.check_writable()
    check_contact(file.url)
    make_folder(path.parent)
    _room(path.parent, file)
    part = path.with_name(f"{path.name}.part")
    with _Alone(part):
        if path.is_file():  # another process has fetched it meanwhile
            cache.checked(path, bytes=file.bytes, sha256=file.sha256, prefix=file.prefix)
            return path
        digest = transfer(file, part, progress)
        reason = _refusal(file, path, digest, part.stat().st_size)
        if reason:
            discard(part)
            raise WeightsRefused(path, f"was downloaded and refused: it {reason}")
        try:
            part.replace(path)
            sync(path.parent)
            discard(part)
        except OSError as error:
            raise unwritable(path, error) from error
        cache.record(path, digest)
    return path


def _refusal(file: File, path: Path, digest: str, size: int) -> str:
    """Why what was downloaded is not the file; "" where it is."""
    if file.bytes is not None and size != file.bytes:
        return f"has {size:,} bytes, expected {file.bytes:,}"
    first = cache.recorded(path)
    known = str(first["sha256"]) if first else ""
    wanted = file.sha256 or known or digest
    if digest == wanted and digest.startswith(file.prefix or ""):
        return ""
    reason = f"has sha256 {digest[:12]}..., expected {(wanted if digest != wanted else file.prefix or '')[:12]}..."
    if not file.sha256 and digest != wanted:
        how = f"zeuxis models pull {path.parent.name} --accept-changed"
        reason += f", as when it was first fetched. To accept the new one: {how}"
    return reason


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
        raise RunUnwritable(
            f"{file.name} needs {size_in_words(file.bytes)}, {folder} has {size_in_words(free)} left. "
            "Free some space, or set ZEUXIS_CACHE to another folder."
        )


class _Alone:
    """One process at a time writes a .part: a lock file beside it, which dies with its holder. A second one waits."""

    def __init__(self, part: Path) -> None:
        self.path = part.with_name(f"{part.name}.lock")

    def __enter__(self) -> None:
        try:
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            import fcntl
        except ImportError:  # no locks on this system: the last one to finish wins, both have checked what they have
            return
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.file)
