"""What AWS holds of ours besides machines, and what nobody remembers: listed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import clock
from nmt.launch.access import MARKED, groups, key_pairs
from nmt.launch.aws import NAME_TAG, OWNER_TAG, Answer, Aws, connect, ours, tag
from nmt.launch.life import GONE, Instance, described, end_machines, instance
from nmt.launch.machine import list_machines
from nmt.launch.messages import agreed, command, say
from nmt.launch.offers import enabled_regions
from nmt.launch.refusals import AwsError
from nmt.launch.start import load_request
from nmt.launch.up import NOT_DONE
from nmt.plumbing.tables import table

POLL_S = 5.0
Row = tuple[str, str, str, str, str]
Known = dict[tuple[str, str], set[str]]  # (region, name) -> ids of its machines; "": one that is being started


@dataclass(frozen=True)
class Leftover:
    kind: str  # disk, security group or key pair
    id: str  # of a key pair: its name
    name: str  # of ours
    owner: str
    costs: bool = False


def look(aws: Aws, name: str | None = None, made: Sequence[str] = ()) -> list[Leftover]:
    """Of one name, or whatever is marked; only disks that no machine holds. `made` are names that groups and key pairs
    were given here: AWS may show their tags late. Raises AwsError.
    """
    marks = MARKED if name is None else ours(aws, name)
    unused = {"Name": "status", "Values": ["available", "error"]}
    disks = aws.pages("ec2", "DescribeVolumes", {"Filters": [*marks, unused]}, "Volumes")
    found = [_leftover("disk", item["VolumeId"], item, costs=True) for item in disks]
    found += [_leftover("security group", item["GroupId"], item) for item in groups(aws, name, made)]
    return found + [_leftover("key pair", item["KeyName"], item) for item in key_pairs(aws, name, made)]


def _leftover(kind: str, ident: str, item: Answer, costs: bool = False) -> Leftover:
    return Leftover(kind, ident, tag(item, NAME_TAG), tag(item, OWNER_TAG), costs)


def remove(aws: Aws, config: Launch, found: list[Leftover]) -> list[str]:
    """Delete them; -> a line for each. Raises LaunchError that names what could not be deleted."""
    lines, refusals = [], []
    for one in found:
        try:
            _remove(aws, one, config.launch.wait_s)
            lines.append(f"deleted {one.kind} {one.id}")
        except AwsError as refusal:
            refusals.append((one, refusal))
    if refusals:
        left = ", ".join(f"{one.kind} {one.id}" for one, _ in refusals)
        paid = "which costs" if any(one.costs for one, _ in refusals) else "which costs nothing"
        raise LaunchError(
            refusals[0][1].place, found=f"{refusals[0][1].found}, so that there is left {left}, {paid}",
            expected="nothing left", next_step=f"run it again: {command('terminate', config)}",
        ) from refusals[0][1]  # fmt: skip
    return lines


def _remove(aws: Aws, one: Leftover, wait_s: float) -> None:
    if one.kind == "disk":
        aws.call("ec2", "DeleteVolume", {"VolumeId": one.id})
    elif one.kind == "key pair":
        aws.call("ec2", "DeleteKeyPair", {"KeyName": one.id})
    else:
        ends = clock.ticks() + wait_s
        while True:  # AWS lets go of a group some seconds after the machine has ended
            try:
                aws.call("ec2", "DeleteSecurityGroup", {"GroupId": one.id})
                return
            except AwsError as refusal:
                if refusal.code == "InvalidGroup.NotFound":
                    return
                if refusal.code != "DependencyViolation" or clock.ticks() >= ends:
                    raise
            clock.sleep(POLL_S)


@dataclass(frozen=True)
class Swept:
    """What one region holds."""

    aws: Aws
    machines: list[Instance]
    leftovers: list[Leftover]


def sweep_orphans(config: Launch, flags: frozenset[str]) -> int | None:
    """List everything with our mark in every region, and delete of one's own what no record in launch.folder speaks of;
    --all: the rest of one's own too. Raises LaunchError.
    """
    aws = connect(config.launch)
    known = _known(Path(config.launch.folder))
    kept: Known = {} if "--all" in flags else known
    found: list[Swept] = []
    silent: list[AwsError] = []
    for region in enabled_regions(aws):
        view = aws.elsewhere(region)
        try:
            found.append(Swept(view, _machines(view, known), look(view)))
        except AwsError as refusal:
            silent.append(refusal)
    rows = [row for swept in found for row in _rows(swept, known, "known here, kept" if kept else "known here")]
    if rows:
        say(table([("region", "what", "id", "name", "state"), *rows], right=(), indent="  "))
    for one in silent:
        say(f"not looked at: {one}")
    orphans = [_orphans(swept, kept) for swept in found]
    orphans = [swept for swept in orphans if swept.machines or swept.leftovers]
    if not orphans:
        say(f"no orphans of {aws.owner} in {len(found)} regions{_apart(found, aws.owner, bool(kept))}")
        return NOT_DONE if silent else None
    num = sum(len(swept.machines) + len(swept.leftovers) for swept in orphans)
    if not agreed(f"Delete {num} of these, with all that is on their disks?", flags):
        return NOT_DONE
    _delete(config, orphans)
    if silent:
        raise LaunchError(
            "sweep-orphans", found=f"{len(silent)} regions that did not answer", expected="an answer from each",
            next_step="run it again",
        )  # fmt: skip
    return None


def _apart(found: list[Swept], owner: str, kept: bool) -> str:
    """What is listed and is no orphan of the caller's."""
    others = {one.owner for swept in found for one in swept.machines}
    others |= {one.owner for swept in found for one in swept.leftovers}
    said = "; what is known here is kept" if kept else ""
    return said + "".join(f"; launch.owner={other} takes those of {other}" for other in sorted(others - {owner, ""}))


def _known(folder: Path) -> Known:
    """What is on record here."""
    known: Known = {}
    for machine in list_machines(folder):
        known.setdefault((machine.region, machine.name), set()).add(machine.instance_id)
    for path in folder.glob("*/"):
        request = load_request(path)
        if request is not None:
            known.setdefault((request.region, path.name), set()).add(request.instance_id)
    return known


def _is_known(one: Instance | Leftover, region: str, known: Known) -> bool:
    """Another machine of a name on record is not known: that record ends the one that it speaks of."""
    ids = known.get((region, one.name), set[str]())
    return one.id in ids or "" in ids or (isinstance(one, Leftover) and bool(ids))


def _machines(aws: Aws, known: Known) -> list[Instance]:
    """Those with our mark in a region, and those on record here, whose tags AWS may not show. Raises AwsError."""
    found = {one.id: one for one in described(aws, MARKED)}
    for (region, name), ids in known.items():
        for ident in ids if region == aws.region else ():
            recorded = instance(aws, ident) if ident and ident not in found else None
            if recorded is not None:
                found[ident] = replace(recorded, name=name, owner=recorded.owner or aws.owner)
    return [one for one in found.values() if one.state not in GONE]


def _rows(swept: Swept, known: Known, word: str) -> list[Row]:
    region, me = swept.aws.region, swept.aws.owner

    def kept(one: Instance | Leftover) -> str:
        if _is_known(one, region, known):
            return word
        return "orphan" if one.owner == me else f"of {one.owner or 'nobody'}, kept"

    rows = [(region, f"machine {one.type}", one.id, one.name, f"{one.state}, {kept(one)}") for one in swept.machines]
    return rows + [(region, one.kind, one.id, one.name, kept(one)) for one in swept.leftovers]


def _orphans(swept: Swept, kept: Known) -> Swept:
    region, me = swept.aws.region, swept.aws.owner
    machines = [one for one in swept.machines if one.owner == me and not _is_known(one, region, kept)]
    left = [one for one in swept.leftovers if one.owner == me and not _is_known(one, region, kept)]
    return Swept(swept.aws, machines, left)


def _delete(config: Launch, orphans: list[Swept]) -> None:
    """Machines first, then what only they used; a failure in one region does not keep the others."""
    refusals: list[tuple[Swept, LaunchError]] = []
    for swept in orphans:
        regional = replace(config, launch=replace(config.launch, region=swept.aws.region))
        try:
            if swept.machines:
                end_machines(swept.aws, regional, [one.id for one in swept.machines])
            for line in remove(swept.aws, regional, swept.leftovers):
                say(f"{swept.aws.region}: {line}")
        except LaunchError as refusal:
            refusals.append((swept, refusal))
    if refusals:
        first = refusals[0][1]
        ids = ", ".join(f"{one.id} in {left.aws.region}" for left, _ in refusals for one in left.machines)
        raise LaunchError(
            first.place, found=str(first.found), expected="an end of all",
            next_step=f"run sweep-orphans again; {ids or 'no machine'} may still run and cost",
        ) from first  # fmt: skip
