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
    with pytest.raises(AssertionError, match=r"still running: .*import time; time.sleep"), none_is_left():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    assert child.wait() == -9
    with none_is_left():
        subprocess.run([sys.executable, "-c", ""], check=True)
