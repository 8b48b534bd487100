"""models.toml: what it says, what a bad entry gets to hear, and which file is chosen from it."""

import contextlib
import errno
import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from quantize.output import partial
from tests.command import vibe
from tests.gguf_files import variant
from vibethinker_local.errors import ModelError, VibeError
from vibethinker_local.models import cache, checksums, installed, memory, pull
from vibethinker_local.models import spec as model_spec
from vibethinker_local.models.defaults import defaults
from vibethinker_local.models.spec import ModelFile, ModelSpec, Shape, repository
from vibethinker_local.system import paths, toml
from vibethinker_local.system.machine import Room

PROBLEM = "What is 3 + 4?"
ENTRY = """schema = 1

[models.own]
about = "mine"
temperature = 0.6

[[models.own.files]]
quant = "Q4_K_M"
repository = "org/name"
file = "a.gguf"

[[models.own.files]]
quant = "Q8_0"
repository = "org/name"
file = "below/b.gguf"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    (tmp_path / "home/config").mkdir(parents=True)
    return tmp_path / "home"


def own(home: Path, text: str) -> Path:
    path = home / "config/models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def spec() -> ModelSpec:
    return model_spec.registry()["vibethinker-3b"]


def test_every_key_is_explained_in_the_comment_above_ours() -> None:
    comment = paths.models_toml().read_text(encoding="utf-8").split("\nschema =")[0]
    sections = re.split(r"^# (?:\[|shape =)", comment, flags=re.MULTILINE)[1:]
    explained = [set(re.findall(r"^# (\w+) {2,}\S", section, re.MULTILINE)) for section in sections]
    assert explained == [set(ModelSpec.model_fields) - {"files"}, set(Shape.model_fields), set(ModelFile.model_fields)]


def test_what_we_know_of_vibethinker_is_there() -> None:
    assert spec().source == "WeiboAI/VibeThinker-3B"
    assert all(file.sha256 for file in spec().files)
    known = model_spec.registry()
    assert (next(iter(known)), list(known)[-1]) == ("vibethinker-3b", "mini")
    assert all(entry.gguf and entry.shape for entry in known.values() if entry.more)


def test_own_entries_come_on_top(home: Path) -> None:
    own(home, ENTRY)
    known = model_spec.registry()
    assert list(known)[:2] == ["vibethinker-3b", "own"], "before those of which there are more"
    assert list(known)[-1] == "mini", "the bundled one stays last"
    assert (known["own"].temperature, known["own"].top_p) == (0.6, 0.95)
    assert [row["model"] for row in json.loads(vibe("models", "--json").out)["models"]].count("own") == 2
    own(home, ENTRY.replace("models.own", "models.mini").replace("0.6", "0.7"))
    assert model_spec.registry()["mini"].temperature == 0.7
    digits = "AB" * 32
    own(home, ENTRY.replace('a.gguf"', f'ä (1).gguf"\nsha256 = "{digits}"\nrevision = "refs/pr/1"'))
    file = model_spec.registry()["own"].files[0]
    assert (file.file, file.sha256) == ("ä (1).gguf", "ab" * 32), "as Windows tells it"
    assert file.revision == "refs/pr/1"


def test_an_entry_that_has_a_checkpoint_alone_is_listed(home: Path) -> None:
    own(home, 'schema = 1\n[models.own]\nabout = "mine"\nsource = "org/checkpoint"')
    assert re.search(r"^own:as it fits +\? +not installed", vibe("models", "--all").out, re.MULTILINE)


BAD = {
    "schema = 9\n[models]": "line 1: schema: this version of vibe reads schema 1, not 9",
    "[models]": "schema: is missing",
    "schema = ": "cannot be read: Invalid value (at the end, line 1)",
    ENTRY.replace(
        "temperature", "temprature"
    ): "line 5: models.own.temprature: there is no such key here; there are about,",
    ENTRY.replace("0.6", "9.0"): "line 5: models.own.temperature: should be less than or equal to 5.",
    ENTRY.replace("0.6", "nan"): "line 5: models.own.temperature",
    ENTRY.replace("0.6", '"warm"'): "line 5: models.own.temperature: should be a number.",
    ENTRY.replace('about = "mine"', ""): "line 3: models.own.about: is missing",
    ENTRY.replace('"below/b.gguf"', '"../../b.gguf"'): "line 15: models.own.files.1.file",
    ENTRY.replace('"below/b.gguf"', '"/etc/passwd"'): "line 15: models.own.files.1.file",
    ENTRY.replace('"below/b.gguf"', '"C:\\\\b.gguf"'): "line 15: models.own.files.1.file",
    ENTRY.replace('file = "a.gguf"', "bytes = 3"): "line 7: models.own.files.0: give either package, or repository",
    ENTRY.replace('file = "a.gguf"', 'file = "a.gguf"\nsha256 = "ABC"'): "line 11: models.own.files.0.sha256",
    ENTRY.replace(
        "org/name", "name"
    ): "line 9: models.own.files.0.repository: write ORG/NAME, as the hub does (1 more like this).",
    ENTRY.replace("models.own", 'models."a:b"'): "models.a:b: write letters, digits and . _ - only.",
    ENTRY + 'schema = 1\n[models.other]\nabout = ""': "models.own.files.1.schema: there is no such key here; there are",
    ENTRY + "[models.own.shape]\nlayers = 3": "line 16: models.own.shape.width: is missing (5 more like this)",
    ENTRY.replace("0.6", "0.6\ntypical_tokens = [9, 3]"): "line 6: models.own.typical_tokens: the smaller number",
    ENTRY.replace("0.6", "0.6\nthink = ['<a>']"): "line 6: models.own.think",
    ENTRY.replace("0.6", "0.6\nfamily = 'll/ama'"): "line 6: models.own.family: write letters, digits and . _ - only.",
    ENTRY.replace("0.6", "0.6\nsource_revision = '../x'"): "line 6: models.own.source_revision: write a commit, or",
    ENTRY.replace("0.6", "0.6\nclosing = 3"): "line 6: models.own.closing: should be a string.",
    ENTRY + "[models.own.shape]\nlayer = 3": "line 16: models.own.shape.layers: is missing",
    '[own]\nabout = "mine"': "models.toml: own is in the wrong place: schema comes first, an entry is [models.NAME], a",
    "schema = 1\nmodels = 3": "line 2: models: should be a table.",
    "x" * 1_000_001: "larger than 1,000,000 bytes",
    "a = " + "9" * 5000: "cannot be read",
    "a = " + "[" * 2000: "cannot be read",
}


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_bad_entry_names_file_line_and_field(text: str, home: Path) -> None:
    path = own(home, text)
    for args in (("solve", "-t", PROBLEM), ("pull",)):
        result = vibe(*args)
        assert (result.code, result.out) == (4, "")
        assert "Traceback" not in result.err
        sentence = result.err.splitlines()[-1]
        assert sentence.startswith(f"vibe: {path}")
        assert BAD[text] in sentence


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0", b"schema = 1\n[models.\xc3]"])
def test_a_file_that_is_no_text(content: bytes, home: Path) -> None:
    (home / "config/models.toml").write_bytes(content)
    result = vibe("models")
    assert (result.code, result.out) == (4, "")
    assert "models.toml cannot be read" in result.err


def test_a_folder_in_the_files_place(home: Path) -> None:
    (home / "config/models.toml").mkdir()
    assert "models.toml cannot be read: Is a directory" in vibe("models").err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize(
    ("name", "command", "code"), [("models.toml", ["models"], 4), ("config.toml", ["solve", "-t", PROBLEM], 2)]
)
def test_a_pipe_in_the_files_place(home: Path, name: str, command: list[str], code: int) -> None:
    os.mkfifo(home / "config" / name)
    result = vibe(*command)
    assert (result.code, result.out) == (code, "")
    assert f"{name} cannot be read: it is a pipe or a device." in result.err


@pytest.mark.parametrize(
    ("name", "keys", "mode"),
    [
        ("qwen2.5-coder-0.5b-instruct-q4_k_m", {}, "arithmetic"),
        ("m", {"general.name": "Qwen2.5 Coder 1.5B Instruct"}, "arithmetic"),
        ("Qwen2.5-7B-Instruct", {}, "majority"),
        ("VibeThinker-3B-of-qwen2.5-coder", {}, "majority"),
        ("something", {}, "majority"),
    ],
)
def test_a_file_votes_plainly_unless_its_family_was_measured(
    name: str, keys: dict[str, str], mode: str, tmp_path: Path
) -> None:
    spec, _ = defaults(variant(tmp_path / f"{name}.gguf", keys, tensors=False))
    assert spec.mode == mode
    assert (spec.evidence is not None) == (mode != "majority") == (spec.likely is not None)
    assert spec.evidence is None or (paths.PACKAGE.parent / spec.evidence).is_file()


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0, 2.5, 1e30])
def test_what_no_sampler_takes_is_no_setting(value: float, tmp_path: Path) -> None:
    own = {"general.sampling.top_k": value, "general.sampling.top_p": value, "general.sampling.temp": 0.5}
    spec, _ = defaults(variant(tmp_path / "odd.gguf", own, tensors=False))
    plain, _ = defaults(variant(tmp_path / "plain.gguf", {}, tensors=False))
    assert (spec.top_k, spec.top_p, spec.temperature) == (plain.top_k, plain.top_p, 0.5)


@pytest.mark.parametrize("architecture", ["foo bar", "x" * 80, ""])
def test_a_file_of_a_family_that_has_no_name(tmp_path: Path, architecture: str) -> None:
    spec, _ = defaults(variant(tmp_path / "odd.gguf", architecture=architecture, tensors=False))
    assert spec.family == "unknown"


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("org/name:Q8_0", ("org/name", "Q8_0")),
        ("_org/_name", ("_org/_name", None)),
        ("-org/name", None),
        ("hf.co/org/name:Q8_0", ("org/name", "Q8_0")),
        ("https://huggingface.co/org/name", ("org/name", None)),
        ("https://huggingface.co/org/name/", ("org/name", None)),
        ("HTTPS://HuggingFace.co/org/name/tree/main", ("org/name", None)),
        ("https://huggingface.co/org", None),
        ("https://huggingface.co/org/name/blob/main/a.gguf", None),
        ("https://example.org/org/name", None),
        ("org/name/tree", None),
        ("hf.co/org", None),
    ],
)
def test_a_repository_is_named_as_on_the_hub(wanted: str, name: tuple[str, str | None] | None) -> None:
    assert repository(wanted) == name


def test_what_is_too_long_for_a_repository_is_none() -> None:
    assert repository("org/" + "n" * 196) == ("org/" + "n" * 196, None)
    assert repository("org/" + "n" * 197) is None


keys = st.sampled_from(
    ["schema", "models", "about", "files", "quant", "file", "repository", "bytes", "shape", "x", "ä.b"]
)
values = st.recursive(
    st.one_of(
        st.integers(),
        st.floats(),
        st.booleans(),
        st.text(max_size=8),
        st.sampled_from([1, "org/name", "a.gguf", "Q8_0"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(written, value))}]"
        case dict():
            return f"{{ {', '.join(f'{json.dumps(key)} = {written(each)}' for key, each in value.items())} }}"
    return json.dumps(str(value), ensure_ascii=True).replace("\\ud", "\\u0")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.dictionaries(keys, values, max_size=5), st.dictionaries(keys, values, max_size=4)))
@example({"schema": 1, "models": {"own": {"about": "a", "files": [{"quant": "Q8_0"}]}}})
def test_whatever_stands_in_it_gets_a_sentence(home: Path, content: str | dict[str, object]) -> None:
    text = (
        content
        if isinstance(content, str)
        else "\n".join(f"{json.dumps(k)} = {written(v)}" for k, v in content.items())
    )
    path = home / "config/models.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ModelError):
        assert all(isinstance(each, ModelSpec) for each in model_spec.registry().values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(ENTRY) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_good_one_with_some_bytes_changed_gets_a_sentence(home: Path, at: int, new: bytes, gone: int) -> None:
    path, whole = home / "config/models.toml", ENTRY.encode()
    path.write_bytes(whole[:at] + new + whole[at + gone :])
    with contextlib.suppress(ModelError):
        model_spec.registry()


def test_lines_of_keys() -> None:
    text = '''a = 1
[b."c d"] # comment
e.f = """
e.g = 2
"""
'h' = { i = 1 }

[[k]]
l = 1
[[k]]
l = 2
[k.m]
n = 1
'''
    parsed = tomllib.loads(text)
    assert parsed["k"][1]["m"]["n"] == 1
    for place, line in {
        ("a",): 1,
        ("b", "c d"): 2,
        ("b", "c d", "e", "f"): 3,
        ("b", "c d", "e", "g"): 3,  # stands inside a string: the nearest is meant
        ("b", "c d", "h", "i"): 6,
        ("k", 0, "l"): 9,
        ("k", 1, "l"): 11,
        ("k", 1, "m", "n"): 13,
        ("k", 1, "o"): 10,
        ("z",): None,
    }.items():
        assert toml.line_of(text, place) == line, place


# --- which file ---


def room(gib: float) -> Room:
    return Room(int(gib * 2**30), "this machine")


def chosen(gib: float, context: int | None = None) -> tuple[int, int] | None:
    """The index of the quant that is taken for so much memory, and the context that fits beside it."""
    try:
        choice = pull.choose("vibethinker-3b", spec(), None, room(gib), context)
    except ModelError:
        return None
    size = choice.files[0].bytes or choice.files[0].about_bytes or 0
    shape = spec().shape
    assert shape
    fitting = memory.context(shape.header(size), room(gib), most=context or spec().context)
    return ["Q8_0", "Q4_K_M"].index(choice.quant), fitting


def test_the_table_of_the_memory_rule() -> None:
    """Memory that is free, in GiB: 4, 8, 16, 32. The README has this table."""
    assert [chosen(gib) for gib in (2, 3, 4, 8, 16, 32)] == [
        None,
        (1, 18432),
        (1, 32768),
        (0, 32768),
        (0, 32768),
        (0, 32768),
    ]
    assert [chosen(gib, 65536) for gib in (4, 8, 16)] == [(1, 40960), (0, 65536), (0, 65536)]


@pytest.mark.parametrize("page", ["README.md", "docs/models.md"])
def test_the_table_of_memory_is_what_the_rule_says(page: str) -> None:
    text = (paths.PACKAGE.parent / page).read_text(encoding="utf-8")
    shape = spec().shape
    assert shape
    for file in spec().files[:2]:
        header = shape.header(file.bytes or file.about_bytes or 0)
        need = [memory.need(header, tokens, 1).total / 2**30 for tokens in (8192, 16384, 32768, 65536)]
        fits = [memory.context(header, room(gib), most=131072) for gib in (4, 8, 16, 32)]
        cells = [file.quant, *(f"{each:.1f}" for each in need), *(f"{each:,}" for each in fits)]
        assert f"| {' | '.join(cells)} |" in text
    quants = [spec().files[taken[0]].quant for gib in (4, 8, 16, 32) if (taken := chosen(gib))]
    assert f"| `vibe pull` takes | | | | | {' | '.join(quants)} |" in text


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 64), st.floats(0, 16), st.sampled_from([None, 2048, 8192, 65536, 2**20]))
def test_the_memory_rule_never_exceeds_and_is_monotone(gib: float, more: float, context: int | None) -> None:
    less, larger = chosen(gib, context), chosen(gib + more, context)
    if less is None:
        return
    assert larger is not None
    assert larger[0] <= less[0], "more memory, never a worse quant"
    if larger[0] == less[0]:
        assert larger[1] >= less[1]
    size = [3_290_000_000, 1_930_000_000][less[0]]
    shape = spec().shape
    assert shape
    assert memory.need(shape.header(size), less[1], 1).total <= room(gib).memory
    assert less[1] <= min(context or 32768, 131072)


# --- which of the installed ones ---


def put(name: str, quant: str, content: bytes) -> Path:
    """A file as if it were made here."""
    path = installed.built_path(name, quant)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_largest_installed_one_is_taken() -> None:
    small, large = put("vibethinker-3b", "Q4_0", b"GGUF"), put("vibethinker-3b", "Q8_0", b"GGUF.......")
    assert installed.choose(None).path == large
    assert installed.choose("vibethinker-3b:q4_0").path == small
    with pytest.raises(ModelError, match=r"vibethinker-3b:Q5_0 is not installed: `vibe pull vibethinker-3b:Q5_0`"):
        installed.choose("vibethinker-3b:Q5_0")


def test_the_largest_that_fits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = (
        put("vibethinker-3b", "Q4_0", paths.MINI.read_bytes()),
        put("vibethinker-3b", "Q8_0", b"GGUF" * 10**6),
    )
    assert installed.choose(None).path == small, "the other cannot be read"
    large.write_bytes(paths.MINI.read_bytes() + bytes(1_000_000))
    assert installed.choose("vibethinker-3b").path == large
    monkeypatch.setattr(memory, "context", lambda header, room, *, most: 8192 * (header.weights < 2_000_000))
    assert installed.choose("vibethinker-3b").path == small


def test_a_path_works_where_a_name_does(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(paths.MINI.read_bytes())
    by_name, by_path = installed.choose("mini"), installed.choose(str(path))
    assert (by_path.name, by_path.path) == ("mine", path)
    assert by_name.path == paths.MINI
    built = put("vibethinker-3b", "Q8_0", b"GGUF")
    assert installed.choose(str(built)).spec is not None


def test_a_file_is_read_once(home: Path) -> None:
    path, said = put("vibethinker-3b", "Q8_0", b"GGUF"), list[str]()
    installed.choose("vibethinker-3b", said.append)
    assert len(said) == 1
    assert "once, to check it" in said[0]
    installed.choose("vibethinker-3b", said.append)
    assert len(said) == 1
    path.write_bytes(b"GGUF and more")
    installed.choose("vibethinker-3b", said.append)
    assert len(said) == 2
    assert checksums.known(path)
    (record,) = (each for each in (home / "data/verified").glob("*.json"))
    for broken in (b"", b"{}", b"[1]", b'{"size": 3}', b"\xff", b"[" * 99_999):
        record.write_bytes(broken)
        assert checksums.known(path) is None


def test_no_record_can_be_kept(home: Path) -> None:
    (home / "data").parent.mkdir(exist_ok=True)
    put("vibethinker-3b", "Q8_0", b"GGUF")
    (home / "data/verified").write_text("in the way")
    assert installed.choose("vibethinker-3b").name == "vibethinker-3b"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = put("vibethinker-3b", "Q8_0", b"GGUF")
    path.unlink()
    with pytest.raises(VibeError, match="cannot be read"):
        checksums.sha256(path)


@pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
def test_a_link_to_itself_is_no_model(tmp_path: Path) -> None:
    loop = put("vibethinker-3b", "Q8_0", b"")
    for path in (loop, tmp_path / "hf/hub/models--org--name/blobs/loop"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(path.name)
    assert installed.choose("mini").path == paths.MINI
    [file] = installed.installed("vibethinker-3b", spec())
    assert file.state == "damaged"
    installed.remove(file)
    assert not loop.is_symlink()
    name = cache.Repository("org/name").snapshot("c" * 40) / "a.gguf"
    name.parent.mkdir(parents=True)
    name.write_bytes(b"GGUF")
    cache.Repository("org/name").remove(name)
    assert not name.exists()


def test_a_folder_that_no_hub_names_holds_no_model(tmp_path: Path) -> None:
    for name in ("models----", "models--org---x", "models--org--" + "n" * 220):
        (tmp_path / "hf/hub" / name).mkdir(parents=True)
    assert vibe("models", "--all").code == 0


@pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
def test_what_cannot_be_removed_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes go before their name, and the first part, by which the others are found, goes last."""
    repository = cache.Repository("org/split")
    parts = [repository.snapshot("c" * 40) / f"Big-F32-0000{part}-of-00003.gguf" for part in (1, 2, 3)]
    blobs = [repository.blob(str(part) * 64) for part in (1, 2, 3)]
    for part, blob in zip(parts, blobs, strict=True):
        for folder in (part.parent, blob.parent):
            folder.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"GGUF")
        part.symlink_to(os.path.relpath(blob, part.parent))
    unlink, refused = Path.unlink, blobs[::-1]

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if refused and path.resolve() == refused[0]:
            raise OSError(errno.EROFS, "Read-only file system", str(refused.pop(0)))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    for left in (3, 3, 2, 1):
        [file] = installed.installed("org/split", installed.of_repository("org/split"))
        assert sum(blob.exists() for blob in blobs) == left
        with pytest.raises(ModelError, match="cannot be removed: Read-only") if refused else contextlib.nullcontext():
            installed.remove(file)
    assert not [path for path in repository.folder.rglob("*") if not path.is_dir()]


@pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
def test_shared_bytes_that_cannot_be_removed_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    repository = cache.Repository("org/name")
    name, blob = repository.snapshot("c" * 40) / "a.gguf", repository.blob("1" * 64)
    payload = repository.folder.parent / "blobs/11/1111"
    for link, target in ((name, blob), (blob, payload)):
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(target, link.parent))
    payload.parent.mkdir(parents=True)
    payload.write_bytes(b"GGUF")
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == payload:
            raise PermissionError(errno.EACCES, "It is in use", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(PermissionError):
            repository.remove(name)
    assert name.exists()
    repository.remove(name)
    assert not any(map(os.path.lexists, (name, blob, payload)))


def test_what_a_killed_build_left_is_removed() -> None:
    remains = put("vibethinker-3b", "Q4_0", b"").with_suffix(".gguf.partial")
    remains.write_bytes(b"GGUF")
    remains.with_suffix("").unlink()
    assert vibe("rm", "vibethinker-3b:Q8_0", "--yes").code == 4
    with partial(remains.with_suffix(""), needed=1):
        busy = vibe("rm", "vibethinker-3b:q4_0", "--yes")
        assert (busy.code, remains.exists()) == (4, True)
        assert "is being built by another program" in busy.err
        remains.rename(remains.with_name("kept"))
    remains.write_bytes(b"GGUF")
    assert vibe("rm", "vibethinker-3b", "--yes").code == 0
    assert not remains.exists()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("models/qwen.gguf", "There is no model file models/qwen.gguf: check the path."),
        ("models/Qwen.GGUF", "There is no model file models/Qwen.GGUF: check the path."),
        ("mini:Q4_0", "mini:Q4_0 is not part of the program: give `-m mini`."),
        ("org/repo", "org/repo is not installed: `vibe pull org/repo` fetches it"),
    ],
)
def test_a_model_that_is_not_there_is_no_other_kind_of_fault(wanted: str, says: str) -> None:
    result = vibe("solve", "-t", PROBLEM, "-m", wanted)
    assert result.code == 4
    assert says in result.err


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user to whom folders can be closed"
)
def test_a_folder_that_nobody_may_read_holds_no_model(home: Path, tmp_path: Path) -> None:
    closed = [paths.built_models() / "vibethinker-3b", tmp_path / "closed"]
    for folder in closed:
        folder.mkdir(parents=True)
        folder.chmod(0)
    try:
        assert vibe("models").code == 0
        assert vibe("solve", "-t", PROBLEM).code == 0
        refused = vibe("solve", "-t", PROBLEM, "-m", f"{closed[1]}/x.gguf")
        assert (refused.code, "Permission denied" in refused.err) == (4, True)
    finally:
        for folder in closed:
            folder.chmod(0o700)
