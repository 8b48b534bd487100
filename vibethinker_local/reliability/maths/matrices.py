"""Matrices among the nodes of an answer, and what is computed with them."""

from collections.abc import Callable

from vibethinker_local.reliability.maths.expressions import Expression, Product, ReadExpression, Sum, negated
from vibethinker_local.reliability.maths.notation import Group, Node, Nodes, is_sign
from vibethinker_local.reliability.maths.values import MOST_PARTS, Answer, Matrix, Scalar, Value

MATRICES = {"pmatrix", "bmatrix", "matrix", "smallmatrix", "psmallmatrix", "bsmallmatrix", "array", "Bmatrix"}


def arithmetic(nodes: Nodes, expression: ReadExpression, value: Callable[[Nodes], Value | None]) -> Matrix | None:
    r"""`\frac{1}{5} \begin{pmatrix} … \end{pmatrix}`, sums and products of matrices."""
    if not any(is_matrix(node) for node in nodes):
        return None
    total: list[list[Expression]] | None = None
    negative, term = False, list[Node]()
    for node in (*nodes, None):
        if node is not None and not is_sign(node, "+", "-"):
            term.append(node)
            continue
        if term:
            cells = _product(term, expression, value)
            if cells is None or (total is not None and [*map(len, total)] != [*map(len, cells)]):
                return None
            cells = [[negated(cell) if negative else cell for cell in row] for row in cells]
            total = (
                cells
                if total is None
                else [[Sum(pair) for pair in zip(*rows, strict=True)] for rows in zip(total, cells, strict=True)]
            )
            negative, term = False, []
        negative ^= is_sign(node, "-")
    if total is None or not 0 < sum(map(len, total)) <= MOST_PARTS:
        return None
    return Matrix(tuple(tuple(Answer(Scalar(cell)) for cell in row) for row in total))


def _product(
    nodes: list[Node], expression: ReadExpression, value: Callable[[Nodes], Value | None]
) -> list[list[Expression]] | None:
    """The cells of a product of matrices and scalars."""
    result: list[list[Expression]] | None = None
    scalars: list[Expression] = []
    scalar = list[Node]()
    for node in (*nodes, None):
        if node is not None and not is_matrix(node):
            scalar.append(node)
            continue
        scalar = [each for each in scalar if not is_sign(each, "*")]
        if scalar:
            factor = expression(scalar)
            if factor is None:
                return None
            scalars.append(factor)
            scalar = []
        matrix = value((node,)) if node is not None else None
        if isinstance(matrix, Matrix) and not matrix.determinant:
            cells = [[cell.value.expression for cell in row if isinstance(cell.value, Scalar)] for row in matrix.rows]
            if result is not None and len(result[0]) != len(cells):
                return None
            result = cells if result is None else _times(result, cells)
    if result is None:
        return None
    return [[Product((*scalars, cell)) if scalars else cell for cell in row] for row in result]


def is_matrix(node: Node | None) -> bool:
    """Whether it is one, perhaps with brackets around it."""
    if not isinstance(node, Group):
        return False
    fenced = (node.open, node.close) in (("(", ")"), ("[", "]")) and len(node.nodes) == 1
    return node.open in MATRICES or (fenced and is_matrix(node.nodes[0]))


def _times(left: list[list[Expression]], right: list[list[Expression]]) -> list[list[Expression]]:
    """The product of two matrices."""
    return [
        [Sum(tuple(Product(pair) for pair in zip(row, column, strict=True))) for column in zip(*right, strict=True)]
        for row in left
    ]
