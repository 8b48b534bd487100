"""Measurements, and the summary of many rounds of them: medians, spread, ratios. Does no measuring itself."""

import statistics
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.models import results
from vibethinker_local.models.installed import Chosen
from vibethinker_local.system.units import figure

US = "vibe"
PREFILL, DECODE, STEP = "prefill", "decode", "step"


@dataclass(frozen=True)
class Measurement:
    """One figure of one round; `who` is US or the name of a peer."""

    what: str
    who: str
    value: float
    unit: str = "tokens/s"
    sequences: int = 1
    depth: int = 0
    sampling_ms: float = 0.0  # per token

    @property
    def key(self) -> tuple[str, int, int]:
        return self.what, self.sequences, self.depth

    def __str__(self) -> str:
        at_once = f" of {self.sequences} Sequences" if self.sequences > 1 else ""
        deep = f", {self.depth:,} deep" if self.depth else ""
        return f"{self.what}{at_once}{deep}: {figure(self.value)} {self.unit} ({self.who})"


def summary(
    chosen: Chosen, size: int, info: ModelInfo, prompt: int, threads: int, rows: Collection[Measurement]
) -> results.Figures:
    """Medians and spread of all rounds, and the ratios to the peers.

    `size` is the file's in bytes, `prompt` the prefill's tokens.
    """
    groups: dict[tuple[str, int, int], dict[str, list[Measurement]]] = {}
    for row in rows:
        groups.setdefault(row.key, {}).setdefault(row.who, []).append(row)
    ours = {key: found[US] for key, found in groups.items() if US in found}
    decode = [_decode_row(found) for (what, _, _), found in ours.items() if what == DECODE]
    prefill = [row.value for row in ours[PREFILL, 1, 0]]
    return results.Figures(
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        model=results.File(
            name=chosen.name,
            file=chosen.path.name,
            bytes=size,
            quant=info.quant,
            parameters=info.parameters,
        ),
        machine=results.here(threads),
        prefill=(results.Prefill(tokens=prompt, tokens_per_second=_median(prefill), **_spread(prefill)),),
        decode=tuple(row for row in decode if not row.depth),
        deep=tuple(row for row in decode if row.depth),
        steps=tuple(step_rows(rows)),
        peers=tuple(
            _ratio(found[US], theirs) for found in groups.values() for who, theirs in found.items() if who != US
        ),
    )


def with_earlier(found: results.Figures, earlier: results.Figures | None) -> results.Figures:
    """What to keep of a run: with what an earlier one on this machine measured besides.

    Times of steps are compared with each other, so they stay those of one run: of the one that has more of them. The
    rows at depth are all of one depth, the last that was measured.
    """
    if earlier is None or earlier.machine != found.machine:
        return found
    depths = {row.depth for row in found.deep or earlier.deep}
    decode, deep = (
        {row.sequences: row for row in rows if not row.depth or row.depth in depths}
        for rows in ((*earlier.decode, *found.decode), (*earlier.deep, *found.deep))
    )
    return found.model_copy(
        update={
            "decode": tuple(decode[key] for key in sorted(decode)),
            "deep": tuple(deep[key] for key in sorted(deep)),
            "steps": max(found.steps, earlier.steps, key=len),
        }
    )


def _decode_row(rows: list[Measurement]) -> results.Decode:
    rates = [row.value for row in rows]
    return results.Decode(
        sequences=rows[0].sequences,
        depth=rows[0].depth,
        tokens_per_second=_median(rates),
        sampling_ms_per_token=_median([row.sampling_ms for row in rows]),
        **_spread(rates),
    )


def step_rows(rows: Iterable[Measurement]) -> Iterator[results.BatchStep]:
    """The step times among the measurements."""
    groups: dict[int, list[float]] = {}
    for row in rows:
        if row.what == STEP:
            groups.setdefault(row.sequences, []).append(row.value / 1000)
    for tokens, seconds in groups.items():
        yield results.BatchStep(tokens=tokens, seconds=_median(seconds), **_spread(seconds))


def _ratio(ours: list[Measurement], theirs: list[Measurement]) -> results.PeerRatio:
    first, peer = ours[0], theirs[0]
    single = [a.value / b.value for a, b in zip(ours, theirs, strict=False)]
    a, b = (_median([row.value for row in rows]) for rows in (ours, theirs))
    what = str(first).split(":")[0]
    return results.PeerRatio(
        what=what,
        peer=peer.who,
        ratio=_significant(a / b),
        ours=a,
        theirs=b,
        unit=first.unit,
        rounds=len(single),
        **_spread(single),
    )


def _median(values: list[float]) -> float:
    return _significant(statistics.median(values))


def _spread(values: list[float]) -> dict[str, float]:
    return {"low": _significant(min(values)), "high": _significant(max(values))}


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
