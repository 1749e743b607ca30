"""Vectors learnt from text: repeatable, and learnt once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nmt.config.metrics import WmdConfig
from nmt.errors import MetricError
from nmt.metrics import trained
from nmt.metrics.trained import train_vectors

# "dog" and "cat" keep the same company, "car" another.
SENTENCES = [
    *(["a", animal, verb, "in", "the", "garden"] for animal in ("dog", "cat") for verb in ("runs", "sleeps")),
    *(["one", "car", "drives", "on", "this", place] for place in ("road", "street")),
] * 40


@pytest.fixture
def cfg(tmp_path) -> WmdConfig:
    return WmdConfig(dimensions=8, epochs=5, cache=str(tmp_path / "cache"))


def test_words_of_like_company_are_close(cfg):
    table = train_vectors(SENTENCES, replace(cfg, epochs=60), seed=1)
    assert (len(table), table.dimension, table.source) == (15, 8, "trained")
    unit = {word: table[word] / np.linalg.norm(table[word]) for word in ("dog", "cat", "car")}
    assert unit["dog"] @ unit["cat"] > unit["dog"] @ unit["car"]


def test_the_second_time_the_cache_answers(cfg, monkeypatch):
    first = train_vectors(SENTENCES, cfg, seed=1)
    monkeypatch.setattr(trained, "_learn", None)
    again = train_vectors(SENTENCES, cfg, seed=1)
    assert again.words == first.words
    assert np.array_equal(again.matrix_WD, first.matrix_WD)
    assert again.sha256 == first.sha256
    assert len(list(Path(cfg.cache).iterdir())) == 1  # and no temporary file is left


def test_where_the_cache_answers_gensim_is_not_even_imported(cfg):
    code = (
        "import sys\n"
        "from nmt.config.metrics import WmdConfig\n"
        "from nmt.metrics.trained import train_vectors\n"
        f"train_vectors([['a', 'b']] * 9, WmdConfig(dimensions=4, epochs=1, cache={cfg.cache!r}), seed=1)\n"
        "print('gensim' in sys.modules)"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["True", "False"]


@pytest.mark.parametrize("change", [{"dimensions": 9}, {"epochs": 6}, {"window": 2}])
def test_other_settings_make_other_vectors(cfg, change):
    base = train_vectors(SENTENCES, cfg, seed=1)
    assert train_vectors(SENTENCES, replace(cfg, **change), seed=1).sha256 != base.sha256


def test_another_seed_or_text_makes_other_vectors(cfg):
    base = train_vectors(SENTENCES, cfg, seed=1)
    assert train_vectors(SENTENCES, cfg, seed=2).sha256 != base.sha256
    assert train_vectors(SENTENCES[1:], cfg, seed=1).sha256 != base.sha256


def test_runs_agree_whatever_the_hash_seed_of_python(tmp_path):
    program = (
        "import sys; from nmt.config.metrics import WmdConfig; from nmt.metrics.trained import train_vectors\n"
        "sentences = [f'a{i % 7} b{i % 5} c{i % 3}'.split() for i in range(200)]\n"
        "print(train_vectors(sentences, WmdConfig(dimensions=5, epochs=2, cache=sys.argv[1]), 3).sha256)\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


def test_a_broken_entry_is_learnt_anew(cfg, caplog):
    first = train_vectors(SENTENCES, cfg, seed=1)
    (entry,) = Path(cfg.cache).iterdir()
    entry.write_bytes(entry.read_bytes()[:100])
    with caplog.at_level(logging.WARNING):
        assert train_vectors(SENTENCES, cfg, seed=1).sha256 == first.sha256
    assert "cannot be read" in caplog.text
    caplog.clear()
    train_vectors(SENTENCES, cfg, seed=1)
    assert caplog.text == ""  # mended


def test_a_folder_that_cannot_be_written_costs_a_warning(cfg, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert len(train_vectors(SENTENCES, replace(cfg, cache=str(tmp_path / "file" / "x")), seed=1)) == 15
    assert "cannot be kept in" in caplog.text


def test_the_default_folder_is_the_user_s(cfg, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    train_vectors(SENTENCES, replace(cfg, cache=None), seed=1)
    (kept,) = (tmp_path / "xdg" / "nmt" / "vectors").iterdir()
    assert kept.suffix == ".npz"


@pytest.mark.parametrize("sentences", [[], [[], []]])
def test_no_words_teach_nothing(cfg, sentences):
    with pytest.raises(MetricError, match="training of word vectors: found no words, expected sentences"):
        train_vectors(sentences, cfg, seed=1)
