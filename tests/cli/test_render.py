"""What reaches the terminal: nothing that it would obey, and the receipt as the contract has it."""

import io
import json
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.cli import render
from vibethinker_local.cli.doctor import Check
from vibethinker_local.events import (
    Closing,
    Finished,
    ModelIdentity,
    ReliabilityReport,
    Solution,
    SolveEvent,
    Started,
    Status,
    Trajectory,
    Usage,
    Wrote,
)
from vibethinker_local.solving import receipt
from vibethinker_local.system.terminal import printable

EVIL = "\x1b[2J\x1b]0;title\x07\x9b31m\r\x08\x7f\u202e\u2066\u200f\u061c\x00"
MODEL = ModelIdentity("mini", "mini.gguf", "Q8_0", "ab" * 32)


def solution(status: Status = "answered", *, answer: str | None = "7", text: str = "It is \\boxed{7}.") -> Solution:
    trajectory = Trajectory(5, 40, "stop", answer, text, "hm", -0.25)
    return Solution("2+5?", status, MODEL, Usage(10, 40, 2.0), answer, text, None, "single", (trajectory,), (5,))


def test_printable_keeps_text_and_drops_what_is_obeyed() -> None:
    assert printable(f"a{EVIL}b") == "a[2J]0;title31mb"
    kept = "tab\t newline\n é 数学 → 𝔸 👩‍💻 e\u0301 soft\u00adhyphen zero\u200bwidth"
    assert printable(kept) == kept
    assert printable("a\r\nb") == "a\nb"


@given(st.text())
def test_no_control_character_is_ever_printed(text: str) -> None:
    shown = printable(text)
    assert all(unicodedata.category(c) != "Cc" or c in "\t\n" for c in shown)
    assert all(
        unicodedata.bidirectional(c) not in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}
        for c in shown
    )


@given(st.text())
def test_the_receipt_on_a_terminal_is_harmless_and_complete(text: str) -> None:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        render.print_receipt(solution(text=text + EVIL))
    line = out.getvalue().removesuffix("\n")
    assert "\n" not in line
    assert printable(line) == line
    assert json.loads(line)["text"] == text + EVIL


def test_half_a_character_costs_neither_answer_nor_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_receipt(solution(text="so \ud83d\ude00 \ud83d 7"))
    assert json.loads(capsys.readouterr().out)["text"] == "so 😀 \ufffd 7"
    render.complain("no \ud800 \udcc3\udca9")
    render.print_line("no \udbff")
    assert capsys.readouterr() == ("no \ufffd\n", "vibe: no \ufffd é\n")


def test_the_doctors_report_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    checks = [Check("engine x", f"http://x, server, m{EVIL}", "warning", f"see {EVIL}"), Check("hub cache", "\udcff")]
    render.print_checks(checks, as_json=False)
    shown = capsys.readouterr().out
    assert shown == printable(shown)
    render.print_checks(checks, as_json=True)
    shown = capsys.readouterr().out
    assert shown == printable(shown)
    assert json.loads(shown)["checks"][0]["value"].endswith(EVIL)


def test_the_receipt_has_the_contracts_fields() -> None:
    told = receipt.receipt(solution())
    assert list(told) == (
        "schema problem answer text status error model mode majority clusters trajectories usage seeds versions".split()
    )
    assert told["clusters"] == [{"answer": "7", "votes": 1, "weight": 1.0}]
    assert told["usage"] == {
        "prompt_tokens": 10,
        "solve_tokens": 40,
        "verify_tokens": 0,
        "seconds": 2.0,
        "tokens_per_second": 20.0,
    }


@pytest.mark.parametrize(
    ("status", "answer", "text", "answer_only", "shown"),
    [
        ("answered", "7", "It is \\boxed{7}.", False, "It is \\boxed{7}.\n"),
        ("answered", "7", "It is \\boxed{7}.", True, "7\n"),
        ("answered", EVIL + "7", EVIL + "7", True, "[2J]0;title31m7\n"),
        ("answered", EVIL + "7", EVIL + "7", False, "[2J]0;title31m7\n"),
        ("answered", None, "Air scatters blue light.", False, "Air scatters blue light.\n"),
        ("answered", None, "Air scatters blue light.", True, "Air scatters blue light.\n"),
        ("no_answer", None, "I cannot say.", False, "I cannot say.\n"),
        ("no_answer", None, "I cannot say.", True, ""),
        ("no_answer", None, "", False, ""),
        ("stopped", None, "It is \\bo", False, ""),
        ("stopped", "7", "7", False, "7\n"),
        ("failed", None, "It is", False, ""),
    ],
)
def test_what_is_printed(
    status: Status, answer: str | None, text: str, answer_only: bool, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    render.print_text(solution(status, answer=answer, text=text), answer_only=answer_only)
    assert capsys.readouterr().out == shown


def test_an_answer_that_time_did_not_suffice_for_is_explained_so() -> None:
    report = ReliabilityReport((), None, "time")
    found = render.explain(replace(solution("no_answer", answer=None), report=report))
    assert "the time was up" in found
    assert "--time-limit" in found
    assert "--seed" in render.explain(
        replace(solution("no_answer", answer=None), report=replace(report, decision="all"))
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


EVENTS: list[SolveEvent] = [
    Started(MODEL, 5, 10, 1014, 2048),
    Wrote(f"\nfirst{EVIL} thought", True, 3),
    Closing("loop", asking=False),
    Wrote("It is \\boxed{7}.", False, 9),
    Finished(solution()),
]


def followed(stream: io.StringIO, *, quiet: bool = False, show_thinking: bool = False) -> str:
    progress = render.Display(quiet=quiet, show_thinking=show_thinking, stream=stream)
    assert progress.follow(EVENTS) == solution()
    return stream.getvalue()


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    assert followed(io.StringIO()).splitlines() == [
        "mini Q8_0 · seed 5 · prompt 10 tokens · up to 1,014 more",
        "going round in circles: closing the reasoning",
    ]
    assert followed(io.StringIO(), show_thinking=True).splitlines() == [
        "mini Q8_0 · seed 5 · prompt 10 tokens · up to 1,014 more",
        "first[2J]0;title31m thought",
        "going round in circles: closing the reasoning",
        "",
    ]
    assert followed(io.StringIO(), quiet=True, show_thinking=True) == ""


def test_the_models_text_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in followed(Terminal(), show_thinking=True)
    live = followed(Terminal())
    assert "Ctrl-C" in live
    assert "title" not in live


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_progress_that_cannot_be_written_does_not_stop_the_work() -> None:
    with Path("/dev/full").open("w") as full:
        assert render.Display(quiet=False, show_thinking=True, stream=full).follow(EVENTS) == solution()
