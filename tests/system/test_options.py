"""Every value of every option trains: a few runs that cover them together."""

from __future__ import annotations

import gzip
import hashlib
import math
from pathlib import Path

import pytest

from nmt.checkpoint.file import read_extras
from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from tests.system.app_tools import TINY, evaluate_py, read_events, read_results, tiny, train_py, write_pair

NO_CAPTIONS = TINY[3:]  # without the sizes of the embedded corpus
SHORT = ["train.max_steps=4", "train.validate_every=2", "train.save_every=4", "train.log_every=2"]
SHORT += ["metrics.bootstrap=0", "search.beam=1"]

RUNS = {
    "bpe, joint, sampled, conditional, tied in all places": [
        *("subword=bpe", "subword.joint=true", "subword.size=200", "subword.sampling=0.1"),
        *("model.decoder=conditional", "model.tie=all", "model.attention=luong_general", "model.layer_norm=true"),
        "model.transition_depth=2",
        *("train.schedule=plateau", "train.early_stopping.metric=loss", "train.early_stopping.patience=1"),
        *("search.normalisation=gnmt", "search.coverage=0.2", "search.beam=2"),
        *("train.precision=bfloat16", "search.precision=bfloat16", "train.micro_batch_tokens=200"),
        *("train.consistency=rdrop", "model.dropout_output=0.1"),
        *("model.dropout_source_words=0.1", "model.dropout_words=type"),
    ],
    "unigram, sampled, stacked LSTM with residuals": [
        *("subword=unigram", "subword.size=150", "subword.sampling=0.2", "model.cell=lstm", "model.attention=dot"),
        *(
            "model.encoder_layers=2",
            "model.decoder_layers=2",
            "model.residual=true",
            "model.layer_norm=true",
            "model.output_units=24",
            "model.encoder_units=16",
        ),
        *("train.optimizer=adamw", "train.schedule=inverse_sqrt", "train.early_stopping.metric=chrf"),
        *("metrics.chrf.word_order=2", "metrics.wmd.norm=raw", "metrics.wmd.aggregate=mean"),
        *("train.precision=float16", "search.precision=float16", "train.micro_batch_gb=0"),
        *("train.consistency=simcut", "train.consistency_weight=1.5", "train.token_cutoff=0.1"),
        *("model.dropout_target_words=0.1", "model.dropout_words=cutoff"),
    ],
    "characters, counter-example": [
        *("subword=characters", "model.attention=single_layer", "model.tie=target", "data.max_length=60"),
        *("train.schedule=cosine", "train.early_stopping.metric=wmd_similarity", "train.batch_sentences=16"),
        "train.micro_batch_sentences=5",
        *("train.label_smoothing=0", "train.clip_norm=0", "metrics.bleu.tokenize=char", "search.normalisation=none"),
    ],
}


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory):
    """Two training corpora, one of them packed, and one to score on."""
    folder = tmp_path_factory.mktemp("text")
    train, dev, _ = write_captions(CaptionsConfig(train_pairs=120, dev_pairs=10, test_pairs=1))
    names = {
        "many": write_pair(folder / "many", train.src[:80], train.tgt[:80]),
        "few": write_pair(folder / "few", train.src[80:], train.tgt[80:]),
        "dev": write_pair(folder / "dev", dev.src, dev.tgt),
    }
    for ending in ("en", "de"):
        plain = Path(f"{names['few']}.{ending}")
        Path(f"{plain}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return names


def assert_whole(folder: Path) -> None:
    events = read_events(folder)
    losses = [event["loss"] for event in events if event["event"] in ("train", "validate", "test")]
    assert losses
    assert all(loss is not None and math.isfinite(loss) for loss in losses)
    assert (folder / "checkpoints" / "best.h5").exists()
    assert 0 <= read_results(folder)["wmd"]["similarity"] <= 1


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if number else []) for number, name in enumerate(RUNS)]
)
def test_a_run_with(name, tmp_path):
    tiny(tmp_path / "run", *SHORT, *RUNS[name])
    assert_whole(tmp_path / "run")


def test_a_mixture_of_plain_and_packed_files_that_begins_at_other_weights(prefixes, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    files = ["data=files", f"data.train={prefixes['few']}", f"data.dev={prefixes['dev']}"]
    answer = train_py(first, *NO_CAPTIONS, *SHORT, *files, f"data.test={prefixes['dev']}", "train.average=0.9")
    assert answer.status == 0, answer.err
    assert_whole(first)
    mixture = [f"+data.corpora.{name}={prefixes[name]}" for name in ("many", "few")]
    mixture += ["+data.ratio.many=217", "+data.ratio.few=124"]
    mixture += ["data=mixture", f"data.dev={prefixes['dev']}", f"data.test={prefixes['dev']}"]
    start = first / "checkpoints" / "best.h5"
    answer = train_py(second, *NO_CAPTIONS, *SHORT, *mixture, f"train.init_from={start}", "train.max_steps=3")
    assert answer.status == 0, answer.err
    assert_whole(second)
    assert f"weights from {start}" in (second / "train.log").read_text(encoding="utf-8")
    before, after = (next(e["loss"] for e in read_events(f) if e["event"] == "validate") for f in (first, second))
    assert after < before + 0.5, "it does not begin anew"


@pytest.mark.long
def test_a_run_scored_by_a_table_of_vectors(tmp_path):
    """The table stays in its file, and out of the checkpoint; evaluate.py finds it by the saved configuration."""
    folder, table = tmp_path / "run", tmp_path / "vectors.txt"
    _, dev, _ = write_captions(CaptionsConfig(train_pairs=120, dev_pairs=30, test_pairs=1))
    words = sorted({word for line in dev.tgt for word in line.lower().rstrip(".").split()})
    table.write_text("".join(f"{word} {n % 7 + 1} {n % 5}\n" for n, word in enumerate(words)), encoding="utf-8")
    tiny(folder, *SHORT, f"metrics.wmd.vectors={table}")
    assert_whole(folder)
    wmd = read_results(folder)["wmd"]
    assert f"|vec:{hashlib.sha256(table.read_bytes()).hexdigest()}|" in wmd["signature"]
    best = folder / "checkpoints" / "best.h5"
    assert "wmd_vectors" not in read_extras(best)
    assert evaluate_py(f"checkpoint={best}", f"out={tmp_path / 'out'}").status == 0
    assert read_results(tmp_path / "out")["wmd"] == wmd
