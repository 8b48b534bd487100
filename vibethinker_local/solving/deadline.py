"""How long a run may go on: by its time limit, and by what the user wants meanwhile."""

import time

from vibethinker_local.events import Control

HURRY = 0.85  # of the time limit; from then on the model is asked for an answer if there is none yet
AT_LAST = 0.95  # of it; from then on it is asked outright, in the middle of whatever it writes


class Deadline:
    def __init__(self, seconds: float, control: Control) -> None:
        """`seconds` from now on; infinity is no limit."""
        self._seconds, self._control = seconds, control
        self._began = time.monotonic()

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds; none once the user has stopped the run."""
        return 0.0 if self._control.stop else self._seconds - self.passed

    @property
    def near(self) -> bool:
        """Whether little of the time limit is left."""
        return self.passed > HURRY * self._seconds

    @property
    def at_hand(self) -> bool:
        """Whether hardly any of it is left."""
        return self.passed > AT_LAST * self._seconds

    @property
    def over(self) -> bool:
        return self.left <= 0

    @property
    def hurries(self) -> bool:
        """Whether an answer is needed now."""
        return self._control.answer_now or self.near

    @property
    def interrupts(self) -> bool:
        """Whether nothing more is to be checked: the run is over, or its answer is wanted as it stands."""
        return self.over or self._control.answer_now
