"""Keeps the machine from going to sleep while something long runs, where the system lets a program do so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

_WINDOWS_AWAKE = 0x80000000 | 0x00000001  # ES_CONTINUOUS | ES_SYSTEM_REQUIRED
_WINDOWS_AS_BEFORE = 0x80000000


@contextmanager
def kept() -> Iterator[None]:
    """Inside the block the machine does not sleep by itself. Where that cannot be had, nothing happens."""
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
    except (AttributeError, OSError, RuntimeError):  # not on every system
        return None
    return f"on battery, {battery.percent:.0f}% left" if battery and battery.power_plugged is False else None


def command() -> list[str] | None:
    """The program that keeps the system awake as long as it runs; it ends with this process, however that ends."""
    if sys.platform == "darwin":
        return ["caffeinate", "-i", "-w", str(os.getpid())]
    if sys.platform == "linux":
        why = ("--who=vibe", "--why=a model is at work", "--mode=block")
        return ["systemd-inhibit", "--what=idle:sleep", *why, "cat"]  # cat ends when our end of its pipe is gone
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
            start_new_session=True,  # Ctrl-C is for us
        )
    except OSError:  # it is not installed
        return None
