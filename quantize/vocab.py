"""The vocabulary of a Qwen2 checkpoint: tokens, merges, special ids and chat template, from the files that hold them.

transformers 4 and 5 put them into different files and forms; both are read. Does not tokenize or write anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gguf import TokenType

from .errors import CheckpointError
from .pretokenizer import refuse_foreign
from .source import ADDITIONAL, read_json, read_json_if_there

SPECIALS = ("eos", "unk", "sep", "pad", "cls", "mask", "bos")
NUMBER = re.compile(r"[0-9]{1,9}")
BESIDE = ("lstrip", "rstrip", "single_word")  # options of an added token: what stands beside it counts
QWEN2_BOS = "<|endoftext|>"  # what config.json of the published models names as bos


class VocabularyToken(NamedTuple):
    text: str  # in the byte-level alphabet, save for added tokens
    type: TokenType


@dataclass(frozen=True)
class Special:
    """The id of a special token; `role` is one of SPECIALS."""

    role: str
    id: int


@dataclass(frozen=True)
class Vocabulary:
    tokens: tuple[VocabularyToken, ...]  # as many as the embedding has rows
    merges: tuple[str, ...]  # "left right"
    specials: tuple[Special, ...]  # eos and bos are always among them
    chat_templates: dict[str, str]  # by name; `default` is always among them
    particular: tuple[str, ...]  # added tokens for which the spaces or letters beside them matter, as not in llama.cpp


def read_vocabulary(folder: Path, size: int, chat_template: str | None = None) -> Vocabulary:
    """`size` is the number of rows of the embedding; `chat_template` replaces all of the checkpoint's own.

    Raises CheckpointError for a tokenizer that llama.cpp would not reproduce, or without eos or chat template.
    """
    settings = read_json_if_there(folder / "tokenizer_config.json")
    path = folder / "tokenizer.json"
    if not path.is_file() and settings.get("tokenizer_class") in ("Qwen2Tokenizer", "Qwen2TokenizerFast"):
        path = folder / "vocab.json"
        tokenizer = _slow_tokenizer(folder, settings)
    else:
        tokenizer = read_json(path)
        refuse_foreign(tokenizer, path)
    added = {entry["content"]: entry for entry in _added(tokenizer, settings, path)}
    ids = {**tokenizer["model"]["vocab"], **{text: entry["id"] for text, entry in added.items()}}
    tokens, specials = _tokens(ids, added, size, path), _specials(settings, ids, size, folder)
    end = next(special.id for special in specials if special.role == "eos")
    if tokens[end].type == TokenType.UNUSED:
        raise CheckpointError(f"{path} lacks the token {end}, which ends an answer; download the tokenizer again")
    templates = {"default": chat_template} if chat_template else _chat_templates(settings, folder)
    if "default" not in templates:
        named = f" called default, only {', '.join(templates)}" if templates else ""
        raise CheckpointError(f"{folder} has no chat template{named}; give one with --chat-template FILE")
    return Vocabulary(
        tokens=tokens,
        merges=_merges(tokenizer["model"], path),
        specials=specials,
        chat_templates=templates,
        particular=tuple(text for text, entry in added.items() if any(map(entry.get, BESIDE))),
    )


def _slow_tokenizer(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What transformers 4 saves of a tokenizer in Python: the class says how text is cut, two files hold the BPE.

    Tokens beside it are in a third one, where tokenizer_config.json does not have them in `added_tokens_decoder`.
    """
    lines = _read_text(folder / "merges.txt").split("\n")
    model = {"vocab": read_json(folder / "vocab.json"), "merges": [line for line in lines if line.strip()]}
    beside = {} if "added_tokens_decoder" in settings else read_json_if_there(folder / "added_tokens.json")
    named = settings.get("additional_special_tokens")
    given = [settings.get(f"{role}_token") for role in SPECIALS] + (named if isinstance(named, list) else [])
    special = [_text_of(each) for each in given]
    added = [{"id": number, "content": text, "special": text in special} for text, number in beside.items()]
    return {"model": model, "added_tokens": added}


def _added(tokenizer: dict[str, Any], settings: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """Tokens beside the BPE's own. As transformers 4 does, those that only tokenizer_config.json has are added too."""
    vocab = tokenizer["model"]["vocab"]
    known: set[object] = {*vocab, *(token_id for token_id in vocab.values() if type(token_id) is int)}
    for entry in tokenizer.get("added_tokens") or []:
        match entry:
            case {"id": int(token_id), "content": str(text)}:
                known |= {token_id, text}
                yield entry
            case _:
                raise CheckpointError(f"{path} lists an added token without id or content: {entry!r}")
    more = settings.get("added_tokens_decoder")
    for number, entry in (more if isinstance(more, dict) else {}).items():
        match entry:
            case {"content": str(text)} if NUMBER.fullmatch(number) and not known & {int(number), text}:
                known |= {int(number), text}
                yield {**entry, "id": int(number)}


def _tokens(
    ids: dict[str, Any], added: dict[str, dict[str, Any]], size: int, path: Path
) -> tuple[VocabularyToken, ...]:
    """Ids without a token become `[PAD{id}]`, UNUSED (conversion/base.py, get_vocab_base)."""
    tokens = [VocabularyToken(f"[PAD{i}]", TokenType.UNUSED) for i in range(size)]
    seen: set[int] = set()
    for text, token_id in ids.items():
        if type(token_id) is not int or not 0 <= token_id < size:
            raise CheckpointError(f"{path} gives {text!r} the id {token_id}, but the embedding has {size} rows")
        if token_id in seen:
            raise CheckpointError(f"{path} gives the id {token_id} to two tokens")
        seen.add(token_id)
        tokens[token_id] = VocabularyToken(text, TokenType.NORMAL) if text not in added else _added_token(added[text])
    if len({token.text for token in tokens}) < size:  # llama.cpp would end the process
        raise CheckpointError(f"{path} has a token named like a placeholder ([PAD…]) for an id that has none")
    return tuple(tokens)


def _added_token(entry: dict[str, Any]) -> VocabularyToken:
    text: str = entry["content"]
    if entry.get("special") or _looks_special(text):
        return VocabularyToken(text, TokenType.CONTROL)
    return VocabularyToken(
        text.replace("▁", " "), TokenType.USER_DEFINED
    )  # as the converter does: sentencepiece's space


def _looks_special(text: str) -> bool:
    """Some checkpoints forget `special` (conversion/base.py, does_token_look_special)."""
    brackets = (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))
    named = text in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
    return named or any(text.startswith(begin) and text.endswith(end) for begin, end in brackets)


def _merges(model: dict[str, Any], path: Path) -> tuple[str, ...]:
    """Both forms are in use: "left right", and since transformers 4.45 ["left", "right"]."""
    merges = []
    for merge in model.get("merges") or []:
        if isinstance(merge, str) and merge.startswith("#version"):  # the first line of a merges.txt
            continue
        parts = merge.split(" ") if isinstance(merge, str) else merge
        match parts:
            case [str(left), str(right)] if " " not in left + right:
                merges.append(f"{left} {right}")
            case _:
                raise CheckpointError(f"{path} has a merge that is no pair of tokens: {merge!r}")
    if not merges:
        raise CheckpointError(f"{path} has no merges; only Qwen2's byte-level BPE is supported")
    return tuple(merges)


def _specials(settings: dict[str, Any], ids: dict[str, Any], size: int, folder: Path) -> tuple[Special, ...]:
    """tokenizer_config.json wins over config.json, whose eos is often the base model's; then generation_config.json."""
    found: dict[str, int] = {}
    for role in SPECIALS:
        text = _text_of(settings.get(f"{role}_token"))
        if isinstance(text, str) and text in ids:
            found[role] = ids[text]
    for source in (read_json(folder / "config.json"), _generation_config(folder)):
        for role in SPECIALS:
            given = source.get(f"{role}_token_id")
            for token_id in given if isinstance(given, list) else [given]:  # of several ends, the first
                if type(token_id) is int and 0 <= token_id < size:
                    found.setdefault(role, token_id)
    if "eos" not in found:
        raise CheckpointError(
            f"neither tokenizer_config.json nor config.json in {folder} names an eos token, and llama.cpp would "
            f"take a comma for it; add eos_token_id to config.json"
        )
    # Trainers write null for bos, as Qwen2's tokenizer has none; llama.cpp would take a comma. It is never added.
    found.setdefault("bos", ids.get(QWEN2_BOS, found["eos"]))
    return tuple(Special(role, token_id) for role, token_id in found.items())


def _text_of(token: Any) -> Any:
    """What a special token is written as: it is named by its text, or by a table that says more of it."""
    return token.get("content") if isinstance(token, dict) else token


def _generation_config(folder: Path) -> dict[str, Any]:
    try:
        return read_json_if_there(folder / "generation_config.json")
    except CheckpointError:  # it is decoration; card.py warns of it
        return {}


def _chat_templates(settings: dict[str, Any], folder: Path) -> dict[str, str]:
    """By name, looked for as llama.cpp's converter does; one that has no name is `default`."""
    given = settings.get("chat_template")
    if given is None and (default := template_file(folder)) is not None:
        others = sorted((folder / ADDITIONAL).glob("*.jinja"))
        given = {"default": default} | {path.stem: _read_text(path) for path in others}
    elif given is None:
        given = read_json_if_there(folder / "chat_template.json").get("chat_template")
    if isinstance(given, str):
        given = {"default": given}
    if isinstance(given, list):
        named = (each for each in given if isinstance(each, dict) and isinstance(each.get("name"), str))
        given = {each["name"]: each.get("template") for each in named}
    templates = given if isinstance(given, dict) else {}
    # The names become parts of keys, in which the gguf package has letters and digits only.
    usable = {name: text for name, text in templates.items() if name and isinstance(text, str) and text}
    return {re.sub("[^A-Za-z0-9]", "_", name): text for name, text in usable.items()}


def template_file(folder: Path) -> str | None:
    """What chat_template.jinja holds, where newer versions of transformers write the template; None without it."""
    path = folder / "chat_template.jinja"
    return _read_text(path) if path.is_file() else None


def _read_text(path: Path) -> str:
    """As transformers reads a template: with the line ends of the system it was written on made plain."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
