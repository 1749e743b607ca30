"""The check that launch tests leave no process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import processes
from tests.processes import none_is_left


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_outlives_a_test_is_told_and_ended(monkeypatch):
    monkeypatch.setattr(processes, "ENDING_S", 0.0)
    words = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
    children = []

    def begin():
        children.append(subprocess.Popen(words, start_new_session=True, stdout=subprocess.PIPE))
        children[0].stdout.readline()  # only then /proc is sure to show what it inherits

    try:
        with pytest.raises(AssertionError, match=r"still running: .*import time; print"), none_is_left():
            begin()
        assert children[0].wait() == -9
    finally:
        for child in children:
            child.kill()
            child.communicate()
    with none_is_left():
        subprocess.run([sys.executable, "-c", ""], check=True)
