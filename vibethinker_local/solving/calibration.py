"""Stored calibrations: how much a share of claims that stand is worth, for one model file, prompts, K and M.

`vibe eval fit` makes them, the mode `fitted` uses them. Each knows the problems it was made from: it must not be judged
by them.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from vibethinker_local.reliability import vote
from vibethinker_local.system import paths
from vibethinker_local.system.files import write_atomic


@dataclass(frozen=True)
class Kept:
    sha256: str  # of the model file
    prompts: int  # version of the texts that ask for claims
    samples: int  # K
    claims: int  # M
    intercept: float
    slope: float
    problems: tuple[str, ...]  # digests
    trajectories: int  # that it was fitted to

    @property
    def weight(self) -> vote.Calibration:
        return vote.Calibration(self.intercept, self.slope)


def keep(kept: Kept) -> Path:
    """Store a calibration, replacing an earlier one. Raises UsageError, or FileError for a full or failing disk."""
    path = _path(kept.sha256, kept.prompts, kept.samples, kept.claims)
    write_atomic(path, json.dumps(asdict(kept)), advice="set VIBE_HOME to a folder of yours")
    return path


def find(sha256: str, prompts: int, samples: int, claims: int) -> Kept | None:
    """The calibration for a model file, a version of the prompts, K and M; None if there is none."""
    try:
        data = json.loads(_path(sha256, prompts, samples, claims).read_bytes())
        kept = Kept(**data | {"problems": tuple(data["problems"])})
        sound = all(map(math.isfinite, (kept.intercept, kept.slope))) and all(type(p) is str for p in kept.problems)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    same = (kept.sha256, kept.prompts, kept.samples, kept.claims) == (sha256, prompts, samples, claims)
    return kept if same and sound else None


def _path(sha256: str, prompts: int, samples: int, claims: int) -> Path:
    name = paths.record_name(f"{sha256} {prompts} {samples} {claims}")
    return paths.data() / "calibrations" / f"{name}.json"
