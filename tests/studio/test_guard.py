"""Who may talk to the studio, asked as an attacker would: another host, another origin, no token, a way up."""

import asyncio
import itertools
import random
from urllib.parse import quote

import pytest

from zeuxis.studio.guard import COOKIE, HEADERS, MOST_BYTES, Guard, own_hosts

PORT = 8350
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
FOREIGN = (
    "http://evil.example", "https://127.0.0.1:8350", "http://127.0.0.1:8351", "http://127.0.0.1", "null",
    "http://127.0.0.1:8350.evil.example", "http://evil.example:8350", "file://", "", "http://localhost:3000",
)  # fmt: skip


def ask(
    path="/",
    method="GET",
    host=f"127.0.0.1:{PORT}",
    token="",
    kind="http",
    query=b"",
    more=(),
    raw=None,
    lifespan=False,
):
    """(status, headers, whether the application was reached); the status of a web socket is 101 or 1008."""
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(scope["path"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"ALLOWALL")]})
            await send({"type": "http.response.body", "body": b"ok"})
        else:
            await send({"type": "websocket.accept"})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode())] if host is not None else []
    headers += [(name.lower().encode(), value.encode()) for name, value in more]
    scope = {"type": kind, "method": method, "path": path, "raw_path": (raw or path).encode(), "headers": headers}
    asyncio.run(Guard(app, own_hosts(PORT), token)(scope | {"query_string": query}, receive, send))
    first = sent[0]
    status = first.get("status") or (101 if first["type"] == "websocket.accept" else first["code"])
    return status, dict(first.get("headers", [])), bool(seen)


@pytest.mark.parametrize("host", ["127.0.0.1:8350", "localhost:8350", "[::1]:8350", "LOCALHOST:8350"])
def test_own_pages_are_answered(host):
    assert ask(host=host)[::2] == (200, True)
    assert ask(host=host, kind="websocket", more=[("Origin", f"http://{host.lower()}")])[::2] == (101, True)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8350", "127.0.0.1:8351", "127.0.0.1", "", "0.0.0.0:8350", None]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_host_is_refused(host, kind):
    assert ask(host=host, kind=kind)[::2] == (400 if kind == "http" else 1008, False)


def test_two_hosts_are_refused():
    assert ask(more=[("Host", "evil.example")])[::2] == (400, False)


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_origin_is_refused_whatever_the_route_and_the_method(origin):
    for method, path in itertools.product(
        METHODS,
        (
            "/",
            "/breed",
            "/gallery",
            "/open",
            "/queue",
            "/plots",
            "/live/sheet/1.jpg",
            "/queued/x.jpg",
            "/plotted/x/0.jpg",
            "/nothing",
        ),
    ):
        assert ask(path, method, more=[("Origin", origin)])[::2] == (403, False)
    assert ask("/_nicegui_ws/socket.io/", kind="websocket", more=[("Origin", origin)])[::2] == (1008, False)


def test_of_two_origins_both_count():
    own = ("Origin", f"http://127.0.0.1:{PORT}")
    assert ask(more=[own])[0] == 200
    assert ask(more=[own, ("Origin", "http://evil.example")])[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_on_another_page_is_not_shown_and_a_link_is_followed(site):
    fetched = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")]
    assert ask("/live/best/1.jpg", more=fetched)[::2] == (403, False)
    framed = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")]
    assert ask(more=framed)[0] == 403
    linked = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert ask(more=linked)[0] == 200
    assert ask(method="POST", more=linked)[0] == 403


def test_every_answer_has_safe_headers_also_a_refusal():
    for answer in (ask(), ask(host="evil.example"), ask(token="t")):
        headers = answer[1]
        assert all(headers[name.encode()] == value.encode() for name, value in HEADERS.items())
    assert b"frame-ancestors 'none'" in ask()[1][b"content-security-policy"]


def encodings():
    """500 ways to write a way up."""
    pick = random.Random(7)
    dots = ["..", "%2e%2e", ".%2e", "%2e.", "%252e%252e", "%2E%2E", "%25252e%25252e"]
    slashes = ["/", "%2f", "%5c", "\\", "%252f", "%255c", "%2F"]
    for _ in range(500):
        depth = pick.randint(1, 6)
        up = "".join(pick.choice(dots) + pick.choice(slashes) for _ in range(depth))
        start = pick.choice(
            [
                "/own/",
                "/thumb/",
                "/full/",
                "/dropped/",
                "/bred/",
                "/queued/",
                "/plotted/",
                "/plotted/x/",
                "/",
                "/_nicegui/3.18.0/static/",
            ]
        )
        yield start + up + pick.choice(["etc/passwd", "run.json", "%00", quote("index.sqlite3")])


def test_no_way_up_is_passed_on():
    assert [path for path in encodings() if ask(path)[2]] == []


def test_a_request_says_how_long_it_is_and_is_not_too_long():
    own = [("Origin", f"http://127.0.0.1:{PORT}")]
    assert ask(method="POST", more=[*own, ("Content-Length", "100")])[0] == 200
    assert ask(method="POST", more=[*own, ("Content-Length", str(MOST_BYTES + 1))])[0] == 413
    assert ask(method="POST", more=[*own, ("Transfer-Encoding", "chunked")])[0] == 411
    assert ask(method="POST", more=[*own, ("Content-Length", "-5")])[0] == 400


def test_beyond_this_computer_a_token_is_asked_for():
    away = {"host": "10.0.0.5:8350", "token": "secret"}
    assert ask(**away)[::2] == (401, False)
    assert ask(**away, query=b"token=wrong")[::2] == (401, False)
    status, headers, reached = ask(**away, query=b"token=secret")
    assert (status, reached, headers[b"location"]) == (303, False, b"/")
    assert b"HttpOnly; SameSite=Strict" in headers[b"set-cookie"]
    carried = [("Cookie", f"other=1; {COOKIE}=secret")]
    assert ask(**away, more=carried)[::2] == (200, True)
    assert ask(**away, more=[("Cookie", f"{COOKIE}=secret2")])[0] == 401
    assert ask(**away, kind="websocket")[0] == 1008
    assert ask(**away, kind="websocket", more=carried)[0] == 101
    assert ask(**away, more=[*carried, ("Origin", "http://evil.example")])[0] == 403
    assert ask(**away, more=[*carried, ("Origin", "http://10.0.0.5:8350")])[0] == 200
