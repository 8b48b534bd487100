"""The program in an answer, wherever a model puts it."""

import pytest

from vibethinker_local.code import answer
from vibethinker_local.code.examples import Example
from vibethinker_local.code.task import Task, read

FUNCTION = Task("function", "double", ("n",), ("",), starter="def double(n):\n    '''Twice n.'''\n    pass\n")
METHOD = Task("method", "double", ("n",), ("",), starter="class Solution:\n    def double(self, n):\n        pass\n")
PROGRAM = Task("program")
UNNAMED = Task("function")
CODE = "def double(n):\n    return 2 * n"


def source(text: str, task: Task = FUNCTION) -> str | None:
    found = answer.attempt(text, task)
    return found.source if found and not found.fault else None


@pytest.mark.parametrize(
    "text",
    [
        f"Here it is:\n\n```python\n{CODE}\n```\n\nIt doubles.",
        f"```py\n{CODE}\n```",
        f"```\n{CODE}\n```",
        f"~~~python\n{CODE}\n~~~",
        f"````python\n{CODE}\n````",
        f"```Python3 title=x\n{CODE}\n```",
        f"   ```python\n   {CODE.replace(chr(10), chr(10) + '   ')}\n   ```",
        f"```python\n{CODE}",
        f"```python\n{CODE}\n```\n\nExample:\n\n```python\nprint(double(2))\n```",
        f"First try:\n```python\ndef double(n):\n    return n\n```\nBetter:\n```python\n{CODE}\n```",
        f"```python\n{CODE}\n```\n\nOutput:\n```\n4\n```",
        f"```python\n{CODE}\n```\n```bash\npython double.py\n```",
        f"The function:\n\n{CODE}\n\nIt returns twice its argument, as was asked.",
        CODE,
        "```python\n>>> def double(n):\n...     return 2 * n\n```",
        f"```python\n{CODE}\n```".replace("    ", 4 * "\u00a0"),
        f"```python\n\ufeff{CODE}\u200b\n```",
        f"```python\n{CODE}```",
        f"```python\n{CODE}```\n\nExample:\n\n```python\nprint(double(2))```",
        f"{CODE}\n\ndef test_double():\n    assert double(2) ==",
        f"{CODE}\n\n  So it is.",
        f"```python\n{CODE}\n\ndef main():",
        f"- ```python\n  {CODE.replace(chr(10), chr(10) + '  ')}\n  ```\n- That is all.",
        f"1. ```python\n   {CODE.replace(chr(10), chr(10) + '   ')}\n   ```",
        f"```python\n{CODE}\n```".replace("*", "&#42;"),
        f"```python\n{CODE}\n```".replace("    ", 4 * "\u3000"),
        f"```python\n{CODE}\n```".replace(" * ", "\u202f*\u202f"),
        f"```python\n{CODE}\n```".replace("return", "\u2060return\u200d"),
        f"```python\n{CODE}\n```".replace(":\n", ":\u2028"),
        "```\nPython 3.11.2\n>>> def double(n):\n...     return 2 * n\n```",
        f"```python\n{CODE}\n```\nAs the starter has it:\n```python\ndef double(n):\n```",
        f"```python\n{CODE}\n```\nAs the starter has it:\n```python\ndef double(n):\n    'Twice n.'\n    pass\n```",
    ],
)
def test_the_last_block_that_defines_the_function(text: str) -> None:
    assert source(text) == CODE


@pytest.mark.parametrize("text", ["```python\n{}\n```", "{}", "{}\n\nThis is it."])
@pytest.mark.parametrize(
    "body",
    [
        "    return 2 * n",
        "return 2 * n",
        "    m = n\n    return m + n",
        "m = n\n    return m + n",
        "    def by(m):\n        return m * n\n    return by(2)",
        "    return 2 * n\n\n\ndef double_all(xs):\n    return [double(x) for x in xs]",
        "return 2 * n\n\nprint(double(2))",
    ],
)
def test_a_body_alone_goes_on_from_the_starter(body: str, text: str) -> None:
    found = source(text.format(body))
    assert found is not None
    assert run(found, "double(4)") == 8


@pytest.mark.parametrize(
    "text",
    [
        "class Doubler:\n    def double(self, n):\n        return 2 * n",
        "def triple(n):\n    return 3 * n",
        "triple = lambda n: 3 * n",
    ],
)
@pytest.mark.parametrize("task", [FUNCTION, METHOD])
def test_what_defines_something_else_is_no_body(text: str, task: Task) -> None:
    assert source(f"```python\n{text}\n```", task) is None


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    from fast import double\nexcept ImportError:\n    def double(n):\n        return 2 * n",
        "import sys\nif sys.version_info > (3,):\n    def double(n):\n        return 2 * n\nelse:\n    double = None",
        f"{CODE}\n\nfrom double import double\nassert double(2) == 4",
        "def double(n):\n    if n:\n\treturn 2 * n\n    return 0",
        "def double(n):\n\tm = n\n    return m + n",
        "def double(n):\n    tab = '\t'\n    return len(tab) * 2 * n",
        "\tdef double(n):\n            return 2 * n",
        "def double(n):\n    return by(n, 2)\n\ndef by(n, m):\n    return m * n\n\n# For example:",
        f"{CODE}\n\n>>> double(2)\n4",
    ],
)
@pytest.mark.parametrize("task", [FUNCTION, UNNAMED])
def test_a_definition_however_it_is_written(code: str, task: Task) -> None:
    found = answer.attempt(f"```python\n{code}\n```", task)
    assert found is not None
    assert run(found.program.source, "double(4)") == 8


def run(code: str, call: str) -> object:
    names: dict[str, object] = {}
    exec(code, names)
    return eval(call, names)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nclass Solution:\n    def double(self, n):\n        return 2 * n\n```",
        f"```python\n{CODE}\n```",
    ],
)
def test_in_or_out_of_a_class(text: str) -> None:
    method, function = source(text, METHOD), source(text, FUNCTION)
    assert method is not None
    assert function is not None
    assert run(method, "Solution().double(3)") == 6
    assert run(function, "double(3)") == 6


@pytest.mark.parametrize("task", [FUNCTION, METHOD, Task("function", None, ("n",), ("",))])
@pytest.mark.parametrize(
    "program",
    [
        "def double(self, n):\n    return 2 * n",
        "def double(self, n: int) -> int:\n    return n if n < 1 else 2 + self.double(n - 1)",
        "def double(self, n):\n    return self.twice(n)\n\ndef twice(self, n):\n    return 2 * n",
        "def twice(n):\n    return 2 * n\n\ndef double(self, n):\n    return twice(n)",
        "double = lambda self, n: 2 * n",
        "class Solution:\n    def by(self, n):\n        return 2 * n\n\ndef double(self, n):\n    return self.by(n)",
        "from functools import cache\n\n@cache\ndef double(self, n):\n    return 2 * n",
        "def double(n, self=2):\n    return self * n",
        "def double(n):\n    return n if n < 1 else 2 + double(n - 1)",
        "@staticmethod\ndef double(n):\n    return 2 * n",
    ],
)
def test_a_method_without_its_class(program: str, task: Task) -> None:
    found = answer.attempt(f"```python\n{program}\n```", task)
    assert found is not None
    assert run(found.program.source, found.calls(["3"])[0].code or "") == 6


def test_a_task_without_a_name_takes_the_programs_own() -> None:
    found = answer.attempt(
        "```python\ndef helper(n):\n    return n\n\ndef twice(n):\n    return helper(n) * 2\n```", UNNAMED
    )
    assert found is not None
    assert found.entry == "twice"
    assert found.calls(["3"])[0].code == "twice(3)"


@pytest.mark.parametrize(
    "text",
    [
        "```python\nn = int(input())\nprint(2 * n)\n```",
        "```python\ndef main():\n    print(2 * int(input()))\n\nmain()\n```\nRun it:\n```sh\npython x\n```",
        "print(2 * int(input()))",
        "n, = map(int, input().split())\nprint(2 * n)",
        "It ends with the input:\n\nwhile True:\n    n = input()\n    if not n:\n        break\n\nThat is all.",
        "print(2 * int(input()))\n\nFor the input\n```\n4\n```\nit prints\n```\nIt is 8!\n```",
    ],
)
def test_a_program(text: str) -> None:
    found = source(text, PROGRAM)
    assert found is not None
    assert "input()" in found


@pytest.mark.parametrize("tag", ["", "plaintext", "text", "output", "Output", "console", "json"])
@pytest.mark.parametrize("output", ["18", "[18, 19]", "YES\nNO", "x = 18", "Point(1, 2)"])
def test_what_a_program_prints_is_none(tag: str, output: str) -> None:
    printing = "print(9 * 2)"
    assert source(f"```python\n{printing}\n```\n\nOutput:\n\n```{tag}\n{output}\n```", PROGRAM) == printing
    assert source(f"Output:\n\n```{tag}\n{output}\n```\n\n```\n{printing}\n```", PROGRAM) == printing


CONTEST = Task("program", examples=(Example("4\n", "8"),))
READING = "n = int(input())\nprint(2 * n)"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{READING}\n```\nThe line that counts:\n```python\nint(input())\n```",
        f"```python\n{READING}\n```\nFor example:\n```python\nprint(2 * 4)\n```",
        f"```python\n{READING}\n```\nTo try:\n```python\nimport io, sys\nsys.stdin = io.StringIO('4')\nprint(4)\n```",
        f"```python\nprint(4)\n```\nBetter:\n```python\n{READING}\n```",
        f"```python\n{READING}\n```\nTo try:\n```python\nprint(subprocess.run('a.py', input='4'))\n```",
        f"```python\n{READING}\n```\nTo try:\n```python\nwith patch('builtins.input'):\n    print(4)\n```",
        f"```python\n{READING}\n\n\ndef other(",
        READING,
        f"Here it is:\n\n{READING}\n\nIt doubles.",
    ],
)
def test_of_several_blocks_the_one_that_reads_and_prints(text: str) -> None:
    assert source(text, CONTEST) == READING


def test_what_reads_files_as_its_input_reads() -> None:
    reading = "import fileinput\nfor line in fileinput.input():\n    print(2 * int(line))"
    assert source(f"```python\n{reading}\n```\nFor example:\n```python\nprint(2 * 4)\n```", CONTEST) == reading


def test_where_no_block_reads_the_last_one_is_taken() -> None:
    assert source("```python\nprint(8)\n```\nOr:\n```python\nprint(2 * 4)\n```", CONTEST) == "print(2 * 4)"


def test_a_class_is_what_was_asked_for_where_it_was() -> None:
    stack = "class Stack:\n    def push(self, x):\n        self.x = x"
    assert source(f"```python\n{stack}\n```", Task("function", is_class=True)) == stack
    helper = f"def helper():\n    return 1\n\n\n{stack}"
    assert (
        source(f"```python\n{helper}\n```\n```python\nprint(Stack())\n```", Task("function", "Stack", is_class=True))
        == helper
    )


def test_output_alone_is_no_program() -> None:
    assert answer.attempt("It prints:\n\n```\n18\n```", PROGRAM) is None
    broken = answer.attempt("```python\nprint(9 * 2\n```\n\nOutput:\n\n```\n18\n```", PROGRAM)
    assert broken is not None
    assert "line 1" in (broken.fault or "")


@pytest.mark.parametrize("tag", ["", "py", "Python3", "pycon", "ipython3", "sage"])
def test_the_tags_of_python(tag: str) -> None:
    assert source(f"```{tag}\n{CODE}\n```") == CODE


@pytest.mark.parametrize(
    ("text", "task", "gives"),
    [
        ("```python\nimport math\n```\n```python\ndef double(n):\n    return math.floor(2 * n)\n```", FUNCTION, 8),
        (
            "```python\ndef add(a):\n    return a + a\n```\n```python\ndef double(n):\n    return add(n)\n```",
            FUNCTION,
            8,
        ),
        (
            "```python\nTWO, _ = 2, 3\n```\n```python\ndef by(n):\n    return n * TWO\n```\n"
            "```python\nclass Solution:\n    def double(self, n):\n        return by(n)\n```",
            METHOD,
            8,
        ),
    ],
)
def test_a_program_in_steps(text: str, task: Task, gives: int) -> None:
    found = source(text, task)
    assert found is not None
    assert run(found, "double(4)" if task is FUNCTION else "Solution().double(4)") == gives


def test_a_whole_program_in_steps(capsys: pytest.CaptureFixture[str]) -> None:
    found = source("```python\ndef solve():\n    return 18\n```\n\nThen:\n\n```python\nprint(solve())\n```", PROGRAM)
    assert found is not None
    exec(found, {})
    assert capsys.readouterr().out == "18\n"


def test_a_step_that_is_not_used_is_left_out() -> None:
    text = f"```python\ndef triple(n):\n    return 3 * n\n```\n```python\nimport math\n```\n```python\n{CODE}\n```"
    assert source(text) == CODE


SUM = "def two_sum(nums, target):\n    return [0, 1]"


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (f"```python\n{SUM}\n```\n```python\nnums, target = [1], 1\nresult = two_sum(nums, target)\n```", "two_sum"),
        (f"```python\n{SUM}\n```\n```python\ndef test_two_sum():\n    assert two_sum([1], 1)\n```", "two_sum"),
        (f"```python\n{SUM}\n\ndef test_two_sum(nums=None):\n    assert two_sum([1], 1)\n```", "two_sum"),
        ("```python\ndef two_sum(a, b):\n    return swap(a, b)\n\ndef swap(a, b):\n    return b, a\n```", "two_sum"),
        ("```python\ntwo_sum = lambda nums, target: [0, 1]\nprint(two_sum([1], 1))\n```", "two_sum"),
        (f"```python\n{SUM}\n\ndef main():\n    print(two_sum([1], 1))\n```", "two_sum"),
        (
            "```python\nclass Solution:\n    def swap(self, a, b):\n        return b, a\n\n"
            "    def twoSum(self, a, b):\n        return self.swap(a, b)\n```",
            "twoSum",
        ),
        (
            "```python\nclass Solution:\n    def twoSum(self, a, b):\n        return []\n\n"
            "def run_tests():\n    print(Solution().twoSum([1], 1))\n```",
            "twoSum",
        ),
        ("```python\nclass Solution:\n    @staticmethod\n    def twoSum(a, b):\n        return []\n```", "twoSum"),
        ("```python\ndef run(nums, target):\n    return []\n```", "run"),
    ],
)
def test_the_function_that_nobody_has_named(text: str, entry: str) -> None:
    task = Task("function", None, ("nums", "target"), ("", ""))
    found = answer.attempt(text, task)
    assert found is not None
    assert (found.fault, found.entry) == (None, entry)
    assert callable(run(found.program.source, entry))


def test_a_program_without_a_fence_among_much_prose() -> None:
    long = "def double(n):\n" + "    if n > 1:\n        n = n + 0\n" * 50 + "    return 2 * n"
    text = f"import it as you like:\n\n{long}\n\n" + "This adds the number to itself, and that's all.\n" * 400
    assert source(text) == long


@pytest.mark.parametrize(
    "cut",
    ["    def by_hand(self, n):\n        return (n +", "    def by_hand(self", "    @cache\n    def by_hand(self, n):"],
)
def test_a_method_stays_where_another_one_is_cut_off(cut: str) -> None:
    found = source(f"```python\nclass Solution:\n    def double(self, n):\n        return 2 * n\n\n{cut}", METHOD)
    assert found is not None
    assert run(found, "Solution().double(4)") == 8


def test_a_method_that_is_cut_off_itself_is_none() -> None:
    found = answer.attempt(
        "```python\nclass Solution:\n    def double(self, n):\n        m = 2\n        return (m *", METHOD
    )
    assert found is not None
    assert found.fault == "'(' was never closed (line 4)"


def test_what_is_no_program_has_a_fault() -> None:
    found = answer.attempt("```python\ndef double(n:\n    return\n```", FUNCTION)
    assert found is not None
    assert found.fault
    assert "line 1" in found.fault
    [outcome] = answer.crashed(found, ["1"])
    assert outcome.exception == "SyntaxError"
    other = answer.attempt("```python\ndef triple(n):\n    return 3 * n\n```", FUNCTION)
    assert other is not None
    assert other.fault == "it defines no double"


@pytest.mark.parametrize(
    ("code", "task", "fault"),
    [
        ("def double(n):\n    return 2 × n", FUNCTION, "invalid character '×' (U+00D7) (line 2)"),
        ("def double(n):\n    return 2 × n\n...", FUNCTION, "invalid character '×' (U+00D7) (line 2)"),
        ("def double(n):\n    if n < 0:\n        return 0\n    return (2 * n", METHOD, "'(' was never closed (line 4)"),
        ("def double(n):\n    m = n\n\n    m = = n\n    return m", UNNAMED, "invalid syntax (line 4)"),
        (
            "n = input()\nprint 2 * n",
            CONTEST,
            "Missing parentheses in call to 'print'. Did you mean print(...)? (line 2)",
        ),
    ],
)
def test_a_program_is_not_what_comes_before_its_error(code: str, task: Task, fault: str) -> None:
    found = answer.attempt(f"```python\n{code}\n```", task)
    assert found is not None
    assert found.fault == fault


@pytest.mark.parametrize("task", [FUNCTION, METHOD, CONTEST])
def test_what_only_a_newer_python_knows_is_left_to_the_sandbox(task: Task) -> None:
    newer = "def double(n):\n    word = {'a': n}\n    return 2 * int(f'{word['a']}')\n\nprint(double(int(input())))"
    found = answer.attempt(f"```python\n{newer}\n```", task)
    assert found is not None
    assert (found.fault, found.source) == (None, newer)


def test_an_example_that_only_a_newer_python_knows_is_cut_off() -> None:
    found = answer.attempt(f"```python\n{CODE}\n\nword = {{'a': 2}}\nprint(f'{{word['a']}}')\n```", FUNCTION)
    assert found is not None
    assert run(found.program.source, "double(4)") == 8


@pytest.mark.parametrize("text", ["", "I do not know.", "The answer is \\boxed{4}.", "```\n```", "```python\n\n```"])
def test_an_answer_without_a_program(text: str) -> None:
    assert answer.attempt(text, FUNCTION) is None


def test_warnings_of_the_parser_are_not_ours() -> None:
    assert source('```python\ndef double(n):\n    return "\\d" * n is 3\n```') is not None


@pytest.mark.parametrize(
    ("said", "used", "there"),
    [
        ("Input: n = 1\nOutput: 1\n", "SortedList", True),
        ("Input: n = 1\nOutput: 1\n", "sorted", False),
        ("Write a Python function.", "SortedList", False),
    ],
)
def test_what_the_judge_has_ready_is_there_where_it_is_used(said: str, used: str, there: bool) -> None:
    asked = read(said)
    assert asked is not None
    source = f"def f(n):\n    return {used}([n])"
    for text, imported in ((source, there), (f"class SortedList(list): pass\n\n{source}", False)):
        found = answer.attempt(f"```python\n{text}\n```", asked)
        assert found is not None
        assert ("sortedcontainers" in found.program.prelude) is imported


def test_the_prelude_of_the_statement_is_there() -> None:
    task = read("def helper(x):\n    return x\n\n\ndef double(n):\n    '''Twice helper(n).'''\n")
    assert task is not None
    found = answer.attempt(f"```python\n{CODE}\n```", task)
    assert found is not None
    assert "def helper" in found.program.prelude


@pytest.mark.parametrize(
    "example",
    [
        "assert double(2) == 5",
        "print(undefined)",
        "def check():\n    assert double(1) == 3\n\ncheck()",
        "for n, twice in [(1, 3)]:\n    assert double(n) == twice",
        "if double(1) != 3:\n    raise ValueError",
        "import sys\nsys.exit(double('a'))",
        "raise_it = (_ for _ in ()).throw(KeyboardInterrupt)",
        "n = int(input())\nresult = double(n)\nprint(result)",
        "result: int = double()",
        "total = 0\ntotal += double(None)",
    ],
)
def test_an_example_that_fails_is_no_part_of_the_program(example: str) -> None:
    found = answer.attempt(f"```python\n{CODE}\n\n{example}\n```", FUNCTION)
    assert found is not None
    assert example in found.source  # what is shown is what was written
    assert run(found.program.source, "double(4)") == 8


def test_what_is_made_by_a_call_is_there() -> None:
    code = "table = dict(a=1)\ntable['b'] = int('2')\n\n\ndef double(n):\n    return table['b'] * n"
    found = answer.attempt(f"```python\n{code}\n```", FUNCTION)
    assert found is not None
    assert run(found.program.source, "double(4)") == 8


def test_blanks_that_are_not_seen_stay_in_strings() -> None:
    code = "def double(n):\n    return n + '\u00a0'"
    assert source(f"```python\n{code}\n```") == code


@pytest.mark.parametrize("broken", ["import nothing_of_that_name", "table = [1][1]", "raise ValueError"])
def test_what_the_program_needs_has_to_work(broken: str) -> None:
    found = answer.attempt(f"```python\n{broken}\n\n{CODE}\n```", FUNCTION)
    assert found is not None
    with pytest.raises((ImportError, IndexError, ValueError)):
        run(found.program.source, "double(4)")


def test_statements_that_prepare_are_run() -> None:
    before = "from __future__ import annotations\ntable = []\nfor n in range(9):\n    table.append(2 * n)\n"
    found = answer.attempt(f"```python\n'Doubles.'\n{before}def double(n):\n    return table[n]\n```", FUNCTION)
    assert found is not None
    assert run(found.program.source, "double(4)") == 8


def test_a_program_that_stands_alone_is_run_as_it_is() -> None:
    found = answer.attempt("```python\nassert input() == '1'\n```", PROGRAM)
    assert found is not None
    assert found.program.source == found.source


@pytest.mark.parametrize(
    "line", [f"LARGE = 0x{'f' * 9000}", "DEEP = " + "[" * 90 + "]" * 90, "TEXT = f\"{'a' + chr(10)!r}\\n\""]
)
def test_what_cannot_be_written_anew_is_run_as_it_is(line: str) -> None:
    found = answer.attempt(f"```python\n{line}\n\n{CODE}\n\nprint(double(2))\n```", FUNCTION)
    assert found is not None
    assert run(found.program.source, "double(4)") == 8


def test_a_function_that_breaks_off_stays_one() -> None:
    found = answer.attempt("```python\nprint(1)\n\n\ndef double(n):\n```", FUNCTION)
    assert found is not None
    with pytest.raises(SyntaxError):
        run(found.program.source, "double(4)")
