"""The domain's words as frozen data. Nothing here computes, reads or prints.

A Trajectory is a finished sampled solution; a Solution is what `solve` ends in; between them go SolveEvents.
"""

from dataclasses import dataclass
from typing import Literal

Finish = Literal["stop", "length", "forced", "loop", "aborted"]
Status = Literal["answered", "no_answer", "stopped", "failed"]
PassMode = Literal["majority", "arithmetic", "clr", "fitted", "published"]  # how the reliability pass weighs votes
Mode = Literal["single", PassMode]
BudgetName = Literal["quick", "standard", "deep"]
VerdictKind = Literal["score", "think"]  # read off a probability, or reasoned about
# Stated in a second turn; extracted from the solution's own text; published with its first reply.
ClaimSource = Literal["stated", "extracted", "published"]
Ruling = Literal["supported", "refuted", "undecided"]
Reason = Literal["length", "loop", "stop", "answer now", "time"]  # why an end is forced
TrajectoryKind = Literal["reasoned", "computed"]  # computed: by a program that the model wrote and the sandbox ran
ProblemKind = Literal["maths", "code", "prose"]
CacheType = Literal["f16", "q8_0"]  # of the numbers in the KV cache
AgreementLevel = Literal["decided", "leading", "none"]
Decision = Literal["settled", "likely", "all", "time", "answer now", "incomparable", "stopped", "failed"]


SEEDS = 2**63  # there are so many
LEAST_CONTEXT, MOST_CONTEXT = 64, 2**20  # tokens


@dataclass(frozen=True)
class Options:
    """What the user may set; None takes the model's own value."""

    seed: int | None = None  # None: a new one for each run
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    context: int | None = None
    threads: int | None = None
    cache: CacheType = "f16"  # of the KV cache
    kind: ProblemKind | None = None  # None: as the problem reads
    think: int | None = None  # tokens after which reasoning is closed; 0: none at all; None: as the model does


@dataclass
class Control:
    """How a front end, from any thread or a signal handler, speaks to a run."""

    answer_now: bool = False
    stop: bool = False


@dataclass(frozen=True)
class ModelIdentity:
    """The model that was used: a file, or what servers have."""

    name: str  # as in models.toml, or the file's stem
    file: str | None = None  # file name, without its folder; None if none was found
    quant: str | None = None  # as the file says: Q8_0, Q4_K_M …
    sha256: str | None = None  # of the whole file; read only for a receipt
    served_as: str | None = None  # what servers elsewhere call it
    server: str | None = None  # their addresses


@dataclass(frozen=True)
class Exchange:
    """What was asked earlier in a conversation, and the visible text of the answer: never its reasoning."""

    question: str
    answer: str


@dataclass(frozen=True)
class Unfinished:
    """A reply that was cut off, as far as it was written: the model goes on behind it."""

    reasoning: str
    text: str  # the visible one; "" while it was still reasoning


@dataclass(frozen=True)
class Verdict:
    """The outcome of an attempt to refute a claim."""

    ruling: Ruling
    method: Literal["model", "arithmetic"]
    p: float | None = None  # the model's probability of VALID among the two labels; None if it was not asked
    evidence: str | None = None  # for a refutation by arithmetic: the equation that does not hold


@dataclass(frozen=True)
class Claim:
    """A statement that a trajectory rests on."""

    text: str
    verdict: Verdict | None = None  # None: not checked
    source: ClaimSource = "stated"


@dataclass(frozen=True)
class CruxSide:
    """What one of two answers rests on where their solutions part."""

    claim: str
    members: tuple[int, ...]  # positions of the trajectories that take this step, ascending
    verdict: Verdict | None = None  # None: not checked


@dataclass(frozen=True)
class Crux:
    """The first step on which the solutions of the two best answers differ; that of the best comes first."""

    sides: tuple[CruxSide, CruxSide]


@dataclass(frozen=True)
class Signals:
    """How sure the model was while it wrote: means over its sampled tokens, in nats, which cost nothing to have.

    The three tuples hold a mean for each of up to 20 equal parts of the trajectory, in order.
    """

    logprob: tuple[float, ...]  # of the tokens drawn
    confidence: tuple[float, ...]  # -mean log-probability of the 20 likeliest tokens (DeepConf)
    certainty: tuple[float, ...]  # KL(uniform || p) (self-certainty)
    window: int  # tokens
    lowest: float  # confidence, of the window where it is lowest
    tail: float  # confidence, of the last window


@dataclass(frozen=True)
class Trajectory:
    """One sampled solution, finished."""

    seed: int
    tokens: int  # generated, forced ones included
    finish: Finish
    answer: str | None  # extracted; None if the model never committed to one
    text: str  # the visible text, after </think>
    reasoning: str  # the text inside <think>…</think>
    mean_logprob: float | None  # nats per sampled token, of the untempered distribution; None if nothing was sampled
    claims: tuple[Claim, ...] = ()
    reliability: float | None = None  # its weight in the vote; None if its claims were not checked
    signals: Signals | None = None  # None if nothing was sampled, or by an engine that does not tell
    kind: TrajectoryKind = "reasoned"
    printed: str | None = None  # of a computed one, cut: what its program printed, or how else it ended


@dataclass(frozen=True)
class AnswerCluster:
    """Trajectories with equivalent answers."""

    answer: str  # as the first of them has it
    members: tuple[int, ...]  # positions in the run's trajectories, ascending
    weight: float

    @property
    def votes(self) -> int:
        return len(self.members)


@dataclass(frozen=True)
class Agreement:
    """How many of the solutions that were drawn say the same as the one that is shown."""

    drawn: int
    answered: int
    leading: int  # with the answer that is shown
    level: AgreementLevel


@dataclass(frozen=True)
class ReliabilityReport:
    """Why this answer was chosen. It says what happened, and never states a probability."""

    clusters: tuple[AnswerCluster, ...]  # the chosen one first
    majority: str | None  # what a plain vote says, always
    decision: Decision  # what ended the run
    checked: int = 0  # claims that got a verdict
    refuted: int = 0
    note: str | None = None  # a sentence, where the pass could not do what was asked
    drawn: int = 0  # trajectories that came to their end
    answered: int = 0  # of these, with an answer
    computed: int = 0  # votes for the chosen answer that come from programs
    measured: bool = True  # False: the one-pass verdicts could not tell what the problem says from the same altered
    crux: Crux | None = None  # of a contested vote, where the solutions show one
    exact: bool = False  # claims are equations of the solutions' own, checked by arithmetic alone
    dropped: int = 0  # of those that answered: programs that passed fewer examples than others, and have no vote
    by_arithmetic: int = 0  # of the refuted

    @property
    def agreement(self) -> Agreement:
        """How far the solutions agree, those without an answer counted."""
        leading = self.clusters[0].votes if self.clusters else 0
        answered = max(self.answered, sum(cluster.votes for cluster in self.clusters))
        drawn = max(self.drawn, answered)
        if leading < 2 or any(cluster.votes >= leading for cluster in self.clusters[1:]):
            level: AgreementLevel = "none"  # all differ, or as many say something else
        elif self.decision in ("settled", "likely") or 2 * leading > drawn:
            level = "decided"
        else:
            level = "leading"
        return Agreement(drawn, answered, leading, level)


@dataclass(frozen=True)
class Differing:
    """An input on which the programs of a code problem did different things."""

    input: str
    outcomes: tuple[tuple[str, tuple[int, ...]], ...]  # what, and which trajectories' programs; the chosen one's first


@dataclass(frozen=True)
class Behaviour:
    """What the programs of a code problem did when they were run: never a proof, only what happened."""

    examples: int  # in the statement
    passed: tuple[int | None, ...] = ()  # of the examples, by each trajectory's program; None: it has none
    inputs: tuple[str, ...] = ()  # further ones, by the model
    assertions: int = 0  # on how many of them the model said what it expects
    held: int = 0  # of these by the chosen program
    differ: tuple[Differing, ...] = ()
    missed: tuple[str | None, ...] = ()  # by each trajectory's program: what it did on the first example that it fails
    note: str | None = None  # why programs were not run
    seconds: float = 0.0  # that programs ran, and the vote waited for them


@dataclass(frozen=True)
class Usage:
    """What a run cost. Seconds are wall time from the start of the prompt to the last token."""

    prompt_tokens: int
    solve_tokens: int
    seconds: float
    verify_tokens: int = 0  # claims and verdicts, generated
    earlier_tokens: int = 0  # of solve_tokens: those of an earlier run that was resumed

    @property
    def tokens_per_second(self) -> float:
        return (self.solve_tokens - self.earlier_tokens) / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Solution:
    """The result of a run, however it ended."""

    problem: str
    status: Status
    model: ModelIdentity
    usage: Usage
    answer: str | None = None
    text: str = ""  # what is shown: the visible text, or the answer alone where it is only in the reasoning
    error: str | None = None
    mode: Mode = "single"
    trajectories: tuple[Trajectory, ...] = ()
    seeds: tuple[int, ...] = ()
    report: ReliabilityReport | None = None  # of the reliability pass
    behaviour: Behaviour | None = None  # of a code problem


@dataclass(frozen=True)
class Notice:
    """A notice before a run begins: how long it may take, or that the speed is being measured first.

    An empty text takes the previous notice back.
    """

    text: str


@dataclass(frozen=True)
class Busy:
    """Other programs keep cores busy, so fewer threads compute: how many, in words. An empty text: no longer."""

    text: str


@dataclass(frozen=True)
class Started:
    """The model is ready and the prompt is known."""

    model: ModelIdentity
    seed: int
    prompt_tokens: int
    max_tokens: int  # how many tokens a solution may have
    context: int  # cells of the KV cache
    samples: int = 1  # trajectories at most
    dropped: int = 0  # oldest exchanges that were left out because the context has no room for them
    typical: tuple[int, int] = (4000, 16000)  # tokens; half of the model's solutions are within this range


@dataclass(frozen=True)
class Wrote:
    """A piece of text from a running trajectory."""

    text: str
    reasoning: bool  # inside <think>…</think>
    tokens: int  # generated so far
    retracts: bool = False  # the visible text before it was reasoning after all
    index: int = 0  # of the trajectory


@dataclass(frozen=True)
class Closing:
    """The ending is being forced: the reasoning is closed, or the model is asked for its answer outright."""

    reason: Reason
    asking: bool
    index: int = 0


@dataclass(frozen=True)
class Sampled:
    """A trajectory of the reliability pass has ended, and this is what the vote looks like now."""

    index: int
    trajectory: Trajectory
    clusters: tuple[AnswerCluster, ...]  # by votes


@dataclass(frozen=True)
class Contested:
    """Sampling is over and the vote is not clear, so claims will be checked."""

    clusters: tuple[AnswerCluster, ...]
    claims: int  # per trajectory


@dataclass(frozen=True)
class Parted:
    """Where the solutions of the two best answers part; members are trajectories' indices. Its claims come first."""

    crux: Crux


@dataclass(frozen=True)
class Claimed:
    """A trajectory has stated its claims."""

    index: int
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Judged:
    """A claim got its verdict; `claim` is its position in the trajectory's claims."""

    index: int
    claim: int
    verdict: Verdict


@dataclass(frozen=True)
class Finished:
    """The last event of every run."""

    solution: Solution


SolveEvent = Notice | Busy | Started | Wrote | Closing | Sampled | Contested | Parted | Claimed | Judged | Finished
