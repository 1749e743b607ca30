"""All commands of the package by their names: `nmt COMMAND ...`, or `python -m nmt COMMAND ...`.

What a command needs is imported when it is called: the list of commands comes at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from nmt import __version__
from nmt.errors import ConfigError
from nmt.plumbing import edge

if TYPE_CHECKING:
    from pathlib import Path

    from nmt.config.commands import EvaluateConfig, TranslateConfig
    from nmt.config.export import ExportConfig
    from nmt.config.root import Config
    from nmt.config.score import ScoreConfig
    from nmt.config.shortlist import ShortlistConfig

COMMANDS = {  # name -> where, and what it does
    "train": ("nmt.programs:train", "train a model, score it, write a run folder; -m sweeps"),
    "evaluate": ("nmt.programs:evaluate", "score checkpoints and files of translations, and compare them"),
    "translate": ("nmt.programs:translate", "translate standard input or a file, a line for each line"),
    "score": ("nmt.programs:score", "how likely a checkpoint finds given translations"),
    "shortlist": ("nmt.programs:shortlist", "learn which target pieces go with a source piece: for a quicker search"),
    "augment": ("nmt.augment.command:run", "make training text with models of one's own, and train on the sum"),
    "serve": ("nmt.serve.command:run", "serve checkpoints over HTTP, with a page"),
    "export": ("nmt.programs:export", "write a SavedModel with a program that needs no nmt, and a model card"),
    "completion": ("nmt.programs:completion", "print a script that completes commands and options: bash, zsh or fish"),
    "check": ("nmt.data.commands:run_check", "what is wrong with a corpus: leaked test sets, duplicates, broken pairs"),
    "calibrate": ("nmt.compare.command:run", "how often the tests of a comparison raise a false alarm"),
    "blind": ("nmt.compare.blind:run", "a page on which people score translations, and back to segments"),
    "checkpoint": ("nmt.checkpoint.commands:run", "ls, show, verify, diff, average, graft, convert"),
    "wmd": ("nmt.metrics.wmd.command:main", "similarity by Word Mover's Distance"),
    "sweep": ("nmt.sweep.commands:run", "what a sweep found"),
    "launch": ("nmt.launch.commands:run", "a rented GPU, from preflight to bill"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command `nmt`; -> exit status."""
    return edge.command(lambda: _run(list(sys.argv[1:] if argv is None else argv)))


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(page())
        return 0
    if words[0] == "--version":
        print(f"nmt {__version__}")
        return 0
    if words[0] not in COMMANDS:
        near = get_close_matches(words[0], COMMANDS, 1)
        raise ConfigError(
            "nmt",
            found=words[0],
            expected=f"one of {', '.join(COMMANDS)}",
            next_step=f"did you mean {near[0]}" if near else "see nmt --help",
        )
    module, _, name = COMMANDS[words[0]][0].partition(":")
    run: Callable[[Sequence[str]], int] = getattr(import_module(module), name)
    return run(words[1:])


def page() -> str:
    """What there is."""
    width = max(map(len, COMMANDS)) + 2
    rows = (f"  {name:<{width}}{purpose}" for name, (_, purpose) in COMMANDS.items())
    return "\n".join(
        (
            "Neural machine translation, end to end.",
            "",
            "  nmt COMMAND [--help | ARGUMENT ...]",
            "  nmt --version",
            "",
            *rows,
        )
    )


def train(argv: Sequence[str]) -> int:
    """train.py; -> exit status."""
    from nmt.config.run import run

    return run(train_main, argv)


def train_main(config: Config, folder: Path) -> object:
    from nmt.config.train import Distribution
    from nmt.plumbing.kept_back import sigterm_kept_back

    several = config.train.distribution is Distribution.multi_worker
    with sigterm_kept_back() if several else nullcontext():  # by the threads that libraries begin as well
        from nmt.app.train import train_run
    return train_run(config, folder)


def evaluate(argv: Sequence[str]) -> int:
    """evaluate.py; -> exit status."""
    from nmt.config.commands import EvaluateConfig, run_command
    from nmt.config.pages import evaluate_page

    return run_command(evaluate_main, EvaluateConfig, evaluate_page, argv)


def evaluate_main(command: EvaluateConfig) -> None:
    from nmt.compare.folder import claimed_out

    with claimed_out(command.out):
        if not command.decodes:  # files alone: no TensorFlow
            from nmt.compare.outputs import compare_outputs

            compare_outputs(command)
            return
        from nmt.app.evaluate import evaluate_checkpoints

        evaluate_checkpoints(command)


def translate(argv: Sequence[str]) -> int:
    """translate.py; -> exit status."""
    from nmt.config.commands import TranslateConfig, run_command
    from nmt.config.pages import translate_page

    return run_command(translate_main, TranslateConfig, translate_page, argv)


def score(argv: Sequence[str]) -> int:
    """How likely given translations are; -> exit status."""
    from nmt.config.commands import run_command
    from nmt.config.pages import score_page
    from nmt.config.score import ScoreConfig

    return run_command(score_main, ScoreConfig, score_page, argv)


def shortlist(argv: Sequence[str]) -> int:
    """Learn a shortlist; -> exit status."""
    from nmt.config.commands import run_command
    from nmt.config.pages import shortlist_page
    from nmt.config.shortlist import ShortlistConfig

    return run_command(shortlist_main, ShortlistConfig, shortlist_page, argv)


def completion(argv: Sequence[str]) -> int:
    """The completion of a shell, as a script; -> exit status."""
    return edge.command(lambda: print_completion(list(argv)))


def print_completion(words: list[str]) -> None:
    from nmt.config.completion import script

    print(script(" ".join(words), {name: purpose for name, (_, purpose) in COMMANDS.items()}), end="")


def export(argv: Sequence[str]) -> int:
    """A checkpoint as a folder of its own; -> exit status."""
    from nmt.config.commands import run_command
    from nmt.config.export import ExportConfig, with_folder
    from nmt.config.pages import export_page

    return run_command(export_main, ExportConfig, export_page, with_folder(argv))


def export_main(command: ExportConfig) -> None:
    from nmt.app.quiet import load_tensorflow

    load_tensorflow()  # here, or what it tells about itself is told
    from nmt.export.folder import export

    export(command)


def score_main(command: ScoreConfig) -> None:
    from nmt.app.score import score_files

    score_files(command)


def shortlist_main(command: ShortlistConfig) -> None:
    from nmt.app.shortlist import learn_shortlist

    learn_shortlist(command)


def translate_main(command: TranslateConfig) -> None:
    from nmt.app.translate import translate_lines

    translate_lines(command)
