"""Threads share arenas of malloc, unless the user has said how many there are to be."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.arenas import ASKED_BY, limit_arenas

ROOT = Path(__file__).resolve().parents[2]
gnu = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the GNU C library is on Linux alone")
ALLOCATE = """
import ctypes, sys, threading
from nmt.arenas import limit_arenas
if sys.argv[1] != "-":
    assert limit_arenas(int(sys.argv[1]), {})
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)
def work():
    together.wait()
    kept.extend(c.malloc(1000) for _ in range(2000))
    together.wait()
kept = []
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.stderr.flush()
c.malloc_stats()
"""


def arenas(cores: str) -> int:
    done = subprocess.run([sys.executable, "-c", ALLOCATE, cores], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"^Arena \d+:", done.stderr, re.MULTILINE))


@gnu
def test_half_as_many_arenas_as_cores():
    assert arenas("-") > 3
    assert [arenas(cores) for cores in ("1", "2", "6")] == [1, 1, 3]


@pytest.mark.parametrize("name", ASKED_BY)
def test_what_the_user_has_said_stays(name):
    assert not limit_arenas(environment={name: "1"})


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not limit_arenas(environment={})


def test_training_begins_with_it(tmp_path):
    """Before TensorFlow, in whose place stands a module that tells when it is imported."""
    (tmp_path / "tensorflow.py").write_text("print('tensorflow', flush=True)\n", encoding="utf-8")
    code = "import nmt.arenas as a; a.limit_arenas = lambda: print('limited', flush=True)\nimport nmt.app"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["limited", "tensorflow"], done.stderr
