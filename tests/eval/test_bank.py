"""Banks on disk: what was written is read again, whatever happened to the file."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corruption import corrupted, whole_lines
from tests.eval import banks
from tests.eval.banks import HEADER, entry
from vibethinker_local.errors import UsageError
from vibethinker_local.eval import fit, table
from vibethinker_local.eval.bank import Entry, Writer, fitting, locked, read, same_problems
from vibethinker_local.eval.problems import Problem
from vibethinker_local.eval.table import InstructionTable
from vibethinker_local.events import Signals
from vibethinker_local.reliability.claims import CheckedClaim, Pairing
from vibethinker_local.reliability.yardstick import KnownStatement

PROBLEMS = [Problem("a", "1 + 1?", "2"), Problem("b", "2 + 2?", "4")]
ENTRIES = [
    entry("a", 0, "2", [0.9, 0.2, None]),
    entry("a", 1, "3", [0.1, 0.2, 0.3]),
    entry("b", 0, None),
    entry("b", 1, "4", [0.9, 0.9], signals=Signals((-0.5,), (3.0,), (9.0,), 1, 3.0, 3.0)),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bank.jsonl"
    writer = Writer(path, HEADER, None)
    for problem in PROBLEMS:
        writer.add(problem)
    for one in ENTRIES[:2]:
        writer.add(one)
    writer.close()
    half = read(path)
    writer = Writer(path, HEADER, half)
    for one in ENTRIES[2:]:
        writer.add(one)
    writer.close()
    found = read(path)
    assert found.header == HEADER
    assert list(found.problems.values()) == PROBLEMS
    assert list(found.entries.values()) == ENTRIES
    assert found.damaged == ()
    assert path.read_bytes().startswith(half.path.read_bytes()[:100])
    assert found.of("a") == ENTRIES[:2]


def test_a_bank_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        for later in ("pairs", "signals", "extracted", "known", "contested"):
            line.pop(later, None)
        for claim in line.get("claims") or () if "id" in line else ():
            claim.pop("source")
            claim.pop("dropped")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read(path)
    assert not found.damaged
    assert list(found.entries.values()) == [replace(one, signals=None) for one in ENTRIES]


def test_all_kinds_of_claims_and_what_their_verdicts_are_measured_by(tmp_path: Path) -> None:
    kept = replace(
        ENTRIES[0],
        claims=(CheckedClaim("a = 2", 0.3), CheckedClaim("Steps:", dropped="heading")),
        extracted=(CheckedClaim("1 + 1 = 2", None, True, source="extracted"),),
        known=(KnownStatement("1 is a number.", True, 0.4), KnownStatement("N/A", None, 0.1)),
        pairs=(Pairing(0, 1, 0.75, 0.5),),
    )
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, [kept], replace(HEADER, contested=True))
    found = read(path)
    assert found.entries["a", 0] == kept
    assert found.header.contested
    path.write_text(path.read_text().replace('"p": 0.1', '"p": 7'))
    assert read(path).damaged == (4,)


def test_damaged_lines_are_named_and_left_out(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES)
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3][:50]
    lines[4] = lines[4].replace(b'"tokens": 10', b'"tokens": "many"')
    lines.insert(6, b"\xff\x00garbage")
    lines.insert(7, b"[" * 100_000)
    path.write_bytes(b"\n".join(lines))
    found = read(path)
    assert found.damaged == (4, 5, 7, 8)
    assert list(found.entries.values()) == ENTRIES[2:]


def test_a_torn_last_line_is_cut_before_more_is_written(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES[:3])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": "b", "ind')
    writer = Writer(path, HEADER, read(path))
    writer.add(ENTRIES[3])
    writer.close()
    assert path.read_bytes().startswith(whole)
    assert read(path).damaged == ()
    assert list(read(path).entries.values()) == ENTRIES


def test_the_first_of_two_lines_counts(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, [ENTRIES[0], replace(ENTRIES[0], answer="9")])
    assert read(path).entries["a", 0].answer == "2"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"bank": 2}', '{"id": "a", "problem": "p", "answer": "1"}', "x"])
def test_what_is_no_bank(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bank.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="is no bank"):
        read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "missing.jsonl")


@pytest.mark.parametrize(("fact", "odd"), [("claims", -1), ("claims", "5"), ("sha256", 5), ("temperature", None)])
def test_a_header_that_is_odd_is_no_header(tmp_path: Path, fact: str, odd: object) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES)
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    path.write_text(json.dumps(json.loads(first) | {fact: odd}) + "\n" + rest, encoding="utf-8")
    with pytest.raises(UsageError, match="is no bank"):
        read(path)


def test_a_probability_is_one(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, [entry("a", 0, "2", [5.0])])
    assert read(path).damaged == (4,)


@pytest.mark.skipif(sys.platform == "win32", reason="devices are files of another kind there")
def test_a_device_is_no_bank() -> None:
    """/dev/zero would never end."""
    with pytest.raises(UsageError, match="is not a file"):
        read(Path("/dev/zero"))


def test_a_bank_of_another_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    found = read(banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES))
    fitting(found, replace(HEADER, name="copy", context=5000))
    for fact, says in {"sha256": "another model file", "seed": "another --seed", "claims": "another --claims"}.items():
        with pytest.raises(UsageError, match=says):
            fitting(found, replace(HEADER, **{fact: 99}))  # type: ignore[arg-type]
    same_problems(found, [*PROBLEMS, Problem("c", "p", "1")])
    with pytest.raises(UsageError, match="another problem with the id 'a'"):
        same_problems(found, [replace(PROBLEMS[0], answer="5")])


def test_a_bank_as_a_table(tmp_path: Path) -> None:
    found = table.build(read(banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES)))
    assert found.cluster.tolist() == [[0, 1], [-1, 0]]
    assert found.each_right.tolist() == [[True, False], [False, True]]
    assert {by: counts.tolist() for by, counts in found.refuted.items()} == {
        "model": [[1, 3], [0, 0]],
        "arithmetic": [[1, 0], [0, 0]],
        "either": [[2, 3], [0, 0]],
    }
    assert found.covered.tolist() == [[True, True], [False, False]], "one claim of the last is missing"
    assert found.verdict_tokens.tolist() == [[3, 3], [0, 2]]
    assert found.standing("either")[0].tolist() == pytest.approx([1 / 3, 0])


def test_reasoned_verdicts_are_taken_if_asked_for(tmp_path: Path) -> None:
    claims = tuple(
        replace(claim, thought=thought) for claim, thought in zip(ENTRIES[1].claims, (True, False, None), strict=True)
    )
    thought = replace(ENTRIES[1], claims=claims, think_tokens=77)
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS[:1], [ENTRIES[0], thought], replace(HEADER, thinking=True))
    found = table.build(read(path), thinking=True)
    assert found.refuted["model"].tolist() == [[0, 1]]
    assert found.verdict_tokens.tolist() == [[3, 80]]
    without = banks.write(tmp_path / "without.jsonl", PROBLEMS, ENTRIES)
    with pytest.raises(UsageError, match="no reasoned verdicts"):
        table.build(read(without), thinking=True)


def measured(index: int, answer: str, own: tuple[float, ...], stated: tuple[float, ...], tells: bool = True) -> Entry:
    """A trajectory with claims of both kinds, of a problem whose true sentences are at 0.3 and more."""
    true = (KnownStatement("said", True, 0.3), KnownStatement("too", True, 0.4))
    known = (*true, KnownStatement("altered", False, 0.2 if tells else 0.9), KnownStatement("N/A", None, 0.1))
    extracted = tuple(CheckedClaim(f"e{n}", p, source="extracted") for n, p in enumerate(own))
    return banks.entry("a", index, answer, stated, extracted=extracted, known=known)


def test_claims_count_as_they_do_in_a_pass(tmp_path: Path) -> None:
    """A solution's own where it makes enough, by the problem's yardstick; else those that it stated."""
    entries = [measured(0, "4", (0.35, 0.25), (0.1, 0.1, 0.1)), measured(1, "5", (0.1,), (0.5, 0.31, 0.29))]
    found = table.build(read(banks.write(tmp_path / "a.jsonl", PROBLEMS[:1], entries, replace(HEADER, stated=True))))
    assert found.refuted["either"].tolist() == [[1, 1]]
    assert found.asked.tolist() == [[2, 3]]
    assert found.claim_tokens.tolist() == [[0, 20]], "what a solution says itself is not stated"
    assert found.read_tokens.tolist() == [[30 * 2 // 5, 30 * 3 // 4]]
    assert found.standing("either")[0].tolist() == pytest.approx([1 / 2, 2 / 3])
    stated = table.build(read(tmp_path / "a.jsonl"), stated=True)
    assert (stated.refuted["either"].tolist(), stated.asked.tolist()) == ([[3, 1]], [[3, 3]])
    path = banks.write(tmp_path / "b.jsonl", PROBLEMS[:1], entries)
    with pytest.raises(UsageError, match="without --stated"):
        table.build(read(path), stated=True)


def test_what_arithmetic_finds_wrong_in_the_texts(tmp_path: Path) -> None:
    texts = ["So it costs 4 + 5 = 9 dollars. \\boxed{4}", "So 4 + 5 = 8 dollars, and 2 * 2 = 5. \\boxed{5}"]
    entries = [replace(banks.entry("a", at, "4"), text=text) for at, text in enumerate(texts)]
    entries += [replace(entries[1], index=2, kind="computed")]
    found = table.build(read(banks.write(tmp_path / "a.jsonl", PROBLEMS[:1], entries)))
    assert found.slips is not None
    assert found.slips.tolist() == [[0, 1, 0]], "one sentence is one claim; a program makes none"


def test_verdicts_that_tell_nothing_refute_nothing(tmp_path: Path) -> None:
    entries = [measured(0, "4", (0.1, 0.9), (), tells=False), measured(1, "5", (0.1, 0.1), (), tells=False)]
    found = table.build(read(banks.write(tmp_path / "a.jsonl", PROBLEMS[:1], entries)))
    assert found.refuted["either"].tolist() == [[0, 0]]
    assert found.covered.all()


def test_banks_of_earlier_versions_have_all_claims_stated(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "a.jsonl", PROBLEMS[:1], ENTRIES[:1])
    lines = path.read_text().splitlines(keepends=True)
    header = json.loads(lines[0])
    for claims, stated in ((3, True), (0, False)):
        told = {name: value for name, value in header.items() if name != "stated"} | {"claims": claims}
        path.write_text(json.dumps(told) + "\n" + "".join(lines[1:]))
        assert read(path).header.stated is stated


def test_problems_with_too_few_trajectories_are_left_out(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, [*ENTRIES[:3]])
    assert (table.build(read(path)).ids, table.build(read(path)).left_out) == (("a",), 1)
    assert table.build(read(path), 1).ids == ("a", "b")
    with pytest.raises(UsageError, match="no problem with 5 trajectories yet: the most that any has is 2"):
        table.build(read(path), 5)
    empty = banks.write(tmp_path / "empty.jsonl", PROBLEMS, [])
    with pytest.raises(UsageError, match="the most that any has is 0"):
        table.build(read(empty))


def test_banks_are_compared_on_the_problems_they_share(tmp_path: Path) -> None:
    one = table.build(read(banks.write(tmp_path / "one.jsonl", PROBLEMS, ENTRIES)))
    renamed = [replace(PROBLEMS[1], id="z"), Problem("c", "3?", "3")]
    entries = [replace(each, id="z") for each in ENTRIES[2:]] + [entry("c", 0, "3"), entry("c", 1, "3")]
    other = table.build(read(banks.write(tmp_path / "other.jsonl", renamed, entries)))
    left, right = table.together(one, other)
    assert (left.ids, right.ids) == (("b",), ("z",))
    assert left.cluster.tolist() == right.cluster.tolist() == [[-1, 0]]
    with pytest.raises(UsageError, match="no problem in common"):
        table.together(left, other.rows(right.cluster[:, 0] + 2))


def test_a_fit_finds_the_curve_its_data_came_from(tmp_path: Path) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    standing = rng.integers(0, 6, (2000, 8))
    right = rng.random((2000, 8)) < 1 / (1 + np.exp(-(-2 + 3 * standing / 5)))
    drawn = banks.table(np.where(right, 0, 1), 5 - standing, np.ones((2000, 8), np.int64))
    bank = read(banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES))
    kept = fit.fit(bank, drawn)
    assert kept.intercept == pytest.approx(-2, abs=0.15)
    assert kept.slope == pytest.approx(3, abs=0.2)
    assert (kept.sha256, kept.samples, kept.claims, kept.trajectories) == (HEADER.sha256, 8, 5, 16_000)
    with pytest.raises(UsageError, match="nothing to fit"):
        fit.fit(bank, banks.table(0 * standing, standing, standing))
    with pytest.raises(UsageError, match="has no claims"):
        fit.fit(bank, replace(drawn, instructions=InstructionTable(standing, standing, standing, standing[:, 0])))


def test_json_is_ascii_and_one_line_each(tmp_path: Path) -> None:
    path = tmp_path / "bank.jsonl"
    writer = Writer(path, HEADER, None)
    writer.add(entry("a", 0, "é\n\u2028"))
    writer.close()
    assert path.read_bytes().isascii()
    assert [next(iter(json.loads(line))) for line in path.read_text().splitlines()] == ["bank", "id"]


@pytest.mark.parametrize("seed", [*range(12), pytest.param(range(12, 300), marks=pytest.mark.slow)])
def test_a_corrupted_bank_loses_nothing_that_is_readable(tmp_path: Path, seed: int | range) -> None:
    path = banks.write(tmp_path / "bank.jsonl", PROBLEMS, ENTRIES)
    whole = path.read_bytes()
    header = whole.split(b"\n")[0]
    for each in seed if isinstance(seed, range) else [seed]:
        path.write_bytes(damaged := corrupted(whole, each))
        try:
            found = read(path)
        except UsageError:
            assert damaged.split(b"\n")[0] != header
            continue
        for line in whole_lines(whole, damaged):
            told = json.loads(line)
            if "problem" in told:
                assert told["id"] in found.problems
            elif "bank" not in told:
                assert (told["id"], told["index"]) in found.entries
        writer = Writer(path, HEADER, found)
        writer.add(PROBLEMS[0])
        writer.close()
        assert set(whole_lines(whole, damaged)) <= {*path.read_bytes().split(b"\n"), damaged.rpartition(b"\n")[2]}
        if any(found.of(name) for name in found.problems):
            table.build(replace(found, header=HEADER), 1)


def test_two_runs_do_not_fill_one_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    path, other = tmp_path / "bank.jsonl", tmp_path / "other.jsonl"
    with locked(path), locked(other):
        with pytest.raises(UsageError, match="Another run is filling"), locked(path):
            pass
        if sys.platform != "win32":
            (tmp_path / "link").symlink_to(path)
            with pytest.raises(UsageError), locked(tmp_path / "link"):
                pass
    with locked(path):
        pass
