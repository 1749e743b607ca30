"""Faults of AWS, and what may come of them: the matrix that docs/launch.md shows and the tests go through."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.system.aws_requests import Answer, Call, CutError, SlowError, refusal
from tests.system.aws_server import AwsServer

DOCS = Path(__file__).resolve().parents[2] / "docs" / "launch.md"
HEADING = "## What happens when AWS fails"
FAULTS = {
    "denied": "no permission",
    "throttled": "too many requests, as long as one asks",
    "cut": "the connection ends before AWS acts",
    "slow": "AWS acts, and its answer comes too late, however often one asks",
    "broken": "AWS acts, and says that it failed within (500)",
    "dark": "AWS acts, and from then on nothing reaches it",
    "killed": "AWS acts, and the client is killed (`kill -9`)",
}
OUTCOMES = {
    "on": "the command goes on and does its work",
    "none": "one sentence; no machine runs",
    "before": "one sentence; nothing was to be started or ended, and what ran before runs on",
    "told": "one sentence; a machine runs, and the user is told its id and the command that ends it",
    "asked": "one sentence; a machine may run whose id AWS did not tell; the user is told the command that ends it",
    "kept": "a machine runs; the next `up`, `terminate` and `sweep-orphans` know it, and its timer ends it",
}
CHANGING = ("Run", "Start", "Stop", "Terminate", "Import", "Create", "Delete", "Authorize", "Revoke")
ONLY_CHANGING = ("broken", "dark", "killed")  # where AWS only looks something up, these are like `cut`
LATER = ", later"  # the same request again, after the machine has started
SCENARIOS = {
    "up": (
        "sts:GetCallerIdentity", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "pricing:GetProducts",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeInstanceTypeOfferings", "ssm:GetParameter", "ec2:DescribeImages", "ec2:ImportKeyPair",
        "ec2:DescribeSecurityGroups", "ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress",
        "ec2:RunInstances", f"ec2:DescribeInstances{LATER}", f"ec2:DescribeSecurityGroups{LATER}",
        f"ec2:GetConsoleOutput{LATER}",
    ),
    "up, stopped": ("ec2:StartInstances",),
    "up, in a subnet": ("ec2:DescribeSubnets",),
    "stop": ("ec2:DescribeInstances", "ec2:StopInstances"),
    "refresh-access": (
        "ec2:DescribeSecurityGroups", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress",
    ),
    "cost": ("sts:GetCallerIdentity", "ec2:DescribeInstances"),
    "terminate": (
        "sts:GetCallerIdentity", "ec2:DescribeInstances", "ec2:TerminateInstances", "ec2:DescribeVolumes",
        "ec2:DescribeSecurityGroups", "ec2:DescribeKeyPairs", "ec2:DeleteSecurityGroup", "ec2:DeleteKeyPair",
    ),
    "sweep-orphans": ("ec2:DescribeRegions", "ec2:TerminateInstances", "ec2:DeleteVolume", "ec2:DeleteSecurityGroup"),
    "preflight": (
        "ec2:DescribeRegions", "ec2:DescribeInstanceTypeOfferings", "servicequotas:GetServiceQuota",
        "ec2:DescribeInstanceTypes", "ec2:DescribeVpcs", "ec2:RunInstances (dry)",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    scenario: str
    action: str
    fault: str

    def __str__(self) -> str:
        return f"{self.scenario}-{self.action}-{self.fault}".replace(" ", "")


def cases() -> Iterator[Case]:
    for scenario, actions in SCENARIOS.items():
        for action in actions:
            for fault in FAULTS:
                if changes(action) or fault not in ONLY_CHANGING:
                    yield Case(scenario, action, fault)


def changes(action: str) -> bool:
    """Whether something is made, ended or paid for by then."""
    name = action.partition(":")[2]
    return action.endswith(LATER) or (name.startswith(CHANGING) and not name.endswith("(dry)"))


def inject(server: AwsServer, action: str, fault: str, kill: Callable[[], None] | None = None) -> None:
    """From now on every request `action` meets the fault; `server.fault = None` mends it."""
    wanted = action.removesuffix(LATER)
    dark = threading.Event()

    def meet(call: Call, act: Callable[[], Answer]) -> Answer | None:
        if dark.is_set():
            raise CutError("dark")
        started = any(one.action == "RunInstances" and not one.dry for one in server.calls[:-1])
        if f"{call.service}:{call.action}{' (dry)' if call.dry else ''}" != wanted:
            return None
        if action.endswith(LATER) and not started:
            return None
        if fault == "denied":
            return refusal(call, "UnauthorizedOperation" if call.service == "ec2" else "AccessDeniedException", 403)
        if fault == "throttled":
            return refusal(call, "RequestLimitExceeded" if call.service == "ec2" else "ThrottlingException", 503)
        if fault == "cut":
            raise CutError(fault)
        answered = act()
        if answered[0] == 503:  # too many requests: AWS has not acted, and will when it is asked again
            return answered
        if fault == "broken":
            return refusal(call, "InternalError", 500)
        if fault == "dark":
            dark.set()
        elif fault == "slow":
            raise SlowError(fault)
        else:
            assert fault == "killed"
            assert kill is not None
            kill()
        raise CutError(fault)

    server.fault = meet


def documented() -> dict[Case, str]:
    """The table in docs/launch.md, as it stands."""
    text = DOCS.read_text(encoding="utf-8").partition(HEADING)[2]
    rows = re.findall(r"(?m)^\| `([^`]+)` \| `([^`]+)` \|((?: [\w-]+ \|)+)$", text)
    return {
        Case(scenario, action, fault): cell
        for scenario, action, cells in rows
        for fault, cell in zip(FAULTS, cells.strip("| ").split(" | "), strict=True)
        if cell != "-"
    }


def table(outcomes: dict[Case, str]) -> str:
    """What docs/launch.md shows."""
    lines = ["| command | request | " + " | ".join(FAULTS) + " |", "|---|---|" + "---|" * len(FAULTS)]
    for scenario, actions in SCENARIOS.items():
        for action in actions:
            cells = " | ".join(outcomes.get(Case(scenario, action, fault), "-") for fault in FAULTS)
            lines.append(f"| `{scenario}` | `{action}` | {cells} |")
    return "\n".join(lines)
