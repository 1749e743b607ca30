"""`preflight`: one table, green or red, each red with what mends it. Nothing is paid for."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from nmt.config.launch import Launch
from nmt.errors import LaunchError
from nmt.launch import checks
from nmt.launch.aws import Aws, connect
from nmt.launch.checks import Row, State, guarded
from nmt.launch.messages import GREEN, RED, YELLOW, coloured, say
from nmt.launch.offers import Image, as_offered, find_image, zones_with
from nmt.launch.policy import policy_text
from nmt.launch.prices import UNKNOWN, prices
from nmt.launch.start import resized

COLOURS = {State.green: GREEN, State.red: RED, State.unknown: YELLOW}
CANNOT = 2  # exit status where a row is red
WIDTH = 18  # of the rows' names
LINE = 96  # of what stands beside them
_INDENT = " " * (6 + WIDTH)


def preflight(config: Launch, flags: frozenset[str]) -> int | None:
    """Print the table; exit status 2 where a row is red. `--policy` prints the IAM policy instead."""
    if "--policy" in flags:
        print(policy_text(config.launch.s3))
        return None
    kind = "spot" if config.launch.spot else "on demand"
    say(f"{config.machine.instance_type} in {config.launch.region}, {kind}; this spends nothing")
    states = set()
    for row in rows(config):
        show(row)
        states.add(row.state)
    if State.red in states:
        say("this cannot work yet: mend what says NO")
        return CANNOT
    say("nothing speaks against it; what says ? is not known" if State.unknown in states else "this can work")
    return None


def show(row: Row) -> None:
    """As soon as it is known."""
    mark = coloured(row.state.value.ljust(3), COLOURS[row.state])
    say(f"  {mark} {row.name:<{WIDTH}}{_wrapped(row.found)}")
    if row.mend and row.state is not State.green:
        say(f"{_INDENT}-> {_wrapped(row.mend)}")


def _wrapped(text: str) -> str:
    """In lines that a terminal shows, each below the first."""
    return f"\n{_INDENT}".join(textwrap.wrap(text, LINE, break_long_words=False, break_on_hyphens=False))


def rows(config: Launch) -> Iterator[Row]:
    """Every check, one after another; without credentials only those that need none."""
    try:
        aws = connect(config.launch)
    except LaunchError as error:
        yield Row("credentials", State.red, f"{error.place}: {error.found}", error.next_step)
        yield checks.fit(config, None)
        yield guarded("own address", lambda: checks.address(config))
        return
    yield Row("credentials", State.green, f"{aws.owner}, {config.launch.profile or 'default profile'}")
    with contextlib.suppress(LaunchError):  # what is the matter, the next row says
        config = as_offered(aws, config)
    offered = guarded("type", lambda: checks.offered(aws, config))
    yield offered
    yield guarded("quota, on demand", lambda: checks.vcpus_left(aws, config, spot=False))
    yield guarded("quota, spot", lambda: checks.vcpus_left(aws, config, spot=True))
    yield guarded("network", lambda: checks.network(aws, config))
    image: Image | None = None
    try:
        image = find_image(aws, config)
        yield checks.image(image, config)
    except LaunchError as error:
        yield checks.refused("image", error)
    yield checks.fit(config, image)
    yield checks.disk(config, image)
    yield guarded("own address", lambda: checks.address(config))
    if image is not None and offered.state is State.green:
        yield _permission(aws, config, image)
    sized = config if image is None else resized(config, image)
    said, refusals = prices(aws, sized)
    yield checks.price(sized, said, refusals)
    yield checks.expected(sized, said)


def _permission(aws: Aws, config: Launch, image: Image) -> Row:
    on_demand = replace(config, launch=replace(config.launch, spot=False))

    def check() -> Row:
        return checks.permission(aws, config, image, zones_with(aws, on_demand, UNKNOWN)[0])

    return guarded("permission", check)
