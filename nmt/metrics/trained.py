"""Word vectors learnt from the text at hand: word2vec (Mikolov et al. 2013) on the target side of the training set.

The same sentences and settings give the same vectors, on any run and whatever PYTHONHASHSEED is: one worker, and a hash
of our own. They are kept in a cache under the hash of all they depend on.

    W word, D dimension
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmt.config.metrics import WmdConfig
from nmt.errors import MetricError
from nmt.metrics.vector_table import WordVectors, word_vectors
from nmt.plumbing.archives import BROKEN_NPZ
from nmt.plumbing.files import replacing
from nmt.plumbing.folders import cache

LOG = logging.getLogger(__name__)
_FORMAT = "1"  # of what is learnt: raise it when the same sentences and settings come to mean other vectors


def train_vectors(sentences: Sequence[Sequence[str]], cfg: WmdConfig, seed: int) -> WordVectors:
    """Vectors of all words of `sentences`, float32, by skip-gram with negative sampling; most frequent word first.

    `cfg.dimensions`, `cfg.epochs` and `cfg.window` (words to either side) are those of word2vec. Takes seconds for
    30,000 sentences, on one core; the next time the cache answers (`cfg.cache`, else the user's cache folder). A folder
    that cannot be written costs a warning, a broken entry is learnt anew.

    Raises MetricError where there are no words.
    """
    if not any(sentences):
        raise MetricError(
            "training of word vectors",
            found="no words",
            expected="sentences of the training set",
            next_step="give a training set, or name a table of vectors with metrics.wmd.vectors=FILE",
        )
    source = "trained"
    path = cache("vectors", cfg.cache) / f"{_key(sentences, cfg, seed)}.npz"
    kept = _read(path)
    if kept is None:
        kept = _learn(sentences, cfg, seed)
        try:
            _write(path, *kept)
        except OSError as error:
            LOG.warning("Word vectors were learnt but cannot be kept in %s (%s).", path.parent, error)
    return word_vectors(*kept, source)


def _learn(sentences: Sequence[Sequence[str]], cfg: WmdConfig, seed: int) -> tuple[list[str], NDArray[np.float32]]:
    from gensim.models import Word2Vec  # more than half a second and 30 MB, for nothing where the cache answers

    model = Word2Vec(
        [list(sentence) for sentence in sentences],
        vector_size=cfg.dimensions,
        window=cfg.window,
        epochs=cfg.epochs,
        min_count=1,  # a word without a vector is a word that is not scored
        sg=1,
        seed=seed,
        workers=1,
        hashfxn=_hash,
    )
    return list(model.wv.index_to_key), np.asarray(model.wv.vectors, dtype=np.float32)


def _hash(text: str) -> int:
    """Python's own `hash` differs from run to run."""
    return zlib.crc32(text.encode())


def _key(sentences: Sequence[Sequence[str]], cfg: WmdConfig, seed: int) -> str:
    digest = hashlib.sha256()
    settings = (
        _FORMAT,
        importlib.metadata.version("gensim"),
        np.__version__,
        cfg.dimensions,
        cfg.epochs,
        cfg.window,
        seed,
    )
    digest.update(repr(settings).encode())
    for sentence in sentences:
        digest.update("\0".join(sentence).encode() + b"\n")
    return digest.hexdigest()


def _read(path: Path) -> tuple[list[str], NDArray[np.float32]] | None:
    """An entry of the cache; None if there is no whole one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return archive["words"].tolist(), archive["vectors"]
    except FileNotFoundError:
        return None
    except BROKEN_NPZ as error:
        LOG.warning("The word vectors kept in %s cannot be read (%s); they are learnt anew.", path, error)
        return None


def _write(path: Path, words: list[str], matrix_WD: NDArray[np.float32]) -> None:
    """A reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fd, open(fd, "wb", closefd=False) as file:
        np.savez(file, words=np.array(words), vectors=matrix_WD)
