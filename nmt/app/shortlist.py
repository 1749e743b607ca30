# B batch, T target step, S source step
"""Learns a shortlist: a checkpoint is forced to write its training text, and where it looks is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from nmt.app.models import open_checkpoint
from nmt.app.score import read_pairs
from nmt.config.shortlist import ShortlistConfig
from nmt.data.specials import EOS
from nmt.search.shortlist import Counts, write_shortlist
from nmt.search.translate import pad, plan_by_length
from nmt.training.device import choose_device

BATCH_TOKENS = 4_096  # target pieces, padding included


def learn_shortlist(command: ShortlistConfig) -> None:
    """Write the file.

    Raises DataError where the texts have not equally many lines, CheckpointError where the checkpoint cannot be used.
    """
    choose_device(command.device, command.threads)
    source, target = read_pairs(command.source, command.target)
    loaded = open_checkpoint(Path(command.checkpoint[0]))
    both, longest = loaded.vocabularies, loaded.config.search.max_source
    src = [[*both.src.encode(line)[:longest], EOS] for line in source]
    tgt = [[*both.tgt.encode(line)[:longest], EOS] for line in target]
    counts = Counts(both.src.size, both.tgt.size)
    spec = tf.TensorSpec([None, None], tf.int32)
    attention = tf.function(loaded.model.attention, input_signature=[spec, spec], autograph=False)
    lengths = [max(len(one), len(other)) for one, other in zip(src, tgt, strict=True)]
    for places in plan_by_length(lengths, BATCH_TOKENS):
        source_BS, target_BT = pad([src[place] for place in places]), pad([tgt[place] for place in places])
        counts.add(source_BS, target_BT, np.asarray(attention(tf.constant(source_BS), tf.constant(target_BT))))
    learnt_from = f"{len(src)} pairs"
    write_shortlist(Path(command.output), counts.file(both, command.pieces, command.frequent, learnt_from))
