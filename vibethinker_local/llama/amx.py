"""AMX, the matrix unit of newer Intel processors: where llama.cpp's code for it crashes, models are loaded without it.

It crashes where an older GCC compiled it (12.2, for one): `_tile_loadconfig` tells that compiler of only 8 of the 64
bytes that it reads, so the shapes of the tiles are never stored, and the first AMX instruction is illegal
(ggml_tile_config_init in ggml/src/ggml-cpu/amx/mmq.cpp; llama.cpp's pull request 26954). A child process tries it once,
and the result is remembered for this build of the library and this processor. VIBE_AMX=0 or 1 skips the trial.
"""

import ctypes
import functools
import json
import logging
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibethinker_local.errors import VibeError
from vibethinker_local.llama.library import ggml
from vibethinker_local.system import children, files, paths

log = logging.getLogger("vibethinker_local.llama")

BUILT_WITH = b"AMX_INT8 = 1"  # in llama.cpp's line about its build
BUFFER_TYPE = b"AMX"  # ggml's name for memory that holds weights as AMX wants them; weights elsewhere never get to it
TRIAL = "vibethinker_local.llama.amx_trial"
VARIABLE = "VIBE_AMX"  # 0 or off: leave AMX out; 1 or on: use it; either without a trial
_SAID = dict.fromkeys(("0", "off", "no", "false"), False) | dict.fromkeys(("1", "on", "yes", "true"), True)
PATIENCE = 60  # seconds that the trial may take; it needs half a second
NOTICE = "AMX does not work in this build of llama.cpp and is left out: see `vibe doctor`."
_CPU = 0  # ggml-backend.h: GGML_BACKEND_DEVICE_TYPE_CPU
# An illegal instruction, or the fault that other wrong shapes of the tiles lead to; then Windows's codes for both.
_CRASHES = {-signal.SIGILL, -signal.SIGSEGV, 0xC000001D, 0xC0000005}


@dataclass(frozen=True)
class Finding:
    works: bool
    new: bool = False  # found by this process, not remembered


@functools.cache
def settle(native: Any) -> Finding | None:
    """Find out whether AMX works, and if not, keep llama.cpp from using it in this process.

    To be called before a model is loaded. `native` is llama_cpp's low-level module. None where it would not use AMX.
    """
    if BUILT_WITH not in native.llama_print_system_info():
        return None
    types, names = buffer_types()
    if BUFFER_TYPE not in names:  # the processor has no AMX, or the system does not allow it
        return None
    finding = find(sorted(Path(native._base_path).glob("*ggml-cpu*")))
    if not finding.works:
        log.warning(NOTICE)
        _remove(types, names.index(BUFFER_TYPE), len(names))
    return finding


def find(library: list[Path]) -> Finding:
    """Whether the AMX code in the files of a library works: as the user says, as remembered, else by a trial."""
    if (told := os.environ.get(VARIABLE, "").strip().lower()) in _SAID:
        return Finding(_SAID[told])
    from vibethinker_local.system import machine  # a twentieth of a second that only processors with AMX cost

    build = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in library]
    tried = {"build": build, "processor": machine.processor()}
    record = paths.data() / "amx.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        remembered = json.loads(record.read_bytes())
        if remembered["tried"] == tried:
            return Finding(bool(remembered["works"]))
    code = _trial()
    if code == 0 or code in _CRASHES:  # anything else says nothing about AMX
        with suppress(VibeError):  # where nothing can be kept, it is tried at each start
            files.write_atomic(record, json.dumps({"tried": tried, "works": code == 0}))
    return Finding(code == 0, new=True)


def _trial() -> int | None:
    """The exit code of a child process that multiplies by AMX; None if it could not be started, or did not end."""
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(
            children.command(TRIAL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=children.environment(),
            timeout=PATIENCE,
            check=False,
        ).returncode
    return None


def buffer_types() -> tuple[Any, list[bytes]]:
    """llama.cpp's list of the kinds of memory that may hold weights for the CPU, best first, and their names."""
    devices, base = ggml("ggml"), ggml("ggml-base")
    devices.ggml_backend_dev_by_type.restype = ctypes.c_void_p
    base.ggml_backend_dev_backend_reg.restype = ctypes.c_void_p
    base.ggml_backend_dev_backend_reg.argtypes = [ctypes.c_void_p]
    base.ggml_backend_reg_get_proc_address.restype = ctypes.c_void_p
    base.ggml_backend_reg_get_proc_address.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    base.ggml_backend_buft_name.restype = ctypes.c_char_p
    base.ggml_backend_buft_name.argtypes = [ctypes.c_void_p]
    cpu = devices.ggml_backend_dev_by_type(_CPU)
    registry = base.ggml_backend_dev_backend_reg(cpu)
    address = base.ggml_backend_reg_get_proc_address(registry, b"ggml_backend_dev_get_extra_bufts")
    types = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(address)(cpu)
    names: list[bytes] = []
    while types[len(names)]:  # NULL ends it
        names.append(base.ggml_backend_buft_name(types[len(names)]))
    return types, names


def _remove(types: Any, index: int, count: int) -> None:
    """Take one out of the list, which NULL ends. llama.cpp reads it whenever it loads a model."""
    for i in range(index, count):
        types[i] = types[i + 1]
