"""Proxies and certificates, real ones on loopback, and variables that name nothing that can be used."""

import gc
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from quantize.source import locate
from tests.command import vibe
from tests.models.hub.proxies import Proxy, http_proxy, socks_proxy
from tests.models.hub.pulling import FILES, explained, point
from tests.models.hub.stand_in import Hub, serving
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.models import hub as client
from vibethinker_local.models import network

# httpx2 does not close its connection to a SOCKS proxy that it cannot use: it goes with the test that is to blame.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

CERTIFICATE = Path(__file__).parent / "loopback.pem"
HASHED = "47b7ec22.0"


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The same hub over TLS, with a certificate that nobody has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with serving(FILES, context) as hub:
        point(monkeypatch, hub.address)
        yield hub


@pytest.fixture(params=[http_proxy, socks_proxy], ids=["HTTP", "SOCKS"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with request.param() as proxy:
        yield proxy
    gc.collect()


@pytest.fixture
def socks() -> Iterator[Proxy]:
    with socks_proxy() as proxy:
        yield proxy
    gc.collect()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of certificates, as `openssl rehash` leaves it."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / HASHED).write_bytes(CERTIFICATE.read_bytes())
    return folder


def pulls() -> None:
    done = vibe("pull", "tiny")
    assert done.code == 0, done.err


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_file_of_certificates_is_trusted(name: str, secure: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    explained(vibe("pull", "tiny"), "certificate is not trusted, self", "set SSL_CERT_FILE to a file")
    assert secure.asked == []
    close_session()
    monkeypatch.setenv(name, str(CERTIFICATE))
    pulls()


@pytest.mark.parametrize("name", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_folder_of_certificates_is_trusted(
    name: str, secure: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, os.pathsep.join([str(tmp_path), str(folder)]))
    pulls()


def test_certificates_that_are_not_the_servers(secure: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / HASHED).write_text("")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))  # SSL_CERT_DIR comes first
    explained(vibe("pull", "tiny"), "certificate is not trusted", "check SSL_CERT_DIR")


@pytest.mark.parametrize("name", [name for group in network.CERTIFICATES for name in group])
def test_certificates_that_are_none(name: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    garbage, text, empty, cut = (tmp_path / each for each in ("garbage", "text", "empty", "cut"))
    garbage.write_bytes(bytes(range(256)))
    text.write_text("not a certificate")
    empty.write_text("")
    cut.write_text(CERTIFICATE.read_text()[:400])
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(CERTIFICATE.read_bytes())
    odd = [tmp_path / "gone", garbage, text, empty, cut, folder, os.devnull, "x" * 5000, "~/ca.pem", "\udcff"]
    for value in odd:
        monkeypatch.setenv(name, str(value))
        with pytest.raises(ModelError, match=f"^{name} names no certificates"):
            network.make_client(lambda request: None)
    explained(vibe("pull", "tiny"), f"{name} names no certificates")
    with pytest.raises(ModelError, match=f"^{name} names no certificates"):
        locate("org/checkpoint")
    assert hub.asked == []
    monkeypatch.setenv(name, "")
    network.make_client(lambda request: None).close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_pull_through_a_proxy(variable: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, proxy.address())
    pulls()
    assert len(proxy.asked) >= 2


def test_a_pull_through_a_proxy_over_tls(proxy: Proxy, secure: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.address())
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    secure.cuts = [300_000]
    pulls()
    port = secure.address.rpartition(":")[2]
    assert set(proxy.asked) == {f"127.0.0.1:{port}", f"localhost:{port}"}


def test_a_checkpoint_through_a_proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.address())
    assert (locate("org/checkpoint") / "model.safetensors").exists()
    assert proxy.asked


@pytest.mark.parametrize("spelling", ["socks5", "socks5h", "socks", "SOCKS5"])
def test_spellings_of_socks(spelling: str, socks: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", socks.address(scheme=spelling))
    pulls()
    assert socks.asked


def test_what_needs_no_proxy_goes_past_it(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.address())
    monkeypatch.setenv("NO_PROXY", "]][, 10.0.0.0/99, 127.0.0.1, .example, localhost, Ω.рф, \udcff,,")
    pulls()
    assert proxy.asked == []


def test_a_proxy_that_asks_for_a_password(proxy: Proxy, secure: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.login = "me:secret"
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    for login in ("", "me:wrong"):
        close_session()
        monkeypatch.setenv("HTTPS_PROXY", proxy.address(login))
        result = vibe("pull", "tiny")
        explained(result, "the proxy refuses", "check the proxy in HTTPS_PROXY, which asks for NAME:PASSWORD@")
        assert "HF_TOKEN" not in result.err
        assert "wrong" not in result.err
    close_session()
    monkeypatch.setenv("HTTPS_PROXY", proxy.address("me:secret"))
    pulls()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (403, "Or the proxy in HTTP_PROXY forbids it: 403 No, 6 bytes: “Policy” was sent"),
        (407, "The proxy in HTTP_PROXY refuses (407): it asks for NAME:PASSWORD@ before its host"),
        (502, "out of order (502)"),
    ],
)
def test_a_proxy_that_refuses(status: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_proxy() as proxy:
        proxy.refuses = status
        monkeypatch.setenv("HTTP_PROXY", proxy.address())
        explained(vibe("pull", "tiny"), says)


def test_a_proxy_that_lets_only_the_hub_through(hub: Hub, secure: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in companies: the hub may be asked, the storage that it sends us to may not."""
    hub.sends_to = f"{secure.elsewhere}/stored/x"
    point(monkeypatch, hub.address)
    with http_proxy() as proxy:
        proxy.refuses = 403
        monkeypatch.setenv("HTTPS_PROXY", proxy.address())
        result = vibe("pull", "tiny")
        explained(
            result, f"{secure.elsewhere} cannot be reached (the proxy refuses, 403 No): check the proxy in HTTPS_PROXY"
        )
        assert proxy.asked == [secure.elsewhere.removeprefix("https://")], "once: it will not change its mind"


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (b"", "does not answer as SOCKS 5 proxies do"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "does not answer as SOCKS 5 proxies do"),
        (b"\x05\x63", "does not answer as SOCKS 5 proxies do"),
        (b"\x05\xff", "the proxy refuses"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not answer as SOCKS 5 proxies do"),
    ],
)
def test_a_socks_proxy_that_is_none(says: bytes, reason: str, socks: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    socks.says = says
    monkeypatch.setenv("all_proxy", socks.address())
    explained(vibe("pull", "tiny"), reason, "check the proxy in all_proxy")


def test_a_socks_proxy_that_refuses(socks: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", socks.address("n" * 300 + ":x"))
    explained(vibe("pull", "tiny"), "check the proxy in ALL_PROXY")
    for code, reason in ((1, "General SOCKS server failure"), (2, "not allowed by ruleset"), (5, "Connection refused")):
        close_session()
        socks.refuses = code
        monkeypatch.setenv("ALL_PROXY", socks.address())
        explained(vibe("pull", "tiny"), reason, "check the proxy in ALL_PROXY")


@pytest.mark.parametrize("says", [b"", b"\x05\xff", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<b>Log in"])
def test_an_http_proxy_that_is_none(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_proxy() as proxy:
        proxy.says = says
        monkeypatch.setenv("HTTP_PROXY", proxy.address())
        explained(vibe("pull", "tiny"), "HTTP_PROXY" if b"Log in" not in says else "“Log in”")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_proxies_that_are_none(name: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = [
        ":",
        "http://",
        "ftp://host:21",
        "socks4://host:1080",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
    ]
    odd += [
        "'http://host:80'",
        "http://host:80\n",
        "http://\udcff:80",
        "://x",
        "http://me:secret@host:port",
        "pac+http://x",
    ]
    for value in odd:
        monkeypatch.setenv(name, value)
        with pytest.raises(ModelError, match=f"^{name} names a proxy that cannot be used") as refusal:
            network.make_client(lambda request: None)
        assert "secret" not in str(refusal.value)
    explained(vibe("pull", "tiny"), f"{name} names a proxy that cannot be used")
    with pytest.raises(ModelError, match=f"^{name} names a proxy that cannot be used"):
        locate("org/checkpoint")
    assert hub.asked == []


def test_a_build_that_finds_no_way_out(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SSL_CERT_FILE", "/nowhere"), ("ALL_PROXY", "socks4://127.0.0.1:9"), ("HF_TOKEN", "é")):
        with monkeypatch.context() as only:
            only.setenv(name, value)
            result = vibe("quantize", "build", "org/checkpoint", "-o", str(tmp_path / "out.gguf"))
        assert (result.code, result.out) == (4, "")
        assert result.err.startswith(f"error: {name} ")
        assert result.err.count("\n") == 1
    assert hub.asked == []
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize(
    "value", ["nowhere.invalid", "http://127.0.0.1:9", "127.0.0.1:9", "http://a b:3", f"http://{'a' * 300}"]
)
def test_proxies_that_are_not_there(value: str, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", value)
    explained(vibe("pull", "tiny"), "cannot be reached", "check the network and the proxy in HTTP_PROXY")
    assert hub.asked == []


@pytest.mark.parametrize("value", ["hf_é", "hf_\udcff", "hf_\x01", "hf a", "hf\ta", "h" * 5000])
@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_tokens_that_are_none(name: str, value: str, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ModelError, match=f"^{name} does not hold what a token may look like: set it anew.$"):
        client.look_up("org/files", "tiny.gguf")
    with pytest.raises(ModelError, match=f"^{name} does not"):
        client.list_files("org/files")
    assert hub.asked == []


def test_line_ends_around_a_token_do_not_matter(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret\r\n")
    pulls()


def test_a_token_that_cannot_be_read(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin").write_bytes(b"hf_\xe9")
    for path in (tmp_path, tmp_path / "latin", tmp_path / "latin" / "token", tmp_path / ("x" * 300)):
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(path))
        explained(vibe("pull", "tiny"), f"The token in {path} cannot be read", "check HF_TOKEN_PATH and HF_HOME")
    monkeypatch.setenv("HF_OIDC_RESOURCE", "models/x")
    explained(vibe("pull", "tiny"), "HF_OIDC_RESOURCE asks for a token that cannot be had")


@pytest.mark.parametrize(
    "value",
    [
        "hub.example",
        "ftp://hub",
        "http://",
        "http://[::1",
        "http://h:port",
        "http://h:99999",
        "\n/",
        "http:/hub",
        "\udcff",
    ],
)
def test_an_endpoint_that_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", value)
    with pytest.raises(ModelError, match=r"^HF_ENDPOINT is no address of a hub"):
        client.check_variables()


@pytest.mark.parametrize("name", ["HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"])
def test_a_time_that_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("long", "1.5", "-1", "9" * 30, "٣٣", "1e3"):
        monkeypatch.setenv(name, value)
        with pytest.raises(UsageError, match=f"^{name} is .*: give a number of seconds, or unset it"):
            client.check_variables()
    monkeypatch.setenv(name, " ")
    client.check_variables()
    assert name not in os.environ


@pytest.mark.parametrize("name", ["HF_HOME", "HF_HUB_CACHE"])
def test_a_cache_that_cannot_be(name: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for value in (tmp_path / "file", tmp_path / ("x" * 300), "/dev/null/x"):
        monkeypatch.setenv(name, str(value))
        result = vibe("pull", "tiny")
        assert (result.code, result.out) == (4, "")
        assert "cannot be written" in result.err
        assert "bug" not in result.err
    assert hub.sent == 0
