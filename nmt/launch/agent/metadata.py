"""The notices that a spot machine gets before it is taken away."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

ANSWER_S = 2.0  # the service is on the machine's own link
TOKEN_TTL_S = 21_600


class Metadata:
    """The machine's metadata service, with a session token (IMDSv2)."""

    def __init__(self, address: str) -> None:
        self.address, self.token = address, ""
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _ask(self, path: str, headers: dict[str, str], method: str) -> str:
        request = urllib.request.Request(self.address + path, headers=headers, method=method)
        with self.opener.open(request, timeout=ANSWER_S) as answer:
            return str(answer.read().decode("utf-8", "replace"))

    def get(self, path: str) -> dict[str, Any] | None:
        """The object at `path`, None where there is none. Raises OSError, ValueError."""
        for _ in range(2):
            if not self.token:
                ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
                self.token = self._ask("/latest/api/token", ttl, "PUT")
            try:
                content = json.loads(self._ask(path, {"X-aws-ec2-metadata-token": self.token}, "GET"))
                return content if isinstance(content, dict) else None
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code != 401:
                    raise
                self.token = ""  # it has run out
        return None

    def interruption(self) -> dict[str, Any] | None:
        return self.get("/latest/meta-data/spot/instance-action")

    def rebalance(self) -> dict[str, Any] | None:
        return self.get("/latest/meta-data/events/recommendations/rebalance")
