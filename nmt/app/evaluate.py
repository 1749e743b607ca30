"""Scores of saved checkpoints, and whether the difference between them means anything."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from nmt.app.bundle import Loaded, open_checkpoint
from nmt.app.scoring import Scored, score, write_results, write_translations
from nmt.app.vectors import mover_from_checkpoint
from nmt.config.commands import EvaluateConfig
from nmt.data.corpora import load_tests
from nmt.data.text import ParallelText
from nmt.errors import CheckpointError, DataError
from nmt.metrics.bleu import bleu_from_statistics
from nmt.metrics.bootstrap import mean_from_statistics, mean_statistics
from nmt.metrics.chrf import chrf_from_statistics
from nmt.metrics.significance import TRIALS, paired_bootstrap, paired_randomisation
from nmt.report.console import scores_table, table
from nmt.search.translate import Translator
from nmt.training.device import choose_device

log = logging.getLogger(__name__)


def evaluate_checkpoints(command: EvaluateConfig) -> None:
    """Translate and score every test set with every checkpoint; several are compared with the first."""
    choose_device(command.device, command.threads)
    files = list(dict.fromkeys(command.checkpoint))  # a file named twice is one system
    folders = folders_for(files)
    by_test: dict[str, dict[str, Scored]] = {}
    for file in files:
        loaded = open_checkpoint(Path(file), tuple(command.overrides))
        for name, scored in evaluate(loaded).items():
            by_test.setdefault(name, {})[file] = scored
            content = scored.results(file, loaded.config.metrics)
            if command.out is not None:
                keep(Path(command.out) / folders[file], name, scored, content)
            print(f"{file}\n{scores_table({name: content})}\n")
    if len(files) > 1:
        metrics = loaded.config.metrics
        for name, systems in by_test.items():
            print(compare(name, systems, metrics.bootstrap, metrics.confidence, metrics.seed))


def evaluate(loaded: Loaded) -> dict[str, Scored]:
    """All test sets of a checkpoint's configuration. Raises DataError where it has none."""
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
    mover = mover_from_checkpoint(loaded.path, config, references)
    translator = Translator(loaded.model, loaded.vocabularies, config.search)
    return {
        name: score(text, translator, mover, config.metrics, config.metrics.bootstrap) for name, text in tests.items()
    }


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


def keep(folder: Path, name: str, scored: Scored, content: dict[str, object]) -> None:
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


def compare(name: str, systems: dict[str, Scored], resamples: int, confidence: float, seed: int) -> str:
    """A table: each system against the first, by paired bootstrap and paired approximate randomisation."""
    (baseline, first), *others = systems.items()
    if any(scored.text.tgt != first.text.tgt for _, scored in others):
        raise CheckpointError(
            "checkpoint",
            found="test sets that differ between the checkpoints",
            expected="the same sentences for all",
            next_step="name one test set with data.test=PREFIX",
        )
    rows = []
    for metric, statistics, function in (
        ("BLEU", lambda s: s.bleu.statistics_NF, bleu_from_statistics),
        ("chrF", lambda s: s.chrf.statistics_NF, chrf_from_statistics),
        ("WMD similarity", lambda s: mean_statistics(s.wmd.similarities_N), mean_from_statistics),
    ):
        base, rest = statistics(first), [statistics(scored) for _, scored in others]
        boot = paired_bootstrap(base, rest, function, resamples=resamples or 1000, confidence=confidence, seed=seed)
        shuffled = paired_randomisation(base, rest, function, trials=TRIALS, seed=seed)
        for (file, _), one, two in zip(others, boot, shuffled, strict=True):
            rows.append(
                (metric, file, f"{one.score:.4g}", f"{one.difference:+.4g}", f"{one.p_value:.4f}", f"{two.p_value:.4f}")
            )
    header = ("metric", "system", "score", "difference", "p (bootstrap)", "p (randomisation)")
    return f"{name}: compared with {baseline}\n{table(rows, header)}"
