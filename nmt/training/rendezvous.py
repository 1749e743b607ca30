"""Workers meet before TensorFlow waits for them: while it waits, it hears no signal and says nothing.

Each worker calls the chief at the address at which TensorFlow will listen. The chief tells all who is missing, a line
of their indices whenever that changes; an empty line says that all are there.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections.abc import Collection
from contextlib import ExitStack, suppress

from nmt.errors import DeviceError
from nmt.training.cluster import Cluster

CALL_S, AGAIN_S = 5.0, 0.2  # longest wait for a connection, and from one attempt to the next
ALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 2))
AT_ONCE = struct.pack("ii", 1, 0)  # a closed port does not rest
CUT_OFF_S = 15.0  # by then who is cut off is gone


def meet(cluster: Cluster, wait_s: float) -> None:
    """Return, on every worker, once all are there, and each can have its port.

    Raises DeviceError where this worker cannot listen at its address, and after `wait_s`, which names who did not come.
    """
    until = time.monotonic() + wait_s
    with _door(cluster) as door:
        missing = _receive(cluster, door, until) if cluster.is_chief else _call(cluster, door, until)
    if missing:
        names = ", ".join(f"{index + 1} ({cluster.workers[index]})" for index in sorted(missing))
        raise DeviceError(
            "train.distribution=multi_worker",
            found=f"no word within {wait_s:g} s of worker{'s' * (len(missing) > 1)} {names}",
            expected=f"all {len(cluster.workers)} workers of TF_CONFIG",
            next_step="start what is missing, check addresses and firewalls, or wait longer with train.worker_wait_s",
        )


def _receive(cluster: Cluster, door: socket.socket, until: float) -> Collection[int]:
    """The chief's part; -> who is missing."""
    others = range(1, len(cluster.workers))
    here: dict[int, socket.socket] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as events:
        events.register(door, selectors.EVENT_READ)
        while len(here) < len(others) and (left := until - time.monotonic()) > 0:
            for key, _ in events.select(left):
                if key.data is None:
                    guest = stack.enter_context(_kept_alive(door.accept()[0]))
                    guest.settimeout(CALL_S)
                    events.register(guest, selectors.EVENT_READ, guest)
                else:
                    _hear(key.data, events, here, others)
        missing = [index for index in others if index not in here]
        for index, guest in [] if missing else here.items():  # it hangs up first: the port is then free at once
            guest.settimeout(CUT_OFF_S)
            try:
                guest.recv(1)
            except ConnectionError:
                pass  # it hung up
            except OSError:
                missing.append(index)  # cut off: it does not have the word
        return missing


def _hear(guest: socket.socket, events: selectors.BaseSelector, here: dict[int, socket.socket], others: range) -> None:
    """A guest says who it is, or hangs up."""
    try:
        index = int(guest.recv(100))
    except (OSError, ValueError):
        index = -1
    if index in others:
        here[index] = guest
    else:
        events.unregister(guest)
        for gone in [one for one, itself in here.items() if itself is guest]:
            del here[gone]
        guest.close()
    missing = " ".join(str(one) for one in others if one not in here)
    for one in here.values():
        with suppress(OSError):  # who has hung up is heard of later
            one.sendall(f"{missing}\n".encode())


def _door(cluster: Cluster) -> socket.socket:
    """Where TensorFlow will listen. Raises DeviceError where the port is taken."""
    address = cluster.workers[cluster.index]
    port = _split(address)[1]
    try:
        if socket.has_dualstack_ipv6():
            with suppress(OSError):
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("", port))
    except OSError as error:
        raise DeviceError(
            "train.distribution=multi_worker",
            found=f"that this worker cannot listen at {address} ({os.strerror(error.errno or 0).lower()})",
            expected="a free port",
            next_step="end what holds it, such as an earlier run, or name another one in TF_CONFIG",
        ) from error


def _call(cluster: Cluster, door: socket.socket, until: float) -> Collection[int]:
    """The part of the others; -> who is missing, as far as the chief has told."""
    missing = [0]
    while (left := until - time.monotonic()) > 0:
        try:
            with socket.create_connection(_split(cluster.workers[0]), min(CALL_S, left)) as chief:
                if chief.getsockname() == chief.getpeername():  # TCP has called itself, as it may where nobody listens
                    chief.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)  # the chief needs that port
                    raise ConnectionError("no chief yet")
                _kept_alive(chief).sendall(f"{cluster.index}\n".encode())
                chief.settimeout(left)
                with chief.makefile("rb") as lines:
                    for line in lines:
                        missing = [index for index in map(int, line.split()) if index < len(cluster.workers)]
                        if not line.strip():
                            door.close()  # before the chief hears that this worker goes on
                            return []
        except TimeoutError:
            continue  # once more, if there is time
        except (OSError, ValueError):
            pass  # it is not there yet, or somebody else is
        time.sleep(max(0.0, min(AGAIN_S, until - time.monotonic())))
    return missing


def _kept_alive(connection: socket.socket) -> socket.socket:
    """The same; its other end is asked now and then whether it is there, where this machine's TCP can be told when."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in ALIVE:
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return connection


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
