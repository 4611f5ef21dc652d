"""Request bodies: JSON -> our strict request nouns, with errors that name the field.

Used by every surface that takes OpenAI requests, and by the client to write them. No tornado, no
httpx.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from .. import errors
from ..protocol import MAX_BODY_BYTES, ChatCompletionRequest, CompletionRequest

RequestType = TypeVar("RequestType", bound=msgspec.Struct)

_FIELD_ERROR = re.compile(r"unknown field `(?P<field>[^`]*)`")
#: Half of an escaped surrogate pair without its other half: no Unicode text has one.
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_PATH = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")


def decode_request(body: bytes, kind: type[RequestType]) -> RequestType:
    """Read one request body.

    Parameters
    ----------
    body : bytes
        JSON, at most ``MAX_BODY_BYTES``.
    kind : type
        The request struct expected.

    Raises
    ------
    RequestTooLarge, InvalidJSON, InvalidText, UnknownParameter, InvalidParameter,
    UnsupportedParameter
        Each names the field where there is one.
    """
    if len(body) > MAX_BODY_BYTES:
        raise errors.RequestTooLarge(
            f"The request has {len(body):,} bytes; at most {MAX_BODY_BYTES:,} are taken.",
            "Send less text; long material belongs into a shorter excerpt.",
            details={"size_bytes": len(body), "limit_bytes": MAX_BODY_BYTES},
        )
    try:
        request = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _validation_error(str(error), kind) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _decode_error(body, str(error)) from None
    if isinstance(request, (ChatCompletionRequest, CompletionRequest)):
        check_supported(request)
    return request


def _decode_error(body: bytes, text: str) -> errors.LocalLLMError:
    is_lone = _LONE_SURROGATE.search(body) is not None
    if is_lone or "surrogate" in text or "utf-8" in text.lower():
        return errors.InvalidText(
            "The request holds text that is not valid Unicode.",
            "Remove lone surrogates or re-encode the text as UTF-8.",
        )
    return errors.InvalidJSON(
        f"The request body is not valid JSON: {text[:200]}.", "Send one JSON object."
    )


def _validation_error(text: str, kind: type[msgspec.Struct]) -> errors.LocalLLMError:
    where = _PATH.search(text)
    path = where["path"] if where else ""
    if field := _FIELD_ERROR.search(text):
        name = f"{path}.{field['field']}" if path else field["field"]
        known = ", ".join(sorted(kind.__struct_fields__))
        return errors.UnknownParameter(
            f"The parameter `{name}` is not known here.",
            f"Remove it. Known parameters: {known}.",
            param=name,
        )
    reason = _PATH.sub("", text)
    if missing := re.search(r"missing required field `([^`]*)`", reason):
        path = path or missing[1]
    subject = f"The parameter `{path}`" if path else "The request body"
    return errors.InvalidParameter(
        f"{subject} is wrong: {reason[:1].lower()}{reason[1:]}.",
        "Correct the value and send the request again.",
        param=path or None,
    )


def check_supported(request: ChatCompletionRequest | CompletionRequest) -> None:
    """Refuse values that OpenAI's API allows and this one does not do."""
    if request.n not in (None, 1):
        raise errors.UnsupportedParameter(
            "One answer is made per request; `n` must be 1.",
            "Send the request several times with different seeds.",
            param="n",
        )
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if any(not stop for stop in stops):
        raise errors.InvalidParameter(
            "A stop string is empty.", "Leave `stop` out or give some text.", param="stop"
        )
    for token in request.logit_bias or {}:
        if not token.isdecimal():
            raise errors.InvalidParameter(
                f"The key {token[:40]!r} of `logit_bias` is not a token id.",
                "Look token ids up with /tokenize.",
                param="logit_bias",
            )
    if request.grammar is not None and request.response_format is not None:
        raise errors.InvalidParameter(
            "`grammar` and `response_format` exclude each other.",
            "Send only one of them.",
            param="grammar",
        )
    shape = request.response_format
    if shape is not None and (shape.type == "json_schema") != (shape.json_schema is not None):
        raise errors.InvalidParameter(
            "`response_format` needs `json_schema` exactly where its type is json_schema.",
            'Send {"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}.',
            param="response_format",
        )
    if (
        isinstance(request, ChatCompletionRequest)
        and request.max_tokens is not None
        and request.max_completion_tokens is not None
    ):
        raise errors.InvalidParameter(
            "`max_tokens` and `max_completion_tokens` mean the same here.",
            "Send only one of them.",
            param="max_completion_tokens",
        )


def encode_request(request: msgspec.Struct) -> bytes:
    """Return the request as JSON, unset fields left out."""
    return msgspec.json.encode(request)
