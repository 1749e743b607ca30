"""A run's checkpoints and metrics in S3: a second home, which a spot machine can reach when this one is switched off.

The machine gets no credentials. It is given addresses, signed here for one file each and for the machine's lifetime,
to which it uploads once its training has ended.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from nmt.config.launch import LaunchConfig
from nmt.launch.aws import Aws, connect
from nmt.launch.refusals import AwsError
from nmt.plumbing.files import replacing

with contextlib.suppress(ImportError):  # an extra; `connect` says what to do about it
    import botocore.config

# What a training goes on from is the first: a spot machine may have no time for more.
FILES = ("checkpoints/last.h5", "checkpoints/best.h5", "metrics.jsonl", "config.yaml", "train.log")
LONGEST_S = 7 * 24 * 3600  # that an address may be good for
MISSING = ("NoSuchKey", "404")


@dataclass(frozen=True)
class Store:
    """Where the files of one run lie: s3://BUCKET/PREFIX/RUN/."""

    aws: Aws
    bucket: str
    prefix: str

    def key(self, path: str) -> str:
        return f"{self.prefix}/{path}".lstrip("/")


def store_of(launch: LaunchConfig, run: str) -> Store | None:
    """None where launch.s3 names no bucket. Raises LaunchError."""
    if launch.s3 is None:
        return None
    bucket, _, prefix = launch.s3.removeprefix("s3://").partition("/")
    return Store(connect(launch), bucket, f"{prefix.strip('/')}/{run}")


def signed(store: Store, seconds: float) -> dict[str, str]:
    """An address for each file, to which it may be put for so many seconds. Each is a secret. Raises AwsError."""
    settings = botocore.config.Config(signature_version="s3v4")  # the older one would sign a content type too
    client = store.aws.session.client(
        "s3", region_name=store.aws.region, endpoint_url=store.aws.endpoint_url, config=settings
    )
    most = int(min(seconds, LONGEST_S))
    return {
        path: str(
            client.generate_presigned_url(
                "put_object", Params={"Bucket": store.bucket, "Key": store.key(path)}, ExpiresIn=most
            )
        )
        for path in FILES
    }


def push(store: Store, folder: Path, sent: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Put what has changed since `sent`, the answer of the last call. Raises AwsError."""
    now = dict(sent)
    for path in FILES:
        try:
            found = (folder / path).stat()
            if (mark := (found.st_size, found.st_mtime_ns)) == sent.get(path):
                continue
            with open(folder / path, "rb") as file:
                store.aws.call("s3", "PutObject", {"Bucket": store.bucket, "Key": store.key(path), "Body": file})
            now[path] = mark
        except FileNotFoundError:  # not written yet
            continue
    return now


def pull(store: Store, folder: Path) -> list[str]:
    """Bring home what is there, each file whole or not at all; -> their names. Raises AwsError."""
    came = []
    for path in FILES:
        try:
            answer = store.aws.call("s3", "GetObject", {"Bucket": store.bucket, "Key": store.key(path)})
        except AwsError as refusal:
            if refusal.code in MISSING:
                continue
            raise
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder / path) as fd, open(fd, "wb", closefd=False) as file:
            for part in answer["Body"].iter_chunks(1 << 20):
                file.write(part)
        came.append(path)
    return came
