"""JoeyNMT's recurrent model, through its own configuration, training manager, data loader and search."""

import os
import shutil
import warnings
from functools import partial
from pathlib import Path

from turnstile import Gate, Turnstile, arguments

asked = arguments()
turnstile = Turnstile()
warnings.filterwarnings("ignore")

import joeynmt.decoders  # noqa: E402
import torch  # noqa: E402
from joeynmt import training  # noqa: E402
from joeynmt.config import parse_global_args  # noqa: E402
from joeynmt.datasets import BaseDataset  # noqa: E402
from joeynmt.prediction import predict, prepare  # noqa: E402

torch.set_num_threads(asked.threads)
torch.set_num_interop_threads(asked.threads)
SIZES = asked.sizes
FOLDER = Path(asked.work) / "joeynmt"
MANY = 10**9


def attention(hidden_size, key_size, query_size, made=joeynmt.decoders.BahdanauAttention):
    """Its class has a width of its own, which its configuration sets to the decoder's: here as wide as everyone's."""
    return made(hidden_size=SIZES["attention_units"], key_size=key_size, query_size=query_size)


joeynmt.decoders.BahdanauAttention = attention


def side(language):
    return {
        "lang": language,
        "level": "word",
        "max_length": 102,
        "voc_file": os.path.join(asked.pieces, "vocabulary.txt"),
    }


def configuration():
    embeddings = {"embedding_dim": SIZES["embedding"], "scale": False, "dropout": 0.0}
    encoder = {"rnn_type": "gru", "hidden_size": SIZES["encoder_units"], "bidirectional": True, "num_layers": 1}
    decoder = {"rnn_type": "gru", "hidden_size": SIZES["units"], "num_layers": 1, "attention": "bahdanau"}
    bridge = {"init_hidden": "bridge", "input_feeding": True, "hidden_dropout": 0.0}
    plain = {"type": "recurrent", "dropout": 0.0, "embeddings": embeddings}
    return {
        "name": "benchmark",
        "model_dir": str(FOLDER),
        "use_cuda": False,
        "data": {
            **{split: os.path.join(asked.pieces, split) for split in ("train", "dev", "test")},
            "dataset_type": "plain",
            "src": side("en"),
            "trg": side("de"),
        },
        "model": {"encoder": {**plain, **encoder}, "decoder": {**plain, **decoder, **bridge}},
        "training": {
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "scheduling": "exponential",  # by 1.0 an epoch, which is constant
            "decrease_factor": 1.0,
            "normalization": "tokens",
            "batch_type": "sentence" if asked.sentences else "token",
            "batch_size": asked.sentences or asked.tokens,
            "epochs": MANY,
            "updates": asked.train_steps or MANY,
            "logging_freq": 100,
            "validation_freq": MANY - MANY % 100,
        },
        "testing": {"batch_size": 64, "beam_size": asked.beam or 1, "beam_alpha": 1.0, "max_output_length": 100},
    }


def train():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    if not asked.train_steps:
        make_iter = BaseDataset.make_iter
        BaseDataset.make_iter = lambda self, **named: Gate(make_iter(self, **named), turnstile, lambda b: b.ntokens)
    training.train(rank=0, world_size=1, cfg=configuration(), skip_test=True)


def translations():
    settings = configuration()
    settings["testing"]["load_model"] = str(FOLDER / "latest.ckpt")
    args = parse_global_args(settings, rank=0, mode="test")
    model, _, _, data = prepare(args, rank=0, mode="test")
    search = partial(predict, model, data, args.device, args.n_gpu, args=args.test, autocast=args.autocast)
    return lambda: [" ".join(words[:-1] if words[-1:] == ["</s>"] else words) for words in search()[3]]


if asked.beam is None:
    train()
else:
    turnstile.translations(translations())
