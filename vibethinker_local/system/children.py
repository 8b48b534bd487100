"""Processes of our own that run Python: they import from where we do, but nothing from the working folder.

Whoever works in a folder with a file named queue.py or json.py does not want it run. `python -P` leaves the working
folder out, and our folders come behind the standard library, in our order: of two copies of the program they take ours.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from vibethinker_local.system import paths

# For Popen. The terminal's Ctrl-C goes to its foreground group: not to a process with this.
OWN_GROUP: dict[str, Any]
if sys.platform == "win32":
    OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
else:
    OWN_GROUP = {"process_group": 0}
_START = (
    "import os, sys; folders, module = sys.argv[1:3]; del sys.argv[1:3]; "
    "sites = [at for at, folder in enumerate(sys.path) if os.path.basename(folder).endswith('-packages')]; "
    "library = sys.path[: sites[0] if sites else None]; "
    "sys.path = library + [folder for folder in folders.split(os.pathsep) if folder not in library]; "
    "import runpy; runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module as `python -m` does, without the working folder."""
    return [sys.executable, "-P", "-c", _START, os.pathsep.join(_folders()), module, *arguments]


def environment() -> dict[str, str]:
    """Our environment without PYTHONPATH: its folders are handed on by `command`, behind the standard library."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _folders() -> list[str]:
    """Where we import from; the working folder only if this package lies in it."""
    try:
        working = Path.cwd()
    except OSError:  # it was removed
        return [folder for folder in sys.path if Path(folder).is_absolute()]
    package = paths.PACKAGE.parent
    found = [Path(folder).absolute() for folder in sys.path]
    return [str(folder) for folder in found if folder != working or folder == package]
