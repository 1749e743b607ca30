"""Keras 3, compile and fit, in the shape that Keras' and TensorFlow's own translation tutorials have.

Layers of keras.layers only: Embedding with a mask, a Bidirectional GRU, a GRU over the whole target with teacher
forcing, AdditiveAttention of all its outputs over the source at once, and a Dense layer onto the vocabulary; a masked
cross-entropy, Adam, `model.fit` on a tf.data pipeline; float32, or Keras' policy `mixed_bfloat16`. By sentences the
pipeline shuffles and pads batches, as the tutorials do; by tokens it puts like lengths together with tf.data's own
`bucket_by_sequence_length`.
"""

import os
import sys

from turnstile import Turnstile, arguments, read

asked = arguments()
turnstile = Turnstile()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(asked.threads)
tf.config.threading.set_inter_op_parallelism_threads(asked.threads)
if asked.bfloat16:
    keras.config.set_dtype_policy("mixed_bfloat16")
SIZES = asked.sizes
PAD, START, END, UNKNOWN, FIRST = 0, 1, 2, 3, 4
BUCKETS = [8, 12, 16, 20, 24, 28, 32, 40, 50, 64, 80, 102]
MODEL = os.path.join(asked.work, "keras.weights.h5")


NAMES = ["<pad>", "<s>", "</s>", "<unk>", *read(asked.pieces, "vocabulary.txt")]
IDS = {name: i for i, name in enumerate(NAMES)}


def encode(lines):
    return [[IDS.get(piece, UNKNOWN) for piece in line.split(" ")] for line in lines]


def ragged(rows):
    flat = np.fromiter((i for row in rows for i in row), np.int32)
    return tf.RaggedTensor.from_row_lengths(flat, [len(row) for row in rows])


def pairs(source, target):
    """((source, target shifted by one), target), without padding."""
    return (source, tf.concat([[START], target], 0)), tf.concat([target, [END]], 0)


def training_data():
    sides = [ragged(encode(read(asked.pieces, f"train.{language}"))) for language in ("en", "de")]
    sides[0] = tf.concat([sides[0], tf.fill([sides[0].nrows(), 1], END)], 1)
    data = tf.data.Dataset.from_tensor_slices(tuple(sides)).shuffle(29_000, seed=1)
    data = data.map(pairs, tf.data.AUTOTUNE)
    if asked.sentences:
        data = data.padded_batch(asked.sentences, (([None], [None]), [None]))
    else:
        data = data.bucket_by_sequence_length(
            lambda inputs, target: tf.maximum(tf.shape(inputs[0])[0], tf.shape(target)[0]),
            [bound + 1 for bound in BUCKETS],
            [asked.tokens // bound for bound in [*BUCKETS, BUCKETS[-1]]],
        )
    return data.prefetch(tf.data.AUTOTUNE)


def layers():
    kinds = keras.layers
    vocabulary, units = len(NAMES), SIZES["units"]
    return {
        "source": kinds.Embedding(vocabulary, SIZES["embedding"], mask_zero=True),
        "target": kinds.Embedding(vocabulary, SIZES["embedding"], mask_zero=True),
        "encoder": kinds.Bidirectional(kinds.GRU(SIZES["encoder_units"], return_sequences=True, return_state=True)),
        "start": kinds.Dense(units, activation="tanh"),
        "decoder": kinds.GRU(units, return_sequences=True, return_state=True),
        "query": kinds.Dense(SIZES["attention_units"], use_bias=False),
        "keys": kinds.Dense(SIZES["attention_units"], use_bias=False),
        "attention": kinds.AdditiveAttention(),
        "join": kinds.Concatenate(),
        "readout": kinds.Dense(SIZES["readout"], activation="tanh"),
        "output": kinds.Dense(vocabulary),
    }


def encode_source(made, source):
    states, forward, backward = made["encoder"](made["source"](source))
    return states, made["keys"](states), made["start"](made["join"]([forward, backward]))


def decode(made, target, states, keys, start, source):
    outputs, last = made["decoder"](made["target"](target), initial_state=start)
    mask = keras.ops.not_equal(source, PAD)
    context = made["attention"]([made["query"](outputs), states, keys], mask=[None, mask])
    return made["output"](made["readout"](made["join"]([outputs, context]))), last


def build(made):
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    logits, _ = decode(made, target, *encode_source(made, source), source)
    return keras.Model([source, target], logits)


def masked_loss(target, logits):
    logits = keras.ops.cast(logits, "float32")
    loss = keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
    mask = keras.ops.cast(keras.ops.not_equal(target, PAD), loss.dtype)
    return keras.ops.sum(loss * mask) / keras.ops.sum(mask)


@keras.saving.register_keras_serializable()
class Tokens(keras.metrics.Metric):
    """Counts real target tokens."""

    def __init__(self):
        super().__init__(name="tokens")
        self.total = self.add_variable((), "zeros", "int32")

    def update_state(self, target, logits, sample_weight=None):
        self.total.assign_add(keras.ops.sum(keras.ops.cast(keras.ops.not_equal(target, PAD), "int32")))

    def result(self):
        return self.total

    def reset_state(self):
        pass  # the turnstile takes differences


class Pass(keras.callbacks.Callback):
    def __init__(self, tokens):
        super().__init__()
        self.tokens, self.before, self.steps = tokens, 0, 0

    def on_train_batch_end(self, batch, logs=None):
        now = int(self.tokens.total.numpy())
        self.steps += 1
        if asked.train_steps is None:
            turnstile.step(now - self.before)
        elif self.steps >= asked.train_steps:
            self.model.stop_training = True
        self.before = now


def train():
    model = build(layers())
    tokens = Tokens()
    model.compile(keras.optimizers.Adam(1e-3), loss=masked_loss, metrics=[tokens])
    model.fit(training_data(), epochs=10_000, verbose=2, callbacks=[Pass(tokens)])
    model.save_weights(MODEL)


def translations():
    """Greedy, word by word in Python around a compiled step, as the tutorials have it; batches of like length."""
    made = layers()
    build(made).load_weights(MODEL)
    begin = tf.function(lambda source: encode_source(made, source), reduce_retracing=True)

    @tf.function(reduce_retracing=True)
    def step(word, states, keys, state, source):
        logits, state = decode(made, word[:, tf.newaxis], states, keys, state, source)
        return tf.argmax(logits[:, 0], -1, tf.int32), state

    sources = encode(read(asked.pieces, "test.en"))
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))

    def batch(rows):
        longest = max(len(sources[i]) for i in rows) + 1
        padded = np.zeros((len(rows), longest), np.int32)
        for row, i in enumerate(rows):
            padded[row, : len(sources[i]) + 1] = [*sources[i], END]
        source = tf.constant(padded)
        states, keys, state = begin(source)
        word, ended, words = tf.fill([len(rows)], START), np.zeros(len(rows), bool), []
        while not ended.all() and len(words) < 2 * longest + 10:
            word, state = step(word, states, keys, state, source)
            words.append(word.numpy())
            ended |= words[-1] == END
        return [cut([int(ids[row]) for ids in words]) for row in range(len(rows))]

    def cut(ids):
        return ids[: ids.index(END)] if END in ids else ids

    def work():
        found = [""] * len(sources)
        for first in range(0, len(order), 64):
            rows = order[first : first + 64]
            for i, ids in zip(rows, batch(rows), strict=True):
                found[i] = " ".join(NAMES[piece] for piece in ids)
        return found

    return work


if asked.beam is None:
    train()
elif asked.beam == 1:
    turnstile.translations(translations())
else:
    sys.exit("the tutorials have no beam search")
