"""`vibe doctor`: checks this installation. Changes nothing, but tries whether the data folder can be written."""

import importlib.util
import platform
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

from vibethinker_local import __version__, sandbox
from vibethinker_local.errors import ModelError, VibeError
from vibethinker_local.gguf import header as gguf_header
from vibethinker_local.models import installed, memory
from vibethinker_local.remote.address import find
from vibethinker_local.remote.server import connect
from vibethinker_local.system import machine, paths, settings
from vibethinker_local.system.units import counted

# What makes llama.cpp faster, by its names, and the system's name for each. (AMX has a check of its own.)
INSTRUCTIONS = {"AVX": "avx", "AVX2": "avx2", "FMA": "fma", "F16C": "f16c", "AVX512": "avx512f"}
INSTRUCTIONS |= {"AVX512_VNNI": "avx512_vnni", "AVX_VNNI": "avx_vnni"}
INSTRUCTIONS |= {"DOTPROD": "asimddp", "MATMUL_INT8": "i8mm", "SVE": "sve"}  # ARM
MANY_SEQUENCES = 8  # as a run of the reliability pass may want
ENGINE_SECONDS = 10.0  # for each answer of a server


@dataclass(frozen=True)
class Check:
    """One line of the report; `advice` says what to do if something is wrong."""

    name: str
    value: str
    state: Literal["ok", "warning", "error"] = "ok"
    advice: str | None = None


def examine() -> Iterator[Check]:
    """Run all checks, one after another."""
    yield Check("vibethinker-local", __version__)
    yield Check("python", f"{platform.python_version()} ({platform.machine()}, {platform.system()})")
    if machine.is_translated():
        advice = "Install a native arm64 Python: it is several times faster and can use Metal."
        yield Check("translation", "x86 Python on an Apple chip", "warning", advice)
    for package in ("llama-cpp-python", "gguf", "numpy"):
        yield _package(package)
    yield Check("processor", f"{machine.processor()}, uses {counted(machine.threads(), 'performance core')}")
    yield from _llama()
    yield Check("memory", machine.room().short())
    yield from _model_files()
    yield from _engines()
    yield _quantize_owner()
    yield _sandbox()
    yield from _folders()
    for name in settings.unknown_variables():
        yield Check("variable", name, "warning", f"{name} is not a setting: is it misspelt?")


def _folders() -> Iterator[Check]:
    yield Check("config", str(paths.config()))
    data = paths.data()
    try:
        data.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=data) as file:
            file.write(b"x" * 4096)
            file.flush()
        yield Check("data", str(data))
    except OSError as error:
        advice = "Conversations and figures are not kept: free some space, or set VIBE_HOME to a folder of yours."
        yield Check("data", f"{data}, cannot be written ({error.strerror})", "warning", advice)
    yield Check("hub cache", str(paths.hub_cache()))
    yield Check("logs", str(paths.logs()))


def _sandbox() -> Check:
    """The sandbox for programs that the model writes. Not having the extra is a choice, not a fault."""
    found = sandbox.state(thorough=True)
    value = f"{found.kind}, {found.detail}" if found.detail else "not installed: programs are not run"
    if found.kind in ("ready", "missing"):
        return Check("sandbox", value)
    return Check("sandbox", value, "warning", found.advice)


def _package(name: str) -> Check:
    try:
        return Check(name, version(name))
    except PackageNotFoundError:
        return Check(name, "missing", "error", "Install vibethinker-local again.")


def _llama() -> Iterator[Check]:
    try:
        from vibethinker_local.llama import amx, library

        told = library.system_info()
        yield Check("cpu features", told)
        if lacking := lacks(told, machine.processor_features()):
            yield _generic(lacking)
        if finding := amx.settle(library.library()):
            yield _amx(finding.works)
        yield Check("gpu offload", "yes" if library.supports_gpu() else "no")
    except VibeError as error:
        yield Check("llama.cpp", "does not load", "error", str(error))


def lacks(told: str, features: Collection[str]) -> list[str]:
    """The instruction sets that the processor has and that the build does not use.

    `told` is llama.cpp's own line about itself, `features` what the system says of the processor.
    """
    used = set(re.findall(r"(\w+) = 1", told))
    return [name for name, feature in INSTRUCTIONS.items() if feature in features and name not in used]


def _generic(lacking: Sequence[str]) -> Check:
    rebuild = f"pip install --force-reinstall --no-cache-dir --no-deps --no-binary llama-cpp-python {_bindings()}"
    advice = (
        "This build of llama.cpp was made for older processors, as prebuilt ones are. All works; one made here is "
        f"faster (some minutes, with a C++ compiler): `{rebuild}`, or in a clone "
        "`uv sync --reinstall-package llama-cpp-python --no-cache`."
    )
    return Check("build", f"does not use this processor's {', '.join(lacking)}", "warning", advice)


def _bindings() -> str:
    return f"llama-cpp-python=={version('llama-cpp-python')}"


def _amx(works: bool) -> Check:
    if works:
        return Check("amx", "works")
    rebuild = f"pip install --force-reinstall --no-cache-dir --no-deps {_bindings()}"
    advice = (
        "Everything works without it, a little slower. Older versions of GCC compile it wrongly: a newer one or clang "
        f"may not (`CC=clang CXX=clang++ {rebuild}`). To build without it: "
        f"`CFLAGS=-mno-amx-int8 CXXFLAGS=-mno-amx-int8 {rebuild}`."
    )
    return Check("amx", "llama.cpp's code for it does not work here and is left out", "warning", advice)


def _model_files() -> Iterator[Check]:
    try:
        known = installed.registry()
    except VibeError as error:
        yield Check("models.toml", "unusable", "error", str(error))
        return
    for name, spec in known.items():
        files = installed.installed(name, spec)
        if not files and (spec.more or (spec.gguf and not spec.files)):
            continue
        if not files:
            missing: Literal["ok", "error"] = "error" if name == installed.BUNDLED else "ok"
            advice = "Install vibethinker-local again." if name == installed.BUNDLED else None
            yield Check(f"model {name}", "not installed", missing, advice)
        for file in files:
            value = f"{file.quant}, {file.bytes / 1e6:,.1f} MB, {file.path}"
            if file.state == "damaged":
                advice = f"`vibe rm {name}:{file.quant}` removes it, `vibe pull {name}:{file.quant}` fetches it again."
                yield Check(f"model {name}", f"{value}, damaged", "error", advice)
            else:
                yield Check(f"model {name}", value)
                yield _fit(f"{name} {file.quant}", file.path, spec)


def _engines() -> Iterator[Check]:
    """The servers in config.toml, and what they can do. One that is off now is no fault of this installation."""
    try:
        entries = settings.load().engines
    except VibeError as error:
        yield Check("config.toml", "unusable", "error", str(error))
        return
    for name in entries:
        try:
            if address := find(name):
                served = connect(address, patience=ENGINE_SECONDS)
                for server in served.servers:
                    context = f"{served.context:,} tokens of context" if served.context else "context unknown"
                    value = f"{server.url}, {server.kind}, {server.model}, {context}; {server.abilities}"
                    yield Check(f"engine {name}", value)
        except VibeError as error:
            yield Check(f"engine {name}", "no", "warning", str(error))


def _fit(name: str, path: Path, spec: installed.ModelSpec) -> Check:
    """The contexts that a model could have in the memory that is free now."""
    try:
        header, room, cores = gguf_header.read(path), machine.room(), machine.threads()
        plans = [
            memory.plan(header, room, sequences=count, most=spec.context, threads=cores)
            for count in (1, MANY_SEQUENCES)
        ]
    except ModelError as error:
        return Check(f"fit {name}", "no", "warning", str(error))
    each = " or ".join(dict.fromkeys(f"{plan.full} × {plan.context:,} tokens" for plan in plans))
    return Check(f"fit {name}", f"{each} of context; alone it needs {plans[0].need}")


def _quantize_owner() -> Check:
    """Whether `quantize` is ours: another distribution may have installed a package of the same name over it."""
    spec = importlib.util.find_spec("quantize")
    found = Path(spec.origin).parent if spec and spec.origin else None
    ours = paths.PACKAGE.parent / "quantize"
    if found is None:
        return Check("quantize", "missing", "error", "Install vibethinker-local again.")
    if found.resolve() != ours.resolve():
        advice = f"Another package owns the name: `vibe quantize` needs {ours}. Use an environment of its own."
        return Check("quantize", str(found), "error", advice)
    return Check("quantize", str(found))
