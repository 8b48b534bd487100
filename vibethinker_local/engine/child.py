"""The process that owns llama.cpp: `python -P -m vibethinker_local.engine.child`, started by `process.EngineProcess`.

Its standard input and output carry messages. Whatever else is printed here, by native code too, goes to standard
error, which is the log file. One thread reads; it answers questions at once and ends the process when the other end
has closed, in mid-decode too. The main thread steps by itself, at most `AHEAD` steps further than were taken.
"""

import logging
import os
import pickle
import queue
import signal
import sys
import threading
import time
from typing import Any, BinaryIO

from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.messages import (
    NO_MORE_THREADS,
    Abort,
    Add,
    Begin,
    CellsUsed,
    Command,
    Event,
    Failed,
    Force,
    IsGrammar,
    Loading,
    NumberedQuestion,
    Ready,
    Reply,
    StepMessage,
    TimeSpent,
    Tokenize,
    TokenPiece,
    Took,
)
from vibethinker_local.engine.output import SequenceId
from vibethinker_local.errors import ModelError, VibeError

log = logging.getLogger("vibethinker_local.engine")

AHEAD = 16
LOADING_EVERY = 0.25  # seconds between two Loading messages


class Child:
    def __init__(self, commands: BinaryIO, events: BinaryIO) -> None:
        self._source, self._sink = commands, events
        self._writing = threading.Lock()
        self._commands: queue.SimpleQueue[Command | NumberedQuestion] = queue.SimpleQueue()
        self._loading_sent = time.monotonic()
        self._ahead = 0  # steps that were sent but not taken yet
        self._done: list[SequenceId] = []  # ids of Sequences whose command was carried out since the last step

    def run(self) -> None:
        begin: Begin = pickle.load(self._source)
        logging.basicConfig(
            stream=sys.stderr, level=begin.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        threading.Thread(target=self._read, daemon=True).start()
        self._backend = begin.recipe.open(self._loading)
        self._engine = Engine(self._backend, begin.planner)
        backend = self._backend
        self._send(Ready(backend.info, backend.context, backend.vocabulary, backend.threads))
        while True:
            self._obey()
            outputs = self._engine.step()
            if outputs or self._done:
                self._ahead += 1
                self._send(StepMessage(outputs, self._done, self._engine.stepped_at, self._engine.threads))
                self._done = []

    def _loading(self, share: float) -> None:
        if time.monotonic() - self._loading_sent > LOADING_EVERY:
            self._loading_sent = time.monotonic()
            self._send(Loading(share))

    def _obey(self) -> None:
        """Carry out pending commands. Waits for one if there is nothing to do, or if it is far enough ahead."""
        while True:
            idle = not (self._engine.busy or self._done) or self._ahead >= AHEAD
            try:
                command = self._commands.get(block=idle)
            except queue.Empty:
                return
            match command:
                case Took(steps):
                    self._ahead -= steps
                case Add(id, tokens, params, parent, labels):
                    if labels is None:
                        self._engine.add(tokens, params, parent=parent, id=id)
                    else:
                        self._engine.score(tokens, labels, parent=parent, id=id)
                case Force(id, known, tokens, then):
                    self._engine.rewind(id, known)
                    self._engine.force(id, tokens, then=then)
                    self._done.append(id)
                case Abort(id, known):
                    self._engine.rewind(id, known)
                    self._engine.abort(id)
                    self._done.append(id)
                case NumberedQuestion():
                    self._answer(command)

    def _read(self) -> None:
        try:
            while True:
                message: Command | NumberedQuestion = pickle.load(self._source)
                if isinstance(message, NumberedQuestion) and not isinstance(message.question, CellsUsed):
                    self._answer(message)
                else:
                    self._commands.put(message)
                if isinstance(message, Abort):
                    self._engine.interrupt(message.id)
        except (EOFError, OSError):
            os._exit(0)  # the parent is gone
        except Exception as error:  # the outermost loop of this thread
            self.fail(error)

    def _answer(self, asked: NumberedQuestion) -> None:
        value: Any
        match asked.question:
            case Tokenize(text, special):
                value = self._backend.tokenize(text, special=special)
            case TokenPiece(token):
                value = self._backend.piece(token)
            case TimeSpent():
                value = self._engine.spent
            case IsGrammar(source):
                value = self._engine.is_grammar(source)
            case CellsUsed():
                value = self._engine.cells_used
        self._send(Reply(asked.number, value))

    def _send(self, event: Event) -> None:
        data = pickle.dumps(event, pickle.HIGHEST_PROTOCOL)
        with self._writing:
            try:
                self._sink.write(data)
                self._sink.flush()
            except OSError:
                os._exit(0)

    def fail(self, error: Exception) -> None:
        """Report the reason, and end the process."""
        if not isinstance(error, VibeError):
            log.exception("the engine's process failed")
        reason = str(error) if isinstance(error, VibeError) else f"{type(error).__name__}: {error}"
        if isinstance(error, RuntimeError) and "start new thread" in reason:
            reason = NO_MORE_THREADS
        if isinstance(error, MemoryError):
            reason = "The engine has run out of memory: give a shorter --ctx or a smaller model."
        self._send(Failed("model" if isinstance(error, ModelError) else "engine", reason))
        os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent
    commands, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    child = Child(commands, events)
    try:
        child.run()
    except EOFError:  # the parent went away before the model was loaded
        return
    except Exception as error:  # the outermost loop: whatever it is, the handle is told
        child.fail(error)


if __name__ == "__main__":
    main()
