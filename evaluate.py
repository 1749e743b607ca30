"""Score a checkpoint, or compare several. `python evaluate.py --help` shows how."""

import sys

from nmt.config.commands import EvaluateConfig, run_command
from nmt.config.pages import evaluate_page


def main(command: EvaluateConfig) -> object:
    from nmt.app.evaluate import evaluate_checkpoints

    return evaluate_checkpoints(command)


if __name__ == "__main__":
    sys.exit(run_command(main, EvaluateConfig, evaluate_page, sys.argv[1:]))
