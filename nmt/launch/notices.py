"""A metadata service of one's own on a loopback address, which gives the notices when it is told to.

It answers as a spot machine's does (IMDSv2): a token first, 401 without one, 404 where there is no notice.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

INTERRUPTION = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
NOTICE_S = 120.0


class MetadataServer:
    """A context: listens on 127.0.0.1 until its end. `notice` and `rebalance` are what a spot machine may be told."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, str]] = {}
        self.token = secrets.token_urlsafe(16)
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                known = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
                self.reply(200 if known else 400, service.token if known else "")

            def do_GET(self) -> None:
                if self.headers["X-aws-ec2-metadata-token"] != service.token:
                    self.reply(401, "")
                elif self.path in service.answers:
                    self.reply(200, json.dumps(service.answers[self.path]))
                else:
                    self.reply(404, "")

            def reply(self, status: int, text: str) -> None:
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                """Nobody needs each look of the agent on the screen."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def notice(self, after_s: float = NOTICE_S) -> float:
        """From now on: this machine is taken away in `after_s` seconds; -> when, in seconds since 1970."""
        end = time.time() + after_s
        self.answers[INTERRUPTION] = {"action": "terminate", "time": _utc(end)}
        return end

    def rebalance(self) -> None:
        """From now on: this machine is more likely than others to be taken away."""
        self.answers[REBALANCE] = {"noticeTime": _utc(time.time())}

    def renew(self) -> None:
        """The token that was given is no longer good."""
        self.token = secrets.token_urlsafe(16)

    def __enter__(self) -> MetadataServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
