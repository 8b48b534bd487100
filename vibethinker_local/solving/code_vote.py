"""The programs of a code problem: run on the statement's examples and on inputs of the model's own, and compared.

A Ballot: like Claims, this adds Sequences to an engine and is handed what the engine puts out. Without a sandbox no
program is run, and none agrees with another.

    ask ─→ inputs and assertions ─┐
    add ─→ examples ─→ inputs ────┴─→ groups that behave alike
"""

import json
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vibethinker_local import sandbox
from vibethinker_local.code import answer, behaviour, examples, values
from vibethinker_local.code.answer import Attempt
from vibethinker_local.code.behaviour import BehaviourGroup
from vibethinker_local.code.task import Task
from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.errors import EngineError, SandboxError
from vibethinker_local.events import SEEDS, Behaviour, Differing, Options, Trajectory
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.sandbox import Limits, Outcome, Program, ProgramCall, Sandbox
from vibethinker_local.solving.follow import BRIEF, short

if TYPE_CHECKING:  # it brings the comparison of answers with it, which one solution does without
    from vibethinker_local.reliability.clusters import Cluster

INPUTS = 10  # that the model is asked for
TIE_BREAKERS = 5  # further inputs, asked for when two groups tie
ASK_TOKENS = 768  # for the reply
ASK_SEED = 1 << 20  # apart from those of solutions
TESTING = Limits(seconds=15, total_seconds=15, output_bytes=4 << 20)  # tests are many calls in one, with large values
PASSED = "_tests_are_through"  # a name that is there when tests have been run to their end
SHOWN = 200  # characters of an input or an outcome in a receipt


def open_sandbox() -> tuple[Sandbox | None, str | None]:
    """A sandbox that is getting ready, or why there is none."""
    try:
        runner = sandbox.open()
    except SandboxError as error:
        return None, str(error)
    runner.warm()
    return runner, None


class Programs:
    """The programs of one problem, by their trajectory's index."""

    def __init__(
        self, problem: str, task: Task, model: Model, options: Options, runner: Sandbox | None, note: str | None = None
    ) -> None:
        self.task, self.note = task, note
        self.tokens = 0  # generated, to ask for inputs
        self._seconds = 0.0  # that programs ran
        self._problem, self._model, self._options, self._runner = problem, model, options, runner
        self._inputs = [example.input for example in task.examples]
        self._expected: list[tuple[int, str]] = []  # of the model's inputs, by their position among all
        self._attempts: dict[int, Attempt] = {}
        self._outcomes: dict[int, list[Outcome]] = {}
        self._groups: list[BehaviourGroup] | None = None  # as long as no outcome is added: each step of a vote asks
        self._asking: dict[SequenceId, tuple[int, list[str]]] = {}  # how many inputs, and what was written so far
        self._asked_apart = False

    @property
    def runs(self) -> bool:
        """Whether programs are run at all."""
        return self._runner is not None

    @property
    def asking(self) -> int:
        """Sequences that the engine works on."""
        return len(self._asking)

    def add(self, index: int, text: str) -> Attempt | None:
        """The program in an answer, run on all inputs that there are."""
        attempt = answer.attempt(text, self.task)
        if attempt:
            self._attempts[index], self._outcomes[index] = attempt, []
            self._run(index)
        return attempt

    def count(self, index: int, trajectory: Trajectory) -> None:
        """`add`, as a Ballot has it."""
        self.add(index, trajectory.text)

    def incomparable(self, coming: int) -> bool:
        """Without a sandbox, no program agrees with another."""
        return not self.runs

    @property
    def assertions(self) -> int:
        """The model's own, of what it expects."""
        return len(self._expected)

    def source(self, index: int) -> str:
        return self._attempts[index].source

    # Inputs by the model

    def ask(self) -> None:
        """Have inputs written, and what the model expects of them. Does nothing where the context has no room."""
        self._ask(INPUTS, None, ASK_SEED)

    def ask_apart(self) -> bool:
        """Have inputs written on which the two leading groups differ, if they weigh the same; once."""
        ranked = self.groups()
        if self._asked_apart or len(ranked) < 2 or ranked[0].weight > ranked[1].weight:
            return False
        self._asked_apart = True
        first, second = (self._attempts[group.members[0]].source for group in ranked[:2])
        return self._ask(TIE_BREAKERS, (first, second), ASK_SEED + 1)

    def _ask(self, count: int, programs: tuple[str, str] | None, seed: int) -> bool:
        model = self._model
        if not self.runs or self.task.is_class:  # of a class, what is seen are the calls of the statement's examples
            return False
        begin = prompts.assertions_begin(self.task)
        prompt = model.encode_chat(prompts.assertions(self._problem, self.task, count, programs))
        prompt += model.backend.tokenize(model.no_reasoning + begin, special=True)
        room = min(ASK_TOKENS, model.context - len(prompt))
        if room <= 0:
            return False
        params = model.params(self._options, ((self._options.seed or 0) + seed) % SEEDS, room)
        self._asking[model.engine.add(prompt, params)] = count, [begin]
        return True

    def take(self, outputs: Iterable[StepOutput]) -> None:
        """What the engine put out. Programs are run on the inputs of a reply as soon as it has as many as asked for."""
        for output in outputs:
            if (asked := self._asking.get(output.sequence)) is None:
                continue
            count, pieces = asked
            self.tokens += output.token is not None
            pieces.append(output.text)
            complete = output.end is not None
            if not complete and "\n" not in output.text:
                continue
            inputs = self._said("".join(pieces), complete=complete)
            if complete or len(inputs) >= count:
                del self._asking[output.sequence]
                self._model.engine.abort(output.sequence)
                self._run_on(inputs)

    def _said(self, reply: str, *, complete: bool) -> list[tuple[str, str | None]]:
        """The inputs in a reply, and what the model expects of them; before its end, in whole lines and blocks."""
        text = reply if complete else reply.rpartition("\n")[0]
        if self.task.form == "program":
            text = text if complete or text.count("```") % 2 == 0 else text.rpartition("```")[0]
            return [(given, None) for given in examples.inputs(text)]
        return examples.assertions(text, self.task.entry or "solution")

    def _run_on(self, inputs: list[tuple[str, str | None]]) -> None:
        """Run all programs on further inputs, each with what the model expects there."""
        for text, expected in inputs:
            if text not in self._inputs:
                self._inputs.append(text)
                if expected is not None:
                    self._expected.append((len(self._inputs) - 1, expected))
        for index in self._attempts:
            self._run(index)

    def release(self) -> None:
        """Give back what the engine holds. May be repeated."""
        with suppress(EngineError):
            for name in self._asking:
                self._model.engine.abort(name)
        self._asking.clear()

    def close(self) -> None:
        """`release`, and end the sandbox. May be repeated."""
        self.release()
        if self._runner:
            self._runner.close()

    # What programs do

    def _run(self, index: int) -> None:
        """Run a program on the inputs that it has not seen."""
        attempt, known, self._groups = self._attempts[index], self._outcomes[index], None
        ahead = self._inputs[len(known) :]
        if attempt.fault:
            known += answer.crashed(attempt, ahead)
        elif self._runner:
            began = time.perf_counter()
            try:
                known += self._runner.run(attempt.program, attempt.calls(ahead))
            except SandboxError as error:
                self.note, self._runner = str(error), None
            self._seconds += time.perf_counter() - began

    def tests(self, index: int, setup: str, test: str) -> bool:
        """Whether a program passes tests: `setup`, the program and `test`, run one after the other, raise nothing.

        Where `test` is a JSON list, each is a test: what the program reads and has to print, or, by name, the arguments
        of a call and its value. A program that ends the run before the tests are through has not passed them.
        """
        attempt = self._attempts.get(index)
        if attempt is None or attempt.fault or self._runner is None:
            return False
        if test.startswith(("[[", "[{")):
            return self._gives(attempt, json.loads(test))
        source = f"{attempt.program.source}\n\n\n{test}\n\n{PASSED} = True\n"
        program = Program(source, f"{setup}\n\n{attempt.program.prelude}")
        [outcome] = self._runner.run(program, [ProgramCall(PASSED)], TESTING)
        return outcome.finished

    def _gives(self, attempt: Attempt, tests: list[Any]) -> bool:
        """Whether a program gives what is expected on all inputs."""
        assert self._runner
        if not isinstance(tests[0], dict):
            outcomes = self._runner.run(attempt.program, [ProgramCall(stdin=given) for given, _ in tests], TESTING)
            return all(
                outcome.finished and values.same_output(expected, outcome.stdout)
                for (_, expected), outcome in zip(tests, outcomes, strict=True)
            )
        calls = [self.task.call(each["arguments"], attempt.entry) for each in tests]
        outcomes = self._runner.run(attempt.program, calls, TESTING)
        return all(
            behaviour.passes(self.task, each["value"], outcome) for each, outcome in zip(tests, outcomes, strict=True)
        )

    def outcomes(self, index: int) -> list[Outcome]:
        """What a program did on each input; empty if there is none."""
        return self._outcomes.get(index, [])

    def passed(self, index: int) -> int:
        """How many examples a program passes."""
        return behaviour.passed(self.task, self.outcomes(index)) if self.runs else 0

    def missed(self, index: int) -> str | None:
        """What a program did on the first example that it fails: `on [3, 1] it gives 4, not 3`."""
        for example, outcome in zip(self.task.examples, self.outcomes(index), strict=False):
            if not behaviour.passes(self.task, example.expected, outcome):
                silent = outcome.finished and outcome.value is None and self.task.form != "program"  # it may print
                found = "nothing" if silent else str(outcome) or "nothing"
                said = (short(text, BRIEF) for text in (example.input, found, example.expected))
                return "on {} it gives {}, not {}".format(*said)
        return None

    def held(self, index: int) -> int:
        """How many of the model's own assertions hold for a program."""
        return behaviour.held(self.task, self.outcomes(index), self._expected)

    def groups(self) -> list[BehaviourGroup]:
        """Those that pass the most examples, in groups that behave alike, the weightiest first."""
        if not self.runs:
            return []
        if self._groups is None:
            chosen = behaviour.best(self.task, self._outcomes)
            outcomes = {index: self._outcomes[index] for index in chosen}
            self._groups = behaviour.groups(self.task, outcomes, self._expected)
        return self._groups

    def clusters(self) -> "list[Cluster]":
        """The same as the vote has it."""
        from vibethinker_local.reliability.clusters import Cluster

        return [Cluster(self._attempts[group.members[0]].source, group.members) for group in self.groups()]

    def weights(self) -> dict[int, float]:
        """What each of these programs counts."""
        ranked = self.groups()
        return {index: group.weight / len(group.members) for group in ranked for index in group.members}

    def report(self, order: Sequence[int]) -> Behaviour:
        """What happened, with trajectories by their position in `order`."""
        place = {index: at for at, index in enumerate(order)}
        ranked = self.groups()
        differ = behaviour.differences(self.task, self._inputs, ranked)
        return Behaviour(
            examples=len(self.task.examples),
            passed=tuple(self.passed(index) if index in self._outcomes and self.runs else None for index in order),
            inputs=tuple(_short(text) for text in self._inputs[len(self.task.examples) :]),
            assertions=len(self._expected),
            held=ranked[0].assertions if ranked else 0,
            differ=tuple(
                Differing(
                    _short(each.input),
                    tuple((_short(str(said)), tuple(place[m] for m in members)) for said, members in each.outcomes),
                )
                for each in differ
            ),
            missed=tuple(map(self.missed, order)),
            note=self.note,
            seconds=round(self._seconds, 3),
        )


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
