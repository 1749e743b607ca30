"""Workers that meet: on loopback, in threads, by a clock that the test sets where somebody does not come."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest

from nmt.errors import DeviceError
from nmt.plumbing.signals import Stopped, signals_raise
from nmt.training import rendezvous
from nmt.training.cluster import Cluster
from nmt.training.rendezvous import meet
from tests.ports import free_port

LONG_S = 120.0  # nothing here lasts so long


def clusters(number: int) -> list[Cluster]:
    workers = tuple(f"127.0.0.1:{free_port()}" for _ in range(number))
    return [Cluster(workers, index) for index in range(number)]


@pytest.fixture
def clock(monkeypatch):
    """What time it is for those who wait."""
    now = [0.0]
    monkeypatch.setattr(rendezvous, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep))
    return now


def call(cluster: Cluster, chief: Future[None]) -> socket.socket:
    """A connection to the chief, as soon as it listens."""
    host, port = cluster.workers[0].split(":")
    while not chief.done():
        with suppress(OSError):
            return socket.create_connection((host, int(port)), LONG_S)
        time.sleep(0.01)
    raise AssertionError("the chief has gone") from chief.exception()


def heard(guest: socket.socket) -> bytes:
    """The only line that is for it."""
    with guest.makefile("rb") as lines:
        return lines.readline()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_all_go_on_once_all_are_there(order):
    everyone = clusters(3)
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda index: meet(everyone[index], LONG_S), order)) == [None] * 3


def sentence(wait_s: str, missing: str, number: int) -> str:
    return (
        f"train.distribution=multi_worker: found no word within {wait_s} s of {missing}, expected all {number} workers "
        "of TF_CONFIG; start what is missing, check addresses and firewalls, or wait longer with train.worker_wait_s."
    )


def test_who_does_not_come_is_named_by_all(clock):
    everyone = clusters(4)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(meet, one, LONG_S) for one in everyone[:2]]
        with call(everyone[0], waiting[0]) as guest, guest.makefile("rb") as lines:
            guest.sendall(b"2\n")
            while next(lines) != b"3\n":  # all but one are here
                pass
            clock[0] = LONG_S
            guest.sendall(b"2\n")  # the chief hears something and looks at the clock, if it has not done so yet
            told = {str(one.exception(LONG_S)) for one in waiting}
    assert told == {sentence("120", f"worker 4 ({everyone[3].workers[3]})", 4)}


def test_a_chief_that_does_not_come_is_named():
    cluster = clusters(2)[1]
    with pytest.raises(DeviceError) as caught:
        meet(cluster, 0.3)
    assert str(caught.value) == sentence("0.3", f"worker 1 ({cluster.workers[0]})", 2)


def test_who_has_called_itself_has_no_chief_and_leaves_it_the_port(clock, monkeypatch):
    """The kernel may pick for the caller's end the very port that is called, where nobody listens there."""
    chief, cluster = clusters(2)
    connect, itself = socket.create_connection, []

    def from_there(address: tuple[str, int], timeout: float) -> socket.socket:
        clock[0] = LONG_S
        itself.append(connect(address, timeout, source_address=address))
        return itself[-1]

    monkeypatch.setattr("nmt.training.rendezvous.socket.create_connection", from_there)
    with pytest.raises(DeviceError) as caught:
        meet(cluster, LONG_S)
    assert len(itself) == 1
    assert str(caught.value) == sentence("120", f"worker 1 ({cluster.workers[0]})", 2)
    with pytest.raises(DeviceError, match="no word within 0 s of worker 2"):
        meet(chief, 0)


def test_strangers_are_shown_out_and_who_comes_back_is_let_in():
    chief = clusters(3)[0]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(meet, chief, LONG_S)
        for stranger in (b"GET / HTTP/1.1\r\n\r\n", b"0\n", b"7\n", b"-1\n"):
            with call(chief, waiting) as guest, guest.makefile("rb") as told:
                guest.sendall(stranger)
                assert told.read() == b""
        with call(chief, waiting) as two:
            two.sendall(b"1\n")
            assert heard(two) == b"2\n"
        with call(chief, waiting) as three, three.makefile("rb") as told:
            three.sendall(b"2\n")
            while told.readline() != b"1\n":  # the chief has seen that the other hung up
                pass
            with call(chief, waiting) as two:
                two.sendall(b"1\n")
                assert heard(two) == b"\n"
                assert told.readline() == b"\n"
        assert waiting.result(LONG_S) is None


def test_who_is_cut_off_while_others_come_is_missing(monkeypatch):
    """Both ends ask whether the other is there; one that has the word and does not hang up cannot have heard it."""
    kept, watched = rendezvous._kept_alive, []
    monkeypatch.setattr(rendezvous, "CUT_OFF_S", 0.1)
    monkeypatch.setattr(rendezvous, "_kept_alive", lambda one: watched.append(kept(one)) or one)
    chief = clusters(2)[0]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(meet, chief, LONG_S)
        with call(chief, waiting) as guest:
            guest.sendall(b"1\n")
            assert heard(guest) == b"\n"
            assert str(waiting.exception(LONG_S)) == sentence("120", f"worker 2 ({chief.workers[1]})", 2)
    assert len(watched) == 1
    with socket.socket() as one:
        assert kept(one).getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_that_is_taken_is_told(index):
    """By whoever finds it taken, before the others wait for it in TensorFlow."""
    cluster = clusters(2)[index]
    host, port = cluster.workers[index].split(":")
    with socket.create_server((host, int(port))), pytest.raises(DeviceError) as caught:
        meet(cluster, LONG_S)
    assert str(caught.value) == (
        f"train.distribution=multi_worker: found that this worker cannot listen at {host}:{port} (address already in "
        "use), expected a free port; end what holds it, such as an earlier run, or name another one in TF_CONFIG."
    )


@pytest.mark.parametrize("index", [0, 1])
def test_a_signal_ends_the_wait(index):
    cluster = clusters(2)[index]

    def wait() -> None:
        with signals_raise():
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            meet(cluster, LONG_S)

    with pytest.raises(Stopped):
        wait()
