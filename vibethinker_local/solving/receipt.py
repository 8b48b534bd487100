"""A Solution as data: the JSON object of `vibe solve --json`, schema 1."""

from dataclasses import asdict
from importlib.metadata import version

from vibethinker_local import __version__
from vibethinker_local.events import Claim, CruxSide, Differing, Solution, Trajectory


def receipt(solution: Solution) -> dict[str, object]:
    """The receipt of a run: plain data, ready for JSON. Keys are only ever added."""
    usage, report = solution.usage, solution.report
    if report:
        majority = report.majority
        clusters = [{"answer": c.answer, "votes": c.votes, "weight": round(c.weight, 6)} for c in report.clusters]
    else:
        majority = solution.answer
        clusters = [{"answer": majority, "votes": 1, "weight": 1.0}] if majority is not None else []
    data: dict[str, object] = {
        "schema": 1,
        "problem": solution.problem,
        "answer": solution.answer,
        "text": solution.text,
        "status": solution.status,
        "error": solution.error,
        "model": asdict(solution.model),
        "mode": solution.mode,
        "majority": majority,
        "clusters": clusters,
        "trajectories": [_trajectory(trajectory) for trajectory in solution.trajectories],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "solve_tokens": usage.solve_tokens,
            "verify_tokens": usage.verify_tokens,
            "seconds": round(usage.seconds, 3),
            "tokens_per_second": round(usage.tokens_per_second, 1),
        },
        "seeds": list(solution.seeds),
        "versions": {"vibethinker_local": __version__, "llama_cpp_python": version("llama-cpp-python")},
    }
    if behaviour := solution.behaviour:
        data["behaviour"] = {
            "examples": {"given": behaviour.examples, "passed": list(behaviour.passed)},
            "inputs": list(behaviour.inputs),
            "assertions": {"given": behaviour.assertions, "held": behaviour.held},
            "differ": [_differing(each) for each in behaviour.differ],
            "note": behaviour.note,
            "seconds": behaviour.seconds,
        }
    if report:
        data["decision"] = report.decision
        data["note"] = report.note
        data["agreement"] = asdict(report.agreement)
        data["verdicts"] = {"checked": report.checked, "refuted": report.refuted, "measured": report.measured}
        data["crux"] = [_side(side) for side in report.crux.sides] if report.crux else None
    return data


def _trajectory(trajectory: Trajectory) -> dict[str, object]:
    return {
        "seed": trajectory.seed,
        "tokens": trajectory.tokens,
        "finish": trajectory.finish,
        "answer": trajectory.answer,
        "text": trajectory.text,
        "reasoning": trajectory.reasoning,
        "mean_logprob": trajectory.mean_logprob,
        "reliability": trajectory.reliability,
        "kind": trajectory.kind,
        "printed": trajectory.printed,
        "signals": asdict(trajectory.signals) if trajectory.signals else None,
        "claims": [_claim(claim) for claim in trajectory.claims],
    }


def _differing(differing: Differing) -> dict[str, object]:
    outcomes = [{"outcome": said, "trajectories": list(members)} for said, members in differing.outcomes]
    return {"input": differing.input, "outcomes": outcomes}


def _side(side: CruxSide) -> dict[str, object]:
    verdict = side.verdict.ruling if side.verdict else None
    return {"claim": side.claim, "trajectories": list(side.members), "verdict": verdict}


def _claim(claim: Claim) -> dict[str, object]:
    verdict = claim.verdict
    return {
        "text": claim.text,
        "source": claim.source,
        "verdict": verdict.ruling if verdict else "undecided",
        "method": verdict.method if verdict else "model",
        "p": verdict.p if verdict else None,
        "evidence": verdict.evidence if verdict else None,
    }
