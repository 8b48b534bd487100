"""The contract of the commands: what is on stdout, what on stderr, and the exit code."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from quantize import verify
from quantize.cli import app
from tests import checkpoints
from tests.quantize.checkpoint import Shape, edit_json, write_checkpoint
from tests.quantize.helpers import invoke, output
from vibethinker_local.gguf import reader


def test_from_plan_to_verified_file(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.gguf"
    plan = output("plan", small, "--type", "q4_k_m", "--tensor", "attn_v=Q8_0")
    assert list(tmp_path.iterdir()) == []
    built = output("build", small, "-o", out, "--type", "Q4_K_M", "--tensor", "attn_v=Q8_0", "--name", "Small")
    assert built["bytes"] == out.stat().st_size
    assert 0 < built["bytes"] - plan["data_bytes"] < 100_000
    inspected = output("inspect", out)
    assert inspected["label"] == plan["label"] == built["label"] == "Q4_K_M"
    assert inspected["keys"]["general.name"] == "Small"
    assert inspected["keys"]["quantize.source.sha256"] == built["source_sha256"]
    assert {share["type"]: share["size"] for share in inspected["types"]}["Q8_0"] == sum(
        tensor["bytes"] for tensor in plan["tensors"] if tensor["type"] == "Q8_0"
    )
    assert output("verify", out, "--against", small)["sound"] is True


def test_text_for_people(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.gguf"
    assert "Q6_K" in invoke("plan", small).stdout
    assert invoke("build", small, "-o", out, "--type", "Q8_0").stdout.startswith(f"{out}  Q8_0  ")
    assert "qwen2.block_count = 8" in invoke("inspect", out).stdout
    assert invoke("verify", out).stdout == f"{out} is sound\n"
    assert invoke("recommend", small, "--memory", "4G").stdout.startswith("→ Q8_0 ")


@pytest.mark.parametrize(("name", "told"), [("f.gguf", "f.gguf"), (None, "a file")])
def test_a_disk_that_fails_between_two_steps_is_said(
    name: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = OSError(errno.EIO, "Input/output error", name)
    monkeypatch.setattr(verify, "read_gguf", lambda _: (_ for _ in ()).throw(refused))
    failed = invoke("verify", "f.gguf")
    assert failed.exit_code == 5
    assert failed.stderr == f"error: {told} cannot be read or written (Input/output error)\n"


def test_recommend_without_a_checkpoint() -> None:
    answer = output("recommend", "--memory", "8G", "--context", "32k")
    assert answer["recommended"] == "Q8_0"
    assert answer["context"] == 32768
    assert "nothing fits" in invoke("recommend", "--memory", "1M").stdout


@pytest.mark.parametrize(
    ("memory", "context", "last"),
    [
        ("1G", "64", "nothing fits into 1G with 64 tokens of context: no type is small enough"),
        ("1G", "32k", "nothing fits into 1G with 32,768 tokens of context: no type is small enough"),
        ("2500m", "100k", "nothing fits into 2500m with 102,400 tokens of context: try a shorter --context"),
    ],
)
def test_recommend_where_nothing_fits(memory: str, context: str, last: str) -> None:
    result = invoke("recommend", "--memory", memory, "--context", context)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (2, last)
    result = invoke("recommend", "--memory", memory, "--context", context, "--json")
    assert (result.exit_code, json.loads(result.stdout)["recommended"]) == (2, None)


def test_the_list_of_commands_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = invoke("--help").stdout.split("Commands:")[1]
    assert "recommend  Choose" in shown
    assert "..." not in shown


def test_a_fallback_is_said_aloud(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "odd", Shape(num_hidden_layers=1, hidden_size=288, intermediate_size=320))
    planned = [line for line in invoke("plan", folder).stdout.splitlines() if ", not " in line]
    assert planned == [
        "  Q5_0, not Q4_K: 5 tensors with rows of 288",
        "  Q8_0, not Q6_K: 1 tensor with rows of 288",
        "  Q8_0, not Q6_K: 1 tensor with rows of 320",
    ]
    result = invoke("build", folder, "-o", tmp_path / "odd.gguf", "--type", "Q4_K_M")
    assert "7 of 14 tensors have rows that Q4_K_M does not allow; the file will be Q5_0+Q8_0" in result.stderr
    assert output("inspect", tmp_path / "odd.gguf")["label"] == "Q5_0+Q8_0"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build", "{small}", "-o", "{out}", "--type", "Q9"], 2, "there is no type Q9"),
        (["build", "{small}", "-o", "{out}", "--embedding-type", "Q9"], 2, "there is no tensor type Q9"),
        (["build", "{small}", "-o", "{out}", "--tensor", "attn_v"], 2, "is not PATTERN=TYPE"),
        (["build", "{small}", "-o", "{out}", "--tensor", "(=Q8_0"], 2, "not a regular expression"),
        (["build", "{small}", "-o", "{out}", "--tensor", "nothing=Q8_0"], 2, "no tensor is changed"),
        (["build", "{small}", "-o", "{out}", "--chat-template", "{out}.jinja"], 2, "cannot be read"),
        (["build", "{small}", "-o", "{out}", "--threads", "0"], 2, "greater than or equal to 1"),
        (["build", "{small}", "-o", "{out}", "--threads", "two"], 2, "'--threads': should be a whole number\n"),
        (["build", "{small}"], 2, "Missing option"),
        (["build", "{out}", "-o", "{out}"], 2, "there is no folder"),
        (["recommend", "--memory", "much"], 2, "is not a size"),
        (["build", "{small}", "-o", "{out}", "--imatrix", "{out}.imatrix"], 4, "cannot be read"),
        (["build", "{small}", "-o", "{out}", "--imatrix", "{small}/config.json"], 4, "not a GGUF file"),
        (["inspect", "{out}"], 4, "cannot be read"),
        (["verify", "{small}/tokenizer.json"], 4, "not a GGUF file"),
        (["plan", "{small}/.."], 4, "neither"),
    ],
)
def test_exit_codes(arguments: list[str], code: int, message: str, small: Path, tmp_path: Path) -> None:
    result = invoke(*(argument.format(small=small, out=tmp_path / "out.gguf") for argument in arguments))
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_an_unfitting_override(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "odd", Shape(num_hidden_layers=1, hidden_size=288, intermediate_size=320))
    result = invoke("plan", folder, "--type", "Q8_0", "--tensor", "ffn_up=Q4_K")
    assert result.exit_code == 2
    assert "blk.0.ffn_up.weight cannot be Q4_K: its rows have 288 weights" in result.stderr


def test_a_broken_checkpoint(tiny: Path) -> None:
    edit_json(tiny / "config.json", architectures=["LlamaForCausalLM"])
    result = invoke("plan", tiny)
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("README.md", "---\nlicense: [\n---\n", 2),
        ("README.md", "---\nlicense: {a: b}\nname: 7\n---\n", 2),
        ("README.md", "---\ntags: [[a], 5]\n---\n", 2),
        ("generation_config.json", '{"temperature": 1e300}', 1),
        ("generation_config.json", '{\n"temperature": "0.6"\n}', 2),
    ],
)
def test_decoration_that_is_left_out(name: str, content: str, line: int, tiny: Path, tmp_path: Path) -> None:
    (tiny / name).write_text(content)
    result = invoke("build", tiny, "-o", tmp_path / "out.gguf", "--type", "Q8_0")
    assert result.exit_code == 0
    assert (tmp_path / "out.gguf").stat().st_size > 0
    assert result.stderr.startswith(f"warning: {tiny / name}, line {line}: ")
    assert result.stderr.count("\n") == 1


def test_what_a_gguf_file_cannot_hold(tiny: Path, tmp_path: Path) -> None:
    (tiny / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>", "chat_template": "\\ud800"}')
    result = invoke("build", tiny, "-o", tmp_path / "out.gguf", "--type", "Q8_0")
    assert result.exit_code == 4
    assert result.stderr.count("\n") == 1
    assert "cannot hold" in result.stderr


def test_the_output_must_not_be_the_chat_template(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ own }}")
    result = invoke("build", tiny, "-o", tmp_path / "own.jinja", "--chat-template", tmp_path / "own.jinja")
    assert result.exit_code == 2
    assert (tmp_path / "own.jinja").read_text() == "{{ own }}"


def test_a_chat_template_has_no_byte_order_mark(tiny: Path, tmp_path: Path) -> None:
    template, out = tmp_path / "own.jinja", tmp_path / "out.gguf"
    template.write_text("{{ messages[0].content }}", encoding="utf-8-sig")  # as Windows' editors write it
    assert invoke("build", tiny, "-o", out, "--chat-template", template).exit_code == 0
    assert reader.read(out).keys["tokenizer.chat_template"] == "{{ messages[0].content }}"


def test_another_program_may_mount_the_commands(tmp_path: Path) -> None:
    outer = typer.Typer()
    outer.add_typer(app)
    result = CliRunner().invoke(outer, ["quantize", "inspect", str(tmp_path / "missing")])
    assert result.exit_code == 4
    assert result.stderr.startswith("error: ")


def test_as_a_module(small: Path, tmp_path: Path) -> None:
    """Native code must stay silent, also on the real file descriptors."""
    command = [sys.executable, "-P", "-m", "quantize", "build", str(small), "-o", str(tmp_path / "out.gguf"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["file"] == str(tmp_path / "out.gguf")


@pytest.mark.parametrize("command", ["plan", "build", "imatrix", "eval", "verify", "inspect", "recipes", "recommend"])
def test_help_has_an_example(command: str) -> None:
    assert f"vibe quantize {command} " in invoke(command, "--help").stdout


def test_what_the_streams_encoding_lacks_is_written_all_the_same(small: Path) -> None:
    """Windows redirects standard output in a code page."""
    command = [sys.executable, "-P", "-m", "quantize", "recommend", str(small), "--memory", "4G"]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "cp1252"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert "→" in done.stdout.decode()


def test_a_wrong_variable_of_the_hubs_client() -> None:
    command = [sys.executable, "-P", "-m", "quantize", "plan", "org/name"]
    environment = os.environ | {"HF_HUB_DOWNLOAD_TIMEOUT": "long"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "HF_HUB_DOWNLOAD_TIMEOUT is 'long'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written(base: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-P", "-m", "quantize", "inspect", str(base)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (5, "error: the output cannot be written (No space left on device)\n")


def test_foreign_text_does_not_steer_the_terminal(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    assert invoke("build", tiny, "-o", out, "--type", "Q8_0", "--name", "\x1b[2J\u202ename\n").exit_code == 0
    assert "general.name = \\x1b[2J\\u202ename\\n\n" in invoke("inspect", out).stdout
    assert output("inspect", out)["keys"]["general.name"] == "\x1b[2J\u202ename\n"


def test_numbers_that_json_does_not_have(tmp_path: Path) -> None:
    file = checkpoints.write(
        tmp_path / "x.gguf", "qwen2", keys={"a": float("nan"), "b": [float("-inf"), 1.0], "c": 0.5}
    )
    keys = output("inspect", file)["keys"]
    assert (keys["a"], keys["b"], keys["c"]) == ("nan", "[-inf, 1.0]", 0.5)


def test_importance_and_quality_by_command(base: Path, small: Path, prose: Path, tmp_path: Path) -> None:
    matrix, quantized = tmp_path / "i.gguf", tmp_path / "q.gguf"
    short = ["--text", prose, "--chunk-size", "64", "--chunks", "3", "--threads", "1"]
    made = output("imatrix", base, "-o", matrix, *short)
    assert (made["entries"], made["chunks"], made["chunk_size"], made["dataset"]) == (56, 3, 64, prose.name)
    assert output("build", small, "-o", quantized, "--type", "Q4_K_M", "--imatrix", matrix)["label"] == "Q4_K_M"
    figures = output("eval", base, quantized, *short)
    assert figures["mean_divergence"]["low"] < figures["mean_divergence"]["value"] < figures["mean_divergence"]["high"]
    assert figures["tokens"] == 3 * 31
    assert "KL divergence, mean" in invoke("eval", base, quantized, *short).stdout


def test_bundled_texts_by_command(base: Path, tmp_path: Path) -> None:
    short = ["--chunks", "2", "--chunk-size", "64", "--threads", "1"]
    made = output("imatrix", base, "-o", tmp_path / "i.gguf", *short)
    assert made["dataset"] == "calibration.txt (bundled)"
    assert output("eval", base, base, *short)["text"] == "evaluation.txt (bundled)"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["imatrix", "{base}", "-o", "{base}"], 2, "is what is read from"),
        (["imatrix", "{out}", "-o", "{base}"], 4, "cannot be read"),
        (["recipes", "{out}", "-o", "{out}", "--plot", "{out}"], 2, "both"),
        (["imatrix", "{base}", "-o", "{out}", "--text", "{out}"], 2, "cannot be read as UTF-8 text"),
        (["imatrix", "{prose}", "-o", "{out}"], 4, "not a GGUF file"),
        (["imatrix", "{base}", "-o", "{out}", "--text", "{prose}", "--chunk-size", "4096"], 2, "at least two chunks"),
        (["eval", "{base}", "{prose}"], 4, "not a GGUF file"),
        (["eval", "{base}", "{out}"], 4, "cannot be read"),
        (["recipes", "{base}", "-o", "{out}"], 2, "is not a folder"),
    ],
)
def test_exit_codes_of_measuring(
    arguments: list[str], code: int, message: str, base: Path, prose: Path, tmp_path: Path
) -> None:
    places = {"base": base, "prose": prose, "out": tmp_path / "out.gguf"}
    result = invoke(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []
