"""Which answers belong together, whatever the order in which they came."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibethinker_local.reliability import equivalence
from vibethinker_local.reliability.clusters import Cluster, Clusters
from vibethinker_local.reliability.equivalence import NOBODY, Level

SAMPLES = [
    "1",
    "1.0",
    "x=1",
    "y=1",
    "x = 1.0",
    "2",
    r"\frac{4}{2}",
    "45",
    r"45^\circ",
    r"\pi/4",
    "5 cm",
    "50 mm",
    "5",
    "no solution",
]


def gathered(answers: list[str]) -> list[list[str]]:
    """The clusters of some answers."""
    clusters = Clusters(lambda a, b: equivalence.compare(a, b, NOBODY).level)
    for index, answer in enumerate(answers):
        clusters.add(index, answer)
    return [[answers[member] for member in cluster.members] for cluster in clusters]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["1", "2", "1.0", "2"], [["1", "1.0"], ["2", "2"]]),
        (["5", "x=5", "x = 5"], [["5", "x=5", "x = 5"]]),
        (["x=5", "5", "y=5"], [["x=5"], ["5"], ["y=5"]]),  # nobody can say which one 5 is
        (["5", "x=5", "y=5", "x = 5.0"], [["5"], ["x=5", "x = 5.0"], ["y=5"]]),
        (["x=5", "5", "x=5"], [["x=5", "5", "x=5"]]),  # in the order in which they came
        (["x_1=2, x_2=3", "2, 3", "x=3, 2"], [["x_1=2, x_2=3", "2, 3", "x=3, 2"]]),
        (["x_1=2, x_2=3", "2, 3", "x_1=3, x_2=2"], [["x_1=2, x_2=3"], ["2, 3"], ["x_1=3, x_2=2"]]),
        ([r"45^\circ", "45"], [[r"45^\circ", "45"]]),
        (["4, 9", "4, 4, 9", "4, 9, 9"], [["4, 9"], ["4, 4, 9"], ["4, 9, 9"]]),
        (["5 cm", "5", "50 mm"], [["5 cm", "50 mm"], ["5"]]),
        (["5厘米", r"5\,\mathrm{cm}", "50 毫米", "5"], [["5厘米", r"5\,\mathrm{cm}", "50 毫米"], ["5"]]),
        (["3万元", "30000元", "3元"], [["3万元", "30000元"], ["3元"]]),
        (["无解", r"\emptyset", "keine Lösung"], [["无解", r"\emptyset", "keine Lösung"]]),
    ],
)
def test_clusters(answers: list[str], expected: list[list[str]]) -> None:
    assert gathered(answers) == expected


def test_an_answer_is_compared_once_with_one_of_each_class() -> None:
    asked: list[tuple[str, str]] = []

    def level(a: str, b: str) -> Level:
        asked.append((a, b))
        return Level.SAME if a[0] == b[0] else Level.DIFFERENT

    clusters = Clusters(level)
    for index, answer in enumerate(["a1", "b1", "a2", "a2", "b1", "c1"]):
        clusters.add(index, answer)
    assert list(clusters) == [Cluster("a1", (0, 2, 3)), Cluster("b1", (1, 4)), Cluster("c1", (5,))]
    assert asked == [("a1", "b1"), ("a1", "a2"), ("a1", "c1"), ("b1", "c1")]


def test_the_first_answer_stands_for_its_cluster() -> None:
    clusters = Clusters(lambda a, b: equivalence.compare(a, b, NOBODY).level)
    clusters.add(7, r"\frac12")
    clusters.add(3, "0.5")
    assert [(cluster.answer, cluster.members) for cluster in clusters] == [(r"\frac12", (7, 3))]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(SAMPLES), max_size=12).flatmap(
        lambda answers: st.tuples(st.just(answers), st.permutations(answers))
    )
)
def test_the_order_of_arrival_changes_nothing(drawn: tuple[list[str], list[str]]) -> None:
    def partition(answers: list[str]) -> list[list[str]]:
        return sorted(sorted(cluster) for cluster in gathered(answers))

    assert partition(drawn[0]) == partition(drawn[1])


@settings(max_examples=60)
@given(st.lists(st.sampled_from(SAMPLES), max_size=12))
def test_no_cluster_holds_two_answers_that_differ(answers: list[str]) -> None:
    for cluster in gathered(answers):
        assert all(equivalence.same_answer(a, b, NOBODY) for a in cluster for b in cluster)
