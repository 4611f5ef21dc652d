"""The exception tree. Every error a user can meet has a stable ``code``, one sentence and a hint.

    LocalLLMError
    ├── RequestError            400  the request itself is wrong
    │   ├── UnknownParameter         a field this server does not know
    │   ├── UnsupportedParameter     a known field with a value this server does not do
    │   ├── InvalidParameter         wrong type or out of range
    │   ├── InvalidJSON              the body is not JSON
    │   ├── InvalidText              text that is not Unicode (lone surrogates)
    │   ├── InvalidGrammar           a GBNF grammar or JSON schema that does not compile
    │   ├── PromptTooLong            more prompt tokens than the context window
    │   ├── TemplateFailed           the model's chat template failed or ran over its limits
    │   ├── DiagramInvalid           the source of a diagram does not parse
    │   ├── DiagramTooLarge          it is too long, or too much work to lay out
    │   └── Unsupported              this model cannot do that (embeddings, chat)
    ├── RequestTooLarge         413
    ├── Unauthorized            401
    ├── NotFound                404  no such route or stream
    │   └── ModelNotFound            no such model
    ├── ModelFileError          422  the file is not a model this engine can load
    ├── QueueFull               503
    ├── NotEnoughMemory         507
    ├── WorkerError             502  the process that runs the model failed
    │   ├── WorkerCrashed
    │   ├── WorkerHung
    │   └── WorkerStartFailed
    ├── HostUnavailable         503  no host can be reached or started
    │   └── HostStopping             it ends, and everything that runs on it
    ├── HistoryError            503  the kept chats cannot be read or saved
    │   └── HistoryFull         507  no room on the disk for them
    ├── DiagramsUnavailable     503  this machine lacks what draws diagrams, or it failed
    ├── Cancelled               499  the caller went away or asked to stop
    └── InternalError           500  our own bug

Imported by everyone; imports nothing of this package.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LocalLLMError(Exception):
    """An error that is shown to the user as it stands.

    Parameters
    ----------
    message : str
        One plain sentence saying what happened.
    hint : str
        The next step. May be empty only where there is none.
    code : str, optional
        Overrides the class's ``code`` where one class covers several defects.
    param : str, optional
        The request field at fault.
    details : dict, optional
        Facts behind the message (numbers, names), JSON values only.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    kind: ClassVar[str] = "server_error"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        code: str | None = None,
        param: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.error_code = code or self.code
        self.param = param
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def to_body(self) -> dict[str, Any]:
        """Return the inner object of an OpenAI error reply: ``{"error": <this>}``."""
        body: dict[str, Any] = {
            "message": self.message,
            "type": self.kind,
            "code": self.error_code,
            "param": self.param,
            "hint": self.hint,
        }
        if self.details:
            body["details"] = self.details
        return body

    def _render_traceback_(self) -> list[str]:
        """IPython shows this in place of a traceback."""
        lines = [f"{self.message} [{self.error_code}]"]
        if self.hint:
            lines.append(self.hint)
        return lines


class RequestError(LocalLLMError):
    code = "invalid_request"
    status = 400
    kind = "invalid_request_error"


class UnknownParameter(RequestError):
    code = "unknown_parameter"


class UnsupportedParameter(RequestError):
    code = "unsupported_parameter"


class InvalidParameter(RequestError):
    code = "invalid_parameter"


class InvalidJSON(RequestError):
    code = "invalid_json"


class InvalidText(RequestError):
    code = "invalid_text"


class InvalidGrammar(RequestError):
    code = "invalid_grammar"


class PromptTooLong(RequestError):
    code = "prompt_too_long"


class TemplateFailed(RequestError):
    code = "template_failed"


class DiagramInvalid(RequestError):
    """``details``: ``kind line column source_line reason``; places from 1, 0 where unknown."""

    code = "diagram_invalid"


class DiagramTooLarge(RequestError):
    code = "diagram_too_large"


class Unsupported(RequestError):
    code = "unsupported"


class RequestTooLarge(LocalLLMError):
    code = "request_too_large"
    status = 413
    kind = "invalid_request_error"


class Unauthorized(LocalLLMError):
    code = "unauthorized"
    status = 401
    kind = "authentication_error"


class NotFound(LocalLLMError):
    code = "not_found"
    status = 404
    kind = "invalid_request_error"


class ModelNotFound(NotFound):
    code = "model_not_found"


class ModelFileError(LocalLLMError):
    """The file is not a usable model; ``code`` says which defect (see ``models/gguf.py``)."""

    code = "model_file_invalid"
    status = 422
    kind = "invalid_request_error"


class QueueFull(LocalLLMError):
    code = "queue_full"
    status = 503


class NotEnoughMemory(LocalLLMError):
    code = "not_enough_memory"
    status = 507


class WorkerError(LocalLLMError):
    code = "worker_failed"
    status = 502


class WorkerCrashed(WorkerError):
    code = "worker_crashed"


class WorkerHung(WorkerError):
    code = "worker_hung"


class WorkerStartFailed(WorkerError):
    code = "worker_start_failed"


class HostUnavailable(LocalLLMError):
    code = "host_unavailable"
    status = 503


class HostStopping(HostUnavailable):
    code = "host_stopping"


class HistoryError(LocalLLMError):
    """What was kept before is intact; ``history_too_new`` needs a newer version of us."""

    code = "history_not_saved"
    status = 503


class HistoryFull(HistoryError):
    status = 507


class DiagramsUnavailable(LocalLLMError):
    code = "diagrams_unavailable"
    status = 503


class AnswerUnusable(LocalLLMError):
    """The model answered, and the answer is not what was asked for."""

    code = "answer_unusable"
    status = 502


class AnswerCut(AnswerUnusable):
    """The answer ended with its last allowed token, in the middle of something."""

    code = "answer_cut"


class CodeRefused(LocalLLMError):
    """The generated code was not run because nobody agreed to it."""

    code = "code_refused"
    status = 403


class Cancelled(LocalLLMError):
    code = "cancelled"
    status = 499


class InternalError(LocalLLMError):
    """A bug of ours, told without internals; the log has the traceback."""


def _tree(root: type[LocalLLMError]) -> list[type[LocalLLMError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


def error_from_body(body: dict[str, Any], status: int = 500) -> LocalLLMError:
    """Rebuild the exception that :meth:`LocalLLMError.to_body` described.

    An outside server's error, whose code we do not know, keeps its code and message and takes
    the class that fits its HTTP status.
    """
    code = str(body.get("code") or "")
    # Of two classes with one code the status tells which.
    known = [cls for cls in _tree(LocalLLMError) if cls.code == code]
    cls = next((cls for cls in known if cls.status == status), known[0] if known else None)
    if cls is None:
        by_status = {400: RequestError, 401: Unauthorized, 404: NotFound, 413: RequestTooLarge}
        by_status |= {422: ModelFileError, 503: QueueFull, 507: NotEnoughMemory}
        cls = by_status.get(status, WorkerError if status >= 500 else RequestError)
    details = body.get("details")
    return cls(
        str(body.get("message") or f"The server answered with status {status}."),
        str(body.get("hint") or ""),
        code=code or None,
        param=body.get("param"),
        details=details if isinstance(details, dict) else None,
    )
