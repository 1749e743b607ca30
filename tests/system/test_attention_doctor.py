"""Working attentions raise no alarm, and the degenerate one is named within 100 steps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tensorflow as tf

from nmt.app.hooks import EARLY
from nmt.config.model import Attention, Cell, Decoder, ModelConfig
from nmt.config.train import TrainConfig
from nmt.model.seq2seq import Seq2Seq
from nmt.report.doctor import examine
from nmt.training.schedule import learning_rate
from nmt.training.step import Trainer

SIZES = {"embedding": 16, "encoder_units": 16, "encoder_layers": 1, "units": 32, "decoder_layers": 1}


@pytest.mark.long
@pytest.mark.parametrize("cell, decoder, attention", [*product(Cell, Decoder, Attention)])
def test_the_degenerate_attention_alone_is_degenerate(cell, decoder, attention):
    """Twelve runs that work and four that do not, as they begin: the rate rises from 0, so little has been learnt."""
    model = ModelConfig(**SIZES, attention_units=16, cell=cell, decoder=decoder, attention=attention)
    config = TrainConfig(max_steps=100, warmup_steps=50)
    trainer = Trainer(Seq2Seq(model, 40, 40, seed=1), config, seed=1)
    rng = np.random.default_rng(1)
    source_BS = tf.constant(np.c_[rng.integers(4, 40, (16, 8)), np.full(16, 2)].astype(np.int32))
    target_BT = tf.reverse(source_BS[:, :-1], [1])
    for step in range(1, 101):
        trainer.step(
            source_BS, target_BT, tf.constant(learning_rate(config, step, 0), tf.float32), tf.constant(step, tf.int64)
        )
        if step in (1, EARLY, 100):
            examined = examine(trainer.model.attention(source_BS, target_BT).numpy())
            assert examined is not None
            assert examined.degenerate is (attention is Attention.single_layer)
