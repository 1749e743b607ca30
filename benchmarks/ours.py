"""The program that is measured for us: the real training run and the real translator, behind the peers' turnstile.

Training is `nmt.app.train.train_run`, everything that `train.py` does, with the turnstile where the bar on the screen
is moved: after every step.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nmt.app.train as application
from benchmarks.peers.turnstile import Turnstile
from nmt.app.hooks import RunHooks
from nmt.app.models import open_checkpoint
from nmt.checkpoint.file import read_extras
from nmt.config.root import Config
from nmt.config.run import run
from nmt.config.saved import load_config
from nmt.data.multi30k import read_split
from nmt.plumbing.text import read_lines
from nmt.search.translate import Translator
from nmt.training.device import choose_device
from nmt.training.state import TrainingState, Window


class GatedHooks(RunHooks):
    """A run's own hooks, and the turnstile after each step."""

    turnstile: Turnstile
    tokens_before = 0
    steps_before, waited_before_s = 0, 0.0  # of the window

    def progress(self, state: TrainingState, window: Window) -> None:
        super().progress(state, window)
        tokens, self.tokens_before = state.target_tokens - self.tokens_before, state.target_tokens
        before_s = self.waited_before_s if window.steps >= self.steps_before else 0.0  # else it is a new one
        self.steps_before, self.waited_before_s = window.steps, window.waited_s
        self.turnstile.step(tokens, window.waited_s - before_s)


def train(turnstile: Turnstile, overrides: list[str], folder: Path) -> int:
    """Train, in turns, until the turnstile ends the process."""
    GatedHooks.turnstile = turnstile
    application.RunHooks = GatedHooks  # type: ignore[attr-defined]
    return run(application.train_run, [*overrides, f"hydra.run.dir={folder}"])


def translations(
    checkpoint: Path, overrides: list[str], plain: bool, text: Path | None = None
) -> Callable[[], list[str]]:
    """One pass over `text`, or over the test set of the checkpoint's own corpus: pieces a line, and its text."""
    asked = load_config(str(read_extras(checkpoint)["config"]), tuple(overrides), origin=str(checkpoint))
    choose_device(asked.train.device, asked.train.threads)
    loaded = open_checkpoint(checkpoint, tuple(overrides))
    config = dataclasses.replace(loaded.config.search, nbest=1)
    translator = Translator(loaded.model, loaded.vocabularies, config, plain)
    lines = test_lines(loaded.config) if text is None else read_lines(text)

    def work() -> list[str]:
        best = [translations[0] for translations in translator.translate(lines)]
        return [f"{max(0, len(one.tokens) - 1)}\t{one.text}" for one in best]

    return work


def test_lines(config: Config) -> list[str]:
    return list(read_split(config.data, "test").src)  # type: ignore[arg-type]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the run")
    parser.add_argument("--checkpoint", type=Path, help="translate with it; else train")
    parser.add_argument("--lines", type=Path, help="translate this file instead of the corpus's test set")
    parser.add_argument("--plain", action="store_true", help="translate by the search without what saves time")
    parser.add_argument("overrides", nargs="*")
    parsed = parser.parse_args()
    turnstile = Turnstile()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if parsed.checkpoint:
        turnstile.translations(translations(parsed.checkpoint, parsed.overrides, parsed.plain, parsed.lines))
        return 0
    folder = parsed.folder / f"ours-{os.getpid()}"
    return train(turnstile, parsed.overrides, folder)


if __name__ == "__main__":
    sys.exit(main())
