# B batch, A sentences still searched, K beam width, N = A*K places for prefixes, R prefixes that are continued,
# C candidates of a prefix, X = K*C candidates of a sentence, M hypotheses kept a sentence, S source step, T target
# step, V vocabulary
"""Batched beam search as one graph.

At every step each sentence keeps its best prefixes. One that ends in EOS is a finished hypothesis and takes its place
in the beam with it, so the beam narrows and ends once K are finished (as in Bahdanau, Cho & Bengio 2015); a beam of
width 1 is greedy search. The best M finished ones stay. A sentence stops earlier where no prefix can still enter those
M (`scores.upper_bound`).

The model sees rows: each sentence has as many as it has prefixes to continue, one at first, K at most, fewer as the
beam narrows, and none once it is finished. Rows are cut down when enough of them have no prefix (nmt/search/rows.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.data.specials import BOS, EOS
from nmt.model.indexing import take_per_row
from nmt.search.banks import DEAD, candidates, in_turn, siblings_apart
from nmt.search.graphs import GraphSearch
from nmt.search.history import History, walk_back
from nmt.search.interface import Hypotheses, SearchModel, State
from nmt.search.penalties import limits, score, upper_bound
from nmt.search.rows import gather_rows, keep_shapes, must_change, repeat_rows, varying_rows
from nmt.search.rules import Demands, RuledBatch, Rules, Verdict
from nmt.search.words import best_words


class Finished(NamedTuple):
    """The M best finished hypotheses of every sentence, best first; score -inf where there are fewer."""

    score_BM: tf.Tensor
    log_prob_BM: tf.Tensor
    end_BM: tf.Tensor  # the step that wrote EOS
    row_BM: tf.Tensor  # its row in that step's history


class Beams(NamedTuple):
    """Where the search stands."""

    step: tf.Tensor  # int32 []: words written
    place_A: tf.Tensor  # int32: which sentence of the batch
    limit_A: tf.Tensor  # int32: its longest translation
    width_A: tf.Tensor  # int32: K less the hypotheses it has finished
    room_A: tf.Tensor  # int32: its rows
    place_R: tf.Tensor  # int32: which of the N places a row has; those of a sentence are its first ones
    token_R: tf.Tensor  # int32: the last word of each prefix
    log_prob_R: tf.Tensor  # float32; -inf: no prefix here
    origin_R: tf.Tensor  # int32: the row in the last step's history
    coverage_RS: tf.Tensor  # float32: attention that each source word got
    state: State
    memory: Any
    finished: Finished
    history: History
    written: Any  # what the rules remember of each row; () without rules


class Choice(NamedTuple):
    """The candidates that stay after a step: finished ones and prefixes, before anyone leaves the batch."""

    log_prob_AK: tf.Tensor  # -inf past the width
    token_N: tf.Tensor
    parent_N: tf.Tensor  # the row, of R, that it continues


def choose(
    beams: Beams, logits_RV: tf.Tensor, width: int, verdict: Verdict | None = None, diversity: float = 0.0
) -> Choice:
    """The continuations of each sentence that stay, as many as its beam is wide, the first to go last."""
    sentence_R = beams.place_R // width
    last_R = tf.gather(beams.step + 1 >= beams.limit_A, sentence_R)
    bank_RC = None
    if verdict is None:
        word_RC, token_RC = best_words(logits_RV, width, last_R)
    else:
        word_RC, token_RC, bank_RC = candidates(logits_RV, width, last_R, verdict)
    size, count = width * tf.size(beams.limit_A), word_RC.shape[1] or tf.shape(word_RC)[1]
    place_R1 = beams.place_R[:, tf.newaxis]
    total_NC = tf.tensor_scatter_nd_update(
        tf.fill([size, count], DEAD), place_R1, beams.log_prob_R[:, tf.newaxis] + word_RC
    )
    wanted_AX = tf.reshape(siblings_apart(total_NC, diversity) if diversity else total_NC, [-1, width * count])
    if bank_RC is not None:
        wanted_AX = in_turn(wanted_AX, tf.reshape(tf.scatter_nd(place_R1, bank_RC, [size, count]), [-1, width * count]))
    log_prob_AK, which_AK = tf.math.top_k(wanted_AX, width)
    if bank_RC is not None or diversity:
        log_prob_AK = tf.gather(tf.reshape(total_NC, [-1, width * count]), which_AK, batch_dims=1)
    log_prob_AK = tf.where(tf.range(width) < beams.width_A[:, tf.newaxis], log_prob_AK, DEAD)
    first_A1 = width * tf.range(tf.shape(which_AK)[0])[:, tf.newaxis]
    row_N = tf.scatter_nd(place_R1, tf.range(tf.size(beams.place_R)), [size])  # a place without a row has no candidate
    parent_N = tf.gather(row_N, tf.reshape(first_A1 + which_AK // count, [-1]))
    token_N = take_per_row(tf.gather(token_RC, parent_N), tf.reshape(which_AK % count, [-1]))
    return Choice(log_prob_AK, token_N, parent_N)


def collect(old: Finished, beams: Beams, score_AK: tf.Tensor, log_prob_AK: tf.Tensor) -> Finished:
    """The best of those finished before and now (score -inf: not finished now). On a tie the earlier one stays."""
    shape, size = tf.shape(score_AK), old.score_BM.shape[1]
    rows_AK = tf.reshape(tf.range(shape[0] * shape[1]), shape)
    new = Finished(score_AK, log_prob_AK, tf.fill(shape, beams.step), rows_AK)
    kept = gather_rows(old, beams.place_A)
    both = tf.nest.map_structure(lambda a, b: tf.concat([a, b], axis=1), kept, new)
    _, which_AM = tf.math.top_k(both.score_BM, size)
    best = tf.nest.map_structure(lambda x: tf.gather(x, which_AM, batch_dims=1), both)
    place_A1 = beams.place_A[:, tf.newaxis]
    return Finished(*(tf.tensor_scatter_nd_update(x, place_A1, y) for x, y in zip(old, best, strict=True)))


class BeamSearch(GraphSearch):
    """Finds the `cfg.nbest` best translations that a beam of `cfg.beam` reaches.

    A new shape of batch is not traced anew. `plain=True` leaves out what only saves time, the stop rule and the
    shrinking batch: it is what the tests compare with.
    """

    def __init__(self, model: SearchModel, cfg: SearchConfig, plain: bool = False, rules: Rules | None = None) -> None:
        super().__init__(model, rules)
        self.cfg, self.plain = cfg, plain

    def _start(self, model: SearchModel, source_BS: tf.Tensor, ruled: RuledBatch | None) -> Beams:
        memory, width = model.encode(source_BS), self.cfg.beam
        size = tf.shape(source_BS)[0]
        limit_B = limits(memory.mask_BS, self.cfg)
        if ruled is not None:
            limit_B = ruled.room(limit_B)
        none_BM = tf.zeros([size, self.cfg.nbest], tf.int32)
        worst_BM = tf.fill([size, self.cfg.nbest], DEAD)
        # K equal beginnings would stay equal: there is one, and the plain search has K - 1 rows without a prefix.
        rows = width if self.plain else 1
        memory = repeat_rows(memory, rows)
        return Beams(
            step=tf.constant(0),
            place_A=tf.range(size),
            limit_A=limit_B,
            width_A=tf.fill([size], width),
            room_A=tf.fill([size], rows),
            place_R=tf.reshape(width * tf.range(size)[:, tf.newaxis] + tf.range(rows), [-1]),
            token_R=tf.fill([size * rows], BOS),
            log_prob_R=tf.tile(tf.where(tf.range(rows) == 0, 0.0, DEAD), [size]),
            origin_R=tf.range(size * rows),
            coverage_RS=tf.zeros(tf.shape(memory.mask_BS), tf.float32),
            state=memory.initial,
            memory=memory,
            finished=Finished(worst_BM, worst_BM, none_BM, none_BM),
            history=History.empty(tf.reduce_max(limit_B)),
            written=() if ruled is None else ruled.start(size * rows, tf.reduce_max(limit_B)),
        )

    def _finish(self, beams: Beams, choice: Choice, coverage_NS: tf.Tensor) -> tuple[Finished, tf.Tensor, tf.Tensor]:
        """-> what is finished, the log-probability [A, K] of what goes on, and the width left [A]."""
        shape = tf.shape(choice.log_prob_AK)
        ended_AK = tf.reshape(choice.token_N == EOS, shape) & tf.math.is_finite(choice.log_prob_AK)
        mask_NS = tf.gather(beams.memory.mask_BS, choice.parent_N)
        score_AK = score(choice.log_prob_AK, beams.step + 1, coverage_NS, mask_NS, self.cfg)
        score_AK = tf.where(ended_AK, score_AK, DEAD)
        finished = collect(beams.finished, beams, score_AK, choice.log_prob_AK)
        width_A = beams.width_A - tf.reduce_sum(tf.cast(ended_AK, tf.int32), axis=1)
        alive_AK = tf.where(ended_AK, DEAD, choice.log_prob_AK)
        if not self.plain:
            worst_A = tf.gather(finished.score_BM[:, -1], beams.place_A)
            best_A = upper_bound(tf.reduce_max(alive_AK, axis=1), beams.limit_A, self.cfg)
            over_A = tf.logical_or(best_A <= worst_A, width_A <= 0)
            alive_AK = tf.where(over_A[:, tf.newaxis], DEAD, alive_AK)
        return finished, alive_AK, width_A

    def _judge(self, beams: Beams, ruled: RuledBatch | None) -> Verdict | None:
        """What may follow each row."""
        if ruled is None:
            return None
        sentence_R = beams.place_R // self.cfg.beam
        place_R, limit_R = tf.gather(beams.place_A, sentence_R), tf.gather(beams.limit_A, sentence_R)
        return ruled.judge(beams.written, place_R, beams.step, limit_R)

    def _write(self, beams: Beams, ruled: RuledBatch | None, choice: Choice) -> Any:
        """What the rules remember of each of the N prefixes that were chosen."""
        if ruled is None:
            return ()
        place_N = tf.repeat(beams.place_A, self.cfg.beam)
        old = gather_rows(beams.written, choice.parent_N)
        return ruled.write(old, place_N, beams.step, choice.token_N)

    def _step(self, model: SearchModel, beams: Beams, ruled: RuledBatch | None) -> Beams:
        """One word further."""
        width = self.cfg.beam
        logits_RV, state, weight_RS = model.step(beams.token_R, beams.state, beams.memory)
        choice = choose(beams, logits_RV, width, self._judge(beams, ruled), self.cfg.diversity)
        weight_NS = tf.gather(tf.cast(weight_RS, tf.float32), choice.parent_N)
        coverage_NS = tf.gather(beams.coverage_RS, choice.parent_N) + weight_NS
        parent_N = tf.gather(beams.origin_R, choice.parent_N)
        history = beams.history.record(beams.step, choice.token_N, parent_N, weight_NS)
        finished, alive_AK, width_A = self._finish(beams, choice, coverage_NS)

        # Prefixes that go on come first, best first: the first places are those that have rows.
        alive_AK, order_AK = tf.math.top_k(alive_AK, width)
        alive_A = tf.reduce_sum(tf.cast(alive_AK > DEAD, tf.int32), axis=1)
        anew = tf.constant(False) if self.plain else must_change(alive_A, beams.room_A)
        room_A = tf.where(anew, alive_A, beams.room_A)
        stay_A = tf.where(room_A > 0)[:, 0]
        room_A = tf.gather(room_A, stay_A)
        taken_R2 = tf.where(tf.range(width) < room_A[:, tf.newaxis])  # sentence and place of each new row
        from_AK = tf.cast(stay_A[:, tf.newaxis], tf.int32) * width + tf.gather(order_AK, stay_A)
        from_R = tf.gather_nd(from_AK, taken_R2)

        def moved() -> Any:
            """The sources once more: a row for each of a sentence's, from its first one before."""
            first_A = tf.gather(tf.cumsum(beams.room_A, exclusive=True), stay_A)
            return gather_rows(beams.memory, tf.gather(first_A, taken_R2[:, 0]))

        memory = tf.cond(anew, moved, lambda: beams.memory)
        return Beams(
            step=beams.step + 1,
            place_A=tf.gather(beams.place_A, stay_A),
            limit_A=tf.gather(beams.limit_A, stay_A),
            width_A=tf.gather(width_A, stay_A),
            room_A=room_A,
            place_R=tf.cast(taken_R2[:, 0] * width + taken_R2[:, 1], tf.int32),
            token_R=tf.gather(choice.token_N, from_R),
            log_prob_R=tf.gather_nd(tf.gather(alive_AK, stay_A), taken_R2),
            origin_R=from_R,
            coverage_RS=tf.gather(coverage_NS, from_R),
            state=keep_shapes(gather_rows(state, tf.gather(choice.parent_N, from_R)), beams.state),
            memory=keep_shapes(memory, beams.memory),
            finished=keep_shapes(finished, beams.finished),
            history=history,
            written=keep_shapes(gather_rows(self._write(beams, ruled, choice), from_R), beams.written),
        )

    def _search(self, model: SearchModel, source_BS: tf.Tensor, demands: Demands | None = None) -> Hypotheses:
        ruled = None if demands is None or self.rules is None else self.rules.on(demands)
        start = self._start(model, source_BS, ruled)
        beams = tf.while_loop(
            lambda beams: tf.reduce_any(beams.log_prob_R > DEAD),
            lambda beams: (self._step(model, beams, ruled),),
            (start,),
            shape_invariants=(varying_rows(start),),
        )[0]
        score_BM, log_prob_BM, end_BM, row_BM = beams.finished
        end_BM = tf.where(score_BM > DEAD, end_BM, -1)
        tokens_BMT, weight_BMTS = walk_back(beams.history, end_BM, row_BM, tf.shape(source_BS)[1])
        return Hypotheses(tokens_BMT, end_BM + 1, score_BM, log_prob_BM, weight_BMTS)
