"""Word vectors that a run's scores need: from a file, or learnt from the training text and kept in the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.file import read_extras
from nmt.config.metrics import WmdConfig
from nmt.config.root import Config
from nmt.config.search import Utility
from nmt.data.corpora import Corpora
from nmt.errors import CheckpointError, MetricError
from nmt.metrics.metric import Language, Scorer
from nmt.metrics.trained import train_vectors
from nmt.metrics.vectors import VectorSource, WordVectors, open_vectors, word_vectors
from nmt.metrics.wmd.words import tokens_of, vocabulary_of

KEYS = ("wmd_words", "wmd_vectors", "wmd_source")


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


def vectors_to_extras(vectors: VectorSource | None, wmd: WmdConfig) -> dict[str, Any]:
    """What a checkpoint carries of them: nothing where they come from a file, or where there are none."""
    if vectors is None or wmd.vectors is not None:
        return {}
    assert isinstance(vectors, WordVectors), "vectors that were learnt are in memory"
    matrix_WD = np.asarray(vectors.matrix_WD)
    return dict(zip(KEYS, ("\n".join(vectors.words), matrix_WD, vectors.source), strict=True))


def scorer_of_checkpoint(path: Path, config: Config, references: Iterable[str]) -> Scorer:
    """With the vectors that a checkpoint was scored with, unless `metrics.wmd.vectors` names a file, or none is needed.

    Raises CheckpointError where it has none, MetricError where those of a file know no word of `references`.
    """
    vectors = vectors_of_checkpoint(path, config, references) if needs_vectors(config) else None
    return Scorer(config.metrics, Language(config.data.language, vectors))


def vectors_of_checkpoint(path: Path, config: Config, references: Iterable[str]) -> VectorSource:
    """As `scorer_of_checkpoint` takes them."""
    wmd = config.metrics.wmd
    if wmd.vectors is not None:
        return vectors_of_file(Path(wmd.vectors), config, references)
    extras: dict[str, Any] = dict(read_extras(path, only=lambda name: name in KEYS))
    if any(key not in extras for key in KEYS):
        raise CheckpointError(
            str(path),
            found="no word vectors",
            expected="those that its run learnt",
            next_step="name a file with metrics.wmd.vectors=FILE, or take no score that needs them",
        )
    words, matrix_WD, source = (extras[key] for key in KEYS)
    return word_vectors(words.split("\n"), matrix_WD, source)


def vectors_of_file(path: Path, config: Config, references: Iterable[str]) -> VectorSource:
    """A file's vectors, read when a translation first has their words: which those are is not known before.

    Raises MetricError as `open_vectors` does, and where none of the words of `references` is among them.
    """
    wmd = config.metrics.wmd
    vectors = open_vectors(path)
    wanted = vocabulary_of(references, wmd, config.data.language)
    if not any(word in vectors and any(map(str.isalpha, word)) for word in wanted):
        casing = "lower-cased" if wmd.lowercase else "cased"
        raise MetricError(
            f"metrics.wmd.vectors: {path}",
            found=f"none of the words of the references ({casing}) among its {len(vectors):,}",
            expected=f"word vectors of the target language ({config.data.language})",
            next_step="name a table of that language, or leave metrics.wmd.vectors out to learn one from the corpus",
        )
    return vectors
