"""Instructions that a program can check: each type, the public test's layout, and the policy that reads them off."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.eval.banks import HEADER
from vibethinker_local.errors import UsageError
from vibethinker_local.eval import layouts, report, show, table
from vibethinker_local.eval.bank import Bank, Entry
from vibethinker_local.eval.instructions import CHECKS, Instruction, held, language, read_off
from vibethinker_local.eval.problems import Problem

# By type: its values, replies that follow it, and replies that do not.
CASES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "keywords:existence": ({"keywords": ["tide", "moon"]}, ["The Moon moves the tides."], ["The moon is far."]),
    "keywords:frequency": ({"keyword": "sea", "frequency": 2, "relation": "at least"}, ["Sea to sea."], ["One sea."]),
    "keywords:forbidden_words": ({"forbidden_words": ["rain"]}, ["A rainy day."], ["It will Rain."]),
    "keywords:letter_frequency": (
        {"letter": "q", "let_frequency": 2, "let_relation": "less than"}, ["Quite so."], ["Quick questions."],
    ),
    "language:response_language": ({"language": "de"}, ["Das ist nicht der Weg."], ["This is not the way."]),
    "length_constraints:number_sentences": (
        {"num_sentences": 3, "relation": "at least"},
        ["One. Two! Three?", "Dr. Bell came. He sat down. It rained.", "One.\n\nTwo\n\nThree"],
        ["Dr. Bell paid 3.5 dollars. He left.", "No e.g. here."],
    ),
    "length_constraints:number_paragraphs": (
        {"num_paragraphs": 2}, ["a\n***\nb", "***\na\n***\nb"], ["a\n\nb", "a\n***\n***\nb"],
    ),
    "length_constraints:number_words": ({"num_words": 3, "relation": "less than"}, ["one two"], ["one two three"]),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Later"}, ["So.\n\nLater, rain."], ["Later.\n\nSo."],
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, ["[name] at [place]"], ["[name]"]),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, ["Yours\nP. S. Come!"], ["PS: come"]),
    "detectable_format:number_bullet_lists": (
        {"num_bullets": 2}, ["* a\n* b", "- a\n  - b"], ["* a\n* b\n- c", "**a**\n* b"],
    ),
    "detectable_format:constrained_response": ({}, ["My answer is maybe."], ["Maybe."]),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, ["*one* and *two*"], ["*one* and **"]),
    "detectable_format:multiple_sections": (
        {"section_spliter": "Section", "num_sections": 2}, ["Section 1\na\nSection 2\nb"], ["Section 1\na\nSection B"],
    ),
    "detectable_format:json_format": ({}, ['```json\n{"a": [1]}\n```', "[]"], ["{'a': 1}"]),
    "detectable_format:title": ({}, ["<<Tides>>\nThey come."], ["<< >> Tides", "<Tides>"]),
    "combination:two_responses": ({}, ["a ****** b", "a\n******\nb\n******"], ["a ****** a", "a", "a****** ******b"]),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Say when."}, ["say when. Now."], ["Now. Say when."]),
    "startend:end_checker": ({"end_phrase": "That is all."}, ['Well. That is ALL."'], ["That is all. Bye."]),
    "startend:quotation": ({}, ['"Well."'], ['"Well." he said', '"']),
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"}, ["STOP IT now"], ["Stop IT now"],
    ),
    "change_case:english_capital": ({}, ["THIS IS THE END."], ["This IS the end.", "DAS IST NICHT DER WEG."]),
    "change_case:english_lowercase": ({}, ["this is the end."], ["This is the end."]),
    "punctuation:no_comma": ({}, ["No pause here."], ["Well, no."]),
}  # fmt: skip


def test_all_types_of_the_public_test_are_there() -> None:
    assert len(CHECKS) == 25
    assert CHECKS.keys() == CASES.keys()


@pytest.mark.parametrize("type", CASES)
def test_replies_are_checked(type: str) -> None:
    values, followed, ignored = CASES[type]
    instruction = Instruction(type, values)
    assert [instruction.followed(reply) for reply in followed] == [True] * len(followed)
    assert [instruction.followed(reply) for reply in ignored] == [False] * len(ignored)
    assert not instruction.followed(" \n")


NTH = "length_constraints:nth_paragraph_first_word"


@pytest.mark.parametrize(
    ("type", "values"),
    [
        (NTH, {"nth_paragraph": 2}),
        (NTH, {"nth_paragraph": 2, "num_paragraphs": "two", "first_word": "So"}),
        (NTH, {"nth_paragraph": 2, "num_paragraphs": [], "first_word": "So"}),
        ("keywords:existence", {"keywords": ["moon", "("]}),
        ("language:response_language", {}),
    ],
)
def test_values_that_a_reply_cannot_be_checked_with_are_refused(type: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{type} lacks"):
        Instruction(type, values)


def test_no_paragraph_has_the_number_0_or_less() -> None:
    values = {"num_paragraphs": 2, "nth_paragraph": -3, "first_word": "So"}
    assert not Instruction(NTH, values).followed("So.")


def test_a_reply_of_many_sentences_is_checked_in_no_time() -> None:
    few = Instruction("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"})
    began = time.process_time()
    assert few.followed("P. " * 10_000 + "!" * 10_000)
    assert time.process_time() - began < 1  # seconds; milliseconds on a quiet machine


def test_loosely_first_and_last_lines_and_asterisks_do_not_count() -> None:
    quoted = Instruction("startend:quotation", {})
    for reply in ('Here it is:\n"Well."', '"Well."\nI hope this helps!', 'Here:\n*"Well."*\nBye'):
        assert (quoted.followed(reply), quoted.followed_loosely(reply)) == (False, True)
    assert not quoted.followed_loosely("Well.")
    assert held("a, b", [quoted, Instruction("punctuation:no_comma", {})]) == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Это не тот путь, который нам нужен.", "ru"), ("Це не той шлях, який нам потрібен, їжак.", "uk"),
        ("यह रास्ता सही नहीं है।", "hi"), ("हे बरोबर आहे आणि ते नाही.", "mr"), ("これは道ではありません。", "ja"),
        ("이것은 길이 아니다.", "ko"), ("هذا ليس الطريق", "ar"), ("این راه ما نیست، پس چه کنیم؟ گپ", "fa"),
        ("Isso não é o que uma pessoa quer para os dias", "pt"), ("Esto no es lo que se quiere para los días", "es"),
        ("Hii si njia ya watu kwa sasa", "sw"), ("1 + 1 = 2", None),
    ],
)  # fmt: skip
def test_languages_are_told_apart(text: str, code: str | None) -> None:
    assert language(text) == code


def test_the_public_layout_is_read(tmp_path: Path) -> None:
    rows = [
        {"key": 7, "prompt": "Hi. ", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"num_words": None}]},
        {"key": 8, "prompt": "Hi.", "instruction_id_list": ["no:such"], "kwargs": [{}]},
        {"key": 9, "prompt": "Hi.", "instruction_id_list": ["keywords:existence"], "kwargs": [{}]},
        {"key": 10, "prompt": "Hi.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": []},
    ]
    path = tmp_path / "ifeval.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = layouts.read(path)
    (problem,) = found.problems
    assert (problem.id, problem.problem, problem.kind) == ("7", "Hi. ", "instructions")
    assert problem.instructions == (Instruction("punctuation:no_comma", {}),)
    said = " ".join(found.notices)
    assert "'no:such'" in said
    assert "keywords:existence lacks 'keywords'" in said
    assert "not lists of one length" in said


READ = {
    "Use at least 300 words and no commas.": {"length_constraints:number_words", "punctuation:no_comma"},
    "Answer in less than five sentences, all lowercase.": {
        "length_constraints:number_sentences", "change_case:english_lowercase",
    },
    "Wrap your entire response with double quotation marks.": {"startend:quotation"},
    "Write it in JSON format, please.": {"detectable_format:json_format"},
    "Give exactly 3 bullet points. Do not use the word 'rain'.": {
        "detectable_format:number_bullet_lists", "keywords:forbidden_words",
    },
    "Finish your response with this exact phrase \"Is there anything else?\"": {"startend:end_checker"},
    "What is the tallest mountain?": set(),
    "Highlight words in all capital letters.": set(),
}  # fmt: skip


@pytest.mark.parametrize("question", READ)
def test_instructions_are_read_off_a_question(question: str) -> None:
    assert {each.type for each in read_off(question)} == READ[question]


def test_more_than_means_one_more() -> None:
    (more,) = read_off("Write more than 4 words.")
    assert [more.followed(reply) for reply in ("a b c d", "a b c d e")] == [False, True]


def entry(id: str, index: int, text: str) -> Entry:
    return Entry(id, index, index, 10, "stop", None, text, "", -0.1)


def test_the_policy_takes_the_reply_that_follows_what_is_stated() -> None:
    rule = (Instruction("punctuation:no_comma", {}), Instruction("keywords:existence", {"keywords": ["sea"]}))
    problems = {"a": Problem("a", "Describe the sea. Use no commas.", "", "instructions", None, rule)}
    texts = ["Well, the sea.", "The sea is wide.", "The hills."]
    entries = {("a", n): entry("a", n, text) for n, text in enumerate(texts)}
    bank = Bank(Path("b"), replace(HEADER, claims=0), problems, entries)
    found = report.make(table.build(bank))
    right = {row.name: row.accuracy for row in found.policies if row.k == 3 or row.name == "single"}
    assert right == {"single": pytest.approx(1 / 3), "majority": 0, "adaptive": 0, "constraints": 1, "oracle": 1}
    assert found.following
    assert found.following.prompts_strict == pytest.approx(1 / 3)
    assert found.following.instructions_strict == pytest.approx(4 / 6)
    assert "strict: prompts 33.3%, instructions 66.7%" in show.tables(found, bank.header, [])
    mixed = replace(bank, problems=problems | {"m": Problem("m", "1+1", "2")}, entries=entries | {
        ("m", n): entry("m", n, "2") for n in range(3)
    })  # fmt: skip
    with pytest.raises(UsageError, match="--only"):
        table.build(mixed)
