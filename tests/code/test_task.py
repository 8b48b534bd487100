"""What statements ask for, in the forms in which they are written."""

import builtins
import time

import pytest

from vibethinker_local.code import leetcode, task
from vibethinker_local.code.examples import Example, assertions

DOCSTRING = '''
from typing import List


def longest_run(numbers: List[int], limit: int = 3) -> int:
    """ The length of the longest run of equal numbers, at most `limit`.
    >>> longest_run([1, 1, 2], 3)
    2
    >>> longest_run([], 3)
    0
    """
'''
LEETCODE = """Given the head of a linked list and an integer k, return the list without its k-th node.

Example 1:

Input: head = [1,2,3], k = 2
Output: [1,3]
Explanation: The second node is removed.

Example 2:

Input: head = [1], k = 1
Output: []

Constraints:

1 <= k <= 100

class Solution:
    def withoutKth(self, head: Optional[ListNode], k: int) -> Optional[ListNode]:
        """
CONTEST = """Read n and then n integers, and print their sum.

Input
The first line contains n.

Output
Print one integer.

Example
Input
3
1 2 3
Output
6

Note
1 + 2 + 3 = 6.
"""


def examples(statement: str) -> list[tuple[str, str]]:
    found = task.read(statement)
    assert found is not None
    return [(example.input, example.expected) for example in found.examples]


@pytest.mark.parametrize("statement", [DOCSTRING, LEETCODE, CONTEST])
def test_lines_may_end_as_on_windows(statement: str) -> None:
    assert task.read(statement.replace("\n", "\r\n")) == task.read(statement)


def test_a_signature_with_doctests() -> None:
    found = task.read(DOCSTRING)
    assert found is not None
    assert (found.form, found.entry, found.parameters) == ("function", "longest_run", ("numbers", "limit"))
    assert found.examples == (Example("[1, 1, 2], 3", "2"), Example("[], 3", "0"))
    assert "from typing import List" in found.prelude
    assert found.call("[1], 2").code == "longest_run([1], 2)"


def test_a_method_with_nodes_of_a_list() -> None:
    found = task.read(LEETCODE)
    assert found is not None
    assert (found.form, found.entry) == ("method", "withoutKth")
    assert examples(LEETCODE) == [("head = [1,2,3], k = 2", "[1,3]"), ("head = [1], k = 1", "[]")]
    assert found.call("head = [1,2,3], k = 2").code == "Solution().withoutKth(head = list_node([1, 2, 3]), k = 2)"
    assert found.call("[1,2], 1").code == "Solution().withoutKth(list_node([1, 2]), 1)"
    compile(found.prelude, "prelude", "exec")


@pytest.mark.parametrize(
    ("annotation", "given", "called"),
    [
        ("List[Optional[ListNode]]", "[[1,4],[],[2]]", "[list_node([1, 4]), list_node([]), list_node([2])]"),
        ("list[TreeNode]", "[[1,null,2]]", "[tree_node([1, null, 2])]"),
        ("List[Optional[ListNode]]", "[]", "[]"),
        ("Optional[ListNode]", "[]", "list_node([])"),
        ("List[List[int]]", "[[1]]", "[[1]]"),
    ],
)
def test_lists_of_nodes(annotation: str, given: str, called: str) -> None:
    found = task.read(f"class Solution:\n    def merge(self, lists: {annotation}) -> Optional[ListNode]:\n        ")
    assert found is not None
    assert found.call(given).code == f"Solution().merge({called})"


SELF_TYPED = """class Solution(object):
    def f(self, head, n):
        \"\"\"
        :type head: Optional[ListNode]
        :type n: int
        :rtype: None Do not return anything.
        \"\"\"
"""


def test_a_starter_for_python_2() -> None:
    found = task.read(f"Change it.\n\nInput: head = [1, 2], n = 1\nOutput: [1]\n\n{SELF_TYPED}")
    assert found is not None
    assert (found.annotations, found.in_place) == (("Optional[ListNode]", "int"), True)
    assert found.call("[1, 2], 1").code == "_in_place(Solution().f, list_node([1, 2]), 1)"


@pytest.mark.parametrize(
    ("parameters", "given", "count"),
    [
        ("head: Optional[ListNode]", "head = [3, 2], pos = 1", 0),
        ("root: TreeNode, p: TreeNode", "root = [6, 2], p = 2", 0),
        ("node: Optional['Node']", "node = [[2], [1]]", 0),
        ("head: Optional[ListNode], pos: int", "head = [3, 2], pos = 1", 1),
        ("head: Optional[ListNode] = None", "head = null", 1),
        ("a, b", "b = 1, c = 2", 0),
        ("a, b", "x = 1, y = 2", 1),
        ("a, b", '{"a": 1, "b": 2}', 0),
        ("a, b=0", "1", 1),
        ("a", "1, 2", 0),
        ("*values", "1, 2", 1),
        ("**values", "a = 1", 1),
        ("a, *, b", "1, b = 2", 1),
    ],
)
def test_examples_that_only_the_judge_can_run_are_none(parameters: str, given: str, count: int) -> None:
    text = (
        f"Do it.\n\nInput: {given}\nOutput: true\n\nclass Solution:\n    def f(self, {parameters}) -> bool:\n        "
    )
    assert len(examples(text)) == count


@pytest.mark.parametrize(
    "program",
    [
        "",
        "class ListNode:\n    def __init__(self, x):\n        self.val = x\n        self.next = None\n",
        "class ListNode:\n    __slots__ = ('val', 'next')\n    def __init__(self, val, next): pass\n",
    ],
)
def test_nodes_are_of_the_programs_own_class(program: str) -> None:
    names: dict[str, object] = {}
    exec(leetcode.PRELUDE + program, names)
    node = "list_node([1, 2])"
    assert eval(f"[{node}.val, {node}.next.val, {node}.next.next, type({node}) is ListNode]", names) == [
        1,
        2,
        None,
        True,
    ]
    tree = program.replace("ListNode", "TreeNode").replace("'next')", "'left', 'right')")
    exec(tree, names)
    assert eval("[tree_node([1, 2]).left.val, tree_node([1, None, 2]).right.val]", names) == [2, 2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("addition(3, 2) ➞ 5\n\naddition(-3, -6) ➞ -9", [("3, 2", "5"), ("-3, -6", "-9")]),
        ("* `addition(3, 2)` returns `5`", [("3, 2", "5")]),
        ("first(3) ➞ 5\nsecond(4) ➞ 6", []),
        ("len([3]) == 1", []),
        ("So addition(3, 2) ➞ 5", []),
    ],
)
def test_calls_of_a_function_that_is_not_named_otherwise(text: str, found: list[tuple[str, str]]) -> None:
    """What a program calls it is not known, so that another name is as good."""
    read = task.read(
        f"Create a function that takes two numbers as arguments and returns their sum.\n\nExamples\n{text}\n"
    )
    assert read is not None
    assert (read.entry, [(each.input, each.expected) for each in read.examples]) == (None, found)


@pytest.mark.parametrize(
    "statement",
    [
        "Sort it.\n\nInput: nums = [1, 0]\nOutput: [0, 1]\n\nclass Solution:\n"
        "    def sort(self, nums: List[int]) -> None:\n        ",
        "def sort(nums: list) -> None:\n    '''Sorts it.\n\n    >>> sort([1, 0])\n    [0, 1]\n    '''\n",
        "Sort it in-place.\n\nInput: nums = [1, 0]\nOutput: [0, 1]\n",
        "Write a function `sort(nums)` that sorts in-place.\n\nInput: nums = [1, 0]\nOutput: [0, 1]\n",
        "Sort it in-place.\n\nInput: nums = [1, 0]\nOutput: [0, 1]\n\nclass Solution:\n    def sort(self, nums):\n",
    ],
)
@pytest.mark.parametrize("given", ["[1, 0]", "[0, 1]", "[0]"])
def test_what_returns_nothing_gives_its_argument_also_where_that_stays(statement: str, given: str) -> None:
    found = task.read(statement)
    assert found is not None
    assert len(found.examples) == 1
    program = "class Solution:\n    def sort(self, nums): nums.sort()\n\ndef sort(nums): nums.sort()\n"
    names: dict[str, object] = {}
    exec(found.prelude + program, names)
    assert eval(found.call(given, "sort").code, names) == sorted(eval(given))


@pytest.mark.parametrize(
    "statement",
    [
        "Reverse it in-place and return its length.\n\nInput: nums = [1]\nOutput: 1\n",
        "def f(nums: list) -> list:\n    '''Sorts it.'''\n",
        "def f(nums):\n    '''Sorts it in-place.\n\n    >>> f([1, 0])\n    [0, 1]\n    '''\n",
        "Write a function f that sorts in-place.\n\nassert f([1, 0]) == [0, 1]",
        "def f() -> None:\n    '''Prints.'''\n",
    ],
)
def test_what_returns_something_gives_that(statement: str) -> None:
    found = task.read(statement)
    assert found is not None
    assert not found.in_place


@pytest.mark.parametrize(
    ("said", "any_order"),
    [
        ("You can return the answer in any order.", True),
        ("Return an array with both numbers (in any order).", True),
        ("Return the triplets. The order of the output and of the triplets does not matter.", True),
        ("You may rearrange the letters in any order. Return the largest.", False),
        ("Return the answer in ascending order.", False),
        ("Return a sorted copy of a list whose items are in any order.", False),
        ("你可以按任意顺序返回答案。", True),
    ],
)
def test_whether_the_order_of_a_list_counts(said: str, any_order: bool) -> None:
    found = task.read(f"{said}\n\nInput: nums = [1, 2]\nOutput: [0, 1]\n")
    assert found is not None
    assert found.any_order is any_order


def test_built_in_functions_are_not_hidden_by_those_of_modules() -> None:
    found = task.read(LEETCODE)
    assert found is not None
    names: dict[str, object] = {}
    exec(found.prelude, names)
    hidden = [name for name in dir(builtins) if not name.startswith("_") and name in names]
    assert all(names[name] is getattr(builtins, name) for name in hidden)
    assert eval("pow(7, 2, 5)", names) == 4


def test_a_program_with_input_and_output() -> None:
    found = task.read(CONTEST)
    assert found is not None
    assert found.form == "program"
    assert examples(CONTEST) == [("3\n1 2 3\n", "6")]
    assert found.call("4\n1 2 3 4").stdin == "4\n1 2 3 4\n"


@pytest.mark.parametrize(
    "text",
    [
        "### Sample Input 1\n\n```\n2 3\n```\n\n### Sample Output 1\n\n```\n5\n```\n",
        "Sample Input:\n2 3\nSample Output:\n5\n",
        "**Sample Input**\n2 3\n\n**Sample Output**\n5\n\nExplanation\nThe sum.",
        "Examples\nInputCopy\n2 3\nOutputCopy\n5\nNote\nNothing.",
        "Example 1\n\nInput:\n\n2 3\n\nOutput:\n\n5\n",
        "Sample Input 1Copy\nCopy\n2 3\nSample Output 1Copy\nCopy\n5\n\nIt is 5.",
        "## Sample Input\n\n    2 3\n\n## Sample Output\n\n    5\n",
        "Example input: 2 3\nExample output: 5\n",
        "Input example #1\n2 3\nOutput example #1\n5\n",
        "Input 1\n2 3\nOutput 1\n5\n",
        "## Examples\n```input\n2 3\n```\n```output\n5\n```\n",
        "Sample Input\n\n2 3\n\nSample Output\n\n5\n\nSource\n\nPOJ\n",
        "Sample Input 1\n\n2 3\n\nSample Output 1\n\n5\n\n### Format: Write it.\n```python\n# YOUR CODE\n```\n",
        "## 输入格式\n\n两个整数。\n\n### 样例输入 #1\n\n```\n2 3\n```\n\n### 样例输出 #1\n\n```\n5\n```\n",
        "### 入力\n\n> A B\n\n### 入力例 1\n\n2 3\n\n### 出力例 1\n\n5\n\n2+3=5 です。\n",
        "Выходные данные\nСумма.\n\nПримеры\nвходные данные\n2 3\nвыходные данные\n5\n\nПримечание\nx",
        "예제 입력 1\n2 3\n예제 출력 1\n5\n",
        "Entrada\nDos números.\n\nSalida\nLa suma.\n\nEjemplo de entrada 1\n2 3\n\nEjemplo de salida 1\n5\n",
        "## Entrada\n\nDois números.\n\n## Exemplos de Entrada\n\n2 3\n\n## Exemplos de Saída\n\n5\n",
        "Eingabe\nZwei Zahlen.\n\nBeispiel\n\nEingabe\n2 3\n\nAusgabe\n5\n",
        "<h3>Input</h3><var>n</var><h3>Sample Input</h3><pre>2 3\n</pre><h3>Sample Output</h3><pre>5\n</pre>",
        "<H2>Output</H2>\nIt.\n<H2>Sample Input</H2>\n<pre>\n2 3\n</pre>\n<H2>Sample Output</H2>\n<pre>\n5\n</pre>",
        "<div class='section'><h3>Input</h3>Two. <h3>Example Input</h3>\n2 3<br><h3>Example Output</h3>5</div>",
        "Input\n\nTwo integers (long long in C++).\n\nExample\n\nInput\n\n2 3\n\nOutput\n\n5\n",
        "-----Input-----\n\nTwo integers.\n\n-----Output-----\n\nTheir sum.\n\n"
        "-----Examples-----\nInput\n2 3\n\nOutput\n5\n\n-----Note-----\n\nSo it is.\n",
    ],
)
def test_headings_of_contests(text: str) -> None:
    assert examples(f"Write a program that reads two integers and prints their sum.\n\n{text}") == [("2 3\n", "5")]


def test_tags_in_a_sample_are_a_part_of_it() -> None:
    assert examples("## Sample Input\n\n<h1>Hi</h1>\n\n## Sample Output\n\nHi\n") == [("<h1>Hi</h1>\n", "Hi")]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("1\n\n2\n\n3 4", "1\n\n2\n\n3 4"),
        ("YES\nNO\n\nYES", "YES\nNO\n\nYES"),
        ("1\n\nThe first is 1.", "1"),
        ("1\n\n2\n\n1 + 1 = 2", "1\n\n2"),
        ("Case 1: 4\n\nCase 2: 5", "Case 1: 4"),
        ("```\n1\n\n2\n```\n\nIt is.", "1\n\n2"),
        ("As follows:\n```\n1\n```", "1"),
    ],
)
def test_an_output_with_empty_lines_ends_where_it_is_talked_about(output: str, expected: str) -> None:
    assert examples(f"Write a program.\n\nSample Input\n\n2\n\nSample Output\n\n{output}\n") == [("2\n", expected)]


def test_an_interactive_problem_has_no_examples() -> None:
    assert (
        examples("This is an interactive problem.\n\nSample Input\n\n1\n\nSample Output\n\n? 1\n\nWrite a program.")
        == []
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f([1, 2], 3) == 4", "4"),
        ("f([1, 2], 3) = 4", "4"),
        ("f([1, 2], 3) -> 4", "4"),
        ("f([1, 2], 3) ==> 4 ", "4"),
        ("f([1, 2], 3) ==>4", "4"),
        ("f([1, 2], 3) => '4'", "'4'"),
        ("f([1, 2], 3) ➞ False", "False"),
        ("f([1, 2], 3);  // should return 4;", "4"),
        ("f([1, 2], 3) returns 4", "4"),
        ("f([1, 2], 3) should return 4.", "4"),
        ("f([1, 2], 3) # => 4", "4"),
        ("f([1, 2], 3)   # returns [4]", "[4]"),
        ("* f([1, 2], 3) -> (4, 'a')", "(4, 'a')"),
        ("`f([1, 2], 3)` returns `4`", "4"),
        ("f([1, 2], 3) -> 2 + 2 = 4", "4"),
        ("f([1,\n   2], 3) == [(4, 1),\n   (0, 2)]", "[(4, 1),    (0, 2)]"),
        (">>> f([1, 2], 3)\n4\n>>> g(1)\n5", "4"),
        (">>> f([1, 2], 3) == 4", "4"),
        (">>> f([1, 2], 3) == 4\n    True", "4"),
        (">>> f([1, 2], 3) is True\n    True", "True"),
        (">>> f([1, 2], 3)  # 16 squared\n    256", "256"),
        (">>> f([1, 2], 3)  # -> 4", "4"),
        (">>> f([1, 2], 3)\n    4\n    And so on.", "4"),
        (">>> f([1, 2], 3)\n    set()", "set()"),
        (">>> f([1, 2], 3)\n    4\n    >>> random.seed(1)\n    >>> f([5], 6)\n    7", "4"),
        ("f([1, 2], 3) gives 4 because 3 + 1 is 4", "4"),
        ("f([1, 2], 3) gives 4 and g(3) gives 5", "4"),
        ("f([1, 2], 3) gives 4, and so on", "4"),
        ("f([1, 2], 3) is 4 (twice 2)", "4"),
        ("f([1, 2], 3) should return 4, not 5", "4"),
        ("f([1, 2], 3) == 4  the sum", "4"),
        ("(f([1, 2], 3) = 4) for example", "4"),
        ("`f([1, 2], 3) == 4` should be true", "4"),
        ("- `f([1, 2], 3)` is `4`", "4"),
        ("> f([1, 2], 3) == 4", "4"),
        ("Look! f([1, 2], 3) == 4", "4"),
        ("assert f([1, 2], 3) == 4, f'not {4}'", "4"),
        ("assert g([1]) and f([1, 2], 3) == 4", "4"),
        ("Input: [1, 2], 3\n    Output: 4 Explanation: the sum", "4"),
        ("assert f([1, 2], 3) == 4, 'sum'", "4"),
        ("assert f([1, 2], 3)", "True"),
        ("assert not f([1, 2], 3)", "False"),
        ("f([1, 2], 3) -> -4", "-4"),
        ("f([1, 2], 3) gives 1e-3", "1e-3"),
        ("Input: [1, 2], 3\nOutput: 4", "4"),
        ("输入：[1, 2], 3\n输出：4\n解释：1 + 3。", "4"),
        ("**入力:** [1, 2], 3\n**出力:** 4", "4"),
        ("Entrada: [1, 2], 3\nSaída: 4\nExplicação: a soma", "4"),
        ("<pre><strong>输入：</strong>[1, 2], 3\n<strong>输出：</strong>4</pre>", "4"),
        ("**Input:** [1, 2], 3\n**Output:** 4", "4"),
        ("<pre><strong>Input:</strong> [1, 2], 3\n<strong>Output:</strong> 4</pre>", "4"),
        ("Input:\n    a = [1, 2]\n    b = 3\n    Output:\n    4", "4"),
        ("Input: a: [1, 2], b: 3\n    Output: 4", "4"),
        ("Input: a = [1, 2]; b = 3\n    Expected: 4", "4"),
        ("Input: a = [1, 2] and b = 3\n    Returns: 4", "4"),
        ("Input: a = [1, 2], and b = 3\n    Returns: 4", "4"),
        ("Input: a = [1, 2] b = 3\n    Result: 4", "4"),
        ("Input:\n    [1, 2]\n    3\n    Output: 4", "4"),
        ("Input:\n    - a: [1, 2]\n    - `b`: `3`\n    Output:\n    - 4\n\n    So.", "4"),
        ("- **Input:** `a = [1, 2]`, `b = 3`\n    - **Output:** `4`", "4"),
        ("Input:\n    ```\n    a = [1, 2]\n    b = 3\n    ```\n    Output:\n    ```\n    4\n    ```", "4"),
        ("Input: f([1, 2], 3)\n    Output: 4", "4"),
        ("Input: xs = [1, 2], n = 3\n    Output: 4", "4"),
        ("f([1, 2], 3)  # Output: 4", "4"),
        ("f([1, 2], 3)  # Expected: 4", "4"),
        ("f([1, 2], 3)\n    # Output: 4", "4"),
        ("print(f([1, 2], 3))  # [4]", "[4]"),
        ("print(Solution().f([1, 2], 3))\n    # Output: True", "True"),
        ("sol = Solution()\n    sol.f([1, 2], 3)  # 4", "4"),
        ("it = Solution()\n    assert it.f([1, 2], 3) == 4", "4"),
        ("For a = [1, 2] and b = 3 the output should be 4", "4"),
        ("If a = [1, 2], b = 3, the result is 4.", "4"),
    ],
)
def test_an_example_however_it_is_written(line: str, expected: str) -> None:
    statement = f"Write a function.\n\ndef f(a, b):\n    '''Does something.\n\n    Examples:\n    {line}\n    '''\n"
    [(given, found)] = examples(statement)
    assert found == expected
    assert "".join(given.split()).replace("a=", "").replace("b=", "") == "[1,2],3"


@pytest.mark.parametrize(
    "line",
    [
        "f(n) = f(n - 1) + f(n - 2)",
        "f(3) = f(2) + f(1)",
        "f(x) returns a list",
        "f(1) + f(2) == 3",
        "f(1) == g(2)",
        "Call f(3) to begin.",
        "f([1, 2",
        "return f(2)",
        ">>> not f(4)\n    True",
        ">>> 4 == f(2)\n    True",
        ">>> f(5) == 3\n    False",
        ">>> f(5) == 3  # False",
        ">>> f(5) is True\n    False",
        ">>> f(5) == 3 or f(5) == 4\n    True",
        ">>> f(5) == 3, g(5)\n    (True, 1)",
        '>>> "a" in f(2)\n    True',
        ">>> f(2), f(3)\n    (4, 9)",
        ">>> f(2) and f(3)\n    True",
        ">>> f(2) > 3\n    True",
        ">>> (not\n    ... f(4))\n    True",
        ">>> x = f(4)\n    9",
        ">>> f(4)\n    3 apples",
        ">>> f(4)\n    3\n    4",
        ">>> random.seed(0)\n    >>> f(4)\n    3",
        ">>> f(4)  # 5 bits",
        "not f(4) == True",
        "!f(4) == True",
        "4 == f(2) -> True",
        "f(5) == 3 -> False",
        "f(5) == 3: False",
        "`f(5) == 3` is false",
        "assert not f(4) == 5",
        "assert not (f(4) == 5)",
        "assert f(4) == 5 or f(4) == 6",
        "assert f(4) == 5 if f(5) else 6",
        "f(5) is 3 more than f(4)",
        "f(5) is 3\n    more than f(4)",
        "f(10) is 10 times f(1)",
        "`f(10)` is `10` times `f(1)`",
        "f(2) gives 1,000",
        "f(2) = 1, 4",
        "f(2) is 4 or 5",
        "f(2) returns 4 elements",
        "f(2) = 1 2 3",
        "f(2) = 1 -> 2 -> 3",
        "f(3) = 3!",
        "f(3) = 0.333...",
        "f(3) = [1, ..., 9]",
        "f(2) returns 5 but should return 6",
        "f(2) returns 5, but the result should be 6",
        "f(2) returns 5 instead of 6",
        "f(2) = 5 (expected: 6)",
        "Currently f(2) returns 5.",
        "Why does `f(2)` return 5?",
        "print(f(2))  # 5",
        "print(f(2), 5)  # [5]",
        "print(f(2) == 5)  # True",
        "print(f(2) == [5])  # False",
        "self.f(2) == 5",
        "s.f(2) == 5",
        "f(2)  # Output: 5, expected: 6",
        "Input: 1 2\n    Output: 5",
        "Input: 1 and a half\n    Output: 5",
        "Input: n = 2, m = 3\n    Output: 5",
        "Input: m = 2, n = 3\n    Output: 5",
        'Input: {"n": 2, "m": 3} and more\n    Output: 5',
        "Input: set([2])\n    Output: 5",
        "Input: deque([2])\n    Output: 5",
        "Input: n = 2\n    Returns: a list",
        "Input: f(2) + f(3)\n    Output: 5",
    ],
)
def test_in_doubt_there_is_no_example(line: str) -> None:
    found = task.read(f"def f(n):\n    '''\n    {line}\n    '''\n")
    assert found is not None
    assert found.examples == ()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("4", "4"),
        ("4 (2 + 2)", "4"),
        ("4. It is even", "4"),
        ("4 because 2 + 2 is 4", "4"),
        ("4 Explanation: 2 + 2", "4"),
        ("2, nums = [2,2,_,_]", "2"),
        ("1,000", "1,000"),
        ("1 2 3", "1 2 3"),
        ("3 apples", "3 apples"),
        ("1 -> 2", "1 -> 2"),
    ],
)
def test_an_output_is_a_value_or_a_text(output: str, expected: str) -> None:
    assert examples(f"Count it.\n\nInput: n = 2\nOutput: {output}\n\nConstraints:\nNone\n") == [("2", expected)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("assert f(2) == 4", "4"),
        ("assert f(2) == 4, 'or 5'", "4"),
        ("assert f(2) == 4 and f(3) == 9", "4"),
        ("assert f(2) == 4 or f(2) == 5", None),
        ("assert not f(2) == 4", None),
        ("assert not (f(2) == 4)", None),
        ("assert f(2) != 4", None),
    ],
)
def test_assertions_of_a_model(line: str, expected: str | None) -> None:
    assert assertions(line, "f")[0] == ("2", expected)


@pytest.mark.parametrize(
    ("statement", "form", "entry"),
    [
        ("Write a Python function that reverses a string.", "function", None),
        ("Write a function called `double` that returns twice its argument.", "function", "double"),
        ("Implement a function merge(a, b) that merges two sorted lists.", "function", "merge"),
        ("Write a function to remove duplicates.\nassert uniq([1, 1]) == [1]", "function", "uniq"),
        ("Create a program that reads lines from standard input and prints them sorted.", "program", None),
        ("Write a python script that prints the first 10 primes", "program", None),
        ("implement quicksort in python", "function", None),
        ("make a python script that prints hello world", "program", None),
        ("Question 3 Write a function that returns the sum of a list.", "function", None),
        ("It has a bug, please fix it:\n```python\ndef mean(xs):\n    return sum(x) / len(x)\n```", "function", None),
        ("Generate a python function to validate an address", "function", None),
        ("I'd like a function in python that sorts a dictionary", "function", None),
        ("solve this in python: find all primes below 100", "function", None),
        ("Refactor this function:\n```python\ndef add(a, b):\n    c = a + b\n    return c\n```", "function", None),
        ("I need a python function which flattens a nested list", "function", None),
        ("python function to compute fibonacci numbers", "function", None),
        ("code for fizzbuzz in python please", "function", None),
        ("Show me how to implement binary search in Python", "function", None),
        ("Schreibe eine Python-Funktion, die prüft, ob ein Wort ein Palindrom ist.", "function", None),
        ("Escribe un programa en Python que imprima el doble.", "program", None),
        ("用Python写一个函数，判断一个数是否为素数。", "function", None),
        ("Your task is to implement a function that returns the larger of two strings.", "function", None),
        ("Fix this function:\n\ndef add(a, b):\n    return a - b\n\nassert add(1, 2) == 3", "function", "add"),
        (
            "Complete the function `is_odd` which returns True for odd numbers.\n\nis_odd(3) --> True",
            "function",
            "is_odd",
        ),
        (
            "Input\nThe first line contains n.\n\nOutput\nPrint its digits.\n\nSample Input 1\tSample Output 1\n12",
            "program",
            None,
        ),
        ("Complete:\n```python\ndef area(r):\n    # your code here\n    pass\n```", "function", "area"),
        ("Complete:\n```python\ndef area(r: float) -> float:\n```", "function", "area"),
        ("def area(r: float) -> float:", "function", "area"),
        ("Implement a function is_prime(n).", "function", "is_prime"),
        ("Write a function isPrime(n).", "function", "isPrime"),
        ("Implement a function factorial(n).", "function", "factorial"),
        ("Write a function count_ways(n) to find the number of ways.", "function", "count_ways"),
        ("Write a function `count_words(text: str) -> dict`.", "function", "count_words"),
        ("Create a function add(a: int, b: int).", "function", "add"),
        ("Implement a class Stack with push and pop.", "function", None),
        ("Write a function to find the nth Catalan number. Use $O(n)$ time.", "function", None),
        ("Write a function to sort numbers in \\(O(n \\log(n))\\) time.", "function", None),
        ("Write a function that takes a list of prices such as $5 and $10 and returns it.", "function", None),
        ("Write a function that takes a list of prices of $5-$10 and returns the mean.", "function", None),
        ("Write a function that formats 1234.5 as the string $1,234.50.", "function", None),
        ("I need a function that counts vowels in a string.", "function", None),
        ("I'm looking for a function that reverses a string.", "function", None),
        ("We need a program that prints the primes below 100.", "program", None),
        ("Make a function that merges two sorted lists.", "function", None),
        ("Can you write me a script that renames files?", "program", None),
        ("Write a program that solves this: 4 hens lay an egg a day. How many in a week?", "program", None),
        ("Write a program for fizzbuzz.", "function", None),
        ("Write code to rename files.", "function", None),
        ("I want a function which takes a dict and returns its keys", "function", None),
        ("Write a function that has two parameters and adds them.", "function", None),
        ("Design a class `Queue` using two stacks.", "function", None),
        ("write a fn that reverses a string", "function", None),
        ("Write a Python function. It is called with two numbers.", "function", None),
        ("Write a Python function that will be called as follows: no arguments.", "function", None),
        ("Write a Python function to find all primes. A prime is called happy if it is odd.", "function", None),
        ("Write a Python function that says if n is called happy.", "function", None),
        ("Write a Python function for that. It should be called `is_happy`.", "function", "is_happy"),
        ("Write a Python function for that, named isHappy.", "function", "isHappy"),
        ("Write a Python class called Happy.", "function", "Happy"),
        ("async def fetch(n: int) -> int:\n    'Twice n.'\n", "function", "fetch"),
        ("Read n from stdin and print it doubled.\n\nInput: 4\nOutput: 8", "program", None),
        ("Write a function greet(name, greeting='Hello').\n\n>>> greet('Bob')\n'Hello, Bob!'", "function", "greet"),
        ("def mean(xs):\n    return sum(x) / len(x)\n\nassert mean([1]) == 1\n\nFix bugs in mean.", "function", "mean"),
        ("Sum it.\n\ndef f(xs):\n    pass\n\n# Usage:\nprint(f([1]))  # Output: 1\n", "function", "f"),
        (
            "Sum.\n\nclass Solution:\n    def f(self, xs):\n        pass\n\ns = Solution()\nprint(s.f([1]))",
            "method",
            "f",
        ),
        ("Sum it.\n\ndef f(xs):\n    pass\n\nif __name__ == '__main__':\n    print(f([1]))\n", "function", "f"),
        ("Similar to atoi in C/C++.\n\nclass Solution:\n    def f(self, s: str) -> int:\n        ", "method", "f"),
        ("As strstr() in C.\n\nInput: s = 'a'\nOutput: 0\n", "function", None),
        ("Add them.\n\nInput:\na = 1\nb = 2\nOutput:\n3\n", "function", None),
        ("Write a program that adds.\n\nSample Input:\na = 1\nb = 2\n\nSample Output:\n3\n", "program", None),
        ("please write a recursive func to add numbers", "function", None),
        ("Napisz funkcję w Pythonie, która odwraca listę.", "function", None),
        ("두 수를 더하는 파이썬 함수를 작성하세요.", "function", None),
        ("Ich brauche eine Python-Funktion, die sortiert.", "function", None),
        ("Given an array of integers, return indices of the two numbers that add up to a target.", "function", None),
        ("Given a string s, find the longest palindrome in it and return its length.", "function", None),
        ("Given two strings, return true if they are anagrams.", "function", None),
        ("There is a bug. Find and fix it.\n\ndef add(a, b):\n    return a - b\n", "function", None),
        ("Complete this: def add(a, b):", "function", "add"),
        ("Write a function that gives the nth row in Pascal's triangle as a list.", "function", None),
        ("Write a function that returns the nth row in Pascal triangle as a list.", "function", None),
        ("Write a function that takes a list of pressures in pascal and returns the mean.", "function", None),
        (
            "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        ",
            "method",
            "twoSum",
        ),
    ],
)
def test_problems_that_ask_for_a_program(statement: str, form: str, entry: str | None) -> None:
    found = task.read(statement)
    assert found is not None
    assert (found.form, found.entry) == (form, entry)


@pytest.mark.parametrize(
    ("title", "given", "parameters", "called"),
    [
        ("Count the pairs.", "nums = [1,2], k = 3", ("nums", "k"), "f([1, 2], 3)"),
        ("A word is called even if it has an even length.", 'word = "ab"', ("word",), "f('ab')"),
        ("Given the root of a binary tree.", "root = [1,null,2]", ("root",), "f(tree_node([1, null, 2]))"),
        ("Largest of an array.", "N = 2, arr[] = {1, 2}", ("N", "arr"), "f(2, [1, 2])"),
        ("Largest of an array.", "\nN = 2\narr[] = {1, 2}", ("N", "arr"), "f(2, [1, 2])"),
        ("Reverse a linked list.", "head = [1,2]", ("head",), "f(list_node([1, 2]))"),
        ("给你单链表的头节点，反转链表。", "head = [1,2]", ("head",), "f(list_node([1, 2]))"),
        ("给定一棵二叉树的根节点。", "root = [1,null,2]", ("root",), "f(tree_node([1, null, 2]))"),
    ],
)
def test_examples_by_name_are_enough(title: str, given: str, parameters: tuple[str, ...], called: str) -> None:
    """A statement copied without its starter code asks for a function whose parameters nobody has named."""
    found = task.read(f"{title} Return it.\n\nExample 1:\n\nInput: {given}\nOutput: 4\nExplanation: so it is.\n")
    assert found is not None
    assert (found.form, found.entry, found.parameters, len(found.examples)) == ("function", None, parameters, 1)
    assert found.call(found.examples[0].input, "f").code == called


@pytest.mark.parametrize(
    "example",
    [
        'Input\n["Stack", "push", "top"]\n[[], [7], []]\nOutput\n[null, null, 7]',
        '**Input**\n["Stack","push","top"]\n[[],[7],[]]\n\n**Output**\n[null,null,7]',
        'Input: ["Stack","push","top"]\n[[],[7],[]]\nOutput: [null,null,7]',
        '<pre>\n<strong>Input</strong>\n["Stack","push","top"]\n[[],[7],[]]\n<strong>Output</strong>\n[null,null,7]</pre>',
    ],
)
@pytest.mark.parametrize(
    "starter", ["", "class Stack:\n\n    def __init__(self):\n        \n\n    def top(self) -> int:\n        "]
)
def test_calls_of_a_class(example: str, starter: str) -> None:
    said = "Implement the Stack class. Return lists in any order."
    found = task.read(f"{said}\n\nExample 1:\n\n{example}\n\nExplanation\nIt keeps them.\n\n{starter}")
    assert found is not None
    assert not found.any_order  # its calls have one
    assert (found.form, found.entry, found.is_class, len(found.examples)) == ("function", "Stack", True, 1)
    program = "class Stack:\n    def push(self, x): self.x = x\n    def top(self): return self.x\n"
    names: dict[str, object] = {}
    exec(found.prelude + program, names)
    assert eval(found.call(found.examples[0].input).code, names) == [None, None, 7]
    assert found.examples[0].expected.replace(" ", "") == "[null,null,7]"


def test_what_a_method_gives_is_what_it_was_then() -> None:
    found = task.read('Keep them.\n\nInput\n["Log", "add", "add"]\n[[], [7], [8]]\nOutput\n[null, [7], [7, 8]]\n')
    assert found is not None
    program = "class Log(list):\n    def add(self, x):\n        self.append(x)\n        return self\n"
    names: dict[str, object] = {}
    exec(found.prelude + program, names)
    assert eval(found.call(found.examples[0].input).code, names) == [None, [7], [7, 8]]


@pytest.mark.parametrize(
    ("statement", "name", "count"),
    [
        (
            'Shuffle it randomly.\n\nInput\n["Solution", "shuffle"]\n[[[1, 2]], []]\nOutput\n[null, [2, 1]]\n',
            "Solution",
            0,
        ),
        ('Of a binary tree.\n\nInput\n["Walk", "next"]\n[[[1, null, 2]], []]\nOutput\n[null, 1]\n', "Walk", 0),
        ('A trie is a tree.\n\nInput\n["Trie", "find"]\n[[], ["a"]]\nOutput\n[null, false]\n', "Trie", 1),
        ('Sums.\n\nInput\n["Sums", "of"]\n[[[1, 2]], [0, 1]]\nOutput\n[null, 3]\n', "Sums", 1),
        ("Write a Python class BankAccount with deposit and withdraw.", None, 0),
        ("```python\nclass Clock:\n    def __init__(self, hour):\n        pass\n```\nImplement it.", "Clock", 0),
    ],
)
def test_examples_of_a_class_that_its_judge_alone_can_run(statement: str, name: str | None, count: int) -> None:
    found = task.read(statement)
    assert found is not None
    assert (found.entry, found.is_class, len(found.examples)) == (name, True, count)


def test_lists_on_standard_input_are_no_calls_of_a_class() -> None:
    text = 'Read from standard input.\n\nSample Input\n["a","b"]\n[[1],[2]]\n\nSample Output\n[1,2]\n'
    assert examples(text) == [('["a","b"]\n[[1],[2]]\n', "[1,2]")]


def test_an_input_with_empty_lines_is_taken_whole() -> None:
    cases = "2\n\n3 3\nabc\n\n2 2\nab"
    text = f"Read from standard input.\n\nExample\n\nInput\n\n{cases}\n\nOutput\n\nYES\nNO\n\nThis is why.\n"
    assert examples(text) == [(cases + "\n", "YES\nNO")]


def test_an_input_without_an_output_spoils_no_other() -> None:
    assert examples("Write a Python function.\nInput: 1\n\nInput: 2\nOutput: 3\n") == [("2", "3")]


def test_a_name_for_the_function_beside_examples_by_name() -> None:
    found = task.read("A function named `pairs` counts pairs.\nInput: nums = [1,2]\nOutput: 1\n")
    assert found is not None
    assert (found.entry, found.examples[0].input) == ("pairs", "nums = [1,2]")


@pytest.mark.parametrize(
    ("said", "entry"),
    [
        ("Define a function common(a, b) that counts the common numbers of two rows.", None),
        ("The sum of the digits, which is called digitSum, counts.", None),
        ("Create the variable named hashedSum to store the input.", None),
        ("It is in a list named hashed_sums.", None),
        ("Complete the function pairs() which takes the numbers.", "pairs"),
        ("Write a function pairs(nums, k).", "pairs"),
        ("Write a function pairs(nums: List[int], k: int) -> int.", "pairs"),
        ("Write a function `pairs`, as in pairs([1, 2], 1).", "pairs"),
    ],
)
def test_a_function_that_a_problem_speaks_of_is_not_the_one_to_write(said: str, entry: str | None) -> None:
    found = task.read(f"{said} Return it.\n\nInput: nums = [1,2], k = 1\nOutput: 1\n")
    assert found is not None
    assert (found.entry, len(found.examples)) == (entry, 1)


def test_examples_that_differ_in_their_names_are_no_task() -> None:
    assert task.read("Input: a = 1\nOutput: 2\n\nInput: b = 1\nOutput: 2\n") is None


@pytest.mark.parametrize(
    "statement",
    [
        "What is 17 + 25?",
        "Let f(x) = x^2. Find f(3).",
        "Write the function f(x) = x^2 + 4x in vertex form.",
        "Write a function that models the population after t years, if it doubles every 3 years.",
        "A function returns to zero at x = 2. How many zeros has it?",
        "If 3 workers implement a method in 5 hours, how long do 5 workers take?",
        "What does this program print?\n\nfor i in range(3):\n    print(i * i)",
        "What is the output?\n\ndef f(x):\n    pass\n\nprint(f(3))",
        "Consider\n```python\ndef f(n):\n    return n * n\n```\nWhat is f(7)?",
        "Write a function in C++ that reverses a string.",
        "Write a Java program that prints a string.",
        "write a function in javascript that returns a string",
        "write a bash script that deletes old logs",
        "write html code for a form",
        "Write a Java program.\n\nSample Input\n1\n\nSample Output\n1\n",
        "Solve it in C++.\n\nSample Input\n1\n\nSample Output\n1\n",
        "Sum them.\n\nInput: nums = [1]\nOutput: 1\n\nclass Solution {\n    public int f(int[] nums) {\n    }\n}",
        "Sum them.\n\nInput: nums = [1]\nOutput: 1\n\nvar f = function(nums) {\n};",
        "Table: Person\n\n+----+\n| id |\n+----+\n\nFind the ids.\n\nExample\n\nInput:\n| 1 |\n\nOutput:\n| 1 |\n",
        "What does this print?\n\ndef f():\n    pass\n\nprint(f())",
        "What does this print?\n\ndef f():\n    pass\n\nif f() is None:\n    print(1)",
        "How do I read from stdin in Python?",
        "Translate this function to Java:\n\ndef f(x):\n    return x + 1",
        "A machine doubles.\n\nInput: 4\nOutput: 8\n\nWhat is the output for 7?",
        "Explain how to write clean code.",
        "Write a story about a programmer who loves code.",
        "Each class gives 3 credits. How many credits do you need to complete the program?",
        "Write a C program to reverse a string",
        "Sum them.\n\nInput: nums = [1]\nOutput: 1\n\n```cpp\nclass Solution {};\n```",
        "A programmer can write 30 lines of code an hour. How many lines of code does she write in 8 hours?",
        "Find the bits that are needed to code the string AABC with a Huffman code.",
        "Define a function f by f(n) = n/2 if n is even. Find n if the function returns 16.",
        "Write which one is right: a function that returns the largest of a list is\nA. max\nB. min",
        "Complete the assertion with a literal.\n\ndef f(text):\n    return text.upper()\n\nassert f('abc') == ??",
        "Complete the assert statement.\n```python\ndef f(n):\n    return n\n```\n\n```python\nassert f([1]) ==\n```",
        "The program of the evening lists 3 concerts; each costs 5 dollars. What do they cost together?",
        "Find the output of the process for an input of 5 units.",
        "Create a code of 4 digits using 1-9 without repetition. How many codes are possible?",
        "Create a 4-digit code using 1-9. How many codes are possible?",
        "Create a code that has 4 different digits. How many codes are there?",
        "Provide a code for the safe: the digits sum to 10. What is the largest such code?",
        "Design a code where each letter is replaced by the next one. What is HELLO in this code?",
        "Design a program of 5 songs from 8. How many ways?",
        "Create a program of exercise: 5 push-ups, then 2 more each day. How many push-ups in 10 days?",
        "Create a training program that adds 2 push-ups each day. How many push-ups in 10 days?",
        "I want a program of 5 songs out of 8. How many ways?",
        "Write a script of 3 acts with 4 scenes each. How many scenes is that?",
        "Write code 1234 backwards.",
        "Write a function that has roots 2 and 3.",
        "Give an example of a function that is continuous but not differentiable.",
        "I need a function with zeros at 1 and 2.",
        "Write a function that shows the total cost if tickets cost $5 each.",
        "Write a function for an investment of $100 that returns $5 a year.",
        "Write a function that returns to $0$ and has period $2$.",
        "Write the function f(x) = $5x + 10$ as a list of factors.",
        "Write down a function that takes the value 0 at 1 and 2.",
        "Write a linear function that returns the price of n tickets at $5 each.",
        "Design a secret code that is made of 2 letters and 3 digits. How many are there?",
        "Please provide a function that has period 4 and amplitude 3.",
        "Define the function digitSum(n) as the sum of the digits. Find digitSum(99).",
        "Define a function f_n(x) by f_1(x) = x. What is f_3(2)?",
        "Write fn as a sum of two terms if it returns to 1.",
        "Correct the errors in the following list: 3, 6, 9, 13.",
        "Write a Dart function that returns the sum of a list.",
        "Write a function in Julia that returns a string.",
        "Write an R function that returns the mean of a list.",
        "Write a Go program that prints a string.",
        "Write a function in Pascal that returns a string.",
        "Given a string of 8 letters, how many ways are there to return the letters to their envelopes?",
        "Given an array of 3 by 4 dots, how many rectangles are there?",
        "Given the matrix of the system, find its determinant and return the answer as a fraction.",
        "Given an integer n with f(n) = n^2, find the least n and return the sum of its digits.",
        "Given that each string costs 5 dollars, and the shop returns the change, what do 3 cost?",
        "Is this right? Do not fix it: 3 + 4 = 8.",
        "What does it return for 5? I could not fix it by hand.\n\nf(n) = n^2",
        "下面的代码实现了什么？\n\ndef f(n):\n    return n * n\n\nf(5) 的值是多少？",
        "Eine Maschine verdoppelt.\n\nEingabe: 4\nAusgabe: 8\n\nWas ist die Ausgabe für 7?",
    ],
)
def test_problems_that_ask_for_something_else(statement: str) -> None:
    assert task.read(statement) is None


def test_the_user_may_say_that_it_is_one() -> None:
    found = task.read("Twice the number n.", surely=True)
    assert found is not None
    assert found.form == "function"


@pytest.mark.parametrize(
    "text",
    [
        "```python\n" * 9000,
        "Input: 5\n" * 9000,
        ("Input:" + "-" * 6900 + "\n") * 14,
        "Input" + " " * 3000 + "x",
        "<p " * 33000,
        "$1" * 50000,
        "write a function $" + "1" * 99000 + "$",
        "write a function " + "a_" * 45000,
        "write a function " + "how many " * 11000,
        "O(" * 45000,
        " " * 99000 + "O(",
        "write a function f. " + "x (" * 30000 + "f(1) = 1 " * 1000,
        "def f(x):\n    pass\n" + "f(" * 30000,
        "write a python function\na(\nb(\nc(\nd(\ne(\n" + "a(b(c(d(e(" * 400,
        "def f(x):\n" + "    x = x + 1\n" * 4000 + "This is prose.\n" * 199,
    ],
    ids=lambda text: text[:6].strip(),
)
def test_a_statement_is_read_in_little_time(text: str) -> None:
    began = time.process_time()
    task.read(text, surely=True)
    assert time.process_time() - began < 2  # some tenths of a second; it took from 6 seconds on


TOO_DEEP = [  # for Python to write its tree again
    f"Input: x = {'1+' * 400}1\nOutput: 5\n",
    f"class Solution:\n    def f(self, x: {'1+' * 500}1) -> int:\n",
    f"import a\nb = {'1+' * 500}1\ndef f(x):\n    pass\n",
    f"class Solution:\n    def f(self, head: ListNode):\n\nInput: head = {'1+' * 500}1\nOutput: 5\n",
]


@pytest.mark.parametrize(
    "text", ["", "def", "```", "```python\ndef f(", "f(" * 5000, "Input:" * 3000, "'" * 9999, "\0", *TOO_DEEP]
)
def test_broken_statements_are_no_problem(text: str) -> None:
    task.read(f"Write a python function f.\n{text}")
    task.read(text)
