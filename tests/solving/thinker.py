"""A scripted model whose answers, claims and verdicts are known, and the reliability pass on it."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.fakes import EOS, ScriptedBackend
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.errors import EngineError
from vibethinker_local.events import Control, Finished, Options, Solution, SolveEvent, Started
from vibethinker_local.models.installed import Chosen
from vibethinker_local.models.spec import ModelSpec
from vibethinker_local.reliability import yardstick
from vibethinker_local.reliability.plan import Plan, make
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import reliable

END = "\x02"  # of a message in the template
CLOSED = "\n</think>\n\n1."  # what ends reasoning about claims by force
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
    """Draws its answer from `answers` by weight, states what `claims` has for it, and judges by the word "good".

    Of what verdicts are measured by, it judges rightly. It reasons before `verdicts`, if it `thinks`.
    """

    def __init__(
        self,
        answers: Mapping[str, float],
        claims: Mapping[str, Sequence[str]] | None = None,
        *,
        reply: Callable[[str], str] = lambda answer: f"<think>so</think>\n\n\\boxed{{{answer}}}",
        verdicts: str = "1. INVALID\n2. VALID\n3. VALID",
        thinks: bool = True,
        places: int = 4,
        cells: int = 30_000,
        fails_after: int | None = None,
    ) -> None:
        super().__init__(self._row, context=cells // places, places=places, batch=512)
        template = f"{{% for m in messages %}}{{{{ m.content }}}}{END}{{% endfor %}}"
        self.info = ModelInfo("F32", template, cells, 1, 1, frozenset({EOS}))
        self._replies = {reply(answer).encode(): weight for answer, weight in answers.items()}
        self._claims = {
            answer: "\n".join(f"{n}. {c}" for n, c in enumerate(said, 1)) for answer, said in (claims or {}).items()
        }
        self._verdicts, self._thinks, self._left = verdicts, thinks, fails_after

    def grammar(self, source: str) -> Lines:  # type: ignore[override]
        return Lines(source)

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise EngineError("the engine has died")
        return super().decode(slices, padding)

    def _row(self, tokens: Sequence[int]) -> Logits:
        *before, written = bytes(tokens).decode("latin-1").split(END)
        if "Solution A:" in before[0]:  # the second one, more or less, whichever it is
            row = np.full(self.vocabulary, -20, np.float32)
            row[ord("A")], row[ord("B")] = (0, 1) if "boxed{4}" in before[0].partition("Solution B:")[2] else (0.5, 0)
            return row
        if "refute" in before[0].lower():
            return self._judge(before[0], written)
        if len(before) > 1:  # claims about the reply
            answer = ["", *re.findall(r"boxed\{(.*?)\}", before[-2])][-1]
            return self._go_on(written, {self._claims.get(answer, "1. none").encode(): 1.0})
        return self._go_on(written, self._replies)

    def _judge(self, asked: str, written: str) -> Logits:
        if written == prompts.JUDGE_AT_ONCE:
            row = np.full(self.vocabulary, -20, np.float32)
            claim = asked.rpartition("1. ")[2]
            holds = "good" in claim or (claim, True) in yardstick.GENERAL
            row[ord("V")], row[ord("I")] = (2, 0) if holds else (0, 2)
            return row
        *thought, ruled = written.split(CLOSED)
        if thought:
            return self._go_on(ruled, {b" INVALID\n2. VALID\n3. VALID": 1.0})
        whole = not self._thinks or self._verdicts.startswith("<think>")
        reply = self._verdicts if whole else f"<think>let me see</think>\n\n{self._verdicts}"
        return self._go_on(written, {reply.encode(): 1.0})

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
    spec = ModelSpec(about="scripted", stops=(), think=("<think>", "</think>"))
    return Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(backend), backend.places)


def run(
    backend: Thinker,
    plan: Plan,
    *,
    problem: str = "p",
    control: Control | None = None,
    seed: int = 2,
    max_tokens: int = 400,
    watch: Callable[[SolveEvent], None] = lambda event: None,
    **other: object,
) -> tuple[Solution, list[SolveEvent]]:
    model = loaded(backend)
    events: list[SolveEvent] = []
    options = Options(seed=seed, max_tokens=max_tokens)
    for event in reliable.solve(problem, model, options, control or Control(), plan, **other):  # type: ignore[arg-type]
        watch(event)
        events.append(event)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    if backend._left is None:
        assert model.engine.cells_used == 0, "the KV was not given back"
        model.engine.step()  # the ends of what was aborted
        assert not model.engine.busy
    return events[-1].solution, events


TURNED = {"9": ["a = bad", "b = bad", "c = good"], "4": ["d = good", "e = good", "f = good"]}
CLR = make("clr", "standard", samples=8)
THREE = Plan("clr", samples=8, claims=3, tokens=1000, think_tokens=0)
