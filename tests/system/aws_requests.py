"""A request to the AWS of aws_server.py, who sends it, and how it is refused."""

from __future__ import annotations

import functools
import json
import urllib.parse
from dataclasses import dataclass

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SECRET = "wJalrXUtnFEMI7MDENGbPxRfiCYNOTAKEY"  # looked for in all that is written
OWN_ADDRESS = "203.0.113.7"
JSON_ANSWER, XML_ANSWER = "application/x-amz-json-1.1", "text/xml"
Answer = tuple[int, str, bytes]


@dataclass(frozen=True)
class Caller:
    account: str
    arn: str


MOTO = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/moto")


@dataclass(frozen=True)
class Call:
    service: str
    action: str
    region: str
    body: str
    caller: Caller

    @functools.cached_property
    def fields(self) -> dict[str, str]:
        """Of the query protocol, which EC2 speaks."""
        return dict(urllib.parse.parse_qsl(self.body))

    @property
    def dry(self) -> bool:
        return "DryRun=true" in self.body


class CutError(ConnectionError):
    """The connection ends without an answer."""


class SlowError(CutError):
    """The answer comes too late."""


def refusal(call: Call, code: str, status: int, message: str = "as the test wants it") -> Answer:
    """An error as the service's protocol writes it."""
    if call.service in ("ec2",):
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
        return status, XML_ANSWER, text.encode()
    if call.service == "s3":
        return status, XML_ANSWER, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    if call.service == "sts":
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        return status, XML_ANSWER, text.encode()
    return status, JSON_ANSWER, json.dumps({"__type": code, "message": message}).encode()


def json_answer(value: object) -> Answer:
    return 200, JSON_ANSWER, json.dumps(value).encode()
