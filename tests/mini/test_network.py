"""The network's branches: a row with several is as good as a row for each. Needs the extra `train`."""

import pytest
from tokenizers import Tokenizer

from vibethinker_local.mini.examples import IGNORED, ExampleWriter
from vibethinker_local.mini.problems import problems
from vibethinker_local.system.paths import MINI

torch = pytest.importorskip("torch")


def test_a_branch_is_judged_as_in_a_row_of_its_own() -> None:
    from vibethinker_local.mini.batches import batched
    from vibethinker_local.mini.network import NetworkShape, Qwen2

    writer = ExampleWriter(Tokenizer.from_file(str(MINI.parent / "checkpoint" / "tokenizer.json")))
    problem = next(problems(1, seed=3))
    judged = [("Ann = 5", True), ("Ann = Tom + 5 = 12 + 5 = 17", False), ("answer = Ann = 17", True)]
    torch.manual_seed(0)
    network = Qwen2(NetworkShape(vocab_size=768, num_hidden_layers=2))

    def losses(claims: list[tuple[str, bool]]) -> list[float]:
        (batch,) = batched([writer.at_once(problem, claims)], writer.end)
        assert batch.positions is not None
        assert batch.branches is not None
        with torch.no_grad():
            loss = network(batch.tokens[:1], batch.targets[:1], batch.positions[:1], batch.branches[:1])
        return [float(value) for value in loss[batch.targets[:1] != IGNORED]]

    together = losses(judged)
    assert len(together) == 3
    assert together == pytest.approx([losses([one])[0] for one in judged], rel=1e-4)
