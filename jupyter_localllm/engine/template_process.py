"""The child process that renders chat templates.

Started as ``python -m jupyter_localllm.engine.template_process`` by ``chat_template``.
A chat template is a program that comes with a model file. Jinja's sandbox stops it from reaching
Python, but not from building a gigabyte of text or looping for minutes, so it runs here, under a
memory limit that the operating system keeps and a deadline that the parent keeps by ending this
process. One JSON object a line in, one out. Imports nothing of llama.cpp.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_LIMIT_BYTES = 384 << 20


def _limit_memory() -> None:
    # No such limit on Windows: there the parent's deadline and the output cap remain.
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _environment() -> ImmutableSandboxedEnvironment:
    # trim_blocks and lstrip_blocks are what template authors write for (transformers' choice).
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )

    def to_json(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return environment


def main() -> None:
    """Answer render requests until stdin ends."""
    _limit_memory()
    environment = _environment()
    templates: dict[str, Any] = {}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            source = request["template"]
            if source not in templates:
                templates = {source: environment.from_string(source)}
            text = templates[source].render(**request["values"])
            if len(text) > request["max_chars"]:
                reply = {"error": f"it wrote more than {request['max_chars']:,} characters"}
            else:
                reply = {"text": text}
        except MemoryError:
            reply = {"error": "it used too much memory"}
        except RecursionError:
            reply = {"error": "it is nested too deeply"}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:500]}
        sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
