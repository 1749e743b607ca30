# B batch, S source step, T target step
"""How likely a model finds given translations: to rank them, to filter a corpus, to run a contrastive test set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from nmt.app.models import open_system
from nmt.app.translate import write_line
from nmt.config.score import ScoreConfig, ScoreFormat
from nmt.data.specials import EOS
from nmt.data.subwords import Subwords, Vocabularies
from nmt.errors import DataError
from nmt.plumbing.text import counted, read_lines
from nmt.search.likelihood import Scorer
from nmt.search.translate import pad, plan_by_length
from nmt.training.device import choose_device


def score_files(command: ScoreConfig) -> None:
    """A line for each pair, in order: its score as a search would give it (`search.normalisation`), or all there is.

    Raises DataError where the files have not equally many lines, CheckpointError where a checkpoint cannot be used.
    """
    choose_device(command.device, command.threads)
    source, target = read_pairs(command.source, command.target)
    system = open_system([Path(file) for file in command.checkpoint], tuple(command.overrides))
    search = system.first.config.search
    scorer = Scorer(system.model, search)
    for record in score_pairs(scorer, system.first.vocabularies, source, target, search.batch_tokens):
        text = command.format is ScoreFormat.text
        write_line((f"{record['score']:.6f}" if text else json.dumps(record, ensure_ascii=False)) + "\n")


def read_pairs(source: str, target: str) -> tuple[Sequence[str], Sequence[str]]:
    """The lines of two files that are translations of each other. Raises DataError where there are not equally many."""
    src, tgt = read_lines(source), read_lines(target)
    if len(src) != len(tgt):
        raise DataError(
            target,
            found=counted(len(tgt), "line"),
            expected=f"{len(src)}, as many as {source} has",
            next_step="give a translation, or an empty line, for each sentence",
        )
    return src, tgt


def score_pairs(
    scorer: Scorer, vocabularies: Vocabularies, source: Sequence[str], target: Sequence[str], batch_tokens: int
) -> Iterator[dict[str, Any]]:
    """For each pair {"score", "log_prob", "pieces", "piece_log_probs", "source_pieces", "attention"}, in order.

    Log-probabilities are natural logarithms; those of pieces sum to that of the sentence, end mark included.
    """
    records: dict[int, dict[str, Any]] = {}
    for place, src, tgt, (score, log_prob, log_prob_T, weight_TS) in _forced(
        scorer, vocabularies, source, target, batch_tokens
    ):
        records[place] = {
            "score": float(score),
            "log_prob": float(log_prob),
            "pieces": vocabularies.tgt.pieces(tgt),
            "piece_log_probs": _rounded(log_prob_T[: len(tgt)]),
            "source_pieces": vocabularies.src.pieces(src),
            "attention": [_rounded(weight_S) for weight_S in weight_TS[: len(tgt), : len(src)]],
        }
    for place in range(len(source)):
        yield records[place]


def log_probs(
    scorer: Scorer, vocabularies: Vocabularies, source: Sequence[str], target: Sequence[str], batch_tokens: int
) -> list[float]:
    """The log-probability a subword of each target, end mark included: a score with search.normalisation=average."""
    found = _forced(scorer, vocabularies, source, target, batch_tokens)
    means = {place: float(log_prob) / len(tgt) for place, _, tgt, (_, log_prob, _, _) in found}
    return [means[place] for place in range(len(source))]


def _forced(
    scorer: Scorer, vocabularies: Vocabularies, source: Sequence[str], target: Sequence[str], batch_tokens: int
) -> Iterator[tuple[int, list[int], list[int], tuple[np.ndarray, ...]]]:
    """Place, pieces of both sides and what was `Scored` of each pair, in batches of like length."""
    src = [_ids(line, vocabularies.src) for line in source]
    tgt = [_ids(line, vocabularies.tgt) for line in target]
    lengths = [max(len(one), len(other)) for one, other in zip(src, tgt, strict=True)]
    for places in plan_by_length(lengths, batch_tokens):
        found = scorer(tf.constant(pad([src[p] for p in places])), tf.constant(pad([tgt[p] for p in places])))
        for place, *parts in zip(places, *(part.numpy() for part in found), strict=True):
            yield place, src[place], tgt[place], tuple(parts)


def _ids(line: str, side: Subwords) -> list[int]:
    return [*side.encode(line), EOS]


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]
