"""The embedded corpus takes attention and reordering: neither a dictionary nor attention that looks alike at every step
translates it.
"""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from nmt.config.data import CaptionsConfig
from nmt.data.captions import write_captions
from nmt.data.text import ParallelText
from nmt.data.words import GLUE, MARKS, join_words, split_words
from tests.system.app_tools import read_results, train_py

ROUNDS = 5


def words_of(line: str) -> list[str]:
    """Without sentence marks, which translate themselves."""
    return [word for word in split_words(line) if word.strip(GLUE + MARKS)]


def most_likely_words(text: ParallelText) -> dict[str, str]:
    """English word -> German word g of largest t(g | e), by IBM model 1 (Brown et al. 1993), learnt from uniform t.

    Each round gives t(g | e) the share of all g's that the round before attributes to e.
    """
    pairs = [(words_of(src), words_of(tgt)) for src, tgt in zip(text.src, text.tgt, strict=True)]
    english, german = (sorted({word for pair in pairs for word in pair[side]}) for side in (0, 1))
    row_of, column_of = ({word: i for i, word in enumerate(words)} for words in (english, german))
    places = [np.ix_([row_of[e] for e in es], [column_of[g] for g in gs]) for es, gs in pairs]
    table_EG = np.ones((len(english), len(german)))
    for _ in range(ROUNDS):
        counts_EG = np.zeros_like(table_EG)
        for place in places:
            shares = table_EG[place]
            np.add.at(counts_EG, place, shares / shares.sum(axis=0))
        table_EG = counts_EG / counts_EG.sum(axis=1, keepdims=True)
    return {e: german[i] for e, i in zip(english, table_EG.argmax(axis=1), strict=True)}


def word_for_word(line: str, dictionary: dict[str, str]) -> str:
    """Marks and the capital at the start are kept."""
    text = join_words(dictionary.get(word, word) for word in split_words(line))
    return text[:1].upper() + text[1:]


def test_model_1_learns_which_word_is_which():
    text = ParallelText("toy", ["a dog", "a cat", "dog", "the cat"], ["ein Hund", "ein Kater", "Hund", "der Kater"])
    assert most_likely_words(text) == {"a": "ein", "dog": "Hund", "cat": "Kater", "the": "der"}


def test_a_dictionary_scores_below_50_bleu():
    train, _, test = write_captions(CaptionsConfig())
    dictionary = most_likely_words(train)
    lines = [word_for_word(line, dictionary) for line in test.src]
    score = BLEU().corpus_score(lines, [list(test.tgt)]).score
    print(f"word for word: {score:.2f} BLEU, such as {lines[0]!r} for {test.src[0]!r}")
    assert 5 < score < 50


@pytest.mark.long
def test_single_layer_attention_stays_ten_bleu_below(tmp_path, capsys):
    scores = {}
    for attention in ("bahdanau", "single_layer"):
        folder = tmp_path / attention
        answer = train_py(folder, f"model.attention={attention}", "train.max_steps=250", "metrics.bootstrap=0")
        assert answer.status == 0, answer.err
        scores[attention] = read_results(folder)["bleu"]["score"]
    with capsys.disabled():
        print("\nBLEU on the embedded test set, 250 steps: " + ", ".join(f"{k} {v:.2f}" for k, v in scores.items()))
    assert scores["single_layer"] <= scores["bahdanau"] - 10
