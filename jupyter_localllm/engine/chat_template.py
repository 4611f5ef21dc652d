"""Chat messages -> prompt text, by the model's own template or a named built-in.

Rendering happens in a child process with limits (``template_process``) and never on the
scheduler thread. The worker calls :meth:`TemplateRenderer.render` from a helper thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

from .. import errors
from ..protocol import ChatMessage

RENDER_TIMEOUT_S = 2.0
MAX_TEMPLATE_CHARS = 256 * 1024
#: Characters a template may write per token of the context window.
CHARS_PER_TOKEN = 16

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = (
    "{% for message in messages %}{% if message.role == 'system' %}{{ message.content }}\n\n"
    "{% else %}{{ 'Assistant' if message.role == 'assistant' else 'User' }}: "
    "{{ message.content }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}Assistant:"
    "{% endif %}"
)

BASE_MODEL_WARNING = (
    "This file has no chat template: it is probably a base model, which continues text rather "
    "than answers. The built-in template '{name}' is used."
)


@dataclass(frozen=True)
class ChatTemplate:
    """A template with its name (``model`` for the file's own) and the strings that end a turn."""

    name: str
    source: str
    stops: tuple[str, ...] = ()
    warning: str = ""


BUILT_IN = {
    "chatml": ChatTemplate("chatml", CHATML, ("<|im_end|>",)),
    "plain": ChatTemplate("plain", PLAIN, ("\nUser:", "\nAssistant:")),
}


def choose_template(
    own: str | None, *, has_chatml_tokens: bool, override: str = ""
) -> ChatTemplate:
    """Return the template for a model.

    Parameters
    ----------
    own : str or None
        The template in the file.
    has_chatml_tokens : bool
        Whether the vocabulary knows ``<|im_start|>``.
    override : str
        Name of a built-in to use in any case.

    Raises
    ------
    InvalidParameter
        No built-in has that name.
    """
    if override:
        if override not in BUILT_IN:
            raise errors.InvalidParameter(
                f"There is no built-in chat template '{override}'.",
                f"Choose one of: {', '.join(BUILT_IN)}.",
                param="chat_template",
            )
        return BUILT_IN[override]
    if own is not None and len(own) <= MAX_TEMPLATE_CHARS:
        return ChatTemplate("model", own)
    built_in = BUILT_IN["chatml" if has_chatml_tokens else "plain"]
    warning = BASE_MODEL_WARNING.format(name=built_in.name)
    if own is not None:
        warning = (
            f"The file's chat template has {len(own):,} characters, more than "
            f"{MAX_TEMPLATE_CHARS:,}; the built-in template '{built_in.name}' is used."
        )
    return ChatTemplate(built_in.name, built_in.source, built_in.stops, warning)


class TemplateRenderer:
    """Renders one model's template in a child process, started anew if it had to be ended.

    Parameters
    ----------
    template : ChatTemplate
    bos_token, eos_token : str
        As the template may write them.
    context_window : int
        Bounds the size of the output.
    """

    def __init__(
        self, template: ChatTemplate, *, bos_token: str, eos_token: str, context_window: int
    ) -> None:
        self.template = template
        self._values = {"bos_token": bos_token, "eos_token": eos_token}
        self._max_chars = context_window * CHARS_PER_TOKEN + len(template.source)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the child early, so that the first request does not wait for it."""
        with self._lock:
            self._running_child()

    def close(self) -> None:
        """End the child; idempotent."""
        with self._lock:
            self._end_child()

    def render(self, messages: list[ChatMessage]) -> str:
        """Return the prompt for a conversation, ending where the assistant's turn begins.

        Raises
        ------
        TemplateFailed
            The template raised, or ran over its time, memory or size.
        """
        request = {
            "template": self.template.source,
            "max_chars": self._max_chars + sum(len(message.text) for message in messages),
            "values": {
                **self._values,
                "messages": [_as_template_sees(message) for message in messages],
                "add_generation_prompt": True,
                "tools": None,
            },
        }
        with self._lock:
            reply = self._ask(json.dumps(request).encode() + b"\n")
        if "error" in reply:
            raise self._failed(str(reply["error"]))
        return str(reply["text"])

    def _ask(self, line: bytes) -> dict[str, Any]:
        child = self._running_child()
        assert child.stdin is not None and child.stdout is not None
        timer = threading.Timer(RENDER_TIMEOUT_S, child.kill)
        timer.daemon = True
        timer.start()
        try:
            child.stdin.write(line)
            child.stdin.flush()
            answer = child.stdout.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
        if not answer.endswith(b"\n"):
            self._end_child()
            return {"error": f"it ran out of its {RENDER_TIMEOUT_S:g} seconds or its memory"}
        reply: dict[str, Any] = json.loads(answer)
        return reply

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end_child()
            command = [sys.executable, "-m", "jupyter_localllm.engine.template_process"]
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._child

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def _failed(self, reason: str) -> errors.TemplateFailed:
        return errors.TemplateFailed(
            f"The model's chat template failed: {reason.rstrip('.')}.",
            "Use a built-in one: start the model with the chat template 'chatml' or 'plain'.",
        )


def _as_template_sees(message: ChatMessage) -> dict[str, str]:
    role = "system" if message.role == "developer" else message.role
    return {"role": role, "content": message.text}
