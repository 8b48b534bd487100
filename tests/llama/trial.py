"""Stands for the trial of AMX: notes that it ran, and ends as it is told to."""

import os
import signal
from pathlib import Path

with Path(os.environ["TRIALS"]).open("a", encoding="utf-8") as trials:
    trials.write("one\n")
if os.environ["TRIAL_END"] == "crash":
    os.kill(os.getpid(), signal.SIGILL)
os._exit(int(os.environ["TRIAL_END"]))
