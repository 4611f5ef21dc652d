"""The nouns on every wire: requests, the events of an answer, model states, websocket frames.

Requests are strict (an unknown field is an error with its name, DESIGN invariant 5); they are
validated once, where bytes enter. How these nouns look in OpenAI's JSON is ``openai_api/``.
Imported by everyone; imports only ``errors``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta, Struct

PROTOCOL_VERSION = 1

#: Bytes of one request body or websocket message.
MAX_BODY_BYTES = 1 << 20

NonNegative = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
RequestId = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]


# --- requests -------------------------------------------------------------------------------


class TextPart(Struct, forbid_unknown_fields=True):
    """One part of a message's content; only text parts are taken."""

    text: str
    type: Literal["text"] = "text"


class ChatMessage(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    @property
    def text(self) -> str:
        """The content as one string."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class JSONSchemaFormat(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """OpenAI's ``json_schema`` object; the answer is always strict, by grammar."""

    schema: dict[str, Any]
    name: str = "answer"
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What shape the answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchemaFormat | None = None


class StreamOptions(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """``include_usage`` is taken for compatibility: usage always comes with the last chunk."""

    include_usage: bool | None = None


class RequestBase(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What chat and text completions share. ``None`` means: the model's default.

    Beyond OpenAI's fields (as llama.cpp's server has them): ``top_k min_p repeat_penalty
    repeat_last_n grammar`` (GBNF) ``cache_prompt return_progress``;
    ``priority`` orders the queue (higher first, default 0); ``user`` is the key of fair queueing.
    """

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    top_k: NonNegative | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    repeat_last_n: Annotated[int, Meta(ge=-1)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=16)] | None = None
    n: int | None = None
    grammar: str | None = None
    cache_prompt: bool | None = None
    return_progress: bool | None = None
    priority: Annotated[int, Meta(ge=-10, le=10)] | None = None
    user: str | None = None


class ChatCompletionRequest(RequestBase, kw_only=True):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    max_completion_tokens: Positive | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None


class CompletionRequest(RequestBase, kw_only=True):
    """``POST /v1/completions``; ``prompt`` is text or token ids of this model."""

    prompt: str | Annotated[list[NonNegative], Meta(min_length=1)]
    response_format: ResponseFormat | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None


class EmbeddingRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``POST /v1/embeddings``."""

    input: str | Annotated[list[str], Meta(min_length=1, max_length=256)]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = None


class TokenizeRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``POST /tokenize``. ``parse_special`` reads ``<|…|>`` as control tokens."""

    content: str
    model: str = ""
    add_special: bool = False
    parse_special: bool = False


class DetokenizeRequest(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``POST /detokenize``."""

    tokens: list[NonNegative]
    model: str = ""


# --- the events of an answer ----------------------------------------------------------------


class FinishReason(Enum):
    """Why an answer ended; the fourth terminal event, ``error``, is an exception."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


class Usage(Struct):
    """Token counts of one request; ``cached_tokens`` of the prompt were not computed again."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Timings(Struct, omit_defaults=True):
    """Measured times, named as llama.cpp's server names them; milliseconds."""

    cache_n: int = 0
    prompt_n: int = 0
    prompt_ms: float = 0.0
    prompt_per_second: float = 0.0
    predicted_n: int = 0
    predicted_ms: float = 0.0
    predicted_per_second: float = 0.0
    queue_ms: float = 0.0
    first_token_ms: float = 0.0


class TopLogprob(Struct):
    """One alternative for a token."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(Struct):
    """A sampled token with its natural-log probability and the best alternatives."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]


class ModelState(Enum):
    """Where a model's worker is."""

    NOT_LOADED = "not_loaded"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class CompletionProgress(Struct, omit_defaults=True, tag_field="type", tag="progress"):
    """Something the waiting person may be told before the first token.

    ``queue_position`` is the place in line, 1 being the next. ``load_progress`` is 0 to 1.
    """

    queue_position: int | None = None
    prompt_tokens_done: int | None = None
    prompt_tokens_total: int | None = None
    model_state: ModelState | None = None
    load_progress: float | None = None


class CompletionChunk(Struct, omit_defaults=True, tag_field="type", tag="chunk"):
    """A piece of the answer: whole UTF-8, no stop string; empty only if it has ``logprobs``."""

    text: str
    logprobs: list[TokenLogprob] | None = None


class CompletionDone(Struct, omit_defaults=True, tag_field="type", tag="done"):
    """The one terminal event of an answer that did not end in an error."""

    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    model: str = ""
    seed: int | None = None


CompletionEvent = CompletionProgress | CompletionChunk | CompletionDone


# --- models ---------------------------------------------------------------------------------


class ModelInfo(Struct, omit_defaults=True):
    """A model as lists show it. ``path`` never leaves the machine's own kernel or server log."""

    id: str
    state: ModelState = ModelState.NOT_LOADED
    is_default: bool = False
    size_bytes: int | None = None
    context_window: int | None = None
    architecture: str | None = None
    chat_template: str | None = None
    can_embed: bool = False
    can_chat: bool = True
    load_progress: float | None = None
    source: str = ""
    warnings: list[str] = []
    error: dict[str, Any] | None = None


class WorkerStatus(Struct, omit_defaults=True):
    """One worker process, as ``%llm status`` and the page show it."""

    model: str
    pid: int
    state: ModelState
    memory_bytes: int | None = None
    running: int = 0
    waiting: int = 0
    slots_busy: int | None = None
    idle_s: float | None = None


class HostStatus(Struct):
    """What a host runs. ``running`` and ``waiting`` count requests of all its models."""

    protocol_version: int
    server_version: str
    models: list[ModelInfo] = []
    workers: list[WorkerStatus] = []
    running: int = 0
    waiting: int = 0


class Embeddings(Struct):
    """One vector per input, in order; floats, L2-normalised."""

    vectors: list[list[float]]
    prompt_tokens: int
    model: str


class Backend(Protocol):
    """Whoever answers: an engine in a worker, the host over its workers, a client of either.

    ``stream`` yields events and ends after exactly one :class:`CompletionDone`, or raises one
    :class:`~jupyter_localllm.errors.LocalLLMError`. Closing the iterator cancels the request.
    """

    def stream(
        self, request: ChatCompletionRequest | CompletionRequest
    ) -> AsyncIterator[CompletionEvent]: ...

    async def embed(self, request: EmbeddingRequest) -> Embeddings: ...

    async def models(self) -> list[ModelInfo]: ...

    async def tokenize(self, request: TokenizeRequest) -> list[int]: ...

    async def detokenize(self, request: DetokenizeRequest) -> str: ...


# --- websocket frames -----------------------------------------------------------------------
# Client to server: start, cancel, resume; server to client: hello, start, progress, delta, done,
# error. Server frames of a request have ``seq``, from 1 without gaps; a delta spans first_seq..seq.


class StartFrame(Struct, forbid_unknown_fields=True, tag_field="type", tag="start"):
    """Ask for an answer. ``request_id`` is made by the page and unique for its user."""

    request_id: RequestId
    request: ChatCompletionRequest


class CancelFrame(Struct, forbid_unknown_fields=True, tag_field="type", tag="cancel"):
    """Stop an answer; idempotent."""

    request_id: RequestId


class ResumeFrame(Struct, forbid_unknown_fields=True, tag_field="type", tag="resume"):
    """Continue after a lost connection with everything after ``last_seq`` (0: from the start)."""

    request_id: RequestId
    last_seq: NonNegative = 0


ClientFrame = StartFrame | CancelFrame | ResumeFrame


class HelloFrame(Struct, tag_field="type", tag="hello"):
    """The first frame on every connection."""

    protocol_version: int
    server_version: str


class StartedFrame(Struct, tag_field="type", tag="start"):
    """The request was accepted."""

    request_id: str
    seq: int
    model: str


class ProgressFrame(Struct, omit_defaults=True, tag_field="type", tag="progress"):
    """As :class:`CompletionProgress`."""

    request_id: str
    seq: int
    queue_position: int | None = None
    prompt_tokens_done: int | None = None
    prompt_tokens_total: int | None = None
    model_state: ModelState | None = None
    load_progress: float | None = None


class DeltaFrame(Struct, tag_field="type", tag="delta"):
    """Text of the answer, of events ``first_seq`` to ``seq``."""

    request_id: str
    first_seq: int
    seq: int
    text: str


class DoneFrame(Struct, omit_defaults=True, tag_field="type", tag="done"):
    """Terminal."""

    request_id: str
    seq: int
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    model: str
    seed: int | None = None


class ErrorFrame(Struct, omit_defaults=True, tag_field="type", tag="error"):
    """Terminal for ``request_id`` where it has ``seq``; else a frame of the page was refused."""

    error: dict[str, Any]
    request_id: str | None = None
    seq: int | None = None


ServerFrame = HelloFrame | StartedFrame | ProgressFrame | DeltaFrame | DoneFrame | ErrorFrame

client_frame_decoder: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)
server_frame_decoder: msgspec.json.Decoder[ServerFrame] = msgspec.json.Decoder(ServerFrame)
