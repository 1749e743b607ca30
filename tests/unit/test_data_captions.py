"""The embedded corpus: German by the tables, reproducible, disjoint, and more than a dictionary can do."""

import random
import time
from typing import Any

import numpy as np
import pytest
from sacrebleu import corpus_bleu

from nmt.config.data import CaptionsConfig
from nmt.data import captions
from nmt.data.captions import DEFINITE, THIS, A, adjective_ending, caption, write_captions
from nmt.data.lexicon import BEINGS, PLACES, THINGS
from nmt.data.words import join_words, split_words
from nmt.errors import DataError

SMALL = CaptionsConfig(train_pairs=300, dev_pairs=40, test_pairs=40)


@pytest.fixture(scope="module")
def default_sets():
    return write_captions(CaptionsConfig())


@pytest.mark.parametrize(
    ("kind", "column", "nominative", "accusative", "dative"),
    [
        ("a", "m", "ein klein-er", "einen klein-en", "einem klein-en"),
        ("a", "f", "eine klein-e", "eine klein-e", "einer klein-en"),
        ("a", "n", "ein klein-es", "ein klein-es", "einem klein-en"),
        ("the", "m", "der klein-e", "den klein-en", "dem klein-en"),
        ("the", "f", "die klein-e", "die klein-e", "der klein-en"),
        ("the", "n", "das klein-e", "das klein-e", "dem klein-en"),
        ("the", "pl", "die klein-en", "die klein-en", "den klein-en"),
        ("this", "m", "dieser klein-e", "diesen klein-en", "diesem klein-en"),
        ("this", "f", "diese klein-e", "diese klein-e", "dieser klein-en"),
        ("this", "n", "dieses klein-e", "dieses klein-e", "diesem klein-en"),
        ("this", "pl", "diese klein-en", "diese klein-en", "diesen klein-en"),
        ("number", "pl", "zwei klein-e", "zwei klein-e", "zwei klein-en"),
    ],
)
def test_determiners_and_adjectives_follow_the_tables_of_a_school_grammar(kind, column, nominative, accusative, dative):
    for case, expected in (("nom", nominative), ("acc", accusative), ("dat", dative)):
        determiners: dict[str, Any] = {
            "a": lambda case=case: "ein" + A[column][case],
            "the": lambda case=case: DEFINITE[case][column],
            "this": lambda case=case: "dies" + THIS[column][case],
            "number": lambda: "zwei",
        }
        assert f"{determiners[kind]()} klein-{adjective_ending(kind, case, column)}" == expected


def test_nouns_that_change_with_their_case():
    nouns = {noun.en: noun for noun in (*BEINGS, *THINGS, *PLACES)}
    forms = {
        ("boy", "nom", False): "Junge",
        ("boy", "acc", False): "Jungen",
        ("boy", "dat", True): "Jungen",
        ("man", "acc", False): "Mann",
        ("man", "dat", True): "Männern",
        ("girl", "dat", True): "Mädchen",
        ("car", "dat", True): "Autos",
        ("hat", "dat", True): "Hüten",
        ("window", "dat", True): "Fenstern",
        ("garden", "dat", True): "Gärten",
    }
    assert {key: nouns[key[0]].german(*key[1:]) for key in forms} == forms


@pytest.mark.slow
def test_a_sentence_has_one_translation():
    rng = random.Random(5)
    translations: dict[str, str] = {}
    for _ in range(20_000):
        english, german = caption(rng)
        assert translations.setdefault(english, german) == german


def test_the_sets_are_a_function_of_the_seed_and_share_nothing():
    first, again = write_captions(SMALL), write_captions(SMALL)
    assert first == again
    other = write_captions(CaptionsConfig(train_pairs=300, dev_pairs=40, test_pairs=40, grammar_seed=1))
    assert other[0].src != first[0].src
    assert [(text.name, len(text)) for text in first] == [("train", 300), ("dev", 40), ("test", 40)]


@pytest.mark.slow
def test_no_sentence_comes_twice(default_sets):
    sources = [line for text in default_sets for line in text.src]
    assert len(set(sources)) == len(sources) == 10_000


@pytest.mark.slow
def test_sentences_look_like_sentences(default_sets):
    for text in default_sets:
        for line in (*text.src, *text.tgt):
            assert line[0].isupper()
            assert line.endswith(".")
            assert not any(mark in line for mark in ("  ", " ,", ",,", ",.", " ."))


@pytest.mark.slow
def test_vocabularies_are_small(default_sets):
    for side in (default_sets[0].src, default_sets[0].tgt):
        words = {word.lower() for line in side for word in split_words(line)}
        assert 150 <= len(words) <= 300


@pytest.mark.slow
def test_ten_thousand_pairs_are_written_in_two_seconds():
    start = time.process_time()
    write_captions(CaptionsConfig())
    assert time.process_time() - start < 2


def test_more_than_the_grammar_gives_is_refused(monkeypatch):
    monkeypatch.setattr(captions, "caption", lambda rng: ("One sentence.", "Ein Satz."))
    with pytest.raises(DataError) as caught:
        write_captions(SMALL)
    assert str(caught.value) == (
        "data.train_pairs, data.dev_pairs, data.test_pairs: found 380 together, expected at most what the grammar "
        "gives (about 1); ask for fewer, or use data=files for a corpus of your own."
    )


def word_for_word(sources: list[str], targets: list[str], rounds: int = 5) -> dict[str, str]:
    """The most likely German word of each English one, by IBM model 1 (Brown et al. 1993, section 4.1)."""
    ids_src: dict[str, int] = {}
    ids_tgt: dict[str, int] = {}
    pairs, slots, slot = [], [], 0  # a slot is one German word, which one of the English words of its sentence made
    for source, target in zip(sources, targets, strict=True):
        src = [ids_src.setdefault(word, len(ids_src)) for word in split_words(source)]
        tgt = [ids_tgt.setdefault(word, len(ids_tgt)) for word in split_words(target)]
        pairs.append(np.stack([np.tile(src, len(tgt)), np.repeat(tgt, len(src))]))
        slots.append(slot + np.repeat(np.arange(len(tgt)), len(src)))
        slot += len(tgt)
    pair, place = np.concatenate(pairs, axis=1), np.concatenate(slots)
    prob = np.full((len(ids_src), len(ids_tgt)), 1 / len(ids_tgt))
    for _ in range(rounds):
        weight = prob[pair[0], pair[1]]
        weight /= np.bincount(place, weight)[place]
        counts = np.bincount(pair[0] * len(ids_tgt) + pair[1], weight, prob.size).reshape(prob.shape)
        prob = counts / counts.sum(axis=1, keepdims=True)
    german = list(ids_tgt)
    return {word: german[prob[i].argmax()] for word, i in ids_src.items()}


@pytest.mark.slow
def test_a_dictionary_is_not_enough(default_sets):
    train, _, test = default_sets
    dictionary = word_for_word(train.src, train.tgt)
    known = {word.lower(): dictionary[word] for word in dictionary}
    output = [join_words(known[word.lower()] for word in split_words(line)) for line in test.src]
    assert corpus_bleu(output, [test.tgt]).score < 50
