"""The article's point, after training: one layer of attention looks alike at every step, and cannot reorder.

B batch, T target step, S source step
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from nmt.app.hooks import EARLY
from nmt.config.model import Attention, ModelConfig
from nmt.config.train import TrainConfig
from nmt.model.seq2seq import Seq2Seq
from nmt.training.step import Trainer
from tests.system.app_tools import read_results, train_py, write_pair

LETTERS = [f"{letter}{letter}" for letter in "abcdefghijklmnopqrst"]
FIRST = 4  # ids below are special


def reversals(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Sentences of 10 to 20 words, which a vector of 128 numbers does not remember, and the same backwards."""
    rng = np.random.default_rng(seed)
    rows = [rng.choice(LETTERS, rng.integers(10, 21)).tolist() for _ in range(count)]
    return [" ".join(row) for row in rows], [" ".join(reversed(row)) for row in rows]


@pytest.mark.parametrize("attention, alike", [(Attention.single_layer, True), (Attention.bahdanau, False)])
def test_training_does_not_mend_one_layer(attention, alike):
    config = ModelConfig(attention=attention, embedding=16, encoder_units=16, units=16, attention_units=16)
    trainer = Trainer(Seq2Seq(config, 24, 24, seed=1), TrainConfig(label_smoothing=0.0), seed=1)
    rng = np.random.default_rng(1)
    source_BS = rng.integers(FIRST, 24, (32, 6)).astype(np.int32)
    source_BS[:, -1] = 2
    target_BT = np.concatenate([source_BS[:, -2::-1], source_BS[:, -1:]], axis=1)
    losses = []
    for number in range(1, 31):
        step = tf.constant(number, tf.int64)
        losses.append(float(trainer.step(tf.constant(source_BS), tf.constant(target_BT), tf.constant(0.01), step).loss))
    weight_BTS = trainer.model.attention(tf.constant(source_BS), tf.constant(target_BT)).numpy()
    spread = np.abs(weight_BTS - weight_BTS[:, :1]).max()
    assert losses[-1] < losses[0] - 0.2, "it has learnt something"
    assert (spread < 1e-6) if alike else (spread > 0.01)


@pytest.mark.long
def test_one_layer_cannot_reverse(tmp_path, capsys):
    parts = {
        name: write_pair(tmp_path / name, *reversals(n, s))
        for s, (name, n) in enumerate({"train": 4_000, "dev": 100, "test": 200}.items())
    }
    scores = {}
    for attention in ("bahdanau", "single_layer"):
        answer = train_py(
            tmp_path / attention,
            "data=files",
            *(f"data.{name}={prefix}" for name, prefix in parts.items()),
            *("model=small", f"model.attention={attention}", "train.max_steps=400", "train.batch_sentences=64"),
            *("train.validate_every=200", "train.save_every=400", "search.beam=1", "metrics.bootstrap=0"),
            *("metrics.wmd.dimensions=10", "metrics.wmd.epochs=1"),
        )
        assert answer.status == 0, answer.err
        results = read_results(tmp_path / attention)
        scores[attention] = results["bleu"]["score"]
        alarms = re.findall("step ([0-9]+), attention: .*degenerate", (tmp_path / attention / "train.log").read_text())
        degenerate = attention == "single_layer"
        assert (results["attention"]["degenerate"], alarms) == (degenerate, [str(EARLY)] * degenerate)
    with capsys.disabled():
        print("\nBLEU on reversed sentences, 400 steps: " + ", ".join(f"{k} {v:.2f}" for k, v in scores.items()))
    assert scores["single_layer"] <= scores["bahdanau"] - 20
