"""TensorFlow's lines about itself: kept back, shown on request and where its import fails."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from nmt.app.quiet import load_tensorflow

ROOT = Path(__file__).parents[2]
LOUD = """
import os
os.write(2, b"a line from C++\\n")
"""


def start(folder: Path, module: str, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` where `import tensorflow` finds `module`."""
    (folder / "tensorflow.py").write_text(module)
    path = os.pathsep.join([str(folder), str(ROOT)])
    kept = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={**kept, "PYTHONPATH": path, **environment}, capture_output=True, text=True)


# nmt.app itself would load the rest of the project: the module is taken by its file.
CODE = f"""
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("quiet", {str(ROOT / "nmt" / "app" / "quiet.py")!r})
quiet = importlib.util.module_from_spec(spec)
spec.loader.exec_module(quiet)
quiet.load_tensorflow()
os.write(2, b"after\\n")
print("tensorflow" in sys.modules, os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
"""


def test_lines_are_kept_back_and_stderr_is_itself_again(tmp_path):
    done = start(tmp_path, LOUD, CODE)
    assert (done.returncode, done.stderr) == (0, "after\n")
    assert done.stdout == "True 3\n"


def test_who_asks_for_lines_gets_them(tmp_path):
    done = start(tmp_path, LOUD, CODE, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.stderr == "a line from C++\nafter\n"
    assert done.stdout == "True 0\n"


@pytest.mark.parametrize("words", [["serve", "checkpoint=a.h5"], ["export", "checkpoint=a.h5", "folder"]])
def test_a_command_that_needs_it_elsewhere_keeps_them_back_too(tmp_path, words):
    module = "import os\nprint(os.environ.get('TF_CPP_MIN_LOG_LEVEL'), flush=True)\nraise SystemExit(3)\n"
    done = start(tmp_path, module, f"from nmt.programs import main; main({words})")
    assert (done.returncode, done.stdout) == (3, "3\n")


def test_where_a_signal_ends_the_import_they_stay_back(tmp_path):
    done = start(tmp_path, LOUD + "raise KeyboardInterrupt", CODE)
    assert done.returncode != 0
    assert done.stderr.startswith("Traceback")


def test_where_the_import_fails_they_are_shown(tmp_path):
    done = start(tmp_path, LOUD + "raise ImportError('no library')", CODE)
    assert done.returncode == 1
    assert done.stderr.startswith("a line from C++\nTraceback")
    assert "ImportError: no library" in done.stderr


@pytest.mark.parametrize(
    ("load", "frozen"), [("quiet.load_tensorflow()", False), ("edge.command(quiet.load_tensorflow)", True)]
)
def test_only_a_command_keeps_what_is_there_for_good(load, frozen, tmp_path):
    code = CODE.replace("quiet.load_tensorflow()", load)
    done = start(
        tmp_path,
        "import gc\nprint(gc.isenabled())",
        f"import gc\nfrom nmt.plumbing import edge\nbefore = gc.get_freeze_count()\n{code}\n"
        "print(gc.isenabled(), gc.get_freeze_count() > before)",
    )
    assert done.stdout == f"False\nTrue 3\nTrue {frozen}\n"


def test_cycles_are_looked_for_again_where_the_import_fails(tmp_path):
    code = CODE.replace("quiet.load_tensorflow()", "try: quiet.load_tensorflow()\nexcept ImportError: pass")
    done = start(tmp_path, "raise ImportError('no library')", f"{code}\nimport gc\nprint(gc.isenabled())")
    assert done.stdout == "False 3\nTrue\n"


def test_many_models_in_one_process_are_no_warning(caplog):
    load_tensorflow()
    scaled = tf.function(lambda scale: tf.constant(1.0) * scale, autograph=False)
    for scale in range(8):
        scaled(scale)  # a number of Python's is a graph of its own
    assert caplog.messages == []
    logging.getLogger("tensorflow").warning("anything else")
    assert caplog.messages == ["anything else"]
