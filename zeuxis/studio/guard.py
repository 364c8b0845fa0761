"""Who may talk to the studio: this computer's own pages only, whatever other pages its user visits.

A page on the Web can send requests to 127.0.0.1, and by DNS rebinding with a name of its own (Jackson et al.,
"Protecting browsers from DNS rebinding attacks", 2007); web sockets know no same-origin policy (RFC 6455, section
10.2). So the Host and the Origin of every request and web socket are compared with the studio's own, before anything
else hears of it. Beyond the loopback address a token, new at each start, is asked for as well.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, unquote

from zeuxis.storage.reading import printable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)
MOST_BYTES = 65_000_000  # of one request: an uploaded picture and the form around it
COOKIE = "zeuxis-studio"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
READING = ("GET", "HEAD")
# NiceGUI writes inline scripts and styles into its pages, and Vue compiles templates in the browser ('unsafe-eval').
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
REFUSED = {
    400: "This address is not one of the studio.",
    401: "Open the studio with the whole address that it printed at its start: it ends in a token.",
    403: "The studio answers its own pages only.",
    411: "Expected a request that says how long it is.",
    413: f"Expected at most {MOST_BYTES:,} bytes.",
}


def is_loopback(host: str) -> bool:
    """Whether nobody but this computer can reach `host`."""
    return host in LOOPBACK


def own_hosts(port: int) -> list[str]:
    """What the Host header of a page of this computer says."""
    return [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"]


def own_origins(hosts: Sequence[str]) -> list[str]:
    """The origins of pages under these hosts."""
    return [f"http://{host}" for host in hosts]


class Guard:
    """ASGI middleware around the whole of an application.

    `hosts` are the only values of the Host header. With a `token` any host is one, and every request needs the token:
    once as `?token=` in an address, which is answered with a cookie that carries it from then on.
    """

    def __init__(self, app: App, hosts: Sequence[str], token: str = "") -> None:
        self.app, self.hosts, self.token = app, tuple(hosts), token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass, with safe headers in the answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused == 401 and scope["type"] == "http" and self._offers_token(scope):
            await _answer(send, 303, b"", [(b"location", b"/"), (b"set-cookie", self._cookie())])
        elif refused and scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif refused:
            await _answer(send, refused, REFUSED[refused].encode())
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self._answered(scope, receive, _with_headers(send))

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that the pages cannot make sense of is told in a line; status 500 was sent below."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            why = printable(f"{type(error).__name__}: {error}")[:200]
            _log.warning("A request was not answered: %s %s: %s", scope["method"], printable(scope["path"])[:100], why)
            _log.debug("The request that was not answered", exc_info=True)

    def _refused(self, scope: Scope) -> int:
        """The status that refuses this request, 0 where it may pass."""
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or not (self.token or hosts[0].lower() in self.hosts):
            return 400
        if not _plain(scope):
            return 400
        own = own_origins([hosts[0].lower()] if self.token else self.hosts)
        if any(origin.lower() not in own for origin in _values(scope, b"origin")) or _from_elsewhere(scope):
            return 403
        if self.token and not self._has_token(scope):
            return 401
        if scope["type"] == "http" and scope["method"] not in READING:
            return _too_long(scope)
        return 0

    def _has_token(self, scope: Scope) -> bool:
        for header in _values(scope, b"cookie"):
            try:
                found = SimpleCookie(header).get(COOKIE)
            except CookieError:
                continue
            if found is not None and hmac.compare_digest(found.value.encode(), self.token.encode()):
                return True
        return False

    def _offers_token(self, scope: Scope) -> bool:
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])
        return scope["method"] in READING and hmac.compare_digest(given[0].encode(), self.token.encode())

    def _cookie(self) -> bytes:
        return f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/".encode()


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _from_elsewhere(scope: Scope) -> bool:
    """Whether a browser says that a page of another origin asks. A link that a person follows is no such request."""
    sites = _values(scope, b"sec-fetch-site")
    if not any(site not in ("same-origin", "none") for site in sites):
        return False
    follows = _values(scope, b"sec-fetch-mode") == ["navigate"] and _values(scope, b"sec-fetch-dest") == ["document"]
    return not (follows and scope["type"] == "http" and scope["method"] in READING)


def _plain(scope: Scope) -> bool:
    """Whether a path goes down only, however often it is encoded."""
    path = scope.get("raw_path", b"").decode("latin-1") or scope["path"]
    for _ in range(4):
        if "\\" in path or "\0" in path or ".." in path.split("/"):
            return False
        path = unquote(path)
    return True


def _too_long(scope: Scope) -> int:
    if _values(scope, b"transfer-encoding"):
        return 411
    lengths = _values(scope, b"content-length")
    if any(not length.isdecimal() or len(length) > 15 for length in lengths):
        return 400
    return 413 if any(int(length) > MOST_BYTES for length in lengths) else 0


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", []) if pair[0].lower().decode("latin-1") not in HEADERS]
            message["headers"] = [*kept, *_encoded(HEADERS.items())]
        await send(message)

    return sending


async def _answer(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    head = [*plain, *headers, *_encoded(HEADERS.items())]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def _encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in pairs]
