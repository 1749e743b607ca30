"""Scores of saved checkpoints, and whether the difference between them means anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nmt.app.about import about_run, history_of
from nmt.app.leaks import leaked_to_any
from nmt.app.likeness import likeness_of
from nmt.app.models import SystemModel, members, open_system
from nmt.app.translated import Translated, traces_of, translate_and_score
from nmt.app.vectors import scorer_of_checkpoint
from nmt.checkpoint.bundle import LEARNT_VECTORS, Bundle, opened
from nmt.compare.outputs import TEST, conclude, outputs_of, show, training_words
from nmt.compare.robustness import worse
from nmt.compare.short_names import short_names
from nmt.compare.systems import Output, References, System, Worse, check_same_text, with_references
from nmt.config.commands import MODEL, EvaluateConfig
from nmt.data.corpora import load_tests
from nmt.data.subwords import Vocabularies
from nmt.data.text import ParallelText
from nmt.errors import ConfigError, DataError
from nmt.metrics.metric import Scorer
from nmt.search.translate import Translator
from nmt.training.device import choose_device

log = logging.getLogger(__name__)


def evaluate_checkpoints(command: EvaluateConfig) -> None:
    """Translate and score every test set with every checkpoint; several are compared with the first."""
    _check_nbest(command)
    choose_device(command.device, command.threads)
    planned = planned_systems(command)
    alone = len(planned) == 1 and not (command.outputs or command.groups)
    by_test: dict[str, list[System]] = {}
    sources: dict[str, Sequence[str]] = {}
    scorer: Scorer | None = None
    look_into(planned)
    counts = training_words(command)
    for system, files in planned.items():
        runs = translate_all(files, command)
        own = runs.scorer
        scorer = scorer or own
        facts = about_run(files[0], runs.bundles[0])
        histories = [history_of(files[0], bundle) for bundle in runs.bundles]
        for test, found in runs.by_test.items():
            check_same_text(system, test, files, [one.text for one in found])
            outputs = [
                Output(file, one.lines, one.scores, traces_of(one, pieces), one.nbest, robust)
                for file, one, pieces, robust in zip(files, found, runs.vocabularies, runs.worse[test], strict=True)
            ]
            text = found[0].text
            leaked = leaked_to_any(runs.bundles, test, text)
            references, group = references_of(test, text, command), system in command.groups
            made = System(system, references, outputs, facts, histories, leaked, group)
            folder = None if command.out is None else Path(command.out) / ("" if alone else system)
            show(made, test, text.name, own.cfg, folder, [one.seconds for one in found])
            by_test.setdefault(test, []).append(made)
            sources.setdefault(test, text.src)
    assert scorer is not None, "a checkpoint has been asked for"
    add_outputs(command, by_test, scorer)
    for test, systems in by_test.items():
        conclude(command, test, systems, scorer, sources[test], counts)


def _check_nbest(command: EvaluateConfig) -> None:
    """Raises ConfigError where several translations are asked for and nothing would show them."""
    asked = [word.partition("=")[2] for word in command.overrides if word.startswith("search.nbest=")]
    if asked and asked[-1] != "1" and command.out is None:
        raise ConfigError(
            "search.nbest",
            found=asked[-1],
            expected="1 without out=FOLDER, whose page shows the others",
            next_step="add out=FOLDER",
        )


def planned_systems(command: EvaluateConfig) -> dict[str, list[str]]:
    """The files of each system that has models, by its name; a file named twice is one system."""
    short = short_names(command.checkpoint, [*command.outputs, *command.groups])
    groups = {name: paths for name, paths in command.groups.items() if paths[0].endswith(MODEL)}
    return {name: [file] for file, name in short.items()} | groups


def look_into(planned: Mapping[str, Sequence[str]]) -> None:
    """Raises CheckpointError for a file that is none, before hours are spent on the first of several."""
    files = [part for several in planned.values() for file in several for part in members(file)]
    for path in files if len(files) > 1 else ():
        with opened(path, without=LEARNT_VECTORS):
            pass


def add_outputs(command: EvaluateConfig, by_test: dict[str, list[System]], scorer: Scorer) -> None:
    """Files of translations beside the models. Raises DataError where there is no test set that they could be of."""
    if not (command.outputs or command.groups):
        return
    if TEST not in by_test:
        raise DataError(
            "outputs", found="no test set called test", expected="data.test", next_step="add data.test=PREFIX"
        )
    for system in outputs_of(command, by_test[TEST][0].references, scorer):
        out = None if command.out is None else Path(command.out) / system.name
        show(system, TEST, TEST, scorer.cfg, out)
        by_test[TEST].append(system)


@dataclass(frozen=True)
class Runs:
    """What the runs of one system wrote, by test set; the scorer is the first run's."""

    by_test: Mapping[str, list[Translated]]
    scorer: Scorer
    bundles: Sequence[Bundle]  # of each run, of an ensemble all of its members
    vocabularies: Sequence[Vocabularies]  # of each run
    worse: Mapping[str, list[dict[str, Worse]]]  # by test set, of each run


def translate_all(files: Sequence[str], command: EvaluateConfig) -> Runs:
    """Every test set, by each of the files; scored as the first file says."""
    found: dict[str, list[Translated]] = {}
    scorers: list[Scorer] = []
    bundles: list[Bundle] = []
    vocabularies: list[Vocabularies] = []
    robust: dict[str, list[dict[str, Worse]]] = {}
    for file in files:
        made = open_system(members(file), tuple(command.overrides), with_vectors=True)
        scores, several, scorer = evaluate(made, command)
        scorers.append(scorer)
        bundles += made.bundles
        vocabularies.append(made.first.vocabularies)
        for test, one in scores.items():
            found.setdefault(test, []).append(one)
            robust.setdefault(test, []).append(several[test])
    return Runs(found, scorers[0], bundles, vocabularies, robust)


def evaluate(
    system: SystemModel, command: EvaluateConfig
) -> tuple[dict[str, Translated], dict[str, dict[str, Worse]], Scorer]:
    """All test sets of a checkpoint's configuration, also made worse, and what they are scored with.

    Raises DataError where there is no test set.
    """
    loaded = system.first
    nbest = 1 if command.out is None else loaded.config.search.nbest  # the others are shown on the page alone
    config = replace(loaded.config, search=replace(loaded.config.search, nbest=nbest))
    tests: dict[str, ParallelText] = load_tests(config.data)
    if not tests:
        raise DataError(
            "data.test",
            found="nothing",
            expected="a PREFIX",
            next_step="add data.test=PREFIX, the path of a pair of files without their endings",
        )
    lines = [line for text in tests.values() for line in text.tgt]
    scorer = scorer_of_checkpoint(loaded.path, loaded.bundle, config, lines)
    likeness = likeness_of(config, lambda: scorer.language.vectors)
    translator = Translator(system.model, loaded.vocabularies, config.search, likeness_of=likeness)
    draws = config.metrics.bootstrap
    scores = {
        name: translate_and_score(text, translator, scorer, draws, references=references_of(name, text, command))
        for name, text in tests.items()
    }
    robust = {name: made_worse(text, translator, scorer, command, name) for name, text in tests.items()}
    return scores, robust, scorer


def made_worse(
    text: ParallelText, translator: Translator, scorer: Scorer, command: EvaluateConfig, test: str
) -> dict[str, Worse]:
    """What the model makes of the text in each of the ways of `robustness`."""
    found = {}
    for way in command.robustness:
        source, references = worse(way, text.src, references_of(test, text, command))
        changed = ParallelText(f"{text.name}, {way}", source, text.tgt)
        one = translate_and_score(changed, translator, scorer, 0, references=references)
        found[way] = Worse(references, one.lines, one.scores)
    return found


def references_of(test: str, text: ParallelText, command: EvaluateConfig) -> References:
    """The target side, and what `+references` adds to that of the test set called test."""
    further: Mapping[str, str] = command.references if test == TEST else {}
    return with_references(text.tgt, further)
