"""Qwen2 in PyTorch, with only what training needs: no cache, no generation. Parameter names are Hugging Face's.

Source: transformers, models/qwen2/modeling_qwen2.py (RMSNorm before each block, QKV bias, SwiGLU, tied embeddings).
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class NetworkShape:
    """The config.json fields that set the shape; sizes in channels."""

    vocab_size: int
    hidden_size: int = 128
    intermediate_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    max_position_embeddings: int = 2048
    rope_theta: float = 1e6
    rms_norm_eps: float = 1e-6

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads

    def config(self, *, bos: int, eos: int) -> dict[str, object]:
        """config.json of the checkpoint."""
        return {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            **asdict(self),
            "bos_token_id": bos,
            "eos_token_id": eos,
            "hidden_act": "silu",
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "torch_dtype": "bfloat16",
        }


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        key_size = shape.num_key_value_heads * shape.head_size
        self.q_proj = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.k_proj = nn.Linear(shape.hidden_size, key_size)
        self.v_proj = nn.Linear(shape.hidden_size, key_size)
        self.o_proj = nn.Linear(shape.hidden_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, sees: Tensor | None) -> Tensor:
        batch, length, _ = x.shape
        heads, groups, size = self.shape.num_attention_heads, self.shape.num_key_value_heads, self.shape.head_size
        q = rotate(self.q_proj(x).view(batch, length, heads, size).transpose(1, 2), cos, sin)
        k = rotate(self.k_proj(x).view(batch, length, groups, size).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(batch, length, groups, size).transpose(1, 2)
        k, v = (t.repeat_interleave(heads // groups, dim=1) for t in (k, v))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=sees, is_causal=sees is None)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, heads * size))


class MLP(nn.Module):
    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.mlp = MLP(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, sees: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, sees)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)


class Qwen2(nn.Module):
    """Token ids (batch, length) → next-token loss against targets (batch, length), -100 where none counts.

    Rows with branches come with `positions` and `branches`, both (batch, length): a token sees what stands before it in
    the trunk, which is branch 0, and in its own branch.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.model = Body(shape)
        angle = shape.rope_theta ** (-torch.arange(0, shape.head_size, 2) / shape.head_size)
        angles = torch.arange(shape.max_position_embeddings)[:, None] * torch.cat((angle, angle))[None]
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=1.0 if "embed" in name else parameter.shape[1] ** -0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        nn.init.constant_(self.model.norm.weight, shape.hidden_size**-0.5)  # logits of about 1 with such embeddings
        start_with_lookup(self.model.layers[0].self_attn, self.model.layers[1].self_attn)

    def logits(self, tokens: Tensor, positions: Tensor | None = None, branches: Tensor | None = None) -> Tensor:
        length = tokens.shape[1]
        if positions is None or branches is None:
            cos, sin, sees = self.cos[:length], self.sin[:length], None
        else:
            cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
            own, other = branches[:, None, :, None], branches[:, None, None, :]
            sees = ((own == other) | (other == 0)).tril()
        x = self.model.embed_tokens(tokens)
        for layer in self.model.layers:
            x = layer(x, cos, sin, sees)
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)

    def forward(
        self, tokens: Tensor, targets: Tensor, positions: Tensor | None = None, branches: Tensor | None = None
    ) -> Tensor:
        """Per-token cross entropy in nats, shape (batch, length); 0 where the target is -100."""
        logits = self.logits(tokens, positions, branches).float()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none").view_as(
            tokens
        )


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding, the half-split (NeoX) form; x is (batch, heads, length, head size)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


@torch.no_grad()
def start_with_lookup(first: Attention, second: Attention) -> None:
    """Initialise the first two layers as an induction circuit (Olsson et al. 2022), which training then adapts.

    In "Ann has 5" the number belongs to the token three back; where the reply has come to "Ann has", the name stands
    two back. Head h of the first layer looks h + 1 tokens back: a key bias k and a query bias of k rotated by -d score
    highest at distance d, because rotary embedding is relative. Heads 1 and 2 note what they see in two places, and
    head 0 of the second layer looks for tokens whose second note equals its own first one, and copies them. From a
    random start this took more steps than everything else together.
    """
    shape = first.shape
    size, heads = shape.head_size, shape.num_attention_heads
    angle = shape.rope_theta ** (-torch.arange(0, size, 2) / size)
    fast = torch.where(angle > 0.05, 6.0, 0.0)  # channels that tell neighbours apart
    back = -torch.arange(1, heads + 1)[:, None] * angle
    first.k_proj.bias.copy_(torch.cat((fast, torch.zeros_like(fast))).repeat(shape.num_key_value_heads))
    first.q_proj.bias.copy_(torch.cat((fast * back.cos(), fast * back.sin()), dim=1).flatten())
    seen = torch.linalg.qr(torch.randn(shape.hidden_size, size))[0].T
    notes = torch.linalg.qr(torch.randn(shape.hidden_size, 2 * size))[0]
    first.v_proj.weight.copy_(seen.repeat(shape.num_key_value_heads, 1))
    first.o_proj.weight[:, size : 3 * size] = 1.5 * notes
    slow = (angle < 0.006).repeat(2)[:, None]  # channels in which distance hardly matters
    second.q_proj.weight[:size] = 2 * notes[:, :size].T * slow
    second.k_proj.weight[:size] = 2 * notes[:, size:].T * slow
    copied = torch.linalg.qr(torch.randn(shape.hidden_size, size))[0].T
    second.v_proj.weight[:size] = copied
    second.o_proj.weight[:, :size] = 2 * copied.T
