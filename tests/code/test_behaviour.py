"""Values that are equal, programs that behave alike, and where others differ."""

import pytest

from vibethinker_local.code import behaviour, values
from vibethinker_local.code.examples import Example
from vibethinker_local.code.task import Task
from vibethinker_local.sandbox import Outcome

TASK = Task("function", "f", ("n",), ("",), examples=(Example("1", "2"), Example("2", "4")))
PROGRAM = Task("program")


def value(text: str) -> Outcome:
    return Outcome(value=text)


FAILED = Outcome(exception="IndexError", message="list index out of range")
LATE = Outcome(limit="time")


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("2", "2.0", True),
        ("True", "1", True),
        ("0.30000000000000004", "0.3", True),
        ("0.31", "0.3", False),
        ("[1, 2]", "(1, 2)", False),
        ("[1,2]", "[1, 2]", True),
        ("{1, 2}", "{2, 1}", True),
        ("{'a': 1.0}", "{'a': 1}", True),
        ("'a'", '"a"', True),
        ("'1'", "1", False),
        ("nan", "nan", True),
        ("inf", "-inf", False),
        ("[nan, inf]", "[nan, inf]", True),
        ("None", "null", True),
        ("(1+2j)", "(1+2j)", True),
        ("set()", "set()", True),
        ("deque([1])", "deque([1])", True),
        ("deque([1])", "[1]", False),
        ("Fraction(1, 2)", "0.5", True),
        ("Fraction(3, 1)", "3", True),
        ("Decimal('0.1')", "0.1", True),
        ("Decimal('NaN')", "0.1", False),
        ("Decimal('1E+999999999')", "1", False),
        ("Fraction(-1, 2)", "-0.5", True),
        ("Fraction(1, 0)", "Fraction(2, 0)", False),
        ("[" + "1, " * 9999 + "1]", "[" + "1," * 9999 + "1]", True),
        ("['a', " + "True, " * 9999 + "1]", '["a",' + "true," * 9999 + "1]", True),
        ("10000000000000000000000000000001", "10000000000000000000000000000000", False),
        ("1" + "0" * 400, "1.5", False),
        ("[" * 9999, "[" * 9999, True),
        ("[" * 9999, "[" * 9998, False),
        ("__import__('os')", "1", False),
    ],
)
def test_equality_is_that_of_python(left: str, right: str, equal: bool) -> None:
    assert values.same(left, right) is equal


@pytest.mark.parametrize(
    ("expected", "found", "passes"),
    [
        ("[0,1]", "(0, 1)", True),
        ("true", "True", True),
        ("1.16667", "1.1666666666666667", True),
        ('"abc"', "'abc'", True),
        ("abc", "'abc'", True),
        ("3", "'3'", False),
        ("true", "'true'", False),
        ("[1]", "'[1]'", False),
        ("1 2", "'1 2'", True),
        ("1,000", "'1,000'", True),
        ("(1, 2)", "'(1, 2)'", False),
        ("[1,2]", "[2, 1]", False),
        ("None", "None", True),
        ("None", "None and makes its argument [1]", True),
        ("[1]", "None and makes its argument [1]", False),
    ],
)
def test_statements_are_read_kindly(expected: str, found: str, passes: bool) -> None:
    assert behaviour.passes(TASK, expected, value(found)) is passes


@pytest.mark.parametrize(
    ("expected", "found", "passes"),
    [
        ("[0, 1]", "[1, 0]", True),
        ("[0, 1]", "(1, 0)", True),
        ("[[1, 2], [3]]", "[[3], [1, 2]]", True),
        ("[[1, 2]]", "[[2, 1]]", False),
        ("[1, 1, 2]", "[1, 2, 2]", False),
        ('["b", "a"]', "['a', 'b']", True),
        ("3", "3", True),
        ("[]", "[]", True),
        ("abc", "'abc'", True),
    ],
)
def test_a_list_in_any_order(expected: str, found: str, passes: bool) -> None:
    task = Task("function", "f", any_order=True)
    assert behaviour.passes(task, expected, value(found)) is passes


def test_programs_agree_where_the_order_does_not_count() -> None:
    for any_order in (True, False):
        task = Task("function", "f", any_order=any_order)
        assert behaviour.alike(task, value("[[2], [1]]"), value("[[1], [2]]")) is any_order
        assert not behaviour.alike(task, value("[2, 1]"), value("(1, 2)"))
        assert not behaviour.passes(Task("function", "f"), "[0, 1]", value("[1, 0]"))


def test_an_outcome_that_is_no_value_passes_nothing() -> None:
    assert not behaviour.passes(TASK, "None", FAILED)
    assert not behaviour.passes(TASK, "2", LATE)
    assert behaviour.passes(TASK, "None", Outcome())


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1 2\n3\n", "1 2 \n3", True),
        ("1  2", "1 2", True),
        ("1\n2", "1 2", False),
        ("0.5000001", "0.5", True),
        ("15", "15.0", True),
        ("YES", "yes", False),
        ("", "\n", True),
        ("  #\n ##\n###\n", "  #\n ##\n###", True),
        ("  #\n ##\n###", "#\n##\n###", False),
        ("#\n ##\n###", "  #\n ##\n###", True),  # a statement's, which was stripped
        ("    1\n    2\n    3", "1\n2\n3", True),
        ("1\n 2\n 3", "1\n2\n3", True),
        ("1\n\n2", "1\n2", True),
        ("1\n2\n3", "1\n2", False),
    ],
)
def test_outputs_are_compared_word_by_word(left: str, right: str, same: bool) -> None:
    assert behaviour.alike(PROGRAM, Outcome(stdout=left), Outcome(stdout=right)) is same


def test_alike_is_the_same_value_exception_or_limit() -> None:
    other = Outcome(exception="KeyError")
    assert behaviour.alike(TASK, value("4"), Outcome(value="4.0", stdout="debug"))
    assert behaviour.alike(TASK, FAILED, Outcome(exception="IndexError", message="pop from empty list"))
    assert not behaviour.alike(TASK, FAILED, other)
    assert not behaviour.alike(TASK, FAILED, LATE)
    assert not behaviour.alike(TASK, value("4"), Outcome())
    assert not behaviour.alike(TASK, Outcome(stdout="a"), Outcome(stdout="b"))


def test_those_that_pass_the_most_examples_stay() -> None:
    right = [value("2"), value("4")]
    outcomes = {0: [value("2"), value("3")], 1: right, 2: [FAILED, LATE], 3: right}
    assert behaviour.best(TASK, outcomes) == [1, 3]
    del outcomes[1], outcomes[3]
    assert behaviour.best(TASK, outcomes) == [0]  # an example may be wrong
    assert behaviour.best(TASK, {}) == []


def test_the_largest_group_leads_and_the_earlier_of_two() -> None:
    outcomes = {0: [value("3")], 1: [value("4")], 2: [value("4.0")], 3: [value("3")], 4: [LATE]}
    assert [group.members for group in behaviour.groups(TASK, outcomes)] == [(0, 3), (1, 2), (4,)]


def test_what_becomes_of_arguments_counts_where_nothing_is_returned() -> None:
    changed, other = value("None and makes its argument [1]"), value("None and makes its argument [2]")
    outcomes = {0: [changed, value("3")], 1: [Outcome(), value("3")], 2: [changed, changed], 3: [changed, changed]}
    outcomes[4] = [changed, other]
    assert [group.members for group in behaviour.groups(TASK, outcomes)] == [(0, 1), (2, 3), (4,)]


def test_assertions_weigh_as_in_codet() -> None:
    outcomes = {0: [value("3"), value("1")], 1: [value("3"), value("1")], 2: [value("4"), value("5")]}
    ranked = behaviour.groups(TASK, outcomes, [(0, "4"), (1, "5")])
    assert [(group.members, group.assertions, group.weight) for group in ranked] == [((2,), 2, 3), ((0, 1), 0, 2)]


def test_programs_that_only_fail_are_not_agreed() -> None:
    outcomes = {0: [FAILED, FAILED], 1: [FAILED, FAILED], 2: [value("1"), FAILED]}
    assert [group.members for group in behaviour.groups(TASK, outcomes)] == [(0,), (1,), (2,)]


@pytest.mark.parametrize(("kind", "passed"), [("Optional[ListNode]", True), ("TreeNode", True), ("List[int]", False)])
def test_a_list_or_a_tree_without_nodes_is_none(kind: str, passed: bool) -> None:
    task = Task("function", "f", ("head",), (kind,))
    assert behaviour.passes(task, "[]", Outcome()) == passed
    assert behaviour.passes(task, "null", Outcome())
    assert not behaviour.passes(task, "[0]", Outcome())


CHANGED = "None and makes its argument [1]"


@pytest.mark.parametrize(("in_place", "value", "groups"), [(True, "[1]", 2), (False, "[1]", 1), (False, CHANGED, 2)])
def test_what_changes_an_argument_may_print_too(in_place: bool, value: str, groups: int) -> None:
    task = Task("function", "f", ("n",), ("",), in_place=in_place)
    outcomes = {0: [Outcome(value, "1\n")], 1: [Outcome(value, "2\n")]}
    assert len(behaviour.groups(task, outcomes)) == groups


@pytest.mark.parametrize(
    ("entry", "expected", "found", "passes"),
    [
        (None, "[1]", CHANGED, True),
        (None, "[1]", "[1]", True),
        (None, "None", CHANGED, True),
        (None, "[2]", CHANGED, False),
        (None, "[1]", "None and makes its arguments [1], [2]", False),
        ("f", "[1]", CHANGED, False),
    ],
)
def test_without_a_name_nobody_knows_whether_a_value_is_returned(
    entry: str | None, expected: str, found: str, passes: bool
) -> None:
    assert behaviour.passes(Task("function", entry), expected, value(found)) is passes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<function make.<locals>.inner>", False),
        ("<class 'solution.Point'>", False),
        ("<solution.Point object>", False),
        ("<coroutine object f>", False),
        ("<bound method A.f of <solution.A object>>", False),
        pytest.param("<" * 20_000, True, id="long"),
        ("<Color.RED: 1>", True),
        ("<re.Match object; span=(0, 1), match='a'>", True),
        ("'<function f>'", True),
        ("[1, <function f>]", False),
        ("{'a': functools.partial(<function f>, 1)}", False),
        ("<memory>", False),
        ("['<memory>', \"<function 'f'>\"]", True),
    ],
)
def test_values_that_say_only_what_they_are_show_nothing(text: str, shown: bool) -> None:
    outcomes = {0: [value(text)], 1: [value(text)]}
    assert len(behaviour.groups(TASK, outcomes)) == (1 if shown else 2)


@pytest.mark.parametrize(("task", "shown"), [(PROGRAM, Outcome(stdout="3\n")), (TASK, value("3"))])
def test_programs_that_show_nothing_are_not_agreed(task: Task, shown: Outcome) -> None:
    silent = [Outcome(stdout="\n"), Outcome()]
    outcomes = {0: silent, 1: silent, 2: [shown, Outcome()], 3: [shown, Outcome()]}
    assert [group.members for group in behaviour.groups(task, outcomes)] == [(2, 3), (0,), (1,)]


def test_the_inputs_on_which_the_most_differ_come_first() -> None:
    outcomes = {
        0: [value("3"), value("1"), value("7")],
        1: [value("4"), value("1"), value("8")],
        2: [value("3"), value("1"), value("7")],
        3: [value("3"), value("1"), LATE],
    }
    ranked = behaviour.groups(TASK, outcomes)
    first, second = behaviour.differences(TASK, ["[3, 1]", "[]", "[9]"], ranked)
    assert first.input == "[9]"
    assert [(str(outcome), members) for outcome, members in first.outcomes] == [
        ("7", (0, 2)),
        ("8", (1,)),
        ("no end within its time", (3,)),
    ]
    assert second.input == "[3, 1]"
    assert [(str(outcome), members) for outcome, members in second.outcomes] == [("3", (0, 2, 3)), ("4", (1,))]


def test_programs_that_agree_differ_nowhere() -> None:
    ranked = behaviour.groups(TASK, {0: [value("3")], 1: [value("3")]})
    assert behaviour.differences(TASK, ["1"], ranked) == []
