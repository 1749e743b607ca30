# N prefixes, K beam width, C candidates, S source step, T target step, V vocabulary
"""One sentence searched without TensorFlow: what `beam.py` and `greedy.py` find, for a processor and few sentences.

The same rules, step by step: the best continuations of all prefixes stay, those that end make the beam narrower, and
the search stops where no prefix can still enter the best (`nmt.search.penalties`).
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from nmt.config.model import Attention
from nmt.config.search import SearchConfig
from nmt.data.specials import BOS, EOS
from nmt.model.arrays import ArrayModel, Floats
from nmt.model.seq2seq import Seq2Seq
from nmt.search.interface import Found, SearchModel
from nmt.search.penalties import Divisors, by_length, limit_of
from nmt.search.shortlist import Ids

Integers = NDArray[np.intp]
SLACK = 1e-3  # more than rounding makes of a log-probability


class Step(NamedTuple):
    """The prefixes that were kept after a word."""

    token_K: Integers
    parent_K: Integers  # the one of the step before that each continues
    weight_KS: Floats


class Ended(NamedTuple):
    """A whole translation: where its end mark was written."""

    score: float
    log_prob: float
    step: int
    place: int


class OneThread:
    """BLAS with one thread while any search runs. Its limit is the whole process's: first in sets, last out restores.

    Threads that wait for one another take longer than such small products do, on a busy machine by far.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._controller = Lock(), 0, ThreadpoolController()
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


ONE_THREAD = OneThread()


class AloneSearch:
    """Finds the translations of one sentence that `BeamSearch` or `GreedySearch` finds; scores agree up to rounding."""

    def __init__(self, model: ArrayModel, cfg: SearchConfig) -> None:
        self.model, self.cfg, self.penalty = model, cfg, Divisors(cfg)

    def __call__(self, source: Sequence[int], piece_W: Ids | None = None) -> list[Found]:
        """Translate ids that end in EOS; best first, none where the model's probabilities are no numbers.

        `piece_W`: with these pieces alone (`nmt.search.shortlist`).
        """
        with np.errstate(all="ignore"), ONE_THREAD:
            if piece_W is None:
                return self._search(self.model, source)
            found = self._search(self.model.writing(piece_W), source)
            return [one._replace(tokens=piece_W[one.tokens].tolist()) for one in found]

    def _search(self, model: ArrayModel, source: Sequence[int]) -> list[Found]:
        limit, width, nbest = limit_of(len(source), self.cfg), self.cfg.beam, self.cfg.nbest
        read = model.encode(source)
        state, token_N = read.initial, np.array([BOS])
        log_prob_N, origin_N = np.zeros(1, np.float32), np.zeros(1, np.intp)
        ended: list[Ended] = []
        steps: list[Step] = []
        while width and len(token_N):
            logits_NV, state, weight_NS = model.step(token_N, state, read)
            row_K, token_K, log_prob_K = continuations(logits_NV, log_prob_N, width, len(steps) + 1 == limit)
            steps.append(Step(token_K, origin_N[row_K], weight_NS[row_K]))
            ends_K = token_K == EOS
            for place in np.flatnonzero(ends_K):
                score = log_prob_K[place] / self.penalty[len(steps)]
                ended.append(Ended(float(score), float(log_prob_K[place]), len(steps) - 1, int(place)))
            ended = sorted(ended, key=lambda one: -one.score)[:nbest]  # on a tie the earlier one stays
            width -= int(ends_K.sum())
            origin_N = np.flatnonzero(~ends_K)
            token_N, log_prob_N = token_K[origin_N], log_prob_K[origin_N]
            if len(ended) == nbest and len(token_N) and log_prob_N[0] / self.penalty[limit] <= ended[-1].score:
                break
            row_N = row_K[origin_N]
            state = tuple(tuple(part[row_N] for part in layer) for layer in state)
        return [walk_back(one, steps) for one in ended]


def continuations(logits_NV: Floats, log_prob_N: Floats, width: int, last: bool) -> tuple[Integers, Integers, Floats]:
    """The best words after all prefixes: -> row, word and log-probability [K] of the longer ones, best first.

    As in `nmt.search.words`: PAD and BOS are never written, the last word is the end mark, no log-probability is above
    that of the shorter prefix. On a tie the earlier prefix and then the smaller word come first.
    """
    highest_N1 = logits_NV.max(axis=1, keepdims=True)
    total_N = highest_N1[:, 0] + np.log(np.exp(logits_NV - highest_N1).sum(axis=1))
    real_NV = logits_NV[:, EOS : EOS + 1 if last else None]
    if len(log_prob_N) >= width:  # the best word of each prefix: so many are at least as good as the worst of them
        least = (log_prob_N + real_NV.max(axis=1) - total_N).min()
    elif real_NV.size > width:
        key = (real_NV + (log_prob_N - total_N)[:, np.newaxis]).ravel()
        least = np.partition(key, key.size - width)[key.size - width]
    else:
        least = -np.inf
    row_C, word_C = np.nonzero(real_NV >= (least - SLACK + total_N - log_prob_N)[:, np.newaxis])
    log_prob_C = log_prob_N[row_C] + np.minimum(real_NV[row_C, word_C] - total_N[row_C], 0.0)
    order_K = np.argsort(-log_prob_C, kind="stable")[:width]
    order_K = order_K[np.isfinite(log_prob_C[order_K])]
    return row_C[order_K], word_C[order_K] + EOS, log_prob_C[order_K]


def walk_back(end: Ended, steps: Sequence[Step]) -> Found:
    """From where a translation ended to its beginning."""
    tokens: list[int] = []
    weights: list[Floats] = []
    place = end.place
    for step in steps[end.step :: -1]:
        tokens.append(int(step.token_K[place]))
        weights.append(step.weight_KS[place])
        place = int(step.parent_K[place])
    return Found(tokens[::-1], end.score, end.log_prob, np.stack(weights[::-1]))


def alone_search(model: SearchModel, cfg: SearchConfig) -> AloneSearch | None:
    """The search of single sentences with the weights as they are now; None where it does not serve.

    It serves one model in float32 on a processor that attends as usual, without draws, diversity and coverage.
    """
    if not by_length(cfg) or cfg.samples or cfg.diversity or tf.config.list_logical_devices("GPU"):
        return None
    if not isinstance(model, Seq2Seq) or {model.dtype, model.compute} - {None, tf.float32}:
        return None
    if model.config.attention is not Attention.bahdanau:
        return None
    # Views of TensorFlow's own memory: the weights are not there twice.
    weights = {name: np.asarray(memoryview(weight.value())) for name, weight in model.named_weights().items()}
    return AloneSearch(ArrayModel(model.config, weights), cfg)
