"""Token ids in, token ids out, for many Sequences at once over one Backend.

Knows nothing of problems, answers or claims. Start reading at `engine.py`; a step is
admit → plan → decode → sample → commit → outputs. `process.py` has the same in a process of its own.
"""

from vibethinker_local.engine.output import End, SequenceId, Spent, StepOutput, ThreadCount
from vibethinker_local.engine.params import SamplingParams

__all__ = ["End", "SamplingParams", "SequenceId", "Spent", "StepOutput", "ThreadCount"]
