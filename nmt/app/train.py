"""A training run from text to report."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from nmt.app.continuation import Origin, go_on, origin_of
from nmt.app.finish import finish
from nmt.app.fitting import compile_or_not, fit
from nmt.app.hooks import RunHooks
from nmt.app.leaks import leaks_of, sizes_of
from nmt.app.models import assign_best, build_model, vocabularies_of
from nmt.app.run import Run
from nmt.app.settings import flat
from nmt.app.together import agree, hurried, leave, shared, stopped_by, told_scores, work_along
from nmt.app.vectors import learnt_scorer, scorer_as_before, with_vectors
from nmt.checkpoint.bundle import LEARNT_VECTORS, Bundle, Opened, opened, read_bundle
from nmt.checkpoint.reader import open_checkpoint_file
from nmt.checkpoint.store import CheckpointStore
from nmt.config.mistakes import show
from nmt.config.model import SHAPE
from nmt.config.root import Config
from nmt.config.saved import dump, load_config, not_writable
from nmt.config.subword import SubwordConfig
from nmt.config.train import Distribution
from nmt.data.batches import Sampling, TrainingBatches
from nmt.data.corpora import Corpora, load_corpora
from nmt.data.corpus_cache import encode_stored
from nmt.data.encode import EncodedCorpus, encode_corpus
from nmt.data.lines import Chain
from nmt.data.report import describe, render
from nmt.data.subwords import Vocabularies, learn_vocabularies
from nmt.errors import ConfigError
from nmt.metrics.metric import Scorer
from nmt.plumbing import signals
from nmt.plumbing.folders import cache
from nmt.plumbing.kept_back import sigterm_kept_back
from nmt.plumbing.signals import Stopped, StopRequest, overdue
from nmt.report.events import EventLog
from nmt.training.device import choose_device, make_deterministic
from nmt.training.loop import train
from nmt.training.placement import num_devices, spread
from nmt.training.state import TrainingState
from nmt.training.step import Trainer

log = logging.getLogger(__name__)
T = TypeVar("T")
PIECES = ("subword.kind", "subword.size", "subword.joint", "subword.min_count")


def train_run(config: Config, folder: Path) -> float | None:
    """Train in `folder`, or go on there; -> the best dev score, larger is better (what a sweep maximises).

    Ends the process with 130 or 143 where a signal asked it to, after saving; while there is nothing to save, at once.
    """
    with overdue(signals.leave):
        return _train_run(config, folder)


def _train_run(config: Config, folder: Path) -> float | None:
    several = config.train.distribution is Distribution.multi_worker
    with sigterm_kept_back() if several else nullcontext():  # by the threads that the libraries of GPUs begin as well
        device = choose_device(config.train.device, config.train.threads, num_devices(config.train))
    log.info("device: %s", device.description)
    if config.train.deterministic:
        make_deterministic()
    replicas = spread(config.train, device)
    corpora = load_corpora(config.data)
    with CheckpointStore(folder / "checkpoints", config.train.keep) as store:
        with newest(config, store) as start:
            before = None if start is None else start.bundle
            xla = compile_or_not(config, device, before)
            vocabularies = choose_vocabularies(config, corpora, start)
            encoded = encode_training(config, corpora, vocabularies)
            scored = encode_scored(corpora, vocabularies)
            report = report_corpora(config, corpora, [*encoded, *scored.values()], vocabularies)
            with replicas.scope():
                model = build_model(config, vocabularies, config.train.precision)
                tokens = fit(config, vocabularies.tgt.size, model, device, before)
                fitted = config.train if tokens is None else replace(config.train, micro_batch_tokens=tokens)
                trainer = Trainer(model, fitted, config.seed, replicas)
            origin = origin_of(corpora, device)
            state = begin(config, folder, origin, trainer, start)
        batches = plan(config, corpora, encoded, vocabularies)
        agree(config, vocabularies, origin.corpus, trainer, state)
        if state.step < config.train.max_steps:
            trainer.step.get_concrete_function()  # its graph takes long: built while a signal may end the run at once
        if not replicas.is_chief:
            sys.exit(work_along(config, trainer, batches, state))
        scorer = learnt_scorer(config, corpora) if start is None else scorer_as_before(start, config, corpora)
        leaks = leaks_of(config, corpora, origin, before)
        report = f"{report}\n{leaks.line}".rstrip()
        known = content(config, vocabularies, origin, xla, tokens, scorer)
        bundle = replace(known, sizes=sizes_of(corpora), leaks=leaks.rows)
        with EventLog(folder) as events:
            open_log(config, events, state, start)
            run = Run(config, folder, corpora, vocabularies, scored, trainer, scorer, store, events, bundle, report)
            with steps_bar(config, state) as bar, StopRequest() as request, hurried(replicas) as trained:
                hooks = shared(RunHooks(run, bar), replicas, told_scores(config))
                gpus = device.num_gpus * replicas.num_workers
                state = train(trainer, batches, config.train, state, hooks, request.made, gpus, trained.set)
                store.drain()
                status = stopped_by(request, replicas)
            if status:
                log.info("stopped by a signal at step %d; go on with resume=%s", state.step, folder)
                sys.exit(status)
            score = conclude(lambda: finish(run, state), folder)
        leave(replicas, status)
    return None if score is None else config.train.early_stopping.figure.sign * score


@contextmanager
def newest(config: Config, store: CheckpointStore) -> Iterator[Opened | None]:
    """The checkpoint that a run goes on from; None where it begins."""
    path = store.newest_valid() if config.resume is not None else None
    if path is None:
        yield None
        return
    with opened(path) as start:
        yield start


def conclude(work: Callable[[], T], folder: Path) -> T:
    """Do what comes after training: by then the checkpoints are safe, so a signal may end it at once.

    Raises ConfigError where the run folder cannot be written.
    """
    try:
        return work()
    except Stopped as stopped:
        log.info("stopped while scoring; score again with resume=%s", folder)
        sys.exit(stopped.exit_status)
    except OSError as error:
        raise not_writable(Path(error.filename or folder), error) from error


def open_log(config: Config, events: EventLog, state: TrainingState, start: Opened | None) -> None:
    """A new log begins with the settings; that of a run that goes on, where its checkpoint left it."""
    events.cut_back(state.step, state.events)
    if start is not None:
        return
    settings = flat(config).items()
    events.hparams({key: value if isinstance(value, bool | int | float) else str(value) for key, value in settings})


def choose_vocabularies(config: Config, corpora: Corpora, start: Opened | None) -> Vocabularies:
    """Learnt, but for a run that goes on or begins at another's weights: weights belong to the pieces they saw.

    Raises ConfigError where pieces or weights of `train.init_from` are others than were asked for.
    """
    if start is not None:
        return vocabularies_of(start.bundle)
    if config.train.init_from is None:
        return learn(config.subword, corpora)
    path = Path(config.train.init_from)
    with open_checkpoint_file(path) as file:
        if "<subword_kind>" not in file.datasets:  # weights alone
            return learn(config.subword, corpora)
        bundle = read_bundle(path, file, without=LEARNT_VECTORS)
    own, asked = flat(load_config(bundle.config, origin=f"{path}, its configuration")), flat(config)
    if differing := [key for key in (*PIECES, *SHAPE) if own[key] != asked[key]]:
        trained, wanted = (" ".join(f"{key}={show(one[key])}" for key in differing) for one in (own, asked))
        raise ConfigError(
            "train.init_from",
            found=f"{path}, which was trained with {trained}",
            expected=f"{wanted}, as asked for",
            next_step=f"add {trained}",
        )
    return vocabularies_of(bundle)


def learn(config: SubwordConfig, corpora: Corpora) -> Vocabularies:
    """The pieces of both languages, from the training side alone."""
    src, tgt = Chain([text.src for text in corpora.train]), Chain([text.tgt for text in corpora.train])
    return learn_vocabularies(config, src, tgt)


def content(
    config: Config, vocabularies: Vocabularies, origin: Origin, xla: bool, tokens: int | None, scorer: Scorer
) -> Bundle:
    """What every checkpoint of a run says, but for how far it has come."""
    bundle = Bundle(
        config=dump(config),
        subword_kind=vocabularies.src.kind,
        subword_joint=vocabularies.joint,
        subword_src=vocabularies.src.to_bytes(),
        subword_tgt=vocabularies.tgt.to_bytes(),
        versions=origin.versions,
        corpus=origin.corpus,
        tests=origin.tests,
        xla=xla,
        micro_batch_tokens=tokens,
    )
    return with_vectors(bundle, scorer.language.vectors, config.metrics.wmd)


def encode_training(config: Config, corpora: Corpora, vocabularies: Vocabularies) -> list[EncodedCorpus]:
    """Every training corpus as pieces, what is too long or too uneven left out."""
    limits = config.data.max_length, config.data.max_ratio
    folder = cache("subwords", config.subword.cache)
    return [encode_stored(text, vocabularies, *limits, folder / "corpora") for text in corpora.train]


def encode_scored(corpora: Corpora, vocabularies: Vocabularies) -> dict[str, EncodedCorpus]:
    """Dev and test sets as pieces, by name."""
    texts = (corpora.dev, *corpora.tests.values())
    return {text.name: encode_corpus(text.src, text.tgt, vocabularies, name=text.name) for text in texts}


def report_corpora(config: Config, corpora: Corpora, encoded: list[EncodedCorpus], vocabularies: Vocabularies) -> str:
    """The corpus report, logged."""
    texts = (*corpora.train, corpora.dev, *corpora.tests.values())
    parts = [describe(text, corpus, vocabularies) for text, corpus in zip(texts, encoded, strict=True)]
    report = render(parts, vocabularies, config.data.src, config.data.tgt)
    log.info("corpora:\n%s", report)
    return report


def begin(config: Config, folder: Path, origin: Origin, trainer: Trainer, start: Opened | None) -> TrainingState:
    """Where the run starts: at nothing, at another checkpoint's weights, or where it was."""
    num_weights = sum(int(weight.shape.num_elements()) for weight in trainer.weights)
    log.info("model: %s parameters", f"{num_weights:,}")
    if start is not None:
        return go_on(start, folder, config, origin, trainer)
    if config.resume is not None:
        log.info("%s has no checkpoint yet: beginning at step 0", folder)
    if config.train.init_from is not None:
        path = Path(config.train.init_from)
        with open_checkpoint_file(path) as file:
            assign_best(path, file, trainer.model)
        trainer.average.restart()
        log.info("weights from %s", config.train.init_from)
    return TrainingState()


def plan(config: Config, corpora: Corpora, encoded: list[EncodedCorpus], vocabularies: Vocabularies) -> TrainingBatches:
    """The batches of every epoch."""
    sampling = None
    if config.subword.sampling:
        sampling = Sampling([(text.src, text.tgt) for text in corpora.train], vocabularies, config.subword.sampling)
    return TrainingBatches(
        encoded,
        seed=config.seed,
        batch_tokens=config.train.batch_tokens,
        batch_sentences=config.train.batch_sentences,
        ratio=corpora.ratio,
        sampling=sampling,
    )


def steps_bar(config: Config, state: TrainingState) -> tqdm[Any]:
    """The bar on the screen; silent where nobody looks."""
    quiet = not sys.stderr.isatty()
    return tqdm(total=config.train.max_steps, initial=state.step, unit="step", desc="training", disable=quiet)
