"""OpenNMT-tf's recurrent model with attention and input feeding, through its own runner, data pipeline and search."""

import os
import shutil

from turnstile import Gate, Turnstile, arguments, read

asked = arguments()
turnstile = Turnstile()

import opennmt  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_addons as tfa  # noqa: E402
from opennmt import training  # noqa: E402
from opennmt.utils.checkpoint import Checkpoint  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(asked.threads)
tf.config.threading.set_inter_op_parallelism_threads(asked.threads)
SIZES = asked.sizes
FOLDER = os.path.join(asked.work, "opennmt")


def model():
    cell = tf.keras.layers.GRUCell
    return opennmt.models.SequenceToSequence(
        opennmt.inputters.WordEmbedder(embedding_size=SIZES["embedding"]),
        opennmt.inputters.WordEmbedder(embedding_size=SIZES["embedding"]),
        opennmt.encoders.RNNEncoder(1, SIZES["encoder_units"], bidirectional=True, dropout=0.0, cell_class=cell),
        opennmt.decoders.AttentionalRNNDecoder(
            1,
            SIZES["units"],
            bridge_class=opennmt.layers.CopyBridge,
            attention_mechanism_class=lambda units: tfa.seq2seq.BahdanauAttention(SIZES["attention_units"]),
            cell_class=cell,
            dropout=0.0,
        ),
    )


def piece(name):
    return os.path.join(asked.pieces, name)


def configuration():
    os.makedirs(asked.work, exist_ok=True)
    vocabulary = os.path.join(asked.work, "opennmt-vocabulary.txt")
    with open(vocabulary, "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in ["<blank>", "<s>", "</s>", *read(asked.pieces, "vocabulary.txt")])
    train = {"batch_type": "examples" if asked.sentences else "tokens", "batch_size": asked.sentences or asked.tokens}
    limits = {"maximum_features_length": 102, "maximum_labels_length": 102}
    return {
        "model_dir": FOLDER,
        "data": {
            "source_vocabulary": vocabulary,
            "target_vocabulary": vocabulary,
            "train_features_file": piece("train.en"),
            "train_labels_file": piece("train.de"),
        },
        "params": {
            "optimizer": "Adam",
            "learning_rate": 1e-3,
            "beam_width": asked.beam or 1,
            "length_penalty": 1.0,
            "maximum_decoding_length": 100,
        },
        "train": {**train, **limits, "max_step": asked.train_steps, "save_summary_steps": 100},
        "infer": {"batch_size": 32, "length_bucket_width": 5},
    }


def train():
    shutil.rmtree(FOLDER, ignore_errors=True)
    if not asked.train_steps:
        groups = training._group_batches
        training._group_batches = lambda data, size: groups(Gate(data, turnstile, tokens), size)
    opennmt.Runner(model, configuration()).train()


def tokens(batch):
    return batch[1]["length"].numpy().sum()


def translations():
    settings = configuration()
    made = model()
    made.initialize(settings["data"], params=settings["params"])
    Checkpoint(made, model_dir=FOLDER).restore(weights_only=True)
    data = made.examples_inputter.make_inference_dataset(piece("test.en"), **settings["infer"])
    infer = tf.function(made.infer, input_signature=(data.element_spec,))

    def work():
        found = {}
        for features in data:
            answers = tf.nest.map_structure(lambda tensor: tensor.numpy(), infer(features))
            for index, words, length in zip(answers["index"], answers["tokens"], answers["length"], strict=True):
                found[int(index)] = b" ".join(words[0][: length[0]]).decode()
        return [found[i] for i in range(len(found))]

    return work


if asked.beam is None:
    train()
else:
    turnstile.translations(translations())
