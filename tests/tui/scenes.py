"""States of the chat as pictures: `python -m tests.tui.scenes FOLDER [NAME-80x24 …]` writes them as SVG."""

import asyncio
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.tui.fakes import MODEL, Chatting, Pause, Script, ScriptedSolver, chatting, finished, reply
from vibethinker_local.events import (
    AnswerCluster,
    Claim,
    Claimed,
    Contested,
    Finished,
    Judged,
    ModelIdentity,
    ReliabilityReport,
    Sampled,
    SolveEvent,
    Started,
    Trajectory,
    Verdict,
    Wrote,
)
from vibethinker_local.tui.app import ChatApp
from vibethinker_local.tui.solver import Larger, Start
from vibethinker_local.tui.store import Store, Turn

QUESTION = "How many positive integers $n \\le 100$ have exactly 6 divisors?"
REASONING = (
    "We need the number of divisors to be 6. Since 6 = 2 · 3, the number n has the form p^5 or p^2 · q with "
    "different primes p and q.\n\nFirst p^5: 2^5 = 32 works, 3^5 = 243 is too large. So there is one.\n\n"
    "Now p^2 q ≤ 100. For p = 2: q ≤ 25, so q is one of 3, 5, 7, 11, 13, 17, 19, 23. That makes 8. For p = 3: q ≤ 11, "
    "so q is 2, 5, 7 or 11. That makes 4. For p = 5: q ≤ 4, so q is 2 or 3. That makes 2. For p = 7: q ≤ 2, so q is 2. "
    "That makes 1.\n\nWait, let me check p = 3 again: 9 · 11 = 99, fine. In all 1 + 8 + 4 + 2 + 1 = 16."
)
ANSWER = """\
A number with exactly 6 divisors is either $p^5$ or $p^2 q$ with different primes $p, q$, since
\\[ d\\left(p_1^{a_1} \\cdots p_k^{a_k}\\right) = \\prod_{i=1}^{k} (a_i + 1) = 6. \\]

| form | condition | how many |
| --- | --- | --- |
| $p^5$ | $p = 2$ | 1 |
| $2^2 q$ | $q \\le 25$ | 8 |
| $3^2 q$ | $q \\le 11$ | 4 |
| $5^2 q,\\ 7^2 q$ | $q \\le 4,\\ q \\le 2$ | 3 |

A program agrees:

```python
def divisors(n: int) -> int:
    return sum(n % d == 0 for d in range(1, n + 1))

print(sum(divisors(n) == 6 for n in range(1, 101)))  # 16
```

So there are $1 + 8 + 4 + 3 = \\boxed{16}$ such numbers.
"""
MATHS = """\
The roots of $ax^2 + bx + c = 0$ are
\\[ x_{1,2} = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}. \\]
With $A = \\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}$ we have $\\det A = -2$, and
$$ \\lim_{n\\to\\infty} \\sum_{k=0}^{n} \\frac{1}{k!} = e, \\qquad
f(x) = \\begin{cases} x^2 & \\text{if } x > 0 \\\\ 0 & \\text{otherwise.} \\end{cases} $$
This one is broken and stays as it is: $\\frac{1}{$.

The answer is
\\[ \\boxed{\\frac{3}{4}} \\]
"""
EVIL = "\x1b[2J\x1b]0;pwned\x07[bold red]not markup[/] \u202etxt.exe <b>html</b> [link](js:x) $\\frac{1$ \x9b31m `a"
Act = Callable[[Chatting], Awaitable[None]]


def vote(*, until: int = 99) -> Script:
    """A reliability pass of 8, up to one of its stages."""

    def solution(index: int, answer: str, tokens: int) -> Sampled:
        text = f"There are $\\boxed{{{answer}}}$ of them."
        trajectory = Trajectory(index, tokens, "stop", answer, text, "…", -0.2)
        answers = ANSWERS[: index + 1]
        clusters = [AnswerCluster(a, _at(answers, a), float(answers.count(a))) for a in dict.fromkeys(answers)]
        return Sampled(index, trajectory, tuple(sorted(clusters, key=lambda c: -c.votes)))

    started = Started(MODEL, 7, 61, 32768, 32768, samples=8)
    wrote = [Wrote("Let me think about the divisors … ", True, 900 + 40 * n, index=n) for n in range(4)]
    ended = [solution(n, answer, 2000 + 413 * n) for n, answer in enumerate(ANSWERS)]
    texts = ("p^2 q ≤ 100 with p = 2 gives 8 numbers", "9 · 13 = 117 is at most 100", "2^5 = 32 has 6 divisors")
    claims = [Claimed(n, tuple(Claim(text) for text in texts[n:] + texts[:n])) for n in (0, 2)]
    verdicts = [
        Judged(0, 0, Verdict("supported", "model", 0.94)),
        Judged(0, 1, Verdict("refuted", "arithmetic", None, "9 · 13 = 117 > 100")),
        Judged(0, 2, Verdict("undecided", "model", 0.5)),
        Judged(2, 0, Verdict("supported", "model", 0.9)),
    ]
    last = ended[-1].clusters
    weighed = tuple(replace(cluster, weight=w) for cluster, w in zip(last, (3.61, 0.4), strict=True))
    report = ReliabilityReport(weighed, "16", "likely", 4, 1)
    solved = finished([Wrote(ended[0].trajectory.text, False, 9000)]).solution
    solved = replace(solved, answer="16", mode="clr", report=report)
    stages: list[SolveEvent | Pause | Exception] = [
        started,
        *wrote,
        *ended[:3],
        *ended[3:],
        Contested(last, 3),
        *claims,
        *verdicts,
        Finished(solved),
    ]
    return stages[:until]


ANSWERS = ["16", "15", "16", "16", "16", "15"]


def _at(answers: list[str], answer: str) -> tuple[int, ...]:
    return tuple(n for n, one in enumerate(answers) if one == answer)


@dataclass(frozen=True)
class Scene:
    act: Act
    solver: Callable[[], ScriptedSolver] = lambda: ScriptedSolver([reply(REASONING, ANSWER)])
    theme: str = "vibe-dark"
    fill: Callable[[Store], None] | None = None


async def _nothing(chat: Chatting) -> None:
    pass


async def _thinking(chat: Chatting) -> None:
    await chat.ask(QUESTION, wait=False)
    pause = next(step for step in chat.solver.scripts[0] if isinstance(step, Pause))
    await chat.reach(pause)
    await chat.pilot.pause()  # what has arrived is shown before the clock goes on
    chat.clock.now += 41
    chat.app.chat.show_status()


async def _open_reasoning(chat: Chatting) -> None:
    await _thinking(chat)
    await chat.pilot.press("ctrl+o")


async def _answered(chat: Chatting) -> None:
    await chat.ask(QUESTION)


async def _scrolled(chat: Chatting) -> None:
    await _answered(chat)
    await chat.pilot.press("pageup")
    await chat.pilot.pause(0.3)


async def _voting(chat: Chatting) -> None:
    await chat.pilot.press("ctrl+r")
    await chat.ask(QUESTION, wait=False)
    await chat.reach(next(step for step in chat.solver.scripts[0] if isinstance(step, Pause)))
    await _without_messages(chat)


async def _voted(chat: Chatting) -> None:
    await chat.pilot.press("ctrl+r")
    await chat.ask(QUESTION)
    await _without_messages(chat)


async def _without_messages(chat: Chatting) -> None:
    """The votes in sight, and nothing over them."""
    if not chat.app.chat.has_class("-votes"):
        await chat.pilot.press("ctrl+t")
    chat.app.clear_notifications()
    await chat.pilot.pause()


async def _reliable(chat: Chatting) -> None:
    await chat.pilot.press("ctrl+r")


async def _typing(chat: Chatting) -> None:
    chat.app.chat.composer.on_prompt_pasted(_pasted("x = 1\n" * 200))
    chat.app.chat.query_one("Prompt").insert("What does this program print?\nAnd how long does it take?")  # type: ignore[attr-defined]
    await chat.pilot.pause()


def _pasted(text: str):  # type: ignore[no-untyped-def]
    from vibethinker_local.tui.widgets.prompt import Prompt

    return Prompt.Pasted(text)


def _press(*keys: str) -> Act:
    async def act(chat: Chatting) -> None:
        await chat.pilot.press(*keys)
        await chat.pilot.pause(0.3)

    return act


async def _search(chat: Chatting) -> None:
    await chat.pilot.press("f2", *"prime")
    await chat.pilot.pause(0.2)


async def _evil(chat: Chatting) -> None:
    await chat.ask(EVIL)
    await chat.pilot.press("ctrl+o")
    await chat.pilot.pause()


def _conversations(store: Store) -> None:
    for n, (question, answer) in enumerate(
        [
            ("Prove that there are infinitely many primes.", "Suppose there were finitely many primes …"),
            ("Sum of the first 100 odd numbers?", "It is $100^2 = 10000$."),
            ("Write a sieve of Eratosthenes in Rust.", "```rust\nfn sieve(n: usize) -> Vec<usize> { … }\n```"),
            ("Find all primes p such that p + 2 and p + 4 are prime.", "Only $p = 3$: one of three is divisible by 3."),
            ("In how many ways can 8 rooks stand on a chess board?", "There are $8! = 40320$."),
        ]
    ):
        _, turn = store.begin(Turn(question, "vibethinker-3b", n), None)
        store.finish(Turn(question, "vibethinker-3b", n, turn, answer=answer, status="answered", tokens=400, seconds=9))


def _mini() -> ScriptedSolver:
    larger = Larger("vibethinker-3b", "Q8_0", "VibeThinker-3B: competition maths and code", 3_290_000_000, 32768)
    about = "mini: bundled, 1.1 million parameters, arithmetic word problems only"
    return ScriptedSolver(
        identity=ModelIdentity("mini", "mini.gguf", "Q8_0"), context=2048, start=Start("mini", about, True, larger)
    )


def _paused(reasoning: str, answer: str, at: int) -> Callable[[], ScriptedSolver]:
    return lambda: ScriptedSolver([reply(reasoning, answer, pause=Pause(), at=at)])


def _failing() -> ScriptedSolver:
    script = list(reply(REASONING, ""))[:90]
    error = "The engine's process has ended by itself (signal 9): the system may have run out of memory."
    return ScriptedSolver([[*script, finished([Wrote("", False, 80)], "failed", error)]])


SCENES: dict[str, Scene] = {
    "start": Scene(_nothing, _mini),
    "start-light": Scene(_nothing, _mini, theme="vibe-light"),
    "thinking": Scene(_thinking, _paused(REASONING, ANSWER, 90)),
    "reasoning-open": Scene(_open_reasoning, _paused(REASONING, ANSWER, 90)),
    "answering": Scene(_thinking, _paused(REASONING, ANSWER, 175)),
    "answered": Scene(_answered),
    "answered-light": Scene(_answered, theme="vibe-light"),
    "scrolled": Scene(_scrolled),
    "maths": Scene(_answered, lambda: ScriptedSolver([reply("hm", MATHS)])),
    "reliable": Scene(_reliable),
    "voting": Scene(_voting, lambda: ScriptedSolver([[*vote(until=8), Pause()]])),
    "checking": Scene(_voting, lambda: ScriptedSolver([[*vote(until=16), Pause()]])),
    "voted": Scene(_voted, lambda: ScriptedSolver([vote()])),
    "typing": Scene(_typing),
    "failed": Scene(_answered, _failing),
    "hostile": Scene(_evil, lambda: ScriptedSolver([reply(EVIL, EVIL)])),
    "conversations": Scene(_press("f2"), fill=_conversations),
    "search": Scene(_search, fill=_conversations),
    "palette": Scene(_press("ctrl+p")),
    "help": Scene(_press("f1")),
    "attach": Scene(_press("f3")),
}


@asynccontextmanager
async def played(scene: Scene, folder: Path, size: tuple[int, int]) -> AsyncIterator[Chatting]:
    """The app at the end of a scene."""
    if scene.fill:
        numbers = iter(range(1_700_000_000, 1_800_000_000, 7201))
        store = Store(folder / "chat.db", clock=lambda: float(next(numbers)))
        scene.fill(store)
        store.close()
    async with chatting(folder, scene.solver(), size=size, theme=scene.theme) as chat:
        await scene.act(chat)
        for screen in chat.app.screen_stack:
            for cursor in screen.query("Input, TextArea"):
                cursor.cursor_blink = False  # type: ignore[attr-defined]
        await chat.pilot.pause(0.1)
        yield chat


async def picture(name: str, size: tuple[int, int]) -> str:
    """A scene as SVG, the same every time."""
    with tempfile.TemporaryDirectory() as folder:
        async with played(SCENES[name], Path(folder), size) as chat:
            return as_svg(chat.app)


def as_svg(app: ChatApp) -> str:
    """The screen, with nothing in it that another run would have otherwise."""
    return re.sub(r"terminal-\d+", "terminal", app.export_screenshot(title="vibe", simplify=True))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for wanted in sys.argv[2:] or [f"{scene}-{size}" for scene in SCENES for size in ("80x24", "120x40")]:
        scene_name, _, cells = wanted.rpartition("-")
        width, height = map(int, cells.split("x"))
        drawn = asyncio.run(picture(scene_name, (width, height)))
        (target / f"{wanted}.svg").write_text(drawn, encoding="utf-8")
