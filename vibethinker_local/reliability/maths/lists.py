"""What several answers are together: a set, values of several names, an interval where inequalities meet."""

from dataclasses import replace

from vibethinker_local.reliability.maths import regions
from vibethinker_local.reliability.maths.values import EMPTY, Answer, Items, Ordered, Region, Value


def are_of_one_solution(answers: list[Answer]) -> bool:
    """Whether no name is given two values: `x = 2, y = 3 and z = 4`."""
    known = [name for answer in answers for name in (answer.label or "").split(",")]
    return all(known) and len(set(known)) == len(known)


def combined(answers: list[Answer], *, either: bool, in_braces: bool = False) -> Answer:
    """What several answers in a row are together."""
    labels = [answer.label for answer in answers]
    if labels[0] is not None and all(label is None for label in labels[1:]) and not in_braces:
        answers = [replace(answer, label=labels[0]) for answer in answers]  # x = 1, 2
        labels = [labels[0]] * len(answers)
    label = labels[0] if len(set(labels)) == 1 else None
    found = [answer.value for answer in answers if isinstance(answer.value, Region)]
    conditional = any(answer.where for answer in answers)
    if label is not None and len(found) == len(answers) and not conditional:  # inequalities
        met = None if either else regions.intersection(found)
        if met is None or met is EMPTY:
            met = regions.normal([piece for region in found for piece in region.pieces])
        return Answer(met, label)
    known = [label for label in labels if label is not None]
    several = any(isinstance(answer.value, Items) for answer in answers)
    apart = either and len({name.split()[0] for name in known}) > 1  # x = 1 or y = 2, but not x_1 = 1 or x_2 = 2
    if len(known) == len(labels) == len(set(known)) and not several and not apart:  # x = 1, y = 2
        return Answer(Ordered("(", tuple(replace(answer, label=None) for answer in answers)), ",".join(known))
    return gathered(answers)


def gathered(answers: list[Answer]) -> Answer:
    """A set of answers; a label that all of them have is the set's. Of a set of sets, each stays one."""
    flat: list[Answer] = []
    for answer in answers:
        if isinstance(answer.value, Items) and not answer.value.in_braces:
            flat += [
                replace(member, label=member.label or answer.label, where=member.where or answer.where)
                for member in answer.value.members
            ]
        else:
            flat.append(answer)
    labels = {answer.label for answer in flat}
    if len(labels) == 1 and (label := labels.pop()) is not None:
        subject = flat[0].subject
        return Answer(Items(tuple(Answer(answer.value, where=answer.where) for answer in flat)), label, subject)
    return Answer(Items(tuple(flat)))


def braced(value: Value) -> Value:
    """A set, where several answers stand in braces; any other value as it is."""
    return replace(value, in_braces=True) if isinstance(value, Items) else value
