"""SIGTERM while a library has it for itself and keeps Python's lock: in processes of their own, by the C library."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from nmt.plumbing.kept_back import sigterm_kept_back
from nmt.plumbing.signals import NUMBERS, deaf_threads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process is watched through Linux's /proc")
# A handler that does nothing (abs), and a wait for a byte of standard input during which no line of Python runs.
PROGRAM = """
import ctypes, sys, time
from nmt.plumbing import edge
from nmt.plumbing.kept_back import sigterm_kept_back

def work():
    library = ctypes.PyDLL(None)
    with sigterm_kept_back(float(sys.argv[1])):
        library.signal(15, ctypes.cast(library.abs, ctypes.c_void_p))
        print("waits", flush=True)
        library.read(0, ctypes.create_string_buffer(1), 1)
    time.sleep(600)

sys.exit(edge.command(work))
"""


def send(number: signal.Signals, at_most_s: float, let_go: bool) -> int:
    """Exit status of the program, which is sent a signal while it waits."""
    command = [sys.executable, "-c", PROGRAM, str(at_most_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == b"waits\n"
        program.send_signal(number)
        if let_go:
            program.stdin.write(b".")
            program.stdin.flush()
        try:
            return program.wait(120)
        finally:
            program.kill()


def test_it_is_delivered_once_the_library_lets_go():
    assert send(signal.SIGTERM, at_most_s=600, let_go=True) == 143


def test_it_ends_the_process_where_the_library_does_not():
    assert send(signal.SIGTERM, at_most_s=0.1, let_go=False) == -signal.SIGINT


def test_ctrl_c_ends_the_process_at_once():
    assert send(signal.SIGINT, at_most_s=600, let_go=False) == -signal.SIGINT


def test_a_signal_to_all_that_runs_leaves_the_process_that_watches_there(monkeypatch):
    started: list[subprocess.Popen[bytes]] = []

    def start(*command, **options):
        started.append(popen(*command, **options))
        return started[-1]

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with sigterm_kept_back(600):
        started[0].send_signal(signal.SIGTERM)
    assert started[0].returncode == 0


def test_threads_that_are_to_take_no_signal_keep_them_back():
    kept: list[set[signal.Signals]] = []
    thread = threading.Thread(target=lambda: kept.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with deaf_threads():
        thread.start()
    thread.join()
    assert kept[0] >= set(NUMBERS)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
