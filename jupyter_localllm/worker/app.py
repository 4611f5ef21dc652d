"""The worker's HTTP face: OpenAI routes, health and metrics over one backend."""

from __future__ import annotations

import socket
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from ..openai_api.routes import PrivateHandler, private_routes, write_json
from .backend import EngineBackend

#: Bytes tornado reads of a body; a larger one than ``MAX_BODY_BYTES`` then gets a clear error.
READ_LIMIT_BYTES = 64 << 20


class HealthHandler(PrivateHandler):
    """``GET /health``: whether the model is ready, and whether the engine moves."""

    backend: EngineBackend

    async def get(self) -> None:
        engine = self.backend.engine
        scheduler = engine.scheduler if engine is not None else None
        is_ready = self.backend.info is not None
        if not is_ready:
            self.set_status(503)
        write_json(
            self,
            {
                "status": "ready" if is_ready else "loading",
                "progress": 1.0 if is_ready else self.backend.load_progress,
                "slots_busy": len(scheduler.running) if scheduler is not None else 0,
                "queue": len(scheduler.waiting) if scheduler is not None else 0,
                "last_step_age_s": engine.last_step_age_s if engine is not None else 0.0,
            },
        )


class MetricsHandler(PrivateHandler):
    """``GET /metrics``: counters in Prometheus' text format."""

    backend: EngineBackend

    async def get(self) -> None:
        engine = self.backend.engine
        scheduler = engine.scheduler if engine is not None else None
        lines: list[str] = []

        def metric(name: str, kind: str, value: float, text: str) -> None:
            full = f"localllm_{name}"
            lines.extend([f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {value:g}"])

        if scheduler is not None:
            counters = scheduler.counters
            texts = {
                "requests_total": "Requests taken in.",
                "cancelled_total": "Requests cancelled.",
                "failed_total": "Requests that ended with an error.",
                "prompt_tokens_total": "Prompt tokens computed.",
                "cached_tokens_total": "Prompt tokens found in the KV cache.",
                "generated_tokens_total": "Tokens sampled.",
                "steps_total": "Batches computed.",
                "preemptions_total": "Requests sent back to wait for cache space.",
            }
            for name, text in texts.items():
                metric(name, "counter", getattr(counters, name), text)
            metric("slots_busy", "gauge", len(scheduler.running), "Requests being computed.")
            metric("slots", "gauge", scheduler.n_slots, "Requests computed at most at once.")
            metric("queue_length", "gauge", len(scheduler.waiting), "Requests waiting.")
            metric("context_window", "gauge", scheduler.context_window, "Tokens per request.")
            kept = scheduler.cache.n_kept_tokens
            metric("kept_prefix_tokens", "gauge", kept, "Tokens of kept prefixes.")
            metric("threads", "gauge", scheduler.context.n_threads, "Threads of the next batch.")
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish("\n".join(lines) + "\n")


def make_server(backend: EngineBackend, api_key: str) -> HTTPServer:
    """Return the server, not yet listening; an empty key means: no key is asked for."""
    settings = {"backend": backend, "api_key": api_key}
    extra = [("/health", HealthHandler, settings), ("/metrics", MetricsHandler, settings)]
    application = Application(
        private_routes(backend, api_key, extra),
        log_function=lambda handler: None,
    )
    return HTTPServer(application, max_body_size=READ_LIMIT_BYTES)


def listen_on_path(server: HTTPServer, path: Path) -> None:
    """Listen on a Unix socket only its owner can open."""
    from tornado.netutil import bind_unix_socket

    server.add_socket(bind_unix_socket(str(path), mode=0o600))


def listen_on_port(server: HTTPServer, host: str, port: int) -> int:
    """Listen on TCP; returns the port (chosen by the system for 0)."""
    sockets = bind_sockets(port, host, family=socket.AF_UNSPEC)
    server.add_sockets(sockets)
    chosen: int = sockets[0].getsockname()[1]
    return chosen
