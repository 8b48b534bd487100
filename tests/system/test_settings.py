"""config.toml, VIBE_ variables and flags: which is stronger, and what a wrong one gets to hear."""

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests.command import vibe
from vibethinker_local.errors import UsageError
from vibethinker_local.system import config, settings
from vibethinker_local.system.settings import Settings
from vibethinker_local.tui.themes import THEMES

ROOT = Path(__file__).parents[2]
PROBLEM = "Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("VIBE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "home"


def write(text: str) -> Path:
    path = settings.config_toml()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return path


def shown() -> dict[str, tuple[object, str]]:
    told = json.loads(vibe("config", "--json").out)
    return {each["name"]: (each["value"], each["source"]) for each in told["settings"]}


def test_without_anything() -> None:
    assert settings.load() == Settings()
    assert {source for _, source in shown().values()} == {"default"}
    assert shown()["budget"] == ("standard", "default")
    assert shown()["keys.reliability"] == ("ctrl+r", "default")


def test_each_is_stronger_than_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write('threads = 2\ncontext = 1024\nmodel = "mini"\n[keys]\nstop = "ctrl+x"')
    assert shown()["threads"] == (2, str(path))
    assert shown()["keys.stop"] == ("ctrl+x", str(path))
    assert shown()["keys.quit"] == ("ctrl+q", "default")
    monkeypatch.setenv("VIBE_THREADS", "1")
    assert shown()["threads"] == (1, "VIBE_THREADS")
    assert shown()["context"] == (1024, str(path))
    assert "up to 968 more" in vibe("solve", "-t", PROBLEM).err, "the file's context, less the prompt"
    monkeypatch.setenv("VIBE_CONTEXT", "512")
    assert "up to 456 more" in vibe("solve", "-t", PROBLEM).err
    assert "up to 200 more" in vibe("solve", "-t", PROBLEM, "--ctx", "256").err
    monkeypatch.setenv("VIBE_MAX_TOKENS", "100")
    assert "up to 100 more" in vibe("solve", "-t", PROBLEM).err
    assert "up to 64 more" in vibe("solve", "-t", PROBLEM, "--max-tokens", "64").err
    monkeypatch.setenv("VIBE_CONTEXT", "")
    assert shown()["context"] == (1024, str(path)), "an empty variable is none"


def test_the_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    write('model = "mini"')
    assert "No larger model" not in vibe("solve", "-t", PROBLEM).err
    monkeypatch.setenv("VIBE_MODEL", "gone.gguf")
    result = vibe("solve", "-t", PROBLEM)
    assert result.code == 4
    assert "no model file gone.gguf" in result.err
    assert vibe("solve", "-t", PROBLEM, "-m", "mini").code in (0, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("threads = 0", "line 1: threads: should be greater than or equal to 1."),
        ("\n\nthreads = 'two'", "line 3: threads: should be a whole number."),
        ("threads = true", "line 1: threads: should be a whole number."),
        ("threads = '2'", "line 1: threads: should be a whole number."),
        ("threads = 1.5", "line 1: threads: should be a whole number."),
        ("notify = 3", "line 1: notify: should be true or false."),
        ("model = 3", "line 1: model: should be a string."),
        ("model = ''", "line 1: model: should have at least 1 character."),
        ("\ufeffthreads = 0", "line 1: threads: should be greater than or equal to 1."),
        ("threads = 2\r\nmodel = 'ho\udce9.gguf'", "cannot be read: line 2 is not UTF-8 text: save the file as UTF-8."),
        ("thread = 2", "line 1: thread: there is no such key here; there are model, context, max_tokens, threads,"),
        ("thread = 2\nmdl = 3", "line 1: thread: there is no such key here; there are model,"),
        ("thread = 2\nmdl = 3", "engines, schema (1 more like this)."),
        ("schema = 0", "line 1: schema: this version of vibe reads schema 1, not 0"),
        ("threads = ", "cannot be read: Invalid value (at the end, line 1)"),
        ("budget = 'huge'", "line 1: budget: should be 'quick', 'standard' or 'deep'."),
        ("context = 10", "line 1: context"),
        ("theme = '../x'", "line 1: theme: write a theme's name, as vibe-light."),
        ("[keys]\nstop = 'Not a key!'", "line 2: keys.stop: write a key as ctrl+r or f1, several as f1,f2."),
        ("threads = 2\nthreads = 3", "cannot be read: Cannot overwrite a value (at the end, line 2)"),
        ("keys = 3", "line 1: keys: should be a table."),
        ("[engines]\nlab = 3", "line 2: engines.lab: should be a table."),
        ("[engines.lab]\nurl = 'gpu1:8000'", "line 2: engines.lab.url: write http://HOST:PORT."),
        ("[engines.lab]\nurl = ['http://a:1', 'b']", "line 2: engines.lab.url: write http://HOST:PORT."),
        ("[engines.lab]\nurl = []", "line 2: engines.lab.url: write http://HOST:PORT, or several of them in a list."),
        ("[engines.lab]\nurl = 5\ncontext = 1", "or several of them in a list (1 more like this)."),
        ("[engines.lab]\nmodel = 'm'", "line 1: engines.lab.url: is missing."),
        (
            "[engines.lab]\nurl = 'http://a:1'\nulr = 5",
            "line 3: engines.lab.ulr: there is no such key here; there are url,",
        ),
        ("[engines.'a b']\nurl = 'http://a:1'", "line 1: engines.a b: write a name of letters, digits and . _ -"),
    ],
)
def test_a_wrong_file_names_file_line_and_key(text: str, says: str) -> None:
    path = write(text)
    for args in (("config",), ("solve", "-t", PROBLEM), ("pull",)):
        result = vibe(*args)
        assert (result.code, result.out) == (2, ""), args
        assert "Traceback" not in result.err
        assert result.err.splitlines()[-1].startswith(f"vibe: {path}")
        assert says in result.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[keys]\nstopp = 'a'", "line 2: keys.stopp: there is no such key; there are reliability,"),
        ("[keys]\nstop = 'ctrl+q'", "line 2: keys.stop: ctrl+q is the key of quit too"),
        ("keys = { new = 'ctrl+y', stop = 'ctrl+y' }", "line 1: keys.new: ctrl+y is the key of stop too"),
        ("[keys]\nstop = 'f11,alt+up'", "line 2: keys.stop: alt+up is the key of votes_up too"),
        ("[keys]\nhelp = 'f1,enter'", "line 2: keys.help: enter is needed to write with: give this another key."),
        ("[keys]\nstop = 'ctrl+c'", "line 2: keys.stop: ctrl+c is reserved (copy, stop, quit): give this another key."),
        ("[keys]\nhelp = 'ctrl+j'", "line 2: keys.help: ctrl+j is needed to write with"),
        ("[keys]\nhelp = 'h'", "line 2: keys.help: h is needed to write with"),
        ("[keys]\nhelp = 'full_stop'", "line 2: keys.help: full_stop is needed to write with"),
        ("[keys]\nhelp = 'slash'", "line 2: keys.help: slash is needed to write with"),
    ],
)
def test_keys_that_the_chat_does_not_know(text: str, says: str) -> None:
    path = write(text)
    result = vibe("config")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"vibe: {path}, {says}")


def test_a_theme_that_the_chat_does_not_know() -> None:
    path = write("threads = 2\ntheme = 'vibe-drak'")
    settings.check_theme(None, ["vibe-dark"])
    settings.check_theme("vibe-dark", ["vibe-dark"])
    for environment, where in (
        ({}, f"{path}, line 2: theme: "),
        ({"VIBE_THEME": "vibe-drak"}, "VIBE_THEME='vibe-drak': "),
    ):
        with pytest.raises(UsageError) as refused:
            settings.check_theme("vibe-drak", ["vibe-dark", "vibe-light"], environment)
        assert str(refused.value) == f"{where}there is no such theme; there are vibe-dark, vibe-light."
    result = vibe("config")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"vibe: {path}, line 2: theme: there is no such theme; there are vibe-dark,")
    write("theme = 'nord'")
    assert shown()["theme"] == ("nord", str(path))


def test_every_theme_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`([a-z0-9-]+)`", page.split("Themes: ")[1].split("\n\n")[0])) == set(THEMES)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_THREADS", "many")
    result = vibe("solve", "-t", PROBLEM)
    assert (result.code, result.out) == (2, "")
    assert "VIBE_THREADS='many': should be a whole number." in result.err
    monkeypatch.delenv("VIBE_THREADS")
    with pytest.raises(UsageError, match=r"VIBE_MODEL='.*': should be UTF-8 text"):
        settings.load({"VIBE_MODEL": "\udce9.gguf"})
    monkeypatch.setenv("VIBE_TREADS", "2")
    assert "VIBE_TREADS is not a setting: is it misspelt?" in vibe("config").err


def test_config_as_text(home: Path) -> None:
    told = vibe("config").out
    lines = [line.split() for line in told.splitlines()]
    assert ["config", str(home / "config")] in lines
    assert ["threads", "-", "default"] in lines


def test_the_documented_example() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    write(example)
    settings.load({})
    assert vibe("config").code == 0
    assert all(name in example for name in (*settings.NAMES, *settings.TABLES))
    assert all(settings.variable(name) in example for name in settings.NAMES)


def test_what_is_checked_is_what_there_is() -> None:
    checked = set(config._File.model_fields) - {"schema_"}
    assert checked == {each.name for each in fields(Settings)} == {*settings.NAMES, *settings.TABLES}
    assert set(config._Engine.model_fields) == {each.name for each in fields(settings.EngineEntry)}


def test_without_anything_nothing_slow_is_imported() -> None:
    """The chat's first screen waits for the settings."""
    code = "import sys; from vibethinker_local.system import settings; settings.load(); print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True).stdout
    assert "vibethinker_local.system.settings" in imported.split()
    assert "pydantic" not in imported.split()


@hypothesis(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(["threads", "keys", "[", "]", "=", "1", "'a'", "\n", "."])).map("".join)
    )
)
def test_whatever_stands_in_it_gets_a_sentence(home: Path, text: str) -> None:
    path = settings.config_toml()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(UsageError):
        settings.load({})


def test_the_shell_completes_models(home: Path) -> None:
    environment = {"_VIBE_COMPLETE": "complete_bash", "COMP_WORDS": "vibe pull vibethinker-3b:Q", "COMP_CWORD": "2"}
    program = "from vibethinker_local.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["vibethinker-3b:Q4_K_M", "vibethinker-3b:Q8_0"]


@pytest.mark.parametrize("command", ["solve", "pull", "models", "rm", "config"])
def test_help_has_examples(command: str) -> None:
    result = vibe(command, "--help")
    assert result.code == 0
    assert f"vibe {command} " in result.out.replace("Usage: vibe", "")
