"""tokenizer.json and tokenizer_config.json of a Qwen2 checkpoint: tokens, merges, special ids and chat template.

Knows when llama.cpp's `qwen2` pre-tokenizer is the right one. Does not tokenize and does not write anything.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gguf import TokenType

from .errors import CheckpointError
from .source import read_json

# llama.cpp's `qwen2` (src/llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_QWEN2) does exactly this.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = [
    {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
    {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
]
PLAIN_BPE: dict[str, object] = {
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "byte_fallback": False,
    "ignore_merges": False,
}
SPECIALS = ("eos", "unk", "sep", "pad", "cls", "mask", "bos")


class Token(NamedTuple):
    text: str  # in the byte-level alphabet, save for added tokens
    type: TokenType


@dataclass(frozen=True)
class Special:
    """The id of a special token; `role` is one of SPECIALS."""

    role: str
    id: int


@dataclass(frozen=True)
class Vocabulary:
    tokens: tuple[Token, ...]  # as many as the embedding has rows
    merges: tuple[str, ...]  # "left right"
    specials: tuple[Special, ...]  # eos and bos are always among them
    chat_template: str


def read_vocabulary(folder: Path, size: int, chat_template: str | None = None) -> Vocabulary:
    """`size` is the number of rows of the embedding; `chat_template` replaces the checkpoint's own.

    Raises CheckpointError for a tokenizer that llama.cpp would not reproduce, or without eos, bos or chat template.
    """
    path = folder / "tokenizer.json"
    tokenizer = read_json(path)
    settings = read_json(folder / "tokenizer_config.json")
    _refuse_foreign(tokenizer, path)
    added = {entry["content"]: entry for entry in _added(tokenizer, path)}
    return Vocabulary(
        tokens=_tokens(tokenizer["model"], added, size, path),
        merges=_merges(tokenizer["model"], path),
        specials=_specials(settings, read_json(folder / "config.json"), added, size, folder),
        chat_template=chat_template or _chat_template(settings, folder),
    )


def _refuse_foreign(tokenizer: dict[str, Any], path: Path) -> None:
    """Exact comparison of what decides how text is cut. `trim_offsets` moves character positions, never tokens."""
    model, pre = tokenizer.get("model"), tokenizer.get("pre_tokenizer")
    if not isinstance(model, dict) or model.get("type") != "BPE" or not isinstance(model.get("vocab"), dict):
        raise CheckpointError(f"{path} holds no BPE vocabulary; only Qwen2's tokenizer is supported")
    parts = pre.get("pretokenizers") if isinstance(pre, dict) and pre.get("type") == "Sequence" else None
    if not all(isinstance(value, list | None) for value in (parts, model.get("merges"), tokenizer.get("added_tokens"))):
        raise CheckpointError(f"{path} has no list of merges, added_tokens or pretokenizers; download it again")
    known = [{k: v for k, v in p.items() if k != "trim_offsets"} for p in parts or [] if isinstance(p, dict)]
    if known != PRE_TOKENIZERS or tokenizer.get("normalizer") != {"type": "NFC"}:
        raise CheckpointError(f"{path} does not cut text as Qwen2 does (normalizer, pre_tokenizer); it cannot be used")
    if any(model.get(key, value) != value for key, value in PLAIN_BPE.items()):
        raise CheckpointError(f"{path} uses options of BPE that llama.cpp does not have; it cannot be used")
    post = tokenizer.get("post_processor")
    if post is not None and (not isinstance(post, dict) or post.get("type") != "ByteLevel"):
        raise CheckpointError(f"{path} adds tokens around a text (post_processor), which Qwen2's does not")


def _added(tokenizer: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for entry in tokenizer.get("added_tokens") or []:
        match entry:
            case {"id": int(), "content": str()}:
                entries.append(entry)
            case _:
                raise CheckpointError(f"{path} lists an added token without id or content: {entry!r}")
    return entries


def _tokens(model: dict[str, Any], added: dict[str, dict[str, Any]], size: int, path: Path) -> tuple[Token, ...]:
    """Ids without a token become `[PAD{id}]`, UNUSED (conversion/base.py, get_vocab_base)."""
    tokens = [Token(f"[PAD{i}]", TokenType.UNUSED) for i in range(size)]
    ids = {**model["vocab"], **{text: entry["id"] for text, entry in added.items()}}
    seen: set[int] = set()
    for text, token_id in ids.items():
        if type(token_id) is not int or not 0 <= token_id < size:
            raise CheckpointError(f"{path} gives {text!r} the id {token_id}, but the embedding has {size} rows")
        if token_id in seen:
            raise CheckpointError(f"{path} gives the id {token_id} to two tokens")
        seen.add(token_id)
        tokens[token_id] = Token(text, _type(text, added.get(text)))
    if len({token.text for token in tokens}) < size:  # llama.cpp would end the process
        raise CheckpointError(f"{path} has a token named like a placeholder ([PAD…]) for an id that has none")
    return tuple(tokens)


def _type(text: str, added: dict[str, Any] | None) -> TokenType:
    if added is None:
        return TokenType.NORMAL
    # Some checkpoints forget `special` on <|…|> tokens (conversion/base.py, does_token_look_special).
    looks_special = text.startswith("<|") and text.endswith("|>")
    return TokenType.CONTROL if added.get("special") or looks_special else TokenType.USER_DEFINED


def _merges(model: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Both forms are in use: "left right", and since transformers 4.45 ["left", "right"]."""
    merges = []
    for merge in model.get("merges") or []:
        parts = merge.split(" ") if isinstance(merge, str) else merge
        match parts:
            case [str(left), str(right)] if " " not in left + right:
                merges.append(f"{left} {right}")
            case _:
                raise CheckpointError(f"{path} has a merge that is no pair of tokens: {merge!r}")
    if not merges:
        raise CheckpointError(f"{path} has no merges; only Qwen2's byte-level BPE is supported")
    return tuple(merges)


def _specials(
    settings: dict[str, Any], config: dict[str, Any], added: dict[str, dict[str, Any]], size: int, folder: Path
) -> tuple[Special, ...]:
    """tokenizer_config.json wins over config.json, whose eos is often the base model's."""
    ids: dict[str, int] = {}
    for role in SPECIALS:
        named = settings.get(f"{role}_token")
        text = named.get("content") if isinstance(named, dict) else named
        if isinstance(text, str) and text in added:
            ids[role] = added[text]["id"]
    for role in SPECIALS:
        token_id = config.get(f"{role}_token_id")
        if type(token_id) is int and 0 <= token_id < size:
            ids.setdefault(role, token_id)
    for role in ("eos", "bos"):
        if role not in ids:
            raise CheckpointError(
                f"neither tokenizer_config.json nor config.json in {folder} names an {role} token, and llama.cpp would "
                f"take a comma for it; add {role}_token_id to config.json"
            )
    return tuple(Special(role, token_id) for role, token_id in ids.items())


def _chat_template(settings: dict[str, Any], folder: Path) -> str:
    """The template named `default` where there are several."""
    template = settings.get("chat_template")
    if template is None and (folder / "chat_template.jinja").is_file():
        template = (folder / "chat_template.jinja").read_bytes().decode("utf-8", "replace")
    if template is None and (folder / "chat_template.json").is_file():
        template = read_json(folder / "chat_template.json").get("chat_template")
    if isinstance(template, list):
        named = [t for t in template if isinstance(t, dict) and t.get("name") == "default"]
        template = named[-1].get("template") if named else None
    if not isinstance(template, str) or not template:
        raise CheckpointError(f"{folder} has no chat template; give one with --chat-template FILE")
    return template
