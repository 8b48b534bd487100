"""When something was, in a few cells."""

import time
from datetime import datetime


def moment(seconds: float, now: float | None = None) -> str:
    """The day and the time; of another year than now the day and the year, as wide."""
    then = datetime.fromtimestamp(seconds)
    today = datetime.fromtimestamp(time.time() if now is None else now)
    return f"{then:%d %b %H:%M}" if then.year == today.year else f"{then:%d %b  %Y}"
