"""Requests for a text: an explanation, a letter, a translation. Nothing in them has one answer that could be boxed."""

import re

from vibethinker_local.code import task

_POLITE = (
    r"(?:please[,:]?\s+|(?:can|could|would) you\s+(?:please\s+)?|i(?:'d| would) like you to\s+|help me\s+(?:to\s+)?)*"
)
_KINDS = (
    "essay poem story letter e-?mail paragraph article haiku speech song limerick summary introduction note message "
    "review description post report dialogue joke biography slogan"
)
_ORDER = re.compile(
    rf"^\W*{_POLITE}(?:explain|describe|summari[sz]e|translate|paraphrase|rephrase|rewrite|reword|proofread|discuss"
    r"|outline|brainstorm|introduce yourself|tell me (?:about|a|an|more|why|how)\b|recommend"
    r"|(?:write|draft|compose)\s+(?:me\s+|us\s+)?(?:an?|the|some|\w+)\s+(?:[\w-]+\s+){0,3}?"
    rf"(?:{'|'.join(_KINDS.split())})"
    r"|why (?:is|are|do|does|did|was|were)\b|who (?:is|was|are|were)\b|what(?:'s| is) the difference between\b"
    r"|what are the (?:advantages|disadvantages|benefits|pros|causes|symptoms|main)\b|hello\b|hi\b|thanks?\b)",
    re.IGNORECASE,
)
_HAS_AN_ANSWER = re.compile(  # what a problem has: a figure that is asked for, options, a formula
    r"[$\\=<>≤≥∑∫√^]|\bhow (?:many|much|long|far|old|often)\b|\b(?:calculate|compute|determine|evaluate|simplify|factor"
    r"|prove|solve|integers?|primes?|digits?|triangle|polynomial|equation|probability|remainder)\b|^\s*\(?[A-D][).]\s",
    re.IGNORECASE | re.MULTILINE,
)


def is_wanted(statement: str) -> bool:
    """Whether a text is asked for and surely nothing that has an answer of its own; in doubt it is a problem."""
    return bool(_ORDER.match(statement) and not _HAS_AN_ANSWER.search(statement) and task.read(statement) is None)
