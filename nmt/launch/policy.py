"""The least that an IAM policy must allow. A test compares it with the requests in this package, both ways."""

from __future__ import annotations

import json
from typing import Any

from nmt.launch.aws import NAME_TAG

LOOKING = [  # these have no resources to name
    "ec2:DescribeImages",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeRegions",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
    "pricing:GetProducts",
    "servicequotas:GetServiceQuota",
    "sts:GetCallerIdentity",
]
MARKED = {"StringLike": {f"aws:RequestTag/{NAME_TAG}": "*"}}  # what is made must carry our mark
OURS = {"StringLike": {f"aws:ResourceTag/{NAME_TAG}": "*"}}  # what is changed must carry it already
MAKING = ["RunInstances", "CreateSecurityGroup", "ImportKeyPair"]


def policy(s3: str | None) -> dict[str, Any]:
    """As AWS's documentation has it; `s3` is launch.s3, in whose place stands BUCKET where there is none."""
    bucket, _, prefix = (s3 or "s3://BUCKET").removeprefix("s3://").partition("/")
    objects = "/".join(part for part in (bucket, prefix.strip("/"), "*") if part)

    def ec2(*kinds: str) -> list[str]:
        return [f"arn:aws:ec2:*:*:{kind}/*" for kind in kinds]

    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("Look", LOOKING, ["*"]),
            _allow("ReadImageNames", ["ssm:GetParameter"], ["arn:aws:ssm:*::parameter/aws/service/*"]),
            _allow("StartMarked", ["ec2:RunInstances"], ec2("instance", "volume"), MARKED),
            _allow(
                "StartFrom",
                ["ec2:RunInstances"],
                ["arn:aws:ec2:*::image/*", *ec2("image", "key-pair", "network-interface", "security-group", "subnet")],
            ),
            _allow("MakeMarked", ["ec2:CreateSecurityGroup"], ec2("security-group"), MARKED),
            _allow("MakeIn", ["ec2:CreateSecurityGroup"], ec2("vpc")),
            _allow("BringKey", ["ec2:ImportKeyPair"], ec2("key-pair"), MARKED),
            _allow(
                "MarkWhatIsMade",
                ["ec2:CreateTags"],
                ec2("instance", "key-pair", "security-group", "volume"),
                {"StringEquals": {"ec2:CreateAction": MAKING}},
            ),
            _allow(
                "ChangeAndEndOurs",
                [
                    "ec2:AuthorizeSecurityGroupIngress",
                    "ec2:DeleteKeyPair",
                    "ec2:DeleteSecurityGroup",
                    "ec2:DeleteVolume",
                    "ec2:GetConsoleOutput",
                    "ec2:RevokeSecurityGroupIngress",
                    "ec2:StartInstances",
                    "ec2:StopInstances",
                    "ec2:TerminateInstances",
                ],
                ec2("instance", "key-pair", "security-group", "volume"),
                OURS,
            ),
            _allow("KeepRuns", ["s3:GetObject", "s3:PutObject"], [f"arn:aws:s3:::{objects}"]),
            # Without it S3 does not say that a file is not there, but that it may not be read.
            _allow("SeeWhatIsNotThere", ["s3:ListBucket"], [f"arn:aws:s3:::{bucket}"]),
        ],
    }


def actions() -> set[str]:
    """Every action that the policy allows."""
    return {action for statement in policy(None)["Statement"] for action in statement["Action"]}


def policy_text(s3: str | None) -> str:
    return json.dumps(policy(s3), indent=2)


def _allow(
    sid: str, allowed: list[str], resources: list[str], condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": allowed, "Resource": resources}
    return statement if condition is None else {**statement, "Condition": condition}
