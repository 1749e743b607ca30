"""`selftest`: the whole life of the cheapest machine on a real account, each promise held against what AWS holds.

It takes some minutes and cents, asks first, and leaves a transcript without secrets that can be attached to a report.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nmt.config.launch import Family, Launch, Shutdown
from nmt.errors import LaunchError
from nmt.launch import clock, leftovers
from nmt.launch.access import made_names, own_network
from nmt.launch.aws import NAME_TAG, OWNER_TAG, Aws, connect
from nmt.launch.bill import bill, events_of
from nmt.launch.life import instance
from nmt.launch.machine import Machine
from nmt.launch.messages import command, options, say
from nmt.launch.preflight import preflight
from nmt.launch.recorded import folder_of, may_run, on_record
from nmt.launch.ssh import Ssh
from nmt.launch.start import TIMER, load_request
from nmt.launch.terminate import stop, terminate
from nmt.launch.up import up
from nmt.launch.watch import cost
from nmt.plumbing.files import write_text

NAME = "selftest"
UBUNTU = "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id"
FAILED = 1  # exit status where a promise was not kept
NOTHING_TO_FETCH = frozenset({"--no-fetch"})


def cheapest(config: Launch) -> Launch:
    """A t3.micro for an hour at most, whatever machine was asked for; region, keys and network as given."""
    machine = replace(
        config.machine, instance_type="t3.micro", gpu="no GPU", num_gpus=0, vcpus=2, family=Family.standard,
        image_parameter=UBUNTU, architecture="x86_64", driver=None, withdrawn=None,
    )  # fmt: skip
    launch = replace(
        config.launch, name=NAME, spot=False, disk_gb=50, max_hours=1.0, max_usd=None, shutdown=Shutdown.terminate
    )
    return Launch(machine, launch, replace(config.remote, cuda=False))


@dataclass
class Transcript(io.TextIOBase):
    """What is said, as it is said; `kept` is all of it."""

    out: Any
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def write(self, text: str) -> int:
        self.kept.append(text)
        self.out.write(text)
        self.out.flush()
        return len(text)

    def held(self, promise: str, kept: bool, found: object = "") -> None:
        """A line for a promise, kept or not."""
        say(f"  {'ok' if kept else 'NO'}  {promise}" + ("" if kept else f" (found {found})"))
        if not kept:
            self.broken.append(promise)


def selftest(config: Launch, flags: frozenset[str]) -> int | None:
    """Run it; exit status 1 where a promise was not kept. Raises LaunchError."""
    config = cheapest(config)
    aws = connect(config.launch)
    if on_record(config.launch) is not None:
        raise LaunchError(
            f"launch.name={NAME}", found="a machine of an earlier selftest", expected="none",
            next_step=f"end it first: {command('terminate', config)}",
        )  # fmt: skip
    told = Transcript(sys.stdout)
    path = Path(config.launch.folder) / f"selftest-{datetime.fromtimestamp(clock.now(), UTC):%Y%m%d-%H%M%S}.txt"
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            status = _life(aws, config, flags, told)
        except LaunchError as failure:
            say(str(failure))
            told.broken.append(str(failure))
            status = None
        say("every promise was kept" if not told.broken else f"not kept: {'; '.join(told.broken)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, cleaned("".join(told.kept), aws, config))
    say(f"transcript, without secrets: {path}")
    return status or (FAILED if told.broken else None)


def _life(aws: Aws, config: Launch, flags: frozenset[str], told: Transcript) -> int | None:
    with _part("preflight"):
        told.held("preflight has no red row", preflight(config, frozenset()) is None, "one above")
    try:
        with _part("up"):
            begun = up(config, flags)
        machine = on_record(config.launch)
        if begun is not None or machine is None:
            return begun
        _promises(aws, config, machine, flags, told)
    finally:
        if may_run(config.launch) or load_request(folder_of(config.launch)) is not None:
            with _part("terminate"):
                terminate(config, flags | {"--yes"} | NOTHING_TO_FETCH, lambda *_: None)
    _end(aws, config, machine, told)
    return None


def _promises(aws: Aws, config: Launch, machine: Machine, flags: frozenset[str], told: Transcript) -> None:
    with _part("what AWS holds"):
        _hold(aws, config, machine, told)
    with _part("up once more"):
        up(config, flags)
        again = on_record(config.launch)
        told.held("a second `up` is the same machine", again == machine, again)
    _use(config, machine, told)
    with _part("stop, and start again"):
        stop(config, flags)
        up(config, flags | {"--yes"})
        again = on_record(config.launch)
        same = again is not None and again.instance_id == machine.instance_id
        told.held("it is the same machine after a stop", same, again)


def _hold(aws: Aws, config: Launch, machine: Machine, told: Transcript) -> None:
    """Every promise of docs/launch.md, "What `up` makes", asked of AWS."""
    ident = machine.instance_id
    (item,) = [
        one
        for reservation in aws.pages("ec2", "DescribeInstances", {"InstanceIds": [ident]}, "Reservations")
        for one in reservation["Instances"]
    ]
    tags = {one["Key"]: one["Value"] for one in item.get("Tags", [])}
    told.held("it carries our tags", {NAME_TAG: NAME, OWNER_TAG: aws.owner}.items() <= tags.items(), tags)
    tokens = item.get("MetadataOptions", {}).get("HttpTokens")
    told.held("its metadata need a token (IMDSv2)", tokens == "required", tokens)
    attached = [{"Name": "attachment.instance-id", "Values": [ident]}]
    disks = aws.pages("ec2", "DescribeVolumes", {"Filters": attached}, "Volumes")
    told.held("its one disk is encrypted", [disk["Encrypted"] for disk in disks] == [True], disks)
    ends = [one.get("Ebs", {}).get("DeleteOnTermination") for one in item["BlockDeviceMappings"]]
    told.held("the disk is deleted with it", ends == [True], ends)
    ids = [group["GroupId"] for group in item["SecurityGroups"]]
    groups = aws.pages("ec2", "DescribeSecurityGroups", {"GroupIds": ids}, "SecurityGroups")
    let_in = [
        (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"), span["CidrIp"])
        for group in groups
        for rule in group["IpPermissions"]
        for span in [*rule.get("IpRanges", []), *({"CidrIp": one["CidrIpv6"]} for one in rule.get("Ipv6Ranges", []))]
    ]
    port = config.launch.port
    wanted = [("tcp", port, port, own_network(config.launch))]
    told.held("only one's own address is let in, only for ssh", let_in == wanted, let_in)
    asked = {"InstanceId": ident, "Attribute": "instanceInitiatedShutdownBehavior"}
    off = aws.call("ec2", "DescribeInstanceAttribute", asked)["InstanceInitiatedShutdownBehavior"]["Value"]
    told.held("power off means terminate", off == "terminate", off)


def _use(config: Launch, machine: Machine, told: Transcript) -> None:
    ssh = Ssh(machine, config.remote, options(config))
    with _part("ssh, with its host keys from the console"):
        ssh.run(["true"], "reaching it")
        told.held("its own host keys were checked", machine.known_hosts.stat().st_size > 0)
        script = ssh.run(["cat", TIMER], "reading its timer").out
        told.held("its timer powers it off after an hour", "shutdown -P +60" in script, script)
    with _part("a file goes there and comes back"), tempfile.TemporaryDirectory() as folder:
        sent, came = Path(folder, "sent"), Path(folder, "came")
        sent.write_text(f"{clock.now()}\n")
        ssh.rsync(["--", str(sent), ssh.path("nmt-selftest")], "sending a file")
        ssh.rsync(["--", ssh.path("nmt-selftest"), str(came)], "fetching a file")
        told.held("the same file came back", came.read_text() == sent.read_text())


def _end(aws: Aws, config: Launch, machine: Machine, told: Transcript) -> None:
    with _part("what is left"):
        found = instance(aws, machine.instance_id)
        told.held("AWS says terminated", found is None or found.state == "terminated", found)
        left = leftovers.look(aws, NAME, made_names(config.launch, folder_of(config.launch)))
        told.held("no disk, group or key pair is left", not left, left)
        told.held("no record and no key is left here", on_record(config.launch) is None)
    with _part("the bill"):
        cost(config, frozenset())
        own = events_of(folder_of(config.launch), machine.instance_id)
        told.held("it has an end", own[-1].what == "ended", own[-1].what)
        total = bill(own, clock.now()).usd
        told.held("it is a price", total is not None, "unknown")


@contextlib.contextmanager
def _part(name: str) -> Iterator[None]:
    say(f"{datetime.fromtimestamp(clock.now(), UTC):%H:%M:%S} {name}")
    yield


def cleaned(text: str, aws: Aws, config: Launch) -> str:
    """Without what says who and where one is: account, user, access keys, addresses, one's own folders."""
    marks = [
        (r"\b(AKIA|ASIA)[A-Z0-9]{12,}\b", "ACCESS-KEY"),
        (r"\b\d{1,3}(\.\d{1,3}){3}(/\d+)?\b", "ADDRESS"),
        (rf"\b{re.escape(aws.account)}\b", "ACCOUNT"),
        (r"\b\d{12}\b", "ACCOUNT"),
        (rf"(?<![\w.@-]){re.escape(aws.owner)}(?![\w@-])", "OWNER"),
        (re.escape(str(Path.home())), "~"),
    ]
    if config.launch.profile:
        marks.append((re.escape(config.launch.profile), "PROFILE"))
    for pattern, word in marks:
        text = re.sub(pattern, word, text)
    return text
