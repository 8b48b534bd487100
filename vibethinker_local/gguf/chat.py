"""What a chat template says about how its model reasons, read off its source. Runs nothing."""

import re
from collections import Counter

# Closing tags, as templates write them to cut reasoning out of earlier replies.
_CLOSING = re.compile(
    r"</[\w:]*(?:think|thought|reason)[\w:]*>"  # Qwen, DeepSeek, SmolLM, Granite, Phi; seed:think
    r"|\[/THINK\]"  # Magistral
    r"|<\|(?:END_THINKING|end_of_thought|inner_suffix)\|>"  # Command A, OpenThinker, Apertus
    r"|\u25c1/think\u25b7"  # Kimi
    r"|<channel\|>"  # Gemma 4
)
# The opening tags that are not the closing ones without a slash.
_OPENING = {
    "<|END_THINKING|>": "<|START_THINKING|>",
    "<|end_of_thought|>": "<|begin_of_thought|>",
    "<|inner_suffix|>": "<|inner_prefix|>",
    "<channel|>": "<|channel>thought",
}
# Variables of templates that turn reasoning on and off.
SWITCHES = ("enable_thinking", "thinking")


def reasoning_tags(template: str) -> tuple[str, str] | None:
    """The tags before and behind reasoning; None if the template knows of none."""
    found = Counter(match[0] for match in _CLOSING.finditer(template)).most_common(1)
    if not found:
        return None
    close = found[0][0]
    return _OPENING.get(close) or close.replace("/", "", 1), close


def switch(template: str) -> str | None:
    """The variable that turns reasoning off where it is false; None if the template asks for none."""
    # A variable, and no tag: <thinking>, </thinking>, <|thinking|>.
    return next((name for name in SWITCHES if re.search(rf"(?<![</|])\b{name}\b(?!\|?>)", template)), None)
