"""Score a system, or compare several: checkpoints, ensembles, files. `python evaluate.py --help` shows how."""

import sys

from nmt.programs import evaluate

if __name__ == "__main__":
    sys.exit(evaluate(sys.argv[1:]))
