"""Ten mistakes a newcomer makes: one sentence that says where, what was found, what is expected and what to do."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

import nmt.config.saved
from nmt.checkpoint.file import save
from tests.ports import free_port
from tests.system.app_tools import TINY, evaluate_py, train_py, translate_py, write_pair

TRAINED = Path(__file__).resolve().parents[1] / "golden" / "run_v1" / "checkpoints" / "last.h5"
EN = ["Two dogs run.", "A man sits on a bench.", "A cat sleeps."]
DE = ["Zwei Hunde rennen.", "Ein Mann sitzt auf einer Bank.", "Eine Katze schläft."]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def prefix(tmp_path):
    """A small corpus of one's own: PREFIX.en, PREFIX.de."""
    return write_pair(tmp_path / "own", EN, DE)


def files(prefix: str) -> list[str]:
    return ["data=files", f"data.train={prefix}", f"data.dev={prefix}", f"data.test={prefix}"]


def sentence_of(answer) -> str:
    """The sentence that a mistake ends in: alone on stderr, with status 2."""
    assert answer.status == 2
    assert "Traceback" not in answer.err
    assert answer.err.endswith(".\n")
    return answer.err.removesuffix("\n").rpartition("\n")[2]


def test_unknown_option(tmp_path):
    answer = train_py(tmp_path / "run", "train.learning_rat=0.1")
    assert sentence_of(answer) == (
        "train.learning_rat: found no option of this name, expected an option of train; "
        "did you mean train.learning_rate."
    )
    assert answer.err.count("\n") == 1


def test_misspelt_value(tmp_path):
    answer = train_py(tmp_path / "run", "model.attention=bahdanu")
    assert sentence_of(answer) == (
        "model.attention: found bahdanu, expected one of bahdanau, single_layer, luong_general, dot; "
        "did you mean bahdanau."
    )


def test_missing_file(tmp_path, prefix):
    answer = train_py(tmp_path / "run", *files(prefix), f"data.train={tmp_path / 'onw'}")
    assert sentence_of(answer) == (
        f"{tmp_path / 'onw'}: found neither onw.en nor onw.en.gz, expected one of them; "
        f"the nearest name in {tmp_path} is own.en."
    )


def test_missing_checkpoint(tmp_path):
    place = tmp_path / "best.h5"
    for answer in (evaluate_py(f"checkpoint={place}"), translate_py(f"checkpoint={place}", stdin="A man.\n")):
        assert sentence_of(answer) == (
            f"{place}: found no such file or directory, expected a checkpoint that can be read; name a file such as "
            "checkpoints/best.h5 of a run folder."
        )


def test_empty_file(tmp_path, prefix):
    Path(f"{prefix}.de").write_bytes(b"")
    assert sentence_of(train_py(tmp_path / "run", *files(prefix))) == (
        f"{prefix}.de: found an empty file, expected one sentence a line; check how the file was written."
    )


def test_uneven_files(tmp_path, prefix):
    Path(f"{prefix}.de").write_text("Zwei Hunde rennen.\n", encoding="utf-8")
    assert sentence_of(train_py(tmp_path / "run", *files(prefix))) == (
        f"{prefix}.en, {prefix}.de: found 3 and 1 lines, expected as many lines on both sides, line n translating "
        "line n; find the line that one side lost or gained."
    )


def test_bad_utf8(tmp_path, prefix):
    Path(f"{prefix}.de").write_bytes("\n".join(DE).encode("latin1"))
    assert sentence_of(train_py(tmp_path / "run", *files(prefix))) == (
        f"{prefix}.de, line 3: found the byte 0xe4, which is not UTF-8, expected UTF-8 text; "
        "convert the file, such as with: iconv -f latin1 -t utf-8 own.de."
    )


def refuse(*_args, **_options):
    raise OSError(errno.EACCES, "Permission denied", "/there")


def test_no_permission_to_write_the_run_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(nmt.config.saved, "write_text", refuse)
    assert sentence_of(train_py(tmp_path / "run", *TINY)) == (
        f"{tmp_path / 'run' / 'config.yaml'}: found permission denied, expected a run folder that can be written; "
        "choose another one with hydra.run.dir=FOLDER."
    )


def test_no_permission_to_write_the_log_of_metrics(tmp_path, monkeypatch):
    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *a, **o: refuse() if self.name == "metrics.jsonl" else real(self, *a, **o)
    )
    assert sentence_of(train_py(tmp_path / "run", *TINY)) == (
        f"{tmp_path / 'run'}: found permission denied, expected a place that can be written; "
        "choose another folder with hydra.run.dir, or free some space."
    )


def test_a_run_folder_where_a_file_stands(tmp_path):
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    answer = train_py(tmp_path / "taken" / "run", *TINY)
    assert answer.status == 2
    assert answer.err.count("\n") == 1


def test_a_checkpoint_that_is_not_one(tmp_path):
    place = tmp_path / "best.h5"
    place.write_text("not weights\n" * 50, encoding="utf-8")
    assert sentence_of(evaluate_py(f"checkpoint={place}")).startswith(f"{place}: found ")
    assert sentence_of(train_py(tmp_path / "run", *TINY, f"train.init_from={place}")).startswith(f"{place}: found ")


def test_a_checkpoint_of_weights_alone(tmp_path):
    place = tmp_path / "weights.h5"
    save(place, {"kernel": np.zeros(3, np.float32)}, None)
    assert sentence_of(translate_py(f"checkpoint={place}", stdin="A man.\n")) == (
        f"{place}: found no <config>, expected a checkpoint written by a training run, with its configuration and "
        "vocabularies; use last.h5 or best.h5 of a run folder."
    )


def test_a_checkpoint_of_another_model(tmp_path):
    place = tmp_path / "weights.h5"
    save(place, {"kernel": np.zeros(3, np.float32)}, None)
    said = sentence_of(train_py(tmp_path / "run", *TINY, f"train.init_from={place}"))
    assert said.startswith(f"{place}: found nothing for ")
    assert said.endswith("build the model from the file's own configuration, or say what to rename or leave out.")


def test_a_vocabulary_larger_than_the_corpus_allows(tmp_path, prefix):
    said = sentence_of(train_py(tmp_path / "run", *files(prefix), "subword=bpe", "subword.size=5000"))
    assert said.startswith("subword.size: found 5000, expected at most ")
    assert "which is all that the source text allows; set subword.size=" in said


def test_word_vectors_without_any_known_word(tmp_path):
    table = tmp_path / "vectors.txt"
    table.write_text("zzz 1 2\nqqq 3 4\n. 1 1\n", encoding="utf-8")
    assert sentence_of(train_py(tmp_path / "run", *TINY, f"metrics.wmd.vectors={table}")) == (
        f"metrics.wmd.vectors: {table}: found none of the words of the references (lower-cased) among its 3, expected "
        "word vectors of the target language (de); name a table of that language, or leave metrics.wmd.vectors out to "
        "learn one from the corpus."
    )


def test_no_test_set_to_evaluate_on(tmp_path, prefix):
    answer = train_py(tmp_path / "run", "data=files", f"data.train={prefix}")
    assert sentence_of(answer) == (
        "data.dev: found nothing, expected a PREFIX, the path of a pair of files without their endings; "
        "add data.dev=... to the command line."
    )


def test_bad_utf8_on_standard_input_and_pieces_and_weights_of_another_kind(tmp_path, prefix):
    best = TRAINED
    said = sentence_of(translate_py(f"checkpoint={best}", "search.beam=1", stdin=b"A man.\n\xff\n"))
    assert (
        said == "standard input, line 2: found the byte 0xff at place 1, expected UTF-8; convert it, for example "
        "with iconv."
    )
    sizes = {"embedding": 8, "encoder_units": 8, "units": 16, "attention_units": 8}
    words = [*TINY[3:], *files(prefix), *(f"model.{key}={size}" for key, size in sizes.items())]
    again = train_py(tmp_path / "two", *words, "subword=characters", f"train.init_from={best}")
    assert sentence_of(again) == (
        f"train.init_from: found {best}, which was trained with subword.kind=words, expected subword.kind=characters, "
        "as asked for; add subword.kind=words."
    )
    normed = ["model.layer_norm=true", "model.dropout_state=0.2", "model.residual=true"]
    again = train_py(tmp_path / "three", *words, *normed, f"train.init_from={best}")
    assert sentence_of(again) == (
        f"train.init_from: found {best}, which was trained with model.layer_norm=false, expected "
        "model.layer_norm=true, as asked for; add model.layer_norm=false."
    )


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_waits_for_nobody(index, tmp_path, monkeypatch):
    workers = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    task = {"type": "worker", "index": index}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": workers}, "task": task}))
    words = [*TINY, "train.device=cpu", "train.distribution=multi_worker", "train.worker_wait_s=0.2"]
    assert sentence_of(train_py(tmp_path / "run", *words)) == (
        f"train.distribution=multi_worker: found no word within 0.2 s of worker {2 - index} ({workers[1 - index]}), "
        "expected all 2 workers of TF_CONFIG; start what is missing, check addresses and firewalls, or wait longer "
        "with train.worker_wait_s."
    )
