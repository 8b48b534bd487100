"""Signals by which others ask a program to end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """Inside the block, `kill`, `timeout` and a terminal that closes are a Ctrl-C, so that what is half written goes.

    What the user has told to be ignored (nohup) stays so. For the main thread only.
    """
    asked = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
    previous = {number: signal.getsignal(number) for number in asked}
    heard = [number for number in asked if previous[number] != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, previous[number])
