"""The end of a machine, and what its user may do before: stop it, let in another address."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import access, clock, leftovers
from nmt.launch.aws import Aws, connect
from nmt.launch.bill import catch_up, final_lines, read_events
from nmt.launch.life import GONE, Instance, end_machines, wait_for
from nmt.launch.machine import Machine, forget_machine
from nmt.launch.messages import agreed, command, locked, say, told
from nmt.launch.recorded import at_home, folder_of, machines, may_run, on_record, unanswered
from nmt.launch.start import forget_request
from nmt.launch.states import AWS, State, check
from nmt.launch.up import KNOWN_HOSTS, NOT_DONE

Fetch = Callable[[Launch, Machine], object]  # brings home what a machine made; raises LaunchError


def stop(config: Launch, flags: frozenset[str]) -> int | None:
    """Stop the machine; its disk stays, and costs. Raises LaunchError."""
    config = at_home(config)
    folder = folder_of(config.launch)
    with locked(folder), _recorded(config):
        if unanswered(config.launch):  # to ask what came of it might start a machine
            check("stop", State.asked, config)
        aws = connect(config.launch)
        found = _one(aws, config)
        if found.spot:
            raise LaunchError(
                found.id, found="a spot machine", expected="one on demand: one-time spot machines cannot be stopped",
                next_step=f"end it: {command('terminate', config)}",
            )  # fmt: skip
        check("stop", AWS[found.state], config)
        aws.call("ec2", "StopInstances", {"InstanceIds": [found.id]})
        stopped = wait_for(aws, config, found.id, ("stopped",))
        catch_up(config, folder, found.id, stopped)
        say(f"{found.id} is stopped; its disk stays and is paid for. {command('up', config)} starts it again")
    return None


def terminate(config: Launch, flags: frozenset[str], fetch: Fetch) -> int | None:
    """End the machine and all that was made for it; what it made is fetched first. Raises LaunchError.

    Its record stays until AWS has said of every machine on it that it is terminated.
    """
    config = at_home(config)
    folder = folder_of(config.launch)
    with locked(folder):
        with _recorded(config):
            aws = connect(config.launch)
            found = machines(aws, config)
        alive = [one for one in found if one.state not in GONE]
        for one in alive:
            off = one.state in ("stopping", "stopped")  # nothing can be fetched from it
            way = f"; {command('up', config)} and then fetch bring home what is there" if off else ""
            say(f"{one.id} in {aws.region} ({one.type}, {one.state}): the machine and all on its disk are lost{way}")
        if alive and not agreed("End it?", flags):
            return NOT_DONE
        with told(config, [one.id for one in found], aws.region):
            if alive and "--no-fetch" not in flags:
                _bring_home(config, alive, fetch)
            ended = end_machines(aws, config, [one.id for one in found]) if found else []
        while unanswered(config.launch):  # with others gone it can be sent again, which tells what came of it
            found = machines(aws, config)
            with told(config, [one.id for one in found], aws.region):
                ended += end_machines(aws, config, [one.id for one in found]) if found else []
        for one in ended:
            catch_up(config, folder, one.id, one)
        left = leftovers.look(aws, config.launch.name, access.made_names(config.launch, folder))
        _check_that_this_is_the_place(aws, config, ended, left)
        removed = leftovers.remove(aws, config, left)
        _forget(config, folder)
        say("\n".join([*removed, f"nothing of {config.launch.name} is left in {aws.region}"]))
        for line in final_lines(read_events(folder), clock.now(), [one.id for one in ended]):
            say(line)
    return None


def _check_that_this_is_the_place(
    aws: Aws, config: Launch, found: list[Instance], left: list[leftovers.Leftover]
) -> None:
    """That nothing is found says something only where something was: elsewhere a machine may run on."""
    if found or left or read_events(folder_of(config.launch)):
        return
    raise LaunchError(
        f"launch.name={config.launch.name}",
        found=f"no machine of this name on record in {config.launch.folder}, nor with the tags of {aws.owner} "
        f"(account {aws.account}) in {aws.region}",
        expected="the folder, keys and region of its start",
        next_step="`python -m nmt.launch sweep-orphans` looks in every region",
    )


@contextlib.contextmanager
def _recorded(config: Launch) -> Iterator[None]:
    """Where AWS cannot be asked which machines there are, those on record are told."""
    with told(config, list(may_run(config.launch)), config.launch.region):
        yield


def refresh_access(config: Launch, flags: frozenset[str]) -> int | None:
    """Let in one's own present address, and only that. Raises LaunchError."""
    config = at_home(config)
    network = access.own_network(config.launch)
    aws = connect(config.launch)
    groups = access.groups(aws, config.launch.name, access.made_names(config.launch, folder_of(config.launch)))
    if not groups:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"no security group in {aws.region}", expected="the machine's",
            next_step=f"start one with {command('up', config)}",
        )  # fmt: skip
    for group in groups:
        before = access.allow_only(aws, config.launch, group, network)
        say(f"{group['GroupId']}: port {config.launch.port} from {network} (before: {', '.join(before) or 'nobody'})")
    return None


def _one(aws: Aws, config: Launch) -> Instance:
    found = [one for one in machines(aws, config) if one.state not in GONE]
    if len(found) != 1:
        raise LaunchError(
            f"launch.name={config.launch.name}",
            found=f"{len(found) or 'no'} machines of yours in {aws.region}",
            expected="one", next_step="`python -m nmt.launch sweep-orphans` lists them in every region",
        )  # fmt: skip
    return found[0]


def _bring_home(config: Launch, alive: list[Instance], fetch: Fetch) -> None:
    """Fetch from the machine on record, if it is one of these and runs."""
    recorded = on_record(config.launch)
    running = [found.id for found in alive if found.state == "running"]
    if recorded is None or recorded.instance_id not in running:
        say("nothing is fetched: no running machine is on record here")
        return
    try:
        fetch(config, recorded)
    except LaunchError as error:
        raise LaunchError(
            error.place, found=str(error.found), expected=f"{error.expected}, to fetch before the end",
            next_step=f"mend it ({error.next_step}), or lose what is there with --no-fetch",
        ) from error  # fmt: skip


def _forget(config: Launch, folder: Path) -> None:
    """Everything that only served the machine; what was fetched, the bill and what `up` was told stay."""
    forget_machine(Path(config.launch.folder), config.launch.name)
    forget_request(folder)
    for name in (access.KEY, f"{access.KEY}.pub", KNOWN_HOSTS):
        (folder / name).unlink(missing_ok=True)
