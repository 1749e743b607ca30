"""Killed at every boundary of stages and in the middle of each, the loop makes the same text as undisturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nmt.tools.sameness import digests
from tests.system.sweep_tools_long import SHORT, ledger

ROOT = Path(__file__).resolve().parents[2]
WORDS = [
    *SHORT,
    *("methods=[back]", "back=noised", "min_score=-50", "part=100", "jobs=1", "upsample=2", "model.dropout_output=0.2"),
]
# Loaded by every Python that is started: SIGKILL to itself, and to its parent where that is asked for, once it has
# given a file its name, or put it on the disk, so many times.
HOOK = """
import os, signal
said = os.environ.get("KILL", "")
if said:
    call, name, count, parent = said.split(":")
    left, before = int(count), getattr(os, call)

    def name_of(arguments):
        path = arguments[1] if call == "replace" else os.readlink(f"/proc/self/fd/{arguments[0]}")
        return os.path.basename(path)

    def deadly(*arguments, **options):
        global left
        done = before(*arguments, **options)
        if name_of(arguments) == name:
            left -= 1
            if not left:
                if parent == "both":
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(os, call, deadly)
"""
START, END = "fsync:ledger.jsonl:1:alone", "fsync:ledger.jsonl:2:alone"  # a stage that is begun again has both
KILLS = [
    *(START, "replace:real.de:1:alone", END),  # text
    *(START, "replace:last.h5:2:both", END),  # the backward model
    *(START, "replace:1:1:both", END),  # its translations, the second of three parts
    *(START, "replace:corpus.en:1:alone", END),  # the sum
    *(START, "replace:last.h5:2:both", "replace:last.h5:1:alone", END),  # the final model; once its process alone
]


def nmt_augment(folder: Path, hook: Path, kill: str = "") -> subprocess.CompletedProcess[str]:
    paths = [str(hook), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "KILL": kill}
    environment["XDG_CACHE_HOME"] = str(folder.parent / "cache")
    command = [sys.executable, "-m", "nmt", "augment", f"out={folder}", *WORDS]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.long(minutes=5)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_killed_at_every_stage_the_text_is_the_same_as_undisturbed(tmp_path):
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for number, kill in enumerate(KILLS):
        done = nmt_augment(killed, hook, kill)
        alone = kill.startswith("replace:last.h5") and kill.endswith("alone")
        assert done.returncode == (2 if alone else -signal.SIGKILL), (number, kill, done.stderr)
    for folder in (killed, whole):
        done = nmt_augment(folder, hook)
        assert done.returncode == 0, done.stderr
    starts = [line["folder"] for line in ledger(killed) if line["event"] == "start"]
    assert list(dict.fromkeys(starts)) == ["text", "train-1-backward-1", "back", "sum", "final-1"]
    assert {name: starts.count(name) for name in starts} == {
        **dict.fromkeys(("text", "train-1-backward-1", "back", "sum"), 3),
        "final-1": 4,
    }
    first, second = (json.loads((folder / "sum" / "corpus.json").read_text()) for folder in (killed, whole))
    assert first == second
    assert first["parts"][0]["read"] == 300
    weights = [
        {
            name: digest
            for name, digest in digests(folder / "final-1" / "checkpoints" / "best.h5").items()
            if name[0] != "<"
        }
        for folder in (killed, whole)
    ]
    assert weights[0] == weights[1]
