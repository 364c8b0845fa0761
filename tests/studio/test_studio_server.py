"""The server as it runs: its web socket and every route against foreign pages, and the part of NiceGUI it leans on."""

import base64
import itertools
import os
import socket
import subprocess
import sys

import pytest
from serving import ask, start, stop

from zeuxis.errors import BadInput, MissingExtra
from zeuxis.studio import server
from zeuxis.studio.guard import own_hosts, own_origins

pytest.importorskip(
    "nicegui", reason="the extra `studio` is not installed: pip install 'zeuxis[studio]'", exc_type=ImportError
)
ROUTES = (
    *("/", "/breed", "/gallery", "/open", "/own/studio.js", "/live/sheet/1.jpg", "/thumb/1.webp", "/full/1.png"),
    *("/queue", "/plots", "/plots?show=..%2F..", "/own/rows.js", "/queued/x.jpg", "/plotted/x/0.jpg"),
    *("/items/x.json?offset=0&limit=9", "/drawn/x.json?offset=0&limit=9"),
    *("/bred/x/1.png", "/dropped/saved.png", "/_nicegui/socket.io/?EIO=4&transport=polling", "/nothing"),
)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """(port, process) of a studio."""
    place = tmp_path_factory.mktemp("studio")
    started = start(place)
    yield started
    stop(started[1])


def handshake(port, origin=None, host=None):
    """The first line of the answer to the handshake of a web socket."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1", f"Host: {host or f'127.0.0.1:{port}'}"]
    lines += ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    lines += [f"Origin: {origin}"] if origin else []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as to:
        to.sendall("\r\n".join([*lines, "", ""]).encode())
        return to.recv(100).split(b"\r\n")[0].decode()


def test_nicegui_still_has_what_keeps_foreign_sockets_out():
    from nicegui import core

    assert core.sio.eio.cors_allowed_origins is not None and hasattr(type(core.sio.eio), "_cors_allowed_origins")
    before = core.sio.eio.cors_allowed_origins
    try:
        server.close_sockets(8350)
        assert core.sio.eio.cors_allowed_origins == own_origins(own_hosts(8350))
        allowed = core.sio.eio._cors_allowed_origins({"HTTP_HOST": "127.0.0.1:8350", "wsgi.url_scheme": "http"})
        assert "http://127.0.0.1:8350" in allowed and "http://evil.example" not in allowed
        server.close_sockets(8350, "token")
        assert core.sio.eio.cors_allowed_origins("http://a:1", {"HTTP_HOST": "a:1"})
        assert not core.sio.eio.cors_allowed_origins("http://evil.example", {"HTTP_HOST": "a:1"})
    finally:
        core.sio.eio.cors_allowed_origins = before


def test_pages_are_answered_with_safe_headers(studio):
    port = studio[0]
    for path in ("/", "/breed", "/gallery", "/open", "/own/studio.css"):
        status, headers, _ = ask(port, path)
        assert status == 200, path
        assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert ask(port, "/docs")[0] == ask(port, "/openapi.json")[0] == 404


def test_every_route_refuses_a_foreign_origin_and_a_foreign_host(studio):
    port = studio[0]
    for path, method in itertools.product(ROUTES, ("GET", "POST", "PUT", "DELETE", "OPTIONS")):
        assert ask(port, path, method, Origin="http://evil.example")[0] == 403, (method, path)
        assert ask(port, path, method, Host="evil.example")[0] == 400, (method, path)


def test_web_sockets_of_foreign_pages_are_refused(studio):
    port = studio[0]
    assert handshake(port, f"http://127.0.0.1:{port}").startswith("HTTP/1.1 101")
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port + 1}", f"https://127.0.0.1:{port}"):
        assert handshake(port, origin).startswith("HTTP/1.1 403")
    assert handshake(port, f"http://evil.example:{port}", f"evil.example:{port}").startswith("HTTP/1.1 403")


def test_pictures_that_are_not_there_are_not_found(studio):
    port = studio[0]
    for path in ("/thumb/1.webp", "/full/7.png", "/bred/x/1.jpg", "/dropped/saved.png", "/dropped/other.png"):
        assert ask(port, path)[0] == 404, path
    for path in ("/items/x.json?offset=0&limit=9", "/drawn/x.json?offset=0&limit=9", "/drawn/..%2fx.json"):
        assert ask(port, path)[0] in (400, 404), path
    for path in ("/thumb/-1.webp", "/thumb/99999999999999999999.webp", "/thumb/x.webp", "/bred/x/-5.png"):
        assert ask(port, path)[0] in (404, 422), path
    for path in ("/own/..%2fserver.py", "/own/../server.py", "/own/%2e%2e/guard.py", "/own//etc/passwd"):
        assert ask(port, path)[0] in (400, 404), path


def test_beyond_this_computer_only_with_the_token(tmp_path):
    port, process, said = start(tmp_path, "--host", "0.0.0.0")
    try:
        token = said.partition("?token=")[2].split()[0]
        assert len(token) >= 32
        assert [ask(port, path)[0] for path in ROUTES] == [401] * len(ROUTES)
        status, headers, _ = ask(port, f"/?token={token}")
        assert status == 303
        cookie = headers["set-cookie"].partition(";")[0]
        assert ask(port, "/", Cookie=cookie)[0] == 200
        assert handshake(port, f"http://127.0.0.1:{port}").startswith("HTTP/1.1 403")
    finally:
        stop(process)


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    with pytest.raises(MissingExtra, match=r"pip install 'zeuxis\[studio\]'"):
        server.import_nicegui()


def test_a_port_in_use_is_said_and_another_one_is_found(studio):
    with pytest.raises(BadInput, match="--port"):
        server.bind("127.0.0.1", studio[0])
    with server.bind("127.0.0.1", None) as free:
        assert free.getsockname()[1] != studio[0]
    with pytest.raises(BadInput, match="Cannot listen on nowhere"):
        server.bind("nowhere.invalid", 8400)


def test_importing_the_studio_needs_no_nicegui():
    code = "import sys, zeuxis.studio.state, zeuxis.studio.server; sys.exit('nicegui' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
