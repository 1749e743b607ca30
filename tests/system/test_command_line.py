"""The three programs as a user starts them. Each start costs half a second, so there are few."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Runs a program with its arguments and tells, last on stderr, which of the slow libraries it has imported.
TELL = """
import atexit, runpy, sys
heavy = ("tensorflow", "keras", "gensim", "ot", "matplotlib", "h5py", "sacrebleu", "numpy")
atexit.register(lambda: print("imported:", *(name for name in heavy if name in sys.modules), file=sys.stderr))
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _start(folder, program, *argv):
    words = [sys.executable, "-W", "error", "-c", TELL, str(ROOT / program), *argv]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("program", "part"),
    [
        ("train.py", "python train.py experiment=multi30k data.dir=DIR"),
        ("evaluate.py", "python evaluate.py 'checkpoint=[A.h5,B.h5]'"),
        ("translate.py", "python translate.py checkpoint=best.h5 < in.en > out.de"),
    ],
)
def test_help_imports_nothing_slow(tmp_path, program, part):
    done = _start(tmp_path, program, "--help")
    assert (done.returncode, done.stderr) == (0, "imported:\n")
    assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "word", "sentence"),
    [
        (
            "train.py",
            "train.learning_rat=0.1",
            "train.learning_rat: found no option of this name, expected an option of train; did you mean "
            "train.learning_rate.",
        ),
        (
            "evaluate.py",
            "chekpoint=a.h5",
            "chekpoint: found no option of this name, expected an option or a group of options; did you mean "
            "checkpoint.",
        ),
        ("translate.py", "format=jsn", "format: found jsn, expected one of text, json, pharaoh; did you mean json."),
    ],
)
def test_a_mistake_is_one_sentence_with_status_2_and_imports_nothing_slow(tmp_path, program, word, sentence):
    done = _start(tmp_path, program, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{sentence}\nimported:\n"
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_shows_the_configuration(tmp_path):
    done = _start(tmp_path, "train.py", "--cfg", "job", "experiment=multi30k_tok", "data.dir=D")
    assert (done.returncode, done.stderr) == (0, "imported:\n")
    assert "  variant: tok\n" in done.stdout
    assert "  dir: D\n" in done.stdout
    assert list(tmp_path.iterdir()) == []
