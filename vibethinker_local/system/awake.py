"""Keeps the machine from going to sleep during a long run, on systems where a program can do that."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

_WINDOWS_AWAKE = 0x80000000 | 0x00000001  # ES_CONTINUOUS | ES_SYSTEM_REQUIRED
_WINDOWS_AS_BEFORE = 0x80000000


@contextmanager
def keep_awake() -> Iterator[None]:
    """Inside the block the machine does not go to sleep by itself. Does nothing on a system without such a service."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.SetThreadExecutionState(_WINDOWS_AWAKE)
        try:
            yield
        finally:
            ctypes.windll.kernel32.SetThreadExecutionState(_WINDOWS_AS_BEFORE)
        return
    helper = _helper()
    try:
        yield
    finally:
        if helper and helper.stdin:
            with suppress(OSError):
                helper.stdin.close()
            helper.terminate()
            helper.wait()


def on_battery() -> str | None:
    """For example "on battery, 57% left"; None on mains, or where there is no battery."""
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):  # not every system can tell
        return None
    return f"on battery, {battery.percent:.0f}% left" if battery and battery.power_plugged is False else None


def command() -> list[str] | None:
    """The command that keeps the system awake while it runs. It ends when this process does, even if that is killed."""
    if sys.platform == "darwin":
        return ["caffeinate", "-i", "-w", str(os.getpid())]
    if sys.platform == "linux":
        why = ("--who=vibe", "--why=a model is at work", "--mode=block")
        return ["systemd-inhibit", "--what=idle:sleep", *why, "cat"]  # cat ends when we close our end of its pipe
    return None


def _helper() -> "subprocess.Popen[bytes] | None":
    arguments = command()
    if arguments is None:
        return None
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that Ctrl-C does not reach it
        )
    except OSError:  # not installed
        return None
