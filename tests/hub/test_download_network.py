"""No network, proxies, certificates, offline switches: a sentence within seconds, and exit code 3."""

import socket
import ssl
import sys
import time
import types

import pytest
from misbehaving_server import DATA, Server
from typer.testing import CliRunner

from zeuxis.cli.main import app
from zeuxis.errors import MissingModel
from zeuxis.hub import download, network, transfer
from zeuxis.hub.catalogue import File
from zeuxis.hub.locate import locate
from zeuxis.hub.network import DownloadFailed, check_contact

MODELS = ("clip-vit-b-32", "biggan-deep-256")  # from the Hub, from a server


def pull(name):
    return CliRunner().invoke(app, ["models", "pull", name])


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEUXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("ZEUXIS_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def closed():
    """A port of this machine that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scheme", ["http", "socks5", "nothing"])
def test_a_proxy_that_is_not_there_is_a_sentence(name, scheme, closed, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:secret@127.0.0.1:{closed}")
    began = time.monotonic()
    result = pull(name)
    assert result.exit_code == 3 and "the proxy 127.0.0.1 cannot be reached" in result.output
    assert len(result.output.splitlines()) == 2 and "secret" not in result.output
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:port", "::nonsense::", "http://[bad", "http://127.0.0.1:99999"])
def test_a_proxy_that_is_no_address_is_a_sentence(proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for name in MODELS:
        result = pull(name)
        assert result.exit_code == 3 and "HTTPS_PROXY" in result.output, (result.output, result.exception)


@pytest.fixture
def server():
    held = Server()
    yield held
    held.close()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_that_works_is_asked(name, server, tmp_path, monkeypatch):
    monkeypatch.setenv(name, server.address)
    wanted = "http://models.example/good/x"
    assert download.fetch(File("a.pkl", wanted), tmp_path / "a.pkl").read_bytes() == DATA
    assert server.proxied == [wanted]


def test_a_host_that_is_kept_from_the_proxy_is_asked_itself(server, closed, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    download.fetch(File("a.pkl", f"{server.address}/good/x"), tmp_path / "a.pkl")
    assert server.proxied == [] and len(server.asked) == 1


def test_a_proxy_that_wants_a_password_is_a_sentence(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    with pytest.raises(DownloadFailed, match="answers 407"):
        download.fetch(File("a.pkl", "http://models.example/407/x"), tmp_path / "a.pkl")


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), TimeoutError("timed out"),
                                   OSError(101, "Network is unreachable")])  # fmt: skip
def test_no_network_is_a_sentence(error, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    for name in MODELS:
        result = pull(name)
        assert result.exit_code == 3 and "cannot be reached" in result.output and "Is there a network?" in result.output


def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch):
    def never(*args, **kwargs):
        time.sleep(1)
        raise OSError

    monkeypatch.setattr(network, "CONTACT", 0.05)
    monkeypatch.setattr(network, "GRACE", 0.05)
    monkeypatch.setattr(socket, "create_connection", never)
    began = time.monotonic()
    with pytest.raises(DownloadFailed, match="no answer"):
        check_contact("https://example.invalid/x")
    assert time.monotonic() - began < 0.8


class ConnectError(Exception):
    """As the Hub's HTTP client has it: no OSError."""


RAISED = [
    ConnectError("[Errno 111] Connection refused"),
    ConnectError(""),
    ssl.SSLCertVerificationError(1, "certificate verify failed"),
    ImportError("Using SOCKS proxy, but the 'socksio' package is not installed"),
    TimeoutError("The read operation timed out"),
    OSError(28, "No space left on device"),
    ValueError("no such revision"),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: f"{type(error).__name__} {error}"[:30])
def test_whatever_the_client_of_the_hub_raises_is_a_sentence(error, monkeypatch):
    import huggingface_hub

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(download, "check_contact", lambda url: None)
    monkeypatch.setattr(huggingface_hub, "list_repo_files", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    result = pull("clip-vit-b-32")
    assert result.exit_code == 3 and "openai/clip-vit-base-patch32" in result.output
    assert (str(error.args[-1]) or type(error).__name__) in result.output and len(result.output.splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "tries"),
    [(ConnectionResetError(104, "Connection reset by peer"), 2), (TimeoutError("timed out"), 2),
     (ssl.SSLCertVerificationError(1, "certificate verify failed"), 1), (ssl.SSLError(1, "wrong version"), 2)],
)  # fmt: skip
def test_a_server_that_never_says_anything_is_tried_twice(error, tries, monkeypatch):
    asked = []

    def fail(*args, **kwargs):
        asked.append(1)
        raise error

    monkeypatch.setenv("ZEUXIS_RETRY_SECONDS", "0.001")
    monkeypatch.setattr(download, "check_contact", lambda url: None)
    monkeypatch.setattr(transfer, "attempt", fail)
    result = pull("biggan-deep-256")
    assert result.exit_code == 3 and len(asked) == tries
    assert (error.strerror or str(error)) in result.output and len(result.output.splitlines()) == 2


@pytest.mark.parametrize("switch", ["ZEUXIS_OFFLINE", "HF_HUB_OFFLINE"])
def test_the_offline_switch_that_is_set_is_named_and_nothing_is_advised_that_was_just_typed(switch, monkeypatch):
    monkeypatch.setenv(switch, "1")
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("the network was used"))
    for name in MODELS:
        result = pull(name)
        assert result.exit_code == 3 and f"the offline switch {switch} is set" in result.output
        assert f"unset {switch}" in result.output and "models pull" not in result.output
        with pytest.raises(MissingModel, match=rf"zeuxis models pull {name} .*after `unset {switch}`"):
            locate(name)


def test_without_the_package_of_the_hub_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.ModuleType("huggingface_hub"))
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", None)
    result = pull("clip-vit-b-32")
    assert result.exit_code == 3 and "zeuxis[clip]" in result.output
