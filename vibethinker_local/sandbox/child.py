"""Starts the sandbox's child process: without the caller's environment, folder, terminal or Ctrl-C."""

import os
import subprocess
import tempfile
from pathlib import Path

from vibethinker_local.errors import SandboxError
from vibethinker_local.system import children

# What a Python of any system needs to start and to find its temporary folder. Nothing else of the user's environment
# is handed on; the program in the sandbox would not see it anyway.
KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE")


def start(cache: Path) -> "subprocess.Popen[bytes]":
    """The worker, which compiles into `cache` what it does not find there. Raises SandboxError."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    try:
        return subprocess.Popen(
            children.command("vibethinker_local.sandbox.worker", str(cache)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env=environment,
            **children.OWN_GROUP,
        )
    except OSError as error:
        raise SandboxError(f"The sandbox's process cannot be started: {error.strerror or error}.") from error
