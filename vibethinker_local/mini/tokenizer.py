"""mini's tokenizer: a small byte-level BPE with Qwen2's own normalizer and pre-tokenizer, and the ChatML specials.

The merges are learned with one extra cut, between a space and a capital letter, so that a name is spelled with the
same tokens at the start of a line and inside one. Reading uses Qwen2's cuts alone, like any Qwen2 tokenizer.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from vibethinker_local.mini.problems import WordProblem, draw
from vibethinker_local.runtime import prompts

VOCABULARY = 768
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END_OF_TEXT, IM_START, IM_END = SPECIALS
# transformers, models/qwen2/tokenization_qwen2.py: PRETOKENIZE_REGEX
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def render(messages: list[dict[str, str]]) -> str:
    """A conversation, rendered by TEMPLATE."""
    turns = (f"{IM_START}{m['role']}\n{m['content']}{IM_END}\n" for m in messages)
    return "".join(turns) + f"{IM_START}assistant\n"


def prompt(problem: str) -> str:
    """The rendered prompt of one problem."""
    return render(prompts.solve(problem))


def reply(problem: WordProblem) -> str:
    """The text that the model is taught to write after `prompt`."""
    return f"<think>\n{problem.steps}\n</think>\n\n{problem.conclusion}{IM_END}"


def train(seed: int, examples: int = 20_000) -> Tokenizer:
    """Learn the merges from generated problems; deterministic for a seed."""
    rng = random.Random(seed)
    qwen2 = [
        pre_tokenizers.Split(Regex(QWEN2_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r" (?=\p{Lu})"), "isolated"), *qwen2])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIALS),
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )

    def corpus() -> Iterator[str]:
        for _ in range(examples):
            problem = draw(rng, split="train")
            yield prompts.SOLVE.format(problem=problem.text)
            yield reply(problem).removesuffix(IM_END)

    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(qwen2)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json the way transformers' Qwen2Tokenizer does."""
    tokenizer.save(str(folder / "tokenizer.json"))
    flags = {"special": True, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "bos_token": None,
        "eos_token": IM_END,
        "pad_token": END_OF_TEXT,
        "unk_token": None,
        "add_prefix_space": False,
        "chat_template": TEMPLATE,
        "added_tokens_decoder": {str(tokenizer.token_to_id(t)): {"content": t, **flags} for t in SPECIALS},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
