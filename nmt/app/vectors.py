"""Word vectors that a run's scores need: from a file, or learnt from the training text and kept in the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from nmt.checkpoint.bundle import Bundle, Opened
from nmt.config.metrics import WmdConfig
from nmt.config.root import Config
from nmt.config.search import Utility
from nmt.data.corpora import Corpora
from nmt.errors import CheckpointError, MetricError
from nmt.metrics.metric import Language, Scorer
from nmt.metrics.trained import train_vectors
from nmt.metrics.vectors import VectorSource, WordVectors, open_vectors, word_vectors
from nmt.metrics.wmd.words import tokens_of, vocabulary_of


def learnt_scorer(config: Config, corpora: Corpora) -> Scorer:
    """With `metrics.wmd.vectors` read, else learnt on the target side of the training set, where needed at all."""
    wmd, vectors = config.metrics.wmd, None
    if needs_vectors(config):
        if wmd.vectors is not None:
            vectors = vectors_of_file(Path(wmd.vectors), config, corpora.dev.tgt)
        else:
            sentences = [tokens_of(line, wmd, config.data.language) for text in corpora.train for line in text.tgt]
            vectors = train_vectors(sentences, wmd, config.seed)
    return Scorer(config.metrics, Language(config.data.language, vectors))


def needs_vectors(config: Config) -> bool:
    """Whether a metric that is reported, or a choice by agreement, does."""
    return config.search.mbr is Utility.wmd or any(facts.needs_vectors for facts in config.metrics.facts)


def with_vectors(bundle: Bundle, vectors: VectorSource | None, wmd: WmdConfig) -> Bundle:
    """A checkpoint carries those that were learnt, and of those that come from a file its digest."""
    if vectors is None:
        return bundle
    if wmd.vectors is not None:
        return replace(bundle, wmd_file=vectors.sha256)
    assert isinstance(vectors, WordVectors), "vectors that were learnt are in memory"
    words, matrix_WD = "\n".join(vectors.words), np.asarray(vectors.matrix_WD)
    return replace(bundle, wmd_words=words, wmd_vectors=matrix_WD, wmd_source=vectors.source)


def scorer_as_before(start: Opened, config: Config, corpora: Corpora) -> Scorer:
    """Of a run that goes on: scored as it was, whatever this machine would learn, and wherever a file of vectors lies.

    Raises MetricError for a file with other vectors, and as `scorer_of_checkpoint` does.
    """
    scorer = scorer_of_checkpoint(start.path, start.bundle, config, corpora.dev.tgt)
    vectors, bundle = scorer.language.vectors, start.bundle
    if vectors is None or config.metrics.wmd.vectors is None:
        return scorer
    learnt = bundle.wmd_words is not None
    if learnt or bundle.wmd_file not in (None, vectors.sha256):  # older versions did not keep it
        raise MetricError(
            f"metrics.wmd.vectors: {config.metrics.wmd.vectors}",
            found=f"a file with SHA-256 {vectors.sha256}",
            expected="no file: the run learnt its vectors"
            if learnt
            else f"{bundle.wmd_file}, which the run began with",
            next_step="restore it, or start a new run with train.init_from to begin at these weights",
        )
    return scorer


def scorer_of_checkpoint(path: Path, bundle: Bundle, config: Config, references: Iterable[str]) -> Scorer:
    """With the vectors that a checkpoint was scored with, unless `metrics.wmd.vectors` names a file, or none is needed.

    Raises CheckpointError where it has none, MetricError where those of a file know no word of `references`.
    """
    vectors = vectors_of_checkpoint(path, bundle, config, references) if needs_vectors(config) else None
    return Scorer(config.metrics, Language(config.data.language, vectors))


def vectors_of_checkpoint(path: Path, bundle: Bundle, config: Config, references: Iterable[str]) -> VectorSource:
    """As `scorer_of_checkpoint` takes them."""
    wmd, words, matrix_WD, source = config.metrics.wmd, bundle.wmd_words, bundle.wmd_vectors, bundle.wmd_source
    if wmd.vectors is not None:
        return vectors_of_file(Path(wmd.vectors), config, references)
    if words is None or matrix_WD is None or source is None:
        raise CheckpointError(
            str(path),
            found="no word vectors",
            expected="those that its run learnt",
            next_step="name a file with metrics.wmd.vectors=FILE, or take no score that needs them",
        )
    return word_vectors(words.split("\n"), matrix_WD, source)


def vectors_of_file(path: Path, config: Config, references: Iterable[str]) -> VectorSource:
    """A file's vectors, read when a translation first has their words: which those are is not known before.

    Raises MetricError as `open_vectors` does, and where it has none of the words of `references`, if there are any: who
    only translates has no references.
    """
    wmd = config.metrics.wmd
    vectors = open_vectors(path)
    wanted = vocabulary_of(references, wmd, config.data.language)
    if wanted and not any(word in vectors and any(map(str.isalpha, word)) for word in wanted):
        casing = "lower-cased" if wmd.lowercase else "cased"
        raise MetricError(
            f"metrics.wmd.vectors: {path}",
            found=f"none of the words of the references ({casing}) among its {len(vectors):,}",
            expected=f"word vectors of the target language ({config.data.language})",
            next_step="name a table of that language, or leave metrics.wmd.vectors out to learn one from the corpus",
        )
    return vectors
