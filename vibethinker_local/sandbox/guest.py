"""The part that runs inside the sandbox, in CPython for WebAssembly: run one program, make its calls, report each.

The host sends this file as source text. It imports nothing of ours: only the standard library is there, and `_host`,
whose `call` carries bytes to the host and brings its answer.
"""

import ast
import builtins
import contextlib
import functools
import hashlib
import io
import itertools
import json
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from types import ModuleType
from typing import Any, NoReturn

LONGEST = 20_000  # characters of a value that are kept, more with more output; of a longer one, a hash tells what it is
DEEPEST = 60  # levels of a nested value
MOST_ITEMS = 10_000  # of an iterator or a linked list, which may be endless
RECURSION = 20_000  # Python calls inside each other: programs that search recursively need more than the usual 1,000
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

CHANGED = "None and makes its argument"  # what becomes of arguments, where a function returns nothing, begins so

Report = Callable[[dict[str, Any]], Any]


class OutputFull(BaseException):
    """The program has written as much as it may. Not an Exception, so that `except Exception` does not swallow it."""


class Output(io.BytesIO):
    """Keeps what a program writes, up to a limit."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, data: Any) -> int:
        room = self.limit - self.tell()
        if len(data) > room:
            super().write(bytes(data)[:room])
            raise OutputFull
        return super().write(data)

    def close(self) -> None:
        """What was written is still wanted."""

    def fileno(self) -> int:
        """For programs that write to it with os.write; the host has it."""
        return 1


class Nowhere(io.TextIOBase):
    """Takes what a program writes to stderr."""

    def write(self, text: str) -> int:
        return len(text)


def describe(value: Any, longest: int = LONGEST) -> str:
    """A value as text, the same for equal values; a long one is cut and ends in its hash."""
    kept: list[str] = []
    size, hashed = 0, hashlib.sha256()
    for piece in pieces(value, 0):
        if size <= longest:
            kept.append(piece)
        size += len(piece)
        hashed.update(piece.encode("utf-8", "surrogatepass"))
    text = "".join(kept)
    return text if size <= longest else f"{text[:200]}… {size} characters, sha256 {hashed.hexdigest()}"


def pieces(value: Any, depth: int) -> Iterator[str]:
    """The text of a value, piece by piece."""
    if depth > DEEPEST:
        yield "…"
    elif value is None or isinstance(value, (bool, bytes)):
        yield repr(value)
    elif isinstance(value, float):
        yield float.__repr__(value)  # numpy's float64 is one, too
    elif isinstance(value, complex):
        yield complex.__repr__(value)
    elif isinstance(value, int):
        try:
            yield int.__repr__(value)
        except ValueError:  # more digits than Python turns into decimals
            yield hex(value)
    elif isinstance(value, str):
        yield str.__repr__(value)
    elif isinstance(value, Changed):
        yield from row(value, f"{CHANGED}{'s' * (len(value) > 1)} ", "", depth)
    elif isinstance(value, list):
        yield from row(value, "[", "]", depth)
    elif isinstance(value, tuple):
        yield from row(value, "(", ",)" if len(value) == 1 else ")", depth)
    elif isinstance(value, deque):
        yield from row(value, "deque([", "])", depth)
    elif isinstance(value, (set, frozenset)):
        texts = sorted("".join(pieces(item, depth + 1)) for item in value)
        yield "{" + ", ".join(texts) + "}" if texts else "set()"
    elif isinstance(value, dict):
        pairs = sorted(
            ("".join(pieces(key, depth + 1)), "".join(pieces(item, depth + 1))) for key, item in value.items()
        )
        yield "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}"
    elif is_linked(value, "next"):
        yield from row(linked(value), "[", "]", depth)
    elif is_linked(value, "left", "right"):
        yield from row(level_by_level(value), "[", "]", depth)
    elif type(value).__module__.split(".")[0] == "numpy" and hasattr(value, "tolist"):
        yield from pieces(value.tolist(), depth)
    elif hasattr(value, "__next__"):
        yield from row(itertools.islice(value, MOST_ITEMS), f"{type(value).__name__}([", "])", depth)
    elif ADDRESS.search(shown := repr(value)) and hasattr(value, "__dict__") and not callable(value):
        yield type(value).__name__
        yield from pieces(vars(value), depth + 1)
    else:
        yield ADDRESS.sub("", shown)


def row(items: Any, left: str, right: str, depth: int) -> Iterator[str]:
    yield left
    for index, item in enumerate(items):
        if index:
            yield ", "
        yield from pieces(item, depth + 1)
    yield right


def is_linked(value: Any, *links: str) -> bool:
    """Whether a value is a node as LeetCode has them: `val`, and other nodes or None in its links."""
    return hasattr(value, "val") and all(hasattr(value, link) for link in links)


def linked(node: Any) -> Iterator[Any]:
    """The values of a linked list; those of a circular one without end."""
    for _ in range(MOST_ITEMS):
        if node is None:
            return
        yield node.val
        node = node.next
    yield "…"


def level_by_level(root: Any) -> list[Any]:
    """The values of a tree, row by row, with None for a missing child; none at the end."""
    values: list[Any] = []
    nodes = deque([root])
    while nodes and len(values) < MOST_ITEMS:
        node = nodes.popleft()
        values.append(None if node is None else node.val)
        if node is not None:
            nodes += [node.left, node.right]
    while values and values[-1] is None:
        values.pop()
    return values


def cache(function: Any, maxsize: Any, typed: bool, info: Any) -> Any:
    """functools.lru_cache in Python, as far as programs use it.

    The one in C takes C stack at every level of a recursion, of which WebAssembly has little: 200 levels.
    """
    memory: dict[Any, Any] = {}

    def cached(*args: Any, **options: Any) -> Any:
        key = (args, tuple(options.items())) if options else args
        try:
            return memory[key]
        except KeyError:
            pass
        value = memory[key] = function(*args, **options)
        return value

    cached.cache_clear = memory.clear  # type: ignore[attr-defined]
    cached.cache_info = lambda: info(0, len(memory), maxsize, len(memory))  # type: ignore[attr-defined]
    return cached


def read(descriptor: int, size: int, read: Callable[[int, int], bytes] = os.read) -> bytes:
    """os.read, and all of standard input where a program asks for as much as there is by os.fstat, which is nothing."""
    if descriptor == 0 and size == 0:
        return b"".join(iter(lambda: read(0, 1 << 16), b""))
    return read(descriptor, size)


def searched(*, right: bool) -> Callable[..., int]:
    """bisect_left or bisect_right in Python, for a range of more items than the one in C can count here: 2**31."""

    def bisect(a: Any, x: Any, lo: int = 0, hi: int | None = None, *, key: Any = None) -> int:
        if lo < 0:
            raise ValueError("lo must be non-negative")
        if hi is None:
            hi = (a[-1] - a[0]) // a.step + 1 if isinstance(a, range) and a else len(a)
        while lo < hi:
            middle = (lo + hi) // 2
            item = a[middle] if key is None else key(a[middle])
            if (not x < item) if right else item < x:
                lo = middle + 1
            else:
                hi = middle
        return lo

    return bisect


def widen_numpy() -> None:
    """Have numpy make integers of 64 bits, as programs are used to, where nobody asks for others. Here they have 32,
    which overflow in silence: in a product, a power of a matrix."""
    import numpy
    from numpy._core import arrayprint

    def wide(function: Callable[..., Any], *, of_lists: bool) -> Callable[..., Any]:
        def asked(value: Any) -> Any:
            if value is int or (isinstance(value, str) and value == "int"):
                return numpy.int64
            return numpy.array(value) if of_lists and isinstance(value, list) else value

        def made(*args: Any, **options: Any) -> Any:
            if of_lists and args and isinstance(args[0], (tuple, range)):  # an axis may be a tuple, too
                args = ([*args[0]], *args[1:])
            value = function(*map(asked, args), **{name: asked(each) for name, each in options.items()})
            told = (type, str, numpy.dtype) if of_lists else (type, str, numpy.dtype, numpy.ndarray)
            if any(isinstance(each, told) for each in (*args, options.get("dtype"))):
                return value  # of the type that is asked for, or that an array has
            return value.astype(numpy.int64) if getattr(value, "dtype", None) == numpy.int32 else value

        return made

    def repeat(a: Any, repeats: Any, axis: Any = None, repeat: Callable[..., Any] = numpy.repeat) -> Any:
        return repeat(a, numpy.asarray(repeats).astype(numpy.intp, casting="same_kind"), axis)  # it takes no others

    for names, of_lists in (
        ("array asarray arange zeros ones full empty eye identity fromiter", False),
        ("sum prod cumsum cumprod dot matmul inner outer kron convolve", True),
    ):
        vars(numpy).update({name: wide(vars(numpy)[name], of_lists=of_lists) for name in names.split()})
    vars(numpy).update(int_=numpy.int64, repeat=repeat)
    vars(arrayprint)["_typelessdata"].append(numpy.int64)  # `array([1])` goes without saying it


def run_at_once() -> None:
    """Have a thread run where it is started. There are none here, and a program that asks for a larger stack has a
    single one do all its work."""
    import threading

    def start(thread: Any) -> None:
        with contextlib.suppress(SystemExit):
            thread.run()

    for name, instead in (("start", start), ("join", lambda thread, timeout=None: None)):
        setattr(threading.Thread, name, instead)


def new_event_loop() -> Any:
    """An event loop without files and signals, of which there are none here."""
    import asyncio
    import time

    class Selector:
        def select(self, timeout: float | None) -> list[Any]:
            time.sleep(timeout or 0)
            return []

    class Loop(asyncio.BaseEventLoop):
        _selector = Selector()

        def _process_events(self, events: list[Any]) -> None:
            """There are none."""

        def _write_to_self(self) -> None:
            """Nobody waits for it."""

    return Loop()


def awaited(value: Any) -> Any:
    """What a coroutine comes to; any other value as it is."""
    if type(value).__name__ != "coroutine":
        return value
    loop = new_event_loop()
    try:
        return loop.run_until_complete(value)
    finally:
        loop.close()


class SentModules:
    """Finds the modules whose source the host has sent: what programs use and the Python here does not have."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        from importlib.machinery import ModuleSpec

        if name not in self.sources:
            return None
        loader: Any = self
        return ModuleSpec(name, loader, is_package=any(other.startswith(f"{name}.") for other in self.sources))

    def create_module(self, spec: Any) -> None:
        """Python makes it."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        exec(compile(self.sources[name], name, "exec", dont_inherit=True), vars(module))


class Changed(list[Any]):
    """What a function that returns nothing has made of its arguments: another value than one that it returns."""


def evaluate(code: str, names: dict[str, Any]) -> Any:
    """Run statements; the value of the last one where it is an expression, else None."""
    body = ast.parse(code, "<call>").body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    if body:
        exec(compile(ast.Module(body, []), "<call>", "exec"), names)
    if last is None:
        return None
    assert isinstance(last, ast.Expr)
    if isinstance(last.value, ast.Call):
        return called(last.value, names)
    return eval(compile(ast.Expression(last.value), "<call>", "eval"), names)


def called(call: ast.Call, names: dict[str, Any]) -> Any:
    """The value of a call; where that is None, what became of its arguments if it changed them."""
    function = eval(compile(ast.Expression(call.func), "<call>", "eval"), names)
    call.func = ast.copy_location(ast.Name("$arguments", ast.Load()), call.func)
    both = {"$arguments": lambda *args, **options: (args, options)}
    args, options = eval(compile(ast.Expression(call), "<call>", "eval"), names | both)
    given = [
        value for value in (*args, *options.values()) if isinstance(value, (list, dict, set)) or hasattr(value, "val")
    ]
    before = [describe(value) for value in given]
    value = awaited(function(*args, **options))
    if value is None:
        changed = [now for now, then in zip(given, before, strict=True) if describe(now) != then]
        if changed:
            return Changed(changed)
    return value


def attempt(action: Callable[[], Any], output_limit: int) -> dict[str, Any]:
    """Do something with stdout kept, and say how it ended."""
    output = Output(output_limit)
    stream = io.TextIOWrapper(output, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
    vars(stream)["mode"] = "w"
    vars(sys).update(stdout=stream, __stdout__=stream)
    outcome: dict[str, Any] = {}
    try:
        try:
            value = action()
        finally:
            flush()
        outcome["value"] = None if value is None else describe(value, max(LONGEST, output_limit // 4))
    except OutputFull:
        outcome["limit"] = "output"
    except MemoryError as error:
        error.__traceback__ = None  # it holds the frames, and they hold the memory
        outcome["limit"] = "memory"
    except SystemExit as error:
        if error.code not in (None, 0):
            outcome["exception"], outcome["message"] = "SystemExit", str(error.code)[:300]
    except BaseException as error:
        outcome["exception"] = type(error).__name__
        outcome["message"] = message(error)
    outcome["stdout"] = output.getvalue().decode("utf-8", "replace")
    return outcome


def flush() -> None:
    """What a program has put in the place of stdout, it may still hold back: TextIOWrapper(sys.stdout.buffer)."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()


def message(error: BaseException) -> str:
    """What an exception says; nothing where saying it fails."""
    try:
        return ADDRESS.sub("", str(error)[:300]).encode("utf-8", "backslashreplace").decode()
    except BaseException:
        return ""


def serve(report: Report, modules: MutableMapping[str, ModuleType]) -> None:
    """Ask for the work, do it call by call. A host that has heard of a call's beginning, but not of its end, knows
    which one it was that reached a limit. `modules` is sys.modules, where pickle and others look for a program."""
    work = report({"ask": "work"})
    calls, limit = work["calls"], work["output_bytes"]
    module = ModuleType("__main__" if work["alone"] else "solution")
    modules[module.__name__] = module
    names = vars(module)
    names["__builtins__"] = builtins
    if work["modules"]:
        sys.meta_path.append(SentModules(work["modules"]))

    def load() -> None:
        if "maxsize" in work["source"]:  # which stands for a number above all others; here it is 2**31 - 1
            vars(sys)["maxsize"] = (1 << 63) - 1
        if re.search(r"bisect\w*\(\s*range\(", work["source"]):
            import bisect

            left, right = searched(right=False), searched(right=True)
            vars(bisect).update(bisect_left=left, bisect_right=right, bisect=right)
        uses_numpy = re.search(r"^\s*(?:import|from)\b.*\bnumpy\b", work["source"], re.MULTILINE)
        if uses_numpy and not re.search("pandas|scipy", work["source"]):  # their own code counts on 32 bits
            widen_numpy()
        if "random" in work["source"]:
            import random

            random.seed(0)
        if "stack_size" in work["source"] or "setrecursionlimit" in work["source"]:
            run_at_once()
        if "asyncio" in work["source"]:
            import asyncio

            for module in (asyncio, asyncio.events):
                vars(module)["new_event_loop"] = new_event_loop
        try:
            for source, name in ((work["prelude"], "<prelude>"), (work["source"], "<program>")):
                exec(compile(source, name, "exec", dont_inherit=True), names)
        finally:
            if work["alone"] and "atexit" in work["source"]:  # what it holds back to its end
                import atexit

                atexit._run_exitfuncs()

    report({"begin": 0})
    outcome = attempt(load, limit)
    if work["alone"]:
        code = calls[0]
        if code and not {"exception", "limit"} & outcome.keys():
            more = attempt(lambda: evaluate(code, names), limit)
            outcome = more | {"stdout": outcome["stdout"] + more["stdout"]}
        report({"end": outcome})
        return
    if {"exception", "limit"} & outcome.keys():
        report({"failed": outcome})
        return
    report({"loaded": True})
    for index, code in enumerate(calls):
        report({"begin": index})
        outcome = attempt(functools.partial(evaluate, code, names), limit)
        report({"end": outcome})
        if outcome.get("limit") == "memory":
            return  # what is left of the memory may be too little for the next one


def main() -> NoReturn:
    import _host  # type: ignore[import-not-found]

    sys.setrecursionlimit(RECURSION)
    vars(functools)["_lru_cache_wrapper"] = cache
    vars(os)["read"] = read
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # there is no `site` here
    vars(sys)["stderr"] = Nowhere()
    serve(lambda message: json.loads(_host.call(json.dumps(message).encode("ascii"))), sys.modules)
    os._exit(0)  # nothing of the program is to be heard of again: no atexit handler, no finalizer


if __name__ == "__main__":
    main()
