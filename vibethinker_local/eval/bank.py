"""The bank: what a model wrote about problems with known answers, its claims and their verdicts, in one file.

JSON lines, in the order in which things ended: a header, each problem, each trajectory. A run that was killed goes on
where the file ends; a line that cannot be read is named, and what it held is sampled again.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast, get_args

from filelock import FileLock, Timeout

from vibethinker_local.errors import FileError, UsageError
from vibethinker_local.eval import problems
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Signals, TrajectoryKind
from vibethinker_local.reliability.claims import CheckedClaim, Pairing
from vibethinker_local.reliability.yardstick import KnownStatement
from vibethinker_local.solving import signals
from vibethinker_local.system import paths
from vibethinker_local.system.files import unwritable, write_atomic

SCHEMA = 1
SYNC_SECONDS = 1.0  # between two syncs to the disk; a small model finishes hundreds of trajectories in that time
# What must be equal for one run to continue the bank of another.
FACTS = {
    "sha256": "model file",
    "prompts": "prompts",
    "seed": "--seed",
    "claims": "--claims",
    "contested": "rule for which problems have claims",
    "stated": "--stated",
    "thinking": "--verdicts",
    "temperature": "--temperature",
    "top_p": "--top-p",
    "top_k": "top-k",
    "max_tokens": "--max-tokens",
    "cache": "--kv",
    "programs": "share of --programs",
}


@dataclass(frozen=True)
class BankHeader:
    """What everything in a bank has in common."""

    name: str  # of the model
    file: str
    quant: str
    sha256: str  # of the model file; of a model on servers elsewhere, "served as" and what they call it
    prompts: int  # version of the texts that ask for claims
    seed: int
    claims: int  # M: how many each trajectory is asked for; 0: none
    thinking: bool  # whether there are reasoned verdicts, too
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    context: int  # tokens
    cache: str
    contested: bool = (
        False  # claims only where a problem's answers differ; banks of earlier versions have them everywhere
    )
    stated: bool = False  # whether the model states claims of solutions that make their own, too
    programs: float = 0.0  # the share of trajectories that are programs
    server: str = ""  # where the bank was begun, if elsewhere


@dataclass(frozen=True)
class Ran:
    """What came of a trajectory's program when it was run."""

    right: bool  # it passes the problem's tests
    examples: int  # in the statement
    passed: int  # of them
    outcomes: tuple[str, ...] = ()  # on each input, long ones as their hash: equal texts for equal outcomes
    assertions: int = 0  # of the model's own
    held: int = 0  # of them
    ask_tokens: int = 0  # generated, to ask for them: once for all trajectories of the problem


@dataclass(frozen=True)
class Entry:
    """A trajectory with its claims and verdicts. Numbers of tokens are of generated ones, except `read_tokens`."""

    id: str  # of the problem
    index: int
    seed: int
    tokens: int
    finish: str
    answer: str | None
    text: str
    reasoning: str
    mean_logprob: float | None
    claims: tuple[CheckedClaim, ...] = ()
    claim_tokens: int = 0
    think_tokens: int = 0
    read_tokens: int = 0  # of the prompts for claims and verdicts, without the problem, which they share
    ran: Ran | None = None  # of a code problem
    signals: Signals | None = None  # None in banks of earlier versions
    extracted: tuple[
        CheckedClaim, ...
    ] = ()  # claims that the solution itself makes; `claims` are those it was asked for
    # Of the problem's two answers with the most votes, the same in all its entries; each reads both solutions twice.
    pairs: tuple[Pairing, ...] = ()
    known: tuple[
        KnownStatement, ...
    ] = ()  # what the problem's one-pass verdicts are measured by, the same in all entries
    kind: TrajectoryKind = "reasoned"
    printed: str | None = None  # of a computed one, cut: what its program printed, or how else it ended


@dataclass(frozen=True)
class Bank:
    path: Path
    header: BankHeader
    problems: dict[str, Problem] = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    damaged: tuple[int, ...] = ()  # lines

    def only(self, pattern: str) -> "Bank":
        """The problems whose ids match a file name pattern. Raises UsageError if no id matches."""
        problems = {name: problem for name, problem in self.problems.items() if fnmatchcase(name, pattern)}
        if self.problems and not problems:
            raise UsageError(f"{self.path} has no problem whose id is like {pattern}.")
        return replace(self, problems=problems)

    def of(self, problem: str) -> list[Entry]:
        """The trajectories of a problem, from index 0 up to the first gap."""
        found = list[Entry]()
        while entry := self.entries.get((problem, len(found))):
            found.append(entry)
        return found


def read(path: Path) -> Bank:
    """Read a bank. Raises UsageError if the file is not one. If an entry occurs twice, the first counts."""
    if path.exists() and not path.is_file():
        raise UsageError(f"The bank {path} is not a file: give another --bank.")
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise UsageError(f"The bank {path} cannot be read ({error.strerror}): `vibe eval run` makes one.") from error
    try:
        header = _header(_object(lines[0]))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{path} is no bank of `vibe eval run`, or its first line is damaged.") from None
    known = dict[str, Problem]()
    entries = dict[tuple[str, int], Entry]()
    damaged = list[int]()
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        try:
            told = _object(line)
            if "problem" in told:
                problem = problems.of(told)
                known.setdefault(problem.id, problem)
            else:
                entry = _entry(told)
                entries.setdefault((entry.id, entry.index), entry)
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged.append(number)
    return Bank(path, header, known, entries, tuple(damaged))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other runs from filling the same bank meanwhile. Raises UsageError if one does."""
    lock = FileLock(paths.data() / "locks" / f"{paths.record_name(os.path.realpath(path))}.lock")
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"Another run is filling {path} at this moment: wait for it, or give another --bank."
        ) from None
    except OSError as error:
        raise unwritable(lock.lock_file, error, "set VIBE_HOME to a folder of yours") from error
    try:
        yield
    finally:
        lock.release()


def joined(one: Bank, other: Bank) -> Bank:
    """The trajectories of two banks of one model in turn, of the problems that both have. Raises UsageError.

    Their claims count only if both have equally many of each reasoned solution: what was not checked is not refuted.
    """
    if one.path.resolve() == other.path.resolve():
        raise UsageError(f"{one.path} is one bank: --with takes another one of the same model.")
    if one.header.sha256 != other.header.sha256:
        raise UsageError(f"{one.path} and {other.path} are of different model files.")
    common = {name: each for name, each in one.problems.items() if other.problems.get(name) == each}
    if not common:
        raise UsageError(f"{one.path} and {other.path} have no problem in common.")
    drawn, again = (
        {(each.id, each.seed, each.kind, each.text) for each in bank.entries.values() if each.id in common}
        for bank in (one, other)
    )
    if drawn & again:
        raise UsageError(f"{one.path} and {other.path} have the same trajectories: --with takes one of another --seed.")
    entries = dict[tuple[str, int], Entry]()
    for name in common:
        for at, pair in enumerate(zip(one.of(name), other.of(name), strict=False)):
            for place, entry in enumerate(pair):
                entries[name, 2 * at + place] = replace(entry, index=2 * at + place)
    claims = {each.header.claims for each in (one, other) if each.header.programs < 1} or {one.header.claims}
    header = replace(one.header, claims=claims.pop() if len(claims) == 1 else 0)
    return replace(one, header=header, problems=common, entries=entries)


class Writer:
    """Appends to a bank. If the process is killed, nothing that was added is lost; in a power cut, the last second."""

    def __init__(self, path: Path, header: BankHeader, known: Bank | None) -> None:
        """Start a new file, or continue the one that `known` was read from. Raises UsageError."""
        self._path = path
        if known is None:
            write_atomic(path, json.dumps({"bank": SCHEMA} | asdict(header)))
        try:
            _cut_torn_line(path)
            self._file = path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._failed(error) from error
        self._synced = time.monotonic()

    def add(self, what: Problem | Entry) -> None:
        """Raises FileError if the disk is full, UsageError if the file cannot be written for another reason."""
        try:
            self._file.write(json.dumps(asdict(what), ensure_ascii=True) + "\n")
            self._file.flush()
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self._sync()
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Raises as `add` does."""
        try:
            self._sync()
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _failed(self, error: OSError) -> UsageError | FileError:
        return unwritable(f"The bank {self._path}", error, "give another --bank")


def fitting(bank: Bank, header: BankHeader) -> None:
    """Raises UsageError if a run with this header cannot continue the bank."""
    old, new = asdict(bank.header), asdict(header)
    for fact, name in FACTS.items():
        if old[fact] != new[fact]:
            raise UsageError(
                f"{bank.path} was made with another {name} ({old[fact]}, not {new[fact]}): give another --bank."
            )


def same_problems(bank: Bank, wanted: list[Problem]) -> None:
    """Raises UsageError if the bank has a different problem under the same id."""
    for problem in wanted:
        if bank.problems.get(problem.id, problem) != problem:
            raise UsageError(f"{bank.path} has another problem with the id {problem.id!r}: give another --bank.")


def _object(line: str) -> dict[str, Any]:
    """The JSON object that a line is. Raises ValueError."""
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("not an object")
    return told


def _header(told: dict[str, Any]) -> BankHeader:
    if told.pop("bank") != SCHEMA:
        raise ValueError("another schema")
    told = {"stated": told.get("claims") != 0} | told  # earlier versions had all of them stated
    header = BankHeader(**told)
    for fact in fields(BankHeader):
        kinds = (int, float) if fact.type is float else (fact.type,)
        if type(getattr(header, fact.name)) not in kinds:
            raise ValueError(f"{fact.name} is odd")
    if header.claims < 0 or not 0 <= header.programs <= 1:
        raise ValueError("less than no claims, or more than all are programs")
    return header


def _entry(told: dict[str, Any]) -> Entry:
    ran, said = told.pop("ran", None), signals.read(told.pop("signals", None))
    entry = Entry(**told, ran=None if ran is None else _ran(ran), signals=said)
    counts = (entry.index, entry.seed, entry.tokens, entry.claim_tokens, entry.think_tokens, entry.read_tokens)
    texts = (entry.id, entry.text, entry.reasoning, entry.finish, entry.answer or "", entry.printed or "")
    if not all(isinstance(text, str) for text in texts) or not all(type(n) is int and 0 <= n < 2**63 for n in counts):
        raise ValueError("no trajectory")
    if entry.kind not in get_args(TrajectoryKind):
        raise ValueError("no trajectory")
    if not (entry.mean_logprob is None or type(entry.mean_logprob) in (int, float)):
        raise ValueError("no trajectory")
    claims, extracted, known = (cast("list[dict[str, Any]]", told.get(k, ())) for k in ("claims", "extracted", "known"))
    return replace(
        entry,
        claims=tuple(map(_checked, claims)),
        extracted=tuple(map(_checked, extracted)),
        known=tuple(map(_known, known)),
        pairs=tuple(map(_pairing, told.get("pairs", ()))),
    )


def _ran(told: dict[str, Any]) -> Ran:
    ran = Ran(**told | {"outcomes": tuple(told["outcomes"])})
    counts = (ran.examples, ran.passed, ran.assertions, ran.held, ran.ask_tokens)
    if not all(isinstance(n, int) and n >= 0 for n in counts) or not all(isinstance(o, str) for o in ran.outcomes):
        raise ValueError("no outcome")
    return ran


def _checked(told: dict[str, Any]) -> CheckedClaim:
    claim = CheckedClaim(**told)
    if not isinstance(claim.text, str) or not (claim.p is None or 0 <= claim.p <= 1):
        raise ValueError("no claim")
    return claim


def _pairing(told: dict[str, Any]) -> Pairing:
    pairing = Pairing(**told)
    if not all(type(n) is int for n in (pairing.one, pairing.other)) or not all(
        0 <= p <= 1 for p in (pairing.p, pairing.q)
    ):
        raise ValueError("no comparison")
    return pairing


def _known(told: dict[str, Any]) -> KnownStatement:
    statement = KnownStatement(**told)
    if not isinstance(statement.text, str) or not (statement.p is None or 0 <= statement.p <= 1):
        raise ValueError("no statement")
    return statement


def _cut_torn_line(path: Path) -> None:
    """Drop the incomplete last line of a run that was killed."""
    with path.open("r+b") as file:
        whole = file.read()
        file.truncate(whole.rfind(b"\n") + 1)
