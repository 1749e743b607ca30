"""Train a model, score it, write a run folder. `python train.py --help` shows how."""

import sys

from nmt.programs import train

if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
