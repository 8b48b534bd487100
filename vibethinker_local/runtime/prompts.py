"""Every text that the app sends to a model, by name. Knows nothing of templates or tokens."""

from collections.abc import Sequence

from vibethinker_local.code import task
from vibethinker_local.code.task import Task
from vibethinker_local.events import Exchange, ProblemKind
from vibethinker_local.runtime import prose
from vibethinker_local.system.unicode import composed

VERSION = 2  # increased with every change to a text below; a model trained on an earlier one is asked in its words

SOLVE = "{problem}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}."

# Wraps a multiple-choice problem; the result is then asked as above.
CHOICE = "{problem}\n\nThe answer is the letter of the right option, without any other text."

# The same problem, for a solution that is a program.
COMPUTE = (
    "{problem}\n\nSolve this with a short Python program that prints the answer, and nothing else. It may use sympy. "
    "Give it in one ```python block."
)

# A problem whose answer is a program, by its form; a statement that is nothing but code stands in a block.
CODE = {
    "function": (
        "{problem}\n\nSolve it in Python. Think first. Then give the complete function, with its imports and without "
        "examples of its use, in one ```python block."
    ),
    "method": (
        "{problem}\n\nSolve it in Python. Think first. Then give the complete class, with its imports and without "
        "examples of its use, in one ```python block."
    ),
    "program": (
        "{problem}\n\nSolve it in Python. Think first. Then give the complete program, which reads standard input and "
        "writes to standard output, in one ```python block."
    ),
}
BLOCK = "```python\n{problem}\n```"

# Asked of the model afresh, without a solution: inputs on which solutions are compared, and what it expects there.
ASSERTIONS = (
    "{problem}\n\nDo not solve it. Write {count} assertions that a right solution holds, each for another case, edge "
    "cases among them. One per line, as `assert {call}(...) == ...`, in one ```python block."
)
INPUTS = (
    "{problem}\n\nDo not solve it. Write {count} short inputs for such a program, each for another case, edge cases "
    "among them. Each in a ``` block of its own."
)
APART = "Two solutions differ. The first:\n\n```python\n{first}\n```\n\nThe second:\n\n```python\n{second}\n```"

# Forced into a reply whose reasoning was closed, if the model still commits to nothing: the beginning of a sentence
# that can only end in an answer.
ASK_ANSWER = "The answer is \\boxed{"

# A second turn after a solution, which asks what it rests on, one claim per line; by version. Small models copy any
# example or list of don'ts (Qwen2.5-Coder-0.5B did in all of eight replies), so there is none.
CLAIMS = {
    1: (
        "State {count} claims that your answer rests on, one per line. "
        "Each must be checkable without the others. Write steps of calculation as equations."
    ),
    2: (
        "Repeat the {count} steps of your solution on which its answer depends most, one per line, each in a whole "
        "sentence with its numbers and its result."
    ),
}

# The published method: claims are part of the first reply, after the answer. Its authors' own words could not be had.
PUBLISHED = (
    "{problem}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}.\n\n"
    'After the boxed answer write the line "Claims:", and then exactly {count} numbered claims that your answer '
    "depends on, one per line. If one of them failed, the answer would be undermined. Each can be checked on its own, "
    "and none restates the answer."
)

# A new conversation, without the solution. The claims come last, so that everything before them is computed once.
JUDGE = (
    "{problem}\n\nSomeone's solution of this problem rests on the claims below. Try to refute each of them. "
    "Then say for each, by its number, VALID or INVALID.\n\n{claims}"
)
LABELS = ("VALID", "INVALID")
# Two solutions with different answers, judged at once; asked in both orders, for small models favour one place.
PAIR = (
    "{problem}\n\nTwo solutions of this problem come to different answers.\n\nSolution A:\n\n{one}\n\nSolution B:\n\n"
    "{other}\n\nWhich of them is right? Answer with A or B alone."
)
PAIR_LABELS = ("A", "B")
# The published method's second stage: one reasoned reply about all claims of a solution.
FALSIFY = (
    "{problem}\n\nSomeone's solution of this problem depends on the claims below. You see neither the solution nor its "
    "answer. Look in each claim for one decisive flaw: a contradiction with the problem, a counterexample, a missing "
    "condition, an unsupported step, or a conflict with another claim. Then say for each, by its number, REFUTED if "
    "you found one, or else VALID. VALID is no proof.\n\n{claims}"
)
EMPTY_CLAIM = "(no claim was given)"
# The beginning of the visible reply: the next token is the first of a label.
FIRST_VERDICT = "1. "
JUDGE_AT_ONCE = "<think>\n\n</think>\n\n" + FIRST_VERDICT  # of a model with these tags

# For a server that cannot continue a reply: the last question, and then what was written so far.
QUOTED = (
    "{question}\n\nYour reply begins as follows. Go on from exactly where it ends, without repeating any of it and "
    "without thinking anew.\n\n{written}"
)


def close_reasoning(tag: str, sentence: str = "") -> str:
    """What ends the reasoning by force: its closing tag, after a sentence that says so in the model's own voice."""
    return f"\n{sentence}\n{tag}\n\n" if sentence else f"\n{tag}\n\n"


def solve(problem: str, earlier: Sequence[Exchange] = (), kind: ProblemKind | None = None) -> list[dict[str, str]]:
    """The chat messages that ask for a solution of one problem; a request for `prose` is sent as it is.

    NFC, because Hugging Face's Qwen2 tokenizer normalises and llama.cpp does not.
    """
    messages = []
    for exchange in earlier:
        messages += solve(exchange.question, kind="prose" if prose.is_wanted(exchange.question) else None)
        messages.append({"role": "assistant", "content": _normal(exchange.answer)})
    if kind == "prose":
        said = _normal(problem)
    elif asked := task.of(problem, kind):
        said = CODE[asked.form].format(problem=_stated(problem))
    else:
        said = SOLVE.format(problem=_normal(problem))
    return [*messages, {"role": "user", "content": said}]


def compute(problem: str, earlier: Sequence[Exchange] = ()) -> list[dict[str, str]]:
    """The chat messages that ask for a program which prints a problem's answer."""
    *before, asked = solve(problem, earlier, "maths")
    return [*before, asked | {"content": COMPUTE.format(problem=_normal(problem))}]


def talk(said: str, earlier: Sequence[Exchange] = (), kind: ProblemKind | None = None) -> list[dict[str, str]]:
    """A conversation: the first question is posed as a problem, and what follows is sent as it was written."""
    messages = solve(said, earlier, kind)
    later = [*(exchange.question for exchange in earlier), said][1:]
    for message, text in zip(messages[2::2], later, strict=True):
        message["content"] = _normal(text)
    return messages


def assertions(problem: str, of: Task, count: int, programs: tuple[str, str] | None = None) -> list[dict[str, str]]:
    """The conversation that asks for inputs of programs, and for what the model expects of them; with two `programs`,
    for inputs on which these differ."""
    text = _stated(problem)
    if programs:
        text += "\n\n" + APART.format(first=programs[0], second=programs[1])
    asked = INPUTS.format(problem=text, count=count)
    if of.form != "program":
        asked = ASSERTIONS.format(problem=text, count=count, call=of.called)
    return [{"role": "user", "content": asked}]


def assertions_begin(of: Task) -> str:
    """What the visible reply to `assertions` begins with."""
    return "```\n" if of.form == "program" else f"```python\nassert {of.called}("


def claims(count: int, version: int = VERSION) -> str:
    """The user message that asks for `count` claims after a solution."""
    return CLAIMS[version].format(count=count)


def claims_grammar(count: int) -> str:
    """The GBNF grammar of the reply: `count` numbered lines, none of which has the form of a heading. Whether a
    line claims anything, no grammar can say."""
    lines = " ".join(f'"{number}. " line "\\n"' for number in range(1, count)) + f' "{count}. " line'
    return f"root ::= {lines.strip()}\nline ::= [^\\n*#] ([^\\n]* [^\\n:*])?\n"


def published(problem: str, count: int) -> list[dict[str, str]]:
    """The conversation that asks for a solution with `count` claims in the same reply."""
    return [{"role": "user", "content": PUBLISHED.format(problem=_normal(problem), count=count)}]


def pair(problem: str, one: str, other: str) -> list[dict[str, str]]:
    """The conversation that asks which of two solutions is right."""
    asked = PAIR.format(problem=_normal(problem), one=_normal(one), other=_normal(other))
    return [{"role": "user", "content": asked}]


def falsify(problem: str, claims: Sequence[str]) -> list[dict[str, str]]:
    """The conversation that asks for a reasoned verdict on all claims of a solution; an empty one is a missing one."""
    numbered = "\n".join(f"{number}. {_normal(claim) or EMPTY_CLAIM}" for number, claim in enumerate(claims, 1))
    return [{"role": "user", "content": FALSIFY.format(problem=_normal(problem), claims=numbered)}]


def judge(problem: str, claims: Sequence[str]) -> list[dict[str, str]]:
    """The conversation that asks for a verdict on each claim about a problem."""
    numbered = "\n".join(f"{number}. {_normal(claim)}" for number, claim in enumerate(claims, 1))
    return [{"role": "user", "content": JUDGE.format(problem=_normal(problem), claims=numbered)}]


def quoted(question: str, written: str) -> str:
    """The message that asks for the rest of a reply."""
    return QUOTED.format(question=question, written=written)


def _stated(problem: str) -> str:
    """A statement of a code problem: in a block, if it is nothing but code."""
    text = composed(problem).strip("\n").rstrip()
    return BLOCK.format(problem=text) if task.parsed(text) is not None and "\n" in text else text.strip()


def _normal(text: str) -> str:
    return composed(text).strip()
