"""`sweep-orphans`: everything of ours in every region, whether anybody remembers it or not, and its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.aws import Aws, connect
from nmt.launch.end import end_machines
from nmt.launch.found import GONE, Instance, instances
from nmt.launch.leftovers import Leftover, look, remove
from nmt.launch.machine import list_machines
from nmt.launch.offers import enabled_regions
from nmt.launch.refusals import AwsError
from nmt.launch.start import load_request
from nmt.launch.talk import agreed, say
from nmt.launch.up import NOT_DONE
from nmt.plumbing.tables import table

Row = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Swept:
    """What one region holds."""

    aws: Aws
    machines: list[Instance]
    leftovers: list[Leftover]


def sweep_orphans(config: Launch, flags: frozenset[str]) -> int | None:
    """List it all, and delete what no record in launch.folder speaks of; --all: the rest too. Raises LaunchError."""
    aws = connect(config.launch)
    known = _known(Path(config.launch.folder))
    kept = set() if "--all" in flags else known
    found: list[Swept] = []
    silent: list[AwsError] = []
    for region in enabled_regions(aws):
        view = aws.elsewhere(region)
        try:
            machines = [one for one in instances(view) if one.state not in GONE]
            found.append(Swept(view, machines, look(view)))
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
        say(f"no orphans in {len(found)} regions" + ("; what is known here is kept" if rows else ""))
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


def _known(folder: Path) -> set[tuple[str, str]]:
    """(region, name) of the machines on record here, those included that are being started."""
    known = {(machine.region, machine.name) for machine in list_machines(folder)}
    for path in folder.glob("*/"):
        request = load_request(path)
        if request is not None:
            known.add((request.region, path.name))
    return known


def _rows(swept: Swept, known: set[tuple[str, str]], word: str) -> list[Row]:
    region = swept.aws.region

    def kept(name: str) -> str:
        return word if (region, name) in known else "orphan"

    rows = [
        (region, f"machine {one.type}", one.id, one.name, f"{one.state}, {kept(one.name)}") for one in swept.machines
    ]
    return rows + [(region, one.kind, one.id, one.name, kept(one.name)) for one in swept.leftovers]


def _orphans(swept: Swept, known: set[tuple[str, str]]) -> Swept:
    region = swept.aws.region
    machines = [one for one in swept.machines if (region, one.name) not in known]
    return Swept(swept.aws, machines, [one for one in swept.leftovers if (region, one.name) not in known])


def _delete(config: Launch, orphans: list[Swept]) -> None:
    """Machines first, then what only they used; a failure in one region does not keep the others."""
    refusals: list[tuple[Swept, LaunchError]] = []
    for swept in orphans:
        regional = replace(config, launch=replace(config.launch, region=swept.aws.region))
        try:
            if swept.machines:
                end_machines(swept.aws, regional, swept.machines)
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
