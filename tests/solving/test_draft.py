"""A trajectory while it is being written: what it says so far."""

import pytest

from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.solving.draft import Draft

BOXED = "The answer is \\boxed{29}."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (BOXED, "29"),
        ("<think>so \\boxed{29}</think>It is 29, as *29*.", None),
        ("```py\nx\n```", "x"),
        ("It scatters.", None),
    ],
)
def test_no_answer_is_found_in_prose(text: str, answer: str | None) -> None:
    for prose in (False, True):
        draft = Draft(7, talk=True, asks=not prose, prose=prose)
        list(draft.add(StepOutput(SequenceId(0), None, text, end="stop")))
        found = draft.finish(aborted=False)
        assert found.answer == (None if prose else answer)
        assert found.text == text.rpartition("</think>")[2]
