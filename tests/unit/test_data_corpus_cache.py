"""A corpus in files is the corpus in memory, is written once, and is never taken broken."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nmt.config.subword import SubwordConfig, SubwordKind
from nmt.data import corpus_cache
from nmt.data.corpus_cache import StoredRows, encode_stored
from nmt.data.encode import encode_corpus
from nmt.data.subwords import learn_vocabularies
from nmt.data.text import ParallelText
from nmt.errors import DataError

SRC = ["ein Hund", "", "ein kleiner Hund rennt", "Hund " * 9, "ein Hund rennt"] * 3
TGT = ["a dog", "a dog", "a small dog runs", "dog", "a dog sleeps"] * 3
LIMITS = 6, 3.0


@pytest.fixture
def text():
    return ParallelText("train", SRC, TGT)


@pytest.fixture
def vocabularies(tmp_path, text):
    config = SubwordConfig(kind=SubwordKind.words, size=20, min_count=1, cache=str(tmp_path / "subwords"))
    return learn_vocabularies(config, text.src[:3], text.tgt[:3])


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(corpus_cache, "LEAST", 1)
    monkeypatch.setattr(corpus_cache, "FLUSH", 64)  # four pairs at a time


def entry(folder):
    (found,) = folder.iterdir()
    return found


def assert_same(found, expected):
    everything = np.arange(len(expected))
    for side in ("src", "tgt"):
        rows, wanted = getattr(found, side), getattr(expected, side)
        assert isinstance(rows, StoredRows)
        assert len(rows) == len(wanted)
        assert_array_equal(rows.lengths, wanted.lengths)
        for some_B in (everything, everything[::-1], everything[:1], everything[:0], np.array([3, 0, 3])):
            padded_BS = rows.padded(some_B)
            assert padded_BS.dtype == np.int32
            assert_array_equal(padded_BS, wanted.padded(some_B))
        assert all(np.array_equal(rows.padded(np.array([i])), wanted.padded(np.array([i]))) for i in range(len(wanted)))
    assert_array_equal(found.line_N, expected.line_N)
    assert (found.dropped, found.unknown_src, found.unknown_tgt) == (
        expected.dropped,
        expected.unknown_src,
        expected.unknown_tgt,
    )


@pytest.mark.parametrize("short_ids", [2**16, 1])
def test_as_in_memory_the_first_time_and_from_files(tmp_path, monkeypatch, text, vocabularies, short_ids):
    monkeypatch.setattr(corpus_cache, "SHORT_IDS", short_ids)
    expected = encode_corpus(text.src, text.tgt, vocabularies, *LIMITS)
    assert expected.dropped
    assert expected.unknown_tgt
    folder = tmp_path / "corpora"
    assert_same(encode_stored(text, vocabularies, *LIMITS, folder), expected)
    monkeypatch.setattr(corpus_cache, "_write", None)
    assert_same(encode_stored(text, vocabularies, *LIMITS, folder), expected)
    assert (entry(folder) / "src.ids").stat().st_size % (2 if short_ids > 20 else 4) == 0


def test_few_pairs_are_held_in_memory(tmp_path, monkeypatch, text, vocabularies):
    monkeypatch.setattr(corpus_cache, "LEAST", len(text) + 1)
    assert not isinstance(encode_stored(text, vocabularies, *LIMITS, tmp_path / "corpora").src, StoredRows)
    assert not (tmp_path / "corpora").exists()


def test_other_text_limits_or_vocabulary_are_another_entry(tmp_path, text, vocabularies):
    folder = tmp_path / "corpora"
    other = ParallelText("train", [*SRC[:-1], "ein"], TGT)
    for given, limits in ((text, LIMITS), (text, (None, None)), (other, LIMITS)):
        encode_stored(given, vocabularies, *limits, folder)
    config = SubwordConfig(kind=SubwordKind.characters, size=40, min_count=1, cache=str(tmp_path / "subwords"))
    encode_stored(text, learn_vocabularies(config, SRC, TGT), None, None, folder)
    assert len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("name", [*corpus_cache.FILES, "about.json"])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_broken_entry_is_made_anew(tmp_path, caplog, text, vocabularies, name, harm):
    folder = tmp_path / "corpora"
    encode_stored(text, vocabularies, *LIMITS, folder)
    path = entry(folder) / name
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if harm == "cut" else b"\x07" + content[1:])
    assert_same(
        encode_stored(text, vocabularies, *LIMITS, folder), encode_corpus(text.src, text.tgt, vocabularies, *LIMITS)
    )
    assert (entry(folder) / name).read_bytes() == content
    assert ("is broken" in caplog.text) == (harm != "gone")


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path, caplog, text, vocabularies):
    (tmp_path / "file").write_text("")
    found = encode_stored(text, vocabularies, *LIMITS, tmp_path / "file" / "corpora")
    assert not isinstance(found.src, StoredRows)
    assert_array_equal(found.line_N, encode_corpus(text.src, text.tgt, vocabularies, *LIMITS).line_N)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "train as subwords cannot be kept in" in caplog.text


def test_nothing_left_is_told_and_leaves_nothing(tmp_path, text, vocabularies):
    with pytest.raises(DataError, match="found no sentence pair to keep of 15"):
        encode_stored(text, vocabularies, 1, None, tmp_path / "corpora")
    assert list((tmp_path / "corpora").iterdir()) == []


def test_two_at_a_time_write_one_entry(tmp_path, text, vocabularies):
    folder = tmp_path / "corpora"
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: encode_stored(text, vocabularies, *LIMITS, folder), range(8)))
    expected = encode_corpus(text.src, text.tgt, vocabularies, *LIMITS)
    for one in found:
        assert_same(one, expected)
    assert len(list(folder.iterdir())) == 1
