"""An AWS on a loopback address: moto, what moto lacks, and faults on request.

moto knows machines, disks, groups, keys, images and real offerings. Added here, as AWS documents it: quotas, prices,
spot prices, the parameter that names the Deep Learning image, the console's host keys, one's own address, and the
promise that a request with a known client token is the same request.
"""

from __future__ import annotations

import io
import os
import re
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("moto", reason="moto is not installed")
from moto import settings
from moto.core.base_backend import BackendDict
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.system.aws_added import ADDED, for_moto
from tests.system.aws_requests import (
    ACCOUNT,
    MOTO,
    OWN_ADDRESS,
    REGION,
    XML_ANSWER,
    Answer,
    Call,
    Caller,
    CutError,
    SlowError,
    refusal,
)
from tests.system.aws_unkind import KIND, Nature, RealClock

# As the variables of the environment do it, which count only before moto is imported.
settings.EC2_ENABLE_INSTANCE_TYPE_VALIDATION = settings.ENABLE_AMI_VALIDATION = True
settings.ENABLE_KEYPAIR_VALIDATION = True
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # hundreds in each region, of which none is used

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDxGkZwXxQ5wxJd1kQ0rN2nM3Yx0m0qgWnU4u0mB0rTe"
QUOTAS = {
    "L-DB2E81BA": 8.0,
    "L-3819A6DF": 4.0,
    "L-417A185B": 0.0,
    "L-7212CCBC": 0.0,
    "L-1216C47A": 32.0,
    "L-34B43A08": 32.0,
}

# What moto answers from tables of its own, slowly, whatever has happened and whoever asks.
CATALOGUES = {"DescribeInstanceTypes", "DescribeInstanceTypeOfferings"}
CATALOGUED: dict[tuple[str, str, bytes], Answer] = {}


@dataclass
class AwsServer:
    """`fault(call, act)` answers instead, where it returns an answer; `act()` does what was asked."""

    nature: Nature = field(default_factory=lambda: Nature(RealClock()))
    calls: list[Call] = field(default_factory=list)
    fault: Callable[[Call, Callable[[], Answer]], Answer | None] | None = None
    console: str = f"-----BEGIN SSH HOST KEY KEYS-----\n{HOST_KEY} root@ip\n-----END SSH HOST KEY KEYS-----\n"
    quotas: dict[str, float] = field(default_factory=lambda: dict(QUOTAS))
    callers: dict[str, Caller] = field(default_factory=dict)  # access key -> who that is; others are moto
    tokens: dict[tuple[str, str, str], tuple[str, bytes, str]] = field(default_factory=dict)
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.RLock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            status, kind, text = self.reply(environ)
        except SlowError:
            self.closing.wait(1.0)
            raise CutError("slow") from None
        start_response(f"{status} X", [("Content-Type", kind), ("Content-Length", str(len(text)))])
        return [text]

    def reply(self, environ: dict[str, Any]) -> Answer:
        """Raises CutError where there is none."""
        if environ["PATH_INFO"] == "/my-address":
            return 200, "text/plain", f"{OWN_ADDRESS}\n".encode()
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        call = self.read_call(environ, body)
        self.calls.append(call)

        def act() -> Answer:
            with self.lock:
                return self.answer(call, environ, body)

        try:
            answered = self.fault(call, act) if self.fault is not None else None
            return answered or act()
        except KeyError:  # a region that moto does not know
            return 500, "text/html", b"<!doctype html><h1>Welcome to our hotel</h1>"

    def answer(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        if call.service == "ec2":  # what AWS refuses depends on what has happened by now
            self.nature.tick(self.backend(call.region, call.caller.account))
        refused = self.nature.refusal(self, call)
        if refused is not None:
            return refusal(call, refused[0], refused[1], "as AWS does at times")
        if call.service == "ec2":
            return self.nature.empty_page(call) or self.from_ec2(call, environ, body)
        own = ADDED.get((call.service, call.action))
        found = own(self, call) if own is not None else None
        return found or self.from_moto(call, environ, body)

    def from_ec2(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        backend = self.backend(call.region, call.caller.account)
        own = ADDED.get((call.service, call.action))
        if own is not None:
            found = own(self, call)
            assert found is not None
            return found
        if call.action == "RunInstances" and not call.dry:
            return self.run_instances(call, environ, body)
        ids = [value for key, value in call.fields.items() if key.startswith("InstanceId.")]
        before = {one: backend.get_instance_by_id(one).state for one in ids if backend.get_instance_by_id(one)}
        with self.nature.as_seen(backend):
            answered = self.from_moto(call, environ, for_moto(self, call, body))
        if answered[0] == 200:
            self.happened(call, answered[2], before)
        return answered

    def happened(self, call: Call, text: bytes, before: dict[str, str]) -> None:
        """moto has done at once what AWS begins."""
        backend, nature = self.backend(call.region, call.caller.account), self.nature
        for one, state in before.items():
            machine = backend.get_instance_by_id(one)
            if call.action == "StartInstances":
                nature.started(machine)
            elif call.action == "StopInstances":
                nature.stopped(machine, state)
            elif call.action == "TerminateInstances":
                nature.terminated(machine, state)
        for made in re.findall(rb"<(?:groupId|keyPairId|volumeId)>([^<]+)<", text):
            if call.action in ("CreateSecurityGroup", "ImportKeyPair"):
                nature.born_now(made.decode())

    def from_moto(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        if call.action not in CATALOGUES:
            return self.asked_of_moto(call, environ, body)
        key = call.service, call.region, body
        if key not in CATALOGUED:
            CATALOGUED[key] = self.asked_of_moto(call, environ, body)
        return CATALOGUED[key]

    def asked_of_moto(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        seen: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {
            **environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
            "HTTP_X_MOTO_ACCOUNT_ID": call.caller.account,
        }  # fmt: skip
        parts = self.moto.get_application(environ)(
            environ, lambda status, headers, *rest: seen.append((status, headers))
        )
        status, headers = seen[0][0], dict(seen[0][1])
        text = b"".join(parts)
        return int(status.split()[0]), headers.get("Content-Type", XML_ANSWER), text

    def run_instances(self, call: Call, environ: dict[str, Any], body: bytes) -> Answer:
        """Known token, same parameters: the first answer again.

        docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
        """
        token = call.fields["ClientToken"]
        asked = re.sub(r"(?m)^(Signature|X-Amz-.*)=.*$", "", "\n".join(sorted(call.body.split("&"))))
        key = (call.caller.account, call.region, token)
        if key in self.tokens:
            before, answered, _ = self.tokens[key]
            if before != asked:
                return refusal(call, "IdempotentParameterMismatch", 400)
            return 200, XML_ANSWER, answered
        status, kind, text = self.from_moto(call, environ, body)
        if status != 200:
            return status, kind, text
        made = re.search(rb"<instanceId>(i-[0-9a-f]+)</instanceId>", text)
        assert made is not None
        machine = self.backend(call.region, call.caller.account).get_instance(made[1].decode())
        if call.fields.get("InstanceMarketOptions.MarketType") == "spot":
            machine.lifecycle = "spot"
            text = text.replace(b"<instanceType>", b"<instanceLifecycle>spot</instanceLifecycle><instanceType>", 1)
        self.nature.born_now(machine.id)
        self.nature.started(machine)
        for disk in machine.block_device_mapping.values():
            self.nature.born_now(disk.volume_id)
        launched = machine.launch_time.strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()
        text = re.sub(rb"<launchTime>[^<]*<", b"<launchTime>" + launched + b"<", text)
        if machine.state == "pending":
            text = re.sub(rb"<code>16</code>\s*<name>running</name>", b"<code>0</code><name>pending</name>", text)
        self.tokens[key] = (asked, text, machine.id)
        return status, kind, text

    def backend(self, region: str = REGION, account: str = ACCOUNT) -> Any:
        """What moto holds: the truth, whatever was answered."""
        return ec2_backends[account][region]

    def alive(self, region: str = REGION) -> list[Any]:
        self.nature.tick(self.backend(region))
        return [one for one in self.backend(region).all_instances() if one.state not in ("terminated", "shutting-down")]

    def left(self, region: str = REGION) -> list[str]:
        """Everything that ours could leave behind."""
        backend = self.backend(region)
        found = [one.id for one in self.alive(region)]
        found += [one.id for one in backend.describe_volumes()]
        found += [one.id for one in backend.describe_security_groups() if one.name != "default"]
        return found + [one.key_name for one in backend.describe_key_pairs(key_names=[])]

    def end(self, machine: Any, code: str = "Client.InstanceInitiatedShutdown") -> None:
        """A machine ends without a request of ours: its timer, AWS, somebody in the console."""
        machine.terminate()
        self.nature.terminated(machine, "running", code)

    def settle(self) -> None:
        """Half an hour later; from now on everything is done, and seen, at once."""
        self.nature.clock.sleep(1800.0)
        self.nature.tick(self.backend())
        self.nature.pace = KIND

    def actions(self) -> list[str]:
        """What was asked, each once, in order; dry runs apart."""
        return list(dict.fromkeys(f"{call.service}:{call.action}{' (dry)' if call.dry else ''}" for call in self.calls))

    def read_call(self, environ: dict[str, Any], body: bytes) -> Call:
        scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        key, region, service = (scope[1], scope[2], scope[3]) if scope else ("", "", "")
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        text = body.decode("utf-8", "replace")
        known = dict(urllib.parse.parse_qsl(text))
        action = target.rpartition(".")[2] or known.get("Action", environ["REQUEST_METHOD"])
        return Call(service, action, region, text, self.callers.get(key, MOTO))


NEAR = "http://aws.invalid"
SERVERS: dict[str, AwsServer] = {}  # by their address, those that answer within this process


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
def running_aws(nature: Nature | None = None) -> Iterator[AwsServer]:
    """A fresh account that is served on a loopback address until the block ends."""
    with near_aws(nature or Nature(RealClock())) as server:
        http = make_server("127.0.0.1", 0, server, threaded=True, request_handler=Quiet)
        http.daemon_threads = True  # type: ignore[attr-defined]  # threads, as asked
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


@contextmanager
def near_aws(nature: Nature) -> Iterator[AwsServer]:
    """The same, for clients in this process alone."""
    BackendDict.reset()
    server = AwsServer(nature, url=NEAR)
    SERVERS[NEAR] = server
    try:
        yield server
    finally:
        del SERVERS[NEAR]
