"""Train `mini` and save it as an ordinary Hugging Face checkpoint. Needs the extra `train` (PyTorch).

    python -m vibethinker_local.mini.train --run RUN --minutes 40       solve only; or go on with RUN where it stopped
    python -m vibethinker_local.mini.train --run NEXT --start RUN --claims FILE --minutes 60      all three skills
    python -m vibethinker_local.mini.train --run RUN --export FOLDER    write the checkpoint's files

The loss counts the reply only. In a first run problems grow from one operation to seven as the loss falls. A run that
starts from another learns to state claims and to judge them as well, from solutions that the model wrote before
(`python -m vibethinker_local.mini.trajectories`). Examples are drawn from the seed and the step; how far a run gets
depends on the machine, because the plan is measured in time. A run that was stopped loses two minutes at most.
"""

import argparse
import json
import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from vibethinker_local.mini import examples
from vibethinker_local.mini import tokenizer as tokenization
from vibethinker_local.mini.batches import EARLY, LATE, SOLVING_AGAIN, TrainingBatch, batched, pool
from vibethinker_local.mini.claims import PROMPTS
from vibethinker_local.mini.examples import IGNORED, Case, ExampleWriter
from vibethinker_local.mini.muon import Muon
from vibethinker_local.mini.network import NetworkShape, Qwen2
from vibethinker_local.mini.problems import MADE_UP, MAX_OPERATIONS, draw

SAVE_SECONDS = 120


@dataclass(frozen=True)
class TrainingRecipe:
    """The hyperparameters of a run, saved beside it."""

    seed: int = 0
    hidden_size: int = 128
    intermediate_size: int = 384
    layers: int = 5
    heads: int = 4
    muon_rate: float = 0.01
    adam_rate: float = 5e-3
    warmup: int = 100
    grow_below: float = 0.03  # loss in nats per token under which problems get one operation longer
    grow_until: float = 0.45  # share of the plan at which they have up to seven operations in any case
    made_up_from: float = 0.35  # share of the plan after which some names are made up
    decay_from: float = 0.55  # share of the plan after which the rates fall to zero


# For a run that starts from another one: lower rates, falling earlier.
NEXT = TrainingRecipe(muon_rate=0.005, adam_rate=2.5e-3, grow_until=0.0, made_up_from=0.0, decay_from=0.3)


# The model card. What it says becomes general.* keys of a GGUF file; the tag tells which prompts the model knows.
CARD = f"""---
license: mit
language:
- en
tags:
- prompts-{PROMPTS}
---
# mini

A small model for arithmetic word problems: it solves them, states the claims of its solution, and judges claims.
Made by vibethinker_local/mini/train.py.
"""


def has_bfloat16(device: str) -> bool:
    """Whether the device has native bfloat16; on a CPU that emulates it, training takes several times as long."""
    cpu = torch.cpu.get_capabilities()
    return device != "cpu" or any(cpu.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


class TrainingRun:
    """A training run in a folder: recipe.json, tokenizer.json, state.pt, log.jsonl."""

    def __init__(self, folder: Path, recipe: TrainingRecipe, device: str, start: Path | None = None) -> None:
        self.folder, self.device, self.halves = folder, device, has_bfloat16(device)
        folder.mkdir(parents=True, exist_ok=True)
        recipe_file = folder / "recipe.json"
        if recipe_file.exists():
            recipe = TrainingRecipe(**json.loads(recipe_file.read_text()))
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            tokenizer_file = start and start / "tokenizer.json"
            self.tokenizer = (
                Tokenizer.from_file(str(tokenizer_file)) if tokenizer_file else tokenization.train(recipe.seed)
            )
            self.tokenizer.save(str(folder / "tokenizer.json"))
            recipe_file.write_text(json.dumps(asdict(recipe), indent=1))
        self.writer, self.cases = ExampleWriter(self.tokenizer), list[Case]()
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.shape = NetworkShape(
            vocab_size=tokenization.VOCABULARY,
            hidden_size=recipe.hidden_size,
            intermediate_size=recipe.intermediate_size,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
        )
        self.model = Qwen2(self.shape).to(device)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in self.model.named_parameters() if p.ndim != 2 or "embed" in n]
        self.optimizers: list[torch.optim.Optimizer] = [
            Muon(matrices, recipe.muon_rate, dtype=torch.bfloat16 if self.halves else torch.float32),
            torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self.step, self.tokens, self.progress = 0, 0, 0.0
        self.operations = 1  # of the longest problems drawn now
        if (folder / "state.pt").exists():
            self._load()
        elif start:
            state = torch.load(start / "state.pt", map_location=device, weights_only=True)
            self.model.load_state_dict(state["model"])

    def _load(self) -> None:
        state = torch.load(self.folder / "state.pt", map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.tokens, self.progress = state["step"], state["tokens"], state["progress"]
        self.operations = state["operations"]

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "tokens": self.tokens,
            "progress": self.progress,
            "operations": self.operations,
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def train(self, minutes: float, until: float, *, compiled: bool) -> None:
        """Train up to a share of a plan of `minutes`. A slow machine takes fewer steps in that time."""
        loss_of = torch.compile(self.model) if compiled else self.model
        planned = minutes * 60 * (1 - self.progress)
        began, saved, first = time.monotonic(), time.monotonic(), self.progress
        losses, seen = defaultdict[str, list[float]](list), self.tokens
        batches: list[TrainingBatch] = []
        while self.progress < until:
            if not batches:
                rng = random.Random(f"{self.recipe.seed}/{self.step}")
                grown = 1.0 if self.progress >= self.recipe.grow_until else self.progress / self.recipe.grow_until
                self.operations = max(self.operations, 1 + int((MAX_OPERATIONS - 1) * grown))
                made_up = MADE_UP if self.progress >= self.recipe.made_up_from else 0.0
                mix = EARLY if self.progress < SOLVING_AGAIN else LATE
                batches = pool(self.writer, self.cases, mix, rng, self.operations, made_up)
            batch = batches.pop()
            losses[batch.name].append(self._learn(loss_of, batch))
            self.step += 1
            self.tokens += batch.tokens.numel()
            now = time.monotonic()
            self.progress = first + (1 - first) * min(1.0, (now - began) / planned)
            if self.step % 100 == 0:
                means = {name: round(sum(values) / len(values), 4) for name, values in losses.items()}
                self._log(means, (self.tokens - seen) / (now - began), accuracy=self.step % 1000 == 0)
                if means["loss"] < self.recipe.grow_below and self.operations < MAX_OPERATIONS:
                    self.operations += 1
                    batches.clear()
                losses.clear()
            if now - saved > SAVE_SECONDS:
                self.save()
                saved = now
        self._log({}, (self.tokens - seen) / (time.monotonic() - began), accuracy=True)
        self.save()

    def _learn(self, loss_of: Callable[..., Tensor], batch: TrainingBatch) -> float:
        """Take one step; returns the loss before it, in nats per target."""
        rate = min(1.0, (self.step + 1) / self.recipe.warmup)
        rate *= min(1.0, max(0.02, (1 - self.progress) / (1 - self.recipe.decay_from)))
        for optimizer, base in zip(self.optimizers, (self.recipe.muon_rate, self.recipe.adam_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * rate
        with torch.autocast(self.device, torch.bfloat16, enabled=self.halves):
            loss = self._losses(loss_of, batch).sum() / int((batch.targets != IGNORED).sum())
        (loss * batch.weight).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _log(self, means: dict[str, float], rate: float, *, accuracy: bool) -> None:
        line = {"step": self.step, "tokens": self.tokens, "progress": round(self.progress, 4)}
        line |= means | {"operations": self.operations, "tokens_per_second": round(rate)}
        text = json.dumps(line | ({"exact": self.exact()} if accuracy else {}))
        print(text, flush=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(text + "\n")

    def _losses(self, loss_of: Callable[..., Tensor], batch: TrainingBatch) -> Tensor:
        inputs = (batch.tokens, batch.targets, batch.positions, batch.branches)
        losses: Tensor = loss_of(*(None if each is None else each.to(self.device) for each in inputs))
        return losses

    @torch.no_grad()
    def exact(self, count: int = 128) -> float:
        """The mean probability, at T=1, of writing the whole worked solution of a held-out problem word for word."""
        total = 0.0
        rng = random.Random(1)
        drawn = [self.writer.solve(draw(rng, split="calibration"), None) for _ in range(count)]
        for batch in batched(drawn, self.writer.end):
            with torch.autocast(self.device, torch.bfloat16, enabled=self.halves):
                losses = self._losses(self.model, batch)
            rows = (batch.targets != IGNORED).any(1)
            total += float(torch.exp(-losses.double().sum(1).cpu())[rows].sum())
        return round(total / count, 4)

    def export(self, folder: Path) -> None:
        """Write config.json, generation_config.json, tokenizer files, the card and model.safetensors (bf16)."""
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = self.tokenizer.get_vocab()
        end, stop = vocabulary[tokenization.END_OF_TEXT], vocabulary[tokenization.IM_END]
        files: dict[str, dict[str, object]] = {
            "config.json": self.shape.config(bos=end, eos=stop),
            "generation_config.json": {
                "do_sample": True,
                "temperature": 1.0,
                "top_p": 0.95,
                "eos_token_id": [stop, end],
            },
        }
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        tokenization.save(self.tokenizer, folder)
        weights = {name: p.detach().cpu().to(torch.bfloat16).contiguous() for name, p in self.model.named_parameters()}
        (folder / "README.md").write_text(CARD, encoding="utf-8")
        if not all(math.isfinite(float(w.float().sum())) for w in weights.values()):
            raise SystemExit("the run has weights that are not finite: nothing was exported")
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vibethinker_local.mini.train", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run's folder; an interrupted run goes on")
    parser.add_argument("--minutes", type=float, default=100, help="planned length of the whole run (default 100)")
    parser.add_argument("--start", type=Path, help="the folder of the run whose weights a new run starts from")
    parser.add_argument("--claims", type=Path, nargs="+", default=[], help="the model's solutions, from trajectories")
    parser.add_argument("--until", type=float, default=1.0, help="stop at this share of the plan (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--export", type=Path, help="write the checkpoint here instead of training")
    parser.add_argument("--eager", action="store_true", help="do without torch.compile")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = replace(NEXT if arguments.start else TrainingRecipe(), seed=arguments.seed)
    run = TrainingRun(arguments.run, recipe, arguments.device, arguments.start)
    run.cases = examples.load(arguments.claims)
    if arguments.export:
        run.export(arguments.export)
    else:
        run.train(arguments.minutes, arguments.until, compiled=not arguments.eager)


if __name__ == "__main__":
    main()
