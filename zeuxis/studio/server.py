"""The server: pages of NiceGUI behind the guard, on one socket that is bound before anything is loaded."""

from __future__ import annotations

import contextlib
import importlib
import secrets
import socket
import threading
import time
import warnings
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zeuxis.errors import BadInput, MissingExtra
from zeuxis.storage.places import check_folder_place
from zeuxis.studio.guard import Guard, is_loopback, own_hosts, own_origins

PORT, TRIED = 8350, 20  # the first port that is tried, and how many after it
OWN = Path(__file__).parent / "static"


def serve(
    runs: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    show: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Serve the studio until it is interrupted; a search under way is stopped then, and kept.

    `port` None: the first free one from 8350 on. BadInput where the address cannot be used, MissingExtra without
    NiceGUI.
    """
    import_nicegui()
    check_folder_place(runs, "--runs")
    listening = bind(host, port)
    port = int(listening.getsockname()[1])
    token = "" if is_loopback(host) else secrets.token_urlsafe(24)
    import uvicorn

    warnings.filterwarnings("ignore", category=FutureWarning, module=r"nicegui\..*")  # it looks at objects of torch
    from zeuxis.studio.state import Studio

    studio = Studio(runs)
    guarded = build(studio, host, port, token)
    address = f"http://{'127.0.0.1' if is_loopback(host) else _named(host)}:{port}/" + (token and f"?token={token}")
    config = uvicorn.Config(guarded, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=3)
    server = uvicorn.Server(config)
    say(f"The studio is at {address}  (Ctrl-C ends it)")
    if token:
        say("Whoever has this address can use the studio. The connection is not encrypted.")
    studio.preload()
    studio.runner.start()
    if show:
        threading.Thread(target=_open, args=(server, address), daemon=True).start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        listening.close()
        if studio.live.status.busy or studio.plots.running:
            say("Stopping the search; what it has is kept.")
        studio.close()


def build(studio: Any, host: str, port: int, token: str) -> Guard:
    """The whole application: pages and pictures of a `Studio` behind the guard."""
    from fastapi import FastAPI
    from nicegui import app, ui

    from zeuxis.studio.pages import register

    own = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    close_sockets(port, token)
    app.add_static_files("/own", OWN)
    register(studio)
    how: dict[str, Any] = {"tailwind": False, "show_welcome_message": False, "reconnect_timeout": 20}
    ui.run_with(own, title="Zeuxis studio", dark=None, language="en-US", **how)
    return Guard(own, own_hosts(port), token)


def close_sockets(port: int, token: str = "") -> None:
    """Let web sockets of this studio's own pages in only: NiceGUI lets in those of any page (`*`).

    `nicegui.core.sio` is internal to it; a test fails when it goes away.
    """
    from nicegui import core

    if token:
        core.sio.eio.cors_allowed_origins = _same_host
    else:
        core.sio.eio.cors_allowed_origins = own_origins(own_hosts(port))


def import_nicegui() -> None:
    """MissingExtra without the package that draws the pages."""
    try:
        importlib.import_module("nicegui")
    except ImportError as error:
        raise MissingExtra("nicegui", "studio", "The studio") from error


def bind(host: str, port: int | None) -> socket.socket:
    """A listening socket. BadInput where there can be none."""
    tried = range(PORT, PORT + TRIED) if port is None else [port]
    reason = ""
    for number in tried:
        try:
            kind = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            listening = socket.socket(kind[0], kind[1])
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind(kind[4])
                listening.listen(128)
            except OSError:
                listening.close()
                raise
            return listening
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
    where = f"{host}:{port}" if port is not None else f"{host}, ports {PORT} to {PORT + TRIED - 1}"
    raise BadInput(f"Cannot listen on {where}: {reason}. Give another one with --port or --host.")


def _same_host(origin: str, environ: dict[str, Any]) -> bool:
    """Whether a socket is asked for by a page of the very host that it is asked of."""
    return bool(origin == f"http://{environ.get('HTTP_HOST', '')}")


def _named(host: str) -> str:
    """A host for an address: the name of this computer where it listens on all of its addresses."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _open(server: Any, address: str) -> None:
    """Open a browser when the server answers."""
    for _ in range(600):
        if server.started:
            webbrowser.open(address)
            return
        time.sleep(0.05)
