"""The catalogue, its cache and its downloads, against a server on this machine that does everything wrong."""

import hashlib
import http.server
import json
import threading
from typing import ClassVar

import pytest

from zeuxis.errors import BadInput, MissingModel, UnknownName, WeightsRefused
from zeuxis.hub import cache, catalogue, download
from zeuxis.hub.catalogue import MODELS, File, Model, find, size_in_words
from zeuxis.hub.locate import locate

DATA = bytes(range(256)) * 4096  # 1 MiB
SHA = hashlib.sha256(DATA).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """`/cut?`, `/lies`, ... each misbehave in their own way; `log` keeps the Range headers."""

    log: ClassVar[list] = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        kind = self.path.strip("/").partition("/")[0]
        spread = self.headers.get("Range")
        Server.log.append((kind, spread))
        start = int(spread.removeprefix("bytes=").rstrip("-")) if spread and kind != "noranges" else 0
        body = DATA[start:]
        if kind in ("redirect", "tofile"):
            self.send_response(302)
            self.send_header("Location", "/good/x" if kind == "redirect" else "file:///etc/hostname")
            self.end_headers()
            return
        if kind.isdigit():
            first = not any(entry[0] == kind for entry in Server.log[:-1])
            if kind == "404" or first:
                self.send_error(int(kind))
                return
        if kind == "html":
            body = b"<html>please log in</html>"
        if kind == "flip":
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if kind == "html" else "application/octet-stream")
        length = len(body) + (1000 if kind == "lies" else 0)
        self.send_header("Content-Length", str(length))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.end_headers()
        cut = kind == "cut" and start < 2 * len(DATA) // 3
        self.wfile.write(body[: len(body) // 2] if cut else body)


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZEUXIS_RETRY_SECONDS", "0.001")
    for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Server.log = []
    return tmp_path


def file(address, kind, **facts):
    return File("network.pkl", f"{address}/{kind}/x", **({"bytes": len(DATA), "sha256": SHA} | facts))


@pytest.mark.parametrize("kind", ["good", "cut", "redirect", "noranges", "500", "429"])
def test_a_file_arrives_whole_whatever_the_server_does(kind, address, place):
    path = download.fetch(file(address, kind), place / "models/m/network.pkl")
    assert path.read_bytes() == DATA
    assert not list(path.parent.glob("*.part"))
    if kind == "cut":
        assert len(Server.log) > 1 and Server.log[-1][1]  # went on from where it was cut


def test_a_part_that_is_here_is_not_fetched_again(address, place):
    path = place / "models/m/network.pkl"
    path.parent.mkdir(parents=True)
    path.with_name("network.pkl.part").write_bytes(DATA[:700_000])
    assert download.fetch(file(address, "good"), path).read_bytes() == DATA
    assert Server.log == [("good", "bytes=700000-")]


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("flip", WeightsRefused, "was downloaded and refused"),
        ("html", download.DownloadFailed, "web page"),
        ("404", download.DownloadFailed, "404"),
        ("tofile", download.DownloadFailed, "not (followed|allowed)"),
        ("lies", download.DownloadFailed, "another file now"),
    ],
)
def test_what_is_not_the_file_is_refused_and_leaves_nothing_that_looks_like_it(kind, error, said, address, place):
    path = place / "models/m/network.pkl"
    with pytest.raises(error, match=said):
        download.fetch(file(address, kind), path)
    assert not path.exists()


def test_a_wrong_length_is_put_right_by_asking_for_the_rest(address, place):
    path = download.fetch(file(address, "lies", bytes=None, sha256=None), place / "m/network.pkl")
    assert path.read_bytes() == DATA and len(Server.log) == 2


def test_a_full_disk_says_so_and_keeps_what_came(address, place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_copy", full)
    with pytest.raises(BadInput, match="No space left"):
        download.fetch(file(address, "good"), place / "m/network.pkl")
    monkeypatch.undo()
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("U", (), {"free": 1000})())
    with pytest.raises(BadInput, match="Free some space"):
        download.fetch(file(address, "good"), place / "n/network.pkl")


def test_the_first_pull_records_the_hash_and_later_ones_hold_to_it(address, place):
    path = cache.model_folder("m") / "network.pkl"
    download.fetch(file(address, "good", bytes=None, sha256=None), path)
    assert cache.recorded(path)["sha256"] == SHA
    path.write_bytes(b"x" + DATA[1:])
    with pytest.raises(WeightsRefused, match="pull it again"):
        cache.checked(path)


def test_an_untouched_file_is_not_hashed_at_each_start(address, place, monkeypatch):
    path = download.fetch(file(address, "good"), cache.model_folder("m") / "network.pkl")
    monkeypatch.setattr(cache, "file_sha256", lambda _: pytest.fail("hashed again"))
    assert cache.checked(path, bytes=len(DATA), sha256=SHA) == SHA


def test_a_known_prefix_of_a_hash_is_held_to(address, place):
    facts = {"bytes": None, "sha256": None}
    download.fetch(file(address, "good", **facts, prefix=SHA[:8]), place / "a/network.pkl")
    with pytest.raises(WeightsRefused, match="refused"):
        download.fetch(file(address, "good", **facts, prefix="00000000"), place / "b/network.pkl")


def test_offline_nothing_is_fetched(address, place, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingModel, match="offline switch HF_HUB_OFFLINE"):
        download.fetch(file(address, "good"), place / "m/network.pkl")
    assert Server.log == []


# The catalogue


def test_every_entry_says_what_a_user_must_know():
    for name, model in MODELS.items():
        assert name == model.name and model.about and model.licence and (model.files or model.hub)
        assert all(f.url.startswith("https://") for f in model.files)
        assert all(f.sha256 is None or len(f.sha256) == 64 for f in model.files)
    assert len(MODELS) > 45
    assert {"stylegan2-car", "stylegan2-ffhq", "biggan-deep-256", "biggan-deep-512", "clip-vit-b-32"} <= set(MODELS)


def test_a_missing_model_names_the_command_and_the_size():
    with pytest.raises(MissingModel, match=r"zeuxis models pull biggan-deep-256 \(234 MB\)"):
        locate("biggan-deep-256")
    with pytest.raises(UnknownName, match="biggan-deep-256"):
        find("biggan-deep-265")
    with pytest.raises(MissingModel, match="Check the path"):
        locate("weights/none.pkl")


def test_a_catalogue_model_is_found_once_its_files_are_there(address, place, monkeypatch):
    model = Model("tiny", "generator", "a test", "MIT", files=(file(address, "good"),))
    monkeypatch.setitem(catalogue.MODELS, "tiny", model)
    with pytest.raises(MissingModel):
        locate("tiny")
    assert download.pull(model) == locate("tiny")
    (locate("tiny") / "network.pkl").write_bytes(b"short")
    with pytest.raises(WeightsRefused, match="expected 1,048,576"):
        locate("tiny")


def test_sizes_in_words():
    assert [size_in_words(n) for n in (None, 900, 234_411_737, 3_940_000_000)] == [
        "size not known",
        "1 kB",
        "234 MB",
        "3.94 GB",
    ]


# The command


def run(*words):
    from typer.testing import CliRunner

    from zeuxis.cli.main import app

    return CliRunner().invoke(app, ["models", *words])


def test_models_list_and_info():
    listed = run("list", "--kind", "judge")
    assert listed.exit_code == 0 and "resnet-50" in listed.output
    rows = json.loads(run("list", "--json").output)
    assert len(rows) == len(MODELS) and not any(row["here"] for row in rows if row["kind"] == "generator")
    assert "NVIDIA Source Code License" in run("info", "stylegan2-car").output


def test_non_commercial_terms_are_accepted_once(address, monkeypatch):
    model = Model("tiny", "generator", "a test", "not for sale", True, files=(file(address, "good"),))
    monkeypatch.setitem(catalogue.MODELS, "tiny", model)
    refused = run("pull", "tiny")
    assert refused.exit_code == 2 and "--accept-licence" in refused.output
    assert run("pull", "tiny", "--accept-licence").exit_code == 0
    assert run("pull", "tiny").exit_code == 0  # remembered
    assert run("path", "tiny").output.strip().endswith("tiny")
    assert "as it should be" in run("verify", "tiny").output
    assert run("verify", "--all").exit_code == 0
