"""The catalogue, its cache and its downloads, against a server on this machine."""

import hashlib
import json

import pytest
from misbehaving_server import DATA, Server

from zeuxis.errors import MissingModel, UnknownName, WeightsRefused
from zeuxis.hub import cache, catalogue, download, verify
from zeuxis.hub.catalogue import MODELS, File, Model, find, size_in_words
from zeuxis.hub.locate import locate

SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def server():
    held = Server()
    yield held
    held.close()


@pytest.fixture
def address(server):
    server.asked.clear()
    return server.address


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZEUXIS_RETRY_SECONDS", "0.001")
    for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def file(address, kind, **facts):
    return File("network.pkl", f"{address}/{kind}/x", **({"bytes": len(DATA), "sha256": SHA} | facts))


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


def test_offline_nothing_is_fetched(address, server, place, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingModel, match="offline switch HF_HUB_OFFLINE"):
        download.fetch(file(address, "good"), place / "m/network.pkl")
    assert server.asked == []


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
    with pytest.raises(WeightsRefused, match="expected 131,072"):
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


def test_the_files_of_the_hub_are_held_to_the_hashes_it_gave(place, monkeypatch):
    folder, blobs = place / "hub/snapshot", place / "hub/blobs"
    blobs.mkdir(parents=True), folder.mkdir()
    small = b'{"model_type": "clip"}'
    names = {"model.safetensors": (SHA, DATA), "config.json": (hashlib.sha1(b"blob 22\0" + small).hexdigest(), small)}
    for name, (called, content) in names.items():
        (blobs / called).write_bytes(content)
        (folder / name).symlink_to(blobs / called)
    monkeypatch.setattr(verify, "pull_hub", lambda *args, **kwargs: folder)
    monkeypatch.setattr(download, "pull_hub", lambda *args: folder)
    assert run("verify", "clip-vit-b-16").output.count("as it should be") == 2
    for called, content in names.values():
        (blobs / called).write_bytes(b"x" + content[1:])
        found = run("verify", "clip-vit-b-16")
        assert found.exit_code == 2 and "has other bytes than the Hub gave" in found.output
        (blobs / called).write_bytes(content)
    published = (File("model.safetensors", "", len(DATA), "0" * 64),)
    with pytest.raises(WeightsRefused, match="expected 000000000000"):
        download.pull(Model("tiny", "scorer", "a test", "MIT", hub="a/b", published=published))
