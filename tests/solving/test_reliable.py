"""The reliability pass as a whole, on a scripted model whose answers, claims and verdicts are known."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.solving.speaker import Speaker, script
from tests.solving.thinker import CLR, FOREVER, THREE, TURNED, Thinker, run
from vibethinker_local.cli.render import verdict
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.errors import UsageError
from vibethinker_local.events import (
    Claimed,
    Closing,
    Contested,
    Control,
    Finished,
    Judged,
    Options,
    Parted,
    Sampled,
    SolveEvent,
)
from vibethinker_local.models.installed import Chosen
from vibethinker_local.models.spec import ModelSpec
from vibethinker_local.reliability import vote, yardstick
from vibethinker_local.reliability.plan import Plan, make
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import deadline, reliable
from vibethinker_local.solving.follow import summary

pytestmark = pytest.mark.usefixtures("nothing_symbolic")


def claiming(answer: str) -> str:
    """A reply of the published method, with a claim less than it was asked for."""
    return f"<think>so</think>\n\nso \\boxed{{{answer}}}\n\n**Claims:**\n1. {answer} is odd\n2. it is \\boxed{{5}}"


def test_three_that_agree_are_enough() -> None:
    found, events = run(Thinker({"17": 1}), CLR)
    assert (found.answer, found.status, found.mode) == ("17", "answered", "clr")
    assert found.report is not None
    assert (found.report.decision, found.report.checked) == ("likely", 0)
    assert [(c.answer, c.votes) for c in found.report.clusters] == [("17", 3)]
    assert len([t for t in found.trajectories if t.answer]) == 3, "none more was waited for"
    assert sum(isinstance(event, Sampled) for event in events) == 3
    assert found.seeds[:3] == (2, 3, 4)
    assert found.text == "\\boxed{17}"


def test_what_is_settled_is_not_sampled_on_though_claims_may_be_checked() -> None:
    found, _ = run(Thinker({"17": 1}), make("clr", "standard", samples=4))
    assert found.report
    assert (found.report.decision, found.report.answered) == ("settled", 3)


def test_solutions_that_calculate_wrongly_end_no_vote() -> None:
    wrong = Thinker({"9": 1}, reply=lambda answer: f"<think>so</think>\n\nSo 4 + 4 = 9 dollars.\n\n\\boxed{{{answer}}}")
    found, _ = run(wrong, make("arithmetic", "standard", samples=4))
    assert found.report
    assert (found.report.decision, found.report.answered) == ("all", 4)


def test_a_model_may_stop_where_two_agree() -> None:
    found, _ = run(Thinker({"17": 1}), make("majority", "standard", likely=0.85))
    assert found.report is not None
    assert found.report.decision == "likely"
    assert len(found.trajectories) == 3, "the slowest may be in vain"


def test_of_equals_the_earliest_is_shown() -> None:
    found, _ = run(Thinker({"17": 0.5, "17.0": 0.5}), make("majority", "standard", samples=4, stopping=False), seed=1)
    by_seed = sorted(found.trajectories, key=lambda trajectory: trajectory.seed)
    assert by_seed[0].answer != by_seed[-1].answer
    assert found.text == by_seed[0].text


def test_without_stopping_all_are_drawn() -> None:
    found, _ = run(Thinker({"17": 1}), make("majority", "standard", samples=6, stopping=False))
    assert len(found.trajectories) == 6
    assert found.report
    assert found.report.decision == "all"


def test_refuted_claims_turn_a_vote() -> None:
    found, events = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE)
    assert found.report
    assert found.report.majority == "9"
    assert found.answer == "4"
    assert found.report.clusters[0].weight == pytest.approx(found.report.clusters[0].votes)
    assert found.report.clusters[1].weight == pytest.approx(found.report.clusters[1].votes * (1 / 3) ** 3)
    assert found.text == "\\boxed{4}"
    for trajectory in found.trajectories:
        assert trajectory.reliability == pytest.approx(1.0 if trajectory.answer == "4" else 1 / 27)
        rulings = [claim.verdict and claim.verdict.ruling for claim in trajectory.claims]
        assert rulings == (["supported"] * 3 if trajectory.answer == "4" else ["refuted", "refuted", "supported"])
    kinds = [type(event) for event in events]
    assert kinds.index(Contested) < kinds.index(Claimed) < kinds.index(Judged)
    verdict = found.trajectories[0].claims[0].verdict
    assert verdict
    assert verdict.p == pytest.approx(1 / (1 + np.exp(2 if verdict.ruling == "refuted" else -2)), abs=1e-4)


def test_the_same_claim_is_asked_about_once() -> None:
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE)
    stated = sum(len(trajectory.claims) for trajectory in found.trajectories)
    claim_tokens = sum(
        len("\n".join(f"{n}. {c}" for n, c in enumerate(TURNED[t.answer or ""], 1))) + 1 for t in found.trajectories
    )
    assert found.usage.verify_tokens == claim_tokens + 6 + 5  # six different ones, and five known statements
    assert found.report
    assert found.report.checked == stated


def test_arithmetic_refutes_without_the_model() -> None:
    claims = {"9": ["good 1 + 1 = 3", "1 + 1 = 3", "a = good"], "4": ["b = good", "2 + 2 = 4", "c = good"]}
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, claims), THREE)
    nine = next(t for t in found.trajectories if t.answer == "9")
    verdict = nine.claims[1].verdict
    assert verdict
    assert (verdict.ruling, verdict.method, verdict.p) == ("refuted", "arithmetic", None)
    assert verdict.evidence == "1 + 1 = 3 does not hold: the left side is 2"
    four = next(t for t in found.trajectories if t.answer == "4")
    proved = four.claims[1].verdict
    assert proved
    assert (proved.ruling, proved.method) == ("refuted", "model"), "what adds up is judged all the same"


def test_what_solutions_calculate_turns_a_vote_without_a_token() -> None:
    def reply(answer: str) -> str:
        sums = {"9": "So he has 4 + 4 = 9 dollars.", "4": "So he has 2 + 2 = 4 dollars, perhaps 4."}
        return f"<think>so</think>\n\n{sums[answer]} He has some more.\n\n\\boxed{{{answer}}}"

    plan = make("arithmetic", "standard", samples=8, stopping=False)
    found, events = run(Thinker({"9": 0.7, "4": 0.3}, reply=reply), plan, seed=11)
    assert found.report
    assert (found.report.majority, found.answer, found.mode) == ("9", "4", "arithmetic")
    assert found.usage.verify_tokens == 0
    assert summary(found.report).endswith("of 8 equations do not hold")
    for trajectory in found.trajectories:
        [claim] = trajectory.claims
        assert claim.verdict
        assert (claim.source, claim.verdict.method) == ("extracted", "arithmetic")
        assert trajectory.reliability == (1.0 if trajectory.answer == "4" else vote.FLOOR)
    checks = [type(event) for event in events if isinstance(event, Sampled | Contested | Claimed | Judged)]
    assert checks == [Sampled, Claimed, Judged] * 8, "as each ends, so that nothing is left to check"
    alike, _ = run(Thinker({"4": 1}, reply=reply), plan)
    assert alike.report
    assert summary(alike.report) == "8 of 8 agree · 8 equations checked, and all hold"
    silent, _ = run(Thinker({"9": 0.7, "4": 0.3}), plan)
    assert silent.report
    assert (silent.answer, silent.report.checked) == ("9", 0), "who calculates nothing votes plainly"
    with pytest.raises(UsageError, match="no verdicts"):
        make("arithmetic", "standard", verdicts="think")


def test_fewer_claims_than_asked_for_count_as_standing() -> None:
    claims = {"9": ["a = bad", "a = bad", "a = bad"], "4": ["b = good", "b = good", "b = good"]}  # each says one thing
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, claims), THREE)
    nine = next(t for t in found.trajectories if t.answer == "9")
    assert [claim.text for claim in nine.claims] == ["a = bad"]
    assert nine.reliability == pytest.approx((2 / 3) ** 3)


def test_reasoned_verdicts() -> None:
    plan = Plan("clr", samples=8, claims=3, tokens=1000, think_tokens=5000, verdicts="think")
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), plan)
    for trajectory in found.trajectories:
        assert [claim.verdict and claim.verdict.ruling for claim in trajectory.claims] == [
            "refuted",
            "supported",
            "supported",
        ]
        assert trajectory.reliability == pytest.approx((2 / 3) ** 3)


def test_unreadable_verdicts_refute_nothing() -> None:
    plan = Plan("published", samples=4, claims=3, tokens=1000, think_tokens=9000, verdicts="think", stopping=False)
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, reply=claiming, verdicts="who knows"), plan)
    assert {claim.verdict and claim.verdict.ruling for t in found.trajectories for claim in t.claims} == {"undecided"}
    assert found.report
    assert found.answer == found.report.majority


def test_published_checks_also_where_all_agree() -> None:
    plan = Plan("published", samples=3, claims=3, tokens=1000, think_tokens=9000, verdicts="think", stopping=False)
    found, _ = run(Thinker({"9": 1}, reply=claiming, verdicts="1. REFUTED\n2. VALID\n3. VALID"), plan)
    assert len(found.trajectories) == 3
    assert all(t.reliability == pytest.approx((2 / 3) ** 3) for t in found.trajectories)


def test_published_claims_are_part_of_the_reply_and_no_part_of_the_answer() -> None:
    plan = Plan("published", samples=4, claims=3, tokens=1000, think_tokens=9000, verdicts="think", stopping=False)
    found, events = run(Thinker({"9": 0.6, "4": 0.4}, reply=claiming, verdicts="**1.** VALID\n2. REFUTED: no"), plan)
    assert {t.answer for t in found.trajectories} == {"9", "4"}, "not the box in a claim"
    for trajectory in found.trajectories:
        assert trajectory.text == f"so \\boxed{{{trajectory.answer}}}"
        assert [(c.text, c.source, c.verdict and c.verdict.ruling) for c in trajectory.claims] == [
            (f"{trajectory.answer} is odd", "published", "supported"),
            ("it is \\boxed{5}", "published", "refuted"),
            ("", "published", "undecided"),
        ]
        assert trajectory.reliability == pytest.approx((2 / 3) ** 3)
    assert not any(isinstance(event, Judged) and event.verdict.p is not None for event in events)


def test_published_with_all_refuted_takes_the_earliest() -> None:
    plan = Plan("published", samples=5, claims=3, tokens=1000, think_tokens=9000, verdicts="think", stopping=False)
    refuted = "1. REFUTED\n2. REFUTED\n3. REFUTED"
    found, _ = run(Thinker({"9": 0.5, "4": 0.5}, reply=claiming, verdicts=refuted), plan)
    assert found.report
    assert [cluster.weight for cluster in found.report.clusters] == [0, 0]
    assert found.answer == found.trajectories[0].answer


def worked(answer: str) -> str:
    step = "In May she sold 8 / 2 = 4 clips." if answer == "9" else "In May she sold 8 * 2 = 16 clips, good for her."
    begin = "<think>so</think>\n\nShe sold 3 + 5 = 8 clips in April.\n\n"
    return f"{begin}{step}\n\nIt is good = {answer}.\n\n\\boxed{{{answer}}}"


def test_the_step_where_answers_part_is_shown_and_checked_first() -> None:
    found, events = run(Thinker({"9": 0.6, "4": 0.4}, reply=worked), THREE, seed=1)
    [parted] = [event for event in events if isinstance(event, Parted)]
    claims = {side.claim for side in parted.crux.sides}
    assert claims == {"In May she sold 8 / 2 = 4 clips.", "In May she sold 8 * 2 = 16 clips, good for her."}
    first = [event.claims[0].text for event in events if isinstance(event, Claimed)]
    assert set(first) == claims
    assert found.report
    assert found.report.crux
    for side in found.report.crux.sides:
        answers = {found.trajectories[member].answer for member in side.members}
        assert answers == ({"9"} if "/" in side.claim else {"4"})
        assert side.verdict
        assert side.verdict.ruling == ("refuted" if "/" in side.claim else "supported")
    assert found.answer == "4"
    assert all(claim.source == "extracted" for t in found.trajectories for claim in t.claims)
    assert found.usage.verify_tokens < 20, "what solutions say themselves costs no tokens"


def test_the_step_where_answers_part_counts_once_in_each_solutions_own_words() -> None:
    begins = {
        "A": "Half is 40 / 4 = 9 pens.",
        "B": "He gives away 40 / 4 = 9 pens.",
        "C": "He doubles 40 * 4 = 160 good pens.",
    }
    rest = dict.fromkeys("AB", "he has 3 + 6 = 9 good apples. Then he sells 2 + 1 = 3 good pens.\n\n\\boxed{9}")
    rest["C"] = "he has 1 + 3 = 4 good apples.\n\n\\boxed{4}"
    backend = Thinker(
        {"A": 0.35, "B": 0.35, "C": 0.3}, reply=lambda each: f"<think>so</think>\n\n{begins[each]} Now {rest[each]}"
    )
    found, _ = run(backend, Plan("clr", samples=8, claims=5, tokens=1000, think_tokens=0, stopping=False), seed=3)
    firsts = {trajectory.claims[0].text for trajectory in found.trajectories}
    assert firsts == set(begins.values())
    for trajectory in found.trajectories:
        assert trajectory.text.startswith(trajectory.claims[0].text)
        if trajectory.answer == "9":
            assert [claim.verdict and claim.verdict.ruling for claim in trajectory.claims].count("refuted") == 1
    assert len({t.reliability for t in found.trajectories if t.answer == "9"}) == 1, "the same mistake weighs the same"


def test_where_only_the_reasoning_is_worked_out_they_part_there() -> None:
    def reply(answer: str) -> str:
        step = "8 / 2 = 4" if answer == "9" else "8 * 2 = 16"
        return f"<think>3 + 5 = 8\n{step}</think>\n\n\\boxed{{{answer}}}"

    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, reply=reply), make("majority", "standard", samples=8, stopping=False))
    assert found.report
    assert found.report.crux
    assert {side.claim for side in found.report.crux.sides} == {"8 / 2 = 4", "8 * 2 = 16"}


@pytest.mark.parametrize(("word", "refuted"), [("bad", True), ("good", False)])
def test_verdicts_that_tell_nothing_leave_the_plain_vote_and_say_so(word: str, refuted: bool) -> None:
    claims = {"9": [f"a = {word}", f"b = {word}"], "4": [f"c = {word}", f"d = {word}", f"e = {word}"]}
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, claims), THREE)
    assert found.report
    assert found.answer == found.report.majority
    assert [cluster.weight for cluster in found.report.clusters] == [cluster.votes for cluster in found.report.clusters]
    count = found.report.checked
    assert f"the claims told nothing: {f'all {count}' if refuted else f'none of {count}'} refuted" in verdict(found)


def test_a_model_that_doubts_what_the_problem_says_refutes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yardstick, "GENERAL", (("2 + 3 = 5.", True), ("good: 2 + 3 = 6.", False)))
    monkeypatch.setattr("tests.solving.thinker.yardstick.GENERAL", ())
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE)
    assert found.report
    assert not found.report.measured
    assert found.answer == found.report.majority == "9"
    assert "the claims told nothing" in verdict(found)


def test_a_vote_that_arithmetic_turns_says_so_where_the_model_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yardstick, "GENERAL", (("2 + 3 = 5.", True), ("good: 2 + 3 = 6.", False)))
    monkeypatch.setattr("tests.solving.thinker.yardstick.GENERAL", ())
    claims = {"9": ["so 1 + 1 = 3", "b = good", "c = good"], "4": ["d = good", "e = good", "f = good"]}
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, claims), THREE)
    assert found.report
    assert (found.report.measured, found.report.majority, found.answer) == (False, "9", "4")
    assert 0 < found.report.refuted == found.report.by_arithmetic
    assert "by arithmetic alone" in summary(found.report)


def test_reasoning_about_claims_that_runs_out_of_tokens_is_closed() -> None:
    plan = Plan("clr", samples=8, claims=3, tokens=1000, think_tokens=0, verdicts="think")
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED, verdicts=FOREVER.decode(), cells=60_000), plan)
    for trajectory in found.trajectories:
        rulings = [claim.verdict and claim.verdict.ruling for claim in trajectory.claims]
        assert rulings == ["refuted", "supported", "supported"]


def test_a_model_that_does_not_think_is_taken_at_its_words_as_far_as_they_go() -> None:
    plan = Plan("clr", samples=8, claims=3, tokens=800, think_tokens=0, verdicts="think")
    words = (
        "1. **The first**\n   - This claim is invalid.\n\n2. **The next**\n   - It is correct. " + "And so on, " * 100
    )
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED, verdicts=words, thinks=False), plan)
    for trajectory in found.trajectories:
        rulings = [claim.verdict and claim.verdict.ruling for claim in trajectory.claims]
        assert rulings == ["refuted", "supported", "undecided"]


def test_close_votes_escalate_to_reasoning() -> None:
    claims = {"9": ["a = good", "b = good", "c = good"], "4": ["d = good", "e = good", "f = good"]}
    plan = Plan("clr", samples=8, claims=3, tokens=1000, think_tokens=100)
    found, _ = run(Thinker({"9": 0.5, "4": 0.5}, claims), plan)
    reasoned = [t for t in found.trajectories if t.reliability == pytest.approx((2 / 3) ** 3)]
    assert reasoned
    assert len(reasoned) < len(found.trajectories), "the tokens for it are limited"


def test_answers_that_cannot_be_compared_get_no_vote() -> None:
    backend = Thinker({"x": 1}, reply=lambda _: "<think>so</think>\n\n```python\ndef f():\n    return 1\n```\n")
    found, _ = run(backend, CLR)
    assert found.report
    assert (found.report.decision, found.report.clusters, found.status) == ("incomparable", (), "answered")
    assert found.report.note
    assert found.answer == "def f():\n    return 1"
    assert "```python" in found.text


ODD = "There is no such number because the two given conditions contradict each other"


def odd(answer: str) -> str:
    return f"<think>so</think>\n\n\\boxed{{{ODD if answer == 'x' else answer}}}"


@pytest.mark.parametrize(("seed", "stopping"), [(16, False), (18, False), (19, True)])  # with an odd one, once first
def test_an_odd_answer_among_others_leaves_them_their_vote(seed: int, stopping: bool) -> None:
    plan = make("majority", "standard", samples=8, stopping=stopping)
    found, events = run(Thinker({"9": 0.8, "x": 0.2}, reply=odd), plan, seed=seed)
    answers = [event.trajectory.answer for event in events if isinstance(event, Sampled)]
    assert ODD in answers
    assert found.report
    assert (found.answer, found.report.majority, found.report.note) == ("9", "9", None)
    [cluster] = found.report.clusters
    assert cluster.votes == answers.count("9")
    assert found.report.answered == len(answers)
    assert f"{cluster.votes} of {len(answers)} agree" in summary(found.report)


def test_an_odd_answer_has_no_claims_to_check() -> None:
    backend = Thinker({"9": 0.5, "4": 0.3, "x": 0.2}, TURNED, reply=odd)
    plan = Plan("clr", samples=12, claims=3, tokens=1000, think_tokens=0, stopping=False)
    found, events = run(backend, plan, seed=9)
    assert found.answer == "4"
    claimed = {event.index for event in events if isinstance(event, Claimed)}
    assert {found.trajectories[index].answer for index in claimed} == {"4", "9"}
    assert ODD in {trajectory.answer for trajectory in found.trajectories}


def test_one_solution_that_cannot_be_compared_is_no_vote() -> None:
    found, _ = run(Thinker({"x": 1}, reply=odd), make("majority", "standard", samples=1))
    assert found.report
    assert (found.answer, found.report.decision, found.report.clusters) == (ODD, "incomparable", ())


def test_no_answer_anywhere() -> None:
    found, _ = run(
        Thinker({"x": 1}, reply=lambda _: "<think>so</think>\n\nWho knows?"), make("clr", "quick"), max_tokens=60
    )
    assert found.report
    assert (found.status, found.answer, found.report.majority) in (("no_answer", None, None), ("answered", "7", "7"))


def test_one_trajectory_is_a_vote_of_one() -> None:
    found, _ = run(Thinker({"17": 1}), make("clr", "standard", samples=1))
    assert found.report
    assert (found.answer, found.report.decision) == ("17", "all")


def test_sixty_four_with_room_for_three() -> None:
    backend = Thinker({"9": 0.5, "4": 0.5}, TURNED, places=3, cells=3 * 700)
    plan = Plan("clr", samples=64, claims=3, tokens=300, think_tokens=0, stopping=False)
    found, _ = run(backend, plan, max_tokens=100)
    assert len(found.trajectories) == 64
    assert found.answer == "4"


def endless() -> Thinker:
    return Thinker({"x": 1}, reply=lambda _: FOREVER.decode(), cells=200_000)


def test_a_deadline_is_kept_and_ends_in_an_answer() -> None:
    plan = Plan("clr", samples=4, claims=3, tokens=20_000, think_tokens=0, seconds=1.0)
    began = time.monotonic()
    found, _ = run(endless(), plan, max_tokens=20_000)
    assert time.monotonic() - began < 4  # a second, on a machine that may be busy
    assert (found.status, found.answer) == ("answered", "7")
    assert {t.finish for t in found.trajectories} <= {"forced", "aborted", "loop"}


def test_the_answer_that_is_wanted_before_a_solution_has_begun_is_asked_for() -> None:
    plan = Plan("majority", samples=4, claims=0, tokens=20_000, think_tokens=0)
    found, _ = run(endless(), plan, control=Control(answer_now=True), max_tokens=20_000)
    assert (found.status, found.answer, [t.finish for t in found.trajectories]) == ("answered", "7", ["forced"])
    assert found.report
    assert found.report.decision == "answer now"


class Clocked(Speaker):
    """Every token takes a hundredth of a second, by a clock of its own."""

    def __init__(self, closed: bytes) -> None:
        counting = b"<think>" + b" ".join(b"%d" % number for number in range(3000))
        super().__init__(script(counting, closed, b"7}."), cells=16_000)
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        self.now += 0.01
        return super().decode(slices, padding)


@pytest.mark.parametrize(
    ("closed", "asked", "text"),
    [
        (b"So \\boxed{7}.", False, "So \\boxed{7}."),
        (b"First we note that " * 100, True, "The answer is \\boxed{7}"),
        (b"It is \\boxed{7} " + b"as was to be shown " * 100, False, "It is \\boxed{7} as"),
    ],
    ids=["in time", "a long preface", "a long epilogue"],
)
def test_a_deadline_leaves_the_time_to_ask_outright(
    closed: bytes, asked: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Clocked(closed)
    monkeypatch.setattr(deadline, "time", backend)
    model = Model(Chosen("s", ModelSpec(about="scripted", stops=("<stop>",)), Path("s.gguf")), Engine(backend))
    plan = make("majority", "quick", samples=1, seconds=20)
    events = list(reliable.solve("p", model, Options(2, max_tokens=12_000), Control(), plan))
    assert isinstance(events[-1], Finished)
    found = events[-1].solution
    assert (found.status, found.answer, found.trajectories[0].finish) == ("answered", "7", "forced")
    assert any(isinstance(event, Closing) and event.asking for event in events) == asked
    assert text in found.text
    assert backend.now < 20


class Silent(Thinker):
    """Thinks on and on, in no circle, and has nothing to say even when it is asked."""

    def __init__(self) -> None:
        counting = "<think>" + " ".join(map(str, range(20_000)))
        super().__init__({"x": 1}, reply=lambda _: counting, cells=200_000)

    def _go_on(self, written: str, replies: dict[bytes, float]) -> Logits:
        return super()._go_on(written.removesuffix("boxed{"), replies)


def test_a_deadline_is_what_reasoning_is_closed_for() -> None:
    plan = Plan("clr", samples=4, claims=3, tokens=20_000, think_tokens=0, seconds=1.0)
    found, events = run(Silent(), plan, max_tokens=20_000)
    closings = [event for event in events if isinstance(event, Closing) and not event.asking]
    assert {event.reason for event in closings} == {"time"}, "nobody asked for the answer"
    assert found.report
    assert (found.status, found.report.decision) == ("no_answer", "time")


def test_anything_a_model_says_ends_within_its_tokens() -> None:
    rng = random.Random(0)
    pieces = ["<think>", "</think>", "\\boxed{", "7", "}", "\n", "1 + 1 = 3", "\xe2", "VALID", "```", "x " * 40]
    for _ in range(25):
        answers = {"".join(rng.choices(pieces, k=rng.randint(0, 12))): 1.0 for _ in range(3)}
        said = {str(n): [rng.choice(pieces) or "x" for _ in range(3)] for n in range(10)}
        control = Control()
        left = rng.randint(1, 400)

        def press(event: SolveEvent, control: Control = control, left: list[int] = [left]) -> None:  # noqa: B006
            left[0] -= 1
            if left[0] == 0:
                setattr(control, rng.choice(["stop", "answer_now"]), True)

        backend = Thinker(answers, said, reply=lambda answer: answer)
        plan = Plan("clr", samples=rng.choice([1, 3, 8]), claims=3, tokens=1000, think_tokens=rng.choice([0, 300]))
        found, _ = run(backend, plan, control=control, max_tokens=150, watch=press)
        assert found.status in ("answered", "no_answer", "stopped"), found.error
        assert all(t.tokens <= 150 for t in found.trajectories)
