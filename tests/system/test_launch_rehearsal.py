"""`rehearse-interruption` as a user types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
def test_a_spot_machine_is_taken_away_here():
    words = [sys.executable, "-m", "nmt.launch", "rehearse-interruption", "--", "train.max_steps=150"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    events = re.findall(r"^ +\d+\.\d s  (.*)$", done.stdout, re.MULTILINE)
    assert [event.partition(": ")[0] for event in events[:4]] == [
        *("a run in peace begins", "it has ended", "the same run begins under the agent", "agent"),
    ]
    assert any(event.startswith("agent: interruption notice: terminate at ") for event in events)
    assert "agent: training ended with exit status 143 (interrupted)" in events
    assert re.search(r"^saved \d+\.\d s after a notice that leaves 120 s; \d+ parameters equal to the last bit, 0 not$",
                     done.stdout, re.MULTILINE)  # fmt: skip


def test_a_mistaken_word_is_told_in_one_sentence(tmp_path):
    words = [sys.executable, "-m", "nmt.launch", "rehearse-interruption", "--", "model.unit=5"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 2
    assert "model.unit: found no option of this name" in done.stderr
    assert "Traceback" not in done.stderr
