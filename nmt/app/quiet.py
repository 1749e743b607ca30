"""TensorFlow tells a dozen lines about itself as it starts. They are kept back, unless it fails or somebody asks."""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import os
import sys
import tempfile

from nmt import arenas, mapped
from nmt.plumbing import edge

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # TensorFlow's own switch: 0 tells everything, 3 almost nothing


def load_tensorflow() -> None:
    """Import it; what its libraries write to stderr meanwhile is shown only where the import fails.

    Whoever has set TF_CPP_MIN_LOG_LEVEL gets what it says. Otherwise it becomes 3 for this process.
    """
    logging.getLogger("tensorflow").addFilter(_is_no_count_of_graphs)
    if "tensorflow" in sys.modules:
        return
    arenas.limit_arenas()
    collecting = gc.isenabled()
    gc.disable()
    try:
        if LEVEL in os.environ:
            importlib.import_module("tensorflow")
        else:
            os.environ[LEVEL] = "3"
            _import_silently()
    finally:
        if collecting:
            gc.enable()
    mapped.release_files()
    if edge.in_command():  # what a program of somebody else has made is not ours to keep
        gc.freeze()  # what was imported stays, so Python need not look through it for cycles, now or later
        atexit.register(gc.freeze)  # nor, twice, through all that was made since, before it ends


def _is_no_count_of_graphs(record: logging.LogRecord) -> bool:
    """TensorFlow warns of the fifth graph of a function, which it counts over all models of a process: each has one."""
    return "triggered tf.function retracing" not in record.getMessage()


def _import_silently() -> None:
    with tempfile.TemporaryFile() as kept:
        # The lines come from C++, some before any log level is heeded, so the descriptor itself is turned aside.
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except Exception:  # a signal is no failure
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
