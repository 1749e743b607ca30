"""Train a model, score it, write a run folder. `python train.py --help` shows how."""

import sys
from pathlib import Path

from nmt.config.root import Config
from nmt.config.run import run


def main(config: Config, folder: Path) -> object:
    from nmt.app.train import train_run

    return train_run(config, folder)


if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
