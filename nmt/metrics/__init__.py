"""Scores of translations, each metric the same kind of thing. Read `metric.py` first.

POT, which solves the transport problems, imports TensorFlow, PyTorch, JAX and CuPy where it finds them: seconds, and
gigabytes of address space, for nothing. The variables keep it from that; they must be set before its first import, and
every module of this package comes after this one. What a user has set stays.
"""

import os

for _library in ("TENSORFLOW", "PYTORCH", "JAX", "CUPY"):
    os.environ.setdefault(f"POT_BACKEND_DISABLE_{_library}", "1")
