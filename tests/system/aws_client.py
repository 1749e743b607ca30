"""A client of the server of aws_server.py: its account, its options, and a way to it that needs no network."""

from __future__ import annotations

import email.utils
import functools
import io
import os
import shutil
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from werkzeug.test import EnvironBuilder

from nmt.config.launch import Launch
from nmt.config.launch_line import read_launch
from nmt.launch.aws import Aws
from tests.hydra_answers import keep_answers
from tests.system.aws_requests import OWN_ADDRESS, REGION, SECRET, CutError, SlowError
from tests.system.aws_server import NEAR, SERVERS, AwsServer, running_aws
from tests.system.aws_unkind import Clock


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


LOADER = functools.lru_cache(botocore.loaders.create_loader)  # reading AWS's descriptions of services takes a second
SESSION = boto3.session.Session  # the real one
THREE = [REGION, "us-east-1", "us-west-2"]


@functools.lru_cache
def _read(options: tuple[str, ...]) -> Launch:
    return read_launch(list(options))[0]


def configuration(server: AwsServer, *options: str) -> Launch:
    """What `words` leads to, for calls inside this process, to which any server is near."""
    read = _read((f"launch.region={REGION}", *options))
    return replace(read, launch=replace(read.launch, endpoint_url=NEAR, address_url=f"{NEAR}/my-address"))


def quick(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Time passes by being waited for, requests reach the server without a network, and there are three regions."""
    keep_answers(monkeypatch)
    clock.install(monkeypatch)
    monkeypatch.setattr("boto3.session.Session", near)
    monkeypatch.setattr("nmt.launch.offers.enabled_regions", _three)
    monkeypatch.setattr("nmt.launch.leftovers.enabled_regions", _three)
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(f"{OWN_ADDRESS}\n".encode()))
    disks = "moto.ec2.models.elastic_block_store.EBSBackend._create_default_encryption_key"
    monkeypatch.setattr(disks, lambda self: "arn:aws:kms:a-key")  # to make one takes longer than a test
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0)


class NearSession(SESSION):  # type: ignore[valid-type, misc]
    """Its clients are made once, for all tests, as making them takes longer than most tests."""

    @functools.lru_cache  # noqa: B019
    def made(self, service: str, region_name: str, endpoint_url: str) -> Any:
        settings = botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 3})
        return super().client(service, region_name=region_name, endpoint_url=endpoint_url, config=settings)

    def client(self, service: str, *, region_name: str, endpoint_url: str, config: Any) -> Any:
        return self.made(service, region_name, endpoint_url)


@functools.lru_cache
def near(profile_name: str | None) -> Any:
    """A session whose requests to a server of these tests are answered within this process."""
    own = botocore.session.Session(profile=profile_name)
    own.register_component("data_loader", LOADER())
    own.register("before-send", hand_over)
    return NearSession(botocore_session=own, profile_name=profile_name)


def hand_over(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
    """The answer of the server that runs at the request's address; None: it goes out."""
    place = urllib.parse.urlsplit(request.url)
    server = SERVERS.get(f"{place.scheme}://{place.netloc}")
    if server is None:
        return None
    body = request.body or b""
    if not isinstance(body, (str, bytes)):
        body = body.read()
    headers = [(key, value.decode() if isinstance(value, bytes) else value) for key, value in request.headers.items()]
    environ = EnvironBuilder(
        path=place.path, query_string=place.query, method=request.method, headers=headers,
        data=body.encode() if isinstance(body, str) else body, base_url=f"{place.scheme}://{place.netloc}",
    ).get_environ()  # fmt: skip
    try:
        status, kind, text = server.reply(environ)
    except SlowError:
        raise botocore.exceptions.ReadTimeoutError(endpoint_url=request.url) from None
    except CutError:
        raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url) from None
    date = email.utils.formatdate(server.nature.clock.now(), usegmt=True)
    return AWSResponse(request.url, status, HeadersDict({"Content-Type": kind, "Date": date}), Raw(text))


class Raw(io.BytesIO):
    """The rest of a response as botocore reads it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        while part := self.read(1 << 16):
            yield part


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
