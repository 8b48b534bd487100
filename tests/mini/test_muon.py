"""Our Muon against PyTorch's. Needs the extra `train`."""

import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("shape", [(64, 32), (32, 64), (48, 48)])
def test_steps_as_pytorch_does_in_bfloat16_and_nearly_so_in_float32(shape: tuple[int, int]) -> None:
    from vibethinker_local.mini.muon import Muon

    torch.manual_seed(0)
    ours, precise, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(3))
    steppers = (
        (ours, Muon([ours], 0.02, dtype=torch.bfloat16)),
        (precise, Muon([precise], 0.02, dtype=torch.float32)),
        (theirs, torch.optim.Muon([theirs], lr=0.02, weight_decay=0.01, adjust_lr_fn="original")),
    )
    for _ in range(5):
        gradient = torch.randn(shape)
        for matrix, optimizer in steppers:
            matrix.grad = gradient.clone()
            optimizer.step()
    assert torch.equal(ours, theirs)
    assert 0 < (precise - theirs).abs().max() < 1e-3
    assert (theirs - 1).abs().max() > 1e-2  # it did move
