"""A machine's own keys, as its console shows them: whoever answers at its address must hold one of them."""

from __future__ import annotations

import re
from collections.abc import Callable

from nmt.errors import LaunchError
from nmt.launch import clock
from nmt.launch.aws import Aws
from nmt.launch.refusals import AwsError

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/=]{32,})")
POLL_S = 10.0


def host_keys(aws: Aws, instance_id: str, wait_s: float, say: Callable[[str], None]) -> list[str]:
    """Keys such as "ssh-ed25519 AAAA...". Waits until the console shows them. Raises LaunchError."""
    latest, told = True, False
    ends = clock.ticks() + wait_s
    while True:
        try:
            parameters = {"InstanceId": instance_id, **({"Latest": True} if latest else {})}
            answer = aws.call("ec2", "GetConsoleOutput", parameters)
            found = keys_in(answer.get("Output", ""))
            if found:
                return found
        except AwsError as refusal:
            if refusal.code not in ("UnsupportedOperation", "InvalidParameterCombination") or not latest:
                raise
            latest = False  # an older machine, whose console is copied now and then
            continue
        if clock.ticks() >= ends:
            raise LaunchError(
                f"the console of {instance_id}", found=f"no host keys after {wait_s:.0f} s",
                expected="the keys that cloud-init prints", next_step="run `up` again to go on waiting",
            )  # fmt: skip
        if not told:
            say("waiting for the machine's console to show its host keys (one to four minutes)")
            told = True
        clock.sleep(POLL_S)


def keys_in(console: str) -> list[str]:
    """The last block of keys in a console's text, whatever stands before each line."""
    block = console.rpartition(BEGIN)[2] if BEGIN in console else ""
    if END not in block:
        return []
    return [" ".join(match.groups()) for match in KEY.finditer(block.partition(END)[0])]
