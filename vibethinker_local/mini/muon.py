"""Muon (Keller Jordan 2024): an optimiser for matrices that orthogonalises its momentum steps.

As torch.optim.Muon with adjust_lr_fn="original", but in a precision of choice: PyTorch's always computes in
bfloat16, which took most of the training time on a CPU that only emulates it.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

MOMENTUM, DECAY = 0.95, 0.01
COEFFICIENTS, STEPS = (3.4445, -4.7750, 2.0315), 5  # of the quintic Newton-Schulz iteration


class Muon(torch.optim.Optimizer):
    def __init__(self, matrices: Iterable[Tensor], lr: float, *, dtype: torch.dtype) -> None:
        super().__init__(matrices, {"lr": lr})
        self._dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            rate = group["lr"]
            for matrix in group["params"]:
                if matrix not in self.state:
                    self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
                mean = self.state[matrix]["momentum_buffer"]
                mean.lerp_(matrix.grad, 1 - MOMENTUM)
                step = orthogonal(matrix.grad.lerp(mean, MOMENTUM).to(self._dtype))  # Nesterov's
                rows, columns = matrix.shape
                matrix.mul_(1 - rate * DECAY)
                matrix.add_(step.to(matrix.dtype), alpha=-rate * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix with the same singular vectors, whose singular values are all about 1 (0.7 to 1.2)."""
    a, b, c = COEFFICIENTS
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide
