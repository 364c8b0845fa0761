"""The studio under load: what a search costs while N tabs watch it, over the same search without a studio.

    python benchmarks/studio.py --tabs 20 --generations 12
    python benchmarks/studio.py --generator toy --scorer toy --judge toy --population 16 --generations 200

A search runs in turns alone, watched, watched, alone, in one process; the tabs are web sockets in a process of their
own, which answer as a browser does and fetch every picture that they are told of. The loop is timed, from its first
generation to its last, without loading and the report. `efficiency` is the processor time of the search's thread alone
over that while it is watched, what pages cost the search itself: of the fastest turn of each, which other work on the
machine disturbs least, and (`median`) over the rounds. `wall` is the median in seconds passed, and `process` in the
processor time of all threads, the server's with it: those two depend on how many cores are free.
Every message carries a number; `lost` counts those that a tab did not get, `behind` the tabs whose last line is not
that of the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

QUERY = re.compile(r"query: \{'client_id': '([0-9a-f-]+)', 'next_message_id': (\d+)")
SHEET = re.compile(r"/live/sheet/\d+\.jpg")


class Tab:
    """One tab: what it has heard."""

    def __init__(self, number: int, port: int) -> None:
        self.number, self.address = number, f"http://127.0.0.1:{port}"
        self.fetching: set[asyncio.Task[None]] = set()
        self.expected, self.messages, self.lost, self.pictures, self.line = 0, 0, 0, 0, ""

    async def open(self, session: Any) -> None:
        """Load the page and its socket."""
        import socketio

        async with session.get(f"{self.address}/") as answer:
            found = QUERY.search(await answer.text())
        assert found is not None, "NiceGUI writes its pages in another way"
        self.session, self.expected = session, int(found[2])
        self.sio = socketio.AsyncClient(reconnection=False)
        for name in ("update", "run_javascript", "notify", "download", "open", "load_js_components"):
            self.sio.on(name, partial(self.hear, name))
        told = f"client_id={found[1]}&next_message_id={found[2]}&implicit_handshake=true"
        told += f"&document_id=d{self.number}&tab_id=t{self.number}&old_tab_id="
        await self.sio.connect(
            f"{self.address}/?{told}", socketio_path="/_nicegui_ws/socket.io", transports=["websocket"]
        )

    async def hear(self, name: str, message: dict[str, Any]) -> None:
        """Count a message, and do what it asks for."""
        number = message.pop("_id", self.expected)
        self.lost += number - self.expected
        self.expected, self.messages = number + 1, self.messages + 1
        if name == "update":
            lines = [e["text"] for e in message.values() if e and "zx-line" in (e.get("class") or ())]
            self.line = lines[-1] if lines else self.line
        elif found := SHEET.search(message.get("code", "")):
            task = asyncio.create_task(self.fetch(found[0]))
            self.fetching.add(task)
            task.add_done_callback(self.fetching.discard)

    async def fetch(self, path: str) -> None:
        """A picture, as the page would."""
        async with self.session.get(self.address + path) as answer:
            self.pictures += len(await answer.read()) > 1000


async def watch(port: int, count: int) -> None:
    """Open the tabs, say so, and report when a line comes in."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        tabs = [Tab(number, port) for number in range(count)]
        for tab in tabs:
            await tab.open(session)
        print("open", flush=True)
        await asyncio.sleep(float(await asyncio.to_thread(sys.stdin.readline)))
        names = ("messages", "lost", "pictures", "line")
        print(json.dumps([{name: getattr(tab, name) for name in names} for tab in tabs]), flush=True)
        for tab in tabs:
            await tab.sio.disconnect()


def served(runs: Path) -> tuple[Any, int, Any]:
    """A studio with its server in a thread: the studio, its port, the server."""
    import uvicorn

    from zeuxis.studio.server import bind, build
    from zeuxis.studio.state import Studio

    studio, listening = Studio(runs), bind("127.0.0.1", 0)
    port = int(listening.getsockname()[1])
    config = uvicorn.Config(build(studio, "127.0.0.1", port, ""), log_level="warning", ws="websockets-sansio")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    while not server.started:
        time.sleep(0.02)
    return studio, port, server


class Timed:
    """Clocks at the beginning and at the end of the loop of a listener, in the search's own thread."""

    def __init__(self, listener: Any) -> None:
        self.taken: list[float] = []
        opened, ended = listener.opened, listener.ended

        def begin(session: Any) -> None:
            opened(session)
            self._begun = clocks()

        def end(session: Any) -> None:
            self.taken = [b - a for a, b in zip(self._begun, clocks(), strict=True)]
            ended(session)

        listener.opened, listener.ended = begin, end


def alone(fields: dict[str, Any], place: Path) -> list[float]:
    """Seconds of the thread, passed, and of the process, of a search's loop without a studio."""
    from zeuxis import workflows

    listener = workflows.Listener()
    timed = Timed(listener)
    thread = threading.Thread(target=lambda: workflows.generate(out=place, listener=listener, **fields))
    thread.start()
    thread.join()
    return timed.taken


def watched(studio: Any, port: int, tabs: int, fields: dict[str, Any]) -> tuple[list[float], list[dict[str, Any]]]:
    """The same of a search of the studio while tabs watch it, and what the tabs say."""
    from zeuxis.studio import live

    command = [sys.executable, __file__, "--watch", str(port), str(tabs)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    assert child.stdout.readline().strip() == "open"
    timed: list[Timed] = []

    class Hearing(live.Hearing):
        """The studio's own, timed."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            timed.append(Timed(self))

    inner, live.Hearing = live.Hearing, Hearing  # type: ignore[misc]
    try:
        studio.live.start(**fields)
        studio.live.wait()
    finally:
        live.Hearing = inner  # type: ignore[misc]
    child.stdin.write("3\n")  # seconds for the last update to come through
    child.stdin.flush()
    said = json.loads(child.stdout.readline())
    child.wait(30)
    return timed[0].taken, said


def clocks() -> tuple[float, float, float]:
    """Processor seconds of this thread, seconds passed, processor seconds of the process."""
    return time.thread_time(), time.perf_counter(), time.process_time()


def measure(fields: dict[str, Any], tabs: int, rounds: int) -> dict[str, Any]:
    """Figures of all rounds."""
    from zeuxis.studio.live import DEFAULTS

    fields = {**DEFAULTS, "seed": 1, **fields}
    with tempfile.TemporaryDirectory() as folder:
        studio, port, server = served(Path(folder) / "runs")
        alone(fields | {"generations": 2}, Path(folder) / "warm")
        rows, said, threads = [], [], []
        for turn in range(rounds):
            first = alone(fields, Path(folder) / f"a{turn}")
            second, heard = watched(studio, port, tabs, fields)
            third, again = watched(studio, port, tabs, fields)
            last = alone(fields, Path(folder) / f"b{turn}")
            rows.append([(first[k] + last[k]) / (second[k] + third[k]) for k in range(3)])
            threads.append((min(first[0], last[0]), min(second[0], third[0])))
            said += [*heard, *again]
        server.should_exit = True
        studio.close()
    thread, wall, process = (statistics.median(row[k] for row in rows) for k in range(3))
    return {
        "efficiency": min(a for a, _ in threads) / min(b for _, b in threads),
        "median": thread,
        "rounds": [row[0] for row in rows],
        "wall": wall,
        "process": process,
        "tabs": len(said),
        "lost": sum(one["lost"] for one in said),
        "behind": sum(not one["line"].startswith("Done") for one in said),
        "messages_a_tab": statistics.mean(one["messages"] for one in said),
        "pictures_a_tab": statistics.mean(one["pictures"] for one in said),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generator", default="pocket")
    parser.add_argument("--scorer", default="pocket")
    parser.add_argument("--judge", default="pocket")
    parser.add_argument("--population", type=int, default=64)
    parser.add_argument("--generations", type=int, default=12)
    parser.add_argument("--watch", type=int, nargs=2, metavar=("PORT", "COUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    args = parser.parse_args()
    if args.watch:
        asyncio.run(watch(*args.watch))
        return
    torch.set_num_threads(1)
    fields = {"prompt": "a red truck", "generator": args.generator, "scorer": (args.scorer,), "judge": args.judge}
    fields |= {"population": args.population, "generations": args.generations}
    figures = measure(fields, args.tabs, args.rounds)
    for name, value in figures.items():
        print(f"{name:>18}  {value}")
    if args.out:
        figures |= {"fields": {name: str(value) for name, value in fields.items()}, "load": os.getloadavg()}
        args.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
