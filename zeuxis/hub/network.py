"""Is there a network? Found out in seconds, and said in a sentence, before anything is fetched."""

from __future__ import annotations

import socket
import threading
import urllib.request
from urllib.parse import urlsplit

from zeuxis.errors import Missing
from zeuxis.hub import cache

CONTACT = 4.0  # seconds for the first contact with a server or a proxy
GRACE = 1.0  # seconds more for looking up its name


class DownloadFailed(Missing):
    """A file could not be fetched; what came of it is kept, and the same command goes on from there."""


def check_contact(url: str) -> None:
    """DownloadFailed, after a few seconds at most, where neither the server of `url` nor its proxy can be reached."""
    parts, what = urlsplit(url), ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    try:
        if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
            parts, what = urlsplit(proxy if "//" in proxy else f"//{proxy}"), "the proxy "
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 1080)
    except ValueError as error:
        raise DownloadFailed(f"Nothing was fetched: the proxy has no address ({error}). Check HTTPS_PROXY.") from error
    reason = _contact(host, port)
    if reason:
        hint = "Check HTTPS_PROXY." if what else "Is there a network? A proxy is named in HTTPS_PROXY."
        raise DownloadFailed(f"Nothing was fetched: {what}{host} cannot be reached ({reason}). {hint}")


def _contact(host: str, port: int) -> str:
    """ "" once a connection could be opened; else why not."""
    found = [f"no answer in {CONTACT:g} seconds"]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONTACT).close()
            found[0] = ""
        except (OSError, ValueError) as error:
            found[0] = first_line(error)

    thread = threading.Thread(target=connect, daemon=True)  # looking up a name knows no time limit of its own
    thread.start()
    thread.join(CONTACT + GRACE)
    return found[0]


def switched_off() -> str:
    """What to say where the offline switch is set: which one, and how to unset it."""
    switch = cache.offline_switch()
    return f"the offline switch {switch} is set. Unset it (unset {switch}) and give the same command again."


def first_line(error: object) -> str:
    """What an error says, in one line of at most 200 characters and without a full stop."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:200].rstrip(".") or type(error).__name__
