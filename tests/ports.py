"""Ports for what listens later: until then nobody else has them.

A port that the kernel picks may be anyone's by then: it picks the same ones for whoever connects. So these lie outside
its range, and each process of the tests has a block of them to itself, other test runs on this machine included.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle
from pathlib import Path

BLOCK = 64
PICKED = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Where nobody listens, and nobody who asks here in the next 60 calls is sent."""
    for _ in range(BLOCK):
        port = next(_mine())
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            return port
    raise AssertionError("none of this process's ports is free")


@cache
def _mine() -> Iterator[int]:
    """The ports of a block, in turn. Its first is listened on as long as this process lives: that makes it ours."""
    for first in _blocks():
        with suppress(OSError), socket.create_server(("127.0.0.1", first)) as guard:
            guard.detach()
            return cycle(range(first + 1, first + BLOCK))
    raise AssertionError("no block of ports is free")


def _blocks() -> list[int]:
    low, high = map(int, PICKED.read_text().split()) if PICKED.exists() else (32_768, 65_535)
    outside = [*range(10_000, low - BLOCK, BLOCK), *range(high + 1, 65_536 - BLOCK, BLOCK)]
    return outside or list(range(10_000, 32_768 - BLOCK, BLOCK))
