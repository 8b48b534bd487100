"""What verify must notice."""

import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from quantize.errors import ModelError, RequestError
from quantize.gguf_file import read_gguf
from quantize.job import Request, prepare
from quantize.verify import check_finite, check_keys, verify, verify_against
from tests.quantize.checkpoint import Shape, edit_json, random_weights, to_bf16, widened, write_safetensors
from tests.quantize.helpers import run_build
from tests.quantize.reference import write_imatrix
from vibethinker_local.gguf.reader import Value

TINY = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)


def drain(events: Iterable[object]) -> None:
    for _ in events:
        pass


def against(path: Path, folder: Path, imatrix: Path | None = None) -> None:
    drain(verify_against(path, prepare(Request(str(folder), "BF16", imatrix)), threads=2))


@pytest.fixture
def built(tiny: Path, tmp_path: Path) -> Path:
    run_build(tmp_path / "tiny.gguf", Request(str(tiny), "Q8_0", name="Another name"))
    return tmp_path / "tiny.gguf"


def overwrite(path: Path, name: str, content: bytes) -> None:
    tensor = next(tensor for tensor in read_gguf(path).tensors if tensor.name == name)
    with path.open("r+b") as file:
        file.seek(tensor.offset)
        file.write(content)


def test_a_sound_file(built: Path, tiny: Path) -> None:
    drain(verify(built))
    against(built, tiny)


def test_a_file_that_shrinks_meanwhile(built: Path) -> None:
    file = read_gguf(built)
    with built.open("r+b") as content:
        content.truncate(built.stat().st_size - 1000)
    with pytest.raises(ModelError, match="became shorter while it was read"):
        drain(check_finite(file))


def test_with_an_importance_matrix(small: Path, tmp_path: Path) -> None:
    matrix = {"blk.0.attn_q.weight": widened(to_bf16(range(256)))}
    write_imatrix(tmp_path / "i.gguf", matrix)
    write_imatrix(tmp_path / "other.gguf", matrix, count=9)
    run_build(tmp_path / "with.gguf", Request(str(small), "Q4_0", imatrix=tmp_path / "i.gguf"))
    run_build(tmp_path / "without.gguf", Request(str(small), "Q4_0"))
    against(tmp_path / "with.gguf", small, tmp_path / "i.gguf")
    with pytest.raises(RequestError, match="with an importance matrix; give it"):
        against(tmp_path / "with.gguf", small)
    with pytest.raises(RequestError, match="with another importance matrix"):
        against(tmp_path / "with.gguf", small, tmp_path / "other.gguf")
    with pytest.raises(RequestError, match="without one"):
        against(tmp_path / "without.gguf", small, tmp_path / "i.gguf")


def test_a_scale_that_is_not_finite(built: Path) -> None:
    overwrite(built, "blk.0.ffn_up.weight", b"\x00\x7e")  # NaN in half precision
    with pytest.raises(ModelError, match=r"blk\.0\.ffn_up\.weight .*not finite"):
        drain(verify(built))


def test_a_file_that_ends_in_zeros(built: Path) -> None:
    """What a download leaves that takes the room for all of a file first, and is stopped."""
    *others, last = sorted((t for t in read_gguf(built).tensors if len(t.shape) > 1), key=lambda tensor: tensor.offset)
    overwrite(built, others[0].name, bytes(others[0].size))  # blocks that were added may be, before they are trained
    overwrite(built, last.name, bytes(68))
    drain(verify(built))
    overwrite(built, last.name, bytes(last.size))
    with pytest.raises(ModelError, match="ends in zeros"):
        drain(verify(built))


def test_a_changed_quant_is_seen_against_the_source_only(built: Path, tiny: Path) -> None:
    tensor = next(tensor for tensor in read_gguf(built).tensors if tensor.name == "blk.0.ffn_up.weight")
    changed = bytearray(built.read_bytes()[tensor.offset : tensor.offset + 3])
    changed[2] ^= 1
    overwrite(built, tensor.name, bytes(changed))
    drain(verify(built))
    with pytest.raises(ModelError, match=r"blk\.0\.ffn_up\.weight .* is not what"):
        against(built, tiny)


def test_another_checkpoint(built: Path, tiny: Path) -> None:
    write_safetensors(tiny / "model.safetensors", random_weights(TINY, seed=1))
    with pytest.raises(ModelError, match="is not what"):
        against(built, tiny)


def test_the_same_weights_from_other_files(built: Path, tiny: Path) -> None:
    edit_json(tiny / "config.json", some_comment="new")
    with pytest.raises(ModelError, match="built from other files"):
        against(built, tiny)


def test_the_same_checkpoint_under_another_name(built: Path, tiny: Path) -> None:
    against(built, tiny.rename(tiny.with_name("Moved-7B-Instruct-v2")))


def test_another_chat_template(built: Path, tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", chat_template="{{ messages }}")
    with pytest.raises(ModelError, match=r"another tokenizer\.chat_template"):
        against(built, tiny)


def test_a_file_that_llama_cpp_cannot_load(built: Path) -> None:
    content = built.read_bytes()
    assert content.count(b"blk.0.attn_norm.weight") == 1
    built.write_bytes(content.replace(b"blk.0.attn_norm.weight", b"blk.0.attn_xxxx.weight"))
    with pytest.raises(ModelError, match=r"llama\.cpp cannot load"):
        drain(verify(built))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"qwen2", b"llama", r"llama\.block_count is None"),
        (b"tokenizer.chat_template", b"tokenizer.chat_templatX", "no chat template"),
        (b"tokenizer.ggml.eos_token_id", b"tokenizer.ggml.eos_token_iX", "no eos token"),
        (b"tokenizer.ggml.pre", b"tokenizer.ggml.prX", "no pre-tokenizer"),
        (b"token_embd.weight", b"token_embX.weight", "a vocabulary that does not fit"),
    ],
)
def test_keys_that_a_reader_needs(old: bytes, new: bytes, message: str, built: Path) -> None:
    built.write_bytes(built.read_bytes().replace(old, new, 1))
    with pytest.raises(ModelError, match=message):
        drain(verify(built))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tokenizer.ggml.eos_token_id", 400, "no eos token"),
        (
            "qwen2.expert_count",
            9,
            r"damaged \(qwen2\.expert_count is 9",
        ),  # it would end the process in llama.cpp, as the next one
        ("qwen2.rope.scaling.type", "unheard", r"damaged \(qwen2\.rope\.scaling\.type is unheard"),
    ],
)
def test_values_that_llama_cpp_takes_on_trust(key: str, value: Value, message: str, built: Path) -> None:
    file = read_gguf(built)
    check_keys(file)
    with pytest.raises(ModelError, match=message):
        check_keys(replace(file, keys=file.keys | {key: value}))


def test_tensors_that_lie_where_llama_cpp_takes_none(built: Path) -> None:
    """Its assertion on the first one's place would end the process; how far apart they may lie, it is told."""
    file = replace(read_gguf(built), alignment=16)
    check_keys(file)
    tensors = tuple(replace(tensor, offset=tensor.offset + 16) for tensor in file.tensors)
    with pytest.raises(ModelError, match=r"damaged \([a-z_.]+ lies at byte [\d,]+, which is no multiple of 32\)"):
        check_keys(replace(file, tensors=tensors))


def test_a_pre_tokenizer_is_of_byte_level_vocabularies_alone(built: Path) -> None:
    file = read_gguf(built)
    tokens = file.keys["tokenizer.ggml.tokens"]
    assert isinstance(tokens, list)
    keys = file.keys | {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": ["<0x0A>", *map(str, tokens[1:])]}
    del keys["tokenizer.ggml.pre"]
    check_keys(replace(file, keys=keys))


def retype(path: Path, name: str, number: int) -> None:
    """Give a tensor another type of the same size, in the tensor list."""
    content = bytearray(path.read_bytes())
    tensor = next(tensor for tensor in read_gguf(path).tensors if tensor.name == name)
    place = content.index(name.encode()) + len(name) + 4 + 8 * len(tensor.shape)
    assert content[place] == tensor.type
    content[place] = number
    path.write_bytes(content)


def test_a_tensor_that_holds_no_weights(built: Path) -> None:
    """ggml has no conversion for I32: calling it would end the process."""
    retype(built, "blk.0.attn_norm.weight", 26)
    with pytest.raises(ModelError, match="I32 is not a type of weights"):
        drain(verify(built))


def test_a_type_that_is_never_built(built: Path, tiny: Path) -> None:
    retype(built, "blk.0.attn_norm.weight", 26)
    with pytest.raises(ModelError, match="never built here"):
        against(built, tiny)


def test_a_matrix_on_its_side(tiny: Path, tmp_path: Path) -> None:
    """It holds the same bytes."""
    path = tmp_path / "out.gguf"
    run_build(path, Request(str(tiny), "Q8_0", tensor_types=("token_embd=F16",)))
    content, upright = path.read_bytes(), struct.pack("<QQ", 64, 400)
    assert content.count(upright) == 1
    path.write_bytes(content.replace(upright, struct.pack("<QQ", 400, 64)))
    with pytest.raises(ModelError, match=r"token_embd\.weight in .* has the shape \(64, 400\), not \(400, 64\)"):
        against(path, tiny)


@pytest.mark.parametrize(
    ("key", "format", "value"),
    [
        ("block_count", "<I", 513),
        ("block_count", "<I", 0),
        ("attention.head_count", "<I", 0),
        ("attention.head_count", "<I", 3),
        ("attention.head_count_kv", "<I", 0),
        ("attention.head_count_kv", "<I", 2**32 - 1),
        ("embedding_length", "<I", 2**32 - 1),
        ("attention.layer_norm_rms_epsilon", "<f", -1.0),
        ("attention.layer_norm_rms_epsilon", "<f", float("nan")),
    ],
)
def test_numbers_that_would_end_the_process_in_llama_cpp(key: str, format: str, value: float, built: Path) -> None:
    content = bytearray(built.read_bytes())
    name = f"qwen2.{key}".encode()
    struct.pack_into(format, content, content.index(name) + len(name) + 4, value)
    built.write_bytes(content)
    with pytest.raises(ModelError, match=r"is damaged \(.*(heads|qwen2\.)"):
        drain(verify(built))


def test_a_token_twice(built: Path) -> None:
    content = built.read_bytes()
    assert content.count(b"[PAD399]") == 1
    built.write_bytes(content.replace(b"[PAD399]", b"[PAD398]"))
    with pytest.raises(ModelError, match="a token twice"):
        drain(verify(built))
