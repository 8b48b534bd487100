"""Fits a trajectory's weight to a calibration bank: how likely it is right, given its share of claims that stand."""

import numpy as np

from vibethinker_local.errors import UsageError
from vibethinker_local.eval.bank import Bank
from vibethinker_local.eval.table import Floats, Table
from vibethinker_local.solving.calibration import Kept

STEPS = 50
RIDGE = 1e-3  # keeps the slope finite when the claims separate right from wrong perfectly


def fit(bank: Bank, table: Table) -> Kept:
    """Logistic regression by Newton's method. Raises UsageError if the bank cannot teach anything."""
    if not table.claims or table.programs or table.instructions:  # the latter two are asked for none
        raise UsageError(f"{bank.path} has no claims: there is nothing to fit.")
    answered = table.answered
    right = table.each_right[answered].astype(np.float64)
    if not right.size or right.min() == right.max():
        raise UsageError(f"{bank.path} has no trajectories of both kinds, right and wrong: there is nothing to fit.")
    weights = logistic(np.stack([np.ones_like(right), table.standing("either")[answered]], axis=1), right)
    header = bank.header
    return Kept(
        header.sha256,
        header.prompts,
        table.samples,
        table.claims,
        float(weights[0]),
        float(weights[1]),
        tuple(sorted(table.digests)),
        int(right.size),
    )


def logistic(inputs: Floats, right: Floats) -> Floats:
    """The weights, (m,), of a logistic regression of `right`, (n,), on `inputs`, (n, m)."""
    weights = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (right - p) - RIDGE * weights
        curvature = (inputs * (p * (1 - p))[:, None]).T @ inputs + RIDGE * np.eye(len(weights))
        weights = weights + np.linalg.solve(curvature, gradient)
    return weights
