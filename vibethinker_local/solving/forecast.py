"""The quote of a run that is about to begin, from what `vibe bench` found; else from seconds of trying."""

import random
import time
from collections.abc import Generator, Sequence
from dataclasses import replace

from vibethinker_local.engine import SamplingParams, SequenceId
from vibethinker_local.engine.layout import doubled
from vibethinker_local.events import Control, Notice, Options
from vibethinker_local.models import lengths, memory, results
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.runtime.model import SMALL_BYTES, Model
from vibethinker_local.solving.quote import Lengths, Quote, Rates, Work, quote
from vibethinker_local.system import awake

LONG = 30.0  # seconds; nothing is announced for a shorter run
PROMPT = 128  # tokens of the calibration's prompt
SECONDS, TOKENS = 2.0, 6  # calibration decodes for at least this long and this many tokens, with one Sequence and all
CLAIMS = 256  # tokens of a trajectory's claims
MEASURING = "Measuring this machine's speed for some seconds; `vibe bench` does it once and better."


def is_quick(model: Model) -> bool:
    """Whether a model is so small that every run is short."""
    return model.file is not None and model.file.header.weights < SMALL_BYTES


def announce(
    model: Model,
    options: Options,
    control: Control,
    prompt: int,
    plan: Plan | None,
    rates: Rates | None,
    measure: bool,
    notices: Sequence[str] = (),
) -> Generator[Notice, None, Rates | None]:
    """Say how long a run with a prompt of so many tokens will take, if long, and that it drains the battery.

    Rates that are not known are measured if that is wanted; `notices` are said first. Returns the rates.

    Raises EngineError.
    """
    measured = False
    if rates is None and measure:
        yield Notice(MEASURING)
        rates, measured = calibrate(model, control), True
        if _cut_short(control):
            if not control.stop:
                yield Notice("")
            return None
    if rates:
        sentence = expect(forecast(model, options, prompt, plan, rates))
    else:
        battery = awake.on_battery()
        sentence = f"Running {battery}." if battery else None
    text = " ".join(filter(None, (*notices, sentence)))
    if text or measured:  # an empty one ends the sentence that it is being measured
        yield Notice(text)
    return rates


def expect(quote: Quote) -> str | None:
    """The sentence that announces a run; None for a short one."""
    if quote.high <= LONG:
        return None
    return ", ".join(filter(None, (f"Expect {quote}", awake.on_battery()))) + "."


def forecast(
    model: Model, options: Options, prompt: int, plan: Plan | None, rates: Rates, *, places: int | None = None
) -> Quote:
    """The quote of a run with a prompt of so many tokens; without the reliability pass's plan, of a single solution.

    `places` is for a model that will be loaded with room for so many Sequences at once.
    """
    assert model.file, "nothing is foretold of servers elsewhere"
    header, places = model.file.header, places or model.places
    usual = lengths.typical(model.chosen)
    each = doubled(memory.FIRST, prompt + usual[1], model.context)
    at_once = places
    if places == model.places and model.cells:  # a longer run may have fewer at once than it began with
        at_once = min(places, model.cells // each)
    need = memory.need(header, at_once * each, at_once, options.cache)
    if not rates.deeper:  # reading keys and values takes as long as reading so many bytes of weights
        cell = memory.need(header, 1024, 1, options.cache).kv_cache / 1024
        rates = replace(rates, deeper=cell / header.weights / rates.decode(1))
    most = min(options.max_tokens or model.spec.max_tokens, model.context - prompt, plan.tokens if plan else 2**30)
    work = Work(prompt, Lengths.typical(*usual), max(1, most))
    if plan:
        after = CLAIMS if plan.asks_for_claims else 0
        work = replace(
            work, samples=plan.samples, at_once=at_once, stopping=plan.stopping, likely=plan.likely, after=after
        )
    return quote(work, rates, need.total)


def known(model: Model) -> Rates | None:
    """The speeds that `vibe bench` measured, those at depth included; else those that a run tried within hours."""
    if model.file is None:
        return None
    figures = results.of(model.file.path)
    if figures is None:
        tried = results.tried(model.file.path, model.engine.threads.most, model.places)
        return Rates(tried.prefill, tried.rate) if tried else None
    slower = [
        (1 / row.tokens_per_second - 1 / figures.rate(row.sequences)) / row.depth for row in figures.deep if row.depth
    ]
    deeper = max(0.0, sum(slower) / len(slower)) if slower else 0.0
    return Rates(figures.prefill[0].tokens_per_second, figures.rate, deeper)


def calibrate(model: Model, control: Control) -> Rates:
    """Speeds of a loaded model, measured in a few seconds, or less well if the user is in a hurry. Raises EngineError.

    They are kept for other runs, unless it was cut short or other programs slowed it down.
    """
    engine, rng, at_once = model.engine, random.Random(0), model.places
    prompt = [rng.randrange(model.backend.vocabulary) for _ in range(min(PROMPT, model.context // 4))]
    began = time.perf_counter()
    parent = engine.add(prompt, SamplingParams(0, 1))
    while engine.busy and not _cut_short(control):
        engine.step()
    prefill = len(prompt) / (time.perf_counter() - began)
    speeds = {count: _decode(model, control, prompt, parent, count) for count in sorted({1, at_once})}
    engine.abort(parent)
    threads = engine.threads
    found = results.Tried(at=time.time(), machine=results.here(threads.most), prefill=prefill, decode=speeds)
    if model.file and threads.now == threads.most and not _cut_short(control):
        results.keep_tried(model.file.path, found)
    return Rates(prefill, found.rate)


def _cut_short(control: Control) -> bool:
    """Whether nobody wants to wait for a measurement any more."""
    return control.stop or control.answer_now


def _decode(model: Model, control: Control, prompt: list[int], parent: SequenceId, count: int) -> float:
    """Measures the tokens per second of this many Sequences, as they are once the engine has found the best batches.

    While it looks for them, many of its steps are slower. A quarter of all, at least, are as good as those to come.
    """
    engine, tokens = model.engine, min(256, model.context // 2)
    names = [engine.add(prompt, SamplingParams(seed, tokens), parent=parent) for seed in range(count)]
    began, before, rates = time.perf_counter(), 0.0, list[float]()
    while engine.busy:
        written = sum(output.token is not None for output in engine.step())
        if written and not before:  # the first of them computes prompts
            began = time.perf_counter()
        elif written and engine.stepped_at > before:
            rates.append(written / (engine.stepped_at - before))
        if written:  # an engine of another process is asked again and again while it computes
            before = engine.stepped_at
        if _cut_short(control) or (time.perf_counter() - began > SECONDS and len(rates) >= TOKENS):
            break
    for name in names:
        engine.abort(name)
    return sorted(rates)[-1 - len(rates) // (4 if count > 1 else 2)] if rates else 1.0
