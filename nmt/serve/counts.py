"""What Prometheus reads."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nmt.serve.queue import BatchQueue

PATHS = ("/translate", "/detect", "/languages", "/health", "/frontend/settings", "/translate_file", "/v1/translate")


class Counts:
    """Counters of one service."""

    def __init__(self, queue: BatchQueue) -> None:
        self.registry = CollectorRegistry()
        into = self.registry
        self.requests = Counter("nmt_requests", "Answered requests", ["path", "status"], registry=into)
        self.seconds = Histogram("nmt_request_seconds", "From request to answer", ["path"], registry=into)
        for name, what in (
            ("num_batches", "Batches that were translated"),
            ("num_translated", "Sentences that were translated"),
            ("num_remembered", "Sentences that were answered from memory"),
            ("num_dropped", "Sentences that nobody waited for any more"),
        ):
            Gauge(f"nmt_{name.removeprefix('num_')}_total", what, registry=into).set_function(
                lambda name=name: getattr(queue, name)  # type: ignore[misc]
            )
        Gauge("nmt_waiting", "Sentences in the queue", registry=into).set_function(lambda: len(queue))

    def text(self) -> bytes:
        """In Prometheus' own format."""
        return generate_latest(self.registry)

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Counts what goes through it."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            started, status = time.perf_counter(), [500]

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status[0] = message["status"]
                await send(message)

            path = scope["path"] if scope["path"] in PATHS else "other"
            try:
                await app(scope, receive, noted)
            finally:
                self.requests.labels(path, str(status[0])).inc()
                self.seconds.labels(path).observe(time.perf_counter() - started)

        return counted
