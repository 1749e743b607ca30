"""Workers that meet: on loopback, in threads, by a clock that the test sets where somebody does not come."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from nmt.errors import DeviceError
from nmt.plumbing.signals import Stopped, signals_raise
from nmt.training import rendezvous
from nmt.training.cluster import Cluster
from nmt.training.rendezvous import meet

LONG_S = 120.0  # nothing here lasts so long


def clusters(number: int) -> list[Cluster]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        workers = tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in taken)
    return [Cluster(workers, index) for index in range(number)]


@pytest.fixture
def clock(monkeypatch):
    """What time it is for those who wait."""
    now = [0.0]
    monkeypatch.setattr(rendezvous, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep))
    return now


def call(cluster: Cluster) -> socket.socket:
    """A connection to the chief, as soon as it listens."""
    host, port = cluster.workers[0].split(":")
    for _ in range(1200):
        try:
            return socket.create_connection((host, int(port)), LONG_S)
        except OSError:
            time.sleep(0.05)
    raise AssertionError("no chief")


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
        with call(everyone[0]) as guest:
            guest.sendall(b"2\n")
            lines = guest.makefile("rb")
            while next(lines) != b"3\n":  # all but one are here
                pass
            clock[0] = LONG_S
            call(everyone[0]).close()  # somebody at the door: the chief looks at the clock
            told = {str(one.exception(LONG_S)) for one in waiting}
    assert told == {sentence("120", f"worker 4 ({everyone[3].workers[3]})", 4)}


def test_a_chief_that_does_not_come_is_named():
    cluster = clusters(2)[1]
    with pytest.raises(DeviceError) as caught:
        meet(cluster, 0.3)
    assert str(caught.value) == sentence("0.3", f"worker 1 ({cluster.workers[0]})", 2)


def test_strangers_are_shown_out_and_who_comes_back_is_let_in():
    chief = clusters(3)[0]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(meet, chief, LONG_S)
        for stranger in (b"GET / HTTP/1.1\r\n\r\n", b"0\n", b"7\n", b"-1\n"):
            with call(chief) as guest:
                guest.sendall(stranger)
                assert guest.makefile("rb").read() == b""
        with call(chief) as two:
            two.sendall(b"1\n")
            assert two.makefile("rb").readline() == b"2\n"
        with call(chief) as three, three.makefile("rb") as told:
            three.sendall(b"2\n")
            while told.readline() != b"1\n":  # the chief has seen that the other hung up
                pass
            with call(chief) as two:
                two.sendall(b"1\n")
                assert two.makefile("rb").readline() == b"\n"
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
        with call(chief) as guest:
            guest.sendall(b"1\n")
            assert guest.makefile("rb").readline() == b"\n"
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
