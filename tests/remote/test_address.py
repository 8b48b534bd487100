"""Where an engine is, as the user says it."""

import pytest

from tests.command import vibe
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.remote.address import Address, find
from vibethinker_local.remote.choose import choose
from vibethinker_local.system import settings


@pytest.fixture(autouse=True)
def home(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))


def configure(text: str) -> None:
    path = settings.config_toml()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("wanted", "urls", "model"),
    [
        ("http://127.0.0.1:8080#qwen", ("http://127.0.0.1:8080",), "qwen"),
        ("http://127.0.0.1:8080/v1/#org/qwen:7b", ("http://127.0.0.1:8080",), "org/qwen:7b"),
        ("HTTPS://gpu.example/api/v1", ("https://gpu.example/api",), None),
        ("http://[::1]:8080", ("http://[::1]:8080",), None),
        ("http://a:1/v1,http://b:2#m", ("http://a:1", "http://b:2"), "m"),
    ],
)
def test_a_url(wanted: str, urls: tuple[str, ...], model: str | None) -> None:
    assert find(wanted, {}) == Address(None, urls, model)
    assert find(wanted, {"VIBE_ENGINE_KEY": "k"}) == Address(None, urls, model, "k")


@pytest.mark.parametrize("wanted", [None, "mini", "vibethinker-3b:Q8_0", "./http.gguf", "lab"])
def test_what_is_no_server(wanted: str | None) -> None:
    assert find(wanted, {}) is None


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("localhost:8080", "address begins with http://"),
        ("127.0.0.1:11434#qwen2.5:0.5b", "address begins with http://"),
        ("gpu.example:8000/v1", "address begins with http://"),
        ("[::1]:8080", "address begins with http://"),
        ("qwen2.5:7b", "no model called"),
        ("mini:8080", "not part of the program"),
    ],
)
def test_a_server_without_its_scheme(wanted: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        choose(wanted)


@pytest.mark.parametrize("wanted", ["http://", "http://#m", "http://h:99999999#m", "http://h?x=1#m", "http://a,b#m"])
def test_an_address_that_cannot_be_used(wanted: str) -> None:
    with pytest.raises(UsageError, match="no address of a server"):
        find(wanted, {})


@pytest.mark.parametrize("wanted", ["http://me:secret@h:1#m", "http://secret@h:99999999#m"])
def test_a_password_is_not_repeated(wanted: str) -> None:
    with pytest.raises(UsageError) as error:
        find(wanted, {})
    assert "secret" not in str(error.value)


def test_an_engine_in_the_configuration() -> None:
    configure(
        '[engines.lab]\nurl = ["http://a:1/v1", "http://b:1"]\nmodel = "m"\nkey_variable = "LAB_KEY"\nconcurrency = 8\n'
        'context = 4096\n\n[engines.one]\nurl = "http://c:1"\n'
    )
    assert find("lab", {"LAB_KEY": "k"}) == Address("lab", ("http://a:1", "http://b:1"), "m", "k", 8, 4096)
    assert find("one", {}) == Address("one", ("http://c:1",))
    assert "'k'" not in repr(find("lab", {"LAB_KEY": "k"}))
    with pytest.raises(UsageError, match="takes its key from LAB_KEY, which is not set"):
        find("lab", {})
    assert "http://c:1" in vibe("config").out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[engines.lab]\nmodel = "m"\n', "engines.lab.url"),
        ('[engines.lab]\nurl = "h:1"\n', "engines.lab.url"),
        ('[engines.lab]\nurl = "http://me:secret@h:1"\n', "engines.lab.url"),
        ("[engines.lab]\nurl = []\n", "engines.lab.url"),
        ('[engines.lab]\nurl = "http://h:1"\nkey = "secret"\n', "engines.lab.key"),
        ('[engines.lab]\nurl = "http://h:1"\nkey_variable = "sk-secret"\n', "engines.lab.key_variable"),
        ('[engines.lab]\nurl = "http://h:1"\nconcurrency = 0\n', "engines.lab.concurrency"),
        ('[engines."a b"]\nurl = "http://h:1"\n', "engines"),
    ],
)
def test_a_mistake_is_named(text: str, says: str) -> None:
    configure(text)
    result = vibe("config")
    assert result.code == 2
    assert says in result.err
    assert "secret" not in result.err
