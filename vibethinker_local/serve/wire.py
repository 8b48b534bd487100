"""What a client may send, in the OpenAI protocol's words: a request read strictly where it matters, and its errors.

A field that asks for something else than what would be done is refused by name; one that asks for nothing (`user`,
`store`, `metadata`, whatever comes next) is passed over.
"""

import codecs
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vibethinker_local.events import BudgetName, PassMode, VerdictKind
from vibethinker_local.system import wording
from vibethinker_local.system.unicode import composed

MOST_MESSAGES, MOST_CHOICES, MOST_STOPS, LONGEST_STOP = 2000, 64, 4, 500
NAMED = 200  # characters of a client's value that an error may quote
Role = Literal["system", "developer", "user", "assistant"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
FinishReason = Literal["stop", "length"]
TEXTS = ("text", "input_text", "output_text")  # kinds of parts; the last two as the Responses API calls them
NO_TOOLS = "this model does not call tools: leave it out, and ask in words"
FORMS = (  # what a reply is to keep to, as clients of llama-server, vLLM and SGLang write it
    "grammar", "json_schema", "structured_outputs", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
    "regex", "ebnf",
)  # fmt: skip


class ApiError(Exception):
    """An error in the protocol's form: what is wrong, which field, and what to do about it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.param, self.code, self.retry_after = message, status, param, code, retry_after

    def body(self) -> dict[str, object]:
        kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        kind = kinds.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_after)} if self.retry_after is not None else {}


class Tolerant(BaseModel):
    """Passes unknown fields over; NaN and infinity are no numbers."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class ChatMessage(Tolerant):
    role: Role
    content: str = ""
    reasoning_content: str | None = None  # of the last message, where it is the assistant's and to be continued

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("role") in ("tool", "function"):
                raise ValueError("a message of a tool cannot be read: " + NO_TOOLS)
            if value.get("tool_calls") or value.get("function_call"):
                raise ValueError("tool_calls: " + NO_TOOLS)
        return value

    @field_validator("content", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        """Text, or the parts of a text. An image is refused."""
        if value is None:
            return ""
        if not isinstance(value, list):
            return value
        return "\n".join(_part(part) for part in value)

    @field_validator("content", "reasoning_content")
    @classmethod
    def _composed(cls, value: str | None) -> str | None:
        """NFC, because Hugging Face's Qwen2 tokenizer normalises and llama.cpp does not."""
        return composed(value) if value else value


class StreamOptions(Tolerant):
    include_usage: bool | None = None


def _as_schema(value: Any) -> dict[str, Any] | bool:
    if value is None:
        return True
    if not isinstance(value, dict | bool):
        raise ValueError("a schema is an object, or true or false")
    return value


GivenSchema = Annotated[Any, AfterValidator(_as_schema)]  # an object, or whether anything satisfies it


class NamedSchema(Tolerant):
    name: str | None = None
    schema_: GivenSchema = Field(alias="schema", default=True)


class ResponseFormat(Tolerant):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None
    schema_: GivenSchema = Field(alias="schema", default=True)  # in this place, as llama-server and others have it

    @model_validator(mode="after")
    def _complete(self) -> "ResponseFormat":
        if self.type == "json_schema" and self.json_schema is None and self.schema_ is True:
            raise ValueError("json_schema is missing")
        return self


class Reliability(Tolerant):
    """How the reliability pass is run; what is not given is as with `vibe solve -r`."""

    model_config = ConfigDict(extra="forbid")

    budget: BudgetName | None = None
    mode: PassMode | None = None
    samples: int | None = Field(default=None, ge=1, le=64)
    verdicts: VerdictKind | None = None
    stopping: bool | None = None  # None: as usual, which is True
    seconds: float | None = Field(default=None, gt=0)


class TemplateOptions(Tolerant):
    """What vLLM and its clients use to switch the reasoning off."""

    enable_thinking: bool | None = None


class ChatCompletionRequest(Tolerant):
    model: str | None = None
    messages: tuple[ChatMessage, ...] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**64)
    temperature: float | None = Field(default=None, ge=0, le=5)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=-1, le=2**24)
    min_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: tuple[str, ...] = ()
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    reasoning_effort: Effort | None = None
    thinking_budget: int | None = Field(default=None, ge=-1)  # tokens; -1: no limit
    chat_template_kwargs: TemplateOptions | None = None
    reliability: Reliability | None = None

    @model_validator(mode="before")
    @classmethod
    def _possible(cls, value: Any) -> Any:
        """Refuse what would silently be answered otherwise than it was asked."""
        if isinstance(value, dict):
            for name in ("tools", "functions"):
                if value.get(name) and value.get("tool_choice") != "none":
                    raise _Refused(name, NO_TOOLS)
            for name in ("frequency_penalty", "presence_penalty"):
                if value.get(name):
                    raise _Refused(name, "penalties are not applied here: leave it out, or give 0")
            for name in FORMS:
                if value.get(name) and not value.get("response_format"):
                    raise _Refused(name, "replies do not keep to it here: leave it out, or give response_format")
            if value.get("logit_bias"):
                raise _Refused("logit_bias", "it is not applied here: leave it out")
            modalities = value.get("modalities") or []
            if not isinstance(modalities, list | str):
                raise _Refused("modalities", 'it is no list: leave it out, or give ["text"]')
            if "audio" in modalities or value.get("audio"):
                raise _Refused("modalities", "only text comes out: leave it out")
        return value

    @field_validator("reliability", mode="before")
    @classmethod
    def _as_usual(cls, value: Any) -> Any:
        """True takes all as it is usual."""
        return {} if value is True else None if value is False else value

    @field_validator("max_tokens", "max_completion_tokens", "seed", mode="before")
    @classmethod
    def _left_open(cls, value: Any) -> Any:
        """-1 leaves it to the server, as with llama-server, LM Studio and vLLM."""
        return None if value == -1 else value

    @field_validator("stop", mode="before")
    @classmethod
    def _stops(cls, value: Any) -> Any:
        return () if value is None else (value,) if isinstance(value, str) else value

    @field_validator("stop")
    @classmethod
    def _few(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > MOST_STOPS:
            raise ValueError(f"up to {MOST_STOPS} texts, not {len(value)}")
        if any(not 0 < len(stop) <= LONGEST_STOP for stop in value):
            raise ValueError(f"each text has 1 to {LONGEST_STOP} characters")
        return value

    @property
    def limit(self) -> int | None:
        """Tokens of a reply; the newer name wins."""
        return self.max_completion_tokens or self.max_tokens


class _Refused(ValueError):
    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def read(body: bytes) -> ChatCompletionRequest:
    """Raises ApiError, which names the field."""
    try:
        return ChatCompletionRequest.model_validate_json(body.removeprefix(codecs.BOM_UTF8))
    except ValidationError as wrong:
        _explain(wrong)


def _explain(wrong: ValidationError) -> NoReturn:
    """As an ApiError: the first thing that is wrong. Never the message's text, which may be the user's."""
    first = wrong.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise ApiError(f"The body is not valid JSON: {first['msg'].removeprefix('Invalid JSON: ')}.") from None
    error = first.get("ctx", {}).get("error")
    path = [str(part) for part in first["loc"] if not str(part).startswith("function-")]
    if isinstance(error, _Refused):
        path = [error.field]
    said = str(error) if isinstance(error, ValueError) else wording.said(first)
    if first["type"] == "extra_forbidden":  # only Reliability is read so strictly
        said += f"; there are {', '.join(Reliability.model_fields)}"
    where = ".".join(path)
    raise ApiError(f"{where}: {said}." if where else f"The body is no request: {said}.", param=where or None) from None


def _part(part: Any) -> str:
    """The text of one part of a message's content."""
    kind = part.get("type", "text") if isinstance(part, dict) else None
    if isinstance(part, str):
        return part
    if kind in TEXTS and isinstance(part.get("text"), str):
        return str(part["text"])
    if isinstance(kind, str) and kind.startswith(("image", "input_image", "video")):
        raise ValueError("this model reads text only: leave the image out")
    if isinstance(kind, str) and kind not in TEXTS:
        raise ValueError(f"this model reads text only, not {kind[:NAMED]!r}: leave that part out")
    raise ValueError('each part of a text is {"type": "text", "text": "…"}')
