"""What the commands of `command_table.py` read: a run, pictures, a data set, a published file, a server."""

from __future__ import annotations

import base64
import contextlib
import http.server
import shutil
import threading
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PROMPT = "a red disc on white"
RECIPE = """
task = "classifier"
data = "folder"
images = 96
batch = 8
precision = "fp32"
checkpoint_every = 48
report_every = 32
[options]
widths = [4, 4, 4]
lr = 1e-3
"""


class Stock:
    """What the commands read: a run, pictures of it, a data set with a recipe, a published file, a server."""

    def __init__(self, folder: Path) -> None:
        from zeuxis.workflows import Outputs, generate

        self.folder = folder
        toys = {"generator": "toy", "scorer": ("toy",), "judge": "toy", "device": "cpu", "precision": "fp32"}
        small = {"population": 4, "generations": 4, "view_every": 4, "augment": 0, "search": "cma-ga", "seed": 7}
        generate(PROMPT, out=folder / "run", outputs=Outputs(report=False), **toys, **small)
        self.pictures = sorted((folder / "run" / "images").glob("final-*.png"))[:2]
        for name, shade in (("dark", 10), ("light", 200)):
            (folder / "data" / name).mkdir(parents=True)
            for number in range(4):
                path = folder / "data" / name / f"{number}.png"
                Image.new("RGB", (32, 32), (shade + number,) * 3).save(path)
        self.recipe = folder / "tiny.toml"
        self.recipe.write_text(RECIPE)
        self.weights = folder / "network.pkl"
        shutil.copy(ROOT / "tests/fixtures/stylegan2_by_sg3_c0_32px/network.pkl", self.weights)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/network.pkl"

    def close(self) -> None:
        """No more requests."""
        self.server.shutdown()
        self.server.server_close()


PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
DATA = bytes(range(256)) * 2048  # 512 KiB, what the server gives


class _Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        spread = self.headers.get("Range", "")
        start = int(spread.removeprefix("bytes=").rstrip("-")) if spread else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(DATA) - start))
        self.send_header("ETag", '"one"')
        self.end_headers()
        with contextlib.suppress(OSError):
            for at in range(start, len(DATA), 2**15):
                self.wfile.write(DATA[at : at + 2**15])
                time.sleep(0.004)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
