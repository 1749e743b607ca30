"""Scores of saved checkpoints, and whether the difference between them means anything."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from nmt.app.comparison import compare
from nmt.app.likeness import likeness_of
from nmt.app.models import Loaded, open_checkpoint
from nmt.app.translated import Translated, translate_and_score, write_results, write_translations
from nmt.app.vectors import scorer_of_checkpoint
from nmt.checkpoint.bundle import LEARNT_VECTORS, opened
from nmt.config.commands import EvaluateConfig
from nmt.data.corpora import load_tests
from nmt.data.text import ParallelText
from nmt.errors import DataError
from nmt.metrics.metric import Scorer
from nmt.report.console import scores_table
from nmt.search.translate import Translator
from nmt.training.device import choose_device

log = logging.getLogger(__name__)


def evaluate_checkpoints(command: EvaluateConfig) -> None:
    """Translate and score every test set with every checkpoint; several are compared with the first."""
    choose_device(command.device, command.threads)
    files = list(dict.fromkeys(command.checkpoint))  # a file named twice is one system
    folders = folders_for(files)
    by_test: dict[str, dict[str, Translated]] = {}
    scorers: list[Scorer] = []
    for path in map(Path, files) if len(files) > 1 else ():  # before hours are spent on the first
        with opened(path, without=LEARNT_VECTORS):
            pass
    for file in files:
        loaded = open_checkpoint(Path(file), tuple(command.overrides), with_vectors=True)
        scores, scorer = evaluate(loaded)
        scorers = scorers or [scorer]
        for name, scored in scores.items():
            by_test.setdefault(name, {})[file] = scored
            content = scored.results(file, loaded.config.metrics)
            if command.out is not None:
                keep(Path(command.out) / folders[file], name, scored, content)
            print(f"{file}\n{scores_table({name: content})}\n")
    if len(files) > 1:
        for name, systems in by_test.items():
            print(compare(name, systems, scorers[0]))


def evaluate(loaded: Loaded) -> tuple[dict[str, Translated], Scorer]:
    """All test sets of a checkpoint's configuration, and what they are scored with. Raises DataError without any."""
    config = replace(loaded.config, search=replace(loaded.config.search, nbest=1))
    tests: dict[str, ParallelText] = load_tests(config.data)
    if not tests:
        raise DataError(
            "data.test",
            found="nothing",
            expected="a PREFIX",
            next_step="add data.test=PREFIX, the path of a pair of files without their endings",
        )
    references = [line for text in tests.values() for line in text.tgt]
    scorer = scorer_of_checkpoint(loaded.path, loaded.bundle, config, references)
    likeness = likeness_of(config, lambda: scorer.language.vectors)
    translator = Translator(loaded.model, loaded.vocabularies, config.search, likeness_of=likeness)
    scores = {
        name: translate_and_score(text, translator, scorer, config.metrics.bootstrap) for name, text in tests.items()
    }
    return scores, scorer


def folders_for(files: list[str]) -> dict[str, str]:
    """Where in `out` the results of each file go: right there, or for several files a folder for each.

    `runs/a/checkpoints/best.h5` gives `a-best`; a name that is taken gets a number.
    """
    if len(files) == 1:
        return {files[0]: "."}
    names: dict[str, str] = {}
    for file in files:
        path = Path(file)
        inside = path.parent.name == "checkpoints"
        name = wanted = f"{path.parent.parent.name}-{path.stem}" if inside else path.stem
        number = 2
        while name in names.values():
            name, number = f"{wanted}-{number}", number + 1
        names[file] = name
    return names


def keep(folder: Path, name: str, scored: Translated, content: dict[str, object]) -> None:
    """results.json and translations in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_results(folder, name, content)
        write_translations(folder, name, scored.lines)
    except OSError as error:
        raise DataError(
            str(folder),
            found=error.strerror or str(error),
            expected="a folder that can be written to",
            next_step="choose another with out=",
        ) from error
