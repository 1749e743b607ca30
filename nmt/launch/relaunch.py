"""`relaunch`: the training of a machine that is gone, or is to go, goes on on another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nmt.config.launch import Launch
from nmt.launch.assignment import Assignment, load_assignment
from nmt.launch.aws import connect
from nmt.launch.fetch import fetch
from nmt.launch.machine import Machine
from nmt.launch.messages import command, options, say
from nmt.launch.recorded import check_account, on_record
from nmt.launch.remote_commands import bring_home, run_words
from nmt.launch.s3 import pull, store_of
from nmt.launch.ssh import Ssh
from nmt.launch.ssh_faults import Place, RemoteCommandError, UnreachableError
from nmt.launch.terminate import terminate
from nmt.launch.training import Agent
from nmt.launch.up import up
from nmt.launch.upload import typed


def relaunch(config: Launch, flags: frozenset[str]) -> int | None:
    """Save and fetch what can be had, end the old machine, start another, go on. Raises LaunchError."""
    assignment = load_assignment(Path(config.launch.folder), config.launch.name)
    recorded = on_record(config.launch)
    if recorded is not None:  # with other keys the training would be stopped, and nothing started
        check_account(connect(config.launch), config.launch)
    saved = recorded is not None and assignment.is_of(recorded) and _saved(config, recorded, assignment)
    if not saved:
        store = store_of(config.launch, assignment.run)
        came = pull(store, Path(assignment.folder)) if store is not None else []
        say(f"from {config.launch.s3}: {', '.join(came) or 'nothing'}" if store else "going on with what is at home")
    # Where AWS says that the machine runs all the same, this refuses rather than lose what is on it.
    ended = terminate(config, flags | {"--no-fetch"} if saved else flags, bring_home)
    if ended is not None:
        if recorded is not None and saved:
            say(f"training was stopped, and is at home; {Place(recorded, '', options(config)).still_runs}")
        return ended
    begun = up(config, flags)
    if begun is not None:
        say(f"the old machine has ended; {command('relaunch', config)} goes on with its training")
        return begun
    run_words(config, going_on(assignment))
    return None


def going_on(assignment: Assignment) -> list[str]:
    """The words for train.py: from the checkpoint at home, or from the beginning where there is none."""
    if any((Path(assignment.folder) / "checkpoints").glob("*.h5")):
        return [f"resume={typed(assignment.folder)}"]
    own = [word for word in assignment.words if not word.startswith("hydra.run.dir=")]
    if any(word.startswith("resume=") for word in own):
        return own
    return [*own, f"hydra.run.dir={typed(assignment.folder)}"]


def _saved(config: Launch, machine: Machine, assignment: Assignment) -> bool:
    """Have a training that still runs save, and fetch it; False where the machine does not answer."""
    ssh = Ssh(machine, replace(config.remote, wait_s=0.0), options(config))
    try:
        status = Agent(ssh, assignment.remote).ask("stop", "stopping the training")
        say(f"{machine.instance_id}: training has {status['state']}")
        fetch(ssh, assignment)
    except (UnreachableError, RemoteCommandError) as failure:
        say(f"{machine.instance_id} does not answer: {failure.found}")
        return False
    return True
