"""Word vectors of a run's WMD similarity: from a file, or learnt from the training text and kept in the checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nmt.checkpoint.file import read_extras
from nmt.config.metrics import WmdConfig
from nmt.config.root import Config
from nmt.data.corpora import Corpora
from nmt.errors import CheckpointError, MetricError
from nmt.metrics.trained import train_vectors
from nmt.metrics.vectors import VectorSource, WordVectors, open_vectors, word_vectors
from nmt.metrics.wmd import WordMover
from nmt.metrics.wmd.words import tokens_of, vocabulary_of

KEYS = ("wmd_words", "wmd_vectors", "wmd_source")


def learn_mover(config: Config, corpora: Corpora) -> WordMover:
    """With `metrics.wmd.vectors` read, else learnt on the target side of the training set."""
    wmd = config.metrics.wmd
    if wmd.vectors is not None:
        return mover_from_file(Path(wmd.vectors), config, corpora.dev.tgt)
    sentences = [tokens_of(line, wmd, config.data.language) for text in corpora.train for line in text.tgt]
    return WordMover(train_vectors(sentences, wmd, config.seed), wmd, config.data.language)


def vectors_to_extras(vectors: VectorSource, wmd: WmdConfig) -> dict[str, Any]:
    """What a checkpoint carries of them: nothing where they come from a file."""
    if wmd.vectors is not None:
        return {}
    assert isinstance(vectors, WordVectors), "vectors that were learnt are in memory"
    matrix_WD = np.asarray(vectors.matrix_WD)
    return dict(zip(KEYS, ("\n".join(vectors.words), matrix_WD, vectors.source), strict=True))


def mover_from_checkpoint(path: Path, config: Config, references: Iterable[str]) -> WordMover:
    """The vectors that a checkpoint was scored with, unless `metrics.wmd.vectors` names a file.

    Raises CheckpointError where it has none, MetricError where those of a file know no word of `references`.
    """
    wmd = config.metrics.wmd
    if wmd.vectors is not None:
        return mover_from_file(Path(wmd.vectors), config, references)
    extras: dict[str, Any] = dict(read_extras(path, only=lambda name: name in KEYS))
    if any(key not in extras for key in KEYS):
        raise CheckpointError(
            str(path),
            found="no word vectors",
            expected="those that its run learnt",
            next_step="name a file with metrics.wmd.vectors=FILE",
        )
    words, matrix_WD, source = (extras[key] for key in KEYS)
    return WordMover(word_vectors(words.split("\n"), matrix_WD, source), wmd, config.data.language)


def mover_from_file(path: Path, config: Config, references: Iterable[str]) -> WordMover:
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
    return WordMover(vectors, wmd, config.data.language)
