"""The corpus report, counted by hand."""

import numpy as np

from nmt.config.subword import SubwordConfig
from nmt.data.encode import encode_corpus
from nmt.data.report import describe, render
from nmt.data.subwords import learn_vocabularies
from nmt.data.text import ParallelText

SRC = ["a b c", "a", "d a a a a a"]
TGT = ["x y", "x", "z"]


def report(subword: SubwordConfig):
    vocabularies = learn_vocabularies(subword, ["a b c"], ["x y"])
    limits = {"max_length": 100, "max_ratio": 3.0}  # the third pair is 6 : 1
    parts = [
        describe(ParallelText("train", SRC, TGT), encode_corpus(SRC, TGT, vocabularies, **limits), vocabularies),
        describe(ParallelText("test", SRC, TGT), encode_corpus(SRC, TGT, vocabularies), vocabularies),
    ]
    return parts, vocabularies


def test_lengths_coverage_and_what_was_dropped():
    (train, test), _ = report(SubwordConfig())
    assert (train.num_pairs, test.num_pairs) == (2, 3)
    assert sum(train.dropped.values()) == 1
    assert test.dropped == {}
    assert (train.src.num_tokens, train.src.mean, train.src.longest, train.src.known_pct) == (4, 2.0, 3, 100.0)
    assert (test.src.num_tokens, test.src.mean, test.src.longest, test.src.known_pct) == (10, 10 / 3, 6, 90.0)
    assert (test.tgt.num_tokens, test.tgt.known_pct) == (4, 75.0), "z is unknown"
    assert test.src.pct99 == np.percentile([3, 1, 6], 99)


def test_the_table_is_aligned():
    parts, vocabularies = report(SubwordConfig())
    reason = next(iter(parts[0].dropped))
    assert render(parts, vocabularies, "en", "de").splitlines() == [
        "corpus  pairs  language  pieces  mean  99 %  longest     known",
        "train       2  en             4   2.0     3        3  100.00 %",
        "               de             3   1.5     2        2  100.00 %",
        "test        3  en            10   3.3     6        6   90.00 %",
        "               de             4   1.3     2        2   75.00 %",
        "vocabulary: 7 and 6 (words)",
        f"dropped from train: 1 {reason}",
        "unknown in test, en: 1 pieces, such as 'd'",
        "unknown in test, de: 1 pieces, such as 'z'",
    ]


def test_a_joint_vocabulary_is_told_once():
    parts, vocabularies = report(SubwordConfig(joint=True))
    assert "vocabulary: 9 (words), one for both languages" in render(parts, vocabularies, "en", "de")
