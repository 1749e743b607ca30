"""The states of a rented machine, what leads from one to the next, and which command is for which of them."""

from __future__ import annotations

from enum import Enum

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch.messages import command


class State(Enum):
    """Each with what is true in it."""

    gone = "no machine: none was asked for, or AWS says that it is terminated, or has forgotten it"
    asked = "a request was sent, and AWS has not said what came of it"
    pending = "AWS starts it"
    running = "it runs, and costs; nothing trains"
    training = "the same, and a training runs"
    saved = "the same, and the training has ended; what it saved is on the machine's disk"
    stopped = "it is stopped, or about to be; its disk costs"
    ending = "AWS ends it; it costs no more"
    unknown = "a machine is on record, and these keys do not see it: it may run and cost"


ON = frozenset({State.running, State.training, State.saved})
REACHED = ON | {State.unknown}  # over ssh, which needs no keys of AWS
# What may come next, by a command or by itself; every state but `gone` may become `unknown` with other keys, and back.
NEXT: dict[State, frozenset[State]] = {
    State.gone: frozenset({State.asked}),
    State.asked: frozenset({State.pending, State.gone}),
    State.pending: frozenset({State.running, State.stopped, State.ending}),
    State.running: frozenset({State.training, State.stopped, State.ending}),
    State.training: frozenset({State.saved, State.stopped, State.ending}),
    State.saved: frozenset({State.training, State.stopped, State.ending}),
    State.stopped: frozenset({State.pending, State.ending}),
    State.ending: frozenset({State.gone}),
    State.unknown: frozenset(),
}
# In other states a command changes nothing, and says so in one sentence: tests/system/test_launch_states_held.py gives
# every command in every state.
ALLOWED: dict[str, frozenset[State]] = {
    "up": frozenset(State) - {State.unknown},  # asked, pending, on: it goes on with that machine; ending: it waits
    "run": REACHED,
    "attach": frozenset({State.training, State.unknown}),
    "logs": REACHED,
    "fetch": REACHED,
    "halt": REACHED,
    "relaunch": frozenset(State) - {State.unknown},
    "stop": ON | {State.stopped},
    "terminate": frozenset(State) - {State.unknown},
    "refresh-access": frozenset(State) - {State.unknown},  # it is the group's, which is there before and after
    "cost": frozenset(State) - {State.asked, State.unknown},
    "ps": frozenset(State),
    "sweep-orphans": frozenset(State),
    "preflight": frozenset(State),
    "selftest": frozenset({State.gone}),
}
AWS = {  # what AWS calls them
    "pending": State.pending, "running": State.running, "stopping": State.stopped, "stopped": State.stopped,
    "shutting-down": State.ending, "terminated": State.gone,
}  # fmt: skip


def check(name: str, state: State, config: Launch) -> None:
    """Raises LaunchError where the command is not for a machine in this state."""
    if state not in ALLOWED[name]:
        raise LaunchError(
            f"launch.name={config.launch.name}", found=f"a machine that is {state.name} ({state.value})",
            expected=" or ".join(one.name for one in State if one in ALLOWED[name] - {State.unknown}),
            next_step=f"{command('up', config)} goes on with it, {command('terminate', config)} ends it",
        )  # fmt: skip
