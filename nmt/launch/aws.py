"""AWS, through one narrow door: every request goes through `call` or `pages`, and every refusal becomes a sentence."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from nmt.config.launch import LaunchConfig
from nmt.errors import LaunchError
from nmt.launch.refusals import AwsError, answered, unanswered

try:
    import boto3
    import botocore.config
    import botocore.exceptions
    import botocore.parsers
except ImportError:  # an extra: the rest of the project works without
    boto3 = None

NAME_TAG = "nmt:launch"  # on everything of ours; its value is launch.name
OWNER_TAG = "nmt:owner"  # who started it, so that two people can share an account
REGION = "us-east-1"  # where nothing names one
ELSEWHERE = {"pricing": "us-east-1"}  # services that answer for all regions in one

Answer = dict[str, Any]


@dataclass
class Aws:
    """One account, seen from one region. `connect` makes it."""

    session: Any
    region: str
    endpoint_url: str | None
    timeout_s: float
    account: str = ""  # its number
    owner: str = ""  # whose things these are: launch.owner, or the caller's user or role
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    def call(self, service: str, action: str, parameters: Answer) -> Answer:
        """One request, such as "ec2", "RunInstances". Raises AwsError."""
        method = botocore.xform_name(action)
        place = f"AWS, {service}:{action} in {self._region_of(service)}"
        try:
            answer: Answer = getattr(self.client(service), method)(**parameters)
        except _refusals() as error:
            raise _told(place, error) from error
        return answer

    def pages(self, service: str, action: str, parameters: Answer, key: str) -> list[Any]:
        """What all pages of an answer hold under `key`. Raises AwsError."""
        place = f"AWS, {service}:{action} in {self._region_of(service)}"
        try:
            paginator = self.client(service).get_paginator(botocore.xform_name(action))
            return [item for page in paginator.paginate(**parameters) for item in page[key]]
        except _refusals() as error:
            raise _told(place, error) from error

    def elsewhere(self, region: str) -> Aws:
        """The same account, seen from another region."""
        return replace(self, region=region, _clients={})

    def client(self, service: str) -> Any:
        """boto3's own, made once. Raises AwsError for a region that has no name."""
        key = (service, self._region_of(service))
        if key not in self._clients:
            settings = botocore.config.Config(
                connect_timeout=self.timeout_s,
                read_timeout=self.timeout_s,
                retries={"mode": "standard", "total_max_attempts": 3},
            )
            try:
                self._clients[key] = self.session.client(
                    service, region_name=key[1], endpoint_url=self.endpoint_url, config=settings
                )
            except (botocore.exceptions.BotoCoreError, ValueError) as error:
                raise _told(f"AWS, {service} in {key[1]}", error) from error
        return self._clients[key]

    def _region_of(self, service: str) -> str:
        return ELSEWHERE.get(service, self.region)


def connect(launch: LaunchConfig) -> Aws:
    """AWS as the caller of `aws sts get-caller-identity` sees it. Raises LaunchError, without boto3 too."""
    if boto3 is None:
        raise LaunchError(
            "boto3", found="no such package", expected="the library that talks to AWS",
            next_step="install it with `uv sync --extra aws`",
        )  # fmt: skip
    session = _session(launch)
    aws = Aws(session, launch.region or REGION, launch.endpoint_url, launch.timeout_s)
    caller = aws.call("sts", "GetCallerIdentity", {})
    aws.account, aws.owner = str(caller["Account"]), launch.owner or owner_of(str(caller["Arn"]))
    return aws


def owner_of(arn: str) -> str:
    """Who that is, the same in every session: the name of a user, or of a role, whose sessions have a new name each.
    With SSO, where many share a role, the session is called as its user.

        arn:aws:iam::1:user/team/ann                                     -> ann
        arn:aws:sts::1:assumed-role/trainer/botocore-session-7           -> trainer
        arn:aws:sts::1:assumed-role/AWSReservedSSO_Power_0a1b/ann@a.org  -> ann@a.org
        arn:aws:iam::1:root                                              -> root
    """
    kind, *names = arn.rpartition(":")[2].split("/")
    if kind == "assumed-role" and not names[0].startswith("AWSReservedSSO_"):
        return names[0]
    return names[-1] if names else kind


def region_of(launch: LaunchConfig) -> str | None:
    """launch.region, or what AWS's own tools would take: AWS_REGION, AWS_DEFAULT_REGION, the profile's; None: no word.

    Raises LaunchError for a profile that does not exist.
    """
    for region in (launch.region, os.environ.get("AWS_REGION"), os.environ.get("AWS_DEFAULT_REGION")):
        if region:
            return region
    if boto3 is None:
        return None
    region = _session(launch).region_name
    return None if region is None else str(region)


def tags(aws: Aws, launch: LaunchConfig) -> list[dict[str, str]]:
    """What everything of ours is marked with, as AWS takes it."""
    named = {"Name": f"nmt-{launch.name}", NAME_TAG: launch.name, OWNER_TAG: aws.owner}
    return [{"Key": key, "Value": value} for key, value in (launch.tags | named).items()]


def ours(aws: Aws, name: str | None = None) -> list[dict[str, Any]]:
    """The filters that find what `tags` marked; without a name, whatever it is called."""
    marks = [{"Name": f"tag:{OWNER_TAG}", "Values": [aws.owner]}]
    if name is None:
        return [*marks, {"Name": "tag-key", "Values": [NAME_TAG]}]
    return [*marks, {"Name": f"tag:{NAME_TAG}", "Values": [name]}]


def tag(item: Answer, key: str) -> str:
    """The value of a tag; empty where there is none."""
    return next((str(one["Value"]) for one in item.get("Tags", []) if one["Key"] == key), "")


def _session(launch: LaunchConfig) -> Any:
    try:
        return boto3.session.Session(profile_name=launch.profile)
    except botocore.exceptions.BotoCoreError as error:
        raise _told(f"launch.profile={launch.profile}", error) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What a request raises; an answer that is no answer of AWS's, such as a hotel's login page, is the last."""
    return (
        botocore.exceptions.ClientError,
        botocore.exceptions.BotoCoreError,
        botocore.parsers.ResponseParserError,
    )


def _told(place: str, error: Exception) -> AwsError:
    if isinstance(error, botocore.exceptions.ClientError):
        return answered(place, error.response)
    return unanswered(place, error)
