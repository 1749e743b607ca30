"""An AWS on a loopback address: moto, what moto lacks, and faults on request.

moto knows machines, disks, groups, keys, images and real offerings. Added here, as AWS documents it: quotas, prices,
spot prices, the parameter that names the Deep Learning image, the console's host keys, one's own address, and the
promise that a request with a known client token is the same request.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import re
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

SWITCHES = {  # read when moto is imported
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # hundreds in each region, of which none is used
}
os.environ.update(SWITCHES)
pytest.importorskip("moto", reason="moto is not installed")
import boto3  # noqa: E402
from moto.core.base_backend import BackendDict  # noqa: E402
from moto.ec2.models import ec2_backends  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

from nmt.config.launch import Launch  # noqa: E402
from nmt.config.launching import read_launch  # noqa: E402
from nmt.launch import end, hostkeys, leftovers, up  # noqa: E402
from nmt.launch.aws import Aws  # noqa: E402

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SECRET = "wJalrXUtnFEMI7MDENGbPxRfiCYNOTAKEY"  # looked for in all that is written
OWN_ADDRESS = "203.0.113.7"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDxGkZwXxQ5wxJd1kQ0rN2nM3Yx0m0qgWnU4u0mB0rTe"
IMAGE_NAME = "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20260801"
ON_DEMAND = {"g4dn.xlarge": 0.587, "g5.xlarge": 1.123, "g6.xlarge": 0.8976}  # stands for Amazon's list in these tests
GP3_GB_MONTH = 0.088
SPOT = {"eu-west-1a": 0.21, "eu-west-1b": 0.18, "eu-west-1c": 0.24}
QUOTAS = {"L-DB2E81BA": 8.0, "L-3819A6DF": 4.0, "L-417A185B": 0.0, "L-7212CCBC": 0.0}
JSON_ANSWER, XML_ANSWER = "application/x-amz-json-1.1", "text/xml"
Answer = tuple[int, str, bytes]


@dataclass(frozen=True)
class Call:
    service: str
    action: str
    region: str
    body: str

    @property
    def fields(self) -> dict[str, str]:
        """Of the query protocol, which EC2 speaks."""
        return dict(urllib.parse.parse_qsl(self.body))

    @property
    def dry(self) -> bool:
        return "DryRun=true" in self.body


class CutError(ConnectionError):
    """The connection ends without an answer."""


@dataclass
class AwsServer:
    """`fault(call, act)` answers instead, where it returns an answer; `act()` does what was asked."""

    calls: list[Call] = field(default_factory=list)
    fault: Callable[[Call, Callable[[], Answer]], Answer | None] | None = None
    console: str = f"-----BEGIN SSH HOST KEY KEYS-----\n{HOST_KEY} root@ip\n-----END SSH HOST KEY KEYS-----\n"
    quotas: dict[str, float] = field(default_factory=lambda: dict(QUOTAS))
    tokens: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/my-address":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [f"{OWN_ADDRESS}\n".encode()]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        call = read_call(environ, body)
        self.calls.append(call)
        with self.lock:
            fault = self.fault

        def act() -> Answer:
            with self.lock:
                return self.answer(call, environ, body)

        answered = fault(call, act) if fault is not None else None
        try:
            status, kind, text = answered or act()
        except KeyError:  # a region that moto does not know
            status, kind, text = 500, "text/html", b"<!doctype html><h1>Welcome to our hotel</h1>"
        start_response(f"{status} X", [("Content-Type", kind), ("Content-Length", str(len(text)))])
        return [text]

    def answer(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        if call.action == "RunInstances" and not call.dry:
            return self.run_instances(call, environ, body)
        own = ADDED.get((call.service, call.action))
        found = own(self, call) if own is not None else None
        return found or self.from_moto(environ, body)

    def from_moto(self, environ: dict[str, Any], body: bytes) -> Answer:
        seen: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {**environ, "wsgi.input": io.BytesIO(body)}
        parts = self.moto.get_application(environ)(
            environ, lambda status, headers, *rest: seen.append((status, headers))
        )
        status, headers = seen[0][0], dict(seen[0][1])
        text = b"".join(parts)
        return int(status.split()[0]), headers.get("Content-Type", XML_ANSWER), text

    def run_instances(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        """Known token, same parameters: the first answer again."""
        token = call.fields["ClientToken"]
        asked = re.sub(r"(?m)^(Signature|X-Amz-.*)=.*$", "", "\n".join(sorted(call.body.split("&"))))
        key = (call.region, token)
        if key in self.tokens:
            before, answered = self.tokens[key]
            if before != asked:
                return refusal(call, "IdempotentParameterMismatch", 400)
            return 200, XML_ANSWER, answered
        status, kind, text = self.from_moto(environ, body)
        if call.fields.get("InstanceMarketOptions.MarketType") == "spot" and status == 200:
            made = re.search(rb"<instanceId>(i-[0-9a-f]+)</instanceId>", text)
            assert made is not None
            self.backend(call.region).get_instance(made[1].decode()).lifecycle = "spot"
            text = text.replace(b"<instanceType>", b"<instanceLifecycle>spot</instanceLifecycle><instanceType>", 1)
        if status == 200:
            self.tokens[key] = (asked, text)
        return status, kind, text

    def backend(self, region: str = REGION) -> Any:
        """What moto holds: the truth, whatever was answered."""
        return ec2_backends[ACCOUNT][region]

    def alive(self, region: str = REGION) -> list[Any]:
        return [one for one in self.backend(region).all_instances() if one.state not in ("terminated", "shutting-down")]

    def left(self, region: str = REGION) -> list[str]:
        """Everything that ours could leave behind."""
        backend = self.backend(region)
        found = [one.id for one in self.alive(region)]
        found += [one.id for one in backend.describe_volumes()]
        found += [one.id for one in backend.describe_security_groups() if one.name != "default"]
        return found + [one.key_name for one in backend.describe_key_pairs(key_names=[])]

    def actions(self) -> list[str]:
        """What was asked, each once, in order; dry runs apart."""
        return list(dict.fromkeys(f"{call.service}:{call.action}{' (dry)' if call.dry else ''}" for call in self.calls))


def read_call(environ: dict[str, Any], body: bytes) -> Call:
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    region, service = (scope[1], scope[2]) if scope else ("", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    text = body.decode("utf-8", "replace")
    action = target.rpartition(".")[2] or dict(urllib.parse.parse_qsl(text)).get("Action", environ["REQUEST_METHOD"])
    return Call(service, action, region, text)


def refusal(call: Call, code: str, status: int, message: str = "as the test wants it") -> Answer:
    """An error as the service's protocol writes it."""
    if call.service in ("ec2",):
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"
        return status, XML_ANSWER, text.encode()
    if call.service == "sts":
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        return status, XML_ANSWER, text.encode()
    return status, JSON_ANSWER, json.dumps({"__type": code, "message": message}).encode()


def _json(value: object) -> Answer:
    return 200, JSON_ANSWER, json.dumps(value).encode()


def _quota(server: AwsServer, call: Call) -> Answer:
    code = json.loads(call.body)["QuotaCode"]
    return _json({"Quota": {"QuotaCode": code, "Value": server.quotas[code]}})


def _products(server: AwsServer, call: Call) -> Answer:
    wanted = {one["Field"]: one["Value"] for one in json.loads(call.body)["Filters"]}
    price = GP3_GB_MONTH if "volumeApiName" in wanted else ON_DEMAND.get(wanted["instanceType"])
    if price is None:
        return _json({"PriceList": []})
    dimensions = {"a.b": {"pricePerUnit": {"USD": f"{price:.10f}"}}}
    product = {"terms": {"OnDemand": {"a": {"priceDimensions": dimensions}}, "Reserved": {}}}
    return _json({"PriceList": [json.dumps(product)]})


def _parameter(server: AwsServer, call: Call) -> Answer | None:
    if not json.loads(call.body)["Name"].startswith("/aws/service/deeplearning/"):
        return None
    return _json({"Parameter": {"Value": image_id(server, call.region)}})


def _spot_prices(server: AwsServer, call: Call) -> Answer:
    rows = "".join(
        f"<item><availabilityZone>{zone}</availabilityZone><spotPrice>{price}</spotPrice>"
        f"<timestamp>2026-08-0{day}T00:00:00.000Z</timestamp></item>"
        for zone, dollars in SPOT.items()
        for day, price in ((2, dollars), (1, 9.9))
    )
    head = "<DescribeSpotPriceHistoryResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
    text = f"{head}<spotPriceHistorySet>{rows}</spotPriceHistorySet></DescribeSpotPriceHistoryResponse>"
    return 200, XML_ANSWER, text.encode()


def _console(server: AwsServer, call: Call) -> Answer:
    machine = server.backend(call.region).get_instance(call.fields["InstanceId"])
    output = base64.b64encode(server.console.encode()).decode()
    head = "<GetConsoleOutputResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
    text = f"{head}<instanceId>{machine.id}</instanceId><output>{output}</output></GetConsoleOutputResponse>"
    return 200, XML_ANSWER, text.encode()


ADDED: dict[tuple[str, str], Callable[[AwsServer, Call], Answer | None]] = {
    ("servicequotas", "GetServiceQuota"): _quota,
    ("pricing", "GetProducts"): _products,
    ("ssm", "GetParameter"): _parameter,
    ("ec2", "DescribeSpotPriceHistory"): _spot_prices,
    ("ec2", "GetConsoleOutput"): _console,
}


def image_id(server: AwsServer, region: str) -> str:
    """The Deep Learning image of a region, registered on first sight."""
    backend = server.backend(region)
    known = [ami for ami in backend.amis.values() if ami.name == IMAGE_NAME]
    return str((known[0] if known else backend.register_image(name=IMAGE_NAME)).id)


class Quiet(WSGIRequestHandler):
    """Keeps connections as AWS does, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """A `CutError`: the client sees the end of the connection instead of an answer."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_aws():  # type: ignore[no-untyped-def]
    """A fresh account that is served until the block ends."""
    BackendDict.reset()
    server = AwsServer()
    http = make_server("127.0.0.1", 0, server, threaded=True, request_handler=Quiet)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        http.shutdown()
        http.server_close()
        thread.join()


def account(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Credentials of nobody, and a home without any of a person's."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed (Debian: openssh-client)")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


SESSION = functools.lru_cache(boto3.session.Session)  # reading AWS's descriptions of its services takes a second
THREE = [REGION, "us-east-1", "us-west-2"]


@functools.lru_cache
def _read(options: tuple[str, ...]) -> Launch:
    return read_launch(list(options))[0]


def configuration(server: AwsServer, *options: str) -> Launch:
    """What `words` leads to, for calls inside this process."""
    read = _read((f"launch.region={REGION}", "launch.wait_s=2", *options))
    return replace(read, launch=replace(read.launch, endpoint_url=server.url, address_url=f"{server.url}/my-address"))


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between two looks, one session for all, three regions instead of all that moto knows."""
    for module in (up, end, leftovers, hostkeys):
        monkeypatch.setattr(module, "POLL_S", 0.01)
    monkeypatch.setattr("boto3.session.Session", lambda profile_name: SESSION(profile_name=profile_name))
    monkeypatch.setattr("nmt.launch.offers.enabled_regions", _three)
    monkeypatch.setattr("nmt.launch.orphans.enabled_regions", _three)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0)


def _three(aws: Aws) -> list[str]:
    """Asks all the same, so that a fault of this request is met."""
    aws.call("ec2", "DescribeRegions", {})
    return THREE


def words(server: AwsServer, *further: str) -> list[str]:
    """Options that lead a command to the server."""
    return [
        f"launch.endpoint_url={server.url}",
        f"launch.address_url={server.url}/my-address",
        f"launch.region={REGION}",
        *further,
    ]


if __name__ == "__main__":  # for trying the commands of docs/launch.md without an account
    with running_aws() as local:
        print(f"export AWS_ACCESS_KEY_ID=nobody AWS_SECRET_ACCESS_KEY={SECRET}")
        print(f"LOCAL='{' '.join(words(local))}'", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
