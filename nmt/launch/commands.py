"""The commands of `python -m nmt.launch`: a table from name to function, and the edge around it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from nmt.config.launch import Launch, LaunchConfig
from nmt.config.mistakes import nearest
from nmt.config.reference import entries, reference, topic_of
from nmt.errors import ConfigError
from nmt.launch import remote_commands
from nmt.launch.aws import REGION, region_of
from nmt.launch.leftovers import sweep_orphans
from nmt.launch.preflight import preflight
from nmt.launch.relaunch import relaunch
from nmt.launch.selftest import selftest
from nmt.launch.terminate import refresh_access, stop, terminate
from nmt.launch.terms import OverError, Start, read_command
from nmt.launch.up import NOT_DONE, up
from nmt.launch.watch import cost
from nmt.plumbing import edge

YES = {"--yes": "do not ask"}


@dataclass(frozen=True)
class Command:
    """`function(config, flags)` does the work and prints; an int that it returns is the exit status."""

    function: Callable[[Launch, frozenset[str]], int | None]
    meaning: str
    flags: Mapping[str, str] = field(default_factory=dict)  # "--yes" -> what it does
    start: Start = Start.record


def _terminate(config: Launch, flags: frozenset[str]) -> int | None:
    return terminate(config, flags, remote_commands.bring_home)


def _up(config: Launch, flags: frozenset[str]) -> int | None:
    return up(config, flags, from_record=True)


COMMANDS: dict[str, Command] = {
    "preflight": Command(
        preflight,
        "whether a launch can work and what it costs; spends nothing",
        {"--policy": "print the IAM policy"},
        Start.defaults,
    ),
    "up": Command(_up, "start the machine, or go on with the one that runs", YES),
    "run": Command(remote_commands.run_training, "upload, install, train: -- OVERRIDES of train.py", YES, Start.limits),
    "attach": Command(remote_commands.attach, "the session of the training in this terminal"),
    "logs": Command(remote_commands.logs, "the output of the training", {"-f": "and what comes, until it ends"}),
    "ps": Command(remote_commands.ps, "machines and what they do"),
    "fetch": Command(
        remote_commands.fetch_run,
        "checkpoints, metrics and results come home",
        {"--every": "again each remote.every_s seconds, until training ends"},
    ),
    "halt": Command(remote_commands.halt, "training saves and leaves, the machine stays"),
    "stop": Command(stop, "the machine stops, its disk stays"),
    "terminate": Command(
        _terminate,
        "fetch, then end the machine and all that was made for it",
        {**YES, "--no-fetch": "what is on its disk may be lost"},
    ),
    "cost": Command(cost, "so far, an hour, and at the end"),
    "refresh-access": Command(refresh_access, "let in your present address, and nothing else"),
    "sweep-orphans": Command(
        sweep_orphans,
        "everything of yours in every region that no record here speaks of: list it, delete it",
        {**YES, "--all": "what is on record here too"},
        Start.defaults,
    ),
    "relaunch": Command(
        relaunch,
        "another machine goes on with the training",
        {**YES, "--no-fetch": "what is on the old one may be lost"},
        Start.renewal,
    ),
    "selftest": Command(
        selftest,
        "on a real account, for some minutes and cents: every promise held against AWS, and a transcript",
        YES,
        Start.defaults,
    ),
    "rehearse-interruption": Command(
        remote_commands.rehearse_interruption,
        "a spot machine is taken away, here, without an account",
        start=Start.defaults,
    ),
}
ANEW = replace(COMMANDS["up"], function=up, start=Start.defaults)  # where no machine of an earlier one is left


def run(argv: Sequence[str]) -> int:
    """-> exit status: 0 done, 2 what the user can mend (one sentence on stderr), 130 interrupted."""
    return edge.command(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int | None:
    topic = topic_of(argv[: argv.index("--")] if "--" in argv else argv)
    if not argv or topic is not None:
        print(reference(list(entries(Launch)), topic) if topic else page())
        return 0
    try:
        return _given(argv[0], argv[1:])
    except OverError:
        return _given(argv[0], argv[1:], ANEW)


def _given(name: str, words: Sequence[str], other: Command | None = None) -> int | None:
    command = other or _command(name)
    read = read_command(words, list(command.flags), command.start)
    if read is None:
        return NOT_DONE
    config, flags = read
    aloud = name in ("preflight", "up") and "--policy" not in flags
    return command.function(located(config, aloud), flags)


def located(config: Launch, aloud: bool) -> Launch:
    """The same, in a region that has a name. Where nothing names one that is said, on standard error."""
    region = region_of(config.launch)
    if region is None and aloud:
        print(f"no region is named (launch.region, AWS_REGION, the profile): taking {REGION}", file=sys.stderr)
    return replace(config, launch=replace(config.launch, region=region or REGION))


def _command(name: str) -> Command:
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        raise ConfigError(
            name,
            found="no command of this name",
            expected=f"one of {', '.join(COMMANDS)}",
            next_step=f"did you mean {near}" if near else "--help says what each does",
        )
    return COMMANDS[name]


def page() -> str:
    """What --help prints."""
    lines = ["Rent a machine with a GPU, run there, bring the results home, end it, know the bill.", ""]
    lines += ["  python -m nmt.launch COMMAND [--FLAG] [machine=NAME] [launch.KEY=VALUE ...] [-- OVERRIDES]", ""]
    for name, command in COMMANDS.items():
        lines.append(f"  {name:<24}{command.meaning}")
        lines += [f"    {flag:<22}{meaning}" for flag, meaning in command.flags.items()]
    lines += [
        "",
        "  launch.max_hours=2 launch.max_usd=1",
        f"    the machine powers itself off then, whatever happens; without: after {LaunchConfig.max_hours:g} hours",
        "  machine=g5_xlarge launch.spot=true launch.name=NAME",
        "    another GPU; a cheaper machine that may be taken away; one of several machines",
        "  --help all",
        "    every option with its default, meaning, type and bounds; also of one group: --help remote",
    ]
    return "\n".join(lines)
