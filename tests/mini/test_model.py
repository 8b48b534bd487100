"""The bundled model: it really solves, with what it learned and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gguf import GGUFReader

from vibethinker_local.engine.engine import Engine
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.mini import tokenizer as tokenization
from vibethinker_local.mini.examples import claims_turn
from vibethinker_local.mini.measure import SeededProblem, Trial, attempt
from vibethinker_local.mini.problems import problems
from vibethinker_local.mini.trajectories import AT_ONCE
from vibethinker_local.models import installed
from vibethinker_local.models.installed import Chosen
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.system.paths import MINI

CHECKPOINT = MINI.parent / "checkpoint"
EXAMPLE = MINI.parent / "example.txt"


def attempts(path: Path, tasks: list[SeededProblem]) -> list[Trial]:
    spec = installed.registry()["mini"]
    backend = LlamaBackend(path, cells=AT_ONCE * spec.context, places=AT_ONCE, threads=1)
    model = Model(Chosen("mini", spec, path), Engine(backend))
    done = list(attempt(model, tasks))
    model.engine.close()
    return done


def held_out(count: int) -> list[SeededProblem]:
    drawn = enumerate(problems(count, seed=2024))
    return [SeededProblem(problem.text, str(problem.answer), problem.operations, seed) for seed, problem in drawn]


def share(done: list[Trial]) -> float:
    return sum(a.right for a in done) / len(done)


def test_solves_held_out_problems() -> None:
    assert share(attempts(MINI, held_out(32))) > 0.3


@pytest.mark.slow
def test_without_its_weights_it_knows_nothing(tmp_path: Path) -> None:
    """The same measurement with every weight zero: nothing else between problem and answer helps."""
    zeroed = shutil.copytree(CHECKPOINT, tmp_path / "zeroed")
    data = (zeroed / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    (zeroed / "model.safetensors").write_bytes(data[:begin] + bytes(len(data) - begin))
    command = [
        sys.executable,
        "-P",
        "-m",
        "quantize",
        "build",
        str(zeroed),
        "-o",
        str(tmp_path / "zeroed.gguf"),
        "--type",
        "Q8_0",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert share(attempts(tmp_path / "zeroed.gguf", held_out(200))) < 0.05


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_solves_the_example_under_nearly_every_seed(count: int) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    done = attempts(MINI, [SeededProblem(text, "17", 1, seed) for seed in range(count)])
    assert share(done) >= 0.975 if count == 200 else share(done) >= 0.9


def test_was_trained_on_the_prompts_of_the_app() -> None:
    spec = installed.registry()["mini"]
    model = Model(Chosen("mini", spec, MINI), Engine(LlamaBackend(MINI, cells=512, threads=1)))
    for problem in problems(5, seed=8):
        trained_on = model.backend.tokenize(tokenization.prompt(problem.text), special=True)
        assert model.encode(problem.text) == trained_on
        turn = tokenization.IM_END + claims_turn(5)
        assert model.encode_turn(problem.text, prompts.claims(5, version=1)) == model.backend.tokenize(
            turn, special=True
        )
        asked = prompts.judge(problem.text, ["Ann = Tom + 5 = 12 + 5 = 17", "Tom = 12"])
        assert model.encode_chat(asked) == model.backend.tokenize(tokenization.render(asked), special=True)
    model.engine.close()


def test_the_file_says_which_prompts_it_was_trained_on() -> None:
    tags = GGUFReader(MINI).fields["general.tags"].contents()
    assert f"prompts-{installed.registry()['mini'].prompts}" in tags
