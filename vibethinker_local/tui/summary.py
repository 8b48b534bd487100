"""What the line at the bottom says of a session, and how the reliability pass stands, in a few words."""

from vibethinker_local.system.progress import Progress
from vibethinker_local.tui.session import Session
from vibethinker_local.tui.votes import told
from vibethinker_local.tui.widgets.status import Status


def summary(session: Session, *, unloaded: bool, used: int, memory: int) -> Status:
    """`unloaded`: there is no model, and none is being loaded. `used` are tokens of the context, `memory` bytes."""
    solver, live = session.solver, session.live
    started = live.run.started if live else None
    said, tone = reliability(session)
    return Status(
        model=solver.identity.name if solver else "" if unloaded else _loading(session.loading),
        quant=(solver.identity.quant or "") if solver else "",
        unsaved=session.store.in_memory or bool(session.unkept),
        used=used,
        context=started.context if started else solver.context if solver else 0,
        rate=live.run.rate or None if live and live.run.phase in ("thinking", "answering") else None,
        busy=live.run.busy if live else "",
        thinking=_thinks(session.think),
        memory=memory,
        reliability=said,
        tone=tone,
        on=session.reliable,
    )


def reliability(session: Session) -> tuple[str, str]:
    """What there is to say about reliability, in a few words, and the colour of it."""
    votes, on = session.votes, session.reliable
    tone = "$accent" if on else "$text-muted"
    if votes and votes.report:
        text, of_vote = told(votes.report)
        return text, of_vote if on else tone
    if votes and session.live:
        stage = "checking" if votes.stage == "checking" else "voting"
        return f"{stage} · {votes.done} of at most {votes.samples}", tone
    return f"reliability on · {session.budget}" if on else "reliability off", tone


def thinking(tokens: int | None) -> str:
    """How long it may think."""
    if tokens is None:
        return "as long as the model does"
    return f"at most {tokens:,} tokens" if tokens else "not at all"


def _thinks(tokens: int | None) -> str:
    """The same in the line, which says nothing of a model that thinks as long as it does."""
    if tokens is None:
        return ""
    return f"thinks ≤ {tokens:,}" if tokens else "no thinking"


def _loading(step: Progress | None) -> str:
    return f"loading, {step.done / step.total:.0%}" if step and step.total else "loading …"
