"""The reliability pass as a whole, on a scripted model whose answers, claims and verdicts are known."""

import errno
import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import EOS, ScriptedBackend
from vibethinker_local import prompts
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.errors import EngineError, UsageError
from vibethinker_local.model import Control, Model, Options
from vibethinker_local.model_spec import ModelSpec
from vibethinker_local.reliability.plan import BUDGETS, Plan, make, seconds
from vibethinker_local.solve import journal, reliable
from vibethinker_local.types import (
    Claimed,
    Contested,
    Exchange,
    Finished,
    Judged,
    Sampled,
    Solution,
    SolveEvent,
    Started,
    Wrote,
)

END = "\x02"  # of a message in the template
FOREVER = b"<think>" + b"hm, " * 5000


class Lines:
    """The grammar of claims: so many numbered lines."""

    def __init__(self, source: str) -> None:
        self._count = len(re.findall(r'"\d+\. "', source))
        self._text = ""

    def _possible(self, text: str) -> bool:
        lines = text.split("\n")
        heads = [f"{number}. " for number in range(1, len(lines) + 1)]
        whole = all(
            line.startswith(head) and len(line) > len(head) for line, head in zip(lines[:-1], heads, strict=False)
        )
        last, head = lines[-1], heads[-1]
        return len(lines) <= self._count and whole and (head.startswith(last) or last.startswith(head))

    def allows(self, token: int) -> bool:
        lines = self._text.split("\n")
        if token == EOS:
            return len(lines) == self._count and len(lines[-1]) > len(f"{self._count}. ")
        return self._possible(self._text + chr(token))

    def mask(self, logits: Logits) -> Logits:
        allowed = [self.allows(token) for token in range(len(logits))]
        return np.where(allowed, logits, np.float32(-np.inf))

    def accept(self, token: int) -> None:
        assert self.allows(token)
        self._text += chr(token) if token != EOS else ""

    def close(self) -> None:
        pass


class Thinker(ScriptedBackend):
    """Draws its answer from `answers` by weight, states what `claims` has for it, and judges by the word "good"."""

    def __init__(
        self,
        answers: Mapping[str, float],
        claims: Mapping[str, Sequence[str]] | None = None,
        *,
        reply: Callable[[str], str] = lambda answer: f"<think>so</think>\n\n\\boxed{{{answer}}}",
        verdicts: str = "1. INVALID\n2. VALID\n3. VALID",
        places: int = 4,
        cells: int = 30_000,
        fails_after: int | None = None,
    ) -> None:
        super().__init__(self._row, cells=cells, places=places, batch=512)
        template = f"{{% for m in messages %}}{{{{ m.content }}}}{END}{{% endfor %}}"
        self.info = ModelInfo("F32", template, cells, 1, 1, frozenset({EOS}))
        self._replies = {reply(answer).encode(): weight for answer, weight in answers.items()}
        self._claims = {
            answer: "\n".join(f"{n}. {c}" for n, c in enumerate(said, 1)) for answer, said in (claims or {}).items()
        }
        self._verdicts, self._left = verdicts, fails_after

    def grammar(self, source: str) -> Lines:  # type: ignore[override]
        return Lines(source)

    def decode(self, slices: Sequence[Slice]) -> Logits:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise EngineError("the engine has died")
        return super().decode(slices)

    def _row(self, tokens: Sequence[int]) -> Logits:
        *before, written = bytes(tokens).decode("latin-1").split(END)
        if "refute" in before[0]:
            return self._judge(before[0], written)
        if len(before) > 1:  # claims about the reply
            answer = ["", *re.findall(r"boxed\{(.*?)\}", before[-2])][-1]
            return self._go_on(written, {self._claims.get(answer, "1. none").encode(): 1.0})
        return self._go_on(written, self._replies)

    def _judge(self, asked: str, written: str) -> Logits:
        if written == prompts.JUDGE_AT_ONCE:
            row = np.full(self.vocabulary, -20, np.float32)
            row[ord("V")], row[ord("I")] = (2, 0) if "good" in asked.rpartition("1. ")[2] else (0, 2)
            return row
        return self._go_on(written, {f"<think>let me see</think>\n\n{self._verdicts}".encode(): 1.0})

    def _go_on(self, written: str, replies: dict[bytes, float]) -> Logits:
        """The next byte of those replies that begin with what was written; forced text is followed by the end."""
        row = np.full(self.vocabulary, -40, np.float32)  # a grammar may leave nothing else
        mass: dict[int, float] = {}
        begun = written.encode("latin-1")
        for reply, weight in replies.items():
            if reply.startswith(begun):
                token = reply[len(begun)] if len(reply) > len(begun) else EOS
                mass[token] = mass.get(token, 0) + weight
        if not mass:
            asked = written.endswith("boxed{")
            mass = {ord("7") if asked else ord("}") if written.endswith("boxed{7") else EOS: 1.0}
        for token, weight in mass.items():
            row[token] = np.log(weight)
        return row


def loaded(backend: Thinker) -> Model:
    spec = ModelSpec(about="scripted", stops=())
    return Model("scripted", Path("scripted.gguf"), spec, Engine(backend), backend.places)


def run(
    backend: Thinker,
    plan: Plan,
    *,
    control: Control | None = None,
    seed: int = 2,
    max_tokens: int = 400,
    watch: Callable[[SolveEvent], None] = lambda event: None,
    **other: object,
) -> tuple[Solution, list[SolveEvent]]:
    model = loaded(backend)
    events: list[SolveEvent] = []
    options = Options(seed=seed, max_tokens=max_tokens)
    for event in reliable.reliably("p", model, options, control or Control(), plan, **other):  # type: ignore[arg-type]
        watch(event)
        events.append(event)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    if backend._left is None:
        assert model.engine.cells_used == 0, "the KV was not given back"
        model.engine.step()  # the ends of what was aborted
        assert not model.engine.busy
    return events[-1].solution, events


TURNED = {"9": ["bad", "bad too", "good 9"], "4": ["good", "good 2", "good 3"]}
CLR = make("clr", "standard", samples=8)
THREE = Plan("clr", samples=8, claims=3, tokens=1000, think_tokens=0)


def test_four_that_agree_are_enough() -> None:
    found, events = run(Thinker({"17": 1}), CLR)
    assert (found.answer, found.status, found.mode) == ("17", "answered", "clr")
    assert found.report is not None
    assert (found.report.decision, found.report.checked) == ("likely", 0)
    assert [(c.answer, c.votes) for c in found.report.clusters] == [("17", 4)]
    assert len(found.trajectories) == 4, "none was begun that was not needed"
    assert sum(isinstance(event, Sampled) for event in events) == 4
    assert found.seeds == (2, 3, 4, 5)
    assert found.text == "\\boxed{17}"


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
    assert found.usage.verify_tokens == claim_tokens + 6  # six different ones
    assert found.report
    assert found.report.checked == stated


def test_arithmetic_refutes_without_the_model() -> None:
    claims = {"9": ["good 1 + 1 = 3", "1 + 1 = 3", "good"], "4": ["good 1", "2 + 2 = 4", "good 3"]}
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


def test_fewer_claims_than_asked_for_count_as_standing() -> None:
    claims = {"9": ["bad", "bad", "bad"], "4": ["good", "good", "good"]}  # each says one thing
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, claims), THREE)
    nine = next(t for t in found.trajectories if t.answer == "9")
    assert [claim.text for claim in nine.claims] == ["bad"]
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
    found, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED, verdicts="who knows"), plan)
    assert {claim.verdict and claim.verdict.ruling for t in found.trajectories for claim in t.claims} == {"undecided"}
    assert found.report
    assert found.answer == found.report.majority


def test_published_checks_also_where_all_agree() -> None:
    plan = Plan("published", samples=3, claims=3, tokens=1000, think_tokens=9000, verdicts="think", stopping=False)
    found, _ = run(Thinker({"9": 1}, TURNED), plan)
    assert len(found.trajectories) == 3
    assert all(t.reliability == pytest.approx((2 / 3) ** 3) for t in found.trajectories)


def test_close_votes_escalate_to_reasoning() -> None:
    claims = {"9": ["good a", "good b", "good c"], "4": ["good d", "good e", "good f"]}
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


@pytest.mark.parametrize("kind", [Wrote, Sampled, Contested, Claimed, Judged])
@pytest.mark.parametrize("what", ["answer_now", "stop"])
def test_interrupted_in_every_state(kind: type[SolveEvent], what: str) -> None:
    control = Control()

    def press(event: SolveEvent) -> None:
        if isinstance(event, kind):
            setattr(control, what, True)

    found, events = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE, control=control, watch=press)
    first = next(at for at, event in enumerate(events) if isinstance(event, kind))
    assert len(events) - first < 200, "it came to an end soon"
    assert found.status == ("stopped" if what == "stop" else "answered")
    if kind is not Wrote:
        assert found.answer in ("9", "4"), "what was there is given"
    elif what == "answer_now":
        assert found.answer is not None


def test_an_engine_that_fails_in_any_state_keeps_what_was_finished() -> None:
    answered = 0
    for after in range(0, 160, 3):
        backend = Thinker({"9": 0.6, "4": 0.4}, TURNED, fails_after=after)
        found, events = run(backend, THREE)
        finished = [event for event in events if isinstance(event, Sampled)]
        whole = [t for t in found.trajectories if t.finish != "aborted"]
        assert len(whole) == len(finished)
        assert found.status in ("failed", "answered")
        assert (found.status == "failed") == (found.error == "the engine has died")
        assert found.report
        assert found.report.decision in (("failed", "all") if found.error else ("all",))
        if finished:
            assert found.answer in ("9", "4")
            answered += found.status == "failed"
        elif found.error:
            assert found.report.decision == "failed"
    assert answered > 10, "it failed late, too"


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    control = Control()
    sampled: list[Sampled] = []

    def stop_after_three(event: SolveEvent) -> None:
        if isinstance(event, Sampled):
            sampled.append(event)
            control.stop = len(sampled) >= 3

    plan = make("majority", "standard", samples=8, stopping=False)
    writing = journal.begin(tmp_path, "key", 1)
    first, _ = run(Thinker({"9": 0.6, "4": 0.4}), plan, control=control, watch=stop_after_three, writing=writing)
    assert first.status == "stopped"
    assert first.report
    assert first.report.decision == "stopped"
    found = journal.cut_off(tmp_path, "key")
    assert found
    seed, entries = found
    assert seed == 1
    assert len(entries) >= 3
    whole, _ = run(Thinker({"9": 0.6, "4": 0.4}), plan)
    resumed, events = run(Thinker({"9": 0.6, "4": 0.4}), plan, resumed=entries)
    assert sum(isinstance(event, Wrote) and event.tokens == 1 for event in events) <= 8 - len(entries)
    assert [t.answer for t in resumed.trajectories] == [t.answer for t in whole.trajectories]
    assert [t.text for t in resumed.trajectories] == [t.text for t in whole.trajectories]


def test_a_run_goes_on_only_after_what_was_said_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    told, found = [Exchange("q", "a")], list[str]()

    def begin(earlier: Sequence[Exchange], *, resume: bool, stop: bool = False) -> None:
        control, model = Control(), loaded(Thinker({"9": 1}))
        model = replace(model, spec=model.spec.model_copy(update={"alone": True}))
        options, plan = Options(2, max_tokens=400), make("majority", "quick")
        events = reliable.run("p", model, options, control, plan, resume=resume, say=found.append, earlier=earlier)
        for event in events:
            control.stop |= stop and isinstance(event, Sampled)

    begin(told, resume=False, stop=True)
    begin([], resume=True)
    begin(told, resume=True)
    assert "starting anew" in found[0]
    assert "going on with seed 2" in found[1]


def test_a_run_that_was_stopped_at_once_leaves_nothing_to_go_on_with(tmp_path: Path) -> None:
    run(Thinker({"9": 1}), CLR, control=Control(stop=True), writing=journal.begin(tmp_path, "key", 1))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_said_once_and_costs_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    writing = journal.begin(tmp_path, "key", 1, said.append)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        solution, _ = run(Thinker({"9": 1}), make("majority", "standard", samples=4), writing=writing)
    assert solution.answer == "9"
    (sentence,) = said
    assert "(No space left on device)" in sentence
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only")))
    assert journal.begin(tmp_path / "new", "key", 1, said.append) is None
    assert "(Read-only)" in said[1]


def test_resumed_trajectories_state_claims_too() -> None:
    whole, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE)
    entries = tuple(
        journal.Entry(
            index,
            t,
            (*loaded(Thinker({})).encode("p"), *f"<think>so</think>\n\n{t.text}".encode()),
        )
        for index, t in enumerate(whole.trajectories)
    )
    resumed, events = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE, resumed=entries)
    assert not any(isinstance(event, Wrote) for event in events)
    assert resumed.answer == whole.answer
    assert [t.reliability for t in resumed.trajectories] == [t.reliability for t in whole.trajectories]


def test_a_journal_goes_when_the_run_has_ended_and_survives_damage(tmp_path: Path) -> None:
    writing = journal.begin(tmp_path, "key", 1)
    run(Thinker({"17": 1}), CLR, writing=writing)
    assert not list(tmp_path.iterdir())
    damaged = tmp_path / "key-5.jsonl"
    damaged.write_bytes(b'{"schema": 1, "index": 0, "traj\n\xff\xfe\n[]\n{"schema": 2}\n')
    assert journal.cut_off(tmp_path, "key") == (5, ())


def test_anything_a_model_says_ends_within_its_tokens() -> None:
    rng = random.Random(0)
    pieces = ["<think>", "</think>", "\\boxed{", "7", "}", "\n", "1 + 1 = 3", "\xe2", "VALID", "```", "x " * 40]
    for _ in range(60):
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


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("0.5", 0.5)])
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-5", "soon", "5d", "m"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="90s"):
        seconds(text)


def test_budgets() -> None:
    assert [plan.samples for plan in BUDGETS.values()] == [4, 8, 16]
    assert make("published", "quick").samples == 32
    assert make("clr", "deep", escalates=False).think_tokens == 0
    assert make("clr", "deep", escalates=False, verdicts="think").verdicts == "think"
    with pytest.raises(UsageError, match="verdicts"):
        make("published", "standard", verdicts="score")


@pytest.fixture(autouse=True)
def _nothing_symbolic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether odd texts are the same expression matters to no test here, and asking takes a process."""
    monkeypatch.setattr("vibethinker_local.reliability.checker.Checker.equal", lambda *_: None)
