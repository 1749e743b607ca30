"""Word vectors of a run's WMD similarity: from a file, or learnt from the training text and kept in the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nmt.config.metrics import WmdConfig
from nmt.config.root import Config
from nmt.data.corpora import Corpora
from nmt.errors import CheckpointError
from nmt.metrics.trained import train_vectors
from nmt.metrics.vectors import WordVectors, load_vectors, word_vectors
from nmt.metrics.wmd import WordMover
from nmt.metrics.wmd.words import tokens_of

KEYS = ("wmd_words", "wmd_vectors", "wmd_source")


def learn_mover(config: Config, corpora: Corpora) -> WordMover:
    """With `metrics.wmd.vectors` read, else learnt on the target side of the training set."""
    wmd = config.metrics.wmd
    if wmd.vectors is not None:
        return WordMover(load_vectors(Path(wmd.vectors), None), wmd, config.data.tgt)
    sentences = [tokens_of(line, wmd) for text in corpora.train for line in text.tgt]
    return WordMover(train_vectors(sentences, wmd, config.seed), wmd, config.data.tgt)


def vectors_to_extras(vectors: WordVectors, wmd: WmdConfig) -> dict[str, Any]:
    """What a checkpoint carries of them: nothing where they come from a file."""
    if wmd.vectors is not None:
        return {}
    matrix_WD = np.asarray(vectors.matrix_WD)
    return dict(zip(KEYS, ("\n".join(vectors.words), matrix_WD, vectors.source), strict=True))


def mover_from_extras(path: Path, extras: Mapping[str, Any], config: Config) -> WordMover:
    """The vectors that a checkpoint was scored with, unless `metrics.wmd.vectors` names a file."""
    wmd = config.metrics.wmd
    if wmd.vectors is not None:
        return WordMover(load_vectors(Path(wmd.vectors), None), wmd, config.data.tgt)
    if any(key not in extras for key in KEYS):
        raise CheckpointError(
            str(path),
            found="no word vectors",
            expected="those that its run learnt",
            next_step="name a file with metrics.wmd.vectors=",
        )
    words, matrix_WD, source = (extras[key] for key in KEYS)
    return WordMover(word_vectors(words.split("\n"), matrix_WD, source), wmd, config.data.tgt)
