"""The same answer in other nodes: a system as a list, relations joined by words, decimal points, each sign of a ±."""

from dataclasses import replace

from vibethinker_local.reliability.maths.conditions import CASES, RELATIONS
from vibethinker_local.reliability.maths.notation import Group, Node, Nodes, Token, is_sign, is_word, split, stripped

_LOGIC = {"∧": "and", "∨": "or"}
_SYSTEMS = set("cases dcases rcases aligned align gathered gather split eqnarray array matrix".split())


def system(nodes: Nodes) -> Nodes | None:
    """Equations one below the other as a list of them; None for what is not that alone."""
    group = nodes[0] if len(nodes) == 1 else None
    in_environment = isinstance(group, Group) and group.open in _SYSTEMS
    rows = [row for row in split(group.nodes if isinstance(group, Group) else nodes, "\\\\") if row]
    if not in_environment and (group or len(rows) < 2):
        return None
    listed: list[Node] = []
    for row in map(_unaligned, rows):
        if not any(is_sign(node, *RELATIONS) for node in row):
            return None
        if any(is_sign(node, "&", ",", ";", "and", "or") or is_word(node, *CASES) for node in row):
            return None
        if not is_sign(row[0], *RELATIONS):  # else it goes on with the row above
            listed += [Token("sign", ",")] if listed else []
        elif not listed:
            return None
        listed += row
    return tuple(listed) or None


def _unaligned(row: Nodes) -> Nodes:
    """A row without what aligns it: the `&` that it begins with, or that stand beside `=`."""
    related = [is_sign(node, *RELATIONS) for node in (*row, None)]
    aligning = [is_sign(node, "&") and (not at or related[at - 1] or related[at + 1]) for at, node in enumerate(row)]
    return stripped(tuple(node for node, drop in zip(row, aligning, strict=True) if not drop))


def joined(nodes: Nodes) -> Nodes:
    r"""Relations joined by signs of logic as if by words: `x > 0 \land x < 5`, but not `p \land q`."""
    if not any(is_sign(node, *RELATIONS) for node in split(nodes, *_LOGIC)[0]):
        return nodes
    return tuple(
        replace(node, text=_LOGIC[node.text]) if isinstance(node, Token) and is_sign(node, *_LOGIC) else node
        for node in nodes
    )


def pointed(nodes: Nodes) -> Nodes:
    """With points before decimals, where semicolons separate numbers of which one has no comma: `(1,5; 2)`. `1,5; 2,6`
    may be pairs."""
    parts = split(nodes, ";")
    if len(parts) < 2 or not any(part and len(split(part, ",")) == 1 for part in parts):
        return nodes
    return tuple(node for part in parts for node in (Token("sign", ";"), *_decimal(part)))[1:]


def _decimal(nodes: Nodes) -> Nodes:
    """`1,5` as a number, if no blanks stand in it and it cannot be one of thousands."""
    begin = int(is_sign(nodes[0], "+", "-")) if nodes else 0
    match nodes[begin : begin + 3]:
        case Token("number", whole) as number, Token("sign", ",", False), Token("number", decimals, False):
            thousands = len(decimals) == 3 and len(whole) <= 3 and whole[0] != "0"
            if (whole + decimals).isdecimal() and not thousands and len(split(nodes, ",")) == 2:
                return (*nodes[:begin], replace(number, text=f"{whole}.{decimals}"), *nodes[begin + 3 :])
    return nodes


def signs(nodes: Nodes) -> int:
    """How many ± and ∓ there are; those within a set are of its members alone."""
    inside = (signs(node.nodes) for node in nodes if isinstance(node, Group) and node.open != r"\{")
    return sum(is_sign(node, "±", "∓") for node in nodes) + sum(inside)


def with_signs(nodes: Nodes, chosen: list[str]) -> Nodes:
    """The nodes with the next of the chosen signs for each ±, its opposite for ∓."""
    out: list[Node] = []
    for node in nodes:
        if isinstance(node, Group):
            out.append(node if node.open == r"\{" else replace(node, nodes=with_signs(node.nodes, chosen)))
        elif is_sign(node, "±", "∓"):
            sign = chosen.pop(0)
            out.append(replace(node, text=sign if node.text == "±" else "-" if sign == "+" else "+"))
        else:
            out.append(node)
    return tuple(out)
