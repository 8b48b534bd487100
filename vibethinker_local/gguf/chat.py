"""What a chat template says about how its model reasons, read off its source. Runs nothing."""

import re
from collections import Counter

# Closing tags, as templates write them to cut reasoning out of earlier replies, each with its opening one.
_CLOSING = re.compile(
    r"</(?P<tag>[\w:]*(?:think|thought|reason)[\w:]*)>"  # Qwen, DeepSeek, SmolLM, Granite, Phi; seed:think
    r"|\[/(?P<bracket>THINK)\]"  # Magistral
    r"|<\|(?P<begin>END_THINKING|end_of_thought)\|>"  # Command A, OpenThinker
    r"|\u25c1/(?P<triangle>think)\u25b7"  # Kimi
)
_OPENING = {"END_THINKING": "<|START_THINKING|>", "end_of_thought": "<|begin_of_thought|>"}
# Variables of templates that turn reasoning on and off.
SWITCHES = ("enable_thinking", "thinking")


def reasoning_tags(template: str) -> tuple[str, str] | None:
    """The tags before and behind reasoning; None if the template knows of none."""
    found = Counter(match[0] for match in _CLOSING.finditer(template)).most_common(1)
    if not found:
        return None
    close = found[0][0]
    match = _CLOSING.fullmatch(close)
    assert match
    return _OPENING.get(match["begin"] or "") or close.replace("/", "", 1), close


def switch(template: str) -> str | None:
    """The variable that turns reasoning off where it is false; None if the template asks for none."""
    return next((name for name in SWITCHES if re.search(rf"\b{name}\b(?![^{{]*>)", template)), None)
